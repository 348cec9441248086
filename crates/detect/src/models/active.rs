//! A model in force: what it says counts from a threshold on, in a share of the flows.

use std::hash::Hasher;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pack::manifest::{Capability, Model as Entry, Task};
use pack::{Digest, VerifiedPack};
use packet::FiveTuple;
use siphasher::sip::SipHasher13;

use super::{LoadError, Scorer};

/// Flows fall into so many shares, by their keyed hash.
pub const BUCKETS: u16 = 10_000;

/// The models that transactions are judged by; replaced as a whole.
#[derive(Debug, Default)]
pub struct InForce {
    /// Keys the hash by which flows fall into shares, so that nobody can choose a share.
    pub key: [u64; 2],
    /// The models.
    pub models: Vec<Arc<Active>>,
}

/// A model, and how it is used.
#[derive(Debug)]
pub struct Active {
    /// Judges.
    pub scorer: Scorer,
    /// Whose it is.
    pub about: About,
    /// From when on a score counts.
    pub threshold: Threshold,
    /// Where in its life its pack is here.
    pub stage: Stage,
    /// The flows in which what it finds is acted on, as a range of [`BUCKETS`]; in others it is
    /// only counted.
    pub share: Range<u16>,
    /// The most that may follow from it.
    pub most: Capability,
    /// What it did until now.
    pub tally: Arc<Tally>,
}

/// How often a model scored, and how often its score counted: written by a packet thread, read by
/// others.
#[derive(Debug, Default)]
pub struct Tally {
    scored: AtomicU64,
    over: AtomicU64,
}

impl Tally {
    /// One that goes on from these counts.
    #[must_use]
    pub fn of(scored: u64, over: u64) -> Self {
        Self {
            scored: scored.into(),
            over: over.into(),
        }
    }

    /// Takes a score.
    pub(super) fn add(&self, is_over: bool) {
        self.scored.fetch_add(1, Relaxed);
        self.over.fetch_add(is_over.into(), Relaxed);
    }

    /// How often the model scored.
    #[must_use]
    pub fn scored(&self) -> u64 {
        self.scored.load(Relaxed)
    }

    /// How often its score reached the threshold.
    #[must_use]
    pub fn over(&self) -> u64 {
        self.over.load(Relaxed)
    }
}

/// Which model of which pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Who publishes the pack.
    pub publisher: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Its version, for people.
    pub version: Box<str>,
    /// Its digest.
    pub digest: Digest,
    /// The model's file in it.
    pub file: Box<str>,
    /// The digest of that file.
    pub model: Digest,
}

/// From when on a score counts, and how often harmless traffic reaches that.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The score, 0 to 1.
    pub score: f32,
    /// The share of harmless samples that reach it.
    pub fpr: f64,
    /// What that was measured on.
    pub set: Box<str>,
}

/// Where in its life a pack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It judges a capture, and nothing is acted on.
    Scan,
    /// It judges, and what it finds is only counted.
    Shadow,
    /// What it finds counts in a share of the flows.
    Canary,
    /// What it finds counts.
    Enforce,
}

impl Stage {
    /// In a word, as in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Shadow => "shadow",
            Self::Canary => "canary",
            Self::Enforce => "enforce",
        }
    }
}

/// Whether anything is shown to models that look for this: regular connections and names that carry
/// data are seen over time, not in one transaction.
#[must_use]
pub const fn is_seen(task: Task) -> bool {
    match task {
        Task::DgaDomain | Task::PhishingUrl | Task::WebAttack => true,
        Task::Beacon | Task::DnsTunnel => false,
    }
}

impl About {
    /// The names of a model.
    #[must_use]
    pub fn of(pack: &VerifiedPack, entry: &Entry) -> Self {
        let manifest = pack.manifest();
        let bytes = pack.file(&entry.file).unwrap_or_default();
        let model = manifest
            .file(&entry.file)
            .map_or_else(|| Digest::of(bytes), |file| file.sha256);
        Self {
            publisher: manifest.publisher.as_ref().into(),
            name: manifest.name.as_ref().into(),
            version: manifest.version.to_string().into(),
            digest: pack.digest(),
            file: entry.file.as_str().into(),
            model,
        }
    }
}

