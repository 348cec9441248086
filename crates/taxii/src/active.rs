//! The live set of a lane and its digest: how a follower knows that it has everything.
//!
//! A member is the latest version of an indicator per (source, id) that is neither revoked nor
//! expired. The digest is the sum of the members' SHA-256 modulo 2^256, so that one change costs
//! one addition and order does not matter. It finds loss and error; against a hostile hub it is the
//! signature of the frames that counts, for whoever may choose many members can make sums collide.

use std::collections::{BTreeSet, HashMap};

use aws_lc_rs::digest::{Context, SHA256};
use stix::{Object, StixId, Timestamp};

use crate::push::{Entry, EventKind, LaneDigest, Tombstone};

/// The live indicators of one lane. Hub and shields run this same code on the same entries.
///
/// # Failure bias
/// Open, and said: a set at its bound leaves new members out and counts them. From then on its
/// digest is that of a part, for good, and proves neither loss nor that all is there.
#[derive(Clone, Debug)]
pub struct ActiveSet {
    members: HashMap<Key, Member>,
    expiries: BTreeSet<(Timestamp, Key)>,
    sum: Sum,
    members_max: usize,
    left_out: u64,
}

/// One event of a lane, as far as the live set needs it.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What happened.
    pub event: EventKind,
    /// [`Entry::stale`]: a version older than one already in the lane.
    pub stale: bool,
    /// The partner that shared the object.
    pub source: &'a str,
    /// The object's identifier.
    pub id: &'a StixId,
    /// The object's version.
    pub version: Timestamp,
    /// When the indicator expires by its own word.
    pub valid_until: Option<Timestamp>,
    /// The object's bytes.
    pub raw: &'a [u8],
}

impl<'a> Change<'a> {
    /// The change that an entry of a frame and its parsed object make.
    pub fn of(entry: &'a Entry, object: &'a Object) -> Self {
        Self {
            event: entry.event,
            stale: entry.stale,
            source: &entry.source,
            id: &object.head().id,
            version: object.version(),
            valid_until: object.head().valid_until,
            raw: object.raw(),
        }
    }

    /// The change that an `erase` entry makes.
    pub fn erased(entry: &'a Entry, tombstone: &'a Tombstone) -> Self {
        Self {
            event: entry.event,
            stale: entry.stale,
            source: &entry.source,
            id: &tombstone.id,
            version: tombstone.modified,
            valid_until: None,
            raw: b"",
        }
    }
}

impl ActiveSet {
    /// An empty set that takes whatever there is: for a hub, which holds all of it in its log
    /// anyway, and whose digest has to be that of the whole lane.
    pub fn new() -> Self {
        Self::bounded(usize::MAX)
    }

    /// An empty set of at most `members_max`: for a follower, which takes what others make.
    pub fn bounded(members_max: usize) -> Self {
        Self {
            members: HashMap::new(),
            expiries: BTreeSet::new(),
            sum: Sum::default(),
            members_max,
            left_out: 0,
        }
    }

    /// How often a member was left out because there were as many as may be. Unless it is 0, the
    /// digest is not that of the lane.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Takes the next event of the lane. Stale versions and objects other than indicators change
    /// nothing.
    pub fn apply(&mut self, change: &Change<'_>) {
        if change.stale || change.id.kind() != "indicator" {
            return;
        }
        let key = Key::of(change.source, change.id);
        self.remove(key);
        match change.event {
            EventKind::Accept | EventKind::Widen => self.insert(key, change),
            EventKind::Narrow | EventKind::Revoke | EventKind::Erase => {}
        }
    }

    /// Number of live members and the digest at `at`. What has expired by then is dropped for
    /// good, so `at` must not go back between calls.
    pub fn digest(&mut self, at: Timestamp) -> (u64, [u8; 32]) {
        while let Some(&(until, key)) = self.expiries.first()
            && until <= at
        {
            self.remove(key);
        }
        (
            u64::try_from(self.members.len()).unwrap_or(u64::MAX),
            self.sum.to_bytes(),
        )
    }

    /// [`ActiveSet::digest`] as it travels, for the lane at `position`.
    pub fn lane_digest(&mut self, at: Timestamp, position: u64) -> LaneDigest {
        let (active, digest) = self.digest(at);
        let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        LaneDigest {
            position,
            active,
            digest,
        }
    }

    fn insert(&mut self, key: Key, change: &Change<'_>) {
        if self.members.len() >= self.members_max {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        let term = Sum::of_member(change);
        self.sum = self.sum.plus(term);
        if let Some(until) = change.valid_until {
            self.expiries.insert((until, key));
        }
        self.members.insert(
            key,
            Member {
                term,
                until: change.valid_until,
            },
        );
    }

    fn remove(&mut self, key: Key) {
        let Some(member) = self.members.remove(&key) else {
            return;
        };
        self.sum = self.sum.minus(member.term);
        if let Some(until) = member.until {
            self.expiries.remove(&(until, key));
        }
    }
}

impl Default for ActiveSet {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy, Debug)]
struct Member {
    term: Sum,
    until: Option<Timestamp>,
}

/// The first half of SHA-256 over source and id: members are many, and names are long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key([u8; 16]);

impl Key {
    fn of(source: &str, id: &StixId) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(source.as_bytes());
        context.update(&[0]);
        context.update(id.as_str().as_bytes());
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(key)
    }
}

/// A number modulo 2^256, least significant limb first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum([u64; 4]);

