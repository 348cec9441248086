//! Sets of rules that are made of others, and literals that are looked for in some places alone: the
//! same alerts as where all is compiled together, and looked for everywhere.

mod common;

use std::sync::Arc;

use common::{compile, frame, http, sids};
use detect::rules::state::Names;
use detect::rules::{Inspector, Options, RuleSet};
use packet::{Config, Sensor};
use testkit::conversation::Plan;

const RULES: &str = r#"
alert http any any -> any any (flowbits:isset,seen; http.stat_code; content:"200"; sid:1;)
alert tcp any any -> any 80 (content:"User-Agent"; sid:2;)
alert tcp any any -> any any (content:"the response"; sid:3;)
alert tcp any 80 -> any any (content:"this body"; sid:4;)
"#;

#[test]
fn a_set_with_a_rule_more_alerts_as_one_compiled_whole() {
    let more = [
        // bits that an earlier rule asks for, and rules of all kinds
        r#"alert http any any -> any any (http.method; content:"GET"; flowbits:set,seen; flowbits:noalert; sid:9;)"#,
        r#"alert tcp any any -> any any (content:"/index"; offset:4; depth:6; sid:9;)"#,
        r#"pass http any any -> any any (http.uri; content:"/index"; sid:9;)"#,
        r#"alert ip 10.0.0.0/8 any -> any any (sid:9;)"#,
        r#"alert http any any -> any any (file.data; content:"body"; sid:9;)"#,
        // in place of an earlier one
        r#"alert tcp any any -> any any (content:"the answer"; sid:3;)"#,
    ];
    for rule in more {
        let mut names = Names::default();
        let base = compile(RULES, &mut names).finish();
        let set = compile(rule, &mut names).finish_onto(&base).unwrap();
        let others = RULES
            .lines()
            .filter(|line| !(rule.contains("sid:3;") && line.contains("sid:3;")));
        let whole: String = others
            .chain([rule])
            .map(|line| format!("{line}\n"))
            .collect();
        let whole = compile(&whole, &mut Names::default()).finish();
        assert_eq!(set.len(), whole.len(), "{rule}");
        assert_eq!(alerts(&Arc::new(set)), alerts(&Arc::new(whole)), "{rule}");
    }
}

#[test]
fn rules_are_taken_out_and_come_back() {
    let mut names = Names::default();
    let base = compile(RULES, &mut names).finish();
    assert_eq!(alerts(&Arc::new(base.without(|_| false))), [2, 3, 4]);
    let fewer = base.without(|rule| rule.id.sid > 2);
    assert_eq!(fewer.len(), 2);
    assert_eq!(
        alerts(&Arc::new(base)),
        [2, 3, 4],
        "what it was made of is as it was"
    );
    let rule = r#"alert tcp any any -> any any (content:"the response"; sid:3;)"#;
    let again = compile(rule, &mut names).finish_onto(&fewer).unwrap();
    assert_eq!(alerts(&Arc::new(fewer)), [2]);
    let changed = compile(&rule.replace("response", "answer"), &mut names);
    let changed = changed.finish_onto(&again).unwrap();
    assert_eq!(alerts(&Arc::new(again)), [2, 3]);
    assert_eq!(alerts(&Arc::new(changed)), [2]);
}

#[test]
fn what_costs_as_much_as_all_is_compiled_with_all() {
    let mut names = Names::default();
    let base = compile(RULES, &mut names).finish();
    let many: String = (10..1_100)
        .map(|sid| format!("alert tcp any any -> any any (content:\"word{sid}\"; sid:{sid};)\n"))
        .collect();
    assert!(compile(&many, &mut names).finish_onto(&base).is_none());
    let of_set = r#"alert dns any any -> any any (dns.query; dataset:set,new,type string; sid:9;)"#;
    assert!(compile(of_set, &mut names).finish_onto(&base).is_none());
}

#[test]
fn a_flow_goes_on_when_a_rule_is_added() {
    let mut names = Names::default();
    let base = Arc::new(compile(RULES, &mut names).finish());
    let rule = r#"alert http any any -> any any (http.stat_code; content:"200"; sid:9;)"#;
    let set = Arc::new(compile(rule, &mut names).finish_onto(&base).unwrap());
    let frames = http().tcp(80, Plan::WHOLE);
    for swap in 0..frames.iter().count() {
        let mut found = run(&base, Plan::WHOLE, Some((swap, &set)));
        found.retain(|sid| *sid != 9);
        assert_eq!(found, [2, 3, 4], "swapped before packet {swap}");
    }
}

