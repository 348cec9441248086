//! Indicators in real frames: where they match, whom they name, and how sure that is.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use detect::{Config, Detector, EvidenceClass, IndexBuilder, IndicatorConfig, SourceKey, Verdict};
use packet::{Frame, LinkType, Sensor};
use stix::StixId;
use testkit::capture::{Frames, Segment, flag};

const OUTSIDE: &str = "203.0.113.9:40000";
const OURS: &str = "10.2.0.10:80";
const GET: &[u8] = b"GET /Shell.php?x=%7e HTTP/1.1\r\nHost: Www.Victim.Example\r\n\r\n";

#[test]
fn a_url_asked_of_us_names_its_client_as_exploit() {
    let verdicts = seen(
        &["[url:value = 'http://www.victim.example/Shell.php?x=~']"],
        |wire| {
            wire.session(OUTSIDE, OURS, GET);
        },
    );
    let [verdict] = &verdicts[..] else {
        panic!("{verdicts:?}")
    };
    assert_eq!(verdict.evidence, EvidenceClass::Exploit);
    assert_eq!(verdict.offender, Some(ip(OUTSIDE)));
    let victim = verdict.victim.unwrap();
    assert_eq!((victim.address, victim.port), (Some(ip(OURS)), Some(80)));
    assert_eq!(
        (verdict.detector, verdict.confidence, verdict.count),
        ("indicator@1", 77, 1)
    );
    let reason = &verdict.reasons[0];
    assert_eq!(reason.buffer, "http.url");
    assert_eq!(*reason.matched, *b"Www.Victim.Example/Shell.php?x=%7e");
    assert_eq!(reason.object, Some(StixId::v5("indicator", "0")));
    assert_eq!(reason.source.as_deref(), Some("alpha"));
}

#[test]
fn a_request_without_a_handshake_is_unproven() {
    let verdicts = seen(&["[domain-name:value = 'victim.example']"], |wire| {
        wire.unproven_request(OUTSIDE, OURS, GET);
    });
    let [verdict] = &verdicts[..] else {
        panic!("{verdicts:?}")
    };
    assert_eq!(verdict.evidence, EvidenceClass::Unproven);
    assert_eq!(
        (verdict.reasons[0].buffer, verdict.reasons[0].offset),
        ("http.host", 4)
    );
    assert_eq!(*verdict.reasons[0].matched, *b"Victim.Example");
}

#[test]
fn a_listed_name_makes_nobody_an_offender_whoever_asks_for_it() {
    for (client, server) in [("10.2.0.77:50000", "203.0.113.80:80"), (OUTSIDE, OURS)] {
        let verdicts = seen(&["[domain-name:value = 'victim.example']"], |wire| {
            wire.session(client, server, GET);
        });
        let [verdict] = &verdicts[..] else {
            panic!("{verdicts:?}")
        };
        assert_eq!((verdict.offender, verdict.victim), (None, None));
        assert_eq!(verdict.evidence, EvidenceClass::PathProven);
    }
}

#[test]
fn a_listed_url_served_from_a_shared_address_does_not_name_that_address() {
    let url = "[url:value = 'http://www.victim.example/Shell.php?x=~']";
    let verdicts = seen(&[url], |wire| {
        wire.session("10.2.0.77:50000", "203.0.113.80:80", GET);
    });
    let [verdict] = &verdicts[..] else {
        panic!("{verdicts:?}")
    };
    assert_eq!((verdict.offender, verdict.victim), (None, None));
}

#[test]
fn nobody_is_named_inside_our_network_or_beyond_it() {
    for (client, server) in [("10.2.0.77:50000", OURS), (OUTSIDE, "198.51.100.1:80")] {
        let verdicts = seen(&["[domain-name:value = 'victim.example']"], |wire| {
            wire.session(client, server, GET);
        });
        assert_eq!(verdicts.len(), 1);
        assert_eq!((verdicts[0].offender, verdicts[0].victim), (None, None));
    }
}

#[test]
fn a_listed_address_is_unproven_at_its_syn_and_upgraded_with_its_proof() {
    let verdicts = seen(&["[ipv4-addr:value = '203.0.113.0/24']"], |wire| {
        wire.session(OUTSIDE, OURS, GET);
    });
    let classes: Vec<_> = verdicts.iter().map(|verdict| verdict.evidence).collect();
    assert_eq!(
        classes,
        [EvidenceClass::Unproven, EvidenceClass::PathProven]
    );
    for verdict in &verdicts {
        assert_eq!(verdict.offender, Some(ip(OUTSIDE)));
        assert_eq!(*verdict.reasons[0].matched, [203, 0, 113, 9]);
    }
}

#[test]
fn an_address_of_ours_is_never_named() {
    let verdicts = seen(&["[ipv4-addr:value = '10.2.0.10']"], |wire| {
        wire.session(OUTSIDE, OURS, GET);
    });
    assert!(!verdicts.is_empty());
    assert!(verdicts.iter().all(|verdict| verdict.offender.is_none()));
}

