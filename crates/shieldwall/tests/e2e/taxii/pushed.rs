//! `export taxii` to servers as there are in the field.

use serde_json::{Value, json};

use super::fake::{Answer, Asked, Fake, indicator, version};
use crate::feeds::{Ended, World, counts};

const COUNTS: [&str; 5] = ["new", "changed", "revoked", "unchanged", "refused"];

/// A world with indicators in force, and what no export has.
fn world(numbers: std::ops::RangeInclusive<u32>) -> World {
    let world = World::start();
    let mut lines: Vec<String> = numbers.map(indicator).collect();
    let red = indicator(202).replace(
        "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
        "e828b379-4e03-4974-9ac4-e53a884c97c1",
    );
    let private = indicator(200).replace("192.0.2.200", "10.0.0.1");
    let strict = indicator(201).replace(
        "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
        "939a9414-2ddd-4d32-a0cd-375ea402b003",
    );
    lines.extend([private, strict]);
    let file = world.write("in.jsonl", &lines.join("\n"));
    world.done(&["import", "stix", &file]);
    // An import passes it over; a person may share it.
    let file = world.write("red.json", &red);
    world.command(&["share", &file]).with(0);
    world
}

fn export(world: &World, fake: &Fake, more: &[&str]) -> Ended {
    let url = fake.url();
    world.command(&[&["export", "taxii", &url, "--json"], more].concat())
}

/// The identifiers' numbers in a posted envelope.
fn posted(asked: &Asked) -> Vec<u32> {
    assert!(
        asked.line.starts_with("POST ") && asked.line.ends_with("/objects/"),
        "{}",
        asked.line
    );
    assert!(
        asked
            .headers
            .contains("content-type: application/taxii+json;version=2.1\n")
    );
    let text = String::from_utf8(asked.body.clone()).unwrap();
    let envelope: Value = serde_json::from_str(&text).unwrap();
    let objects = envelope["objects"].as_array().unwrap();
    let number = |object: &Value| {
        let id = object["id"].as_str().unwrap();
        let number: u32 = id.rsplit('-').next().unwrap().parse().unwrap();
        assert!(text.contains(&indicator(number)), "byte for byte: {text}");
        number
    };
    objects.iter().map(number).collect()
}

fn complete(failures: &Value) -> Answer {
    let count = failures.as_array().unwrap().len();
    let mut answer = Answer::json(&json!({
        "id": "2d086da7-4bdc-4f91-900e-d77486753710", "status": "complete", "failure_count": count,
        "failures": failures,
    }));
    answer.status = 202;
    answer
}

fn id(number: u32) -> String {
    format!("indicator--00000000-0000-4000-8000-{number:012}")
}

#[test]
fn what_is_in_force_goes_once_in_bodies_that_the_server_takes() {
    let _turn = crate::common::alone();
    let world = world(1..=9);
    let fake = Fake::start(|_, asked| {
        assert!(
            asked.body.len() <= 2000,
            "max_content_length of the API root"
        );
        complete(&json!([]))
    });
    let preview = export(&world, &fake, &["--preview"]).with(0);
    assert_eq!(counts(&preview.summary(), COUNTS), [9, 0, 0, 0, 0]);
    assert!(fake.asked().is_empty());
    let ended = export(&world, &fake, &[]).with(0);
    assert_eq!(counts(&ended.summary(), COUNTS), [9, 0, 0, 0, 0]);
    assert!(ended.err.contains("\"restricted\":2"), "{ended:?}");
    let asked = fake.asked();
    assert!(asked.len() > 1);
    let mut sent: Vec<u32> = asked.iter().flat_map(posted).collect();
    sent.sort_unstable();
    assert_eq!(sent, (1..=9).collect::<Vec<_>>());
    assert_eq!(
        counts(&export(&world, &fake, &[]).with(0).summary(), COUNTS),
        [0, 0, 0, 9, 0]
    );
    assert!(fake.asked().is_empty());
    let all = ["--include-restricted", "--preview"];
    let ended = export(&world, &fake, &all).with(0);
    assert_eq!(counts(&ended.summary(), COUNTS), [1, 0, 0, 9, 0]);
    assert!(
        ended.err.contains("TLP:RED is for named people"),
        "{ended:?}"
    );
    // What is taken back follows, where it had gone to.
    let later = "2026-01-02T00:00:00.000Z";
    let taken_back = [3, 201].map(|number| version(number, later, ",\"revoked\":true"));
    let file = world.write("back.jsonl", &taken_back.join("\n"));
    world
        .command(&["import", "stix", &file, "--state", &world.at("other")])
        .with(0);
    let known = world.at("identity-alpha/sources/stix-in.jsonl.jsonl");
    world
        .command(&["import", "stix", &file, "--state", &known])
        .with(0);
    assert_eq!(
        counts(&export(&world, &fake, &[]).with(0).summary(), COUNTS),
        [0, 0, 1, 8, 0]
    );
    let asked = fake.asked();
    let body = String::from_utf8(asked[0].body.clone()).unwrap();
    assert!(body.contains(&taken_back[0]) && asked.len() == 1, "{body}");
    assert_eq!(
        counts(&export(&world, &fake, &[]).with(0).summary(), COUNTS),
        [0, 0, 0, 8, 0]
    );
}

