//! What an append decides, the same for every back-end: which submissions are new, which lanes they
//! enter, how they are numbered and dated. A back-end reads and writes the rows ([`Tables`]), in
//! one transaction.

mod ends;
mod plan;
mod spread;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use stix::{Object, StixId, Timestamp};

pub(crate) use ends::{Ends, LaneEnd};
use plan::Plan;
pub(crate) use plan::{AddressedRow, EventRow, HeadRow, Rows};
use spread::spreads;
pub(crate) use spread::{Spread, Versions};

use crate::store::ERASED_MAX;
use crate::terms::{Marks, Stored};
use crate::{Appended, Erased, Erasure, StoreError, Submission, VersionMatch};

/// The tables of a back-end, inside the transaction of an append.
pub(crate) trait Tables: Send {
    /// Where the sequence and the community's lane end.
    fn ends(&mut self) -> impl Future<Output = Result<Ends, StoreError>> + Send;

    /// Where the lane addressed to a partner ends.
    fn lane_end(
        &mut self,
        partner: &str,
    ) -> impl Future<Output = Result<LaneEnd, StoreError>> + Send;

    /// What is known of each submission's identity, in their order.
    fn known(
        &mut self,
        batch: &[Submission],
    ) -> impl Future<Output = Result<Vec<Known>, StoreError>> + Send;

    /// The lanes that hold other versions of an object from its source, or this one.
    fn holders(
        &mut self,
        version: &Identity<'_>,
        versions: Versions,
    ) -> impl Future<Output = Result<Spread, StoreError>> + Send;

    /// The versions of an object that are not erased yet, each with its head, oldest first; at most
    /// [`ERASED_MAX`].
    fn versions(
        &mut self,
        id: &StixId,
        source: &str,
        wanted: VersionMatch,
    ) -> impl Future<Output = Result<Vec<(i64, Timestamp)>, StoreError>> + Send;

    /// Destroys the payloads of the heads in these events, and writes the events.
    fn erase(&mut self, rows: &Rows) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes what is new.
    fn insert(
        &mut self,
        rows: &Rows,
        batch: &[Submission],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Marks the versions of these objects, each from its source, that are not the latest. Most
    /// objects have one version for ever, so that a page need not look for another.
    fn supersede(
        &mut self,
        revised: &[&Submission],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Sets bits of the search index.
    fn mark(&mut self, marks: &Marks) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes them away.
    fn unmark(&mut self, marks: &Marks) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Objects that are not erased, in the order of their heads.
    fn stored(
        &mut self,
        heads: Heads<'_>,
    ) -> impl Future<Output = Result<Vec<Stored>, StoreError>> + Send;
}

/// Which objects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heads<'a> {
    /// Those of these heads.
    Of(&'a [i64]),
    /// The next ones after a head; some.
    After(i64),
}

/// Writes a batch to the tables; what it did, and where the log ends once it is committed. `ends`
/// is where the log ended after the last commit, if that is known.
pub(crate) async fn append(
    tables: &mut impl Tables,
    ends: Option<Ends>,
    batch: &[Submission],
    now: Timestamp,
) -> Result<(Appended, Ends), StoreError> {
    let ends = match ends {
        Some(ends) => ends,
        None => tables.ends().await?,
    };
    let verdicts = judge(batch, &tables.known(batch).await?);
    let spreads = spreads(tables, batch, &verdicts).await?;
    let mut plan = Plan::new(ends, now);
    for item in in_lane_order(batch, &verdicts, &spreads) {
        let newer = match item.verdict {
            Verdict::New { outdated: true, .. } => {
                let version = Identity::of(item.submission);
                tables.holders(&version, Versions::Newer).await?
            }
            Verdict::New { .. } | Verdict::Duplicate | Verdict::Conflict => Spread::default(),
        };
        plan.add(tables, &item, &newer).await?;
    }
    plan.salt_and_commit_to_payloads(batch)?;
    tables.insert(plan.rows(), batch).await?;
    tables.mark(&Marks::of_batch(plan.rows(), batch)).await?;
    let revised = revised(batch, &verdicts);
    if !revised.is_empty() {
        tables.supersede(&revised).await?;
    }
    Ok(plan.done(&verdicts))
}

/// Erases versions in the tables; as [`append`].
pub(crate) async fn erase(
    tables: &mut impl Tables,
    ends: Option<Ends>,
    erasure: &Erasure,
    now: Timestamp,
) -> Result<(Erased, Ends), StoreError> {
    let ends = match ends {
        Some(ends) => ends,
        None => tables.ends().await?,
    };
    let (mut chosen, mut more) = (BTreeMap::new(), false);
    let wanted = match erasure.versions.as_slice() {
        [] => &[VersionMatch::All],
        wanted => wanted,
    };
    for wanted in wanted {
        let found = tables
            .versions(&erasure.id, &erasure.source, *wanted)
            .await?;
        more |= found.len() >= ERASED_MAX;
        chosen.extend(found.into_iter().map(|(head, version)| (version, head)));
    }
    let mut plan = Plan::new(ends, now);
    for (version, head) in &chosen {
        let identity = Identity {
            id: &erasure.id,
            source: &erasure.source,
            version: *version,
        };
        let spread = tables.holders(&identity, Versions::Same).await?;
        let newer = tables.holders(&identity, Versions::Newer).await?;
        plan.erase(tables, &identity, *head, (&spread, &newer))
            .await?;
    }
    let heads: Vec<i64> = chosen.values().copied().collect();
    let stored = tables.stored(Heads::Of(&heads)).await?;
    tables.unmark(&Marks::of_stored(&stored)).await?;
    tables.erase(plan.rows()).await?;
    Ok(plan.erased(chosen.len(), more))
}

/// One version of an object from its source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    pub(crate) id: &'a StixId,
    pub(crate) source: &'a Arc<str>,
    pub(crate) version: Timestamp,
}

impl<'a> Identity<'a> {
    pub(crate) fn of(submission: &'a Submission) -> Self {
        Self {
            id: &submission.object.head().id,
            source: &submission.source,
            version: submission.object.version(),
        }
    }
}

/// What the store knows of a submission's identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Salt and commitment of the payload with the same identity; no salt once it was erased.
    pub(crate) same: Option<(Option<Vec<u8>>, Vec<u8>)>,
    /// Latest version of (source, id).
    pub(crate) latest: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    New {
        /// The store has another version of the same object from its source.
        known: bool,
        /// The store has a newer one.
        outdated: bool,
    },
    Duplicate,
    Conflict,
}

