//! Whole conversations through the sensor: what comes out, and when.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

#[path = "common/wire.rs"]
mod wire;

use etherparse::PacketBuilder;
use packet::http1::Phase;
use packet::{
    AppProto, Config, EndReason, Event, ExceptionPolicy, Exceptions, FlowAction, Frame, LinkType,
    Outcome, Refusal, Sensor, Transaction,
};
use wire::{Wire, feed};

#[test]
fn an_http_conversation() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    let requests = "GET /a HTTP/1.1\r\nHost: one.example\r\n\r\n\
                    POST /b?x HTTP/1.1\nHost: two.example\nContent-Length: 5\n\nhello\
                    HEAD /c HTTP/1.1\r\nHost: three.example\r\n\r\n";
    frames.push(wire.data(true, requests.as_bytes()));
    let responses = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
                     HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno\
                     HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n";
    frames.push(wire.data(false, responses.as_bytes()));
    frames.push(wire.fin(true));
    frames.push(wire.fin(false));
    let log = run(&frames, Config::default());
    assert_eq!(
        log,
        [
            "start 192.0.2.1:40000 -> 198.51.100.2:8080",
            "attempt Accepted",
            "proven",
            "request GET http://one.example/a",
            "request POST http://two.example/b?x",
            "file 5 CLOSED",
            "request HEAD http://three.example/c",
            "file 3 CLOSED",
            "complete GET http://one.example/a 200 0/11",
            "file 2 CLOSED",
            "complete POST http://two.example/b?x 404 5/2",
            "complete HEAD http://three.example/c 200 0/0",
            "closed",
            "end Fin http",
        ]
    );
}

#[test]
fn a_session_is_told_once_when_payload_went_both_ways() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    let answer_at = frames.len() + 1;
    for is_client in [true, false, true, false] {
        frames.push(wire.data(is_client, b"\x01\x02 of no protocol"));
    }
    let (mut sensor, mut now_ns) = (Sensor::new(Config::default()), 0);
    let mut told = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        let frame = std::slice::from_ref(frame);
        feed(&mut sensor, &mut now_ns, frame, &mut |event| {
            if let Event::Exchanged(flow) = event {
                let bytes = [flow.to_server, flow.to_client].map(|counts| counts.payload_bytes);
                told.push((number, flow.client_proven, bytes));
            }
        });
    }
    assert_eq!(told, [(answer_at, true, [17, 17])]);
}

#[test]
fn a_response_without_length_ends_with_the_connection() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data(true, b"GET / HTTP/1.0\r\n\r\n"));
    frames.push(wire.data(false, b"HTTP/1.0 200 OK\r\n\r\nall of it"));
    frames.push(wire.data(false, b" and more"));
    frames.push(wire.fin(false));
    frames.push(wire.fin(true));
    let log = run(&frames, Config::default());
    let complete = log
        .iter()
        .position(|line| line.starts_with("complete"))
        .unwrap();
    assert_eq!(
        log[complete],
        "complete GET http://198.51.100.2:8080/ 200 0/18"
    );
    assert!(complete < log.iter().position(|line| line == "closed").unwrap());
}

