//! What records say of what rules found: from rules and packets to lines of EVE.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use detect::rules::dataset::Datasets;
use detect::rules::state::Names;
use detect::rules::{Classes, Compiler, Inspector, Options, RuleSet, Vars};
use detect::{Config, IndexBuilder};
use packet::settings::Settings;
use packet::{Frame, LinkType, Way};
use serde_json::Value;
use shield::eve::{Log, Records, WhenFull};
use shield::pipeline::{self, Pipeline};
use shield::sessions::Sessions;
use testkit::capture::{Frames, Segment, flag};

#[test]
fn what_matches_in_packets_names_the_only_transaction_under_way() {
    let rules = r#"
alert tcp any any -> any any (msg:"in the stream"; content:"User-Agent"; sid:1;)
alert http any any -> any any (msg:"of the transaction"; http.uri; content:"/index"; sid:2;)
"#;
    let guesses = Options {
        guesses: true,
        ..Options::default()
    };
    let alerts = of_type(&records(rules, guesses, ALERTS, &request(None)), "alert");
    let [stream, transaction] = &alerts[..] else {
        panic!("{alerts:?}");
    };
    assert_eq!(stream["alert"]["signature_id"], 1);
    assert_eq!(
        (&stream["tx_guessed"], &stream["tx_id"]),
        (&true.into(), &0.into())
    );
    assert_eq!(stream["http"]["url"], "/index.html");
    // what is of a transaction is not guessed
    assert_eq!(transaction["alert"]["signature_id"], 2);
    assert_eq!(
        (transaction.get("tx_guessed"), &transaction["tx_id"]),
        (None, &0.into())
    );
    // and nothing is where nobody asked for it
    let alerts = of_type(
        &records(rules, Options::default(), ALERTS, &request(None)),
        "alert",
    );
    assert!(
        alerts.iter().all(|alert| alert.get("tx_guessed").is_none()),
        "{alerts:?}"
    );
    assert_eq!(alerts.first().unwrap().get("tx_id"), None);
}

#[test]
fn an_alert_shows_where_bytes_of_its_stream_are_missing() {
    let rules = r#"alert tcp any any -> any any (content:"before"; sid:1;)
alert tcp any any -> any any (content:"behind"; sid:2;)"#;
    let options = Options {
        // what is new waits for more
        stream_bytes_min: 2560,
        ..Options::default()
    };
    let shown = |answer: u8| {
        let mut talk = Talk::default();
        talk.handshake();
        talk.client(b"before the gap ");
        talk.lose(7);
        talk.client(b" behind the gap");
        // the server has what was lost
        talk.send(1, flag::ACK | answer, b"");
        talk.client(b"");
        talk.close();
        let alerts = of_type(
            &records(rules, options.clone(), ALERTS, &talk.frames),
            "alert",
        );
        assert!(alerts.iter().all(|alert| alert["stream"] == 1));
        let shown = alerts.iter().map(|alert| {
            let payload = STANDARD.decode(alert["payload"].as_str().unwrap());
            let sid = alert["alert"]["signature_id"].as_u64().unwrap();
            (sid, String::from_utf8(payload.unwrap()).unwrap())
        });
        shown.collect::<Vec<_>>()
    };
    let one = |sid, text: &str| (sid, text.to_owned());
    // both sides of the gap are looked at together where the connection closes
    let all = "before the gap [7 bytes missing] behind the gap";
    assert_eq!(shown(flag::FIN), [one(1, all), one(2, all)]);
    let apart = [
        one(1, "before the gap [7 bytes missing]"),
        one(2, " behind the gap"),
    ];
    assert_eq!(shown(0), apart);
}

