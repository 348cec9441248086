//! What leaves a shield, and when it counts as delivered.

use std::time::Duration;

use shield::signals::spool::Spool;

use crate::objects::{self, Log, indicator};
use crate::{Shield, two_leases, until};

#[test]
fn signals_go_in_order_and_again_until_the_hub_has_them() {
    let mut shield = Shield::new();
    let spool = shield.data().join("spool");
    let mut open = Spool::open(&spool).unwrap();
    for n in 1..=3 {
        open.append(&[objects::parsed(&indicator(n))]);
    }
    drop(open);
    shield.hub.answer_posts_with(503);
    shield.start();
    until("a refused post", || !shield.hub.posts().is_empty());
    shield.hub.answer_posts_with(200);
    until("acknowledgements", || {
        shield.journal("acknowledged").len() == 1
    });
    let last = shield.hub.posts().pop().unwrap();
    let sent: serde_json::Value = serde_json::from_slice(&last).unwrap();
    let ids: Vec<_> = sent["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["id"].clone())
        .collect();
    let expected: Vec<_> = (1..=3)
        .map(|n| objects::id(n).as_str().to_owned())
        .collect();
    assert_eq!(ids, expected);
    let first = objects::parsed(&indicator(1));
    let text = String::from_utf8(last).unwrap();
    assert!(
        text.contains(std::str::from_utf8(first.raw()).unwrap()),
        "byte for byte"
    );
    shield.stop();
    assert!(Spool::open(&spool).unwrap().is_empty());
}

#[test]
fn without_share_nothing_leaves_but_that_we_are_there() {
    let mut shield = Shield::new();
    shield.shares = false;
    let spool = shield.data().join("spool");
    let mut open = Spool::open(&spool).unwrap();
    open.append(&[objects::parsed(&indicator(1))]);
    drop(open);
    shield.start();
    let mut log = Log::new();
    let push = two_leases(&shield, &mut log);
    let before = shield.hub.states().len();
    until("two more reports", || {
        shield.hub.states().len() > before + 1
    });
    let text = String::from_utf8(shield.hub.states().pop().unwrap()).unwrap();
    assert!(!text.contains("192.0.2."), "{text}");
    let report: taxii::state::StateReport = serde_json::from_str(&text).unwrap();
    assert!(report.sync.connected && report.counters.is_empty() && report.leases.is_empty());
    assert!(
        shield.hub.posts().is_empty(),
        "what an earlier configuration spooled stays"
    );
    drop(push);
}

/// What answers with success and is no hub, or half of one.
const UNCLEAR: &[&str] = &["<html>Welcome</html>", "{}", "{\"outcomes\":[]}", ""];

#[test]
fn an_answer_that_says_nothing_settles_nothing_and_is_not_asked_for_in_a_hot_loop() {
    for (n, unclear) in UNCLEAR.iter().enumerate() {
        let mut shield = Shield::new();
        let spool = shield.data().join("spool");
        let mut open = Spool::open(&spool).unwrap();
        open.append(&[objects::parsed(&indicator(1))]);
        drop(open);
        shield.hub.say_to_posts(Some(unclear));
        shield.start();
        until("two attempts", || {
            shield.counter("sync.answers_unclear") >= 2
        });
        if n == 0 {
            // Waits double up to 100 ms times 2^n each: not many fit into a second.
            std::thread::sleep(Duration::from_secs(1));
            let posts = shield.hub.posts().len();
            assert!(posts < 40, "{posts} requests in about a second");
        }
        assert!(shield.journal("acknowledged").is_empty(), "{unclear}");
        let said = shield.journal("state");
        let kept = |line: &serde_json::Value| line["what"].to_string().contains("signals kept");
        assert!(said.iter().any(kept), "{said:?}");
        shield.hub.say_to_posts(None);
        until("the acknowledgement", || {
            shield.journal("acknowledged").len() == 1
        });
        shield.stop();
        assert!(Spool::open(&spool).unwrap().is_empty());
    }
}
