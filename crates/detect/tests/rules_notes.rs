//! What rules note of what they matched, and what they look up in files: from their text to what records
//! show.

use std::sync::Arc;

use detect::rules::dataset::Datasets;
use detect::rules::state::{Names, Reputations};
use detect::rules::{Classes, Compiler, Inspector, Options, Remembered, RuleSet, Vars};
use packet::{Config, Frame, LinkType, Sensor, Way};
use testkit::conversation::{Conversation, Plan};

/// Files that rules name.
const FILES: &[(&str, &str)] = &[
    (
        "hosts.json",
        "{\"bad\": [\n {\"host\": {\"name\": \"www.example\"},\n  \"why\": \"a b\"},\n {\"n\": 1}]}",
    ),
    (
        "hosts.ndjson",
        "{\"h\": \"www.example\", \"year\": 2005}\n{\"h\": 5}\n\nnot json\n",
    ),
    ("hosts.lst", "d3d3LmV4YW1wbGU=\n*\n"),
    ("broken.json", "[{\"h\": 1"),
];

#[test]
fn sets_of_json_say_what_they_know_of_a_value() {
    let rules = r#"
alert http any any -> any any (http.host; dataset:isset,a,type string,load hosts.json,format json,context_key bad,value_key host.name,array_key bad; sid:1;)
alert http any any -> any any (http.host; dataset:isset,b,type string,load hosts.ndjson,format ndjson,enrichment_key it,value_key h,remove_key; http.uri; content:"index"; sid:2;)
alert http any any -> any any (http.host; dataset:isset,c,type string,load hosts.lst; sid:3;)
alert http any any -> any any (http.host; dataset:isset,b; content:"not there"; sid:4;)
alert tcp any any -> any any (content:"User-Agent"; http.host; dataset:isset,a,type string,load hosts.json,format json,context_key x,value_key host.name,array_key bad; sid:5;)
"#;
    let (alerts, _) = run(&compiled(rules).0);
    let expected = [
        (1, r#""bad":{"host":{"name":"www.example"},"why":"a b"}"#),
        (2, r#""it":{"year":2005}"#),
        (3, ""),
        (5, r#""x":{"host":{"name":"www.example"},"why":"a b"}"#),
    ];
    assert_eq!(alerts, expected.map(|(sid, said)| (sid, said.to_owned())));
}

#[test]
fn lines_that_hold_no_value_are_told() {
    let rules = r#"
alert http any any -> any any (http.host; dataset:isset,a,type string,load hosts.json,format json,context_key k,value_key host.name,array_key bad; sid:1;)
alert http any any -> any any (http.host; dataset:isset,b,type string,load hosts.ndjson,format ndjson,context_key k,value_key h; sid:2;)
alert http any any -> any any (http.host; dataset:isset,c,type string,load hosts.lst; sid:3;)
"#;
    let (_, warnings) = compiled(rules);
    let expected = [
        "hosts.json: object 2 holds no value of the set's type",
        "hosts.ndjson: line 2 holds no value of the set's type",
        "hosts.ndjson: line 4 holds no value of the set's type",
        "hosts.lst: line 2 holds no value of the set's type",
    ];
    assert_eq!(warnings, expected);
    let broken = r#"alert http any any -> any any (http.host; dataset:isset,a,type string,load broken.json,format json,context_key k,value_key h; sid:1;)"#;
    let mut names = Names::default();
    let mut compiler = Compiler::new(
        Vars::usual(),
        Classes::default(),
        &mut names,
        Datasets::default(),
        &read,
    );
    compiler.file("test", broken);
    assert_eq!((compiler.compiled(), compiler.diagnostics().len()), (0, 1));
}

#[test]
fn captures_go_to_the_flow_the_packet_and_the_alert() {
    let rules = r#"
alert http any any -> any any (http.uri; pcre:"/^\/(\w+)\.(\w+)/,flow:name,pkt:kind"; sid:1;)
alert http any any -> any any (http.user_agent; pcre:"/(?P<alert_ua>t.)(?P<flow_rest>.*)/"; flowbits:set,traffic/id/web; flowbits:set,b; flowint:nn,+,2; sid:2;)
alert http any any -> any any (http.uri; pcre:"/(?P<flow_none>x)/"; content:"not there"; sid:3;)
alert http any any -> any any (http.uri; pcre:"/(?P<alert_d>[a-z])/"; content:"ex"; distance:0; sid:4;)
alert http any any -> any any (http.uri; entropy:value > 7; sid:5;)
"#;
    let (alerts, said) = run(&compiled(rules).0);
    let expected = [(1, ""), (2, r#""ua":"te""#), (4, r#""d":"i""#)];
    assert_eq!(alerts, expected.map(|(sid, said)| (sid, said.to_owned())));
    let first = said.first().cloned().unwrap_or_default();
    assert_eq!(first.traffic, r#""id":["web"]"#);
    let start = r#""flowbits":["b"],"flowints":{"nn":2},"entropy":{"http_uri":"#;
    assert!(first.metadata.starts_with(start), "{}", first.metadata);
    // rules that set bits are judged first
    let end = r#""flowvars":[{"rest":"st"},{"name":"index"}]"#;
    assert!(first.metadata.ends_with(end), "{}", first.metadata);
    assert_eq!(first.of_packet, r#""pktvars":[{"kind":"html"}]"#);
}

#[test]
fn reputations_are_asked_for() {
    let rules = r#"
alert ip any any -> any any (iprep:any,Bad,>,30; sid:1;)
alert ip any any -> any any (iprep:any,Bad,>,60; sid:2;)
alert http any any -> any any (http.uri; content:"index"; iprep:both,Good,isnotset; sid:3;)
"#;
    let mut reputations = Reputations::default();
    reputations.read_categories("1,Bad,of ill fame\n2,Good,of good fame\n");
    reputations.read_scores("0.0.0.0/1,1,50\n128.0.0.0/1,1,50\n");
    let mut names = Names::default();
    let mut compiler = Compiler::new(
        Vars::usual(),
        Classes::default(),
        &mut names,
        Datasets::default(),
        &read,
    )
    .with_reputations(reputations);
    compiler.file("test", rules);
    assert!(compiler.diagnostics().is_empty());
    compiler.file(
        "test",
        "alert ip any any -> any any (iprep:any,None,isset; sid:4;)",
    );
    assert_eq!(compiler.diagnostics().len(), 1, "no such category");
    let (alerts, _) = run(&Arc::new(compiler.finish()));
    let numbers: Vec<u32> = alerts.iter().map(|(sid, _)| *sid).collect();
    assert_eq!(numbers, [1, 3]);
}

#[test]
fn a_rule_that_asks_for_more_is_passed_over() {
    let rules = r#"
alert http any any -> any any (requires:version >= 8.0.0; http.uri; content:"index"; sid:1;)
alert http any any -> any any (requires:version >= 99; no.such.keyword; sid:2;)
alert http any any -> any any (requires:feature geoip; sid:3;)
"#;
    let (alerts, _) = run(&compiled(rules).0);
    assert_eq!(alerts, [(1, String::new())]);
}

fn read(name: &str) -> Option<Vec<u8>> {
    let file = FILES.iter().find(|(known, _)| *known == name)?;
    Some(file.1.as_bytes().to_vec())
}

fn compiled(text: &str) -> (Arc<RuleSet>, Vec<String>) {
    let mut names = Names::default();
    let mut compiler = Compiler::new(
        Vars::usual(),
        Classes::default(),
        &mut names,
        Datasets::default(),
        &read,
    );
    compiler.file("test", text);
    let refused = compiler.diagnostics();
    assert!(refused.is_empty(), "{refused:?}");
    let warnings = compiler.warnings().to_vec();
    (Arc::new(compiler.finish()), warnings)
}

/// The rules that alert, each once, with what their alerts say, and what is remembered.
fn run(rules: &Arc<RuleSet>) -> (Vec<(u32, String)>, Vec<Remembered>) {
    let mut sensor = Sensor::new(Config {
        inspect: true,
        ..Config::default()
    });
    let mut inspector = Inspector::new(Options::default(), Arc::clone(rules));
    let (mut alerts, mut said) = (Vec::new(), Vec::new());
    let frames = http().tcp(80, Plan::WHOLE);
    for (ts_ns, data) in frames.iter() {
        let frame = Frame {
            ts_ns,
            link: LinkType::Ethernet,
            data,
            wire_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
            way: Way::Unknown,
        };
        sensor.packet(&frame, &mut |event| {
            inspector.event(&event, ts_ns);
            said.extend(inspector.remembered().cloned());
            let told = inspector.alerts();
            alerts.extend(told.filter_map(|alert| Some((alert.rule()?.id.sid, alert.context))));
        });
    }
    alerts.sort();
    alerts.dedup();
    (alerts, said)
}

fn http() -> Conversation {
    let request: &[u8] =
        b"GET /index.html?x=1 HTTP/1.1\r\nHost: www.example\r\nUser-Agent: test\r\n\r\n";
    let response: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\nthe response is this body";
    let chunk = |direction: u8, data: &[u8]| {
        let len = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&[direction][..], &len, data].concat()
    };
    Conversation::read(&[chunk(0, request), chunk(1, response)].concat())
}
