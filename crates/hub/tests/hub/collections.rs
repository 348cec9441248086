//! Collections as configured views of the one log.

use crate::interop::TAXII;
use crate::support::{Partner, World, indicator};
use serde_json::{Value, json};
use stix::Tlp;

const CONFIGURED: &str = r#"
[[collection]]
alias = "all"
[[collection]]
alias = "indicators"
title = "Indicators"
kinds = ["indicator"]
[[collection]]
alias = "ours"
read = ["agency-a"]
write = ["agency-a"]
"#;

fn open(n: u8) -> Value {
    indicator(&format!("open-{n}"), "192.0.2.1", Tlp::Green, &[])
}

fn malware() -> Value {
    json!({
        "type": "malware", "spec_version": "2.1", "is_family": false, "name": "m",
        "id": "malware--6e7f1d7c-3f38-4d52-8a4e-9d3e0e9c1a11",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
        "object_marking_refs": [Tlp::Green.marking_id()],
    })
}

async fn get(partner: &Partner, path: &str) -> Value {
    let answer = partner
        .get(&format!("/taxii2/api/collections/{path}"))
        .await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_collection_of_kinds_shows_and_takes_those_alone() {
    let world = World::with(CONFIGURED).await;
    let a = world.partner("agency-a").await;
    a.share(&[open(1), malware(), open(2)]).await;
    let shown = get(&a, "indicators/objects/").await;
    assert_eq!(shown["objects"], json!([open(1), open(2)]));
    let id = malware()["id"].as_str().unwrap().to_owned();
    let one = format!("/taxii2/api/collections/indicators/objects/{id}/");
    assert_eq!(a.get(&one).await.status(), 404);
    assert_eq!(a.get(&one.replace("indicators", "all")).await.status(), 200);
    let none = get(&a, "indicators/objects/?match[type]=malware").await;
    assert_eq!(none, json!({ "more": false }));
    let both = get(&a, "indicators/manifest/?match[type]=malware,indicator").await;
    assert_eq!(both["objects"].as_array().unwrap().len(), 2);

    let envelope = json!({ "objects": [open(3), malware()] }).to_string();
    let path = "/taxii2/api/collections/indicators/objects/";
    let answer = a.send("POST", path, TAXII, envelope).await;
    let status: Value = answer.json().await.unwrap();
    assert_eq!(status["success_count"], 1);
    assert_eq!(status["failures"][0]["id"], malware()["id"]);
    let why = status["failures"][0]["message"].as_str().unwrap();
    assert!(why.contains("this collection takes indicator"), "{why}");
}

#[tokio::test]
async fn a_cursor_belongs_to_its_collection() {
    let world = World::with(CONFIGURED).await;
    let a = world.partner("agency-a").await;
    a.share(&[open(1), open(2)]).await;
    let next = get(&a, "all/objects/?limit=1").await["next"].clone();
    let next = next.as_str().unwrap();
    let path = format!("/taxii2/api/collections/indicators/objects/?next={next}");
    assert_eq!(a.get(&path).await.status(), 400);
    // Identifier and alias are the same collection.
    let id = get(&a, "all/").await["id"].as_str().unwrap().to_owned();
    let rest = get(&a, &format!("{id}/objects/?next={next}")).await;
    assert_eq!(rest["objects"], json!([open(2)]));
}

#[tokio::test]
async fn each_partner_is_told_its_own_rights() {
    let world = World::with(CONFIGURED).await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let aliases = |list: Value| {
        let list = list["collections"].as_array().unwrap().clone();
        list.iter()
            .map(|one| one["alias"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(aliases(get(&a, "").await), ["all", "indicators", "ours"]);
    assert_eq!(aliases(get(&b, "").await), ["all", "indicators"]);
    let ours = "/taxii2/api/collections/ours/objects/";
    assert_eq!(a.get(ours).await.status(), 200);
    assert_eq!(b.get(ours).await.status(), 404);
}
