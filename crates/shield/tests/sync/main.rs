//! A shield against a hub that cuts, leaves out, repeats and lies.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod hub;
mod objects;
mod rules;
mod signals;

use std::path::Path;
use std::time::{Duration, Instant};

use hub::{FakeHub, Push};
use objects::{Log, entry, indicator, plain, revoked, tombstone};
use shield::{Config, Handle, ShieldError};
use taxii::push::{EventKind, Lane};
use tokio_util::sync::CancellationToken;

/// How long anything that should happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Shield {
    folder: tempfile::TempDir,
    hub: FakeHub,
    handle: Option<Handle>,
    shares: bool,
}

impl Shield {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hub = FakeHub::start();
        hub.write_identity(&folder.path().join("identity"));
        Self {
            folder,
            hub,
            handle: None,
            shares: true,
        }
    }

    fn started() -> Self {
        let mut shield = Self::new();
        shield.start();
        shield
    }

    fn start(&mut self) {
        self.handle = Some(self.try_start().unwrap());
    }

    fn try_start(&self) -> Result<Handle, ShieldError> {
        shield::run(self.config(), CancellationToken::new())
    }

    fn stop(&mut self) {
        self.handle.take().unwrap().stop();
    }

    fn config(&self) -> Config {
        let folder = self.folder.path().display();
        let share = if self.shares {
            "[share]\ntlp = \"TLP:GREEN\"\n"
        } else {
            ""
        };
        let text = format!(
            "name = \"shield-b\"\ndata = \"{folder}/data\"\n[hub]\nurl = \"{}\"\nidentity = \"{folder}/identity\"\n\
             [enforce]\nmode = \"dry-run\"\n[protect]\nnetworks = [\"203.0.113.53/32\"]\n{share}",
            self.hub.url()
        );
        shield::config::parse(&text, Path::new("shield.toml")).unwrap()
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// The selectors of the leases in force, in order.
    fn leases(&self) -> Vec<String> {
        let state = self.handle.as_ref().unwrap().state();
        let now = state.at;
        let live = state.leases.into_iter().filter(|lease| lease.ends_at > now);
        // Leases that ended early are still reported for a while; the journal knows of them.
        let gone = self.journal("revoked");
        let live = live.filter(|lease| !gone.iter().any(|line| line["object"] == *lease.object));
        let mut selectors: Vec<String> = live.map(|lease| lease.selector.to_string()).collect();
        selectors.sort();
        selectors
    }

    fn counter(&self, name: &str) -> u64 {
        self.handle.as_ref().unwrap().state().counters[name]
    }

    fn complete(&self) -> bool {
        self.handle.as_ref().unwrap().state().sync.complete
    }

    /// The lines of the journal with this event.
    fn journal(&self, event: &str) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.data().join("journal.jsonl")).unwrap_or_default();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines
            .filter(|line: &serde_json::Value| line["event"] == event)
            .collect()
    }

    fn await_leases(&self, expected: &[&str]) {
        until(&format!("leases {expected:?}"), || {
            self.leases() == expected
        });
    }
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

const NINE: &str = "source:192.0.2.9/32";
const TEN: &str = "source:192.0.2.10/32";

/// A stream that greeted and sent one lease on each of 192.0.2.9 and 192.0.2.10.
fn two_leases(shield: &Shield, log: &mut Log) -> Push {
    let push = shield.hub.next_push();
    push.hello(log);
    push.frame(log.community(vec![entry("bravo", &indicator(9))]));
    push.frame(log.community(vec![entry("bravo", &indicator(10))]));
    shield.await_leases(&[TEN, NINE]);
    push
}

