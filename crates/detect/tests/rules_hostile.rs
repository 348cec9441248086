//! Rules that are hostile, and traffic that is hostile to rules: each is refused with a reason, or what it
//! costs is bounded. Costs are counted, not timed.
#![expect(clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use detect::rules::dataset::Datasets;
use detect::rules::state::Names;
use detect::rules::{
    Classes, Compiler, Counters, Diagnostic, EVENT_BYTES_MAX, Inspector, OPTIONS_MAX, Options,
    RULE_BYTES_MAX, RuleSet, SEARCHED_BYTES_MAX, Vars,
};
use packet::{Config, Frame, LinkType, Sensor, Way};
use testkit::conversation::{Conversation, Plan};

#[test]
fn short_literals_in_many_rules_cost_a_walk_each() {
    let rules: String = (0..10_000)
        .map(|number| {
            let byte = number % 256;
            format!(
                "alert tcp any any -> any any (content:\"|{byte:02x}|\"; fast_pattern; content:\"no{number}\"; distance:0; sid:{};)\n",
                number + 1
            )
        })
        .collect();
    let all_bytes: Vec<u8> = (0..=255).cycle().take(16 << 10).collect();
    let (found, counters) = run(&compiled(&rules), &sends(&all_bytes));
    assert!(found.is_empty());
    // each byte stands 64 times there, and behind each place the rest is searched
    let looks = counters.walks.div_ceil(10_000);
    assert!((1..=40).contains(&looks), "{counters:?}");
    let bytes = u64::try_from(all_bytes.len()).unwrap();
    assert!(
        counters.searched_bytes <= counters.walks * 80 * bytes,
        "{counters:?}"
    );
}

#[test]
fn what_a_rule_searches_is_bounded_within_a_walk_and_with_an_event() {
    // for each place of the first, the second is searched to the end
    let rule = |sid: u32| {
        format!(
            "alert tcp any any -> any any (content:\"a\"; content:!\"b\"; distance:1; content:!\"c\"; distance:1; \
             content:!\"d\"; distance:1; content:\"e\"; distance:1; sid:{sid};)\n"
        )
    };
    let hay = vec![b'a'; 60 << 10];
    let (found, one) = run(&compiled(&rule(1)), &sends(&hay));
    assert!(found.is_empty() && one.walks_exhausted > 0);
    let bound = u64::try_from(SEARCHED_BYTES_MAX).unwrap();
    assert!(one.searched_bytes <= one.walks * (bound + 1), "{one:?}");
    let rules: String = (1..200).map(rule).collect();
    let (_, many) = run(&compiled(&rules), &sends(&hay));
    let looks = many.walks.div_ceil(199);
    let bound = u64::try_from(EVENT_BYTES_MAX).unwrap();
    assert!(many.searched_bytes <= looks * (bound + 1), "{many:?}");
    // what is cheap is found all the same
    let cheap = format!(
        "{}alert tcp any any -> any any (content:\"aaaa\"; sid:999;)",
        rule(1)
    );
    assert_eq!(run(&compiled(&cheap), &sends(&hay)).0, [999]);
}

#[test]
fn expressions_that_explode_end_at_their_budget() {
    let bombs = [
        "(a+)+b",
        "(a|a)*b",
        "(a|aa)+b",
        "((a{1,100}){1,100}){1,100}b",
        "(((((a*)*)*)*)*)*b",
        "(?:(?:a{1,65535}){1,65535}){1,65535}b",
        "(?:a?){1000}a{1000}b",
        "(a*)*\\\\1b",
        "(?=(a+))\\\\1+b",
        "(?<!b)(?:a+){2,}b",
        "(?>(a+)+)c|(a+)+b",
        "(x+x+)+y|(a+a+)+y",
        "^(?:.*a){30}b",
        "(?:a.{0,200}){8}b",
        "\\\\b(?:\\\\w+\\\\s?)+\\\\(b",
    ];
    let hay = vec![b'a'; 8 << 10];
    for bomb in bombs {
        let bomb = bomb.replace("\\\\", "\\");
        let rules = format!(
            "alert tcp any any -> any any (content:\"a\"; pcre:\"/{bomb}/R\"; sid:1;)\n\
             alert tcp any any -> any any (content:\"aaa\"; sid:2;)"
        );
        let (found, counters) = run(&compiled(&rules), &sends(&hay));
        assert_eq!(found, [2], "{bomb}");
        let bound = u64::try_from(SEARCHED_BYTES_MAX).unwrap();
        assert!(
            counters.searched_bytes <= counters.walks * (bound + 1),
            "{bomb}"
        );
    }
}

