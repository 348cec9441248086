//! Behaviour from packets: generated names, tunnels, beacons, guessed passwords, slow scans; and what
//! looks a little like them.

mod far_end;
mod paths;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use detect::{BehaviourConfig, Config, Detector, EvidenceClass, Index, Verdict};
use packet::decode::Vlans;
use packet::{
    EndReason, Event, FiveTuple, Flow, FlowId, Frame, LinkType, Outcome, Proto, Sensor, Way, dns,
};
use proptest::prelude::*;
use testkit::capture::Frames;
use testkit::conversation::{Conversation, Plan};

const SECOND_NS: u64 = 1_000_000_000;
const START_NS: u64 = 1_700_000_000 * SECOND_NS;
const CLIENT: [u8; 4] = [10, 2, 0, 77];
const RESOLVER: [u8; 4] = [10, 2, 0, 53];

/// Sensor and detectors of a place, and what they said.
struct Place {
    sensor: Sensor,
    detector: Detector,
    at_ns: u64,
    verdicts: Vec<Verdict>,
    /// The latest DNS message.
    message: Option<dns::Message>,
    chance: u64,
}

impl Place {
    fn new() -> Self {
        Self::with(BehaviourConfig::default())
    }

    fn with(behaviour: BehaviourConfig) -> Self {
        let config = Config {
            behaviour,
            home: vec!["10.0.0.0/8".parse().unwrap()],
            ..Config::default()
        };
        Self {
            sensor: Sensor::new(packet::Config::default()),
            detector: Detector::new(config, Arc::new(Index::default())),
            at_ns: START_NS,
            verdicts: Vec::new(),
            message: None,
            chance: 1,
        }
    }

    fn frames(&mut self, frames: &Frames) {
        let Self {
            sensor,
            detector,
            at_ns,
            verdicts,
            message,
            ..
        } = self;
        for (_, data) in frames.iter() {
            *at_ns += 1_000_000;
            let frame = Frame {
                ts_ns: *at_ns,
                link: LinkType::Ethernet,
                data,
                wire_len: u32::try_from(data.len()).unwrap(),
                way: Way::Unknown,
            };
            sensor.packet(&frame, &mut |event| {
                if let Event::Transaction(_, transaction) = &event {
                    let seen = transaction.downcast_ref::<dns::Message>();
                    *message = seen.cloned().or(message.take());
                }
                detector.event(&event, frame.ts_ns, verdicts);
            });
        }
    }

    fn wait(&mut self, seconds: f64) {
        let ns = (seconds * 1e9) as u64;
        self.at_ns += ns;
        self.sensor.tick(self.at_ns, &mut |event| {
            self.detector.event(&event, self.at_ns, &mut self.verdicts);
        });
    }

    /// A question, and its answer: the response code, where it is answered.
    fn ask(&mut self, name: &str, rcode: Option<u8>) {
        self.ask_with(name, 0x0100, rcode);
    }

    fn ask_with(&mut self, name: &str, flags: u16, rcode: Option<u8>) {
        let id = self.draw(60_000) as u16;
        let client = SocketAddr::from((Ipv4Addr::from(CLIENT), 20_000 + id % 20_000));
        let resolver = SocketAddr::from((Ipv4Addr::from(RESOLVER), 53));
        let mut frames = Frames::default();
        frames.udp(0, client, resolver, &message(id, flags, name));
        if let Some(rcode) = rcode {
            frames.udp(
                0,
                resolver,
                client,
                &message(id, 0x8180 | u16::from(rcode), name),
            );
        }
        self.frames(&frames);
    }

    /// A number below `below` (xorshift).
    fn draw(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % below
    }

    fn letters(&mut self, count: u64, of: &[u8]) -> String {
        let letter = |_| char::from(of[self.draw(of.len() as u64) as usize]);
        (0..count).map(letter).collect()
    }

    fn of(&self, detector: &str) -> Vec<&Verdict> {
        self.verdicts
            .iter()
            .filter(|verdict| verdict.detector == detector)
            .collect()
    }

    fn counter(&self, name: &str) -> u64 {
        let counters = self.detector.counters();
        counters.iter().find(|(have, _)| *have == name).unwrap().1
    }
}

