//! Scan scenarios from synthetic packet events: what is a scan, who did it, and how sure that is.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod behaviour;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use detect::{Config, Detector, EvidenceClass, Index, Verdict};
use packet::{Direction, Event, FiveTuple, Flow, FlowId, FlowState, Outcome, Proto, SynTraits};

const MS: u64 = 1_000_000;
const START_NS: u64 = 1_700_000_000_000 * MS;
const SERVER: [u8; 4] = [10, 2, 0, 10];
const ATTACKER: [u8; 4] = [198, 51, 100, 66];
const BYSTANDER: [u8; 4] = [203, 0, 113, 7];

#[test]
fn a_connect_scan_is_path_proven_at_the_fourth_open_service() {
    let mut net = Net::new();
    for port in 20..30 {
        net.connect(ATTACKER, SERVER, port, 0);
        assert_eq!(net.proven(ATTACKER).is_some(), port >= 23, "port {port}");
        net.refused(ATTACKER, SERVER, 1000 + port);
    }
    let verdict = net.proven(ATTACKER).unwrap();
    assert_eq!(verdict.detector, "scan-trw@1");
    assert_eq!(verdict.offender, Some(ATTACKER.into()));
    assert_eq!(verdict.reasons[0].buffer, "ip.src");
    assert_eq!(*verdict.reasons[0].matched, ATTACKER);
    assert_eq!(verdict.count, 4);
}

#[test]
fn a_syn_scan_is_unproven() {
    let mut net = Net::new();
    net.syn_scan(ATTACKER, 1..200, &[22, 25, 53, 80, 110, 143]);
    assert_eq!(net.proven(ATTACKER), None);
    assert!(net.unproven(ATTACKER).is_some());
}

#[test]
fn a_scan_in_a_bystanders_name_is_never_path_proven() {
    let mut net = Net::new();
    for round in 0..50 {
        net.connect(BYSTANDER, SERVER, 443, 1200);
        net.connect(BYSTANDER, [10, 2, 0, 11], 80, 300);
        net.connect(BYSTANDER, SERVER, 25, 0);
        net.syn_scan(
            BYSTANDER,
            1000 + round * 100..1100 + round * 100,
            &[1001, 1002, 1003, 1004],
        );
    }
    assert_eq!(net.proven(BYSTANDER), None);
    assert!(net.unproven(BYSTANDER).is_some());
}

#[test]
fn a_health_check_that_says_nothing_is_one_contact() {
    let mut net = Net::new();
    for _ in 0..500 {
        net.connect(BYSTANDER, SERVER, 443, 0);
        net.connect(BYSTANDER, SERVER, 80, 0);
        net.connect(BYSTANDER, SERVER, 25, 0);
    }
    assert_eq!(net.verdicts, []);
}

#[test]
fn a_server_that_hangs_up_makes_no_scanner_of_its_clients() {
    let mut net = Net::new();
    for port in 1000..1100 {
        let mut flow = net.syn(BYSTANDER, SERVER, port);
        (flow.client_proven, flow.state) = (true, FlowState::Closed);
        net.event(&Event::Closed(&flow, Direction::ToClient));
    }
    assert_eq!(net.verdicts, []);
}

#[test]
fn proof_that_comes_later_upgrades_the_verdict() {
    let mut net = Net::new();
    net.syn_scan(ATTACKER, 20..26, &[]);
    let first = net.verdicts.len();
    assert_eq!((first, net.proven(ATTACKER)), (1, None));
    for port in 440..444 {
        net.connect(ATTACKER, SERVER, port, 0);
    }
    assert_eq!(net.verdicts.len(), first + 1);
    assert_eq!(net.proven(ATTACKER).unwrap().count, 4);
}

#[test]
fn a_session_that_nobody_proved_counts_for_nothing() {
    let mut net = Net::new();
    for port in 1000..1100 {
        let mut flow = net.syn(ATTACKER, SERVER, port);
        flow.state = FlowState::Closed;
        net.event(&Event::Closed(&flow, Direction::ToServer));
    }
    assert_eq!(net.verdicts, []);
}

