//! Rules against made conversations, from their text to their alerts.

mod common;

use std::ops::Range;
use std::sync::Arc;

use common::{chunk, compile, frame, http, sids};
use detect::rules::state::Names;
use detect::rules::{Counters, Inspector, Options};
use packet::{Config, Sensor};
use testkit::capture::Frames;
use testkit::conversation::{Conversation, Plan};

#[test]
fn a_rule_over_payload_and_a_transaction_needs_both() {
    let rules = r#"
alert tcp any any -> any any (content:"User-Agent"; content:"/index"; http_uri; sid:1;)
alert tcp any any -> any any (content:"not there"; content:"/index"; http_uri; sid:2;)
alert tcp any any -> any any (content:"User-Agent"; content:"/other"; http_uri; sid:3;)
alert tcp any any -> any any (content:"User-Agent"; fast_pattern; content:"/index"; http_uri; sid:4;)
alert tcp any any -> any any (content:"body"; content:"/index"; http_uri; sid:5;)
"#;
    assert_eq!(alerts(rules, &http(), Options::default()), [1, 4]);
}

#[test]
fn modifiers_reach_back_to_their_content() {
    let rules = r#"
alert http any any -> any any (http.uri; content:"/INDEX"; pcre:"/x=[0-9]/"; nocase; fast_pattern; sid:1;)
alert http any any -> any any (http.uri; content:"x=1"; isdataat:!1,relative; fast_pattern; sid:2;)
alert tcp any any -> any any (content:"x=1"; http_uri; isdataat:!1,relative; sid:3;)
alert tcp any any -> any any (content:"x="; http_uri; byte_test:1,=,1,0,relative,string,dec; sid:4;)
"#;
    assert_eq!(alerts(rules, &http(), Options::default()), [1, 2, 3, 4]);
}