/// A DNS message with one question of type A.
fn message(id: u16, flags: u16, name: &str) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(flags.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const BASE32: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
const WORDS: [&str; 12] = [
    "river", "stone", "garden", "market", "silver", "window", "summer", "paper", "forest",
    "winter", "light", "harbor",
];

#[test]
fn a_client_of_generated_names_is_told_within_twenty_of_them_and_nobody_is_blocked() {
    let mut place = Place::new();
    let mut asked = 0;
    while place.of("dga-client@1").is_empty() {
        for _ in 0..4 {
            let number = place.draw(5_000);
            let word = WORDS[number as usize % 12];
            place.ask(&format!("www.{word}{number}.example"), Some(0));
        }
        let name = place.letters(14, LETTERS);
        place.ask(&format!("{name}.example"), Some(3));
        asked += 1;
        assert!(asked <= 20, "not found");
    }
    let told = place.of("dga-client@1");
    let verdict = told[0];
    assert_eq!(
        (verdict.offender, verdict.evidence),
        (None, EvidenceClass::Unproven)
    );
    assert_eq!(verdict.tuple.unwrap().src, Ipv4Addr::from(CLIENT));
    assert_eq!(verdict.reasons[0].buffer, "dns.query");
    let names: Vec<&str> = verdict.reasons.iter().map(|reason| reason.buffer).collect();
    assert_eq!(
        names[1..5],
        ["log_odds", "names", "names_missing", "names_odd"]
    );
}

#[test]
fn names_of_words_that_do_not_exist_are_told() {
    let mut place = Place::new();
    for number in 0..20 {
        let [one, other] = [WORDS[number % 12], WORDS[(number * 7 + 3) % 12]];
        place.ask(
            &format!("{one}{other}{}.example", LETTERS[number] as char),
            Some(3),
        );
    }
    assert_eq!(place.of("dga-client@1").len(), 1);
}

#[test]
fn some_names_that_do_not_exist_are_nobodys_bot() {
    let mut place = Place::new();
    for number in 0..2_000_usize {
        let word = WORDS[number % 12];
        let rcode = if number % 50 == 0 { 3 } else { 0 };
        place.ask(&format!("{word}{number}.example"), Some(rcode));
        // one name that does not exist, again and again; names of the network itself
        place.ask("wpad.branch.example", Some(3));
        place.ask(&format!("{word}{number}.example.lan"), Some(3));
    }
    assert_eq!(place.of("dga-client@1"), Vec::<&Verdict>::new());
}

#[test]
fn a_server_that_fails_says_nothing_of_names_and_a_resolver_asks_for_others() {
    let mut place = Place::new();
    for number in 0..200 {
        place.ask(&format!("{}{number}.example", WORDS[number % 12]), Some(2));
        place.ask_with(
            &format!("{}a{number}.example", WORDS[number % 12]),
            0,
            Some(3),
        );
    }
    assert_eq!(place.verdicts, []);
    assert_eq!(place.counter("dga.answers"), 0);
}

#[test]
fn a_tunnel_is_told_within_a_minute_and_twenty_kilobytes() {
    for (length, gap, alphabet) in [
        (60, 0.05, BASE32),
        (30, 0.5, BASE32),
        (60, 5.0, b"0123456789abcdef"),
    ] {
        let mut place = Place::new();
        let (began_ns, mut bytes) = (place.at_ns, 0);
        while place.of("dns-tunnel@1").is_empty() {
            let name = place.letters(length, alphabet);
            place.ask(&format!("{name}.t.tunnel.example"), Some(0));
            place.wait(gap);
            bytes += length;
            let seconds = (place.at_ns - began_ns) / SECOND_NS;
            assert!(
                seconds <= 60 && bytes <= 20_000,
                "not found: {length} bytes, {gap} s"
            );
        }
        let verdict = place.of("dns-tunnel@1")[0];
        assert_eq!(
            (verdict.offender, verdict.evidence),
            (None, EvidenceClass::Unproven)
        );
        assert_eq!(&*verdict.reasons[0].matched, b"tunnel.example");
    }
}

#[test]
fn slow_tunnels_are_told_too() {
    let mut place = Place::new();
    for _ in 0..36 {
        let name = place.letters(60, BASE32);
        place.ask(&format!("{name}.{name}.tunnel.example"), Some(0));
        place.wait(600.0);
    }
    assert_eq!(place.of("dns-tunnel@1").len(), 1);
}

#[test]
fn what_is_asked_again_is_short_or_carries_data_on_purpose_is_no_tunnel() {
    let mut place = Place::new();
    for round in 0..300_u64 {
        place.ask(
            &format!(
                "e{}.dsc{}.cdn.example",
                1000 + round % 9,
                (b'a' + (round % 3) as u8) as char
            ),
            Some(0),
        );
        place.ask(
            &format!("r{}---sn-4g5e6nsz.video.example", round % 20),
            Some(0),
        );
        place.ask(
            &format!("{}.{}.2.10.in-addr.arpa", round % 250, round / 250),
            Some(3),
        );
        place.ask(
            &format!("{}.0.2.192.zen.spamhaus.org", round % 250),
            Some(3),
        );
        let name = place.letters(32, BASE32);
        place.ask(&format!("{name}.sophosxl.net"), Some(0));
        place.wait(1.0);
    }
    assert_eq!(place.of("dns-tunnel@1"), Vec::<&Verdict>::new());
}

fn flow(id: u64, src: [u8; 4], dst: [u8; 4], port: u16, start_ns: u64) -> Flow {
    let tuple = FiveTuple {
        src: Ipv4Addr::from(src).into(),
        src_port: 40_000,
        dst: Ipv4Addr::from(dst).into(),
        dst_port: port,
        proto: Proto::Tcp,
    };
    let mut flow = Flow::new(FlowId(id), tuple, Vlans::default(), start_ns);
    (flow.client_proven, flow.server_proven) = (true, true);
    flow.last_ns = start_ns + SECOND_NS;
    flow
}

const OUTSIDE: [u8; 4] = [203, 0, 113, 9];

impl Place {
    fn contact(&mut self, src: [u8; 4], dst: [u8; 4], port: u16, bytes: u64) {
        let mut flow = flow(self.draw(u64::MAX), src, dst, port, self.at_ns);
        flow.to_server.payload_bytes = bytes;
        let ended_ns = flow.last_ns;
        self.detector.event(
            &Event::FlowEnd(&flow, EndReason::Fin),
            ended_ns,
            &mut self.verdicts,
        );
    }

    fn attempt(&mut self, src: [u8; 4], port: u16, outcome: Outcome) {
        let flow = flow(self.draw(u64::MAX), src, [10, 2, 0, 10], port, self.at_ns);
        self.detector.event(
            &Event::Attempt(&flow, outcome),
            self.at_ns,
            &mut self.verdicts,
        );
    }
}

#[test]
fn a_beacon_with_jitter_is_told_and_browsing_is_not() {
    let mut place = Place::new();
    let (mut beat_ns, mut click_ns) = (START_NS, START_NS);
    for beat in 0..60 {
        beat_ns += (42 + place.draw(36)) * SECOND_NS;
        place.at_ns = beat_ns;
        let bytes = 300 + place.draw(40);
        place.contact(CLIENT, OUTSIDE, 443, bytes);
        // what comes in, and what the network itself does
        place.contact([203, 0, 113, 11], [10, 2, 0, 10], 443, 300);
        place.contact(CLIENT, [10, 2, 0, 10], 443, 300);
        // three clicks, then a pause
        click_ns += [2, 9, 200 + place.draw(300)][beat % 3] * SECOND_NS;
        place.at_ns = click_ns;
        let bytes = place.draw(4_000);
        place.contact(CLIENT, [203, 0, 113, 10], 443, bytes);
    }
    let told = place.of("beacon@1");
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].offender, told[0].evidence),
        (None, EvidenceClass::PathProven)
    );
    assert_eq!(*told[0].reasons[0].matched, OUTSIDE);
    assert!(
        told[0]
            .reasons
            .iter()
            .any(|reason| reason.buffer == "gap_deviation")
    );
}

