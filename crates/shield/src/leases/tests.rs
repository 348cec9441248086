#![expect(clippy::arithmetic_side_effects, reason = "tests")]

use std::sync::{Arc, Mutex};

use datapath::clock::mono_ns;
use datapath::enforce::dry_run::DryRun;
use datapath::enforce::{Counters as Kernel, Service};
use proptest::prelude::*;
use stix::StixId;

use super::slot::{SessionOrder, order, strength};
use super::*;
use crate::clock::Now;

mod bounds;
mod cover;

const S: u64 = 1_000_000_000;

/// A dry-run enforcer whose inside can be looked at and disturbed.
#[derive(Clone)]
struct Fake(Arc<Mutex<State>>);

struct State {
    dry: DryRun,
    hits: BTreeMap<Key, Hits>,
    exempt: BTreeMap<SessionOrder, u64>,
    broken: bool,
}

impl Fake {
    fn new() -> Self {
        let dry = DryRun::new("test");
        Self(Arc::new(Mutex::new(State {
            dry,
            hits: BTreeMap::new(),
            exempt: BTreeMap::new(),
            broken: false,
        })))
    }

    fn held(&self) -> BTreeMap<Key, (Action, u64)> {
        let leases = self.0.lock().unwrap().dry.leases().unwrap();
        leases
            .into_iter()
            .map(|(lease, _)| (lease.key, (lease.action, lease.expires_ns)))
            .collect()
    }

    fn hit(&self, key: &Key, hits: Hits) {
        self.0.lock().unwrap().hits.insert(*key, hits);
    }
}

impl Enforcer for Fake {
    fn mode(&self) -> Mode {
        Mode::DryRun("test".into())
    }
    fn install(&mut self, lease: &Lease) -> Result<(), EnforceError> {
        let mut state = self.0.lock().unwrap();
        if state.broken {
            return Err(EnforceError::Refused("broken"));
        }
        state.dry.install(lease)
    }
    fn remove(&mut self, key: &Key) -> Result<bool, EnforceError> {
        self.0.lock().unwrap().dry.remove(key)
    }
    fn hits(&mut self, key: &Key) -> Result<Option<Hits>, EnforceError> {
        Ok(self.0.lock().unwrap().hits.get(key).copied())
    }
    fn leases(&mut self) -> Result<Vec<(Lease, Hits)>, EnforceError> {
        self.0.lock().unwrap().dry.leases()
    }
    fn protect(&mut self, networks: &[IpNet]) -> Result<(), EnforceError> {
        self.0.lock().unwrap().dry.protect(networks)
    }
    fn exempt(&mut self, session: &FiveTuple, until_ns: u64) -> Result<(), EnforceError> {
        self.0
            .lock()
            .unwrap()
            .exempt
            .insert(order(session), until_ns);
        Ok(())
    }
    fn unexempt(&mut self, session: &FiveTuple) {
        self.0.lock().unwrap().exempt.remove(&order(session));
    }
    fn sweep(&mut self, now_ns: u64) -> Result<usize, EnforceError> {
        self.0.lock().unwrap().dry.sweep(now_ns)
    }
    fn counters(&mut self) -> Kernel {
        Kernel::default()
    }
}

fn book() -> (Book, Fake) {
    let fake = Fake::new();
    (Book::new(Box::new(fake.clone())), fake)
}

fn asker(n: u8) -> Asker {
    Asker {
        source: format!("partner-{n}").into(),
        object: StixId::v5("indicator", &n.to_string()),
    }
}

fn object_of(source: &str, n: u32) -> Asker {
    Asker {
        source: source.into(),
        object: StixId::v5("indicator", &n.to_string()),
    }
}

fn own(claim: Claim) -> Claim {
    Claim {
        origin: Origin::Local,
        ..claim
    }
}

fn address(n: u32) -> Key {
    let address = std::net::Ipv4Addr::from(0x2d00_0000 + n);
    Key {
        source: IpNet::from(std::net::IpAddr::from(address)),
        service: None,
    }
}

fn key(n: u8) -> Key {
    Key {
        source: format!("192.0.2.{n}/32").parse().unwrap(),
        service: None,
    }
}

fn claim(key: Key, action: Action, ends_ns: u64) -> Claim {
    let why = "".into();
    let made = Now {
        mono_ns: 0,
        wall: stix::Timestamp::EPOCH,
    };
    Claim {
        origin: Origin::Exchange,
        key,
        action,
        made,
        ends_ns,
        frame_ns: 1,
        installed_ns: 0,
        why,
    }
}

const LIMIT: Action = Action::RateLimit {
    packets_per_s: 10,
    burst: 20,
};

