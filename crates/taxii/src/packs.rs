//! Packs through a hub: publishing one, and what became of it where it runs.
//!
//! A shield whose operator allows it tells, with its state report, how often the models of a pack
//! scored and how often they spoke up ([`PackState`]): numbers, never traffic. The hub sums them up
//! for who contributed the pack, and for nobody else ([`Receipt`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use stix::Timestamp;

/// Most packs in one state report.
pub const PACKS_MAX: usize = 256;
/// Most models of one pack in a state report.
pub const MODELS_MAX: usize = 64;
/// Longest name, version or digest in one, in bytes.
pub const WORD_BYTES_MAX: usize = 128;

/// What a contributor posts: this in one line, then the bytes of the pack that is new, if one is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// The contributor's public key, base64 of 32 bytes.
    pub key: String,
    /// TUF metadata: the contributor's role, signed by that key.
    pub role: Box<RawValue>,
}

/// What a hub answers to a publication that it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The version of the contributor's role.
    pub role: u64,
    /// The version of the snapshot that lists it.
    pub snapshot: u64,
    /// Until when the role is good; publish again before.
    pub expires: Timestamp,
}

/// The repositories that a partner may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repositories {
    /// Their names.
    pub repositories: Vec<String>,
}

/// How far a pack has come on a shield.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It scores; nothing follows from it.
    Shadow,
    /// What it says is acted upon for a part of the traffic.
    Canary,
    /// What it says is acted upon.
    Enforce,
    /// It was taken out for what it did.
    RolledBack,
}

/// A pack on one shield. Counts are since `since` and never fall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackState {
    /// The partner that contributed it.
    pub source: String,
    /// Its name.
    pub pack: String,
    /// Its version.
    pub version: String,
    /// Its digest: that of its manifest.
    pub digest: String,
    /// How far it has come.
    pub stage: Stage,
    /// Since when it is counted.
    pub since: Timestamp,
    /// Its models.
    pub models: Vec<ModelState>,
}

/// A model of a pack on one shield.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelState {
    /// Its file in the pack.
    pub model: String,
    /// How often it scored.
    pub scored: u64,
    /// How often its score was over the threshold, by the stage it was in.
    #[serde(default)]
    pub over: BTreeMap<Stage, u64>,
    /// Of what it scored, how much is known to be benign: said by people, or by what this shield
    /// knows of its own sessions.
    #[serde(default)]
    pub benign: u64,
    /// Of that, how often it was over the threshold.
    #[serde(default)]
    pub false_alarms: u64,
}

impl PackState {
    /// Whether it keeps every `_MAX` of this module, and its names could be names.
    #[must_use]
    pub fn within_bounds(&self) -> bool {
        let words = [&self.pack, &self.version, &self.digest];
        stix::lease::is_partner_name(&self.source)
            && words.into_iter().all(|word| is_word(word))
            && self.models.len() <= MODELS_MAX
            && self.models.iter().all(|model| is_word(&model.model))
    }
}

fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic();
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// What became of one version of a contributor's pack, over all shields that tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The pack.
    pub pack: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// How many partners tell.
    pub partners: u64,
    /// How many shields are at each stage.
    pub shields: BTreeMap<Stage, u64>,
    /// Its models.
    pub models: Vec<ModelReceipt>,
}

/// What became of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReceipt {
    /// The sums.
    #[serde(flatten)]
    pub sum: ModelState,
    /// The share of false alarms in what is known to be benign; none while nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_alarm_rate: Option<Rate>,
}

/// A share with its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// What was counted.
    pub value: f64,
    /// Lower bound of 95 %.
    pub low: f64,
    /// Upper bound of 95 %.
    pub high: f64,
}

/// All receipts of a contributor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipts {
    /// By pack and version.
    pub receipts: Vec<Receipt>,
}

impl Rate {
    /// `count` of `of`, with the bounds of E. B. Wilson (1927), "Probable inference, the law of
    /// succession, and statistical inference"; none of nothing. A count above `of` counts as `of`.
    #[must_use]
    pub fn wilson(count: u64, of: u64) -> Option<Self> {
        if of == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "beyond 2^53 the last digits do not matter"
        )]
        let (k, n) = (count.min(of) as f64, of as f64);
        let square = Z95 * Z95;
        let share = k / n;
        let middle = share + square / (2.0 * n);
        let spread = Z95 * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
        let scale = 1.0 + square / n;
        Some(Self {
            value: share,
            low: ((middle - spread) / scale).clamp(0.0, share),
            high: ((middle + spread) / scale).clamp(share, 1.0),
        })
    }
}

/// The point that a normal variate exceeds, either way, in 5 % of cases.
const Z95: f64 = 1.959_963_984_540_054;

