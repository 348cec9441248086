//! The lanes that an event goes to.
//!
//! A version goes as far as its own reach. A revocation goes where earlier versions of the same
//! source went, and nowhere else: whoever holds one must learn that it is void, and whoever holds
//! none must not learn of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sharing::Reach;

use super::{Identity, Tables, Verdict};
use crate::{StoreError, Submission};

/// A set of lanes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread {
    pub(crate) community: bool,
    pub(crate) partners: BTreeSet<Arc<str>>,
}

impl Spread {
    fn of(reach: &Reach) -> Self {
        match reach {
            Reach::Community => Self {
                community: true,
                ..Self::default()
            },
            Reach::Addressed(partners) => Self {
                community: false,
                partners: partners.iter().map(Arc::clone).collect(),
            },
        }
    }

    /// Adds the community's lane, a partner's, or both.
    pub(crate) fn add(&mut self, community: bool, partner: Option<&str>) {
        self.community |= community;
        self.partners.extend(partner.map(Arc::from));
    }

    fn extend(&mut self, other: &Self) {
        self.community |= other.community;
        self.partners.extend(other.partners.iter().map(Arc::clone));
    }

    /// Adds the source's own lane unless it reads the community's anyway.
    fn with_source(mut self, source: &Arc<str>) -> Self {
        if !self.community {
            self.partners.insert(Arc::clone(source));
        }
        self
    }
}

/// The lanes of each submission of a batch; those of submissions that are not new are of no use.
///
/// The order of a batch means nothing: a bundle may name a revocation before what it revokes.
pub(super) async fn spreads(
    tables: &mut impl Tables,
    batch: &[Submission],
    verdicts: &[Verdict],
) -> Result<Vec<Spread>, StoreError> {
    let mut spreads: Vec<Spread> = batch.iter().map(|of| Spread::of(&of.reach)).collect();
    let is_new = |verdict: &Verdict| matches!(verdict, Verdict::New { .. });
    let revokes = |of: &Submission| of.object.head().revoked;
    if !batch.iter().any(revokes) {
        return Ok(spreads);
    }
    let mut by_version: Vec<(usize, &Submission, &Verdict)> = batch
        .iter()
        .zip(verdicts)
        .enumerate()
        .map(|(index, (submission, verdict))| (index, submission, verdict))
        .filter(|(_, _, verdict)| is_new(verdict))
        .collect();
    by_version.sort_by_key(|(_, submission, _)| submission.object.version());
    let mut earlier: HashMap<(&str, &str), Spread> = HashMap::new();
    for (index, submission, verdict) in by_version {
        let key = (submission.object.head().id.as_str(), &*submission.source);
        let in_batch = earlier.get(&key);
        let Some(spread) = spreads.get_mut(index) else {
            continue;
        };
        let known = matches!(verdict, Verdict::New { known: true, .. });
        if revokes(submission) && (known || in_batch.is_some()) {
            let mut holders = match known {
                true => {
                    tables
                        .holders(&Identity::of(submission), Versions::Older)
                        .await?
                }
                false => Spread::default(),
            };
            if let Some(in_batch) = in_batch {
                holders.extend(in_batch);
            }
            *spread = holders.with_source(&submission.source);
        }
        earlier.entry(key).or_default().extend(spread);
    }
    Ok(spreads)
}

/// Which versions, compared with a submission's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    Older,
    Same,
    Newer,
}