/// Decides on each submission by what the store knows and by those before it in the batch.
fn judge(batch: &[Submission], known: &[Known]) -> Vec<Verdict> {
    let mut fresh: HashMap<(&str, &str, Timestamp), &[u8]> = HashMap::new();
    let mut verdicts = Vec::with_capacity(batch.len());
    for (submission, known) in batch.iter().zip(known) {
        let object = &submission.object;
        let identity = (
            object.head().id.as_str(),
            submission.source.as_ref(),
            object.version(),
        );
        let verdict = if let Some((salt, commitment)) = &known.same {
            let same = salt
                .as_ref()
                .is_some_and(|salt| commit_to(salt, object) == **commitment);
            if same {
                Verdict::Duplicate
            } else {
                Verdict::Conflict
            }
        } else if let Some(raw) = fresh.get(&identity) {
            if *raw == object.raw() {
                Verdict::Duplicate
            } else {
                Verdict::Conflict
            }
        } else {
            fresh.insert(identity, object.raw());
            Verdict::New {
                known: known.latest.is_some(),
                outdated: known.latest > Some(object.version().as_micros()),
            }
        };
        verdicts.push(verdict);
    }
    verdicts
}

/// The new submissions whose object has another version from its source, in the store or in the
/// batch.
fn revised<'a>(batch: &'a [Submission], verdicts: &[Verdict]) -> Vec<&'a Submission> {
    let mut fresh: HashSet<(&str, &str)> = HashSet::new();
    let new = batch.iter().zip(verdicts);
    new.filter(|(of, verdict)| match verdict {
        Verdict::New { known, .. } => {
            let first = fresh.insert((of.object.head().id.as_str(), &of.source));
            *known || !first
        }
        Verdict::Duplicate | Verdict::Conflict => false,
    })
    .map(|(of, _)| of)
    .collect()
}

pub(super) fn commit_to(salt: &[u8], object: &Object) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(salt);
    context.update(object.raw());
    let mut commitment = [0; 32];
    for (to, from) in commitment.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    commitment
}

/// A submission of a batch with what was decided about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    /// Its place in the batch.
    pub(super) index: usize,
    pub(super) submission: &'a Submission,
    pub(super) verdict: &'a Verdict,
    pub(super) spread: &'a Spread,
}

/// What is new, community first: addressed entries are dated after the community's, which must
/// not depend on them.
fn in_lane_order<'a>(
    batch: &'a [Submission],
    verdicts: &'a [Verdict],
    spreads: &'a [Spread],
) -> impl Iterator<Item = Item<'a>> {
    let items = || {
        let decided = batch.iter().zip(verdicts).zip(spreads).enumerate();
        decided.map(|(index, ((submission, verdict), spread))| Item {
            index,
            submission,
            verdict,
            spread,
        })
    };
    let new = move |community: bool| {
        items().filter(move |item| {
            item.spread.community == community && matches!(item.verdict, Verdict::New { .. })
        })
    };
    new(true).chain(new(false))
}
