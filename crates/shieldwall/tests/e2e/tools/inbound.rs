//! Who attacks from outside: guessed paths, guessed logins, attacks on an application.

use std::time::Duration;

use crate::common::alone;
use crate::tools::{ATTACKER, Place, packs, place, reasons};

const URL: &str = "http://198.51.100.10/FUZZ";

fn ffuf(place: &mut Place) {
    let words: String = (0..50_000).map(|word| format!("word{word}\n")).collect();
    let words = place.write("words", &words);
    place.attack(&["ffuf", "-u", URL, "-w", &words, "-t", "4"]);
}

/// Guesses for one account; it asks for the form before each.
fn hydra(place: &mut Place) {
    let words: String = (0..5_000).map(|word| format!("guess{word}\n")).collect();
    let words = place.write("words", &words);
    let form = "/login:user=^USER^&password=^PASS^:F=login failed";
    let (user, site, kind) = ("admin", "198.51.100.10", "http-post-form");
    place.attack(&[
        "hydra", "-l", user, "-P", &words, "-t", "4", site, kind, form,
    ]);
}

#[test]
fn ffuf_is_stopped_where_the_operator_has_guessed_paths_dropped() {
    let _turn = alone();
    let test = "ffuf_is_stopped_where_the_operator_has_guessed_paths_dropped";
    let Some(mut place) = place(test, &["ffuf"]) else {
        return;
    };
    place.defend("[behaviour]\npath-guessing = \"drop\"\n");
    let bystander = place.bystander(false);
    ffuf(&mut place);
    place.leased("drop", Duration::from_secs(20));
    let alert = place.alert(9_100_004, Duration::from_secs(10));
    let why = reasons(&alert);
    assert!(why.contains("different paths were not there"), "{alert}");
    place.is_stopped("ffuf");
    place.is_unharmed(bystander);
}

/// Nobody said what is to follow: it is slowed down for a minute, and dropped since it goes on.
#[test]
fn ffuf_is_slowed_down_first_and_stopped_when_it_goes_on() {
    let _turn = alone();
    let test = "ffuf_is_slowed_down_first_and_stopped_when_it_goes_on";
    if !testkit::long() {
        return testkit::skip(test, "it takes more than a minute");
    }
    let Some(mut place) = place(test, &["ffuf"]) else {
        return;
    };
    place.defend("");
    let bystander = place.bystander(false);
    ffuf(&mut place);
    let first = place.leased("rate-limit", Duration::from_secs(20));
    let why = first["why"].as_str().unwrap();
    assert!(why.contains("a drop if it goes on"), "{first}");
    place.leased("drop", Duration::from_secs(100));
    place.is_stopped("ffuf");
    place.is_unharmed(bystander);
}

/// The form that it asks for before each guess, in a session that nothing speaks against, does not
/// vouch for it.
#[test]
fn hydra_is_stopped_for_the_logins_that_it_guesses() {
    let _turn = alone();
    let test = "hydra_is_stopped_for_the_logins_that_it_guesses";
    let Some(mut place) = place(test, &["hydra"]) else {
        return;
    };
    place.defend("");
    let bystander = place.bystander(false);
    hydra(&mut place);
    place.leased("drop", Duration::from_secs(40));
    let alert = place.alert(9_100_003, Duration::from_secs(10));
    let why = reasons(&alert);
    assert!(why.contains("different logins were refused"), "{alert}");
    place.is_stopped("hydra");
    place.is_unharmed(bystander);
}

/// Who shares the attacker's address keeps its connection, and the address is never dropped whole.
#[test]
fn a_bystander_behind_the_attackers_address_is_not_cut_off() {
    let _turn = alone();
    let test = "a_bystander_behind_the_attackers_address_is_not_cut_off";
    let Some(mut place) = place(test, &["hydra"]) else {
        return;
    };
    place.defend("");
    let behind = place.bystander(true);
    crate::common::wait_for("it is at work", Duration::from_secs(20), || {
        (place.arrived(ATTACKER) > 10).then_some(())
    });
    let bystander = place.bystander(false);
    hydra(&mut place);
    let lease = place.leased("rate-limit", Duration::from_secs(40));
    let why = lease["why"].as_str().unwrap();
    assert!(why.contains("recent benign sessions"), "{lease}");
    std::thread::sleep(Duration::from_secs(20));
    let leases = place.leases();
    let dropped = leases.iter().find(|lease| lease["action"] == "drop");
    assert_eq!(dropped, None);
    place.is_unharmed(behind);
    place.is_unharmed(bystander);
}

/// What it looks at before its attacks, and between them, does not vouch for it.
#[test]
fn sqlmap_is_stopped_by_a_pack_that_may_block() {
    let _turn = alone();
    let test = "sqlmap_is_stopped_by_a_pack_that_may_block";
    let Some(mut place) = place(test, &["sqlmap"]) else {
        return;
    };
    let more = packs::that_may_block(&place);
    place.defend(&more);
    let bystander = place.bystander(false);
    let url = "http://198.51.100.10/item?id=1";
    place.attack(&[
        "sqlmap",
        "-u",
        url,
        "--batch",
        "--flush-session",
        "--retries",
        "0",
        "--dump",
    ]);
    place.leased("drop", Duration::from_secs(40));
    let alert = place.alert(9_300_001, Duration::from_secs(10));
    let model = &alert["shieldwall"]["model"];
    // it also sends attacks in parameters of its own, to see whether anybody looks
    let field = model["field"].as_str().unwrap();
    assert!(field.starts_with("query "), "{alert}");
    assert!(!model["text"].as_str().unwrap().is_empty(), "{alert}");
    assert!(!model["features"].as_array().unwrap().is_empty(), "{alert}");
    place.is_stopped("sqlmap");
    let said = std::fs::read_to_string(place.at("tool.out")).unwrap();
    for learned in ["back-end DBMS", "is vulnerable", "Table: "] {
        assert!(!said.contains(learned), "it learned something: {said}");
    }
    place.is_unharmed(bystander);
}
