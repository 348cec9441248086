//! What this partner may see, as far as we have it: two lanes of indicators with their positions
//! and live sets. Pure: frames and digests go in, what changed comes out.

use std::collections::BTreeMap;
use std::sync::Arc;

use stix::pattern::Pattern;
use stix::{Object, Timestamp, Tlp};
use taxii::active::{ActiveSet, Change};
use taxii::cursor::Position;
use taxii::push::{Digest, Entry, EventKind, Frame, Lane, LaneDigest, Tombstone};

use crate::leases::Asker;

/// Most indicators held of one lane.
pub const KNOWN_MAX: usize = 2_000_000;
/// Most members of the live set of one lane. Beyond, positions alone say whether we are in step
/// ([`Agreement::Partial`]): frames are taken and enforced as ever, and nothing is fetched anew for
/// a digest that we cannot compare.
pub const MEMBERS_MAX: usize = KNOWN_MAX;

/// A partner's view of one community.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The community; empty: none met yet.
    pub community: String,
    /// Epoch of its log.
    pub epoch: u64,
    /// The cursor after the last frame, as the hub gave it.
    pub cursor: Option<String>,
    lanes: [LaneView; 2],
    /// The hub's clock, by its newest digest.
    hub_now: Option<Timestamp>,
    /// Indicators left out because of [`KNOWN_MAX`].
    pub full: u64,
}

/// One lane.
#[derive(Clone, Debug)]
struct LaneView {
    position: u64,
    active: ActiveSet,
    known: BTreeMap<Asker, Known>,
}

impl Default for LaneView {
    fn default() -> Self {
        Self {
            position: 0,
            active: ActiveSet::bounded(MEMBERS_MAX),
            known: BTreeMap::new(),
        }
    }
}

/// An indicator as the shield holds it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The entry that brought it, for the disk.
    pub entry: Arc<Entry>,
    /// When it expires by its own word.
    pub valid_until: Option<Timestamp>,
    /// Its marking; the most restrictive where one is not known, AMBER where there is none.
    pub marking: Tlp,
    /// What to detect with, if policy said so.
    pub index: Option<(Detectable, u8)>,
}

impl Known {
    /// The rules that it is detected with, if it is, and how sure their source is.
    #[must_use]
    pub fn rules(&self) -> Option<(&Arc<str>, u8)> {
        match &self.index {
            Some((Detectable::Rules(text), confidence)) => Some((text, *confidence)),
            Some((Detectable::Pattern(_), _)) | None => None,
        }
    }
}

/// What an indicator is detected with.
#[derive(Clone, Debug)]
pub enum Detectable {
    /// A pattern of STIX.
    Pattern(Arc<Pattern>),
    /// Rules in Suricata's language, as text.
    Rules(Arc<str>),
}

impl Detectable {
    /// The pattern as policy compares it with a lease. Rules claim no addresses: a lease beside them goes
    /// beyond what they say.
    #[must_use]
    pub fn pattern(&self) -> Arc<Pattern> {
        match self {
            Self::Pattern(pattern) => Arc::clone(pattern),
            Self::Rules(_) => Arc::new(Pattern { terms: Vec::new() }),
        }
    }
}

/// How a frame fits what we have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It continues where we are.
    Next,
    /// We have all of it.
    Old,
    /// Entries between ours and its first are missing.
    Gap {
        /// Our position in its lane.
        have: u64,
    },
    /// It belongs to another community or another epoch of its log.
    Foreign,
}

/// How a digest compares with our live sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// Every lane that it tells of is the same here.
    Same,
    /// The positions are the same; whether the sets are cannot be told, since ours leaves out what
    /// is beyond [`MEMBERS_MAX`].
    Partial,
    /// It tells of positions that we have left already, so it says nothing.
    Older,
    /// The hub is further than what it sent us.
    Behind {
        /// Which lane.
        lane: Lane,
        /// Our position.
        have: u64,
        /// The hub's.
        theirs: u64,
    },
    /// The same position and another set.
    Different {
        /// Which lane.
        lane: Lane,
        /// Our digest.
        ours: LaneDigest,
        /// The hub's.
        theirs: LaneDigest,
    },
}

impl View {
    /// An empty view of a community and an epoch.
    #[must_use]
    pub fn new(community: &str, epoch: u64) -> Self {
        Self {
            community: community.to_owned(),
            epoch,
            ..Self::default()
        }
    }

    /// Both positions.
    #[must_use]
    pub fn position(&self) -> Position {
        let [community, addressed] = &self.lanes;
        Position {
            community: community.position,
            addressed: addressed.position,
        }
    }

    /// Sets both positions: for a view read back from disk.
    pub fn set_position(&mut self, position: Position) {
        let [community, addressed] = &mut self.lanes;
        community.position = position.community;
        addressed.position = position.addressed;
    }

    /// How `frame` fits. A frame that overlaps what we have does not fit either: no honest hub
    /// sends one, and applying the new part would trust its idea of the old one.
    #[must_use]
    pub fn fit(&self, frame: &Frame) -> Fit {
        let have = self.lane(frame.lane).position;
        if frame.community != self.community || frame.epoch != self.epoch {
            Fit::Foreign
        } else if frame.from == have {
            Fit::Next
        } else if frame.to <= have {
            Fit::Old
        } else {
            Fit::Gap { have }
        }
    }

