//! A page of a search, the same for every back-end. A back-end reads rows ([`Postings`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use sharing::Audience;
use stix::{Object, Timestamp};

use super::{Found, Place, Plan, Search};
use crate::rows::Row;
use crate::store::{ENTRIES_MAX, READ_BYTES_MAX};
use crate::terms::{BLOCK, Facts, Key, Mark, Span, UNBOUNDED};
use crate::view::{Windows, one_partner, sql};
use crate::{Entry, Lane, Position, StoreError};

/// The index of a view's two lanes, and the entries that it leads to.
pub(crate) trait Postings: Windows {
    /// The next `limit` rows of a lane's index in the order of term and block, from this term and
    /// block on, up to before `to`.
    fn postings(
        &self,
        lane: Lane,
        partner: &Arc<str>,
        from: (&[u8], i64),
        to: &[u8],
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Mark>, StoreError>> + Send;

    /// The bits of one term in some blocks of a lane.
    fn bits(
        &self,
        lane: Lane,
        partner: &Arc<str>,
        term: &[u8],
        blocks: &[i64],
    ) -> impl Future<Output = Result<Vec<(i64, i64)>, StoreError>> + Send;

    /// What stands at these positions of a lane, in their order; no entry where the version is not
    /// the last that the reader may see.
    fn at(
        &self,
        lane: Lane,
        partner: &Arc<str>,
        positions: &[i64],
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;
}

/// Rows of the index that are read in one go: first few, for most searches find little or much.
const ROWS_FIRST: usize = 16;
const ROWS: usize = 256;
/// Most rows of the index that one page looks at; each stands for up to 64 objects.
const ROWS_MAX: usize = 8192;
/// Most objects that one page looks into.
const LOOKED_INTO_MAX: usize = 2048;
/// Objects that are looked into in one go.
const LOOKED_INTO: std::ops::RangeInclusive<usize> = 16..=256;

/// See [`crate::Find::search`].
pub(crate) async fn page(
    rows: &impl Postings,
    audience: &Audience,
    search: &Search,
    from: Option<&Place>,
    limit: usize,
) -> Result<Found, StoreError> {
    let partner = one_partner(audience)?;
    let mut walk = Walk {
        rows,
        partner,
        search,
        plan: search.plan(),
        limit: limit.clamp(1, ENTRIES_MAX),
        entries: Vec::new(),
        next: None,
        bytes: 0,
        looked_at: 0,
        looked_into: 0,
    };
    let bounds = walk.bounds().await?;
    for lane in [Lane::Community, Lane::Addressed] {
        let resume = from.filter(|place| place.lane == lane);
        let passed = from.is_some_and(|place| place.lane == Lane::Addressed);
        if lane == Lane::Community && passed {
            continue;
        }
        let bounds = (sql(bounds.0.lane(lane)), sql(bounds.1.lane(lane)));
        if !walk.lane(lane, bounds, resume).await? {
            return Ok(Found {
                entries: walk.entries,
                next: walk.next,
            });
        }
    }
    Ok(Found {
        entries: walk.entries,
        next: None,
    })
}

/// A page that is being filled.
struct Walk<'a, P> {
    rows: &'a P,
    partner: &'a Arc<str>,
    search: &'a Search,
    plan: Plan,
    limit: usize,
    entries: Vec<Entry>,
    /// Behind the last entry, or behind what was looked at while there is room.
    next: Option<Place>,
    bytes: usize,
    looked_at: usize,
    looked_into: usize,
}

/// A position that the index leads to, and the key that does.
type Candidate = (Arc<Key>, i64);

impl<P: Postings> Walk<'_, P> {
    /// The positions after which and up to which entries were added in time.
    async fn bounds(&self) -> Result<(Position, Position), StoreError> {
        let start = Position::default();
        let first = match self.search.added_after {
            Some(after) => self.rows.skip_to(self.partner, start, after).await?,
            None => start,
        };
        let last = match self.search.added_before {
            Some(before) => {
                let just = Timestamp::from_micros(before.as_micros().saturating_sub(1));
                self.rows.skip_to(self.partner, start, just).await?
            }
            None => Position {
                community: u64::MAX,
                addressed: u64::MAX,
            },
        };
        Ok((first, last))
    }