#[test]
fn a_gap_in_a_body_loses_nothing_but_bytes() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data(true, b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
    frames.push(wire.data(
        false,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789",
    ));
    let lost = wire.data(false, &[b'x'; 70]);
    drop(lost);
    frames.push(wire.data(false, &[b'y'; 20]));
    frames.push(wire.data(true, b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n"));
    frames.push(wire.data(false, b"HTTP/1.1 204 None\r\n\r\n"));
    let log = run(&frames, Config::default());
    assert!(
        log.contains(&"anomaly stream.reassembly_seq_gap".to_owned()),
        "{log:?}"
    );
    assert!(
        log.contains(&"complete GET http://h/a 200 0/100".to_owned()),
        "{log:?}"
    );
    assert!(
        log.contains(&"complete GET http://h/b 204 0/0".to_owned()),
        "{log:?}"
    );
}

#[test]
fn a_gap_in_a_head_is_survived() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data(true, b"GET /a HTTP/1.1\r\nHo"));
    drop(wire.data(true, b"st: h\r\n\r\nGET /lost HTTP/1.1\r\n\r\n"));
    frames.push(wire.data(true, b"GET /c HTTP/1.1\r\nHost: h\r\n\r\n"));
    frames.push(wire.data(false, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let log = run(&frames, Config::default());
    assert!(
        log.contains(&"request GET http://h/c".to_owned()),
        "{log:?}"
    );
    assert!(!log.iter().any(|line| line.contains("/a")), "{log:?}");
}

#[test]
fn heads_have_a_bound() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data(true, b"GET /a HTTP/1.1\r\nX: "));
    for _ in 0..10 {
        frames.push(wire.data(true, &[b'a'; 500]));
    }
    frames.push(wire.data(true, b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n"));
    let config = Config {
        head_bytes_max: 4000,
        ..Config::default()
    };
    let log = run(&frames, config);
    assert!(
        log.contains(&"anomaly http.head_too_large".to_owned()),
        "{log:?}"
    );
    assert!(
        log.contains(&"request GET http://h/b".to_owned()),
        "it goes on: {log:?}"
    );
}

#[test]
fn pipelined_requests_have_a_bound() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    for number in 0..5 {
        let request = format!("GET /{number} HTTP/1.1\r\nHost: h\r\n\r\n");
        frames.push(wire.data(true, request.as_bytes()));
    }
    for status in 200..205 {
        let response = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
        frames.push(wire.data(false, response.as_bytes()));
    }
    let log = run(
        &frames,
        Config {
            pending_max: 3,
            ..Config::default()
        },
    );
    let complete: Vec<&str> = log
        .iter()
        .filter(|line| line.starts_with("complete"))
        .map(|line| &line[13..])
        .collect();
    assert_eq!(
        complete,
        [
            "http://h/0 - 0/0",
            "http://h/1 - 0/0",
            "http://h/2 202 0/0",
            "http://h/3 203 0/0",
            "http://h/4 204 0/0"
        ]
    );
}

#[test]
fn a_tunnel_is_looked_into() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data(
        true,
        b"CONNECT far.example:443 HTTP/1.1\r\nHost: far.example\r\n\r\n",
    ));
    frames.push(wire.data(false, b"HTTP/1.1 200 Fine\r\n\r\n"));
    frames.push(wire.data(true, b"GET /inside HTTP/1.1\r\nHost: inner\r\n\r\n"));
    let log = run(&frames, Config::default());
    assert!(
        log.contains(&"complete CONNECT http://far.example:443/ 200 0/0".to_owned()),
        "{log:?}"
    );
    assert!(
        log.contains(&"request GET http://inner/inside".to_owned()),
        "{log:?}"
    );
}

#[test]
fn dns_over_udp_and_tcp_on_any_port() {
    let query =
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01";
    let answer =
        b"\x12\x34\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\x03www\x07example\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01a\xc0\x10\
        \xc0\x29\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xcb\x00\x71\x07";
    let expected = [
        "query www.example",
        "answer www.example CNAME a.example A 203.0.113.7",
    ];
    let udp = [(5353, 5000, &query[..]), (5000, 5353, &answer[..])].map(|(from, to, data)| {
        let (src, dst) = if from == 5353 { (1, 2) } else { (2, 1) };
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([192, 0, 2, src], [192, 0, 2, dst], 64)
            .udp(from, to);
        let mut frame = Vec::new();
        builder.write(&mut frame, data).unwrap();
        frame
    });
    let log = run(&udp, Config::default());
    assert_eq!(log[1..3], expected, "{log:?}");
    assert_eq!(log.last().unwrap(), "end Shutdown dns");

    let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([192, 0, 2, 2], [192, 0, 2, 1], 64)
        .udp(5000, 5353);
    let mut odd = Vec::new();
    builder.write(&mut odd, b"what is this").unwrap();
    let log = run(&[odd, udp[1].clone()], Config::default());
    assert!(
        log.iter().any(|line| line == expected[1]),
        "one odd datagram hides the next: {log:?}"
    );

    let framed = |data: &[u8]| [&u16::try_from(data.len()).unwrap().to_be_bytes(), data].concat();
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    let (front, back) = (framed(query), framed(answer));
    frames.push(wire.data(true, &front[..7]));
    frames.push(wire.data(true, &[&front[7..], &front].concat()));
    frames.push(wire.data(false, &back));
    let log = run(&frames, Config::default());
    assert_eq!(
        log[3..6],
        [expected[0], expected[0], expected[1]],
        "{log:?}"
    );
}

