//! Rules that partners share.

use std::time::Duration;

use serde_json::{Value, json};
use taxii::push::EventKind;

use super::objects::{Log, entry, plain, revoked};
use super::{Shield, until};

const RULE: &str = "alert http any any -> any any (http.uri; content:\"/attack\"; sid:1;)";

/// An indicator whose pattern is a rule.
fn of_rule(rule: &str) -> Value {
    let mut value: Value = serde_json::from_str(&plain(rule)).unwrap();
    value["pattern_type"] = json!("suricata");
    value
}

/// How many rules of partners were last taken.
fn taken(shield: &Shield) -> Option<u64> {
    let lines = shield.journal("rules");
    let mut of_partners = lines.iter().filter(|line| line["whose"] == "partners");
    of_partners
        .next_back()
        .and_then(|line| line["rules"].as_u64())
}

#[test]
fn rules_come_with_their_indicators_and_go_with_them() {
    let mut shield = Shield::started();
    let mut log = Log::new();
    let push = shield.hub.next_push();
    push.hello(&log);
    push.frame(log.community(vec![
        entry("bravo", &of_rule(RULE).to_string()),
        entry("charlie", &of_rule(RULE).to_string()),
        entry(
            "charlie",
            &of_rule(&RULE.replace("alert", "pass")).to_string(),
        ),
    ]));
    until("both rules", || taken(&shield) == Some(2));
    until("word of the third", || {
        !shield.journal("refused").is_empty()
    });
    let refused = shield.journal("refused");
    assert_eq!(refused[0]["source"], "charlie");
    let why = refused[0]["why"].as_str().unwrap();
    assert!(why.contains("lets nothing pass"), "{why}");
    push.digests(&mut log);
    until("completeness", || shield.complete());

    shield.stop();
    let before = shield.journal("rules").len();
    shield.start();
    until("the rules from before", || {
        shield.journal("rules").len() > before && taken(&shield) == Some(2)
    });
    let push = shield.hub.next_push();
    let of_bravo = revoked(&of_rule(RULE).to_string());
    push.frame(log.community(vec![(EventKind::Revoke, "bravo", of_bravo)]));
    until("one rule", || taken(&shield) == Some(1));
    shield.stop();
}

#[test]
fn rules_end_with_their_validity() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = shield.hub.next_push();
    push.hello(&log);
    let mut short = of_rule(RULE);
    let until_at = shield::clock::Now::read().wall.plus(Duration::from_secs(2));
    short["valid_until"] = json!(until_at.to_string());
    push.frame(log.community(vec![entry("bravo", &short.to_string())]));
    until("the rule", || taken(&shield) == Some(1));
    until("its end", || {
        push.digests(&mut log);
        std::thread::sleep(Duration::from_millis(100));
        taken(&shield) == Some(0)
    });
}

#[test]
fn rules_that_their_partner_is_not_sure_of_are_refused() {
    let shield = Shield::started();
    let mut log = Log::new();
    let push = shield.hub.next_push();
    push.hello(&log);
    let mut unsure = of_rule(&RULE.replace("sid:1", "sid:2"));
    unsure["confidence"] = json!(10);
    push.frame(log.community(vec![
        entry("bravo", &of_rule(RULE).to_string()),
        entry("bravo", &unsure.to_string()),
    ]));
    until("one rule", || taken(&shield) == Some(1));
    push.frame(log.community(vec![entry("bravo", &of_rule("nonsense").to_string())]));
    until("word of what is no rule", || {
        shield.journal("refused").len() == 1
    });
    assert_eq!(taken(&shield), Some(1));
}