#[test]
fn a_frame_becomes_leases_and_a_withdrawal_ends_them() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = shield.hub.next_push();
    assert_eq!(push.last_event_id, None);
    push.hello(&log);
    push.frame(log.community(vec![
        entry("bravo", &indicator(9)),
        entry("bravo", &plain("[domain-name:value = 'evil.example']")),
        entry("bravo", &indicator(53)),
    ]));
    push.frame(log.addressed(vec![entry("charlie", &indicator(10))]));
    shield.await_leases(&[TEN, NINE]);
    until("the index", || shield.counter("sync.indexed") == 3);
    push.digests(&mut log);
    until("completeness", || shield.complete());
    let refused = shield.journal("refused");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0]["why"].as_str().unwrap().contains("protected"));
    assert_eq!(shield.journal("frame").len(), 2);
    let lease = &shield.journal("lease")[0];
    assert_eq!(
        (&lease["origin"], &lease["source"]),
        (&"exchange".into(), &"bravo".into())
    );
    let ns = lease["installed_ns"].as_u64().unwrap() - lease["frame_ns"].as_u64().unwrap();
    println!("frame read to lease in the (dry) kernel: {} us", ns / 1_000);
    assert!(ns < 100_000_000);
    push.frame(log.community(vec![(EventKind::Revoke, "bravo", revoked(&indicator(9)))]));
    shield.await_leases(&[TEN]);
    assert_eq!(shield.journal("revoked").len(), 1);
    push.digests(&mut log);
    push.frame(log.community(vec![(EventKind::Erase, "delta", indicator(10))]));
    push.frame(log.community(vec![entry("delta", &indicator(11))]));
    shield.await_leases(&[TEN, "source:192.0.2.11/32"]);
}

#[test]
fn after_a_cut_it_resumes_at_its_cursor_and_ignores_what_it_has() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = two_leases(&shield, &mut log);
    push.digests(&mut log);
    until("completeness", || shield.complete());
    let again = log.last_frame();
    push.cut();
    let push = shield.hub.next_push();
    assert_eq!(push.last_event_id, Some(log.cursor()));
    assert!(!shield.complete());
    push.hello(&log);
    push.frame(again);
    push.frame(log.community(vec![entry("bravo", &indicator(11))]));
    shield.await_leases(&[TEN, "source:192.0.2.11/32", NINE]);
    assert_eq!(shield.counter("sync.replayed"), 1);
    assert_eq!(shield.journal("resync").len(), 0);
}

#[test]
fn gaps_are_noticed_and_closed_first_from_the_cursor_then_from_nothing() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = two_leases(&shield, &mut log);
    let cursor = log.cursor();
    let _left_out = log.community(vec![entry("bravo", &indicator(11))]);
    push.frame(log.community(vec![entry("bravo", &indicator(12))]));
    let push = shield.hub.next_push();
    assert_eq!(
        push.last_event_id,
        Some(cursor),
        "asks again from what it has"
    );
    let gap = &shield.journal("gap")[0];
    assert_eq!(
        (&gap["lane"], &gap["have"], &gap["from"]),
        (&"community".into(), &2.into(), &3.into())
    );
    assert_eq!(
        shield.leases(),
        [TEN, NINE],
        "what is in force stays, what did not fit is not taken"
    );
    push.hello(&log);
    push.frame(log.last_frame());
    let push = shield.hub.next_push();
    assert_eq!(
        push.last_event_id, None,
        "and from nothing when that does not help"
    );
    assert_eq!(shield.leases(), [TEN, NINE]);
    push.hello(&log);
    log.all_frames()
        .into_iter()
        .for_each(|frame| push.frame(frame));
    shield.await_leases(&[TEN, "source:192.0.2.11/32", "source:192.0.2.12/32", NINE]);
    push.digests(&mut log);
    until("completeness", || shield.complete());
}

#[test]
fn a_digest_ahead_of_what_was_sent_is_a_gap() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = two_leases(&shield, &mut log);
    let cursor = log.cursor();
    let left_out = log.community(vec![entry("bravo", &indicator(11))]);
    push.digests(&mut log);
    let push = shield.hub.next_push();
    assert_eq!(push.last_event_id, Some(cursor));
    push.hello(&log);
    push.frame(left_out);
    push.digests(&mut log);
    until("completeness", || shield.complete());
    assert_eq!(shield.journal("gap").len(), 1);
}

#[test]
fn a_digest_that_differs_starts_over_and_drops_what_the_hub_no_longer_has() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = two_leases(&shield, &mut log);
    push.digests(&mut log);
    until("completeness", || shield.complete());
    let mut other = Log::new();
    other.community(vec![
        entry("bravo", &indicator(9)),
        entry("bravo", &indicator(12)),
    ]);
    push.digests(&mut other);
    let push = shield.hub.next_push();
    assert_eq!(push.last_event_id, None);
    assert_eq!(
        shield.leases(),
        [TEN, NINE],
        "until the fresh view is whole"
    );
    push.hello(&other);
    other
        .all_frames()
        .into_iter()
        .for_each(|frame| push.frame(frame));
    shield.await_leases(&[TEN, "source:192.0.2.12/32", NINE]);
    push.digests(&mut other);
    shield.await_leases(&["source:192.0.2.12/32", NINE]);
    let resync = &shield.journal("resync")[0];
    assert_eq!(resync["scratch"], true);
    assert_eq!(shield.counter("sync.resyncs"), 1);
}

