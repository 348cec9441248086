#![expect(clippy::arithmetic_side_effects, reason = "tests")]

use std::sync::mpsc::{Receiver, sync_channel};

use datapath::enforce::dry_run::DryRun;
use detect::Reason;
use packet::FiveTuple;
use serde_json::json;
use sharing::scrub::Share;
use stix::Object;
use stix::lease::{EvidenceClass, Proto, Service};

use super::*;
use crate::policy::{Behaviour, Protected, Rate, Settings};
use crate::signals::Batch;
use crate::sync::known;

mod behaviour;

/// Everybody has this standing.
#[derive(Debug, Default)]
struct Everybody(Mutex<Standing>);

impl Standings for Everybody {
    fn standing(&self, _: &IpNet, _: u64) -> Standing {
        self.0.lock().unwrap().clone()
    }
}

struct Bench {
    guard: Guard,
    standing: Arc<Everybody>,
    forgiven: Receiver<IpAddr>,
    batches: tokio::sync::mpsc::Receiver<Batch>,
    threads: Vec<std::thread::JoinHandle<()>>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (journal, journals) = Journal::open(folder.path()).unwrap();
        let (keeper, keepers) = Keeper::open(&folder.path().join("known.jsonl")).unwrap();
        let share = Share {
            tlp: Tlp::Green,
            audience: Vec::new(),
        };
        let (signals, batches) = Signals::new("alpha", Some(share));
        let (forgive, forgiven) = sync_channel(1);
        let standing = Arc::new(Everybody::default());
        let guard = Guard::new(Parts {
            partner: "alpha".into(),
            policy: policy(),
            book: Book::new(Box::new(DryRun::new("test"))),
            standings: Arc::clone(&standing) as Arc<dyn Standings>,
            journal,
            keeper,
            signals,
            forgive,
        });
        Self {
            guard,
            standing,
            forgiven,
            batches,
            threads: vec![journals, keepers],
            folder,
        }
    }

    fn leases(&self) -> Vec<(String, Action, Origin)> {
        let book = self.guard.book();
        let claims = book.claims();
        claims
            .map(|(_, claim, _)| (claim.key.to_string(), claim.action, claim.origin))
            .collect()
    }

    /// Seconds that the only lease lasts.
    fn seconds(&self) -> u64 {
        let ends_ns = self.guard.book().claims().next().unwrap().1.ends_ns;
        (ends_ns - datapath::clock::mono_ns() + 500_000_000) / 1_000_000_000
    }

    fn end_all(&self) {
        self.guard.book().expire(u64::MAX);
    }

    /// Ends the guard and reads what it wrote.
    fn written(self) -> (Vec<serde_json::Value>, known::Loaded) {
        drop(self.guard);
        self.threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        let text = std::fs::read_to_string(self.folder.path().join("journal.jsonl")).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (
            lines,
            known::load(&self.folder.path().join("known.jsonl")).unwrap(),
        )
    }
}

fn policy() -> Policy {
    Policy {
        settings: Settings {
            enforce: true,
            confidence_min: 50,
            lease_max: Duration::from_secs(3_600),
            benign_sessions_max: 8,
            rate: Rate {
                packets_per_s: 10,
                burst: 20,
            },
            private_from_exchange: false,
            behaviour: Behaviour::default(),
        },
        protected: Protected::new(["10.2.0.0/24".parse().unwrap()]),
        home: vec!["10.2.0.0/24".parse().unwrap()],
    }
}

fn verdict(offender: &str, evidence: EvidenceClass) -> Verdict {
    let ns = datapath::clock::realtime_ns();
    Verdict {
        at_ns: ns,
        first_packet_ns: ns - 5_000_000,
        evidence,
        confidence: 90,
        offender: Some(offender.parse().unwrap()),
        far_end: None,
        victim: None,
        tuple: None,
        flow: None,
        detector: "scan-trw@1",
        reasons: Vec::new(),
        count: 5,
    }
}

fn reason(source: Option<&str>) -> Reason {
    Reason {
        object: source.map(|source| StixId::v5("indicator", source)),
        source: source.map(Into::into),
        buffer: "ip.src",
        offset: 0,
        matched: [].into(),
        exact: true,
        what: "listed".into(),
    }
}

