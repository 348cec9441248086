//! `import taxii` from servers as there are in the field.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::fake::{Answer, Asked, COLLECTION, Fake, day, envelope, indicator, version};
use crate::{
    common::BINARY,
    feeds::{Ended, World, counts},
};

const COUNTS: [&str; 5] = ["new", "changed", "revoked", "unchanged", "refused"];

/// An import from a server on loopback.
fn import(world: &World, fake: &Fake, more: &[&str]) -> Ended {
    let url = fake.url();
    world.command(&[&["import", "taxii", &url, "--json"], more].concat())
}

/// Indicators with the times of the first and the last.
fn dated(numbers: &[u32], more: &str) -> Answer {
    let answer = Answer::raw(200, &envelope(numbers, more));
    match numbers {
        [first, .., last] => answer
            .with("x-taxii-date-added-first", &day(*first))
            .with("X-TAXII-Date-Added-Last", &day(*last)),
        [only] => answer
            .with("x-taxii-date-added-first", &day(*only))
            .with("x-taxii-date-added-last", &day(*only)),
        [] => answer,
    }
}

fn numbers(world: &World) -> Vec<u32> {
    let mut all: Vec<u32> = world
        .listed()
        .iter()
        .map(|value| value.strip_prefix("192.0.2.").unwrap().parse().unwrap())
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn pages_are_followed_and_the_next_run_asks_for_what_came_since() {
    let _turn = crate::common::alone();
    let world = World::start();
    let fake =
        Fake::start(
            |_, asked| match (asked.parameter("next"), asked.parameter("added_after")) {
                // With every page the filters of the first.
                (None, None) => dated(&[1, 2], "\"more\":true,\"next\":\"p/2+\","),
                (Some("p%2F2%2B"), None) => dated(&[3], "\"more\":true,\"next\":7,"),
                (Some("7"), None) => dated(&[4, 5], "\"more\":false,\"next\":\"x\","),
                (None, Some(_)) => dated(&[5, 6], ""),
                (Some(_), _) => Answer::raw(400, "{\"title\":\"no\"}"),
            },
        );
    let more = ["--page", "2", "--collection", "Feed"];
    assert_eq!(
        counts(&import(&world, &fake, &more).with(0).summary(), COUNTS),
        [5, 0, 0, 0, 0]
    );
    let asked = fake.asked();
    assert_eq!(asked.len(), 3);
    for asked in &asked {
        assert_eq!(asked.parameter("limit"), Some("2"));
        assert!(
            asked
                .headers
                .contains("accept: application/taxii+json;version=2.1\n"),
            "{asked:?}"
        );
        assert!(
            asked
                .line
                .starts_with(&format!("GET /api/collections/{COLLECTION}/objects/?"))
        );
    }
    // What was stamped shortly before the last is asked for again: it may have come later.
    assert_eq!(
        counts(&import(&world, &fake, &more).with(0).summary(), COUNTS),
        [1, 0, 0, 1, 0]
    );
    let after = fake.asked()[0]
        .parameter("added_after")
        .unwrap()
        .replace("%3A", ":");
    assert_eq!(after, "2026-02-04T23:55:00.000000Z");
    assert_eq!(numbers(&world), [1, 2, 3, 4, 5, 6]);
    // Objects came byte for byte.
    let stix = world.command(&["export", "stix"]).with(0);
    assert!(
        (1..=6).all(|number| stix.out.contains(&indicator(number))),
        "{stix:?}"
    );
    let summary = import(&world, &fake, &["--page", "2", "--from-start"])
        .with(0)
        .summary();
    assert_eq!(counts(&summary, COUNTS), [0, 0, 0, 5, 0]);
    assert_eq!(fake.asked()[0].parameter("added_after"), None);
}

#[test]
fn what_was_cut_off_goes_on_and_a_forgotten_place_costs_nothing() {
    let _turn = crate::common::alone();
    let world = World::start();
    let mut broken = true;
    let mut forgets = false;
    let fake = Fake::start(move |_, asked| match asked.parameter("next") {
        None if asked.parameter("added_after").is_some() => dated(&[3, 4, 5, 6], "\"more\":false,"),
        None => dated(&[1, 2], "\"more\":true,\"next\":\"b\","),
        Some("b") => dated(&[3, 4], "\"more\":true,\"next\":\"c\","),
        Some(_) if std::mem::take(&mut broken) => Answer::raw(500, "{\"title\":\"Ouch\"}"),
        Some(_) if !std::mem::replace(&mut forgets, true) => {
            Answer::raw(404, "{\"title\":\"next: never heard of it\"}")
        }
        Some(_) => dated(&[5, 6], "\"more\":false,"),
    });
    let ended = import(&world, &fake, &[]).with(3);
    assert!(
        ended
            .err
            .contains("answers 500 Internal Server Error; it says: Ouch"),
        "{ended:?}"
    );
    assert_eq!(numbers(&world), [1, 2, 3, 4], "what was read is shared");
    fake.asked();
    let ended = import(&world, &fake, &[]).with(0);
    let asked = fake.asked();
    assert_eq!(
        asked[0].parameter("next"),
        Some("c"),
        "goes on where it was"
    );
    let after = asked[1]
        .parameter("added_after")
        .unwrap()
        .replace("%3A", ":");
    assert_eq!(
        (after.as_str(), asked[1].parameter("next")),
        ("2026-02-03T23:55:00.000000Z", None)
    );
    assert_eq!(counts(&ended.summary(), COUNTS), [2, 0, 0, 2, 0]);
    assert_eq!(numbers(&world), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_server_that_is_busy_is_waited_for() {
    let _turn = crate::common::alone();
    let world = World::start();
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    let soon = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&soon);
    let fake = Fake::start(move |before, _| match before {
        0 => Answer::raw(429, "").with("retry-after", "1"),
        1 => Answer::raw(503, "").with("retry-after", &soon.clone().unwrap()),
        _ => dated(&[1], ""),
    });
    let start = Instant::now();
    import(&world, &fake, &[]).with(0);
    assert!(
        start.elapsed() > Duration::from_millis(1900),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(fake.asked().len(), 3);
}

#[test]
fn quirks_of_paging_lose_nothing_and_end() {
    let _turn = crate::common::alone();
    let world = World::start();
    // More, and not where: by time, with what the last moment had again.
    let by_time = Fake::start(|_, asked| match asked.parameter("added_after") {
        None => dated(&[1, 2], "\"more\":true,"),
        Some(after) => {
            assert_eq!(after, "2026-02-01T23%3A59%3A59.999999Z");
            dated(&[2, 3], "\"more\":false,")
        }
    });
    let summary = import(&world, &by_time, &[]).with(0).summary();
    assert_eq!(counts(&summary, COUNTS), [3, 0, 0, 0, 0]);
    assert_eq!(summary["repeated"], 1);

    // No word of when: everything again, and nothing changes.
    let undated = Fake::start(|_, _| Answer::raw(200, &envelope(&[11, 12], "")));
    let ended = import(&world, &undated, &[]).with(0);
    assert!(
        ended
            .err
            .contains("the next run asks for all of them again"),
        "{ended:?}"
    );
    let summary = import(&world, &undated, &[]).with(0).summary();
    assert_eq!(counts(&summary, COUNTS), [0, 0, 0, 2, 0]);
    assert!(
        undated
            .asked()
            .iter()
            .all(|asked| asked.parameter("added_after").is_none())
    );

    // The same page for ever.
    let circle = Fake::start(|_, _| dated(&[21], "\"more\":true,\"next\":\"a\","));
    let ended = import(&world, &circle, &[]).with(3);
    assert!(ended.err.contains("goes in circles"), "{ended:?}");
    assert_eq!(circle.asked().len(), 102);

    let stuck = Fake::start(|_, _| dated(&[25], "\"more\":true,"));
    assert!(
        import(&world, &stuck, &[])
            .with(3)
            .err
            .contains("added at one moment")
    );
    let lost = Fake::start(|_, _| Answer::raw(200, &envelope(&[26], "\"more\":true,")));
    assert!(
        import(&world, &lost, &[])
            .with(3)
            .err
            .contains("cannot be read further")
    );
    assert_eq!(numbers(&world), [1, 2, 3, 11, 12, 21, 25, 26]);
}

#[test]
fn versions_come_in_any_order_and_in_other_words() {
    let _turn = crate::common::alone();
    let world = World::start();
    let (older, newer) = ("2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z");
    let fake = Fake::start(move |before, _| {
        let object = match before {
            // A newer version while pages are read, and an older one behind it.
            0 => {
                let all = [indicator(1), version(1, newer, ""), version(1, older, "")];
                return Answer::raw(200, &format!("{{\"objects\":[{}]}}", all.join(",")));
            }
            // What a server makes of the same version, and what its writer takes back.
            1 => version(1, newer, "").replace(" : 1.50", ":1.5"),
            2 => version(1, older, ",\"revoked\":true"),
            _ => version(1, "2026-01-04T00:00:00.000Z", ",\"revoked\":true"),
        };
        Answer::raw(200, &format!("{{\"objects\":[{object}]}}"))
    });
    let told = |want: [u64; 5]| {
        let summary = import(&world, &fake, &[]).with(0).summary();
        assert_eq!(counts(&summary, COUNTS), want, "{summary}");
        // So that the script counts on.
        summary
    };
    let first = told([1, 1, 0, 0, 0]);
    assert_eq!(first["repeated"], 1);
    let words = told([0, 0, 0, 0, 0]);
    assert_eq!(
        words["passed_over"]["versions that are known, in other words"],
        1
    );
    let old = told([0, 0, 0, 0, 0]);
    assert_eq!(old["passed_over"]["older than what was told before"], 1);
    assert_eq!(numbers(&world), [1]);
    told([0, 0, 1, 0, 0]);
    assert_eq!(numbers(&world), [] as [u32; 0]);
}

#[test]
fn objects_that_are_none_are_named_and_a_preview_changes_nothing() {
    let _turn = crate::common::alone();
    let world = World::start();
    let red = indicator(3).replace(
        "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
        "e828b379-4e03-4974-9ac4-e53a884c97c1",
    );
    let old = indicator(4).replace("\"spec_version\":\"2.1\"", "\"spec_version\":\"2.0\"");
    let body = format!("{{\"objects\":[{},7,{old},{red}]}}", indicator(1));
    let fake =
        Fake::start(move |_, _| Answer::raw(200, &body).with("x-taxii-date-added-last", &day(1)));
    let preview = import(&world, &fake, &["--preview"]).with(1);
    assert_eq!(counts(&preview.summary(), COUNTS), [1, 0, 0, 0, 2]);
    assert_eq!(numbers(&world), [] as [u32; 0]);
    let ended = import(&world, &fake, &[]).with(1);
    assert_eq!(counts(&ended.summary(), COUNTS), [1, 0, 0, 0, 2]);
    assert!(
        ended
            .out
            .contains("$.objects[2] indicator--00000000-0000-4000-8000-000000000004"),
        "{ended:?}"
    );
    let red = &ended.summary()["passed_over"]["TLP:RED is for named people, never for a feed"];
    assert_eq!(red, 1);
    assert_eq!(numbers(&world), [1]);
    assert!(
        fake.asked()
            .iter()
            .all(|asked| asked.parameter("added_after").is_none())
    );
}

#[test]
fn sync_takes_back_what_the_collection_no_longer_has() {
    let _turn = crate::common::alone();
    let world = World::start();
    let fake = Fake::start(|before, _| match before {
        0 => dated(&[1, 2, 3], ""),
        _ => dated(&[1, 3], ""),
    });
    import(&world, &fake, &["--sync"]).with(0);
    let summary = import(&world, &fake, &["--sync"]).with(0).summary();
    assert_eq!(counts(&summary, COUNTS), [0, 0, 1, 2, 0]);
    assert_eq!(numbers(&world), [1, 3]);
    assert!(
        fake.asked()
            .iter()
            .all(|asked| asked.parameter("added_after").is_none())
    );
}

#[test]
fn who_we_are_is_told_as_the_server_wants_it_and_secrets_stay_off_the_command_line() {
    let _turn = crate::common::alone();
    let world = World::start();
    let fake = Fake::start(|_, _| dated(&[1], ""));
    let said = |asked: &[Asked]| {
        let headers = asked.last().unwrap().headers.clone();
        let line = headers
            .lines()
            .find(|line| line.starts_with("authorization: "));
        line.map(str::to_owned)
    };
    let secret = world.write("secret", "p:w\n");
    import(&world, &fake, &["--user", "me", "--secret-file", &secret]).with(0);
    assert_eq!(
        said(&fake.asked()).as_deref(),
        Some("authorization: Basic bWU6cDp3")
    );
    let token = world.write("token", "abc.def-1\n");
    import(&world, &fake, &["--secret-file", &token]).with(0);
    assert_eq!(
        said(&fake.asked()).as_deref(),
        Some("authorization: Bearer abc.def-1")
    );
    let mut ours = Command::new(BINARY);
    ours.args(["import", "taxii", &fake.url(), "--secret-env", "PEER_TOKEN"])
        .args(["--identity", world.me.to_str().unwrap()])
        .env("PEER_TOKEN", "from-the-environment");
    assert!(ours.output().unwrap().status.success());
    assert_eq!(
        said(&fake.asked()).as_deref(),
        Some("authorization: Bearer from-the-environment")
    );
    import(&world, &fake, &[]).with(0);
    assert_eq!(said(&fake.asked()), None);
    for (more, why) in [
        (
            &["--secret-env", "SHIELDWALL_NO_SUCH"][..],
            "SHIELDWALL_NO_SUCH",
        ),
        (&["--secret-file", "/nowhere"], "/nowhere"),
        (&["--user", "me"], "--secret-env"),
        (&["--cert", "/nowhere"], "--key"),
        (
            &["--cert", "/nowhere", "--key", "/nowhere"],
            "--cert /nowhere",
        ),
        (&["--ca", &token], "no certificate in it"),
        (
            &["--collection", "Fees"],
            "--collection Fees: not there; there are:",
        ),
    ] {
        let ended = import(&world, &fake, more).with(2);
        assert!(ended.err.contains(why), "{more:?}: {}", ended.err);
    }
}

#[test]
fn what_is_no_taxii_2_1_is_said_to_be_none() {
    let _turn = crate::common::alone();
    let world = World::start();
    let answers: [(Answer, i32, &str); 8] = [
        (
            Answer::raw(200, "<html>log in</html>").with("content-type", "text/html"),
            2,
            "see that the address is right",
        ),
        (
            Answer::raw(302, "").with("location", "https://192.0.2.1/login"),
            2,
            "sends us to https://192.0.2.1/login",
        ),
        (Answer::raw(401, ""), 2, "does not take our credentials"),
        (
            Answer::raw(403, "{\"title\":\"Not you\"}"),
            2,
            "it says: Not you",
        ),
        (
            Answer::raw(200, "{}").with(
                "content-type",
                "application/vnd.oasis.taxii+json; version=2.0",
            ),
            2,
            "TAXII 2.1",
        ),
        (
            Answer::raw(206, "{\"objects\":[]}").with("content-range", "items 0-1/7"),
            2,
            "pages by Range",
        ),
        (Answer::raw(200, "[]"), 3, "no envelope"),
        (Answer::raw(200, &"x".repeat(65 << 20)), 3, "with --page"),
    ];
    for (answer, code, why) in answers {
        let fake = Fake::start(move |_, _| answer.clone());
        let ended = import(&world, &fake, &[]).with(code);
        assert!(ended.err.contains(why), "{why}: {}", ended.err);
        assert_eq!(fake.asked().len(), 1, "{why}");
    }
    let none = Fake::with_roots(&[], |_, _| dated(&[1], ""));
    assert!(
        import(&world, &none, &[])
            .with(2)
            .err
            .contains("names no API root")
    );
    let ended = world
        .command(&["import", "taxii", "http://127.0.0.1:1/"])
        .with(3);
    assert!(ended.err.contains("reach http://127.0.0.1:1"), "{ended:?}");
}

#[test]
fn an_api_root_that_names_another_host_is_asked_where_the_server_was_typed_to_be() {
    let _turn = crate::common::alone();
    let world = World::start();
    let fake = Fake::with_roots(&["https://internal.invalid:9000/api"], |_, _| {
        dated(&[1], "")
    });
    let token = world.write("token", "abc");
    let ended = import(&world, &fake, &["--secret-file", &token]).with(0);
    assert!(
        ended
            .err
            .contains("note: the server names its API root https://internal.invalid:9000/api"),
        "{ended:?}"
    );
    assert_eq!(numbers(&world), [1]);
    // By the address of the collection, without discovery; and by that of the API root.
    for path in [
        format!("api/collections/{COLLECTION}/objects/"),
        "api".to_owned(),
    ] {
        let url = format!("http://127.0.0.1:{}/{path}", fake.port);
        let summary: Value = world.done(&["import", "taxii", &url]);
        assert_eq!(summary["unchanged"], json!(1), "{path}");
    }
}