#[test]
fn drops_of_a_flow_are_told_once_a_direction_or_each() {
    let rules = r#"drop http any any -> any any (http.uri; content:"/index"; sid:1;)"#;
    let inline = Options {
        inline: true,
        ..Options::default()
    };
    let mut talk = Talk::default();
    talk.handshake();
    talk.client(REQUEST);
    for _ in 0..3 {
        talk.client(b"more");
        talk.server(b"HTTP/1.1 200 OK\r\n\r\n");
    }
    let drops = |flows: &str| {
        let outputs = format!(
            "outputs: [{{eve-log: {{enabled: yes, types: [{{drop: {{flows: {flows}, alerts: yes, verdict: yes}}}}, stats]}}}}]"
        );
        let drops = of_type(
            &records(rules, inline.clone(), &outputs, &talk.frames),
            "drop",
        );
        let told: Vec<_> = drops
            .iter()
            .map(|drop| {
                let reason = drop["drop"]["reason"].as_str().unwrap().to_owned();
                (drop["direction"].as_str().unwrap().to_owned(), reason)
            })
            .collect();
        (told, drops)
    };
    let (start, records) = drops("start");
    let told = |direction: &str, reason: &str| (direction.to_owned(), reason.to_owned());
    assert_eq!(
        start,
        [told("to_server", "rules"), told("to_client", "flow drop")]
    );
    let [first, second] = &records[..] else {
        panic!("{records:?}");
    };
    assert_eq!(first["alert"]["signature_id"], 1);
    assert_eq!(
        (&first["alert"]["action"], &first["verdict"]["action"]),
        (&"blocked".into(), &"drop".into())
    );
    assert!(second.get("alert").is_none(), "no rule matched in it");
    let (all, _) = drops("all");
    assert_eq!(all.len(), 7);
    assert_eq!(
        all.iter()
            .filter(|(_, reason)| reason == "flow drop")
            .count(),
        6
    );
}

#[test]
fn what_does_not_go_on_is_counted_by_why() {
    let rules = r#"drop http any any -> any any (http.uri; content:"/index"; sid:1;)
reject tcp any any -> any any (content:"never"; sid:2;)"#;
    let mut talk = Talk::default();
    talk.handshake();
    talk.client(REQUEST);
    talk.client(b"more");
    talk.server(b"HTTP/1.1 200 OK\r\n\r\n");
    let counted = |inline: bool| {
        let options = Options {
            inline,
            ..Options::default()
        };
        let (_, counters) = run(rules, options, ALERTS, &talk.frames);
        move |name: &str| {
            counters
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, count)| *count)
        }
    };
    let count = counted(true);
    assert_eq!(count("ips.accepted"), Some(3), "the handshake");
    assert_eq!(
        (count("ips.blocked"), count("ips.rejected")),
        (Some(3), Some(0))
    );
    assert_eq!(count("ips.drop_reason.rules"), Some(1));
    assert_eq!(count("ips.drop_reason.flow_drop"), Some(2));
    assert_eq!(
        counted(false)("ips.accepted"),
        None,
        "nothing goes through here"
    );
}

/// Alerts with the bytes that were looked at.
const ALERTS: &str =
    "outputs: [{eve-log: {enabled: yes, types: [{alert: {payload: yes, metadata: yes}}]}}]";
const REQUEST: &[u8] = b"GET /index.html HTTP/1.1\r\nHost: www.example\r\nUser-Agent: test\r\n\r\n";

