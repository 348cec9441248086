//! Sessions and verdicts from frames.

mod models;
mod rules;

use std::net::SocketAddr;

use detect::{EvidenceClass, IndexBuilder, SourceKey};
use packet::{LinkType, Way};
use stix::StixId;
use testkit::capture::{Frames, Segment, flag};

use super::*;
use crate::guard::Standings;

const SECOND_NS: u64 = 1_000_000_000;
const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: www.victim.example\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn a_session_counts_once_both_sides_spoke() {
    let mut net = Net::new("");
    net.handshake("203.0.113.20:1");
    assert_eq!(net.standing("203.0.113.20"), (0, 0));
    net.request("203.0.113.20:1", GET);
    assert_eq!(net.standing("203.0.113.20"), (0, 0));
    net.answer("203.0.113.20:1", GET, ANSWER);
    assert_eq!(net.standing("203.0.113.20"), (1, 1));
    net.close("203.0.113.20:1", GET, ANSWER);
    assert_eq!(net.standing("203.0.113.20"), (1, 0));
}

#[test]
fn a_session_of_an_unknown_protocol_counts_like_any_other() {
    let mut net = Net::new("");
    net.session("203.0.113.20:1", b"\x00\x01binary", b"\x02\x03back");
    assert_eq!(net.standing("203.0.113.20"), (1, 1));
}

#[test]
fn a_forged_session_does_not_count() {
    let mut net = Net::new("");
    let (client, server) = (at("203.0.113.20:1"), at("10.2.0.10:80"));
    net.segment(client, server, 100, 0, flag::SYN, b"");
    net.segment(client, server, 101, 4242, flag::ACK | flag::PSH, GET);
    net.segment(client, server, 146, 4242, flag::ACK | flag::FIN, b"");
    net.tick();
    net.finish();
    assert_eq!(net.standing("203.0.113.20"), (0, 0));
}

#[test]
fn a_convicted_session_does_not_count_and_others_of_its_source_do() {
    let mut net = Net::new("[url:value = 'http://www.victim.example/x']");
    net.session(
        "203.0.113.20:1",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ANSWER,
    );
    net.session("203.0.113.20:2", GET, ANSWER);
    assert_eq!(net.verdicts.len(), 1);
    assert_eq!(net.standing("203.0.113.20"), (1, 1));
    net.finish();
    assert_eq!(net.standing("203.0.113.20"), (1, 0));
}

#[test]
fn a_flow_convicted_by_others_stays_out() {
    let mut net = Net::new("");
    net.handshake("203.0.113.20:1");
    net.pipeline.convict(FlowId(1));
    net.request("203.0.113.20:1", GET);
    net.answer("203.0.113.20:1", GET, ANSWER);
    net.finish();
    assert_eq!(net.standing("203.0.113.20"), (0, 0));
}

#[test]
fn a_server_that_we_use_has_standing_too() {
    let mut net = Net::new("");
    net.session_between("10.2.0.77:5000", "203.0.113.80:80", GET, ANSWER);
    let standing = net
        .sessions
        .standing(&"203.0.113.80/32".parse().unwrap(), net.now_ns);
    assert_eq!(standing.recent, 1);
    // Oriented as the packets that a block of that source would hit.
    assert_eq!(
        (standing.open[0].src_port, standing.open[0].dst_port),
        (80, 5000)
    );
    assert_eq!(net.standing("10.2.0.77"), (0, 0));
}

#[test]
fn a_new_index_and_forgiveness_count_from_the_next_packet() {
    let mut net = Net::new("");
    net.session("203.0.113.9:1", GET, ANSWER);
    net.pipeline
        .set_index(index("[url:value = 'http://www.victim.example/x']"));
    net.session("203.0.113.9:2", GET, ANSWER);
    net.session("203.0.113.9:3", GET, ANSWER);
    assert_eq!(net.verdicts.len(), 1, "quiet after the first");
    assert_eq!(net.verdicts[0].evidence, EvidenceClass::Exploit);
    net.pipeline.forgive("203.0.113.9".parse().unwrap());
    net.session("203.0.113.9:4", GET, ANSWER);
    assert_eq!(net.verdicts.len(), 2);
}

#[test]
fn counters_name_their_part() {
    let mut net = Net::new("");
    net.session("203.0.113.9:1", GET, ANSWER);
    let counters = net.pipeline.counters();
    let of = |name| {
        counters
            .iter()
            .find(|(have, _)| *have == name)
            .map(|(_, value)| *value)
    };
    assert_eq!(
        (of("pipeline.frames"), of("flow.total")),
        (Some(5), Some(1))
    );
    assert_eq!(of("sessions.opened"), Some(1));
    assert!(counters.iter().all(|(name, _)| name.contains('.')));
}

