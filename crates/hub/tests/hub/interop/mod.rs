//! The mandatory rows of the TAXII 2.1 Interoperability Test Document (version 1.0, CSD01), section 3,
//! over the wire: one test a row, named by its section. `docs/spec/taxii.md` lists them.

mod access;
mod content;
mod filters;

use crate::support::{Partner, World, indicator};
use reqwest::Response;
use serde_json::{Value, json};
use stix::Tlp;

pub(crate) const TAXII: &str = "application/taxii+json;version=2.1";
const COLLECTIONS: &str = "/taxii2/api/collections/";
const OBJECTS: &str = "/taxii2/api/collections/all/objects/";

/// A collection of each kind of right.
const OF_EACH_RIGHT: &str = r#"
[[collection]]
alias = "all"
[[collection]]
alias = "drop-box"
title = "Drop box"
description = "Taken in, shown elsewhere"
read = []
[[collection]]
alias = "feed"
write = []
[[collection]]
alias = "closed"
read = ["somebody-else"]
write = []
"#;

/// A hub and one partner.
async fn hub() -> (World, Partner) {
    let world = World::start().await;
    let partner = world.partner("agency-a").await;
    (world, partner)
}

/// The same with a collection of each kind of right.
async fn hub_of_rights() -> (World, Partner) {
    let world = World::with(OF_EACH_RIGHT).await;
    let partner = world.partner("agency-a").await;
    (world, partner)
}

/// A resource that is there, in TAXII's media type.
async fn resource(partner: &Partner, path: &str) -> Value {
    let answer = partner.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    assert_eq!(answer.headers()["content-type"], TAXII, "{path}");
    answer.json().await.unwrap()
}

/// An error with its status in the message, too.
async fn refused(answer: Response, status: u16) -> Value {
    assert_eq!(answer.status(), status, "{}", answer.url());
    assert_eq!(answer.headers()["content-type"], TAXII);
    let error: Value = answer.json().await.unwrap();
    assert_eq!(error["http_status"], status.to_string());
    assert!(!error["title"].as_str().unwrap().is_empty());
    error
}

/// Adds objects to a collection.
async fn add(partner: &Partner, collection: &str, objects: &[Value]) -> Response {
    let envelope = json!({ "objects": objects });
    let path = format!("{COLLECTIONS}{collection}/objects/");
    partner
        .send("POST", &path, TAXII, envelope.to_string())
        .await
}

/// The collection's resource as it stands in the list.
async fn listed(partner: &Partner, alias: &str) -> Option<Value> {
    let all = resource(partner, COLLECTIONS).await;
    let all = all["collections"].as_array().unwrap().clone();
    all.into_iter().find(|one| one["alias"] == alias)
}

fn object(n: u8) -> Value {
    let address = format!("192.0.2.{n}");
    indicator(&format!("object-{n}"), &address, Tlp::Green, &[])
}

/// Versions of one object, the first one as [`object`] gives it.
fn versions_of(n: u8, versions: u8) -> Vec<Value> {
    let version = |month: u8| {
        let mut version = object(n);
        version["modified"] = json!(format!("2026-{month:02}-01T00:00:00.000Z"));
        version
    };
    (1..=versions).map(version).collect()
}