/// Such a literal is looked for only in packets that begin as the rule asks, or have its size.
#[test]
fn a_literal_is_found_where_the_rest_of_its_rule_lets_it() {
    let rules = r#"
alert tcp-pkt any any -> any any (content:"GET"; depth:3; content:"User-Agent"; sid:1;)
alert tcp-pkt any any -> any any (content:"get"; nocase; depth:3; content:"User-Agent"; sid:2;)
alert tcp-pkt any any -> any any (content:"index"; offset:5; depth:5; content:"User-Agent"; sid:3;)
alert tcp-pkt any any -> any any (content:"HTTP"; depth:40; content:"User-Agent"; sid:4;)
alert tcp-pkt any any -> any any (dsize:69; content:"User-Agent"; sid:5;)
alert tcp-pkt any any -> any any (dsize:68<>70; content:"User-Agent"; sid:6;)
alert tcp-pkt any any -> any any (dsize:>10; content:"User-Agent"; sid:7;)
alert tcp-pkt any any -> any any (content:"User-Agent"; sid:8;)
alert tcp-pkt any any -> any any (content:"get"; depth:3; content:"User-Agent"; sid:21;)
alert tcp-pkt any any -> any any (content:"index"; depth:9; content:"User-Agent"; sid:22;)
alert tcp-pkt any any -> any any (content:"HTTP"; depth:20; content:"User-Agent"; sid:23;)
alert tcp-pkt any any -> any any (dsize:70; content:"User-Agent"; sid:24;)
alert tcp-pkt any any -> any any (dsize:<69; content:"User-Agent"; sid:25;)
alert tcp-pkt any any -> any any (content:"GET"; depth:3; content:"not there"; sid:26;)
"#;
    let expected = [1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(alerts(rules, &http(), Options::default()), expected);
    // likewise where no other opens the way to its literal
    for rule in rules.lines().filter(|rule| !rule.is_empty()) {
        let is_its = |sid: &u32| rule.contains(&format!("sid:{sid};"));
        let expected = expected.into_iter().filter(is_its).collect::<Vec<_>>();
        assert_eq!(
            alerts(rule, &http(), Options::default()),
            expected,
            "{rule}"
        );
    }
}

#[test]
fn a_content_over_several_segments_is_found() {
    let rules = r#"
alert tcp any any -> any any (content:"User-Agent|3a| test"; sid:1;)
alert tcp-pkt any any -> any any (content:"User-Agent|3a| test"; sid:2;)
"#;
    let plan = Plan {
        segment_bytes_max: 7,
        ..Plan::WHOLE
    };
    assert_eq!(run(rules, &http(), plan, Options::default()).0, [1]);
    assert_eq!(alerts(rules, &http(), Options::default()), [1, 2]);
}

#[test]
fn rules_go_by_action_and_bits() {
    let rules = r#"
alert http any any -> any any (flowbits:isset,seen; http.stat_code; content:"200"; sid:1;)
alert http any any -> any any (http.method; content:"GET"; flowbits:set,seen; flowbits:noalert; sid:2;)
alert http any any -> any any (flowbits:isset,other; http.stat_code; content:"200"; sid:3;)
"#;
    assert_eq!(alerts(rules, &http(), Options::default()), [1]);
    let passed =
        format!("pass http any any -> any any (http.method; content:\"GET\"; sid:9;){rules}");
    assert!(alerts(&passed, &http(), Options::default()).is_empty());
}

#[test]
fn a_flow_that_a_rule_drops_is_dropped_inline_alone() {
    let rules = r#"drop http any any -> any any (http.uri; content:"/index"; sid:1;)
alert tcp any any -> any any (content:"the response"; sid:2;)"#;
    let inline = Options {
        inline: true,
        ..Options::default()
    };
    assert_eq!(alerts(rules, &http(), inline), [1]);
    assert_eq!(alerts(rules, &http(), Options::default()), [1, 2]);
}

#[test]
fn what_is_kept_of_streams_and_files_is_bounded() {
    let rules = r#"alert tcp any any -> any any (content:"the response"; sid:1;)
alert http any any -> any any (file.data; content:"the response"; sid:2;)"#;
    let tight = Options {
        window_bytes_max: 8,
        ..Options::default()
    };
    let (found, counters) = run(rules, &http(), Plan::WHOLE, tight);
    assert_eq!(found, [1, 2], "what cannot wait is looked at at once");
    assert!(counters.window_bytes_max_hit > 0);
    let (_, counters) = run(rules, &http(), Plan::WHOLE, Options::default());
    assert_eq!(counters.window_bytes_max_hit, 0);
}

#[test]
fn streams_are_looked_into_where_no_parser_reads_on() {
    let rules = r#"
alert tcp any any -> any any (content:"the needle is here"; sid:1;)
alert tcp-pkt any any -> any any (content:"the needle is here"; sid:2;)
"#;
    // of no protocol that is known, and long enough that this is settled
    let noise: Vec<u8> = (0..6_000_u32).map(|n| 128 + (n * n % 101) as u8).collect();
    let noise = noise.chunks(1_000).flat_map(|part| [(0, part), (1, part)]);
    let talk: Vec<u8> = noise
        .chain([(0, &b"..the needle is here.."[..]), (1, b"..")])
        .flat_map(|(direction, data)| chunk(direction, data))
        .collect();
    let plan = Plan {
        segment_bytes_max: 7,
        ..Plan::WHOLE
    };
    let found = run(rules, &Conversation::read(&talk), plan, Options::default());
    assert_eq!(found.0, [1]);
}

#[test]
fn rules_of_streams_look_at_no_packet() {
    let rules = r#"
alert tcp any any -> any any (content:"User-Agent"; sid:1;)
alert tcp-stream any any -> any any (content:"User-Agent"; sid:2;)
alert tcp-pkt any any -> any any (content:"User-Agent"; sid:3;)
"#;
    assert_eq!(alerts(rules, &http(), Options::default()), [1, 2, 3]);
    // before its handshake is over, a connection has no streams
    let frames = http().tcp(80, Plan::WHOLE);
    let found = run_without(1..3, rules, &frames, Options::default());
    assert_eq!(found.0, [1, 3]);
}

#[test]
fn a_rule_both_of_whose_ways_the_ends_go_alerts_twice() {
    let rules = r#"
alert tcp 0.0.0.0/0 any <> any any (flags:S; sid:1;)
alert tcp any any <> any any (flags:S; sid:2;)
alert tcp any any <> any 80 (flags:S; sid:3;)
alert tcp any any -> any any (flags:S; sid:4;)
"#;
    let frames = http().tcp(80, Plan::WHOLE);
    let found = every_alert(0..0, rules, &frames, Options::default());
    assert_eq!(found.0, [1, 1, 2, 3, 4]);
}

#[test]
fn what_must_not_be_there_is_asked_of_packets_that_something_comes_with() {
    let rules = r#"
alert tcp-pkt any any -> any any (content:!"nowhere"; depth:20; sid:1;)
alert udp any any -> any any (content:!"nowhere"; sid:2;)
"#;
    let frames = http().tcp(80, Plan::WHOLE);
    let found = every_alert(0..0, rules, &frames, Options::default());
    assert_eq!(found.0, [1, 1]);
}

#[test]
fn what_is_made_of_a_digest_need_not_be_one() {
    let mut names = Names::default();
    let rule = r#"alert tls any any -> any any (ja3.hash; to_sha256; content:"0"; sid:1;)"#;
    assert_eq!(compile(rule, &mut names).finish().len(), 1);
}

#[test]
fn streams_are_of_one_version_of_ip() {
    let rules = r#"
alert ip6 any any -> any any (content:"User-Agent"; sid:1;)
alert ip4 any any -> any any (content:"User-Agent"; sid:2;)
alert ip any any -> any any (content:"User-Agent"; sid:3;)
"#;
    assert_eq!(alerts(rules, &http(), Options::default()), [2, 3]);
}

/// The numbers of the rules that alert, each once, in order.
fn alerts(rules: &str, talk: &Conversation, options: Options) -> Vec<u32> {
    run(rules, talk, Plan::WHOLE, options).0
}

fn run(rules: &str, talk: &Conversation, plan: Plan, options: Options) -> (Vec<u32>, Counters) {
    run_without(0..0, rules, &talk.tcp(80, plan), options)
}

/// The same without some frames.
fn run_without(
    lost: Range<usize>,
    rules: &str,
    frames: &Frames,
    options: Options,
) -> (Vec<u32>, Counters) {
    let (mut found, counters) = every_alert(lost, rules, frames, options);
    found.dedup();
    (found, counters)
}

/// The same, each rule as often as it alerts.
fn every_alert(
    lost: Range<usize>,
    rules: &str,
    frames: &Frames,
    options: Options,
) -> (Vec<u32>, Counters) {
    let mut sensor = Sensor::new(Config {
        inspect: true,
        inline: options.inline,
        ..Config::default()
    });
    let set = compile(rules, &mut Names::default()).finish();
    let mut inspector = Inspector::new(options, Arc::new(set));
    let mut found = Vec::new();
    for (ts_ns, data) in frames
        .iter()
        .enumerate()
        .filter(|(at, _)| !lost.contains(at))
        .map(|(_, frame)| frame)
    {
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
    (found, inspector.counters())
}

#[test]
fn rules_that_let_pass_alert_where_they_say_so_and_end_the_others() {
    let rules = r#"pass http any any -> any any (http.uri; content:"/index"; alert; sid:1;)
alert http any any -> any any (http.uri; content:"/index"; sid:2;)"#;
    assert_eq!(alerts(rules, &http(), Options::default()), [1]);
    let silent = rules.replace("alert; ", "");
    assert!(alerts(&silent, &http(), Options::default()).is_empty());
}

#[test]
fn jumps_and_counts_end_where_other_sensors_end_them() {
    let rules = r#"
alert tcp any any -> any any (content:"/index"; byte_jump:0,0,relative,post_offset -100; content:"GET"; within:3; sid:1;)
alert http any any -> any any (http.uri; content:"x="; isdataat:1,relative; sid:2;)
alert http any any -> any any (http.uri; content:"x="; isdataat:2,relative; sid:3;)
alert http any any -> any any (http.uri; content:"x="; byte_test:1,=,1,0,relative,string; sid:4;)
"#;
    assert_eq!(alerts(rules, &http(), Options::default()), [1, 2, 4]);
}