#[test]
fn dns_names_nobody_and_proves_nothing() {
    let verdicts = seen(
        &[
            "[domain-name:value = 'evil.example']",
            "[ipv4-addr:value = '198.51.100.1']",
        ],
        |wire| {
            wire.frames.udp(
                wire.now_ns,
                at("10.2.0.77:5353"),
                at("9.9.9.9:53"),
                &dns(false),
            );
            wire.frames.udp(
                wire.now_ns,
                at("9.9.9.9:53"),
                at("10.2.0.77:5353"),
                &dns(true),
            );
        },
    );
    let [query, answer] = &verdicts[..] else {
        panic!("{verdicts:?}")
    };
    assert_eq!(
        (query.reasons[0].buffer, query.reasons[0].offset),
        ("dns.query", 2)
    );
    assert_eq!(*query.reasons[0].matched, *b"EVIL.example");
    assert_eq!(answer.reasons[0].buffer, "dns.answers.rdata");
    for verdict in &verdicts {
        assert_eq!(
            (verdict.offender, verdict.evidence),
            (None, EvidenceClass::Unproven)
        );
    }
}

#[test]
fn a_tls_name_is_found_in_the_hello() {
    let verdicts = seen(&["[domain-name:value = 'evil.example']"], |wire| {
        wire.session(
            "10.2.0.77:50000",
            "203.0.113.80:443",
            &client_hello(b"c2.evil.example"),
        );
    });
    let [verdict] = &verdicts[..] else {
        panic!("{verdicts:?}")
    };
    assert_eq!(
        (verdict.reasons[0].buffer, verdict.reasons[0].offset),
        ("tls.sni", 3)
    );
    assert_eq!(verdict.offender, None);
}

#[test]
fn repetitions_are_quiet_for_a_while_and_counted() {
    let verdicts = seen(&["[domain-name:value = 'victim.example']"], |wire| {
        for port in 0..50 {
            wire.session(&format!("203.0.113.9:{}", 1024 + port), OURS, GET);
        }
        wire.now_ns += 20_000_000_000;
        wire.session("203.0.113.9:999", OURS, GET);
        wire.session("203.0.113.10:999", OURS, GET);
    });
    let counts: Vec<_> = verdicts.iter().map(|verdict| verdict.count).collect();
    assert_eq!(counts, [1, 50, 1]);
}

#[test]
fn a_listed_url_is_news_though_its_host_was_just_named() {
    let patterns = [
        "[domain-name:value = 'victim.example']",
        "[url:value = 'http://www.victim.example/b']",
    ];
    let verdicts = seen(&patterns, |wire| {
        for (port, path) in (1024..).zip(["a", "b", "a", "b"]) {
            let get = format!("GET /{path} HTTP/1.1\r\nHost: www.victim.example\r\n\r\n");
            wire.unproven_request(&format!("203.0.113.9:{port}"), OURS, get.as_bytes());
        }
    });
    let buffers: Vec<Vec<_>> = verdicts
        .iter()
        .map(|verdict| verdict.reasons.iter().map(|reason| reason.buffer).collect())
        .collect();
    assert_eq!(buffers, [vec!["http.host"], vec!["http.host", "http.url"]]);
}

#[test]
fn fragments_given_up_are_looked_up_by_their_addresses() {
    let verdicts = seen(&["[ipv4-addr:value = '203.0.113.9']"], |wire| {
        wire.unproven_request(OUTSIDE, OURS, GET);
        let (ts_ns, mut data) = wire
            .frames
            .iter()
            .last()
            .map(|(ts_ns, data)| (ts_ns, data.to_vec()))
            .unwrap();
        data[14 + 6] = 0x20;
        wire.frames = Frames::default();
        wire.frames.push(ts_ns, data);
    });
    let [verdict] = &verdicts[..] else {
        panic!("{verdicts:?}")
    };
    assert_eq!(verdict.evidence, EvidenceClass::Unproven);
    assert_eq!(verdict.offender, Some(ip(OUTSIDE)));
    assert_eq!((verdict.flow, verdict.victim), (None, None));
    assert_eq!(verdict.reasons[0].buffer, "ip.src");
}

#[test]
fn a_new_index_counts_from_the_next_event() {
    let mut wire = Wire::new();
    wire.session(OUTSIDE, OURS, GET);
    wire.session("203.0.113.9:40001", OURS, GET);
    let (old, new) = (
        index(&[]),
        index(&["[domain-name:value = 'victim.example']"]),
    );
    let mut detector = Detector::new(config(0), old);
    let mut frames = 0;
    let verdicts = run(&wire.frames, &mut detector, |detector| {
        frames += 1;
        if frames == 8 {
            detector.set_index(Arc::clone(&new));
        }
    });
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].tuple.unwrap().src_port, 40_001);
}

