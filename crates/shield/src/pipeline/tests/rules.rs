//! Rules at an inspection point: replaced between packets, and what their alerts become.

use detect::rules::dataset::Datasets;
use detect::rules::state::Names;
use detect::rules::{Classes, Compiler, Options, Origin, RuleSet, Vars, VerdictsConfig};

use super::*;
use crate::rules::InForce;

const ATTACK: &[u8] = b"GET /attack HTTP/1.1\r\nHost: a\r\n\r\n";

/// A point that makes verdicts of alerts.
fn net() -> Net {
    let mut net = Net::new("");
    net.pipeline = net.pipeline.with_verdicts(VerdictsConfig {
        home: vec!["10.2.0.0/24".parse().unwrap()],
        ..VerdictsConfig::default()
    });
    net
}

impl Net {
    fn rules(&mut self, own: &str, partners: &[(&str, &str)]) {
        let rules = InForce {
            own: compiled(own, &[]),
            partners: compiled("", partners),
        };
        self.pipeline
            .set_rules(Arc::new(rules), &Options::default());
    }

    /// The reasons of the verdicts so far, and whom they accuse.
    fn said(&self) -> Vec<(String, Option<String>)> {
        let said = self.verdicts.iter().map(|verdict| {
            let what = verdict.reasons[0].what.to_string();
            (what, verdict.offender.map(|offender| offender.to_string()))
        });
        said.collect()
    }

    fn counter(&self, name: &str) -> u64 {
        let counters = self.pipeline.counters();
        counters.iter().find(|(of, _)| *of == name).unwrap().1
    }
}

fn compiled(own: &str, partners: &[(&str, &str)]) -> Option<Arc<RuleSet>> {
    let mut names = Names::default();
    let (classes, sets) = (Classes::default(), Datasets::default());
    let mut compiler = Compiler::new(Vars::usual(), classes, &mut names, sets, &|_| None);
    compiler.file("own", own);
    for (source, text) in partners {
        let object = StixId::v5("indicator", source);
        compiler.foreign(
            Arc::new(Origin {
                source: (*source).into(),
                object,
                confidence: 60,
            }),
            text,
        );
    }
    assert_eq!(compiler.diagnostics(), []);
    let set = compiler.finish();
    (!set.is_empty()).then(|| Arc::new(set))
}

#[test]
fn a_drop_rule_accuses_who_sent_what_matched_to_us() {
    let mut net = net();
    net.rules(
        "drop http any any -> any any (msg:\"bad\"; http.uri; content:\"/attack\"; sid:1; rev:2;)",
        &[],
    );
    net.session("203.0.113.9:1", ATTACK, ANSWER);
    net.session_between("10.2.0.77:5000", "203.0.113.80:80", ATTACK, ANSWER);
    let said = net.said();
    assert_eq!(said.len(), 2);
    assert_eq!(
        said[0],
        ("rule 1:1:2 bad".to_owned(), Some("203.0.113.9".to_owned()))
    );
    assert_eq!(said[1].1, None, "our own client is a victim");
    assert_eq!(net.verdicts[0].evidence, EvidenceClass::Exploit);
    assert_eq!(net.verdicts[0].victim.unwrap().port, Some(80));
    assert_eq!(net.standing("203.0.113.9").0, 0, "no benign session");
}

#[test]
fn an_alert_rule_is_told_once_in_a_while_and_accuses_nobody() {
    let mut net = net();
    net.rules(
        "alert http any any -> any any (http.uri; content:\"/attack\"; sid:1;)",
        &[],
    );
    for port in 1..=3 {
        net.session(&format!("203.0.113.9:{port}"), ATTACK, ANSWER);
    }
    assert_eq!(net.said(), [("rule 1:1:0 ".to_owned(), None)]);
    assert_eq!(net.counter("rule.verdicts_quieted"), 2);
    assert_eq!(net.standing("203.0.113.9").0, 3, "nobody is convicted");
}

#[test]
fn nobody_is_accused_where_drop_rules_only_alert_or_home_is_not_known() {
    for config in [
        VerdictsConfig {
            home: vec!["10.2.0.0/24".parse().unwrap()],
            drops: false,
            ..VerdictsConfig::default()
        },
        VerdictsConfig::default(),
    ] {
        let mut net = Net::new("");
        net.pipeline = net.pipeline.with_verdicts(config);
        net.rules(
            "drop tcp any any -> any any (content:\"attack\"; sid:1;)",
            &[],
        );
        net.session("203.0.113.9:1", ATTACK, ANSWER);
        assert_eq!(net.said(), [("rule 1:1:0 ".to_owned(), None)]);
    }
}

#[test]
fn what_a_target_says_counts_for_answers_too() {
    let mut net = net();
    let rule = "drop http any any -> any any (flow:to_client; http.stat_code; content:\"204\"; \
        target:TARGET; sid:1;)";
    net.rules(&rule.replace("TARGET", "dest_ip"), &[]);
    net.session_between("10.2.0.77:5000", "203.0.113.80:80", GET, ANSWER);
    net.session("203.0.113.9:1", GET, ANSWER);
    // evidence of an answer is with the next packet that goes its way
    net.finish();
    let accused: Vec<_> = net.said().into_iter().map(|(_, whom)| whom).collect();
    assert_eq!(accused, [Some("203.0.113.80".to_owned()), None]);
}

