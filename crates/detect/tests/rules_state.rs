//! What rules remember, compared with what Suricata 8.0.6 did for the same packets.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::net::IpAddr;

use detect::rules::state::flowbits::FlowBit;
use detect::rules::state::flowint::FlowInt;
use detect::rules::state::hostbits::{HostBit, parse_hostbits, parse_xbits};
use detect::rules::state::threshold::{parse, parse_detection_filter};
use detect::rules::state::{
    Ends, Filter, FlowBits, FlowInts, GlobalThresholds, HostBits, Judgement, Names, RuleKey,
    Thresholds, flowbits, flowint,
};
use packet::FlowId;

const STATE: &str = include_str!("../../../tests/rules/state/programs.txt");
const THRESHOLDS: &str = include_str!("../../../tests/rules/thresholds/programs.txt");

/// A match: when, between whom, and what follows on its line.
struct Packet<'a> {
    now_ns: u64,
    ends: Ends,
    rest: &'a str,
}

fn packet(line: &str) -> Packet<'_> {
    let mut fields = line.splitn(4, ' ');
    let mut number = || fields.next().unwrap().parse::<u64>().unwrap();
    let now_ns = number().checked_mul(1_000_000).unwrap();
    let mut address = || IpAddr::from([10, 0, 0, number().try_into().unwrap()]);
    let ends = Ends {
        src: address(),
        dst: address(),
    };
    let rest = fields.next().unwrap();
    Packet { now_ns, ends, rest }
}

/// The packets between two addresses are one flow.
fn pair(ends: Ends) -> (IpAddr, IpAddr) {
    (ends.src.min(ends.dst), ends.src.max(ends.dst))
}

fn programs(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").skip(1)
}

#[derive(Default)]
struct Rule {
    bits: Vec<FlowBit>,
    ints: Vec<FlowInt>,
    hosts: Vec<HostBit>,
}

fn rule(options: &str, names: &mut Names) -> Rule {
    let mut rule = Rule::default();
    for option in options.split("; ") {
        let (keyword, value) = option.split_once(':').unwrap();
        match keyword {
            "flowbits" => rule.bits.push(flowbits::parse(value, names).unwrap()),
            "flowint" => rule.ints.push(flowint::parse(value, names).unwrap()),
            "xbits" => rule.hosts.push(parse_xbits(value, names).unwrap()),
            _ => rule.hosts.push(parse_hostbits(value, names).unwrap()),
        }
    }
    rule
}

#[test]
fn bits_and_numbers() {
    let mut packets = 0;
    for program in programs(STATE) {
        let (mut names, mut hosts) = (Names::default(), HostBits::new(1_000));
        let mut flows: HashMap<_, (FlowBits, FlowInts)> = HashMap::new();
        for line in program.lines() {
            let Packet { now_ns, ends, rest } = packet(line);
            let (expected, options) = rest.split_once(' ').unwrap();
            let rule = rule(options, &mut names);
            let (bits, ints) = flows.entry(pair(ends)).or_default();
            let matches = rule.bits.iter().all(|option| bits.check(option))
                && rule.ints.iter().all(|option| ints.check(option))
                && rule
                    .hosts
                    .iter()
                    .all(|option| hosts.check(option, ends, None, now_ns));
            if matches {
                assert!(rule.bits.iter().all(|option| bits.apply(option)));
                assert!(rule.ints.iter().all(|option| ints.apply(option)));
                for option in &rule.hosts {
                    hosts.apply(option, ends, None, now_ns);
                }
            }
            assert_eq!(matches, expected == "yes", "{line}");
            packets += 1;
        }
    }
    assert_eq!(packets, 400);
}

fn filter(head: &str, rule: RuleKey) -> Filter {
    let (keyword, value) = head.split_once(": ").unwrap();
    let own = match keyword {
        "threshold" => Some(parse(value).unwrap()),
        "detection_filter" => Some(parse_detection_filter(value).unwrap()),
        _ => None,
    };
    let file = match keyword {
        "rate_filter" => format!("rate_filter gen_id 1, sig_id 1, {value}"),
        _ => String::new(),
    };
    let (global, errors) = GlobalThresholds::parse(&file, &|_| None);
    assert_eq!(errors, []);
    global.filter(rule, own)
}

#[test]
fn thresholds() {
    let rule = RuleKey { gid: 1, sid: 1 };
    let mut packets = 0;
    for program in programs(THRESHOLDS) {
        let mut lines = program.lines();
        let head = lines.next().unwrap();
        let (filter, mut thresholds) = (filter(head, rule), Thresholds::new(1_000));
        let mut flows = Vec::new();
        for line in lines {
            let Packet { now_ns, ends, rest } = packet(line);
            let flow = pair(ends);
            if !flows.contains(&flow) {
                flows.push(flow);
            }
            let flow = flows.iter().position(|have| *have == flow).unwrap();
            let flow = Some(FlowId(flow as u64));
            let done = match filter.judge(&mut thresholds, rule, ends, flow, now_ns) {
                Judgement::Alert => "alert",
                Judgement::NewAction { alert: true, .. } => "drop",
                Judgement::NewAction { .. } | Judgement::Silent | Judgement::NoMatch => "none",
            };
            assert_eq!(done, rest, "{head}\n{line}");
            packets += 1;
        }
    }
    assert_eq!(packets, 36 * 40);
}