#[test]
fn a_slow_scan_is_told_and_is_unproven() {
    let mut place = Place::new();
    for port in 1..=12 {
        place.attempt(OUTSIDE, port, Outcome::Unanswered);
        place.wait(3_600.0);
    }
    let told = place.of("slow-scan@1");
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].evidence, told[0].count),
        (EvidenceClass::Unproven, 9)
    );
    assert_eq!(told[0].offender, Some(Ipv4Addr::from(OUTSIDE).into()));
}

#[test]
fn a_burst_or_one_dead_service_is_no_slow_scan() {
    let mut place = Place::new();
    for round in 0..500 {
        place.attempt(OUTSIDE, 8080, Outcome::Refused);
        place.attempt(OUTSIDE, 443, Outcome::Accepted);
        if round < 2 {
            for port in 1000..1200 {
                place.attempt(OUTSIDE, port, Outcome::Refused);
            }
        }
        place.wait(3_600.0);
    }
    assert_eq!(place.of("slow-scan@1"), Vec::<&Verdict>::new());
}

/// An FTP session with one login.
fn ftp(user: &str, password: &str, reply: &str) -> Frames {
    let said = [
        (1, "220 ready\r\n".to_owned()),
        (0, format!("USER {user}\r\n")),
        (1, "331 password\r\n".to_owned()),
        (0, format!("PASS {password}\r\n")),
        (1, format!("{reply}\r\n")),
        (0, "QUIT\r\n".to_owned()),
        (1, "221 bye\r\n".to_owned()),
    ];
    let chunks: Vec<u8> = said
        .iter()
        .flat_map(|(way, text)| {
            let len = u16::try_from(text.len()).unwrap().to_be_bytes();
            [&[*way][..], &len, text.as_bytes()].concat()
        })
        .collect();
    Conversation::read(&chunks).tcp(21, Plan::WHOLE)
}

