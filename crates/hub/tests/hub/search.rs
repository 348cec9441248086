//! Search over HTTP: pages, cursors, what is joined, and what a partner must not learn from it.

use crate::support::{Partner, World, indicator};
use serde_json::{Value, json};
use stix::{StixId, Tlp};

const SEARCH: &str = "/exchange/v1/search";

async fn search(partner: &Partner, parameters: &str) -> Value {
    let answer = partner.get(&format!("{SEARCH}?{parameters}")).await;
    assert_eq!(answer.status(), 200, "{parameters}");
    assert_eq!(answer.headers()["content-type"], "application/json");
    answer.json().await.unwrap()
}

async fn refused(partner: &Partner, parameters: &str) -> String {
    let answer = partner.get(&format!("{SEARCH}?{parameters}")).await;
    assert_eq!(answer.status(), 400, "{parameters}");
    answer.text().await.unwrap()
}

/// An answer without when things were added.
fn undated(mut answer: Value) -> Value {
    for item in answer["objects"].as_array_mut().unwrap() {
        item["date_added"].take();
    }
    answer["next"].take();
    answer
}

#[tokio::test]
async fn pages_join_and_a_cursor_belongs_to_its_reader_and_conditions() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let objects: Vec<Value> = (0..25)
        .map(|n| {
            let audience: &[&str] = if n % 5 == 0 { &["agency-b"] } else { &[] };
            indicator(
                &n.to_string(),
                &format!("198.51.100.{n}"),
                Tlp::Green,
                audience,
            )
        })
        .collect();
    a.share(&objects).await;
    let whole = search(&b, "in=198.51.100.0/24").await;
    assert_eq!(whole["objects"].as_array().unwrap().len(), 25);
    assert_eq!(
        (&whole["more"], &whole["next"]),
        (&json!(false), &Value::Null)
    );
    let (mut joined, mut next) = (Vec::new(), String::new());
    loop {
        let page = search(&b, &format!("limit=4&in=198.51.100.0/24{next}")).await;
        joined.extend(page["objects"].as_array().unwrap().clone());
        let Some(cursor) = page["next"].as_str() else {
            break;
        };
        next = format!("&next={cursor}");
    }
    assert_eq!(joined, *whole["objects"].as_array().unwrap());
    let cursor = search(&b, "limit=4&in=198.51.100.0/24").await;
    let cursor = cursor["next"].as_str().unwrap();
    let other = refused(&b, &format!("in=198.51.100.0/25&next={cursor}")).await;
    assert!(other.contains("other filters"), "{other}");
    let foreign = refused(&a, &format!("in=198.51.100.0/24&next={cursor}")).await;
    assert!(foreign.contains("another view"), "{foreign}");
    let none = refused(&b, "in=198.51.100.0/24&next=AAAA").await;
    assert!(none.contains("not a cursor"), "{none}");
    let related = format!(
        "/exchange/v1/related?id={}&next={cursor}",
        objects[0]["id"].as_str().unwrap()
    );
    assert_eq!(b.get(&related).await.status(), 400);
}

#[tokio::test]
async fn hidden_objects_change_no_byte_of_an_answer() {
    // Two worlds, one of which has more that bravo may not see.
    let mut answers = Vec::new();
    for hidden in [false, true] {
        let world = World::start().await;
        let (a, b) = (
            world.partner("agency-a").await,
            world.partner("agency-b").await,
        );
        let one = |name: &str, tlp| indicator(name, "192.0.2.7", tlp, &[]);
        for n in 0..10 {
            if hidden {
                a.share(&[one(&format!("hidden-{n}"), Tlp::Red)]).await;
            }
            a.share(&[one(&n.to_string(), Tlp::Green)]).await;
        }
        let mut of_world = Vec::new();
        for parameters in [
            "value=192.0.2.7&sources=true",
            "type=indicator&limit=3",
            "marking=TLP:RED",
            "covers=192.0.2.7&source=agency-a",
        ] {
            of_world.push(undated(search(&b, parameters).await));
        }
        let own = search(&a, "marking=TLP:RED").await;
        let own = own["objects"].as_array().unwrap().len();
        assert_eq!(own, if hidden { 10 } else { 0 });
        answers.push(of_world);
    }
    let undated_too = |answers: &Value| {
        let text = answers.to_string();
        // Of those that are joined, too.
        let parts = text.split("\"date_added\":\"");
        let rest = parts.map(|part| part.split_once('"').map_or(part, |(_, rest)| rest));
        rest.collect::<Vec<_>>().join("")
    };
    for (one, other) in answers[0].iter().zip(&answers[1]) {
        assert_eq!(undated_too(one), undated_too(other));
    }
}