fn session(port: u16) -> FiveTuple {
    FiveTuple {
        src: "192.0.2.1".parse().unwrap(),
        src_port: port,
        dst: "10.2.0.7".parse().unwrap(),
        dst_port: 80,
        proto: packet::Proto::Tcp,
    }
}

#[test]
fn the_strongest_is_enforced_until_it_ends_then_the_next() {
    let (mut book, fake) = book();
    let t = mono_ns();
    book.claim(
        &asker(1),
        claim(key(1), Action::Monitor, t + 90 * S),
        &[],
        t,
    )
    .unwrap();
    book.claim(&asker(2), claim(key(1), Action::Drop, t + 30 * S), &[], t)
        .unwrap();
    book.claim(&asker(3), claim(key(1), LIMIT, t + 60 * S), &[], t)
        .unwrap();
    assert_eq!(
        fake.held()[&key(1)],
        (Action::Drop, t + 30 * S),
        "never longer than its claim"
    );
    assert_eq!(book.expire(t + 30 * S).len(), 1);
    assert_eq!(fake.held()[&key(1)], (LIMIT, t + 60 * S));
    book.release(&asker(3), t + 31 * S).unwrap();
    assert_eq!(fake.held()[&key(1)], (Action::Monitor, t + 90 * S));
    assert_eq!(book.expire(t + 90 * S).len(), 1);
    assert!(fake.held().is_empty() && book.is_empty());
}

#[test]
fn a_new_version_replaces_even_on_another_key() {
    let (mut book, fake) = book();
    let t = mono_ns();
    book.claim(&asker(1), claim(key(1), Action::Drop, t + 30 * S), &[], t)
        .unwrap();
    book.claim(&asker(1), claim(key(2), Action::Drop, t + 60 * S), &[], t)
        .unwrap();
    assert_eq!(fake.held().keys().copied().collect::<Vec<_>>(), [key(2)]);
    assert!(
        book.expire(t + 40 * S).is_empty(),
        "the old end is forgotten"
    );
    assert_eq!(book.expire(t + 60 * S).len(), 1);
    assert!(fake.held().is_empty());
}

#[test]
fn a_refused_claim_leaves_the_book_as_it_was() {
    let (mut book, fake) = book();
    let t = mono_ns();
    book.claim(&asker(1), claim(key(1), LIMIT, t + 30 * S), &[], t)
        .unwrap();
    fake.0.lock().unwrap().broken = true;
    let error = book
        .claim(&asker(1), claim(key(1), Action::Drop, t + 60 * S), &[], t)
        .unwrap_err();
    assert!(matches!(error, BookError::Enforcer(_)));
    assert!(
        book.claim(&asker(2), claim(key(2), Action::Drop, t + 60 * S), &[], t)
            .is_err()
    );
    assert_eq!(
        (book.len(), book.claim_of(&asker(1)).unwrap().action),
        (1, LIMIT)
    );
    assert_eq!(book.claim_of(&asker(2)), None);
    fake.0.lock().unwrap().broken = false;
    assert_eq!(book.expire(t + 30 * S).len(), 1);
    assert!(book.is_empty());
}

#[test]
fn open_sessions_stay_exempt_as_long_as_the_lease_lives() {
    let (mut book, fake) = book();
    let t = mono_ns();
    let until = |port| {
        fake.0
            .lock()
            .unwrap()
            .exempt
            .get(&order(&session(port)))
            .copied()
    };
    book.claim(
        &asker(1),
        claim(key(1), LIMIT, t + 30 * S),
        &[session(1)],
        t,
    )
    .unwrap();
    assert_eq!(until(1), Some(t + 30 * S));
    assert_eq!(
        book.exempt(&key(1), &[session(1), session(2)]),
        1,
        "the new one only"
    );
    book.claim(&asker(2), claim(key(1), LIMIT, t + 60 * S), &[], t)
        .unwrap();
    assert_eq!((until(1), until(2)), (Some(t + 60 * S), Some(t + 60 * S)));
    assert_eq!(book.rate_limited(), [key(1)]);
    book.release(&asker(1), t);
    assert_eq!(until(1), Some(t + 60 * S));
    book.expire(t + 60 * S);
    assert_eq!((until(1), until(2)), (None, None));
    assert_eq!(
        book.exempt(&key(1), &[session(3)]),
        0,
        "nothing to be exempt from"
    );
}

#[test]
fn a_crowd_of_sessions_is_bounded() {
    let (mut book, fake) = book();
    let t = mono_ns();
    book.claim(&asker(1), claim(key(1), LIMIT, t + 30 * S), &[], t)
        .unwrap();
    let sessions: Vec<_> = (0..2_000).map(session).collect();
    assert_eq!(book.exempt(&key(1), &sessions), EXEMPT_PER_SLOT_MAX);
    assert_eq!(fake.0.lock().unwrap().exempt.len(), EXEMPT_PER_SLOT_MAX);
    assert_eq!(book.counters().exempt_full, 1);
}