#[test]
fn one_verdict_per_class_then_quiet_for_a_while() {
    let mut net = Net::new();
    for port in 1000..1900 {
        net.connect(ATTACKER, SERVER, port, 0);
        net.refused(ATTACKER, [10, 2, 0, 11], port);
    }
    // 900 empty sessions in 18 s: one verdict of a class in ten seconds.
    assert!(net.verdicts.len() <= 4, "{}", net.verdicts.len());
    assert!(net.counter("scan.verdicts_quieted") > 800);
}

#[test]
fn a_client_that_retries_one_closed_port_is_benign() {
    let mut net = Net::new();
    for _ in 0..500 {
        net.refused(BYSTANDER, SERVER, 8443);
        net.outcome_of(BYSTANDER, SERVER, 8444, Outcome::Unanswered);
    }
    assert_eq!(net.verdicts, []);
}

#[test]
fn a_busy_shared_address_with_some_failures_is_benign() {
    let mut net = Net::new();
    // 20,000 contacts of hosts behind one address, of which one in ten fails.
    for number in 0..2_000u32 {
        for contact in 0..9u32 {
            net.connect(
                BYSTANDER,
                [10, 2, (number % 200) as u8, contact as u8],
                443 + number as u16,
                500,
            );
        }
        match number % 2 {
            0 => net.refused(BYSTANDER, SERVER, 1024 + number as u16),
            _ => net.connect(BYSTANDER, SERVER, 1024 + number as u16, 0),
        }
    }
    assert_eq!(net.verdicts, []);
}

#[test]
fn a_server_that_is_down_makes_no_scanner_of_its_clients() {
    let mut net = Net::new();
    let ports = [25, 80, 110, 143, 443, 465, 587, 993, 995];
    for port in ports {
        net.connect([203, 0, 113, 200], SERVER, port, 100);
    }
    for client in 0..100 {
        for port in ports {
            net.refused([203, 0, 113, client], SERVER, port);
        }
    }
    assert_eq!(net.verdicts, []);
}

#[test]
fn a_forgiven_source_starts_anew() {
    let mut net = Net::new();
    for port in 20..30 {
        net.connect(ATTACKER, SERVER, port, 0);
    }
    net.verdicts.clear();
    net.now_ns += 60_000 * MS;
    net.detector.forgive(ATTACKER.into());
    for port in 40..43 {
        net.connect(ATTACKER, SERVER, port, 0);
    }
    assert_eq!(net.verdicts, []);
    net.connect(ATTACKER, SERVER, 43, 0);
    assert!(net.proven(ATTACKER).is_some());
}

#[test]
fn only_what_goes_home_is_judged() {
    let mut net = Net::with_home("10.2.0.0/16");
    for port in 1000..1100 {
        net.outcome_of([10, 2, 0, 50], [192, 0, 2, 1], port, Outcome::Unanswered);
        net.connect([10, 2, 0, 50], [192, 0, 2, 1], port, 0);
    }
    assert_eq!(net.verdicts, []);
    net.syn_scan(ATTACKER, 1..50, &[]);
    assert!(net.unproven(ATTACKER).is_some());
}

#[test]
fn a_million_forged_sources_neither_fill_memory_nor_push_out_a_proven_one() {
    let mut net = Net::new();
    for port in 20..23 {
        net.connect(ATTACKER, SERVER, port, 0);
    }
    for number in 0..1_000_000u32 {
        net.refused((0x3000_0000 + number).to_be_bytes(), SERVER, 81);
    }
    assert_eq!(net.verdicts, []);
    assert_eq!(net.counter("scan.sources"), 65_536 + 1);
    net.now_ns -= 10_000 * 1000 * MS;
    net.connect(ATTACKER, SERVER, 23, 0);
    assert!(net.proven(ATTACKER).is_some());
}

/// A sensor's view of hosts that talk to our servers: ten milliseconds between attempts.
struct Net {
    detector: Detector,
    now_ns: u64,
    flows: u64,
    verdicts: Vec<Verdict>,
}