/// A partner's indicator that asks to drop 192.0.2.n for a minute.
fn object(n: u8, change: impl FnOnce(&mut serde_json::Value)) -> Object {
    let now = Now::read().wall;
    let mut value = json!({
        "type": "indicator",
        "spec_version": "2.1",
        "id": StixId::v5("indicator", &n.to_string()),
        "created": now.to_string(),
        "modified": now.to_string(),
        "pattern": format!("[ipv4-addr:value = '192.0.2.{n}']"),
        "pattern_type": "stix",
        "valid_from": now.to_string(),
        "valid_until": now.plus(Duration::from_secs(60)).to_string(),
        "confidence": 90,
        "extensions": { lease::EXTENSION_ID: {
            "extension_type": "property-extension",
            "selector": { "source": format!("192.0.2.{n}/32") },
            "action": "drop",
            "ttl_s": 60,
            "evidence": "exploit",
            "detector": "test@1",
        }},
    });
    change(&mut value);
    let raw = serde_json::to_vec(&value).unwrap();
    Object::parse(&raw, &stix::Limits::default()).unwrap()
}

fn give(bench: &Bench, source: &str, object: &Object) -> bool {
    let raw = &object.head().pattern.as_ref().unwrap().pattern;
    let pattern = stix::pattern::parse(raw).unwrap();
    bench.guard.object(
        &source.into(),
        object,
        Some(&pattern),
        datapath::clock::mono_ns(),
    )
}

const LIMIT: Action = Action::RateLimit {
    packets_per_s: 10,
    burst: 20,
};

#[test]
fn an_own_verdict_is_enforced_shared_and_told_in_that_order() {
    let mut bench = Bench::new();
    bench
        .guard
        .verdict(&verdict("192.0.2.9", EvidenceClass::PathProven));
    assert_eq!(
        bench.leases(),
        [("192.0.2.9/32".to_owned(), Action::Drop, Origin::Local)]
    );
    let batch = bench.batches.try_recv().unwrap();
    let shared = batch.objects[0].head().id.clone();
    assert_eq!(
        bench.guard.book().claims().next().unwrap().0.object,
        shared,
        "one name for both"
    );
    let (journal, known) = bench.written();
    let events: Vec<_> = journal
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["lease", "verdict"]);
    assert_eq!(journal[1]["object"], shared.as_str());
    assert!(journal[1]["detect_us"].as_u64().unwrap() >= 5_000);
    assert_eq!(known.leases.len(), 1, "kept for a restart");
}

#[test]
fn unproven_protected_and_hearsay_block_nobody() {
    let mut bench = Bench::new();
    bench
        .guard
        .verdict(&verdict("192.0.2.9", EvidenceClass::Unproven));
    bench
        .guard
        .verdict(&verdict("10.2.0.7", EvidenceClass::Exploit));
    let hearsay = Verdict {
        reasons: vec![reason(Some("bravo"))],
        ..verdict("192.0.2.10", EvidenceClass::PathProven)
    };
    bench.guard.verdict(&hearsay);
    assert_eq!(bench.leases(), []);
    let kinds: Vec<String> = std::iter::from_fn(|| bench.batches.try_recv().ok())
        .flat_map(|batch| batch.objects)
        .map(|object| object.head().kind.to_string())
        .collect();
    assert!(
        !kinds.iter().any(|kind| kind == "indicator"),
        "nobody is asked to block whom we would not: {kinds:?}"
    );
    let agreed = Verdict {
        reasons: vec![reason(Some("bravo")), reason(Some("charlie"))],
        ..verdict("192.0.2.10", EvidenceClass::PathProven)
    };
    bench.guard.verdict(&agreed);
    assert_eq!(bench.leases().len(), 1, "two partners agree");
    let (journal, _) = bench.written();
    let refused = journal.iter().filter(|line| line["event"] == "refused");
    assert_eq!(refused.count(), 2, "unproven verdicts are no refusals");
}

#[test]
fn what_rests_on_an_object_of_unknown_marking_does_not_leave() {
    let mut bench = Bench::new();
    let listed = Verdict {
        reasons: vec![reason(Some("bravo"))],
        ..verdict("192.0.2.10", EvidenceClass::Exploit)
    };
    bench.guard.verdict(&listed);
    assert!(bench.batches.try_recv().is_err());
    let asker = Asker {
        source: "bravo".into(),
        object: StixId::v5("indicator", "bravo"),
    };
    bench
        .guard
        .set_markings([(asker.clone(), Tlp::Amber)].into());
    bench.guard.set_markings_since([(asker, Tlp::Green)].into());
    bench.guard.verdict(&Verdict {
        far_end: None,
        victim: Some(web()),
        ..listed
    });
    let batch = bench.batches.try_recv().unwrap();
    assert_eq!(batch.objects[0].head().tlp(), Some(Tlp::Green));
}

fn web() -> Service {
    Service {
        address: Some("10.2.0.7".parse().unwrap()),
        protocol: Proto::Tcp,
        port: Some(80),
    }
}

#[test]
fn repeated_offenders_stay_out_longer() {
    let bench = Bench::new();
    let again = verdict("192.0.2.9", EvidenceClass::Exploit);
    for expected in [60, 120, 240] {
        bench.guard.verdict(&again);
        assert_eq!(bench.seconds(), expected);
        bench.guard.verdict(&again);
        assert_eq!(bench.leases().len(), 1, "one lease however many verdicts");
        bench.end_all();
    }
}