fn seen(patterns: &[&str], fill: impl FnOnce(&mut Wire)) -> Vec<Verdict> {
    let mut wire = Wire::new();
    fill(&mut wire);
    run(
        &wire.frames,
        &mut Detector::new(config(10_000_000_000), index(patterns)),
        |_| {},
    )
}

fn run(
    frames: &Frames,
    detector: &mut Detector,
    mut each: impl FnMut(&mut Detector),
) -> Vec<Verdict> {
    let mut sensor = Sensor::new(packet::Config::default());
    let (mut verdicts, mut last_ns) = (Vec::new(), 0);
    for (ts_ns, data) in frames.iter() {
        each(detector);
        last_ns = ts_ns;
        let wire_len = data.len() as u32;
        let frame = Frame {
            ts_ns,
            link: LinkType::Ethernet,
            data,
            wire_len,
            way: packet::Way::Unknown,
        };
        sensor.packet(&frame, &mut |event| {
            detector.event(&event, ts_ns, &mut verdicts)
        });
    }
    sensor.finish(&mut |event| detector.event(&event, last_ns, &mut verdicts));
    verdicts
}

fn config(quiet_ns: u64) -> Config {
    let home = vec!["10.2.0.0/24".parse().unwrap()];
    let indicator = IndicatorConfig {
        quiet_ns,
        ..IndicatorConfig::default()
    };
    Config {
        home,
        indicator,
        ..Config::default()
    }
}

fn index(patterns: &[&str]) -> Arc<detect::Index> {
    let mut builder = IndexBuilder::new();
    for (number, pattern) in patterns.iter().enumerate() {
        let id = StixId::v5("indicator", &number.to_string());
        let key = SourceKey {
            source: "alpha".into(),
            id,
        };
        let refused = builder.add(key, 77, &stix::pattern::parse(pattern).unwrap());
        assert_eq!(refused, []);
    }
    Arc::new(builder.build())
}

/// Frames being written, one millisecond apart.
struct Wire {
    frames: Frames,
    now_ns: u64,
}

impl Wire {
    fn new() -> Self {
        Self {
            frames: Frames::default(),
            now_ns: 1_700_000_000_000_000_000,
        }
    }

    /// Handshake, request, answer.
    fn session(&mut self, client: &str, server: &str, request: &[u8]) {
        let (client, server) = (at(client), at(server));
        let end = 101 + request.len() as u32;
        self.segment(client, server, 100, 0, flag::SYN, b"");
        self.segment(server, client, 900, 101, flag::SYN | flag::ACK, b"");
        self.segment(client, server, 101, 901, flag::ACK, b"");
        self.segment(client, server, 101, 901, flag::ACK | flag::PSH, request);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        self.segment(server, client, 901, end, flag::ACK | flag::PSH, answer);
        let acked = 901 + answer.len() as u32;
        self.segment(client, server, end, acked, flag::ACK | flag::FIN, b"");
        self.segment(server, client, acked, end + 1, flag::ACK | flag::FIN, b"");
    }

    /// A forger's side of a session: no acknowledgement of a number that it cannot know.
    fn unproven_request(&mut self, client: &str, server: &str, request: &[u8]) {
        let (client, server) = (at(client), at(server));
        self.segment(client, server, 100, 0, flag::SYN, b"");
        self.segment(client, server, 101, 5555, flag::ACK | flag::PSH, request);
    }

    fn segment(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        seq: u32,
        ack: u32,
        flags: u8,
        payload: &[u8],
    ) {
        self.now_ns += 1_000_000;
        let segment = Segment {
            seq,
            ack,
            flags,
            timestamp: None,
            payload,
        };
        self.frames.tcp(self.now_ns, from, to, &segment);
    }
}

/// A query for `x.EVIL.example`, or its answer 198.51.100.1.
fn dns(answer: bool) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, if answer { 0x81 } else { 0x01 }, 0x00, 0, 1];
    message.extend([0, u8::from(answer), 0, 0, 0, 0]);
    message.extend(b"\x01x\x04EVIL\x07example\x00\x00\x01\x00\x01");
    if answer {
        message.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc6\x33\x64\x01");
    }
    message
}

/// RFC 8446 section 4.1.2, with a server name (RFC 6066 section 3) and nothing else.
fn client_hello(name: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| (bytes as u16).to_be_bytes();
    let mut extension = vec![0, 0];
    extension.extend(length(name.len() + 5));
    extension.extend(length(name.len() + 3));
    extension.push(0);
    extension.extend(length(name.len()));
    extension.extend(name);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend(length(extension.len()));
    body.extend(extension);
    let mut record = vec![22, 3, 1];
    record.extend(length(body.len() + 4));
    record.extend([1, 0]);
    record.extend(length(body.len()));
    record.extend(body);
    record
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn ip(address: &str) -> IpAddr {
    at(address).ip()
}