impl Sum {
    fn of_member(change: &Change<'_>) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(change.source.as_bytes());
        context.update(&[0]);
        context.update(change.id.as_str().as_bytes());
        context.update(&[0]);
        context.update(&change.version.as_micros().to_be_bytes());
        context.update(change.raw);
        let mut sum = [0; 4];
        for (limb, bytes) in sum
            .iter_mut()
            .zip(context.finish().as_ref().chunks_exact(8))
        {
            *limb = bytes
                .iter()
                .rev()
                .fold(0, |limb, byte| (limb << 8) | u64::from(*byte));
        }
        Self(sum)
    }

    fn plus(self, other: Self) -> Self {
        let mut carry = false;
        let mut sum = [0; 4];
        for (limb, (a, b)) in sum.iter_mut().zip(self.0.into_iter().zip(other.0)) {
            let (partial, over_a) = a.overflowing_add(b);
            let (full, over_b) = partial.overflowing_add(u64::from(carry));
            *limb = full;
            carry = over_a || over_b;
        }
        Self(sum)
    }

    fn minus(self, other: Self) -> Self {
        let negated = Self(other.0.map(|limb| !limb)).plus(Self([1, 0, 0, 0]));
        self.plus(negated)
    }

    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (to, from) in bytes
            .iter_mut()
            .zip(self.0.into_iter().flat_map(u64::to_le_bytes))
        {
            *to = from;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(n: u8) -> StixId {
        StixId::parse(&format!(
            "indicator--00000000-0000-4000-8000-0000000000{n:02x}"
        ))
        .unwrap()
    }

    fn at(us: i64) -> Timestamp {
        Timestamp::from_micros(us)
    }

    fn accept<'a>(id: &'a StixId, version: i64, until: Option<i64>) -> Change<'a> {
        Change {
            event: EventKind::Accept,
            stale: false,
            source: "alpha",
            id,
            version: at(version),
            valid_until: until.map(at),
            raw: b"{}",
        }
    }

    #[test]
    fn an_empty_set_and_a_set_that_became_empty_have_the_same_digest() {
        let empty = ActiveSet::new().digest(at(0));
        let mut set = ActiveSet::new();
        set.apply(&accept(&id(1), 1, Some(10)));
        set.apply(&accept(&id(2), 1, None));
        assert_eq!(set.digest(at(9)).0, 2);
        set.apply(&Change {
            event: EventKind::Revoke,
            ..accept(&id(2), 2, None)
        });
        assert_eq!(set.digest(at(9)).0, 1);
        assert_ne!(set.digest(at(9)), empty);
        assert_eq!(
            set.digest(at(10)),
            empty,
            "valid_until is exclusive (STIX 2.1 section 4.7)"
        );
    }

    #[test]
    fn bytes_source_and_version_all_count() {
        let of = |change: Change<'_>| {
            let mut set = ActiveSet::new();
            set.apply(&change);
            set.digest(at(0)).1
        };
        let (one, two) = (id(1), id(2));
        let base = accept(&one, 1, None);
        let others = [
            accept(&two, 1, None),
            accept(&one, 2, None),
            Change {
                source: "bravo",
                ..base
            },
            Change {
                raw: b"{ }",
                ..base
            },
        ];
        for other in others {
            assert_ne!(of(base), of(other));
        }
    }

    #[test]
    fn stale_versions_and_other_kinds_change_nothing() {
        let mut set = ActiveSet::new();
        let sighting = StixId::parse("sighting--00000000-0000-4000-8000-000000000001").unwrap();
        set.apply(&accept(&sighting, 1, None));
        set.apply(&Change {
            stale: true,
            ..accept(&id(1), 1, None)
        });
        assert_eq!(set.digest(at(0)), ActiveSet::new().digest(at(0)));
    }

    #[test]
    fn at_its_bound_a_set_leaves_out_what_is_new_and_says_so_for_good() {
        let mut set = ActiveSet::bounded(2);
        set.apply(&accept(&id(1), 1, Some(10)));
        set.apply(&accept(&id(2), 1, None));
        set.apply(&accept(&id(2), 2, None));
        assert_eq!(
            set.left_out(),
            0,
            "a newer version takes the older one's place"
        );
        let before = set.digest(at(0));
        for n in 3..100 {
            set.apply(&accept(&id(n), 1, Some(10)));
        }
        assert_eq!((set.digest(at(0)), set.left_out()), (before, 97));
        assert_eq!((set.members.len(), set.expiries.len()), (2, 1));
        assert_eq!(set.digest(at(10)).0, 1);
        set.apply(&accept(&id(3), 2, None));
        assert_eq!(
            (set.digest(at(10)).0, set.left_out()),
            (2, 97),
            "there is room again, but what was left out is still missing"
        );
    }

    proptest! {
        #[test]
        fn digest_equals_that_of_a_set_built_from_the_survivors(
            steps in prop::collection::vec((0u8..6, 1i64..50, prop::option::of(1i64..100), any::<bool>()), 0..60),
            now in 0i64..120,
        ) {
            let mut set = ActiveSet::new();
            let mut model = std::collections::BTreeMap::new();
            for (n, version, until, revoke) in steps {
                let id = id(n);
                let event = if revoke { EventKind::Revoke } else { EventKind::Accept };
                set.apply(&Change { event, ..accept(&id, version, until) });
                if revoke { model.remove(&n); } else { model.insert(n, (version, until)); }
            }
            let mut rebuilt = ActiveSet::new();
            for (n, (version, until)) in model.into_iter().rev() {
                if until.is_none_or(|until| until > now) {
                    rebuilt.apply(&accept(&id(n), version, until));
                }
            }
            prop_assert_eq!(set.digest(at(now)), rebuilt.digest(at(now)));
        }
    }
}