    /// Takes one entry of a fitting frame. Positions move with [`View::advance`].
    pub fn apply(&mut self, lane: Lane, entry: Entry, object: &Object) {
        let lane = self.lane_mut(lane);
        lane.active.apply(&Change::of(&entry, object));
        if entry.stale || object.head().kind.as_ref() != "indicator" {
            return;
        }
        let asker = Asker {
            source: entry.source.as_str().into(),
            object: object.head().id.clone(),
        };
        match entry.event {
            EventKind::Accept | EventKind::Widen if !object.head().revoked => {
                if lane.known.len() >= KNOWN_MAX && !lane.known.contains_key(&asker) {
                    self.full = self.full.saturating_add(1);
                    return;
                }
                let entry = Arc::new(entry);
                let valid_until = object.head().valid_until;
                let marking = marking(object);
                lane.known.insert(
                    asker,
                    Known {
                        entry,
                        valid_until,
                        marking,
                        index: None,
                    },
                );
            }
            EventKind::Narrow | EventKind::Erase => {
                lane.known.remove(&asker);
            }
            EventKind::Accept | EventKind::Widen | EventKind::Revoke => {
                // Whichever lane brings it: what its source took back holds in neither.
                for lane in &mut self.lanes {
                    lane.known.remove(&asker);
                }
            }
        }
    }

    /// Takes an entry that says that a version was destroyed.
    pub fn erase(&mut self, lane: Lane, entry: &Entry, tombstone: &Tombstone) {
        let lane = self.lane_mut(lane);
        lane.active.apply(&Change::erased(entry, tombstone));
        if !entry.stale {
            lane.known.remove(&Asker {
                source: entry.source.as_str().into(),
                object: tombstone.id.clone(),
            });
        }
    }

    /// Moves a lane to the end of a frame.
    pub fn advance(&mut self, lane: Lane, to: u64) {
        self.lane_mut(lane).position = to;
    }

    /// Marks an indicator for detection.
    pub fn index(&mut self, lane: Lane, asker: &Asker, what: Detectable, confidence: u8) {
        if let Some(known) = self.lane_mut(lane).known.get_mut(asker) {
            known.index = Some((what, confidence));
        }
    }

    /// Compares the hub's digest with our live sets.
    pub fn compare(&mut self, digest: &Digest) -> Agreement {
        self.hub_now = self.hub_now.max(Some(digest.at));
        let (mut older, mut partial) = (false, false);
        let lanes = [
            (Lane::Community, &digest.community),
            (Lane::Addressed, &digest.addressed),
        ];
        for (lane, theirs) in lanes {
            let Some(theirs) = theirs else { continue };
            let view = self.lane_mut(lane);
            let have = view.position;
            if theirs.position > have {
                return Agreement::Behind {
                    lane,
                    have,
                    theirs: theirs.position,
                };
            }
            if theirs.position < have {
                older = true;
                continue;
            }
            let ours = view.active.lane_digest(digest.at, have);
            if view.active.left_out() > 0 {
                partial = true;
            } else if ours != *theirs {
                return Agreement::Different {
                    lane,
                    ours,
                    theirs: theirs.clone(),
                };
            }
        }
        if older {
            Agreement::Older
        } else if partial {
            Agreement::Partial
        } else {
            Agreement::Same
        }
    }

    /// How often a member of a live set was left out because of [`MEMBERS_MAX`].
    #[must_use]
    pub fn left_out(&self) -> u64 {
        let [community, addressed] = &self.lanes;
        let (community, addressed) = (&community.active, &addressed.active);
        community.left_out().saturating_add(addressed.left_out())
    }

    /// Whether either lane holds this assertion.
    #[must_use]
    pub fn holds(&self, asker: &Asker) -> bool {
        self.lanes.iter().any(|lane| lane.known.contains_key(asker))
    }

    /// Everything that is held, with its lane.
    pub fn known(&self) -> impl Iterator<Item = (Lane, &Asker, &Known)> + Clone {
        let [community, addressed] = &self.lanes;
        let first = community
            .known
            .iter()
            .map(|(asker, known)| (Lane::Community, asker, known));
        first.chain(
            addressed
                .known
                .iter()
                .map(|(asker, known)| (Lane::Addressed, asker, known)),
        )
    }

    /// What is held of one assertion: in no lane, one or both.
    pub fn known_of<'v>(
        &'v self,
        asker: &'v Asker,
    ) -> impl Iterator<Item = (Lane, &'v Asker, &'v Known)> + Clone {
        let lanes = [Lane::Community, Lane::Addressed]
            .into_iter()
            .zip(&self.lanes);
        lanes.filter_map(move |(lane, view)| Some((lane, asker, view.known.get(asker)?)))
    }

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes
            .iter()
            .map(|lane| lane.known.len())
            .fold(0, usize::saturating_add)
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what has expired by the hub's clock, as its digests do; returns what of it was detected
    /// with, once for each lane. A clock of our own that runs ahead must not make us forget what the
    /// hub still counts.
    pub fn prune(&mut self) -> Vec<Asker> {
        let Some(now) = self.hub_now else {
            return Vec::new();
        };
        let mut detected_with = Vec::new();
        for lane in &mut self.lanes {
            lane.known.retain(|asker, known| {
                let live = known.valid_until.is_none_or(|until| until > now);
                if !live && known.index.is_some() {
                    detected_with.push(asker.clone());
                }
                live
            });
        }
        detected_with
    }

    fn lane(&self, lane: Lane) -> &LaneView {
        let [community, addressed] = &self.lanes;
        match lane {
            Lane::Community => community,
            Lane::Addressed => addressed,
        }
    }

    fn lane_mut(&mut self, lane: Lane) -> &mut LaneView {
        let [community, addressed] = &mut self.lanes;
        match lane {
            Lane::Community => community,
            Lane::Addressed => addressed,
        }
    }
}

fn marking(object: &Object) -> Tlp {
    if object.head().unknown_markings() || object.head().granular_markings {
        return Tlp::Red;
    }
    object.head().tlp().unwrap_or(Tlp::Amber)
}

#[cfg(test)]
mod tests;