#[test]
fn attempts_are_refused_or_unanswered() {
    let wire = Wire::new();
    let syn = wire.frame(true, |tcp| tcp.syn(), &[]);
    let ack = wire.client_seq + 1;
    let rst = wire::build(false, 0, |tcp| tcp.rst().ack(ack), &[]);
    let log = run(&[syn.clone(), rst], Config::default());
    assert_eq!(log[1..], ["attempt Refused", "closed", "end Reset unknown"]);

    let mut sensor = Sensor::new(Config::default());
    let mut log = Vec::new();
    let mut now_ns = 0;
    feed(&mut sensor, &mut now_ns, &[syn], &mut |event| {
        log.extend(line(&event))
    });
    sensor.tick(now_ns + 4_000_000_000, &mut |event| {
        log.extend(line(&event))
    });
    assert_eq!(sensor.open_flows(), 1);
    sensor.tick(now_ns + 6_000_000_000, &mut |event| {
        log.extend(line(&event))
    });
    assert_eq!(log[1..], ["attempt Unanswered", "end Timeout unknown"]);
    assert_eq!(sensor.open_flows(), 0);
}

/// What changes nothing keeps no flow alive, nor those behind it in their list.
#[test]
fn other_syns_do_not_keep_an_attempt_open() {
    let wire = Wire::new();
    let syn = wire.frame(true, |tcp| tcp.syn(), &[]);
    let mut sensor = Sensor::new(Config::default());
    let mut log = Vec::new();
    let mut now_ns = 0;
    let mut note = |event: Event<'_>| log.extend(line(&event));
    feed(&mut sensor, &mut now_ns, &[syn], &mut note);
    for second in 1..=4_u64 {
        let other = wire::build(
            true,
            u32::try_from(second).unwrap() * 7777,
            |tcp| tcp.syn(),
            &[],
        );
        let mut at_ns = now_ns + second * 2_000_000_000;
        feed(&mut sensor, &mut at_ns, &[other], &mut note);
    }
    sensor.tick(now_ns + 8_100_000_000, &mut note);
    assert!(log.contains(&"attempt Unanswered".to_owned()), "{log:?}");
}

#[test]
fn the_syn_tells_of_its_sender() {
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 57)
        .tcp(40000, 80, 1, 64240)
        .syn()
        .options_raw(&[
            2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0x30, 0x39, 0, 0, 0, 0, 1, 3, 3, 7,
        ])
        .unwrap();
    let mut frame = Vec::new();
    builder.write(&mut frame, &[]).unwrap();
    let mut found = None;
    let mut sensor = Sensor::new(Config::default());
    feed(&mut sensor, &mut 0, &[frame], &mut |event| {
        if let Event::FlowStart(flow) = event {
            found = flow.syn;
        }
    });
    let syn = found.unwrap();
    assert_eq!((syn.ttl, syn.window, syn.mss), (57, 64240, Some(1460)));
    assert_eq!((syn.wscale, syn.timestamp), (Some(7), Some(12345)));
    assert_ne!(syn.options_hash, 0);
}