impl Place {
    fn anywhere() -> Self {
        let mut place = Self::new();
        place.detector = Detector::new(Config::default(), Arc::new(Index::default()));
        place
    }

    fn login(&mut self, user: &str, password: &str, reply: &str) {
        self.frames(&ftp(user, password, reply));
        self.wait(120.0);
    }
}

#[test]
fn six_different_guesses_are_told_with_their_source() {
    let mut place = Place::anywhere();
    for guess in 0..10 {
        place.login("root", &format!("guess{guess}"), "530 no");
        let told = place.of("login-guessing@1").len();
        assert_eq!(told > 0, guess >= 5, "guess {guess}");
    }
    let verdict = place.of("login-guessing@1")[0];
    assert_eq!(verdict.evidence, EvidenceClass::PathProven);
    assert_eq!(verdict.offender, Some(verdict.tuple.unwrap().src));
    assert_eq!(verdict.victim.unwrap().port, Some(21));
}

#[test]
fn one_password_for_many_accounts_is_told() {
    let mut place = Place::anywhere();
    for account in 0..8 {
        place.login(&format!("user{account}"), "Winter2026", "530 no");
    }
    let told = place.of("login-guessing@1");
    let accounts = told[0]
        .reasons
        .iter()
        .find(|reason| reason.buffer == "accounts")
        .unwrap();
    assert_eq!(&*accounts.matched, b"6");
}

#[test]
fn a_stale_password_and_typing_errors_are_not_told() {
    let mut place = Place::anywhere();
    for round in 0..40 {
        place.login("backup", "old", "530 no");
        if round % 4 == 0 {
            place.login("anna", &format!("typo{round}"), "530 no");
            place.login("anna", "right", "230 welcome");
        }
    }
    assert_eq!(place.of("login-guessing@1"), Vec::<&Verdict>::new());
}

#[test]
fn a_million_keys_take_no_more_than_their_tables() {
    let mut behaviour = BehaviourConfig::default();
    behaviour.dga.clients_max = 64;
    behaviour.tunnel.pairs_max = 64;
    behaviour.beacon.pairs_max = 64;
    behaviour.slow_scan.sources_max = 64;
    let mut place = Place::with(behaviour);
    place.ask("one.two.example", None);
    let query = place.message.clone().unwrap();
    for number in 0..1_000_000_u32 {
        let [_, b, c, d] = number.to_be_bytes();
        let mut flow = flow(u64::from(number), [10, b, c, d], OUTSIDE, 443, place.at_ns);
        let now_ns = place.at_ns;
        let mut show = |event: &Event<'_>| place.detector.event(event, now_ns, &mut place.verdicts);
        // names cost more than the rest
        if number % 10 == 0 {
            show(&Event::Transaction(&flow, &query));
        }
        show(&Event::FlowEnd(&flow, EndReason::Timeout));
        std::mem::swap(&mut flow.tuple.src, &mut flow.tuple.dst);
        flow.tuple.src = Ipv4Addr::from([203, b, c, d]).into();
        show(&Event::Attempt(&flow, Outcome::Unanswered));
    }
    assert_eq!(place.verdicts, []);
    let evicted = |table: &str| place.counter(&format!("{table}_evicted"));
    for (table, keys) in [
        ("dga.clients", 100_000),
        ("dns_tunnel.pairs", 100_000),
        ("beacon.pairs", 1_000_000),
        ("slow_scan.sources", 1_000_000),
    ] {
        assert!((keys - 100..keys).contains(&evicted(table)), "{table}");
    }
    assert_eq!(place.counter("dga.clients"), 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is asked: no panic, no offender, and never two verdicts about one thing in an hour.
    #[test]
    fn whatever_is_asked(names in prop::collection::vec("[a-z0-9.-]{0,40}", 1..300), rcode in 0..16_u8) {
        let mut place = Place::new();
        for name in &names {
            let labels: Vec<&str> = name.split('.').filter(|label| !label.is_empty()).collect();
            place.ask(&labels.join("."), Some(rcode));
        }
        prop_assert!(place.verdicts.iter().all(|verdict| verdict.offender.is_none()));
        prop_assert!(place.of("dga-client@1").len() <= 1);
    }
}