#[test]
fn an_own_object_that_comes_back_is_not_installed_twice_and_a_siblings_is() {
    let mut bench = Bench::new();
    bench
        .guard
        .verdict(&verdict("192.0.2.9", EvidenceClass::Exploit));
    let own = bench.batches.try_recv().unwrap().objects[0].clone();
    assert!(!give(&bench, "alpha", &own), "not even detected with");
    assert_eq!(
        bench.leases(),
        [("192.0.2.9/32".to_owned(), Action::Drop, Origin::Local)]
    );
    bench.end_all();
    give(&bench, "alpha", &own);
    let sibling = ("192.0.2.9/32".to_owned(), Action::Drop, Origin::Exchange);
    assert_eq!(
        bench.leases(),
        [sibling],
        "of another shield of ours, as of anyone"
    );
}

#[test]
fn several_sources_share_a_key_and_each_withdraws_for_itself() {
    let bench = Bench::new();
    assert!(give(&bench, "bravo", &object(9, |_| {})));
    assert!(give(&bench, "charlie", &object(9, |_| {})));
    let asker = |source: &str| Asker {
        source: source.into(),
        object: StixId::v5("indicator", "9"),
    };
    bench.guard.withdraw(&asker("bravo"), None, 1);
    assert_eq!(bench.leases().len(), 1);
    assert!(
        bench.forgiven.try_recv().is_err(),
        "a partner clears nobody with us"
    );
    bench.guard.withdraw(&asker("delta"), None, 1);
    bench.guard.withdraw(&asker("charlie"), None, 1);
    assert_eq!(bench.leases(), []);
    let (journal, _) = bench.written();
    assert_eq!(
        journal
            .iter()
            .filter(|line| line["event"] == "revoked")
            .count(),
        2
    );
}

#[test]
fn a_pardon_is_whole_even_when_the_lease_is_over() {
    let mut bench = Bench::new();
    let again = verdict("192.0.2.9", EvidenceClass::Exploit);
    bench.guard.verdict(&again);
    let told = bench.batches.try_recv().unwrap().objects[0].clone();
    bench.end_all();
    bench.guard.verdict(&again);
    assert!(bench.batches.try_recv().is_err(), "told a moment ago");
    bench.end_all();
    let asker = Asker {
        source: "alpha".into(),
        object: told.head().id.clone(),
    };
    bench.guard.withdraw(
        &asker,
        told.head().lease.as_ref().map(|lease| &lease.selector),
        1,
    );
    assert_eq!(bench.forgiven.try_recv(), Ok("192.0.2.9".parse().unwrap()));
    bench.guard.verdict(&again);
    assert_eq!(bench.seconds(), 60, "as if for the first time");
    let retold = bench.batches.try_recv().unwrap().objects[0].clone();
    assert_eq!(retold.head().id, told.head().id);
    assert!(retold.version() > told.version());
    assert_eq!(retold.head().created, told.head().created);
}

#[test]
fn a_version_that_asks_for_more_than_it_may_ends_what_it_had() {
    let bench = Bench::new();
    give(&bench, "bravo", &object(9, |_| {}));
    let longer = object(9, |value| {
        value["extensions"][lease::EXTENSION_ID]["ttl_s"] = json!(3_600);
    });
    assert!(give(&bench, "bravo", &longer), "still detected with");
    assert_eq!(bench.leases(), []);
    let state = bench.guard.memory().refused().next().unwrap().clone();
    assert_eq!(
        (state.source.as_str(), state.selector.as_str()),
        ("bravo", "source:192.0.2.9/32")
    );
}

#[test]
fn sources_with_benign_sessions_are_limited_with_those_exempt() {
    let bench = Bench::new();
    let open = FiveTuple {
        src: "192.0.2.9".parse().unwrap(),
        src_port: 4_000,
        dst: "10.2.0.7".parse().unwrap(),
        dst_port: 80,
        proto: packet::Proto::Tcp,
    };
    *bench.standing.0.lock().unwrap() = Standing {
        recent: 1,
        open: vec![open],
    };
    give(&bench, "bravo", &object(9, |_| {}));
    assert_eq!(bench.leases()[0].1, LIMIT);
    assert_eq!(bench.exempt_now(open), 0, "exempt already");
    let later = FiveTuple {
        src_port: 4_001,
        ..open
    };
    *bench.standing.0.lock().unwrap() = Standing {
        recent: 2,
        open: vec![open, later],
    };
    bench.guard.tick();
    assert_eq!(bench.exempt_now(later), 0, "so is the new one");
    bench
        .guard
        .verdict(&verdict("192.0.2.10", EvidenceClass::Exploit));
    assert_eq!(
        bench.leases()[1].1,
        LIMIT,
        "own verdicts spare bystanders too"
    );
}

