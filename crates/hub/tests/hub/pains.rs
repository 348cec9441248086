//! What goes wrong between TAXII clients and servers in the field, each a test.

use crate::interop::TAXII;
use crate::support::{Partner, World, indicator};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use stix::{Timestamp, Tlp};

const OBJECTS: &str = "/taxii2/api/collections/all/objects/";
const MANIFEST: &str = "/taxii2/api/collections/all/manifest/";

fn open(n: usize) -> Value {
    indicator(&format!("open-{n}"), "192.0.2.1", Tlp::Green, &[])
}

fn hidden(n: usize) -> Value {
    indicator(&format!("hidden-{n}"), "192.0.2.2", Tlp::AmberStrict, &[])
}

fn ids(page: &Value) -> Vec<String> {
    let objects = page["objects"].as_array().into_iter().flatten();
    objects
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn page(partner: &Partner, path: &str) -> Value {
    let answer = partner.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

/// Many objects that come at once, in both lanes: a client that pages by `added_after` with the last
/// `date_added` of each page gets each once, and comes to an end.
#[tokio::test]
async fn paging_by_added_after_neither_loses_nor_loops() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let objects: Vec<Value> = (0..60).flat_map(|n| [open(n), hidden(n)]).collect();
    a.share(&objects).await;
    let (mut after, mut seen) = ("1970-01-01T00:00:00Z".to_owned(), vec![]);
    for _ in 0..100 {
        let answer = a
            .get(&format!("{OBJECTS}?limit=7&added_after={after}"))
            .await;
        let last = answer.headers().get("x-taxii-date-added-last").cloned();
        seen.extend(ids(&answer.json().await.unwrap()));
        let Some(last) = last else { break };
        after = last.to_str().unwrap().to_owned();
    }
    let sent: BTreeSet<String> = objects
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(seen.len(), 120, "each once");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), sent);
    let manifest = page(&a, &format!("{MANIFEST}?limit=1000")).await;
    let dates = manifest["objects"].as_array().unwrap().iter();
    let dates: Vec<Timestamp> = dates
        .map(|one| Timestamp::parse(one["date_added"].as_str().unwrap()).unwrap())
        .collect();
    assert!(dates.is_sorted_by(|a, b| a < b), "no two alike");
}

/// The same while more arrives between the pages.
#[tokio::test]
async fn what_arrives_between_pages_is_not_lost() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    a.share(&[open(0), hidden(0), open(1), hidden(1)]).await;
    let mut seen = vec![];
    let mut path = format!("{OBJECTS}?limit=2");
    for n in 2..12 {
        let now = page(&a, &path).await;
        seen.extend(ids(&now));
        a.share(&[open(n), hidden(n)]).await;
        path = match now["next"].as_str() {
            Some(next) => format!("{OBJECTS}?limit=2&next={next}"),
            None => panic!("there is more: it was just added"),
        };
    }
    loop {
        let now = page(&a, &path).await;
        seen.extend(ids(&now));
        let Some(next) = now["next"].as_str() else {
            break;
        };
        path = format!("{OBJECTS}?limit=2&next={next}");
    }
    let once: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), once.len()), (24, 24));
}

/// `next` is text (an integer broke clients), goes with the filters of the first request, and is given
/// for manifest and versions, too.
#[tokio::test]
async fn next_is_text_bound_to_filters_and_everywhere() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let mut versions = vec![open(1)];
    for month in ["02", "03"] {
        let mut version = open(1);
        version["modified"] = json!(format!("2026-{month}-01T00:00:00.000Z"));
        versions.push(version);
    }
    a.share(&versions).await;
    a.share(&[open(2), open(3)]).await;
    let id = open(1)["id"].as_str().unwrap().to_owned();
    for path in [
        OBJECTS.to_owned(),
        MANIFEST.to_owned(),
        format!("{OBJECTS}{id}/versions/"),
    ] {
        let first = page(&a, &format!("{path}?limit=1&match[spec_version]=2.1")).await;
        let next = first["next"].as_str().expect("text");
        let same = format!("{path}?limit=1&match[spec_version]=2.1&next={next}");
        assert_eq!(a.get(&same).await.status(), 200);
        let without = a.get(&format!("{path}?limit=1&next={next}")).await;
        assert_eq!(without.status(), 400, "{path}");
        let why: Value = without.json().await.unwrap();
        assert!(why["description"].as_str().unwrap().contains("filters"));
    }
}

/// Clients that take only the first page learn that there is more, whether they set a limit or not.
#[tokio::test]
async fn a_first_page_says_that_there_is_more() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let objects: Vec<Value> = (0..101).map(open).collect();
    a.share(&objects).await;
    let first = page(&a, OBJECTS).await;
    assert_eq!((ids(&first).len(), &first["more"]), (100, &json!(true)));
    let exact = page(&a, &format!("{OBJECTS}?limit=101")).await;
    assert_eq!(exact["more"], false);
    assert!(exact.get("next").is_none(), "no empty page at the end");
}

/// No credentials is 401 everywhere, with the ways to show some: never a redirect, never a 200.
#[tokio::test]
async fn errors_of_authentication_are_401_everywhere() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let description = page(&a, "/taxii2/openapi.json").await;
    for (path, item) in description["paths"].as_object().unwrap() {
        let path = path
            .replace("{collection}", "all")
            .replace("{object}", "x")
            .replace("{status}", "x");
        for method in ["get", "post", "delete"] {
            if item.get(method).is_none() {
                continue;
            }
            for path in [path.as_str(), path.trim_end_matches('/')] {
                let request = world
                    .stranger()
                    .request(method.to_uppercase().parse().unwrap(), world.url(path));
                let answer = request
                    .header("content-type", TAXII)
                    .body("{}")
                    .send()
                    .await
                    .unwrap();
                assert_eq!(answer.status(), 401, "{method} {path}");
                let ways: Vec<_> = answer
                    .headers()
                    .get_all("www-authenticate")
                    .iter()
                    .collect();
                assert_eq!(ways.len(), 2, "{method} {path}");
            }
        }
    }
}

/// What is served is an envelope and no bundle; a bundle among the objects is refused by name, since it
/// would break those who read.
#[tokio::test]
async fn envelopes_are_served_and_no_bundle_gets_into_one() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let bundle = json!({ "type": "bundle", "id": "bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "objects": [open(1)] });
    let envelope = json!({ "objects": [bundle, open(2)] }).to_string();
    let answer = a.send("POST", OBJECTS, TAXII, envelope).await;
    let status: Value = answer.json().await.unwrap();
    assert_eq!(status["failures"][0]["id"], bundle["id"]);
    assert_eq!(
        (&status["failure_count"], &status["success_count"]),
        (&json!(1), &json!(1))
    );
    let served = page(&a, OBJECTS).await;
    assert!(served.get("type").is_none());
    assert_eq!(served["objects"], json!([open(2)]));
}

/// The same object from two sources is two assertions, each with its own versions; neither hides the
/// other, and both are served byte for byte.
#[tokio::test]
async fn one_identifier_of_two_sources_is_shown_twice() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let mut theirs = open(1);
    theirs["name"] = json!("another view of it");
    a.share(&[open(1)]).await;
    b.share(&[theirs.clone()]).await;
    let both = page(&b, OBJECTS).await;
    assert_eq!(both["objects"], json!([open(1), theirs]));
}
