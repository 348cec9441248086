//! The threshold random walk: a sequential hypothesis test over first contacts.
//!
//! Jung, Paxson, Berger, Balakrishnan, "Fast Portscan Detection Using Sequential Hypothesis
//! Testing", IEEE Symposium on Security and Privacy 2004, section 4. Each first contact of a
//! source succeeds with probability `theta0` if the source is benign and `theta1` if it scans; the
//! likelihood ratio of what was seen walks up on failures and down on successes, and the source
//! is a scanner once the ratio exceeds `beta / alpha`.
//!
//! Below, the walk is held at `(1 - beta) / (1 - alpha)` instead of ending: a source that proved
//! benign has that much credit and no more, so a shared address with many successes does not cross
//! by chance in one of many short walks, and a scanner cannot save up credit for later.

/// Parameters of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Probability that a first contact of a benign source succeeds.
    pub theta0: f64,
    /// Probability that a first contact of a scanner succeeds.
    pub theta1: f64,
    /// Probability of calling a benign source a scanner.
    pub alpha: f64,
    /// Probability of catching a scanner.
    pub beta: f64,
}

impl Default for Parameters {
    /// The values of the paper, section 4.3: four failures in a row cross.
    fn default() -> Self {
        Self {
            theta0: 0.8,
            theta1: 0.2,
            alpha: 0.01,
            beta: 0.99,
        }
    }
}

/// The parameters as steps and thresholds of the logarithm of the likelihood ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    success: f64,
    failure: f64,
    floor: f64,
    ceiling: f64,
    /// Most contacts that a walk remembers.
    contacts_max: usize,
}

impl Steps {
    pub(crate) fn new(parameters: &Parameters, contacts_max: usize) -> Self {
        let Parameters {
            theta0,
            theta1,
            alpha,
            beta,
        } = *parameters;
        Self {
            success: (theta1 / theta0).ln(),
            failure: ((1.0 - theta1) / (1.0 - theta0)).ln(),
            floor: ((1.0 - beta) / (1.0 - alpha)).ln(),
            ceiling: (beta / alpha).ln(),
            contacts_max: contacts_max.max(1),
        }
    }
}

/// One walk.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    score: f64,
    crossed: bool,
    failures: u32,
    successes: u32,
    /// Hashes of the services contacted last, oldest overwritten first.
    contacts: Vec<u32>,
    oldest: usize,
}

impl Walk {
    /// Takes a first contact into account; false when the service is no new one, which tells
    /// nothing about the source (a client that retries is no scanner).
    pub(crate) fn step(&mut self, contact: u32, failed: bool, steps: &Steps) -> bool {
        if !self.remember(contact, steps.contacts_max) {
            return false;
        }
        let (count, step) = if failed {
            (&mut self.failures, steps.failure)
        } else {
            (&mut self.successes, steps.success)
        };
        *count = count.saturating_add(1);
        self.score = (self.score + step).clamp(steps.floor, steps.ceiling);
        self.crossed |= self.score >= steps.ceiling;
        true
    }

    /// Whether the source is a scanner, by this walk.
    pub(crate) fn crossed(&self) -> bool {
        self.crossed
    }

    /// First contacts that failed.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// First contacts.
    pub(crate) fn contacts(&self) -> u32 {
        self.failures.saturating_add(self.successes)
    }

    fn remember(&mut self, contact: u32, contacts_max: usize) -> bool {
        if self.contacts.contains(&contact) {
            return false;
        }
        if self.contacts.len() < contacts_max {
            self.contacts.push(contact);
            return true;
        }
        if let Some(slot) = self.contacts.get_mut(self.oldest) {
            *slot = contact;
        }
        let next = self.oldest.saturating_add(1);
        self.oldest = if next < self.contacts.len() { next } else { 0 };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Steps {
        Steps::new(&Parameters::default(), 8)
    }

    fn walk(outcomes: &str) -> Walk {
        let mut walk = Walk::default();
        for (contact, outcome) in (0..).zip(outcomes.bytes()) {
            walk.step(contact, outcome == b'x', &steps());
        }
        walk
    }

    #[test]
    fn four_failures_in_a_row_cross_and_three_do_not() {
        assert!(!walk("xxx").crossed());
        assert!(walk("xxxx").crossed());
    }

    #[test]
    fn a_success_costs_a_scanner_one_more_failure_and_credit_is_bounded() {
        assert!(!walk(".xxxx").crossed());
        assert!(walk(".xxxxx").crossed());
        let long_benign = ".".repeat(1000);
        assert!(!walk(&format!("{long_benign}xxxxxx")).crossed());
        assert!(walk(&format!("{long_benign}xxxxxxx")).crossed());
    }

    #[test]
    fn a_verdict_stands_whatever_comes_after() {
        assert!(walk("xxxx.......").crossed());
    }

    #[test]
    fn only_first_contacts_count_and_memory_is_bounded() {
        let mut walk = Walk::default();
        for _ in 0..100 {
            walk.step(7, true, &steps());
        }
        assert_eq!((walk.failures(), walk.crossed()), (1, false));
        for contact in 0..1000 {
            walk.step(contact, true, &steps());
        }
        assert_eq!(walk.contacts.len(), 8);
        assert!(walk.failures() > 900);
    }
}
