//! From the state to models in force.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use detect::behaviour::dga::NameModel;
use detect::models::{About, Active, BUCKETS, InForce, MODELS_MAX, Scorer, Threshold};
use pack::{Digest, Limits, Moment, PackError, PackId, Trust, VerifiedPack};
use stix::Timestamp;

use super::folder::{Folder, FolderError};
use super::gauge::Gauge;
use super::state::{Entry, Stage, State};
use super::{Loaded, Measured};

/// The gauges of a pack, as the thread keeps them.
pub(super) struct Gauged {
    pub(super) entry: Entry,
    /// From when on the pack is refused.
    pub(super) expires: Timestamp,
    pub(super) gauges: Vec<(String, Arc<Gauge>)>,
}

/// What was loaded, what was not and why.
pub(super) struct Outcome {
    pub(super) loaded: Loaded,
    pub(super) gauged: Vec<Gauged>,
    pub(super) left_out: Vec<(Entry, String)>,
}

/// Verifies a pack now, for this version of Shieldwall.
///
/// # Errors
/// [`PackError`], named.
pub fn verified(
    bytes: &[u8],
    trust: &Trust,
    seen: &BTreeMap<PackId, u64>,
    now: Timestamp,
) -> Result<VerifiedPack, PackError> {
    let engine = ENGINE;
    let at = Moment {
        now,
        engine: &engine,
        seen,
    };
    VerifiedPack::verify(bytes, trust, &at, &Limits::default())
}

/// Loads every live pack that is in force; one that cannot be loaded leaves the others alone.
pub(super) fn load(folder: &Folder, state: &State, trust: &Trust, now: Timestamp) -> Outcome {
    let mut outcome = Outcome {
        loaded: Loaded::default(),
        gauged: Vec::new(),
        left_out: Vec::new(),
    };
    let mut in_force = InForce {
        key: state.key,
        models: Vec::new(),
    };
    for entry in state.packs.iter().filter(|entry| entry.stage.is_live()) {
        let share = share(entry, state);
        match models(folder, entry, &share, trust, now) {
            Ok(Of {
                models,
                names,
                expires,
            }) if in_force.models.len().saturating_add(models.len()) <= MODELS_MAX => {
                let kept = folder.measured(&entry.digest).unwrap_or_default();
                let kept: Measured = kept.since(entry.since);
                let mut gauges: Vec<(String, Arc<Gauge>)> = Vec::new();
                for mut model in models {
                    let file = model.about.file.to_string();
                    let gauge = Arc::new(Gauge::of(&kept.of(&file)));
                    model.tally = gauge.all();
                    in_force.models.push(Arc::new(model));
                    outcome.loaded.gauges.push(Arc::clone(&gauge));
                    gauges.push((file, gauge));
                }
                // what is only tried has no say in what becomes of a client
                let names = names.filter(|_| entry.stage == Stage::Enforce);
                outcome.loaded.names = names.or(outcome.loaded.names);
                outcome.gauged.push(Gauged {
                    entry: entry.clone(),
                    expires,
                    gauges,
                });
            }
            Ok(_) => {
                let why = format!("more than {MODELS_MAX} models: take a pack back");
                outcome.left_out.push((entry.clone(), why));
            }
            Err(why) => outcome.left_out.push((entry.clone(), why)),
        }
    }
    outcome.loaded.in_force = Arc::new(in_force);
    outcome
}

/// The shares of flows in which a pack counts: a canary takes its own from the version that enforces.
fn share(entry: &Entry, state: &State) -> Range<u16> {
    let part = |percent: u8| u16::from(percent.min(100)).saturating_mul(BUCKETS / 100);
    match entry.stage {
        Stage::Canary => 0..part(entry.percent),
        Stage::Enforce => {
            let others = state.packs.iter();
            let mut canaries =
                others.filter(|other| other.id() == entry.id() && other.stage == Stage::Canary);
            let taken = canaries.next().map_or(0, |canary| part(canary.percent));
            taken..BUCKETS
        }
        Stage::Shadow | Stage::Retired | Stage::RolledBack => 0..0,
    }
}

/// What a pack holds.
struct Of {
    models: Vec<Active>,
    /// Its model of names, for the detector of clients that ask for generated ones.
    names: Option<Arc<NameModel>>,
    expires: Timestamp,
}

fn models(
    folder: &Folder,
    entry: &Entry,
    share: &Range<u16>,
    trust: &Trust,
    now: Timestamp,
) -> Result<Of, String> {
    let bytes = folder
        .kept(&entry.digest)
        .map_err(|error: FolderError| error.to_string())?;
    // which version is meant, the state says: an older one may have come back
    let pack = verified(&bytes, trust, &BTreeMap::new(), now)
        .map_err(|error| format!("{}: {error}", error.name()))?;
    same(&pack.digest(), &entry.digest)?;
    let told = pack.manifest().models.iter().zip(&entry.thresholds);
    let models = told.map(|(model, chosen)| {
        let scorer = Scorer::load(&pack, model).map_err(|error| error.to_string())?;
        Ok(Active {
            scorer,
            about: About::of(&pack, model),
            threshold: Threshold {
                score: chosen.score,
                fpr: chosen.fpr,
                set: chosen.set.as_str().into(),
            },
            stage: match entry.stage {
                Stage::Enforce => detect::models::Stage::Enforce,
                Stage::Canary => detect::models::Stage::Canary,
                Stage::Shadow | Stage::Retired | Stage::RolledBack => detect::models::Stage::Shadow,
            },
            share: share.clone(),
            most: entry.most(),
            tally: Arc::default(),
        })
    });
    Ok(Of {
        models: models.collect::<Result<_, String>>()?,
        names: NameModel::load(&pack).map_err(|error| error.to_string())?,
        expires: pack.manifest().expires,
    })
}

fn same(found: &Digest, wanted: &Digest) -> Result<(), String> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!(
            "the store holds {found} in its place: admit it anew"
        )),
    }
}

/// This version, as packs ask for it.
const ENGINE: semver::Version = semver::Version::new(
    number(env!("CARGO_PKG_VERSION_MAJOR")),
    number(env!("CARGO_PKG_VERSION_MINOR")),
    number(env!("CARGO_PKG_VERSION_PATCH")),
);

/// A number that Cargo writes.
const fn number(digits: &str) -> u64 {
    match u64::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => 0,
    }
}
