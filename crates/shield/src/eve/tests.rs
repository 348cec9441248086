//! Records as their readers see them.

use std::net::Ipv4Addr;

use detect::{EvidenceClass, Reason};
use packet::{FlowId, Frame, LinkType, Sensor, Way};
use serde_json::Value;
use testkit::capture::{Frames, Segment, flag};

use super::*;

#[test]
fn hostile_requests_stay_one_record_each() {
    for byte in 0..=255u8 {
        let request = [
            b"GET /".as_slice(),
            &[byte, b'"'],
            b" HTTP/1.1\r\nHost: a\"\xff\r\n\r\n",
        ]
        .concat();
        let records = records(&session(&request));
        let http = records
            .iter()
            .filter(|record| record["event_type"] == "http");
        assert_eq!(http.count(), 1, "{byte}");
    }
}

#[test]
fn a_verdict_without_flow_or_reason_is_an_alert_too() {
    let verdict = Verdict {
        at_ns: 1_000,
        first_packet_ns: 0,
        evidence: EvidenceClass::Exploit,
        confidence: 90,
        offender: Some("2001:db8::1".parse().unwrap()),
        far_end: None,
        victim: None,
        tuple: None,
        flow: None,
        detector: "unheard-of@9",
        reasons: Vec::new(),
        count: 1,
    };
    let records = logged(|log| log.alert(&verdict, None, 1));
    assert_eq!(records[0]["alert"]["signature_id"], 9_000_000);
    assert_eq!(records[0]["alert"]["severity"], 1);
    let offender = "2001:0db8:0000:0000:0000:0000:0000:0001";
    assert_eq!(records[0]["shieldwall"]["offender"], offender);
}

#[test]
fn matched_bytes_are_text_or_hex() {
    let reason = |matched: &[u8]| Reason {
        object: None,
        source: None,
        buffer: "ip.src",
        offset: 3,
        matched: matched.into(),
        exact: true,
        what: "it is listed".into(),
    };
    let address = Ipv4Addr::new(192, 0, 2, 1);
    let verdict = Verdict {
        at_ns: 0,
        first_packet_ns: 0,
        evidence: EvidenceClass::Unproven,
        confidence: 1,
        offender: Some(address.into()),
        far_end: None,
        victim: None,
        tuple: None,
        flow: Some(FlowId(1)),
        detector: "indicator@1",
        reasons: vec![reason(&address.octets()), reason(b"evil.example")],
        count: 2,
    };
    let records = logged(|log| log.alert(&verdict, None, 1));
    let reasons = &records[0]["shieldwall"]["reasons"];
    assert_eq!(reasons[0]["matched_hex"], "c0000201");
    assert_eq!(
        (&reasons[1]["matched"], &reasons[1]["offset"]),
        (&"evil.example".into(), &3.into())
    );
}

#[test]
fn counters_are_grouped_by_part() {
    let records = logged(|log| {
        log.stats(
            &[("flow.total", 7), ("tcp.memuse", 8), ("flow.evicted", 9)],
            now(5_000_000_000),
        );
    });
    assert_eq!(
        records[0]["stats"]["flow"],
        serde_json::json!({"total": 7, "evicted": 9})
    );
    assert_eq!(records[0]["stats"]["detect"]["alert"], 0);
}

#[test]
fn only_the_types_asked_for_are_written() {
    let all = records(&session(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    let types: Vec<_> = all
        .iter()
        .map(|record| record["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["http", "flow"]);
    let none = logged_as(Records::of("-", ALERTS), |log| {
        replay(&session(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), log);
    });
    assert_eq!(none, Vec::<Value>::new());
}

#[test]
fn damage_outside_of_flows_names_its_ends() {
    let mut frames = session(b"");
    let (ts_ns, data) = frames
        .iter()
        .next()
        .map(|(ts_ns, data)| (ts_ns, data.to_vec()))
        .unwrap();
    let mut damaged = data;
    damaged[14 + 20 + 12] = 0x10;
    frames = Frames::default();
    frames.push(ts_ns, damaged);
    let records = records(&frames);
    let [anomaly] = &records[..] else {
        panic!("{records:?}")
    };
    assert_eq!(anomaly["anomaly"]["event"], "decoder.tcp.invalid_optlen");
    let ends = (&anomaly["src_ip"], &anomaly["dest_ip"], &anomaly["proto"]);
    assert_eq!(
        ends,
        (&"203.0.113.9".into(), &"10.2.0.10".into(), &"TCP".into())
    );
    assert!(anomaly.get("flow_id").is_none());
}

fn records(frames: &Frames) -> Vec<Value> {
    logged(|log| replay(frames, log))
}

fn replay(frames: &Frames, log: &mut Log) {
    let mut sensor = Sensor::new(packet::Config::default());
    let mut last_ns = 0;
    for (ts_ns, data) in frames.iter() {
        last_ns = ts_ns;
        let wire_len = u32::try_from(data.len()).unwrap();
        let frame = Frame {
            ts_ns,
            link: LinkType::Ethernet,
            data,
            wire_len,
            way: Way::Unknown,
        };
        sensor.packet(&frame, &mut |event| log.event(&event, now(ts_ns)));
    }
    sensor.finish(&mut |event| log.event(&event, now(last_ns)));
}

fn logged(fill: impl FnOnce(&mut Log)) -> Vec<Value> {
    logged_as(Records::all("-"), fill)
}

fn now(ts_ns: u64) -> Now {
    Now { ts_ns, packet: 1 }
}

fn logged_as(records: Records, fill: impl FnOnce(&mut Log)) -> Vec<Value> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let open = |_: &str| Ok(Box::new(file.reopen()?) as Box<dyn Write + Send>);
    let mut log = Log::new(vec![records], WhenFull::Wait, open).unwrap();
    fill(&mut log);
    log.close().unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A handshake, a request and its answer.
fn session(request: &[u8]) -> Frames {
    let (client, server) = (
        "203.0.113.9:4000".parse().unwrap(),
        "10.2.0.10:80".parse().unwrap(),
    );
    let end = 101 + u32::try_from(request.len()).unwrap();
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    let mut frames = Frames::default();
    let mut at_ns = 1_700_000_000_000_000_000;
    for (forward, seq, ack, flags, payload) in [
        (true, 100, 0, flag::SYN, b"".as_slice()),
        (false, 900, 101, flag::SYN | flag::ACK, b""),
        (true, 101, 901, flag::ACK, b""),
        (true, 101, 901, flag::ACK | flag::PSH, request),
        (false, 901, end, flag::ACK | flag::PSH, answer),
    ] {
        at_ns += 1_000_000;
        let (from, to) = if forward {
            (client, server)
        } else {
            (server, client)
        };
        frames.tcp(
            at_ns,
            from,
            to,
            &Segment {
                seq,
                ack,
                flags,
                timestamp: None,
                payload,
            },
        );
    }
    frames
}