#[test]
fn a_trimmed_cursor_starts_over() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = two_leases(&shield, &mut log);
    push.trimmed();
    let push = shield.hub.next_push();
    assert_eq!(push.last_event_id, None);
    assert_eq!(shield.leases(), [TEN, NINE]);
    push.hello(&log);
    push.frame(log.all_frames()[0].clone());
    push.cut();
    let push = shield.hub.next_push();
    assert_eq!(
        push.last_event_id,
        Some("cursor-1-0".to_owned()),
        "the fresh view goes on"
    );
}

type Lie = Box<dyn Fn(&Push, &mut Log)>;

#[test]
fn lies_are_not_believed() {
    let shield = Shield::started();
    let mut log = Log::new();
    let mut push = two_leases(&shield, &mut log);
    let mut other = Log::new();
    other.community(vec![
        entry("bravo", &indicator(66)),
        entry("bravo", &indicator(67)),
    ]);
    let lies: Vec<Lie> = vec![
        Box::new(|push, log| {
            push.frame(log.forged_signature(vec![entry("bravo", &indicator(66))]))
        }),
        Box::new(|push, log| push.frame(log.other_key(vec![entry("bravo", &indicator(66))]))),
        Box::new(|push, log| push.frame(log.other_community(vec![entry("bravo", &indicator(66))]))),
        Box::new(|push, log| push.frame(log.other_epoch(vec![entry("bravo", &indicator(66))]))),
        Box::new(|push, _| push.raw("event: frame\ndata: {\"payload\":\n\n")),
        Box::new(|push, _| push.raw("event: digest\ndata: 7\n\n")),
        Box::new(|push, log| push.hello_with_other_key(log)),
        Box::new(|push, log| push.hello_of_other_community(log)),
    ];
    for (n, lie) in lies.iter().enumerate() {
        lie(&push, &mut log);
        push = shield.hub.next_push();
        assert_eq!(
            push.last_event_id,
            Some(log.cursor()),
            "lie {n} moves nothing"
        );
        until("the count", || {
            shield.counter("sync.lies") == u64::try_from(n).unwrap() + 1
        });
        if n + 1 < lies.len() - 2 {
            push.hello(&log);
            push.digests(&mut log);
            until("completeness, and with it the shortest wait", || {
                shield.complete()
            });
        }
    }
    assert_eq!(shield.leases(), [TEN, NINE]);
    push.hello(&log);
    push.frame(log.community(vec![entry("bravo", &indicator(11))]));
    shield.await_leases(&[TEN, "source:192.0.2.11/32", NINE]);
}

#[test]
fn stale_versions_and_sightings_ask_for_nothing() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = shield.hub.next_push();
    push.hello(&log);
    push.frame(log.stale(vec![entry("bravo", &indicator(9))]));
    push.frame(log.community(vec![entry("bravo", &objects::sighting(10))]));
    push.frame(log.community(vec![entry("bravo", &indicator(11))]));
    shield.await_leases(&["source:192.0.2.11/32"]);
}

#[test]
fn without_the_hub_the_last_known_set_is_enforced() {
    let mut shield = Shield::started();
    let mut log = Log::new();
    let push = two_leases(&shield, &mut log);
    push.frame(log.community(vec![entry(
        "bravo",
        &plain("[domain-name:value = 'evil.example']"),
    )]));
    until("the index", || shield.counter("sync.indexed") == 3);
    shield.stop();
    drop(push);
    shield.hub.refuse_all();
    shield.start();
    assert_eq!(
        shield.leases(),
        [TEN, NINE],
        "when run() returns, before any connection"
    );
    until("the index", || shield.counter("sync.indexed") == 3);
    shield.hub.accept_all();
    let push = shield.hub.next_push();
    assert_eq!(push.last_event_id, Some(log.cursor()));
    push.hello(&log);
    push.digests(&mut log);
    until("completeness", || shield.complete());
}

#[test]
fn state_reports_arrive() {
    let shield = Shield::started();
    until("a report", || {
        let states = shield.hub.states();
        states.last().is_some_and(|state| {
            let report: taxii::state::StateReport = serde_json::from_slice(state).unwrap();
            report.within_bounds()
                && report.shield == "shield-b"
                && report.mode.starts_with("dry-run")
        })
    });
}