#[test]
fn first_hits_are_told_once_to_every_asker() {
    let (mut book, fake) = book();
    let t = mono_ns();
    book.claim(&asker(1), claim(key(1), Action::Drop, t + 30 * S), &[], t)
        .unwrap();
    book.claim(&asker(2), claim(key(1), Action::Drop, t + 40 * S), &[], t)
        .unwrap();
    assert!(book.first_hits().is_empty() && book.awaits_first_hit());
    let hits = Hits {
        hits: 3,
        drops: 3,
        first_hit_ns: t + 1,
        first_drop_ns: t + 1,
    };
    fake.hit(&key(1), hits);
    let first = book.first_hits();
    assert_eq!(
        first
            .iter()
            .map(|hit| hit.first_drop_ns)
            .collect::<Vec<_>>(),
        [t + 1, t + 1]
    );
    assert!(!book.awaits_first_hit());
    assert!(book.refresh_hits().is_empty() && book.first_hits().is_empty());
    fake.hit(&key(1), Hits { hits: 9, ..hits });
    book.refresh_hits();
    assert_eq!(book.release(&asker(1), t).unwrap().hits.hits, 9);
}

#[test]
fn a_rate_limits_first_drop_is_told_after_its_first_hit() {
    let (mut book, fake) = book();
    let t = mono_ns();
    book.claim(&asker(1), claim(key(1), LIMIT, t + 30 * S), &[], t)
        .unwrap();
    let hits = Hits {
        hits: 1,
        drops: 0,
        first_hit_ns: t + 1,
        first_drop_ns: 0,
    };
    fake.hit(&key(1), hits);
    assert_eq!(book.first_hits()[0].first_drop_ns, 0);
    fake.hit(
        &key(1),
        Hits {
            first_drop_ns: t + 2,
            drops: 1,
            ..hits
        },
    );
    assert_eq!(book.refresh_hits()[0].first_drop_ns, t + 2);
}

#[test]
fn the_kernel_is_brought_in_line() {
    let (mut book, fake) = book();
    let t = mono_ns();
    book.claim(&asker(1), claim(key(1), Action::Drop, t + 30 * S), &[], t)
        .unwrap();
    book.claim(&asker(2), claim(key(2), Action::Drop, t + 30 * S), &[], t)
        .unwrap();
    book.claim(&asker(3), claim(key(3), Action::Drop, t + 30 * S), &[], t)
        .unwrap();
    let right = fake.held();
    {
        let state = &mut fake.0.lock().unwrap().dry;
        state.remove(&key(1)).unwrap();
        let other = Lease {
            key: key(2),
            action: LIMIT,
            expires_ns: t + 90 * S,
            reason: 7,
        };
        state.install(&other).unwrap();
        state
            .install(&Lease {
                key: key(9),
                ..other
            })
            .unwrap();
    }
    assert_eq!(
        book.reassert(t).unwrap(),
        Reasserted {
            installed: 2,
            removed: 1
        }
    );
    assert_eq!(fake.held(), right);
    assert_eq!(book.reassert(t).unwrap(), Reasserted::default());
    assert_eq!(
        (book.counters().reasserted, book.counters().orphans),
        (2, 1)
    );
}

#[test]
fn what_could_not_be_weakened_is_put_right_later() {
    let (mut book, fake) = book();
    let t = mono_ns();
    book.claim(&asker(1), claim(key(1), Action::Drop, t + 90 * S), &[], t)
        .unwrap();
    book.claim(&asker(2), claim(key(1), LIMIT, t + 60 * S), &[], t)
        .unwrap();
    fake.0.lock().unwrap().broken = true;
    book.release(&asker(1), t).unwrap();
    assert_eq!(fake.held()[&key(1)].0, Action::Drop);
    fake.0.lock().unwrap().broken = false;
    assert_eq!(book.reassert(t).unwrap().installed, 1);
    assert_eq!(fake.held()[&key(1)], (LIMIT, t + 60 * S));
}

#[test]
fn a_partners_newer_version_may_end_earlier_an_own_verdict_does_not() {
    let held = claim(key(1), Action::Drop, 60 * S);
    let ending = |ends_ns| claim(key(1), Action::Drop, ends_ns);
    assert!(held.makes_unnecessary(&ending(60 * S + 1_000)));
    assert!(held.makes_unnecessary(&ending(60 * S - 1_000)));
    assert!(!held.makes_unnecessary(&ending(10 * S)));
    assert!(!held.makes_unnecessary(&ending(90 * S)));
    let held = own(held);
    assert!(held.makes_unnecessary(&own(ending(10 * S))));
    assert!(!held.makes_unnecessary(&own(ending(90 * S))));
    assert!(!held.makes_unnecessary(&own(claim(key(1), LIMIT, 10 * S))));
}

