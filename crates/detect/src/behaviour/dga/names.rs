//! What one name says: how much more often generated names look like it than others do.

use std::sync::Arc;

use features::Subject;
use pack::VerifiedPack;
use pack::manifest::Task;

use crate::models::{LoadError, Scorer, Work};

/// Least and most that one name counts: a model that is wrong about a name is wrong about it every
/// time that it is asked for, and lists of harmless names hold some that machines made.
const RATIO_MIN: f64 = 0.2;
const RATIO_MAX: f64 = 30.0;

/// A model of names from a pack, and what its scores are worth.
#[derive(Debug)]
pub struct NameModel {
    scorer: Scorer,
    curve: Curve,
}

/// What a score is worth: points (log-odds of the score, logarithm of the likelihood ratio), both
/// rising.
#[derive(Debug)]
struct Curve(Vec<(f64, f64)>);

impl NameModel {
    /// The first model of a pack that looks for generated names; none if it has none. What scores
    /// are worth follows from the thresholds that its manifest gives.
    ///
    /// # Errors
    /// [`LoadError`] says what of the pack does not fit.
    pub fn load(pack: &VerifiedPack) -> Result<Option<Arc<Self>>, LoadError> {
        let entry = pack.manifest().models.iter();
        let Some(entry) = entry.clone().find(|entry| entry.task == Task::DgaDomain) else {
            return Ok(None);
        };
        let scorer = Scorer::load(pack, entry)?;
        let thresholds = entry.thresholds.iter();
        let curve = Curve::of(thresholds.map(|at| (at.fpr, at.threshold)));
        Ok(Some(Arc::new(Self { scorer, curve })))
    }

    /// Memory for judgements of this model.
    pub(super) fn work(&self) -> Work {
        self.scorer.work()
    }

    /// The likelihood ratio of a name. One that the model fails on says nothing.
    pub(super) fn ratio(&self, name: &str, work: &mut Work) -> f64 {
        let score = self.scorer.score(&Subject::Domain(name), work);
        score.map_or(1.0, |score| self.curve.ratio(f64::from(score.value)))
    }
}

/// What a score of one half is worth: more harmless names reach it than generated ones.
const HALF: (f64, f64) = (0.0, 0.55);
/// What the lowest scores are worth, and at which log-odds.
const LOWEST: (f64, f64) = (-7.0, 0.15);
/// The likelihood ratio at a threshold is this by its share of harmless names: generated names are
/// spread about evenly over the orders of magnitude of that share. (Families apart from those that
/// the bundled model was trained on gave 0.1; other harmless names exceed a threshold more often.)
const SPREAD: f64 = 0.05;

impl Curve {
    /// From pairs of a share of harmless names and the score that so many reach.
    fn of(thresholds: impl Iterator<Item = (f64, f64)>) -> Self {
        let usable = |(fpr, score): &(f64, f64)| *fpr > 0.0 && *fpr < SPREAD && *score > 0.5;
        let point = |(fpr, score): (f64, f64)| (log_odds(score), (SPREAD / fpr).ln());
        let mut points: Vec<(f64, f64)> = thresholds.filter(usable).map(point).collect();
        points.extend([LOWEST, HALF].map(|(at, ratio)| (at, ratio.ln())));
        points.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        Self(points)
    }

    fn ratio(&self, score: f64) -> f64 {
        let at = log_odds(score);
        let after = self.0.partition_point(|(point, _)| *point <= at);
        let before = after.checked_sub(1).and_then(|one| self.0.get(one));
        let worth = match (before, self.0.get(after)) {
            (Some((low, from)), Some((high, to))) => from + (to - from) * (at - low) / (high - low),
            (Some((_, last)), None) => *last,
            (None, Some((_, first))) => *first,
            (None, None) => 0.0,
        };
        worth.exp().clamp(RATIO_MIN, RATIO_MAX)
    }
}

fn log_odds(score: f64) -> f64 {
    let score = score.clamp(1e-7, 1.0 - 1e-7);
    (score / (1.0 - score)).ln()
}

/// The likelihood ratio of a name by rules, where there is no model: long labels without vowels,
/// with digits among the letters, with runs of consonants, look made.
pub(super) fn by_rules(base: &str) -> f64 {
    let label = base.split('.').next().unwrap_or_default();
    let [
        length,
        entropy,
        digits,
        vowels,
        consonants,
        _,
        _,
        _,
        changes,
        hexadecimal,
        rare,
        ..,
    ] = features::look(label.as_bytes());
    let signs = [
        (length >= 12.0 && entropy >= 3.0, 1.6),
        (length >= 16.0 && entropy >= 3.3, 1.5),
        (length >= 6.0 && vowels < 0.25, 2.0),
        (consonants >= 5.0, 2.5),
        (rare > 0.25, 1.8),
        (changes >= 3.0 && digits < 0.6, 2.0),
        (length >= 12.0 && hexadecimal >= 1.0, 3.0),
    ];
    let ratio: f64 = signs
        .iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, ratio)| ratio)
        .product();
    match ratio > 1.0 {
        true => ratio.min(RATIO_MAX),
        false => 0.6,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thresholds_say_what_a_score_is_worth() {
        let curve = Curve::of([(1e-4, 0.999_9), (1e-3, 0.999), (1e-2, 0.99)].into_iter());
        let near = |score, ratio: f64| (curve.ratio(score) / ratio - 1.0).abs() < 1e-6;
        assert!(near(0.99, 5.0) && near(0.5, 0.55));
        assert!(near(0.999_9, RATIO_MAX) && near(0.0, RATIO_MIN));
    }

    #[test]
    fn rules_prefer_what_looks_made() {
        for (made, word) in [
            ("xkqjvzwtrbn.com", "wikipedia.org"),
            ("f3a9d07b6c1e4a52.net", "nature.com"),
        ] {
            assert!(
                by_rules(made) > 2.0 && by_rules(word) < 1.0,
                "{made} {word}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_a_pack_says_a_ratio_is_bounded(
            thresholds in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 0..8),
            score in 0.0..1.0_f64,
        ) {
            let ratio = Curve::of(thresholds.into_iter()).ratio(score);
            prop_assert!((RATIO_MIN..=RATIO_MAX).contains(&ratio));
        }
    }
}