#[test]
fn rules_that_are_too_large_are_refused_for_what_is_too_large() {
    let with = |options: &str| format!("alert tcp any any -> any any ({options} sid:1;)");
    let huge = with(&format!("content:\"{}\";", "x".repeat(1 << 20)));
    assert!(huge.len() > RULE_BYTES_MAX);
    assert_eq!(refusal(&huge), "the rule is longer than 65536 bytes");
    let long = with(&format!("content:\"{}\";", "x".repeat(10_000)));
    assert_eq!(refusal(&long), "a content longer than 8192 bytes");
    let many = with(&"nocase;".repeat(OPTIONS_MAX + 1));
    assert_eq!(refusal(&many), "more than 1024 options");
    let expression = with(&format!("pcre:\"/{}/\";", "x".repeat(20_000)));
    assert_eq!(
        refusal(&expression),
        "the pattern is longer than 16384 bytes"
    );
    let deep = with(&format!(
        "pcre:\"/{}a{}/\";",
        "(".repeat(5_000),
        ")".repeat(5_000)
    ));
    assert!(
        refusal(&deep).contains("nested more than"),
        "{}",
        refusal(&deep)
    );
    let group = format!("{}10.0.0.1{}", "[!".repeat(10_000), "]".repeat(10_000));
    let negated = format!("alert tcp {group} any -> any any (sid:1;)");
    assert_eq!(refusal(&negated), "groups nested deeper than 16 levels");
    let bangs = format!(
        "alert tcp {}10.0.0.1 any -> any any (sid:1;)",
        "!".repeat(60_000)
    );
    assert_eq!(refusal(&bangs), "groups nested deeper than 16 levels");
    let address = format!("alert tcp {} any -> any any (sid:1;)", "x".repeat(60_000));
    assert!(refusal(&address).starts_with("\"xxx"));
    let named = with(&format!("flowbits:set,{};", "x".repeat(60_000)));
    assert!(refusal(&named).contains("too long"), "{}", refusal(&named));
    let list = vec!["b"; 20_000].join("|");
    assert!(
        compile(&with(&format!("flowbits:isset,{list};")))
            .1
            .is_empty(),
        "one bit, often"
    );
    let list: Vec<String> = (0..5_000).map(|bit| format!("b{bit}")).collect();
    let list = with(&format!("flowbits:isset,{};", list.join("|")));
    assert_eq!(refusal(&list), "too many names in one list");
}

#[test]
fn rules_of_very_many_parts_are_judged() {
    let contents = "content:\"a\"; distance:0; ".repeat(500);
    let negated: String = (0..500)
        .map(|number| format!("content:!\"n{number}\"; "))
        .collect();
    let addresses: Vec<String> = (0..4_000)
        .map(|n| format!("10.{}.{}.0/24", n / 250, n % 250))
        .collect();
    let rules = format!(
        "alert tcp any any -> any any ({contents} sid:1;)\n\
         alert tcp any any -> any any (content:\"a\"; {negated} {} sid:2;)\n\
         alert tcp ![{}] any -> any any (content:\"a\"; sid:3;)",
        "metadata:a b; ".repeat(400),
        addresses.join(",")
    );
    let rules = compiled(&rules);
    let (found, counters) = run(&rules, &sends(&[b'a'; 600]));
    assert_eq!(found, [1, 2, 3]);
    assert_eq!(counters.walks_exhausted, 0);
    // one too few: every way to place them would be tried
    let (found, counters) = run(&rules, &sends(&[b'a'; 499]));
    assert_eq!(found, [2, 3]);
    assert!(counters.searched_bytes < 10 << 20, "{counters:?}");
}

#[test]
fn variables_of_variables_are_read_once_and_bounded() {
    let mut vars = Vars::usual();
    vars.set_addresses("V0", "10.0.0.1");
    vars.set_ports("P0", "80");
    for level in 1..8 {
        let inner = |kind: char| vec![format!("${kind}{}", level - 1); 20].join(",");
        vars.set_addresses(&format!("V{level}"), &format!("[{}]", inner('V')));
        vars.set_ports(&format!("P{level}"), &format!("[{}]", inner('P')));
    }
    let text = "alert tcp $V7 any -> any any (sid:1;)\nalert tcp any any -> any $P7 (sid:2;)\n\
                alert tcp $V3 any -> $V3 $P3 (sid:3;)";
    let (compiled, told) = compile_with(vars, text);
    assert_eq!(compiled.len(), 1);
    assert_eq!(told.len(), 2);
    for one in &told {
        let message = &one.problem.message;
        assert!(message.contains("more than 1048576"), "{message}");
        assert!(message.len() < 200, "{message}");
    }
}

