//! The mandatory rows of the TAXII 2.1 Interoperability Test Document (version 1.0, CSD01), section 3,
//! over the wire: one test a row, named by its section. `docs/spec/taxii.md` lists them.

mod access;
mod content;
mod filters;
mod optional;

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

const TABLE: &str = include_str!("../../../../../docs/spec/taxii.md");
const TESTS: [&str; 3] = [
    include_str!("access.rs"),
    include_str!("content.rs"),
    include_str!("filters.rs"),
];

#[test]
fn the_table_names_every_row_with_its_test() {
    let rows = TABLE.lines().filter_map(|line| {
        let (section, rest) = line.strip_prefix("| 3.")?.split_once(" | ")?;
        let test = rest
            .rsplit('`')
            .nth(1)
            .filter(|test| test.starts_with("s3_"))?;
        Some((format!("3.{section}"), test.to_owned()))
    });
    let rows: Vec<(String, String)> = rows.collect();
    assert_eq!(rows.len(), 39);
    for (section, test) in &rows {
        let prefix = format!("s{}_", section.replace('.', "_"));
        assert!(test.starts_with(&prefix), "{section}: {test}");
        let test = format!("async fn {test}()");
        assert!(TESTS.iter().any(|tests| tests.contains(&test)), "{test}");
    }
    let tests = TESTS.iter().flat_map(|tests| tests.lines());
    assert_eq!(
        tests
            .filter(|line| line.starts_with("async fn s3_"))
            .count(),
        39
    );
}

/// The rows are those of the document, where its list is at hand.
#[test]
fn the_table_has_the_mandatory_rows_of_the_document() {
    let list =
        testkit::shared_dir().map(|of| of.join("vectors/exchange/taxii21-interop/manifest.toml"));
    let Some(Ok(list)) = list.map(std::fs::read_to_string) else {
        let name = "the_table_has_the_mandatory_rows_of_the_document";
        return testkit::skip(
            name,
            "no list of the document's rows: set SHIELDWALL_SHARED",
        );
    };
    let value = |of: &str, key: &str| {
        let line = of.lines().find(|line| line.starts_with(key)).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    let mandatory = list
        .split("[[requirement]]")
        .filter(|row| row.contains("verification = \"Mandatory\""));
    let mut count = 0;
    for row in mandatory {
        let row = format!(
            "| {} | {} |",
            value(row, "section"),
            value(row, "test_case")
        );
        assert!(TABLE.contains(&row), "{row}");
        count += 1;
    }
    assert_eq!(count, 39);
}
