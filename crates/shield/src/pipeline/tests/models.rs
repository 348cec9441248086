//! Models at an inspection point: what they find, whom it accuses, and what benign sessions say of them.

use std::sync::Mutex;

use detect::models::{About, Active, BUCKETS, Found, InForce, Scorer, Stage, Threshold};
use pack::manifest::Capability;

use super::*;
use crate::guard::Sink;
use crate::packs::testing::{ATTACK, BENIGN, repacked, verified};
use crate::packs::{Gauge, Loaded};

#[derive(Clone, Debug, Default)]
struct Accused(Arc<Mutex<Vec<Found>>>);

impl Sink for Accused {
    fn verdict(&self, _: &Verdict) {}

    fn found(&self, found: &Found) {
        self.0.lock().unwrap().push(found.clone());
    }
}

/// A point whose web model is in this stage.
fn point(stage: Stage, share: std::ops::Range<u16>) -> (Net, Accused) {
    let pack = verified(&repacked(1, |_| {}));
    let model = &pack.manifest().models[0];
    let active = Active {
        scorer: Scorer::load(&pack, model).unwrap(),
        about: About::of(&pack, model),
        threshold: Threshold::published(model, 0.001).unwrap(),
        stage,
        share,
        most: Capability::RateLimit,
        tally: Arc::default(),
    };
    let loaded = Loaded {
        in_force: Arc::new(InForce {
            key: [1, 2],
            models: vec![Arc::new(active)],
        }),
        gauges: vec![Arc::new(Gauge::default())],
        ..Loaded::default()
    };
    let config = detect::models::Config {
        home: vec!["10.2.0.0/24".parse().unwrap()],
        ..detect::models::Config::default()
    };
    let accused = Accused::default();
    let sink: Arc<dyn Sink> = Arc::new(accused.clone());
    let mut net = Net::new("");
    net.pipeline = net
        .pipeline
        .with_models(config, Arc::new(loaded), Some(sink), 2);
    (net, accused)
}

impl Net {
    fn count(&self, name: &str) -> u64 {
        let counters = self.pipeline.counters();
        counters.iter().find(|(of, _)| *of == name).unwrap().1
    }

    /// A whole session, closed.
    fn visit(&mut self, client: &str, request: &[u8]) {
        self.session(client, request, ANSWER);
        self.close(client, request, ANSWER);
    }

    fn trials(&self) -> (u64, u64) {
        let seen = self.pipeline.models().gauges[0].read("x");
        (seen.trials.trials, seen.trials.hits)
    }
}

#[test]
fn one_score_accuses_nobody_and_several_packets_do() {
    let (mut net, accused) = point(Stage::Enforce, 0..BUCKETS);
    net.session("203.0.113.20:1", BENIGN, ANSWER);
    assert_eq!(
        (net.count("model.scored"), net.count("model.found")),
        (1, 0)
    );
    // three requests in one packet are one finding too few
    net.session("203.0.113.20:2", &[ATTACK, ATTACK, ATTACK].concat(), ANSWER);
    assert_eq!(net.count("model.found"), 3);
    net.session("203.0.113.20:3", ATTACK, ANSWER);
    assert!(accused.0.lock().unwrap().is_empty());
    net.session("203.0.113.20:4", ATTACK, ANSWER);
    let found = accused.0.lock().unwrap();
    let [found] = found.as_slice() else {
        panic!("{found:?}")
    };
    let verdict = &found.verdict;
    assert_eq!(verdict.offender, Some("203.0.113.20".parse().unwrap()));
    assert_eq!(
        (verdict.evidence, verdict.count),
        (EvidenceClass::PathProven, 3)
    );
    assert_eq!(verdict.victim.unwrap().port, Some(80));
    assert_eq!(&*found.field, "query id");
    assert!(
        verdict.reasons[0]
            .what
            .starts_with("3 transactions; web-attack in query id: score ")
    );
    // who was found out has no standing, and what it did before does not vouch for it
    assert_eq!(net.standing("203.0.113.20"), (0, 0));
}

#[test]
fn a_path_that_nobody_proved_accuses_nobody() {
    let (mut net, accused) = point(Stage::Enforce, 0..BUCKETS);
    for port in 1..6 {
        let client = at(&format!("203.0.113.20:{port}"));
        net.segment(
            client,
            at("10.2.0.10:80"),
            101,
            4242,
            flag::ACK | flag::PSH,
            ATTACK,
        );
    }
    assert!(accused.0.lock().unwrap().is_empty());
}

#[test]
fn in_the_shadow_nothing_follows_and_all_is_counted() {
    let (mut net, accused) = point(Stage::Shadow, 0..0);
    for port in 1..6 {
        net.visit(&format!("203.0.113.20:{port}"), ATTACK);
    }
    assert_eq!(net.count("model.found"), 5);
    assert!(accused.0.lock().unwrap().is_empty());
    assert_eq!(net.count("pipeline.verdicts"), 0);
    // a canary of none of the flows is the same; all of them are benign as far as others know
    assert_eq!(net.standing("203.0.113.20"), (5, 0));
}

#[test]
fn benign_sessions_of_known_sources_say_how_often_a_model_is_wrong() {
    let (mut net, _) = point(Stage::Shadow, 0..0);
    net.visit("203.0.113.20:1", BENIGN);
    net.visit("203.0.113.20:2", BENIGN);
    assert_eq!(net.trials(), (0, 0), "it has no history yet");
    net.visit("203.0.113.20:3", BENIGN);
    net.visit("203.0.113.20:4", ATTACK);
    assert_eq!(net.trials(), (2, 1));
    // one source is one mistake, and not a way to have a pack taken back
    for port in 5..15 {
        net.visit(&format!("203.0.113.20:{port}"), ATTACK);
    }
    assert_eq!(net.trials(), (2, 1));
    assert_eq!(net.count("model.benign_hits"), 1);
    // nor do many sessions of one source drown the others
    for port in 1..40 {
        net.visit(&format!("203.0.113.21:{port}"), BENIGN);
    }
    assert_eq!(net.trials(), (2 + 16, 1));
}

#[test]
fn what_a_model_acts_on_still_says_how_often_it_is_wrong() {
    let (mut net, _) = point(Stage::Enforce, 0..BUCKETS);
    for port in 1..4 {
        net.visit(&format!("203.0.113.20:{port}"), BENIGN);
    }
    net.visit("203.0.113.20:4", ATTACK);
    assert_eq!(net.trials(), (2, 1));
    assert_eq!(net.standing("203.0.113.20"), (3, 0), "it speaks for nobody");
}

#[test]
fn a_packet_has_so_much_time_and_what_is_left_out_is_counted() {
    let (mut net, _) = point(Stage::Enforce, 0..BUCKETS);
    let long = [
        b"GET /?q=".as_slice(),
        &b"a".repeat(20_000),
        b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    .concat();
    let many = BENIGN.repeat(1_200);
    for (port, request) in [(1, &long), (2, &many)] {
        net.handshake(&format!("203.0.113.20:{port}"));
        for (at_, part) in request.chunks(60_000).enumerate() {
            let seq = 101 + u32::try_from(at_ * 60_000).unwrap();
            let client = at(&format!("203.0.113.20:{port}"));
            net.segment(
                client,
                at("10.2.0.10:80"),
                seq,
                901,
                flag::ACK | flag::PSH,
                part,
            );
        }
    }
    assert!(net.count("model.not_scored") > 0);
    assert!(net.count("model.scored") > 0);
}