#[test]
fn flows_taken_up_midstream_have_the_server_on_the_known_port() {
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([198, 51, 100, 2], [192, 0, 2, 1], 64)
        .tcp(443, 50000, 1, 1000)
        .ack(7);
    let mut frame = Vec::new();
    builder.write(&mut frame, b"data").unwrap();
    let log = run(&[frame], Config::default());
    assert_eq!(log[0], "start 192.0.2.1:50000 -> 198.51.100.2:443");
}

#[test]
fn a_full_table_evicts_and_says_so() {
    let mut sensor = Sensor::new(Config {
        flows_max: 10,
        ..Config::default()
    });
    let (mut starts, mut evicted) = (0, 0);
    for port in 0..100 {
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
            .udp(10_000 + port, 7);
        let mut frame = Vec::new();
        builder.write(&mut frame, b"x").unwrap();
        feed(&mut sensor, &mut 0, &[frame], &mut |event| match event {
            Event::FlowStart(_) => starts += 1,
            Event::FlowEnd(_, EndReason::Evicted) => evicted += 1,
            _ => {}
        });
        assert!(sensor.open_flows() <= 10);
    }
    assert_eq!(
        (starts, evicted, sensor.counters().flows_evicted),
        (100, 90, 90)
    );
}

#[test]
fn fragments_and_truncated_packets_start_no_flow() {
    let mut wire = Wire::new();
    let mut fragment = wire.data(true, b"payload");
    fragment[14 + 6] = 0x20;
    let log = run(std::slice::from_ref(&fragment), Config::default());
    assert_eq!(log, ["anomaly decoder.fragment_not_reassembled"]);
    let mut ends = None;
    let frame = Frame {
        ts_ns: 1,
        link: LinkType::Ethernet,
        data: &fragment,
        wire_len: u32::try_from(fragment.len()).unwrap(),
        way: packet::Way::Unknown,
    };
    let mut sensor = Sensor::new(Config::default());
    sensor.packet(&frame, &mut |_| {});
    sensor.finish(&mut |event| {
        if let Event::Anomaly(None, anomaly) = event {
            ends = anomaly.tuple.map(|tuple| (tuple.src, tuple.dst));
        }
    });
    let address = |at: usize| {
        let octets: [u8; 4] = fragment[at..at + 4].try_into().unwrap();
        std::net::IpAddr::from(octets)
    };
    assert_eq!(
        ends,
        Some((address(14 + 12), address(14 + 16))),
        "the ends of what was never whole are told"
    );

    let whole = wire.data(true, b"payload that is cut off");
    let cut = whole[..whole.len() - 10].to_vec();
    assert_eq!(
        run(std::slice::from_ref(&cut), Config::default()),
        ["anomaly decoder.ipv4.trunc_pkt"]
    );
    let mut sensor = Sensor::new(Config::default());
    let wire_len = u32::try_from(whole.len()).unwrap();
    let snapped = Frame {
        ts_ns: 1,
        link: LinkType::Ethernet,
        data: &cut,
        wire_len,
        way: packet::Way::Unknown,
    };
    sensor.packet(&snapped, &mut |_| {});
    assert_eq!(sensor.open_flows(), 1, "the capture cut it, not the sender");
}