/// What may happen to a book.
#[derive(Clone, Debug)]
enum Step {
    Claim {
        asker: u8,
        key: u8,
        port: Option<u16>,
        action: Action,
        seconds: u64,
    },
    Release {
        asker: u8,
    },
    Pass {
        seconds: u64,
    },
    Lose {
        key: u8,
    },
    Reassert,
}

fn any_step() -> impl Strategy<Value = Step> {
    let action = prop::sample::select(vec![Action::Monitor, LIMIT, Action::Drop]);
    prop_oneof![
        5 => (0..5_u8, 0..3_u8, prop::option::of(prop::sample::select(vec![0, 80, 81])), action, 1..50_u64).prop_map(
            |(asker, key, port, action, seconds)| Step::Claim { asker, key, port, action, seconds }),
        2 => (0..5_u8).prop_map(|asker| Step::Release { asker }),
        2 => (1..30_u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => (0..3_u8).prop_map(|key| Step::Lose { key }),
        1 => Just(Step::Reassert),
    ]
}

/// The strongest action among some claims, until the last of that strength ends.
fn strongest<'a>(claims: impl Iterator<Item = &'a Claim>) -> Option<(Action, u64)> {
    let wanted = claims.map(|claim| (claim.action, claim.ends_ns));
    wanted.max_by_key(|(action, ends_ns)| (strength(action), *ends_ns))
}

/// What a list of claims on one key comes to, with all claims that there are beside it.
fn expected(key: &Key, model: &BTreeMap<Asker, Claim>) -> (Action, u64) {
    let here = || model.values().filter(|claim| claim.key == *key);
    let own = |claim: &&Claim| claim.origin == Origin::Local;
    let wider = |claim: &&Claim| {
        let narrow = key.service;
        let wide = claim.key.service;
        let protocol = narrow.map(|service| Service { port: 0, ..service });
        claim.key.source == key.source && wide != narrow && (wide.is_none() || wide == protocol)
    };
    let held = strongest(here()).unwrap();
    let last_ns = here().map(|claim| claim.ends_ns).max().unwrap();
    match strongest(model.values().filter(own).filter(wider)) {
        Some(cover)
            if !here().any(|claim| own(&claim)) && strength(&cover.0) > strength(&held.0) =>
        {
            (cover.0, cover.1.min(last_ns))
        }
        _ => held,
    }
}

proptest! {
    /// The model: a list of claims. After every step but a loss the enforcer holds, for each key,
    /// the strongest action among the live claims until the last of that strength ends, or what an
    /// own lease asks that covers the key, should only partners ask for it.
    #[test]
    fn the_book_is_as_good_as_a_list_of_claims(steps in prop::collection::vec(any_step(), 1..60)) {
        let (mut book, fake) = book();
        let mut model: BTreeMap<Asker, Claim> = BTreeMap::new();
        // Ahead of the clock, so that time can pass in the model and ends stay in the future.
        let mut t = mono_ns() + 3_600 * S;
        let mut lost = false;
        for step in steps {
            match step {
                Step::Claim { asker: a, key: k, port, action, seconds } => {
                    let service = port.map(|port| Service { proto: 6, port });
                    let foreign = claim(Key { service, ..key(k) }, action, t + seconds * S);
                    let claim = if a < 2 { own(foreign) } else { foreign };
                    book.claim(&asker(a), claim.clone(), &[], t).unwrap();
                    model.insert(asker(a), claim);
                }
                Step::Release { asker: a } => {
                    let known = model.remove(&asker(a)).is_some();
                    prop_assert_eq!(book.release(&asker(a), t).is_some(), known);
                }
                Step::Pass { seconds } => {
                    t += seconds * S;
                    let ended = model.extract_if(.., |_, claim| claim.ends_ns <= t).count();
                    prop_assert_eq!(book.expire(t).len(), ended);
                }
                Step::Lose { key: k } => {
                    lost |= fake.0.lock().unwrap().dry.remove(&key(k)).unwrap();
                }
                Step::Reassert => {
                    book.reassert(t).unwrap();
                    lost = false;
                }
            }
            let keys = model.values().map(|claim| claim.key);
            let expected: BTreeMap<_, _> = keys.map(|key| (key, expected(&key, &model))).collect();
            prop_assert_eq!(book.len(), expected.len());
            prop_assert_eq!(book.claims().count(), model.len());
            if !lost {
                prop_assert_eq!(fake.held(), expected);
            }
        }
    }
}