#[test]
fn rules_are_replaced_between_two_packets_and_flows_go_on() {
    let mut net = net();
    net.handshake("203.0.113.9:1");
    net.rules(
        "alert tcp any any -> any any (flowbits:set,seen; content:\"GET\"; sid:1;)",
        &[],
    );
    net.request("203.0.113.9:1", GET);
    net.rules(
        "drop tcp any any -> any any (content:\"204\"; flow:to_client; sid:2;)",
        &[],
    );
    net.answer("203.0.113.9:1", GET, ANSWER);
    net.close("203.0.113.9:1", GET, ANSWER);
    let said: Vec<_> = net.said().into_iter().map(|(what, _)| what).collect();
    assert_eq!(said, ["rule 1:1:0 ", "rule 1:2:0 "]);
    assert_eq!(net.counter("rule.replaced"), 2);
    assert_eq!(net.counter("flow.total"), 1);
    net.rules("", &[]);
    net.session("203.0.113.9:2", GET, ANSWER);
    assert_eq!(net.verdicts.len(), 2, "no rules, no verdicts");
}

#[test]
fn a_partners_rule_names_its_object_and_own_pass_rules_count_for_it() {
    let mut net = net();
    let rule = "drop http any any -> any any (http.uri; content:\"/attack\"; sid:1;)";
    let partners = [("alpha", rule), ("bravo", rule)];
    net.rules(
        "alert http any any -> any any (http.uri; content:\"/att\"; sid:1;)",
        &partners,
    );
    net.session("203.0.113.9:1", ATTACK, ANSWER);
    assert_eq!(net.verdicts.len(), 3);
    let of_partners = &net.verdicts[1..];
    let mut sources: Vec<_> = of_partners
        .iter()
        .map(|verdict| verdict.reasons[0].source.as_deref().unwrap())
        .collect();
    sources.sort_unstable();
    assert_eq!(sources, ["alpha", "bravo"]);
    assert!(of_partners.iter().all(|verdict| verdict.confidence == 60));
    net.rules(
        "pass http any any -> any any (http.uri; content:\"/att\"; sid:2;)",
        &partners,
    );
    net.session("203.0.113.10:1", ATTACK, ANSWER);
    let about_ten = net.verdicts[3..].iter();
    assert_eq!(
        about_ten
            .filter(|verdict| verdict.reasons[0].source.is_some())
            .count(),
        0
    );
}

#[test]
fn what_the_network_wrote_to_sets_of_values_outlives_their_rules() {
    let mut names = Names::default();
    let mut compile = |text: &str| {
        let (classes, sets) = (Classes::default(), Datasets::default());
        let mut compiler = Compiler::new(Vars::usual(), classes, &mut names, sets, &|_| None);
        compiler.file("own", text);
        assert_eq!(compiler.diagnostics(), []);
        Arc::new(compiler.finish())
    };
    let rule = |command: &str, sid: u32| {
        format!(
            "alert http any any -> any any (http.uri; dataset:{command},seen,type string; sid:{sid};)\n"
        )
    };
    let before = compile(&rule("set", 1));
    let after = compile(&(rule("isset", 2) + &rule("isnotset", 3)));
    let mut net = net();
    let own = |set: &Arc<RuleSet>| {
        Arc::new(InForce {
            own: Some(Arc::clone(set)),
            partners: None,
        })
    };
    let options = Options::default();
    net.pipeline.set_rules(own(&before), &options);
    net.session("203.0.113.9:1", ATTACK, ANSWER);
    after.take_over(&before);
    net.pipeline.set_rules(own(&after), &options);
    net.session("203.0.113.9:2", ATTACK, ANSWER);
    net.session("203.0.113.9:3", GET, ANSWER);
    let said: Vec<_> = net.said().into_iter().map(|(what, _)| what).collect();
    assert_eq!(said, ["rule 1:1:0 ", "rule 1:2:0 ", "rule 1:3:0 "]);
}

#[test]
fn the_record_of_a_partners_alert_names_indicator_and_partner() {
    #[derive(Clone, Default)]
    struct Sink(Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (sink, mut net) = (Sink::default(), net());
    let records = vec![eve::Records::of("", eve::ALERTS)];
    let log = eve::Log::new(records, eve::WhenFull::Wait, |_| Ok(Box::new(sink.clone())));
    net.pipeline = net.pipeline.with_log(log.unwrap());
    let rule = "alert http any any -> any any (http.uri; content:\"/attack\"; sid:1;)";
    net.rules(rule, &[("alpha", rule)]);
    for port in 1..=3 {
        net.session(&format!("203.0.113.9:{port}"), ATTACK, ANSWER);
    }
    net.pipeline.close().unwrap();
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let records: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_partners = records.iter().filter(|record| record["alert"]["gid"] != 1);
    let of_partners: Vec<_> = of_partners.collect();
    assert_eq!(of_partners.len(), 1, "once in a while");
    assert_eq!(of_partners[0]["shieldwall"]["source"], "alpha");
    let object = StixId::v5("indicator", "alpha").to_string();
    assert_eq!(of_partners[0]["shieldwall"]["object"], *object);
    assert_eq!(records.len(), 4, "own rules alert as they say");
}