#[test]
fn a_shield_without_identity_or_with_a_foreign_one_says_so() {
    let shield = Shield::new();
    std::fs::remove_file(shield.folder.path().join("identity/key.pem")).unwrap();
    let error = shield.try_start().unwrap_err().to_string();
    assert!(
        error.contains("key.pem") && error.contains("partner enrol"),
        "{error}"
    );
}

#[test]
fn enrolment_pins_the_hub_before_the_secret_is_said() {
    let hub = FakeHub::start();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let enrol = |invitation, name: &str| {
        runtime.block_on(shield::identity::enrol(
            &invitation,
            &folder.path().join(name),
        ))
    };
    let wrong = taxii::enrol::Invitation {
        ca_sha256: [0; 32],
        ..hub.invitation()
    };
    assert!(enrol(wrong, "wrong").is_err());
    assert!(hub.enrolments().is_empty(), "nothing was said to it");
    assert!(!folder.path().join("wrong").exists());
    let identity = enrol(hub.invitation(), "right").unwrap();
    assert_eq!(&*identity.partner, "alpha");
    let request: taxii::enrol::EnrolRequest = serde_json::from_slice(&hub.enrolments()[0]).unwrap();
    assert_eq!(
        request.token,
        taxii::enrol::token_text(&hub.invitation().token)
    );
    assert!(request.csr_pem.contains("CERTIFICATE REQUEST"));
    identity.client_config().unwrap();
    let mode = std::os::unix::fs::MetadataExt::mode(
        &std::fs::metadata(folder.path().join("right/key.pem")).unwrap(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let again = enrol(hub.invitation(), "right").unwrap_err().to_string();
    assert!(again.contains("holds an identity already"), "{again}");
    let key = std::fs::read(folder.path().join("right/key.pem")).unwrap();
    runtime
        .block_on(shield::identity::rotate(&folder.path().join("right")))
        .unwrap();
    assert_ne!(
        std::fs::read(folder.path().join("right/key.pem")).unwrap(),
        key,
        "a new key each time"
    );
    assert!(!folder.path().join("right/key.new").exists());
}

/// The lane of a frame is part of what is checked; both count on their own.
#[test]
fn lanes_count_on_their_own() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = shield.hub.next_push();
    push.hello(&log);
    push.frame(log.addressed(vec![entry("bravo", &indicator(9))]));
    push.frame(log.community(vec![entry("bravo", &indicator(10))]));
    push.frame(log.addressed(vec![entry("bravo", &indicator(11))]));
    shield.await_leases(&[TEN, "source:192.0.2.11/32", NINE]);
    assert_eq!(shield.journal("gap").len(), 0);
    assert_eq!(log.position(Lane::Addressed), 2);
}

#[test]
fn a_revocation_in_the_other_lane_lifts_too() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = shield.hub.next_push();
    push.hello(&log);
    push.frame(log.community(vec![entry("bravo", &indicator(9))]));
    shield.await_leases(&[NINE]);
    let revoked = revoked(&indicator(9));
    push.frame(log.addressed(vec![(EventKind::Revoke, "bravo", revoked)]));
    until("the lease is lifted", || shield.leases().is_empty());
}

#[test]
fn what_its_source_destroyed_is_let_go_in_memory_and_on_disk() {
    let mut shield = Shield::started();
    let mut log = Log::new();
    let push = two_leases(&shield, &mut log);
    push.digests(&mut log);
    until("completeness", || shield.complete());
    let gone = tombstone(&indicator(9));
    push.frame(log.community(vec![(EventKind::Erase, "bravo", gone)]));
    shield.await_leases(&[TEN]);
    push.digests(&mut log);
    until("completeness", || shield.complete());
    let known = shield.data().join("known.jsonl");
    until("the file is written anew", || {
        !std::fs::read_to_string(&known)
            .unwrap()
            .contains("192.0.2.9'")
    });
    shield.stop();
    shield.start();
    let push = shield.hub.next_push();
    push.hello(&log);
    shield.await_leases(&[TEN]);
    // An older version that is destroyed later changes nothing.
    let stale = tombstone(&indicator(10));
    push.frame(log.stale(vec![(EventKind::Erase, "bravo", stale)]));
    push.frame(log.community(vec![entry("bravo", &indicator(11))]));
    shield.await_leases(&[TEN, "source:192.0.2.11/32"]);
}
