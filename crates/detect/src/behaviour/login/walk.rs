//! The sequential test over the logins of one source.
//!
//! Wald's sequential probability ratio test, as in `scan`: a login of somebody who has an
//! account succeeds most of the time, a guess nearly never. Below, the walk is held at a bounded
//! credit, above at its threshold.

use super::super::few::Few;
use super::outcome::Outcome;

/// Parameters of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Probability that a login of who has an account succeeds.
    pub accepted_honest: f64,
    /// Probability that an encrypted session of who has an account goes on.
    pub long_honest: f64,
    /// Probability that a guess succeeds.
    pub accepted_guessing: f64,
    /// Probability of calling an honest source a guesser.
    pub alpha: f64,
    /// Probability of catching a guesser.
    pub beta: f64,
}

impl Default for Parameters {
    /// Six refusals in a row cross, or eight short sessions.
    fn default() -> Self {
        Self {
            accepted_honest: 0.7,
            long_honest: 0.6,
            accepted_guessing: 0.02,
            alpha: 0.001,
            beta: 0.99,
        }
    }
}

impl Parameters {
    /// What an outcome moves the walk by.
    pub(super) fn step(&self, outcome: Outcome) -> f64 {
        let Self {
            accepted_honest,
            long_honest,
            accepted_guessing,
            ..
        } = *self;
        let accepted = |honest: f64| (accepted_guessing / honest).ln();
        let refused = |honest: f64| ((1.0 - accepted_guessing) / (1.0 - honest)).ln();
        match outcome {
            Outcome::Accepted => accepted(accepted_honest),
            Outcome::Long => accepted(long_honest),
            Outcome::Refused => refused(accepted_honest),
            Outcome::Short => refused(long_honest),
        }
    }

    /// Where the walk crosses.
    #[must_use]
    pub fn ceiling(&self) -> f64 {
        (self.beta / self.alpha).ln()
    }

    /// How far it goes down.
    #[must_use]
    pub fn floor(&self) -> f64 {
        ((1.0 - self.beta) / (1.0 - self.alpha)).ln()
    }
}

/// What is known of one source.
#[derive(Debug, Default)]
pub(super) struct Walk {
    score: f64,
    pub(super) failures: u32,
    pub(super) successes: u32,
    pub(super) accounts: Few,
    pub(super) services: Few,
    guesses: Few,
}

impl Walk {
    /// Takes a login into account; `guess` stands for account and secret where both can be read: a
    /// refused one that comes again is a stale password, not a guess.
    pub(super) fn take(
        &mut self,
        outcome: Outcome,
        service: u64,
        account: Option<u64>,
        guess: Option<u64>,
        with: &Parameters,
    ) {
        let failed = matches!(outcome, Outcome::Refused | Outcome::Short);
        let known = guess.is_some_and(|guess| failed && !self.guesses.add(guess));
        if known {
            return;
        }
        self.services.add(service);
        if let Some(account) = account {
            self.accounts.add(account);
        }
        let count = if failed {
            &mut self.failures
        } else {
            &mut self.successes
        };
        *count = count.saturating_add(1);
        let score = self.score + with.step(outcome);
        self.score = score.clamp(with.floor(), with.ceiling());
    }

    pub(super) fn crossed(&self, with: &Parameters) -> bool {
        self.score >= with.ceiling()
    }

    pub(super) fn score(&self) -> f64 {
        self.score
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::few::REMEMBERED_MAX;
    use super::*;

    fn walk(outcomes: &str) -> Walk {
        let (mut walk, with) = (Walk::default(), Parameters::default());
        for (guess, outcome) in (0..).zip(outcomes.bytes()) {
            let outcome = match outcome {
                b'x' => Outcome::Refused,
                b's' => Outcome::Short,
                b'L' => Outcome::Long,
                _ => Outcome::Accepted,
            };
            walk.take(outcome, 1, Some(2), Some(guess), &with);
        }
        walk
    }

    #[test]
    fn six_refusals_or_eight_short_sessions_cross() {
        let crossed = |outcomes| walk(outcomes).crossed(&Parameters::default());
        assert!(!crossed("xxxxx") && crossed("xxxxxx"));
        assert!(!crossed("sssssss") && crossed("ssssssss"));
        assert!(!crossed("xxxxx.x") && !crossed("sssssssLs"));
    }

    #[test]
    fn credit_is_bounded() {
        let honest = ".".repeat(1_000);
        assert!(walk(&format!("{honest}{}", "x".repeat(10))).crossed(&Parameters::default()));
    }

    #[test]
    fn memory_is_bounded() {
        let walk = walk(&"x".repeat(10_000));
        assert_eq!(
            (walk.guesses.hashes.len(), walk.guesses.seen),
            (REMEMBERED_MAX, 10_000)
        );
    }
}