#[test]
fn chains_of_bits_go_as_far_as_a_flow_holds_bits() {
    // each asks for the bit that the one before it sets: rules that only ask are judged last
    let chain: String = (0..5_000)
        .map(|bit| {
            let set = format!("flowbits:set,b{bit}; flowbits:noalert;");
            let asked = match bit {
                0 => String::new(),
                _ => format!("flowbits:isset,b{};", bit - 1),
            };
            format!(
                "alert tcp-pkt any any -> any any (content:\"go\"; {asked} {set} sid:{};)\n",
                bit + 1
            )
        })
        .collect();
    let ask = |bit: u32, sid: u32| {
        format!(
            "alert tcp-pkt any any -> any any (content:\"go\"; flowbits:isset,b{bit}; sid:{sid};)\n"
        )
    };
    let rules = format!("{chain}{}{}", ask(4_000, 10_001), ask(4_999, 10_002));
    let (found, counters) = run(&compiled(&rules), &sends(b"go"));
    assert_eq!(found, [10_001], "a flow holds 4096 bits");
    assert_eq!((counters.walks, counters.variables_max_hit), (5_002, 1));
    // in a stream, so many matches do not wait together
    let (found, counters) = run(&compiled(&rules.replace("tcp-pkt", "tcp")), &sends(b"go"));
    assert!(
        found.is_empty() && counters.waiting_max_hit > 3_000,
        "{counters:?}"
    );
}

#[test]
fn many_wrong_rules_are_told_with_their_lines() {
    let text = "alert tcp any any -> any any (sid:1; wrong;)\n".repeat(20_000);
    let (rules, told) = compile(&text);
    assert_eq!((rules.len(), told.len()), (0, 20_000));
    assert!((1..).zip(&told).all(|(line, one)| one.line == line));
    // and a line that is all the file
    let (_, told) = compile(&"(".repeat(4 << 20));
    assert_eq!(told.len(), 1);
    assert!(told.iter().all(|one| one.to_string().len() < 500));
}

/// The rule's only problem.
fn refusal(rule: &str) -> String {
    let (_, told) = compile(rule);
    assert_eq!(told.len(), 1, "{told:?}");
    let one = told.first().expect("a problem");
    assert!(one.to_string().len() < 1_000, "what is told is short");
    assert!(
        !one.problem.mend.is_empty() || one.problem.message.contains("name"),
        "{one}"
    );
    one.problem.message.clone()
}

fn compiled(text: &str) -> Arc<RuleSet> {
    let (rules, told) = compile(text);
    assert!(told.is_empty(), "{}", told.first().expect("one"));
    rules
}

fn compile(text: &str) -> (Arc<RuleSet>, Vec<Diagnostic>) {
    compile_with(Vars::usual(), text)
}

fn compile_with(vars: Vars, text: &str) -> (Arc<RuleSet>, Vec<Diagnostic>) {
    let mut names = Names::default();
    let none = |_: &str| None;
    let mut compiler = Compiler::new(
        vars,
        Classes::default(),
        &mut names,
        Datasets::default(),
        &none,
    );
    compiler.file("test", text);
    let told = compiler.diagnostics().to_vec();
    (Arc::new(compiler.finish()), told)
}

/// The rules that alert, each once, in order, and what was counted.
fn run(rules: &Arc<RuleSet>, talk: &Conversation) -> (Vec<u32>, Counters) {
    let mut sensor = Sensor::new(Config {
        inspect: true,
        ..Config::default()
    });
    let options = Options {
        // what comes is looked at together
        stream_bytes_min: 64 << 10,
        alerts_max: 100,
        ..Options::default()
    };
    let mut inspector = Inspector::new(options, Arc::clone(rules));
    let mut found = Vec::new();
    let frames = talk.tcp(7, Plan::WHOLE);
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
            let alerts = inspector.alerts();
            found.extend(alerts.filter_map(|alert| Some(alert.rule()?.id.sid)));
        });
    }
    sensor.finish(&mut |event| {
        inspector.event(&event, 0);
        let alerts = inspector.alerts();
        found.extend(alerts.filter_map(|alert| Some(alert.rule()?.id.sid)));
    });
    found.sort_unstable();
    found.dedup();
    (found, inspector.counters())
}

/// A client sends bytes, in pieces that a conversation can tell of.
fn sends(bytes: &[u8]) -> Conversation {
    let piece = |data: &[u8]| {
        let len = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&[0][..], &len, data].concat()
    };
    let pieces: Vec<u8> = bytes.chunks(1 << 15).flat_map(piece).collect();
    Conversation::read(&pieces)
}