#[tokio::test]
async fn who_tells_the_same_is_joined_and_what_is_deleted_is_gone() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let one = indicator("one", "192.0.2.7", Tlp::Green, &[]);
    let mut same = indicator("same", "192.0.2.7", Tlp::Green, &[]);
    same["pattern"] = json!("[ipv4-addr:value IN ('192.0.2.7/32')]");
    a.share(std::slice::from_ref(&one)).await;
    b.share(&[same]).await;
    let found = search(&a, "value=192.0.2.7&sources=true").await;
    for item in found["objects"].as_array().unwrap() {
        assert_eq!(item["told_by"]["sources"], 2, "{item}");
        assert_eq!(item["told_by"]["fingerprint"].as_str().unwrap().len(), 64);
    }
    let path = format!(
        "/taxii2/api/collections/all/objects/{}/",
        one["id"].as_str().unwrap()
    );
    let taxii = crate::interop::TAXII;
    let answer = a.send("DELETE", &path, taxii, String::new()).await;
    assert_eq!(answer.status(), 200);
    let found = search(&a, "value=192.0.2.7&sources=true").await;
    let left = found["objects"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["told_by"]["sources"]), (1, &json!(1)));
    assert_eq!(left[0]["source"], "agency-b");
}

#[tokio::test]
async fn what_is_related_and_not_looked_up_is_said() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let refs: Vec<StixId> = (0..600)
        .map(|n| StixId::v5("indicator", &n.to_string()))
        .collect();
    let report = json!({
        "type": "report", "spec_version": "2.1", "id": StixId::v5("report", "long"),
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "name": "long", "published": "2026-01-01T00:00:00Z", "object_refs": refs,
        "object_marking_refs": [Tlp::Green.marking_id()],
    });
    let last = indicator("599", "192.0.2.7", Tlp::Green, &[]);
    a.share(&[report.clone(), last]).await;
    let path = format!("/exchange/v1/related?id={}", report["id"].as_str().unwrap());
    let answer: Value = a.get(&path).await.json().await.unwrap();
    let to = answer["refers_to"].as_array().unwrap();
    let unread = to.iter().filter(|to| to["unread"] == true).count();
    assert_eq!((to.len(), unread), (600, 88));
    let known = to.iter().filter(|to| to["objects"] != json!([])).count();
    let read_all = known == 1
        || to
            .iter()
            .any(|to| to["id"] == json!(refs[599]) && to["unread"] == true);
    assert!(read_all, "{known}");
}

#[tokio::test]
async fn errors_are_as_those_of_the_other_routes() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let stranger = world
        .stranger()
        .get(world.url(&format!("{SEARCH}?type=indicator")));
    assert_eq!(stranger.send().await.unwrap().status(), 401);
    let post = a
        .post(&format!("{SEARCH}?type=indicator"), &json!({}))
        .await;
    assert_eq!(post.status(), 405);
    let unknown = refused(&a, "colour=red").await;
    assert!(
        unknown.contains("colour") && unknown.contains("400"),
        "{unknown}"
    );
    let none = refused(&a, "").await;
    assert!(none.contains("at least one condition"), "{none}");
    let long = refused(&a, &format!("value={}", "a".repeat(8193))).await;
    assert!(long.contains("more than 8192 bytes"), "{long}");
}