#[test]
fn what_held_of_a_rule_is_forgotten_with_it() {
    let (part, other) = (
        r#"alert http any any -> any any (file.name; content:"index"; fast_pattern; file.data; content:"not there"; sid:1;)"#,
        r#"alert http any any -> any any (file.data; content:"not there"; file.data; content:"body"; fast_pattern; sid:2;)"#,
    );
    let mut names = Names::default();
    let set = Arc::new(compile(part, &mut names).finish());
    let other = Arc::new(compile(other, &mut names).finish());
    let plan = Plan {
        segment_bytes_max: 7,
        ..Plan::WHOLE
    };
    for swap in 0..http().tcp(80, plan).iter().count() {
        let found = run(&set, plan, Some((swap, &other)));
        assert!(found.is_empty(), "swapped before packet {swap}: {found:?}");
    }
}

#[test]
fn literals_are_looked_for_where_rules_say() {
    // near the start, behind it, on its port, on another, of few and of many bytes
    let rules = r#"
alert tcp any any -> any 80 (content:"GET"; depth:3; sid:1;)
alert tcp any any -> any 81 (content:"GET"; depth:3; sid:2;)
alert tcp any any -> any [80,8000:9000] (content:"/i"; offset:4; depth:2; sid:3;)
alert tcp any any -> any ![80] (content:"/index"; sid:4;)
alert tcp any 80 -> any any (content:"the response"; sid:5;)
alert tcp any any <> any 80 (content:"the response is this"; sid:6;)
alert tcp any any -> any 1:1000 (content:"x"; sid:7;)
alert tcp any any -> any 1:2000 (content:"x=1"; sid:8;)
alert tcp any 80 -> any any (content:"the response"; depth:300; sid:9;)
alert tcp any any -> any 80 (content:"test"; depth:10; sid:10;)
"#;
    let set = Arc::new(compile(rules, &mut Names::default()).finish());
    assert_eq!(alerts(&set), [1, 3, 5, 6, 7, 8, 9]);
}

#[test]
fn rules_of_addresses_are_found_by_them() {
    let frames = http().tcp(80, Plan::WHOLE);
    let mut ends = Vec::new();
    let mut sensor = Sensor::new(Config::default());
    for (ts_ns, data) in frames.iter() {
        sensor.packet(&frame(ts_ns, data), &mut |event| {
            if let packet::Event::FlowStart(flow) = event {
                ends = vec![flow.tuple.src, flow.tuple.dst];
            }
        });
    }
    let [client, server] = ends[..] else {
        panic!("a flow begins");
    };
    let rules = format!(
        "alert tcp {client} any -> any any (sid:1;)
alert tcp any any -> {server} any (sid:2;)
alert tcp 203.0.113.7 any -> any any (sid:3;)
alert tcp !{client} any -> {client} any (sid:4;)
alert tcp {client} any <> 203.0.113.0/24 any (sid:5;)
alert tcp {server} any <> {client} any (sid:6;)
alert tcp any any -> !{server} 80 (sid:7;)
alert ip [{client},203.0.113.1-203.0.113.9] any -> any 80 (sid:8;)
"
    );
    let set = Arc::new(compile(&rules, &mut Names::default()).finish());
    assert_eq!(alerts(&set), [1, 2, 4, 6, 8]);
}

/// The numbers of the rules that alert, each once, in order.
fn alerts(set: &Arc<RuleSet>) -> Vec<u32> {
    run(set, Plan::WHOLE, None)
}

/// The same with other rules from a packet on.
fn run(set: &Arc<RuleSet>, plan: Plan, swap: Option<(usize, &Arc<RuleSet>)>) -> Vec<u32> {
    let mut sensor = Sensor::new(Config {
        inspect: true,
        ..Config::default()
    });
    let mut inspector = Inspector::new(Options::default(), Arc::clone(set));
    let mut found = Vec::new();
    let frames = http().tcp(80, plan);
    for (number, (ts_ns, data)) in frames.iter().enumerate() {
        if let Some((_, other)) = swap.filter(|(at, _)| *at == number) {
            inspector.set_rules(Arc::clone(other));
        }
        sensor.packet(&frame(ts_ns, data), &mut |event| {
            inspector.event(&event, ts_ns);
            found.extend(sids(&mut inspector));
        });
    }
    sensor.finish(&mut |event| {
        inspector.event(&event, 0);
        found.extend(sids(&mut inspector));
    });
    found.sort_unstable();
    found.dedup();
    found
}
