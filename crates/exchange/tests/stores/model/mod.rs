//! Random histories against a store and against a simple model of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use exchange::{
    Erasure, EventKind, Filter, Lane, Log as _, Outcome, Position, Submission, VersionMatch,
};
use proptest::prelude::*;
use sharing::Reach;
use stix::Timestamp;

use crate::conformance::{Backend as _, Place};
use crate::support::{addressed, at, id, indicator, partner, to_all};

const PARTNERS: [&str; 3] = ["alpha", "bravo", "charlie"];

/// One object handed in: few identities, so that they meet.
#[derive(Clone, Debug)]
pub(crate) struct Handed {
    source: usize,
    n: u32,
    version: i64,
    revoked: bool,
    named: bool,
    /// None for everyone; else which partners, by bit.
    reach: Option<u8>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Append {
        batch: Vec<Handed>,
        clock: i64,
    },
    Erase {
        source: usize,
        n: u32,
        versions: u8,
        clock: i64,
    },
    Restart,
    Read {
        reader: usize,
        limit: usize,
        versions: u8,
        resume: bool,
    },
}

fn handed() -> impl Strategy<Value = Handed> {
    let bits = (
        0..3_usize,
        0..3_u32,
        0..4_i64,
        prop::bool::weighted(0.2),
        any::<bool>(),
    );
    (bits, prop::option::of(0..8_u8)).prop_map(|((source, n, version, revoked, named), reach)| {
        Handed {
            source,
            n,
            version,
            revoked,
            named,
            reach,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop::collection::vec(handed(), 1..9), 0..30_i64)
            .prop_map(|(batch, clock)| Step::Append { batch, clock }),
        2 => (0..3_usize, 0..3_u32, 0..4_u8, 0..30_i64)
            .prop_map(|(source, n, versions, clock)| Step::Erase { source, n, versions, clock }),
        1 => Just(Step::Restart),
        4 => (0..3_usize, 1..6_usize, 0..4_u8, any::<bool>())
            .prop_map(|(reader, limit, versions, resume)| Step::Read { reader, limit, versions, resume }),
    ]
}

impl Handed {
    fn submission(&self) -> Submission {
        let source = PARTNERS[self.source];
        let revoked = if self.revoked {
            r#","revoked":true"#
        } else {
            ""
        };
        let name = if self.named { r#","name":"x""# } else { "" };
        let object = indicator(self.n, self.version, &format!("{revoked}{name}"));
        let Some(bits) = self.reach else {
            return to_all(source, object);
        };
        let named = |n: &usize| bits & (1 << n) != 0;
        let others: Vec<&str> = (0..3).filter(named).map(|n| PARTNERS[n]).collect();
        addressed(source, &others, object)
    }
}

/// What is in the log, in the plainest way.
#[derive(Default)]
struct Model {
    kept: Vec<Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    source: Arc<str>,
    n: u32,
    version: i64,
    raw: Vec<u8>,
    revoked: bool,
    community: bool,
    names: BTreeSet<Arc<str>>,
    /// The payload is gone: of an erased version, and of the event that says so.
    erased: bool,
}

impl Model {
    fn append(&mut self, batch: &[Handed]) -> Vec<&'static str> {
        let mut new: Vec<Kept> = Vec::new();
        let mut outcomes = Vec::new();
        for handed in batch {
            let submission = handed.submission();
            let kept = Kept {
                source: Arc::clone(&submission.source),
                n: handed.n,
                version: handed.version,
                raw: submission.object.raw().to_vec(),
                revoked: handed.revoked,
                community: submission.reach == Reach::Community,
                names: match submission.reach {
                    Reach::Community => BTreeSet::new(),
                    Reach::Addressed(names) => names.into_iter().collect(),
                },
                erased: false,
            };
            let same = self
                .kept
                .iter()
                .chain(&new)
                .find(|other| other.identity() == kept.identity());
            outcomes.push(match same {
                Some(other) if other.raw == kept.raw && !other.erased => "duplicate",
                Some(_) => "conflict",
                None => "accepted",
            });
            if same.is_none() {
                new.push(kept);
            }
        }
        // Older versions first: whom they reach decides whom a revocation reaches.
        let mut order: Vec<usize> = (0..new.len()).collect();
        order.sort_by_key(|index| new[*index].version);
        for index in order {
            if new[index].revoked {
                self.reroute(&mut new, index);
            }
        }
        // Community entries of a batch come before addressed ones.
        let (community, others): (Vec<_>, Vec<_>) =
            new.into_iter().partition(|kept| kept.community);
        self.kept.extend(community);
        self.kept.extend(others);
        outcomes
    }

    /// Sends a revocation where earlier versions went, if anything of the object was there before.
    fn reroute(&self, new: &mut [Kept], index: usize) {
        let revoke = new[index].clone();
        let same = |kept: &&Kept| (&kept.source, kept.n) == (&revoke.source, revoke.n);
        let older = |kept: &&Kept| kept.version < revoke.version;
        let earlier = self.kept.iter().chain(&*new).filter(same).filter(older);
        let earlier: Vec<Kept> = earlier.cloned().collect();
        if earlier.is_empty() && !self.kept.iter().any(|kept| same(&kept)) {
            return;
        }
        let community = earlier.iter().any(|kept| kept.community);
        let mut names: BTreeSet<_> = earlier.into_iter().flat_map(|kept| kept.names).collect();
        if !community {
            names.insert(revoke.source);
        }
        new[index].community = community;
        new[index].names = names;
    }

    /// Erases versions as asked; how many.
    fn erase(&mut self, source: &str, n: u32, versions: u8) -> usize {
        let same = |kept: &Kept| *kept.source == *source && kept.n == n && !kept.erased;
        let left = self.kept.iter().filter(|kept| same(kept));
        let left: BTreeSet<i64> = left.map(|kept| kept.version).collect();
        let chosen: BTreeSet<i64> = match versions {
            0 => left.last().copied().into_iter().collect(),
            1 => left.first().copied().into_iter().collect(),
            2 => left.get(&2).copied().into_iter().collect(),
            _ => left,
        };
        for version in &chosen {
            let gone = self
                .kept
                .iter_mut()
                .find(|kept| same(kept) && kept.version == *version);
            let gone = gone.unwrap();
            gone.erased = true;
            let event = gone.clone();
            self.kept.push(event);
        }
        chosen.len()
    }

    /// The view of a partner: each entry with its position in its lane.
    fn view(&self, reader: &str) -> Vec<(Lane, u64, &Kept)> {
        let (mut community, mut own) = (0, 0);
        let mut view = Vec::new();
        for kept in &self.kept {
            if kept.community {
                community += 1;
                view.push((Lane::Community, community, kept));
            }
            if kept.names.contains(reader) {
                own += 1;
                view.push((Lane::Addressed, own, kept));
            }
        }
        view
    }

    /// What a reader gets: positions after `from`, versions as asked.
    fn page(&self, reader: &str, from: Position, versions: u8) -> Vec<(Lane, u64, &Kept)> {
        let mut view = self.view(reader);
        view.retain(|(_, _, kept)| !kept.erased);
        let mut range: BTreeMap<(&str, u32), (i64, i64)> = BTreeMap::new();
        for (_, _, kept) in &view {
            let object = range.entry((&kept.source, kept.n));
            let (first, last) = object.or_insert((kept.version, kept.version));
            *first = kept.version.min(*first);
            *last = kept.version.max(*last);
        }
        view.into_iter()
            .filter(|(lane, position, _)| *position > from.lane(*lane))
            .filter(|(lane, _, kept)| *lane == Lane::Community || !kept.community)
            .filter(|(_, _, kept)| {
                let (first, last) = range[&(&*kept.source, kept.n)];
                match versions {
                    0 => kept.version == last,
                    1 => kept.version == first,
                    2 => kept.version == 2,
                    _ => true,
                }
            })
            .collect()
    }
}

impl Kept {
    fn identity(&self) -> (&str, u32, i64) {
        (&self.source, self.n, self.version)
    }
}

fn versions(wanted: u8) -> Vec<VersionMatch> {
    match wanted {
        0 => vec![],
        1 => vec![VersionMatch::First],
        2 => vec![VersionMatch::At(at(2))],
        _ => vec![VersionMatch::All],
    }
}

fn erasure(source: usize, n: u32, wanted: u8) -> Erasure {
    Erasure {
        source: PARTNERS[source].into(),
        id: id("indicator", n),
        versions: match wanted {
            0 => vec![VersionMatch::Last],
            wanted => versions(wanted),
        },
    }
}

async fn play(place: Place, steps: Vec<Step>) {
    let mut store = place.open().await;
    let mut model = Model::default();
    let mut cursors = [Position::default(); 3];
    for step in steps {
        match step {
            Step::Append { batch, clock } => {
                let submissions: Vec<Submission> = batch.iter().map(Handed::submission).collect();
                let outcomes = store
                    .append(&submissions, at(clock))
                    .await
                    .unwrap()
                    .outcomes;
                let outcomes: Vec<&str> = outcomes.iter().map(name).collect();
                assert_eq!(outcomes, model.append(&batch));
            }
            Step::Erase {
                source,
                n,
                versions,
                clock,
            } => {
                let erasure = erasure(source, n, versions);
                let erased = store.erase(&erasure, at(clock)).await.unwrap().versions;
                assert_eq!(erased, model.erase(PARTNERS[source], n, versions));
            }
            Step::Restart => store = place.restart(store).await,
            Step::Read {
                reader,
                limit,
                versions: wanted,
                resume,
            } => {
                let from = if resume {
                    cursors[reader]
                } else {
                    Position::default()
                };
                let filter = Filter {
                    versions: versions(wanted),
                    ..Filter::default()
                };
                let reader_name = partner(PARTNERS[reader]);
                let page = store
                    .page(&reader_name, from, limit, &filter)
                    .await
                    .unwrap();
                let expected = model.page(PARTNERS[reader], from, wanted);
                compare(&page.entries, expected.get(..limit).unwrap_or(&expected));
                assert_eq!(page.more, expected.len() > limit);
                cursors[reader] = page.next;
            }
        }
    }
    for reader in PARTNERS {
        for lane in [Lane::Community, Lane::Addressed] {
            let entries = store.lane(&partner(reader), lane, 0, 1000).await.unwrap();
            let view = model.view(reader);
            let expected: Vec<_> = view.into_iter().filter(|entry| entry.0 == lane).collect();
            compare(&entries, &expected);
            let dates: Vec<Timestamp> = entries.iter().map(|entry| entry.date_added).collect();
            assert!(dates.is_sorted_by(|a, b| a < b));
        }
    }
    place.close(store).await;
}

fn compare(entries: &[exchange::Entry], expected: &[(Lane, u64, &Kept)]) {
    assert_eq!(entries.len(), expected.len());
    for (entry, (lane, position, kept)) in entries.iter().zip(expected) {
        assert_eq!((entry.lane, entry.position), (*lane, *position));
        assert_eq!(
            (&entry.source, &entry.id),
            (&kept.source, &id("indicator", kept.n))
        );
        assert_eq!(entry.version, at(kept.version));
        if !kept.erased {
            assert_eq!(entry.raw.to_vec(), kept.raw);
        }
        let event = if kept.erased {
            assert!(!entry.raw.windows(7).any(|bytes| bytes == b"pattern"));
            EventKind::Erase
        } else if kept.revoked {
            EventKind::Revoke
        } else {
            EventKind::Accept
        };
        assert_eq!(entry.event, event);
    }
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Duplicate => "duplicate",
        Outcome::Conflict => "conflict",
    }
}

pub(crate) fn histories() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..40)
}

/// Plays a history on a back-end and on the model.
pub(crate) fn check(place: Place, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(play(place, steps));
}

/// Makes the test of a back-end; see `conformance!` for `$make`.
macro_rules! model {
    ($make:expr) => {
        proptest::proptest! {
            #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

            #[test]
            fn a_store_does_what_the_model_does(steps in crate::model::histories()) {
                if let Some(backend) = $make(concat!(module_path!(), "::model")) {
                    crate::model::check(backend, steps);
                }
            }
        }
    };
}
pub(crate) use model;