impl Net {
    fn new() -> Self {
        Self::with_config(Config::default())
    }

    fn with_home(home: &str) -> Self {
        Self::with_config(Config {
            home: vec![home.parse().unwrap()],
            ..Config::default()
        })
    }

    fn with_config(config: Config) -> Self {
        let detector = Detector::new(config, Arc::new(Index::default()));
        Self {
            detector,
            now_ns: START_NS,
            flows: 0,
            verdicts: Vec::new(),
        }
    }

    /// A whole connection, in which the client says `payload_bytes`.
    fn connect(&mut self, client: [u8; 4], server: [u8; 4], port: u16, payload_bytes: u64) {
        let mut flow = self.syn(client, server, port);
        self.outcome(&flow, Outcome::Accepted);
        (flow.client_proven, flow.server_proven) = (true, true);
        flow.state = FlowState::Established;
        self.event(&Event::Proven(&flow));
        flow.to_server.payload_bytes = payload_bytes;
        flow.state = FlowState::Closed;
        self.event(&Event::Closed(&flow, Direction::ToServer));
    }

    fn refused(&mut self, client: [u8; 4], server: [u8; 4], port: u16) {
        self.outcome_of(client, server, port, Outcome::Refused);
    }

    fn outcome_of(&mut self, client: [u8; 4], server: [u8; 4], port: u16, outcome: Outcome) {
        let flow = self.syn(client, server, port);
        self.outcome(&flow, outcome);
    }

    /// SYNs whose sender never answers a SYN/ACK, or resets it.
    fn syn_scan(&mut self, client: [u8; 4], ports: std::ops::Range<u16>, open: &[u16]) {
        for port in ports {
            let mut flow = self.syn(client, SERVER, port);
            let outcome = match open.contains(&port) {
                true => Outcome::Accepted,
                false => Outcome::Refused,
            };
            self.outcome(&flow, outcome);
            flow.state = FlowState::Closed;
            self.event(&Event::Closed(&flow, Direction::ToServer));
        }
    }

    fn syn(&mut self, client: [u8; 4], server: [u8; 4], port: u16) -> Flow {
        self.now_ns += 10 * MS;
        self.flows += 1;
        let flow = flow(self.flows, client, server, port, self.now_ns);
        self.event(&Event::FlowStart(&flow));
        flow
    }

    fn outcome(&mut self, flow: &Flow, outcome: Outcome) {
        self.event(&Event::Attempt(flow, outcome));
    }

    fn event(&mut self, event: &Event<'_>) {
        self.detector.event(event, self.now_ns, &mut self.verdicts);
    }

    fn proven(&self, address: [u8; 4]) -> Option<&Verdict> {
        self.of(address, EvidenceClass::PathProven)
    }

    fn unproven(&self, address: [u8; 4]) -> Option<&Verdict> {
        self.of(address, EvidenceClass::Unproven)
    }

    fn of(&self, address: [u8; 4], evidence: EvidenceClass) -> Option<&Verdict> {
        let offender = Some(IpAddr::from(address));
        let is = |verdict: &&Verdict| verdict.offender == offender && verdict.evidence == evidence;
        self.verdicts.iter().find(is)
    }

    fn counter(&self, name: &str) -> u64 {
        self.detector
            .counters()
            .iter()
            .find(|(have, _)| *have == name)
            .unwrap()
            .1
    }
}

fn flow(id: u64, client: [u8; 4], server: [u8; 4], port: u16, start_ns: u64) -> Flow {
    let tuple = FiveTuple {
        src: Ipv4Addr::from(client).into(),
        src_port: 40_000,
        dst: Ipv4Addr::from(server).into(),
        dst_port: port,
        proto: Proto::Tcp,
    };
    let syn = SynTraits {
        ttl: 64,
        window: 64_240,
        mss: Some(1460),
        wscale: Some(7),
        timestamp: None,
        options_hash: 0,
    };
    Flow {
        syn: Some(syn),
        ..Flow::new(
            FlowId(id),
            tuple,
            packet::decode::Vlans::default(),
            start_ns,
        )
    }
}
