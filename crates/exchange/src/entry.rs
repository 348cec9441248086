//! What goes into the log and what comes out of it.

use std::sync::Arc;

use bytes::Bytes;
use sharing::Reach;
use stix::{Object, StixId, Timestamp};

/// What happened to the visibility of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The object was accepted.
    Accept,
    /// More partners may see the object than before.
    Widen,
    /// Fewer partners may see the object than before.
    Narrow,
    /// The source withdrew the object: a version with `revoked: true`.
    Revoke,
    /// A version of the object was destroyed. Its earlier events read as this one, too.
    Erase,
}

impl EventKind {
    /// What stands for it in a database.
    pub(crate) fn code(self) -> i16 {
        match self {
            Self::Accept => 0,
            Self::Widen => 1,
            Self::Narrow => 2,
            Self::Revoke => 3,
            Self::Erase => 4,
        }
    }

    /// The kind that a code stands for.
    pub(crate) fn of_code(code: i16) -> Option<Self> {
        let kinds = [
            Self::Accept,
            Self::Widen,
            Self::Narrow,
            Self::Revoke,
            Self::Erase,
        ];
        kinds.into_iter().find(|kind| kind.code() == code)
    }
}

/// One of the two sequences of a partner's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// What every enrolled partner may see.
    Community,
    /// What is addressed to the partner.
    Addressed,
}

/// How far a reader has come in each lane; 0 is the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// Last position read of the community lane.
    pub community: u64,
    /// Last position read of the addressed lane.
    pub addressed: u64,
}

impl Position {
    /// The position in one lane.
    pub fn lane(&self, lane: Lane) -> u64 {
        match lane {
            Lane::Community => self.community,
            Lane::Addressed => self.addressed,
        }
    }

    pub(crate) fn lane_mut(&mut self, lane: Lane) -> &mut u64 {
        match lane {
            Lane::Community => &mut self.community,
            Lane::Addressed => &mut self.addressed,
        }
    }
}

/// An object that a partner hands in, and who may see it by policy.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The partner that shares it.
    pub source: Arc<str>,
    /// The object.
    pub object: Object,
    /// Who may see it. A revoked version goes instead to the lanes that hold an earlier version
    /// from its source, and to its source, if the log has the object from it already.
    pub reach: Reach,
}

/// What became of a submission. Identity is (source, id, version).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the log, durably.
    Accepted {
        /// When it was added, as its source sees it.
        date_added: Timestamp,
    },
    /// The same bytes were there already; nothing changed.
    Duplicate,
    /// Other bytes are there under the same identity; refused. The source must give the object a
    /// new `modified`.
    Conflict,
}

/// Versions of an object that its source destroys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The partner that shared them, and takes them back for good.
    pub source: Arc<str>,
    /// The object's identifier.
    pub id: StixId,
    /// Which of the versions that are left; empty means all.
    pub versions: Vec<VersionMatch>,
}

/// One event of a view, with the object that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What happened.
    pub event: EventKind,
    /// The lane that it stands in.
    pub lane: Lane,
    /// Where in the lane; the first is 1.
    pub position: u64,
    /// The partner that shared the object.
    pub source: Arc<str>,
    /// When it was added; strictly increasing in the lane.
    pub date_added: Timestamp,
    /// A version older than one already in the lane: history, not to be acted upon.
    pub stale: bool,
    /// The object's identifier.
    pub id: StixId,
    /// The object's version: `modified`, else `created`, else the epoch.
    pub version: Timestamp,
    /// The object's `valid_until`.
    pub valid_until: Option<Timestamp>,
    /// The object's `spec_version`.
    pub spec_version: Option<Box<str>>,
    /// The object, byte for byte; of an `Erase`, and of whatever was erased since, its tombstone.
    pub raw: Bytes,
}

impl Entry {
    /// The same event once its object was erased.
    pub(crate) fn erased(self) -> Self {
        Self {
            event: EventKind::Erase,
            raw: tombstone(&self.id, self.version),
            valid_until: None,
            spec_version: None,
            ..self
        }
    }
}

/// What stands for an object that was erased: `type`, `id` and `modified`, and nothing else.
pub(crate) fn tombstone(id: &StixId, version: Timestamp) -> Bytes {
    // Types, identifiers and times need no escapes.
    let (kind, version) = (id.kind(), version.fmt_micros());
    Bytes::from(format!(
        r#"{{"type":"{kind}","id":"{id}","modified":"{version}"}}"#
    ))
}

/// Which objects of a view a reader wants (TAXII 2.1 section 3.4). Several values of one filter
/// are OR-ed, several filters AND-ed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only what was added after this moment.
    pub added_after: Option<Timestamp>,
    /// Only these identifiers; empty means all.
    pub ids: Vec<StixId>,
    /// Only these types; empty means all.
    pub kinds: Vec<String>,
    /// Only these versions; empty means the last that the reader may see, per source.
    pub versions: Vec<VersionMatch>,
    /// Only these specification versions; empty means all. An object without one counts as 2.1.
    pub spec_versions: Vec<String>,
}

/// Which versions of an object a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionMatch {
    /// The latest that the reader may see.
    Last,
    /// The earliest that the reader may see.
    First,
    /// Every one.
    All,
    /// The one of this moment.
    At(Timestamp),
}

/// A page of a view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries, in the order in which they were added.
    pub entries: Vec<Entry>,
    /// Where the next page starts.
    pub next: Position,
    /// Whether there may be more now. An empty page with more is possible where a filter passes
    /// over very many entries.
    pub more: bool,
}