fn request(answer: Option<&[u8]>) -> Frames {
    let mut talk = Talk::default();
    talk.handshake();
    talk.client(REQUEST);
    talk.server(answer.unwrap_or(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"));
    talk.close();
    talk.frames
}

fn of_type(records: &[Value], event_type: &str) -> Vec<Value> {
    let of = records
        .iter()
        .filter(|record| record["event_type"] == event_type);
    of.cloned().collect()
}

fn records(rules: &str, options: Options, outputs: &str, frames: &Frames) -> Vec<Value> {
    run(rules, options, outputs, frames).0
}

type Counters = Vec<(&'static str, u64)>;

fn run(rules: &str, options: Options, outputs: &str, frames: &Frames) -> (Vec<Value>, Counters) {
    let settings = Settings::parse(outputs).unwrap();
    let sink = Lines::default();
    let open = |_: &str| Ok(Box::new(sink.clone()) as Box<dyn Write + Send>);
    let log = Log::new(Records::from_settings(&settings), WhenFull::Wait, open).unwrap();
    let config = pipeline::Config {
        detect: Config::default(),
        sensor: packet::Config {
            inspect: true,
            inline: options.inline,
            ..packet::Config::default()
        },
    };
    let index = Arc::new(IndexBuilder::new().build());
    let mut pipeline = Pipeline::new(config, index, Arc::new(Sessions::new(10)))
        .with_log(log)
        .with_rules(Some(Inspector::new(options, compiled(rules))));
    let mut last_ns = 0;
    for (ts_ns, data) in frames.iter() {
        last_ns = ts_ns;
        let frame = Frame {
            ts_ns,
            link: LinkType::Ethernet,
            data,
            wire_len: u32::try_from(data.len()).unwrap(),
            way: Way::Unknown,
        };
        pipeline.packet(&frame, ts_ns, &mut |_| {});
    }
    pipeline.finish(last_ns, last_ns, &mut |_| {});
    let counters = pipeline.counters();
    pipeline.close().unwrap();
    let bytes = std::mem::take(&mut *sink.0.lock().unwrap());
    let text = String::from_utf8(bytes).unwrap();
    let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (records.collect(), counters)
}

fn compiled(text: &str) -> Arc<RuleSet> {
    let mut names = Names::default();
    let none = |_: &str| None;
    let sets = Datasets::default();
    let mut compiler = Compiler::new(Vars::usual(), Classes::default(), &mut names, sets, &none);
    compiler.file("test", text);
    assert!(
        compiler.diagnostics().is_empty(),
        "{:?}",
        compiler.diagnostics()
    );
    Arc::new(compiler.finish())
}

/// A connection of one client and one server, segment by segment.
struct Talk {
    frames: Frames,
    at_ns: u64,
    /// The next sequence numbers of client and server.
    next: [u32; 2],
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            frames: Frames::default(),
            at_ns: 1_700_000_000_000_000_000,
            next: [1_000, 9_000],
        }
    }
}

impl Talk {
    fn handshake(&mut self) {
        self.send(0, flag::SYN, b"");
        self.send(1, flag::SYN | flag::ACK, b"");
        self.send(0, flag::ACK, b"");
    }

    fn client(&mut self, data: &[u8]) {
        self.send(0, flag::ACK | flag::PSH, data);
    }

    fn server(&mut self, data: &[u8]) {
        self.send(1, flag::ACK | flag::PSH, data);
    }

    /// Bytes of the client that nobody sees, though the server has them.
    fn lose(&mut self, bytes: u32) {
        self.next[0] += bytes;
    }

    fn close(&mut self) {
        self.send(0, flag::FIN | flag::ACK, b"");
        self.send(1, flag::FIN | flag::ACK, b"");
        self.send(0, flag::ACK, b"");
    }

    fn send(&mut self, side: usize, flags: u8, payload: &[u8]) {
        let ends: [SocketAddr; 2] = [
            "192.0.2.9:40000".parse().unwrap(),
            "198.51.100.80:80".parse().unwrap(),
        ];
        self.at_ns += 1_000_000;
        let is_first = flags == flag::SYN;
        let segment = Segment {
            seq: self.next[side],
            ack: if is_first { 0 } else { self.next[1 - side] },
            flags,
            timestamp: None,
            payload,
        };
        self.frames
            .tcp(self.at_ns, ends[side], ends[1 - side], &segment);
        let counted = flags & (flag::SYN | flag::FIN) != 0;
        self.next[side] += u32::try_from(payload.len()).unwrap() + u32::from(counted);
    }
}

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
