//! The sequential test over the names of one client.
//!
//! Wald's sequential probability ratio test, held at zero as in Page's CUSUM so that a client that
//! was harmless for a month is no better hidden than a new one. The two hypotheses are: all names
//! are harmless; or a share [`Parameters::share`] of the new ones is generated. With the ratio L of
//! a name (how much more often generated names look like it), seeing it counts
//! `ln(1 - share + share L)`; its answer then counts by what the name's own probability of being
//! generated has become: generated names nearly always do not exist, others nearly always do.

/// Parameters of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Share of generated names among the new ones of an infected client.
    pub share: f64,
    /// How often the first answer about a harmless new registrable name is that it does not exist.
    pub missing_harmless: f64,
    /// The same of a generated one.
    pub missing_generated: f64,
    /// Logarithm of the likelihood ratio from which on a client is told.
    pub threshold: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            share: 0.2,
            missing_harmless: 0.02,
            missing_generated: 0.9,
            threshold: 12.0,
        }
    }
}

/// Most registrable names of a client that are remembered, to tell new ones and to know what an
/// answer is about.
pub const BASES_MAX: usize = 128;
/// Most names kept to show.
pub const EXAMPLES_MAX: usize = 8;

/// What is known of one client.
#[derive(Clone, Debug, Default)]
pub struct Client {
    log_odds: f64,
    /// Registrable names asked for last, oldest overwritten first.
    bases: Vec<Base>,
    oldest: usize,
    names: u32,
    missing: u32,
    odd: u32,
    /// Since when the log-odds are above zero, nanoseconds.
    rising_ns: u64,
    examples: Vec<Box<str>>,
}

#[derive(Clone, Copy, Debug)]
struct Base {
    hash: u64,
    /// Probability that it was generated, by its look.
    generated: f64,
    answered: bool,
}

impl Client {
    /// Whether this registrable name is a new one.
    #[must_use]
    pub fn is_new(&self, hash: u64) -> bool {
        self.bases.iter().all(|base| base.hash != hash)
    }

    /// Takes the look of a new name into account; `ratio` is its likelihood ratio.
    pub fn asked(&mut self, hash: u64, name: &str, ratio: f64, at_ns: u64, with: &Parameters) {
        let mixture = 1.0 - with.share + with.share * ratio;
        let generated = with.share * ratio / mixture;
        let base = Base {
            hash,
            generated,
            answered: false,
        };
        if self.bases.len() < BASES_MAX {
            self.bases.push(base);
        } else if let Some(slot) = self.bases.get_mut(self.oldest) {
            *slot = base;
            let next = self.oldest.saturating_add(1);
            self.oldest = if next < BASES_MAX { next } else { 0 };
        }
        if self.log_odds <= 0.0 {
            (self.names, self.missing, self.odd, self.rising_ns) = (0, 0, 0, at_ns);
            self.examples.clear();
        }
        self.names = self.names.saturating_add(1);
        if generated >= 0.5 {
            self.odd = self.odd.saturating_add(1);
            self.show(name);
        }
        self.step(mixture.ln());
    }

    /// Takes the first answer about a name into account; false when it was no new one.
    pub fn answered(&mut self, hash: u64, name: &str, missing: bool, with: &Parameters) -> bool {
        let base = self.bases.iter_mut().find(|base| base.hash == hash);
        let Some(base) = base.filter(|base| !base.answered) else {
            return false;
        };
        base.answered = true;
        let of = |share: f64| if missing { share } else { 1.0 - share };
        let (harmless, generated) = (of(with.missing_harmless), of(with.missing_generated));
        let seen = base.generated * generated + (1.0 - base.generated) * harmless;
        if missing {
            self.missing = self.missing.saturating_add(1);
            self.show(name);
        }
        self.step((seen / harmless).ln());
        true
    }

    /// Logarithm of the likelihood ratio, at least 0.
    #[must_use]
    pub fn log_odds(&self) -> f64 {
        self.log_odds
    }

    /// New registrable names since the log-odds were last 0; how many of these do not exist; and how
    /// many look made.
    #[must_use]
    pub fn counts(&self) -> (u32, u32, u32) {
        (self.names, self.missing, self.odd)
    }

    /// Since when the log-odds are above 0, nanoseconds.
    #[must_use]
    pub fn rising_ns(&self) -> u64 {
        self.rising_ns
    }

    /// Some of the names that counted.
    #[must_use]
    pub fn examples(&self) -> &[Box<str>] {
        &self.examples
    }

    /// Starts anew, with the names that are known.
    pub fn reset(&mut self) {
        self.log_odds = 0.0;
    }

    fn step(&mut self, step: f64) {
        self.log_odds = (self.log_odds + step).max(0.0);
    }

    fn show(&mut self, name: &str) {
        let is_shown = self.examples.iter().any(|shown| **shown == *name);
        if self.examples.len() < EXAMPLES_MAX && !is_shown {
            self.examples.push(name.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(names: &[(f64, Option<bool>)]) -> Client {
        let (mut client, with) = (Client::default(), Parameters::default());
        for (hash, (ratio, missing)) in (0..).zip(names) {
            client.asked(hash, "name.example", *ratio, hash, &with);
            if let Some(missing) = missing {
                client.answered(hash, "name.example", *missing, &with);
            }
        }
        client
    }

    #[test]
    fn evidence_adds_up_and_does_not_go_below_zero() {
        let harmless = vec![(0.3, Some(false)); 500];
        assert!(client(&harmless).log_odds() < 0.1);
        let made = [harmless, vec![(20.0, Some(true)); 4]].concat();
        assert!(client(&made).log_odds() > Parameters::default().threshold);
        // words: only that they do not exist
        assert!(client(&[(0.5, Some(true)); 9]).log_odds() > Parameters::default().threshold);
    }

    #[test]
    fn a_name_that_looks_made_and_exists_counts_little() {
        let seen = |missing| client(&[(20.0, missing); 3]).log_odds();
        assert!(seen(Some(false)) < seen(None) && seen(None) < seen(Some(true)));
    }

    #[test]
    fn a_name_counts_once_and_so_does_its_answer() {
        let (mut client, with) = (Client::default(), Parameters::default());
        client.asked(7, "a.example", 20.0, 0, &with);
        assert!(!client.is_new(7));
        assert!(client.answered(7, "a.example", true, &with));
        let before = client.log_odds();
        assert!(!client.answered(7, "a.example", true, &with));
        assert!(!client.answered(8, "b.example", true, &with));
        assert!((client.log_odds() - before).abs() < 1e-12);
    }

    #[test]
    fn memory_is_bounded() {
        let client = client(&vec![(20.0, Some(true)); 10_000]);
        assert_eq!((client.bases.len(), client.examples.len()), (BASES_MAX, 1));
        assert!(!client.is_new(9_999) && client.is_new(0));
    }
}