#[test]
fn a_pending_status_is_followed_and_failures_are_told_object_by_object() {
    let _turn = crate::common::alone();
    let world = world(1..=3);
    let fake = Fake::start(|before, asked| match before {
        0 => {
            assert_eq!(posted(asked), [1, 2, 3]);
            let mut answer =
                Answer::json(&json!({"id": "a/b", "status": "pending", "pending_count": 3}));
            answer.status = 202;
            answer
        }
        1 => {
            assert_eq!(asked.line, "GET /api/status/a%2Fb/");
            Answer::json(&json!({"id": "a/b", "status": "pending"}))
        }
        2 => complete(
            &json!([{"id": id(2), "version": "2026-01-01T00:00:00.000Z", "message": "not \u{1b}[31mhere"}]),
        ),
        // Whether the server has it already.
        3 => {
            assert!(
                asked
                    .line
                    .ends_with(&format!("/objects/{}/versions/", id(2))),
                "{}",
                asked.line
            );
            Answer::raw(404, "{}")
        }
        4 => {
            assert_eq!(posted(asked), [2]);
            complete(&json!([{"id": id(2), "message": "Unable to process object"}]))
        }
        _ => Answer::json(&json!({"versions": ["2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]})),
    });
    let ended = export(&world, &fake, &[]).with(1);
    assert_eq!(counts(&ended.summary(), COUNTS), [2, 0, 0, 0, 1]);
    let refused = ended
        .out
        .lines()
        .find(|line| line.contains("\"refused\","))
        .unwrap_or(&ended.out);
    assert!(
        refused.contains("not [31mhere") && refused.contains(&id(2)),
        "{ended:?}"
    );
    // The next run has but that one to push, and the server turns out to have it.
    let ended = export(&world, &fake, &[]).with(0);
    assert_eq!(counts(&ended.summary(), COUNTS), [0, 0, 0, 3, 0]);
    assert_eq!(fake.asked().len(), 6);
}

#[test]
fn a_body_that_is_refused_whole_is_halved_until_it_is_known_why() {
    let _turn = crate::common::alone();
    let world = world(1..=4);
    let fake = Fake::start(|_, asked| match posted(asked).contains(&3) {
        true => Answer::raw(
            422,
            "{\"title\":\"Bad\",\"description\":\"I do not like 3\"}",
        ),
        false => complete(&json!([])),
    });
    let ended = export(&world, &fake, &["--page", "4"]).with(1);
    assert_eq!(counts(&ended.summary(), COUNTS), [3, 0, 0, 0, 1]);
    assert!(
        ended.out.contains("I do not like 3") && ended.out.contains(&id(3)),
        "{ended:?}"
    );
}

#[test]
fn a_push_that_is_cut_off_goes_on() {
    let _turn = crate::common::alone();
    let world = world(1..=6);
    let mut faults = [false, true].into_iter();
    let fake = Fake::start(move |_, _| match faults.next() {
        Some(true) => Answer::raw(500, "{}"),
        Some(false) | None => complete(&json!([])),
    });
    let ended = export(&world, &fake, &["--page", "2"]).with(3);
    assert_eq!(counts(&ended.summary(), COUNTS), [2, 0, 0, 0, 0]);
    let ended = export(&world, &fake, &["--page", "2"]).with(0);
    assert_eq!(counts(&ended.summary(), COUNTS), [4, 0, 0, 2, 0]);
    let sent: Vec<Vec<u32>> = fake.asked().iter().map(posted).collect();
    assert_eq!(sent, [[1, 2], [3, 4], [3, 4], [5, 6]]);
}