/// Sums up what shields tell of the packs of one contributor. Each report is the newest of a
/// shield, with the partner it belongs to.
#[must_use]
pub fn receipts<'a>(
    contributor: &str,
    told: impl IntoIterator<Item = (&'a str, &'a [PackState])>,
) -> Receipts {
    let mut sums: BTreeMap<(&str, &str, &str), Sum<'_>> = BTreeMap::new();
    for (partner, packs) in told {
        for state in packs.iter().filter(|state| state.source == contributor) {
            let of = (&*state.pack, &*state.version, &*state.digest);
            sums.entry(of).or_default().add(partner, state);
        }
    }
    let receipts = sums.into_iter().map(|((pack, version, digest), sum)| {
        let models = sum.models.into_values().map(|sum| ModelReceipt {
            false_alarm_rate: Rate::wilson(sum.false_alarms, sum.benign),
            sum,
        });
        Receipt {
            pack: pack.to_owned(),
            version: version.to_owned(),
            digest: digest.to_owned(),
            partners: u64::try_from(sum.partners.len()).unwrap_or(u64::MAX),
            shields: sum.shields,
            models: models.collect(),
        }
    });
    Receipts {
        receipts: receipts.collect(),
    }
}

#[derive(Default)]
struct Sum<'a> {
    partners: std::collections::BTreeSet<&'a str>,
    shields: BTreeMap<Stage, u64>,
    models: BTreeMap<&'a str, ModelState>,
}

impl<'a> Sum<'a> {
    fn add(&mut self, partner: &'a str, state: &'a PackState) {
        self.partners.insert(partner);
        more(self.shields.entry(state.stage).or_default(), 1);
        for model in &state.models {
            let sum = self
                .models
                .entry(&model.model)
                .or_insert_with(|| ModelState {
                    model: model.model.clone(),
                    ..ModelState::default()
                });
            more(&mut sum.scored, model.scored);
            more(&mut sum.benign, model.benign);
            more(&mut sum.false_alarms, model.false_alarms);
            for (stage, count) in &model.over {
                more(sum.over.entry(*stage).or_default(), *count);
            }
        }
    }
}

fn more(sum: &mut u64, by: u64) {
    *sum = sum.saturating_add(by);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(source: &str, stage: Stage, scored: u64, benign: u64, false_alarms: u64) -> PackState {
        PackState {
            source: source.to_owned(),
            pack: "web".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "ab".to_owned(),
            stage,
            since: Timestamp::EPOCH,
            models: vec![ModelState {
                model: "models/web.onnx".to_owned(),
                scored,
                over: BTreeMap::from([(stage, 3)]),
                benign,
                false_alarms,
            }],
        }
    }

    #[test]
    fn bounds_are_those_of_wilson() {
        // 0 of 8 as statsmodels gives it, 13 of 50 by the formula in Python.
        let none = Rate::wilson(0, 8).unwrap();
        assert!(
            none.low == 0.0 && (none.high - 0.324_407_565).abs() < 1e-8,
            "{none:?}"
        );
        let some = Rate::wilson(13, 50).unwrap();
        assert!((some.low - 0.158_715_275).abs() < 1e-8, "{some:?}");
        assert!((some.high - 0.395_531_573).abs() < 1e-8, "{some:?}");
        assert_eq!(Rate::wilson(0, 0), None);
        assert_eq!(Rate::wilson(9, 8).unwrap().value, 1.0);
    }

    #[test]
    fn a_contributor_gets_the_sums_of_its_own() {
        let (a, b) = (
            [
                state("acme", Stage::Shadow, 100, 50, 1),
                state("rival", Stage::Enforce, 7, 7, 7),
            ],
            [state("acme", Stage::Enforce, u64::MAX, 50, 0)],
        );
        let told = [("one", a.as_slice()), ("one", &a[1..]), ("two", &b)];
        let got = receipts("acme", told).receipts;
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].partners, 2);
        let one_each = BTreeMap::from([(Stage::Shadow, 1), (Stage::Enforce, 1)]);
        assert_eq!(got[0].shields, one_each);
        let model = &got[0].models[0];
        assert_eq!((model.sum.scored, model.sum.benign), (u64::MAX, 100));
        assert_eq!(
            model.sum.over,
            BTreeMap::from([(Stage::Shadow, 3), (Stage::Enforce, 3)])
        );
        assert_eq!(model.false_alarm_rate.unwrap().value, 0.01);
        assert!(
            receipts("nobody", [("one", a.as_slice())])
                .receipts
                .is_empty()
        );
    }

    #[test]
    fn what_could_not_be_names_is_out_of_bounds() {
        let good = state("acme", Stage::Shadow, 0, 0, 0);
        assert!(good.within_bounds());
        let mut bad = good.clone();
        bad.pack = "a\u{1b}[2J".to_owned();
        assert!(!bad.within_bounds());
        bad = good.clone();
        bad.source = "Acme".to_owned();
        assert!(!bad.within_bounds());
        bad = good.clone();
        bad.models = vec![good.models[0].clone(); MODELS_MAX + 1];
        assert!(!bad.within_bounds());
    }
}