/// A pipeline at our border, and one millisecond between frames.
struct Net {
    pipeline: Pipeline,
    sessions: Arc<Sessions>,
    now_ns: u64,
    verdicts: Vec<Verdict>,
}

impl Net {
    fn new(pattern: &str) -> Self {
        let home = vec!["10.2.0.0/24".parse().unwrap()];
        let detect = detect::Config {
            home,
            ..detect::Config::default()
        };
        let config = Config {
            detect,
            ..Config::default()
        };
        let sessions = Arc::new(Sessions::new(100));
        let pipeline = Pipeline::new(config, index(pattern), Arc::clone(&sessions));
        Self {
            pipeline,
            sessions,
            now_ns: 1_700_000_000 * SECOND_NS,
            verdicts: Vec::new(),
        }
    }

    fn session(&mut self, client: &str, request: &[u8], answer: &[u8]) {
        self.session_between(client, "10.2.0.10:80", request, answer);
    }

    fn session_between(&mut self, client: &str, server: &str, request: &[u8], answer: &[u8]) {
        let (client, server) = (at(client), at(server));
        let end = 101 + len(request);
        self.segment(client, server, 100, 0, flag::SYN, b"");
        self.segment(server, client, 900, 101, flag::SYN | flag::ACK, b"");
        self.segment(client, server, 101, 901, flag::ACK, b"");
        self.segment(client, server, 101, 901, flag::ACK | flag::PSH, request);
        self.segment(server, client, 901, end, flag::ACK | flag::PSH, answer);
    }

    fn handshake(&mut self, client: &str) {
        let (client, server) = (at(client), at("10.2.0.10:80"));
        self.segment(client, server, 100, 0, flag::SYN, b"");
        self.segment(server, client, 900, 101, flag::SYN | flag::ACK, b"");
        self.segment(client, server, 101, 901, flag::ACK, b"");
    }

    fn request(&mut self, client: &str, request: &[u8]) {
        self.segment(
            at(client),
            at("10.2.0.10:80"),
            101,
            901,
            flag::ACK | flag::PSH,
            request,
        );
    }

    fn answer(&mut self, client: &str, request: &[u8], answer: &[u8]) {
        let end = 101 + len(request);
        self.segment(
            at("10.2.0.10:80"),
            at(client),
            901,
            end,
            flag::ACK | flag::PSH,
            answer,
        );
    }

    fn close(&mut self, client: &str, request: &[u8], answer: &[u8]) {
        let (client, server) = (at(client), at("10.2.0.10:80"));
        let (sent, answered) = (101 + len(request), 901 + len(answer));
        self.segment(client, server, sent, answered, flag::ACK | flag::FIN, b"");
        self.segment(
            server,
            client,
            answered,
            sent + 1,
            flag::ACK | flag::FIN,
            b"",
        );
        self.segment(client, server, sent + 1, answered + 1, flag::ACK, b"");
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
        let mut frames = Frames::default();
        frames.tcp(
            self.now_ns,
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
        let (verdicts, now_ns) = (&mut self.verdicts, self.now_ns);
        for (ts_ns, data) in frames.iter() {
            let frame = Frame {
                ts_ns,
                link: LinkType::Ethernet,
                data,
                wire_len: len(data),
                way: Way::Unknown,
            };
            self.pipeline.packet(&frame, now_ns, &mut |verdict| {
                verdicts.push(verdict.clone())
            });
        }
    }

    fn tick(&mut self) {
        let verdicts = &mut self.verdicts;
        let now_ns = self.now_ns;
        self.pipeline.tick(now_ns, now_ns, &mut |verdict| {
            verdicts.push(verdict.clone())
        });
    }

    fn finish(&mut self) {
        let verdicts = &mut self.verdicts;
        let now_ns = self.now_ns;
        self.pipeline.finish(now_ns, now_ns, &mut |verdict| {
            verdicts.push(verdict.clone())
        });
    }

    fn standing(&self, source: &str) -> (u32, usize) {
        let net = IpAddr::into(source.parse().unwrap());
        let standing = self.sessions.standing(&net, self.now_ns);
        (standing.recent, standing.open.len())
    }
}

fn index(pattern: &str) -> Arc<Index> {
    let mut builder = IndexBuilder::new();
    if !pattern.is_empty() {
        let key = SourceKey {
            source: "alpha".into(),
            id: StixId::v5("indicator", pattern),
        };
        assert_eq!(
            builder.add(key, 80, &stix::pattern::parse(pattern).unwrap()),
            []
        );
    }
    Arc::new(builder.build())
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}