#[test]
fn wrong_checksums_count_only_when_asked() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data(true, b"GET /sound HTTP/1.1\r\nHost: a\r\n\r\n"));
    frames[3][14 + 20 + 16] ^= 0xff;
    frames.push(wire.data(false, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let strict = |verify_streams| Config {
        verify_checksums: true,
        verify_streams,
        ..Config::default()
    };
    for (config, is_read) in [
        (Config::default(), true),
        (strict(true), false),
        (strict(false), true),
    ] {
        let log = run(&frames, config);
        assert_eq!(
            log.iter().any(|line| line.contains("/sound")),
            is_read,
            "{log:?}"
        );
    }
    let mut sensor = Sensor::new(strict(true));
    feed(&mut sensor, &mut 0, &frames, &mut |_| {});
    let counters = sensor.counters();
    assert_eq!((counters.bad_checksums, counters.bad_tcp_checksums), (1, 1));
}

fn run(frames: &[Vec<u8>], config: Config) -> Vec<String> {
    let mut sensor = Sensor::new(config);
    let mut log = Vec::new();
    feed(&mut sensor, &mut 0, frames, &mut |event| {
        log.extend(line(&event))
    });
    sensor.finish(&mut |event| log.extend(line(&event)));
    assert_eq!(sensor.counters().stream_bytes, 0);
    log
}

/// A connection whose beginning was not seen: whether its bytes are read, why they do not go on inline,
/// and what is done with the flow.
#[test]
fn exceptions_do_what_their_policy_says() {
    use ExceptionPolicy::{
        Bypass, DropFlow, DropPacket, Ignore, PassFlow, PassPacket, Reject, RejectBoth,
    };
    let (pass, dropped) = (Some(FlowAction::Pass), Some(FlowAction::Drop));
    let cases = [
        (Ignore, true, None, None),
        (PassFlow, true, None, pass),
        (PassPacket, false, None, None),
        (Bypass, false, None, pass),
        (DropPacket, false, Some(Refusal::Midstream), None),
        (DropFlow, false, Some(Refusal::Exception), dropped),
        (Reject, false, Some(Refusal::Exception), dropped),
        (RejectBoth, false, Some(Refusal::Exception), dropped),
    ];
    for (midstream, is_read, refused, action) in cases {
        let mut wire = Wire::new();
        wire.handshake();
        let request = b"GET /index.html HTTP/1.1\r\nHost: a.example\r\n\r\n";
        let frames = [
            wire.data_at(true, 0, request),
            wire.data_at(
                true,
                u32::try_from(request.len()).unwrap(),
                b"GET / HTTP/1.1\r\n\r\n",
            ),
        ];
        let mut sensor = Sensor::new(Config {
            inline: true,
            exceptions: Exceptions {
                midstream,
                ..Exceptions::default()
            },
            ..Config::default()
        });
        feed(&mut sensor, &mut 0, &frames, &mut |_| {});
        assert_eq!(sensor.refused(), refused, "{midstream:?}");
        let (mut found, mut transactions) = (None, 0);
        sensor.finish(&mut |event| match event {
            Event::Transaction(..) => transactions += 1,
            Event::FlowEnd(flow, _) => found = flow.action,
            _ => {}
        });
        assert_eq!(
            (transactions > 0, found),
            (is_read, action),
            "{midstream:?}"
        );
    }
}

#[test]
fn inline_a_second_reading_of_the_same_bytes_does_not_go_on() {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data_at(true, 0, b"GET /good HTTP/1.1\r\n"));
    let config = Config {
        inline: true,
        ..Config::default()
    };
    let mut sensor = Sensor::new(config);
    let mut now_ns = 0;
    feed(&mut sensor, &mut now_ns, &frames, &mut |_| {});
    assert!(sensor.refused().is_none());
    let mut told = Vec::new();
    let mut take = |sensor: &mut Sensor, data: &[u8]| {
        let frame = wire.data_at(true, 0, data);
        feed(sensor, &mut now_ns, &[frame], &mut |event| {
            if let Event::Anomaly(_, anomaly) = event {
                told.push(anomaly.name());
            }
        });
        sensor.refused().is_some()
    };
    assert!(!take(&mut sensor, b"GET /good HTTP/1.1\r\n"));
    assert!(take(&mut sensor, b"GET /evil HTTP/1.1\r\n"));
    assert_eq!(told, ["stream.reassembly_overlap_different_data"]);
}