impl Threshold {
    /// The threshold that a model's publisher measured for the highest rate that is not above
    /// `fpr_max`; where all are above, the strictest one. None where there are none.
    #[must_use]
    pub fn published(entry: &Entry, fpr_max: f64) -> Option<Self> {
        let mut fits = entry.thresholds.iter().filter(|one| one.fpr <= fpr_max);
        let one = fits.next_back().or(entry.thresholds.first())?;
        Some(Self {
            score: up(one.threshold),
            fpr: one.fpr,
            set: one.set.as_ref().into(),
        })
    }
}

impl Active {
    /// A model that judges a capture: all that it finds is told, and nothing follows.
    ///
    /// # Errors
    /// [`LoadError`] says what of the pack does not fit.
    pub fn scanning(
        pack: &VerifiedPack,
        entry: &Entry,
        threshold: Threshold,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            scorer: Scorer::load(pack, entry)?,
            about: About::of(pack, entry),
            threshold,
            stage: Stage::Scan,
            share: 0..BUCKETS,
            most: Capability::Alert,
            tally: Arc::default(),
        })
    }
}

impl InForce {
    /// Whether what a model finds in a flow is acted on.
    #[must_use]
    pub fn acts(&self, active: &Active, tuple: &FiveTuple) -> bool {
        let share = &active.share;
        *share == (0..BUCKETS) || (!share.is_empty() && share.contains(&self.bucket(tuple)))
    }

    /// The share of a flow: the same whichever end speaks, for as long as the key stays.
    #[must_use]
    pub fn bucket(&self, tuple: &FiveTuple) -> u16 {
        let octets = |address: IpAddr| match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        let one = (octets(tuple.src), tuple.src_port);
        let other = (octets(tuple.dst), tuple.dst_port);
        let [key0, key1] = self.key;
        let mut hasher = SipHasher13::new_with_keys(key0, key1);
        for (address, port) in [one.min(other), one.max(other)] {
            hasher.write(&address);
            hasher.write_u16(port);
        }
        let bucket = hasher.finish().checked_rem(u64::from(BUCKETS));
        bucket
            .and_then(|bucket| u16::try_from(bucket).ok())
            .unwrap_or(0)
    }
}

/// A score of 64 bits in 32, never lower.
fn up(score: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "looked at below")]
    let near = score as f32;
    match f64::from(near) < score {
        true => near.next_up(),
        false => near,
    }
}

#[cfg(test)]
mod tests {
    use packet::Proto;

    use super::*;

    fn tuple(port: u16) -> FiveTuple {
        FiveTuple {
            src: "198.51.100.7".parse().unwrap(),
            src_port: port,
            dst: "203.0.113.10".parse().unwrap(),
            dst_port: 80,
            proto: Proto::Tcp,
        }
    }

    #[test]
    fn a_flow_stays_in_its_share_and_shares_are_even() {
        let in_force = |key| InForce {
            key,
            models: Vec::new(),
        };
        let of = in_force([1, 2]);
        let mut within = 0;
        for port in 1024..11_024 {
            let bucket = of.bucket(&tuple(port));
            assert_eq!(bucket, of.bucket(&tuple(port).reversed()));
            within += u32::from(bucket < 500);
        }
        // 5 % of 10,000, give or take five standard deviations
        assert!((391..610).contains(&within), "{within}");
        let other = in_force([1, 3]);
        let moved =
            (1024..1124).filter(|port| of.bucket(&tuple(*port)) != other.bucket(&tuple(*port)));
        assert!(moved.count() > 90);
    }

    #[test]
    fn a_threshold_of_more_bits_is_rounded_up() {
        assert!(f64::from(up(0.995_669)) >= 0.995_669);
        assert!(f64::from(up(0.1)) >= 0.1 && up(0.5).to_bits() == 0.5_f32.to_bits());
    }
}
