//! Search over a view: what is asked, and what is found.
//!
//! A search leads along one of its conditions, the one that says most by its kind, through the
//! index of each lane in turn, and holds every object that it comes to against all conditions. The
//! index of a lane knows nothing of other lanes: what a reader may not see changes no answer, no
//! cursor and no count of what was looked at.

mod page;
mod wanted;

use std::ops::Bound;

use sharing::Audience;
use stix::Timestamp;

pub(crate) use page::{Postings, page};
pub use wanted::{Wanted, WantedError};

use crate::terms::{Key, Span, Term, in_order};
use crate::{Entry, Lane, StoreError};

/// Most conditions of one search.
pub const WANTED_MAX: usize = 16;

/// What is looked for: the last versions that the reader may see, per source, for which all of it
/// is true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Conditions, all of which hold. Of more than [`WANTED_MAX`] the rest is not looked at.
    pub wanted: Vec<Wanted>,
    /// Only what was added after this moment.
    pub added_after: Option<Timestamp>,
    /// Only what was added before this moment.
    pub added_before: Option<Timestamp>,
}

/// Where a search stands: behind one position of one lane, under one key of its index. A function
/// of the reader's own view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The lane.
    pub lane: Lane,
    /// The last position that was looked at.
    pub position: u64,
    /// The key that led there; at most [`Place::KEY_BYTES_MAX`] bytes.
    pub key: Vec<u8>,
}

impl Place {
    /// Longest key.
    pub const KEY_BYTES_MAX: usize = crate::terms::KEY_BYTES_MAX;
}

/// A page of what a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The entries: those of the community's lane first, in the order of the key that led to them
    /// (of the address, of the day), then of the position.
    pub entries: Vec<Entry>,
    /// Where the next page starts, when there may be more. An empty page with more is possible
    /// where the conditions pass over very many entries.
    pub next: Option<Place>,
}

/// Search, which each store offers over its own log.
pub trait Find: Send + Sync + 'static {
    /// A page of what the audience may see of a search, from a place on that an earlier page of the
    /// same search gave; at most `limit` and [`crate::store::ENTRIES_MAX`] entries. Error:
    /// `SeveralViews`.
    fn search(
        &self,
        audience: &Audience,
        search: &Search,
        from: Option<&Place>,
        limit: usize,
    ) -> impl Future<Output = Result<Found, StoreError>> + Send;

    /// Builds the index anew from the log, in transactions of bounded size; until it returns,
    /// searches may miss what is in the log. Error: `NotWriter`.
    fn reindex(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// How a search goes through the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The keys that it leads along, in order.
    pub(crate) spans: Vec<Span>,
    /// Keys that each object must have besides.
    pub(crate) others: Vec<Key>,
}

impl Search {
    /// The conditions that are looked at.
    pub(crate) fn wanted(&self) -> &[Wanted] {
        self.wanted.get(..WANTED_MAX).unwrap_or(&self.wanted)
    }

    /// The plan follows from the search alone: a place means the same whatever the log holds.
    pub(crate) fn plan(&self) -> Plan {
        let leading = self.wanted().iter().enumerate();
        let leading = leading.min_by_key(|(_, wanted)| wanted.rank());
        let spans = match leading {
            Some((_, wanted)) => wanted.spans(),
            None => vec![Span::of_key(Term::Any.key())],
        };
        let rest = self.wanted().iter().enumerate();
        let rest = rest.filter(|(index, _)| leading.is_none_or(|(leads, _)| leads != *index));
        let one_key = |(_, wanted): (usize, &Wanted)| match wanted.spans().as_slice() {
            [span] if span.is_one() => Some(span.from.clone()),
            _ => None,
        };
        Plan {
            spans: in_order(spans),
            others: rest.filter_map(one_key).collect(),
        }
    }
}

/// A range of moments, without the moments that bound it.
pub(crate) fn within(at: Timestamp, after: Option<Timestamp>, before: Option<Timestamp>) -> bool {
    use std::ops::RangeBounds as _;
    let bound = |moment: Option<Timestamp>| moment.map_or(Bound::Unbounded, Bound::Excluded);
    (bound(after), bound(before)).contains(&at)
}