impl Bench {
    /// Exempts a session from the first lease; 0 if it was exempt already.
    fn exempt_now(&self, session: FiveTuple) -> usize {
        let mut book = self.guard.book();
        let key = book.claims().next().unwrap().1.key;
        book.exempt(&key, &[session])
    }
}

#[test]
fn newly_protected_networks_are_freed_at_once() {
    let bench = Bench::new();
    give(&bench, "bravo", &object(9, |_| {}));
    give(&bench, "bravo", &object(10, |_| {}));
    bench
        .guard
        .protect(Protected::new(["192.0.2.9/32".parse().unwrap()]))
        .unwrap();
    assert_eq!(bench.leases().len(), 1);
    give(&bench, "charlie", &object(9, |_| {}));
    assert_eq!(bench.leases().len(), 1);
}

#[test]
fn own_leases_come_back_after_a_restart_unless_over_or_protected() {
    let bench = Bench::new();
    bench
        .guard
        .verdict(&verdict("192.0.2.9", EvidenceClass::Exploit));
    let (_, known) = bench.written();
    let lease = known.leases.values().next().unwrap();
    let bench = Bench::new();
    bench.guard.restore(lease);
    assert_eq!(
        bench.leases(),
        [("192.0.2.9/32".to_owned(), Action::Drop, Origin::Local)]
    );
    let bench = Bench::new();
    bench.guard.restore(&OwnLease {
        ends_at: Now::read().wall,
        ..lease.clone()
    });
    let inside = "10.2.0.7/32".parse().unwrap();
    bench.guard.restore(&OwnLease {
        network: inside,
        ..lease.clone()
    });
    assert_eq!(bench.leases(), []);
}

#[test]
fn leases_end_by_themselves_and_are_told() {
    let bench = Bench::new();
    let short = object(9, |value| {
        let soon = Now::read().wall.plus(Duration::from_millis(30));
        value["valid_until"] = json!(soon.to_string());
    });
    give(&bench, "bravo", &short);
    assert_eq!(bench.leases().len(), 1);
    std::thread::sleep(Duration::from_millis(40));
    bench.guard.tick();
    assert_eq!(bench.leases(), []);
    assert_eq!(
        bench.guard.memory().ended(Now::read()).count(),
        1,
        "still reported for a while"
    );
    let (journal, _) = bench.written();
    assert_eq!(journal.last().unwrap()["event"], "expired");
}

#[test]
fn what_many_share_convicts_few_even_when_two_partners_agree() {
    let bench = Bench::new();
    for n in 0..200 {
        let listed = |who| Reason {
            buffer: "ja4.hash",
            exact: false,
            ..reason(Some(who))
        };
        let agreed = Verdict {
            reasons: vec![listed("bravo"), listed("charlie")],
            detector: "indicator@1",
            ..verdict(&format!("192.0.2.{n}"), EvidenceClass::PathProven)
        };
        bench.guard.verdict(&agreed);
    }
    assert!(bench.leases().len() <= 16, "{}", bench.leases().len());
}

#[test]
fn a_partners_withdrawal_of_what_was_never_enforced_forgives_nobody() {
    let bench = Bench::new();
    bench
        .guard
        .verdict(&verdict("192.0.2.9", EvidenceClass::PathProven));
    let doubtful = object(9, |value| value["confidence"] = json!(1));
    give(&bench, "mallory", &doubtful);
    let asker = Asker {
        source: "mallory".into(),
        object: doubtful.head().id.clone(),
    };
    let selector = doubtful.head().lease.as_ref().map(|lease| &lease.selector);
    bench.guard.withdraw(&asker, selector, 1);
    assert!(bench.forgiven.try_recv().is_err());
}

#[test]
fn a_restored_lease_is_no_longer_than_the_longest() {
    let bench = Bench::new();
    let lease = OwnLease {
        object: StixId::v5("indicator", "own"),
        network: "192.0.2.9/32".parse().unwrap(),
        service: None,
        action: lease::Action::Drop,
        ends_at: Now::read().wall.plus(Duration::from_secs(20 * 3_600)),
        why: "".into(),
    };
    bench.guard.restore(&lease);
    assert_eq!(bench.seconds(), 3_600);
}

#[test]
fn a_newer_version_may_end_a_lease_earlier() {
    let bench = Bench::new();
    give(&bench, "bravo", &object(9, |_| {}));
    let shorter = object(9, |value| {
        value["valid_until"] = json!(Now::read().wall.plus(Duration::from_secs(10)).to_string());
    });
    give(&bench, "bravo", &shorter);
    assert!(bench.seconds() <= 11, "{} s", bench.seconds());
}