    /// Goes through one lane; false where the page ends.
    async fn lane(
        &mut self,
        lane: Lane,
        bounds: (i64, i64),
        resume: Option<&Place>,
    ) -> Result<bool, StoreError> {
        for span in self.plan.spans.clone() {
            let here = resume.filter(|place| span.holds(&place.key));
            let passed = resume.is_some_and(|place| place.key >= span.to);
            if !passed && !self.span(lane, &span, bounds, here).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Goes through one span of keys; false where the page ends.
    async fn span(
        &mut self,
        lane: Lane,
        span: &Span,
        (after, last): (i64, i64),
        resume: Option<&Place>,
    ) -> Result<bool, StoreError> {
        // Of one key the blocks before are skipped; of many, passed over.
        let first_block = if span.is_one() { block(after) } else { 0 };
        let (mut key, mut first) = match resume {
            Some(place) => (place.key.clone(), block(sql(place.position))),
            None => (span.from.clone(), first_block),
        };
        let mut size = ROWS_FIRST;
        loop {
            let from = (key.as_slice(), first.max(first_block));
            let postings = self.rows.postings(lane, self.partner, from, &span.to, size);
            let postings = postings.await?;
            let Some(end) = postings.last().cloned() else {
                return Ok(true);
            };
            let read = postings.len();
            let mut candidates = self.candidates(lane, postings).await?;
            candidates.retain(|(key, position)| {
                let seen = resume
                    .is_some_and(|place| **key == place.key && *position <= sql(place.position));
                !seen && after < *position && *position <= last
            });
            if !self.look_into(lane, &candidates).await? {
                return Ok(false);
            }
            let over = span.is_one() && end.block >= block(last);
            if read < size || over {
                return Ok(true);
            }
            self.looked_at = self.looked_at.saturating_add(read);
            let end_position = end.block.saturating_mul(BLOCK).saturating_add(BLOCK - 1);
            if self.looked_at >= ROWS_MAX {
                self.advance(lane, &end.term, end_position);
                return Ok(false);
            }
            (key, first, size) = (end.term, end.block.saturating_add(1), ROWS);
        }
    }

    /// The positions of some rows that the other conditions do not rule out.
    async fn candidates(
        &self,
        lane: Lane,
        mut postings: Vec<Mark>,
    ) -> Result<Vec<Candidate>, StoreError> {
        for other in &self.plan.others {
            let mut blocks: Vec<i64> = postings.iter().map(|mark| mark.block).collect();
            blocks.sort_unstable();
            blocks.dedup();
            let bits = self.rows.bits(lane, self.partner, other, &blocks).await?;
            let bits: BTreeMap<i64, i64> = bits.into_iter().collect();
            for mark in &mut postings {
                mark.bits &= bits.get(&mark.block).copied().unwrap_or(0);
            }
            postings.retain(|mark| mark.bits != 0);
        }
        let mut candidates = Vec::new();
        for mark in postings {
            let key = Arc::new(mark.term);
            let start = mark.block.saturating_mul(BLOCK);
            let set = (0..BLOCK).filter(|bit| mark.bits.wrapping_shr(shift(*bit)) & 1 == 1);
            candidates.extend(set.map(|bit| (Arc::clone(&key), start.saturating_add(bit))));
        }
        Ok(candidates)
    }

    /// Adds what of the candidates is found; false where the page ends.
    async fn look_into(
        &mut self,
        lane: Lane,
        mut candidates: &[Candidate],
    ) -> Result<bool, StoreError> {
        while !candidates.is_empty() {
            let missing = self.limit.saturating_sub(self.entries.len());
            let some = missing
                .saturating_add(1)
                .clamp(*LOOKED_INTO.start(), *LOOKED_INTO.end());
            let (part, rest) = candidates.split_at(some.min(candidates.len()));
            candidates = rest;
            let positions: Vec<i64> = part.iter().map(|(_, position)| *position).collect();
            let seen = self.rows.at(lane, self.partner, &positions).await?;
            let seen = seen.into_iter();
            let mut seen: BTreeMap<i64, Row> =
                seen.map(|row| (sql(row.entry.position), row)).collect();
            for (key, position) in part {
                let entry = match seen.get(position) {
                    Some(row) => row.clone().admitted(self.rows).await?,
                    None => None,
                };
                let entry = entry.filter(|entry| self.admits(key, entry));
                // Under another key of the same part it would be another position's turn.
                if entry.is_some() {
                    seen.remove(position);
                }
                if !self.take(lane, key, *position, entry) {
                    return Ok(false);
                }
            }
            self.looked_into = self.looked_into.saturating_add(part.len());
            if self.looked_into >= LOOKED_INTO_MAX {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Passes a position, with what was found there; false where there was no room for it.
    fn take(&mut self, lane: Lane, key: &Key, position: i64, entry: Option<Entry>) -> bool {
        match entry {
            Some(_) if self.is_full() => false,
            Some(entry) => {
                self.advance(lane, key, position);
                self.bytes = self.bytes.saturating_add(entry.raw.len());
                self.entries.push(entry);
                true
            }
            None => {
                self.advance(lane, key, position);
                true
            }
        }
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.limit || self.bytes >= READ_BYTES_MAX
    }

    /// A full page ends behind its last entry, however far the look for one more went.
    fn advance(&mut self, lane: Lane, key: &Key, position: i64) {
        if !self.is_full() {
            self.next = Some(Place {
                lane,
                position: u64::try_from(position).unwrap_or(0),
                key: key.clone(),
            });
        }
    }

    /// Whether an entry is what is looked for, and this the first key that leads to it.
    fn admits(&self, key: &Key, entry: &Entry) -> bool {
        let Ok(object) = Object::parse(&entry.raw, &UNBOUNDED) else {
            return false;
        };
        let facts = Facts::of(&object, &entry.source);
        let leads = |key: &Key| self.plan.spans.iter().any(|span| span.holds(key));
        let first = facts.keys().into_iter().find(leads);
        let wanted = self.search.wanted();
        first.as_ref() == Some(key) && wanted.iter().all(|one| one.admits(&object, &facts))
    }
}

fn block(position: i64) -> i64 {
    position.div_euclid(BLOCK)
}

fn shift(bit: i64) -> u32 {
    u32::try_from(bit).unwrap_or(0)
}