/// With settings, a sensor is what others are: bytes are read when they are acknowledged, and
/// connections are followed from their SYN.
#[test]
fn with_settings_data_is_read_when_it_is_acknowledged() {
    let settings = packet::settings::Settings::default();
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    frames.push(wire.data(true, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    let config = Config::from_settings(&settings);
    let log = run(&frames, config.clone());
    let at_end = [
        "proven",
        "request GET http://h/",
        "complete GET http://h/ - 0/0",
    ];
    assert_eq!(log[2..5], at_end, "{log:?}");
    frames.push(wire.data(false, b""));
    let mut sensor = Sensor::new(config.clone());
    let mut requests = 0;
    feed(&mut sensor, &mut 0, &frames[3..], &mut |event| {
        requests += usize::from(matches!(event, Event::Transaction(..)));
    });
    assert_eq!(requests, 0, "met midstream");
    let mut sensor = Sensor::new(config);
    feed(&mut sensor, &mut 0, &frames, &mut |event| {
        requests += usize::from(matches!(event, Event::Transaction(..)));
    });
    assert_eq!(requests, 1);
}

/// An event as a line.
fn line(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::FlowStart(flow) => {
            let tuple = flow.tuple;
            let (src, dst) = (tuple.src, tuple.dst);
            format!("start {src}:{} -> {dst}:{}", tuple.src_port, tuple.dst_port)
        }
        Event::Attempt(
            _,
            outcome @ (Outcome::Accepted | Outcome::Refused | Outcome::Unanswered),
        ) => {
            format!("attempt {outcome:?}")
        }
        Event::Proven(_) => "proven".to_owned(),
        Event::Closed(..) => "closed".to_owned(),
        Event::Transaction(_, transaction) => transaction_line(*transaction),
        Event::FileData(..)
        | Event::AppFrame(..)
        | Event::Exchanged(_)
        | Event::Inspect(_)
        | Event::Progress(..)
        | Event::Stream(..)
        | Event::Packet(_)
        | Event::Arp(_) => {
            return None;
        }
        Event::File(_, _, file) => format!("file {} {}", file.size, file.state.name()),
        Event::FlowEnd(flow, reason) => format!("end {reason:?} {}", flow.app.name()),
        Event::Anomaly(_, anomaly) => format!("anomaly {}", anomaly.name()),
    })
}

fn transaction_line(transaction: &dyn Transaction) -> String {
    if let Some(http) = transaction.downcast_ref::<packet::http1::Transaction>() {
        let method = String::from_utf8_lossy(http.method());
        return match http.phase {
            Phase::Request => format!("request {method} {}", http.url()),
            Phase::Complete => {
                let status = http
                    .status
                    .map_or("-".to_owned(), |status| status.to_string());
                let (sent, got) = (http.request_len, http.response_len);
                format!("complete {method} {} {status} {sent}/{got}", http.url())
            }
        };
    }
    if let Some(hello) = transaction.downcast_ref::<packet::tls::Hello>() {
        return format!("{} {}", AppProto::Tls.name(), hello.ja4());
    }
    match transaction.downcast_ref() {
        Some(message) => dns_line(message),
        None => transaction.app().name().to_owned(),
    }
}

fn dns_line(message: &packet::dns::Message) -> String {
    use packet::dns::{Kind, RData};
    let kind = if message.kind == Kind::Query {
        "query"
    } else {
        "answer"
    };
    let mut line = format!("{kind} {}", message.questions[0].name.text());
    for record in &message.answers {
        match &record.data {
            RData::A(address) => line += &format!(" A {address}"),
            RData::Cname(name) => line += &format!(" CNAME {}", name.text()),
            other => line += &format!(" {other:?}"),
        }
    }
    line
}

#[test]
fn who_answers_is_the_server() {
    let answer = b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x01a\x04test\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\x01\x02\x03";
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";
    let start = |ports: (u16, u16), data: &[u8]| {
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let builder = builder.ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64);
        let builder = builder.udp(ports.0, ports.1);
        let mut frame = Vec::new();
        builder.write(&mut frame, data).unwrap();
        let log = run(&[frame], Config::default());
        let dns = log.iter().any(|line| line.contains("test"));
        (dns, log.last().unwrap().clone())
    };
    let ended = |app: &str| format!("end Shutdown {app}");
    assert_eq!(start((53, 4000), answer), (true, ended("dns")));
    assert_eq!(start((4000, 5355), query), (false, ended("failed")));
    assert_eq!(start((4000, 5354), query), (true, ended("dns")));
}
