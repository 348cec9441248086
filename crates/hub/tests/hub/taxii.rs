//! TAXII 2.1 as any client meets it, and what a view must not tell.

use crate::support::{Partner, World, indicator};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::path::Path;
use stix::Tlp;

const OBJECTS: &str = "/taxii2/api/collections/all/objects/";

async fn body(partner: &Partner, path: &str) -> Value {
    let answer = partner.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    assert_eq!(
        answer.headers()["content-type"],
        "application/taxii+json;version=2.1"
    );
    answer.json().await.unwrap()
}

fn open(n: u8) -> Value {
    indicator(
        &format!("open-{n}"),
        &format!("192.0.2.{n}"),
        Tlp::Green,
        &[],
    )
}

fn hidden(n: u8) -> Value {
    indicator(
        &format!("hidden-{n}"),
        &format!("198.51.100.{n}"),
        Tlp::AmberStrict,
        &[],
    )
}

#[tokio::test]
async fn resources_lead_to_each_other() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let discovery = body(&a, "/taxii2/").await;
    let root = discovery["default"].as_str().unwrap();
    assert_eq!(root, world.url("/taxii2/api/"));
    assert_eq!(discovery["api_roots"], json!([root]));
    let root: Value = a
        .client
        .get(root)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        root["versions"],
        json!(["application/taxii+json;version=2.1"])
    );
    assert_eq!(root["max_content_length"], 8 * 1024 * 1024);
    let collections = body(&a, "/taxii2/api/collections/").await;
    let id = collections["collections"][0]["id"].as_str().unwrap();
    assert_eq!(
        body(&a, &format!("/taxii2/api/collections/{id}/")).await["can_write"],
        true
    );
    assert_eq!(
        body(&a, &format!("/taxii2/api/collections/{id}")).await["can_read"],
        true
    );
    assert_eq!(a.get("/taxii2/api/collections/other/").await.status(), 404);
    assert_eq!(body(&a, OBJECTS).await, json!({ "more": false }));
}

#[tokio::test]
async fn adding_answers_with_a_status_of_successes_and_failures() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let envelope = json!({ "objects": [open(1), { "type": "indicator", "id": "no" }] }).to_string();
    let url = world.url(OBJECTS);
    let post = |kind: &'static str| {
        a.client
            .post(&url)
            .header("content-type", kind)
            .body(envelope.clone())
            .send()
    };
    let answer = post("application/taxii+json;version=2.1").await.unwrap();
    assert_eq!(answer.status(), 202);
    let status: Value = answer.json().await.unwrap();
    assert_eq!(status["status"], "complete");
    assert_eq!(
        (&status["success_count"], &status["failure_count"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(status["failures"][0]["id"], "no");
    assert!(
        !status["failures"][0]["message"]
            .as_str()
            .unwrap()
            .is_empty()
    );
    let kept = format!("/taxii2/api/status/{}/", status["id"].as_str().unwrap());
    assert_eq!(body(&a, &kept).await, status);
    let b = world.partner("agency-b").await;
    assert_eq!(b.get(&kept).await.status(), 404, "a status is its sender's");
    assert_eq!(post("application/json").await.unwrap().status(), 415);
}

#[tokio::test]
async fn errors_are_taxii_messages_with_their_own_status() {
    let world = World::with("[limits]\nbody_bytes_max = 2000\n").await;
    let a = world.partner("agency-a").await;
    let taxii = "application/taxii+json;version=2.1";
    let get = |path: &str, accept: &'static str| {
        a.client
            .get(world.url(path))
            .header("accept", accept)
            .send()
    };
    let post = |body: String| {
        a.client
            .post(world.url(OBJECTS))
            .header("content-type", taxii)
            .body(body)
            .send()
    };
    let answers = [
        (406, get("/taxii2/", "application/json").await),
        (
            406,
            get(OBJECTS, "application/taxii+json;version=2.0").await,
        ),
        (404, get("/taxii2/api/status/x/", taxii).await),
        (404, get(&format!("{OBJECTS}indicator--x/"), taxii).await),
        (400, get(&format!("{OBJECTS}?limit=0"), taxii).await),
        (400, get(&format!("{OBJECTS}?next=rubbish"), taxii).await),
        (
            400,
            get(&format!("{OBJECTS}?match[colour]=red"), taxii).await,
        ),
        (405, a.client.delete(world.url(OBJECTS)).send().await),
        (400, post("{".to_owned()).await),
        (422, post("{\"a\":1}".to_owned()).await),
        (
            413,
            post(format!("{{\"objects\":[],\"x\":\"{}\"}}", "x".repeat(3000))).await,
        ),
    ];
    for (expected, answer) in answers {
        let answer = answer.unwrap();
        let url = answer.url().to_string();
        assert_eq!(answer.status(), expected, "{url}");
        assert_eq!(answer.headers()["content-type"], taxii);
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["http_status"], expected.to_string(), "{url}");
        assert!(!error["title"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn pages_filters_and_times() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    for n in 1..=5 {
        a.share(&[open(n)]).await;
    }
    let mut second_version = open(1);
    second_version["modified"] = json!("2026-02-01T00:00:00.000Z");
    a.share(&[second_version.clone()]).await;

    let (pages, headers) = walk(&a, &format!("{OBJECTS}?limit=2")).await;
    let objects: Vec<Value> = pages
        .iter()
        .flat_map(|p| p["objects"].as_array().unwrap().clone())
        .collect();
    assert_eq!(pages.len(), 3);
    assert_eq!(
        objects,
        [open(2), open(3), open(4), open(5), second_version.clone()],
        "last versions"
    );
    let last = headers[0]["x-taxii-date-added-last"].to_str().unwrap();
    let after = body(&a, &format!("{OBJECTS}?added_after={last}")).await;
    assert_eq!(
        after["objects"].as_array().unwrap().len(),
        3,
        "all that came later"
    );

    let id = second_version["id"].as_str().unwrap();
    let all = body(&a, &format!("{OBJECTS}{id}/?match[version]=all")).await;
    assert_eq!(all["objects"], json!([open(1), second_version]));
    let versions = body(&a, &format!("{OBJECTS}{id}/versions/")).await;
    assert_eq!(
        versions["versions"],
        json!(["2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"])
    );
    let by_type = body(&a, &format!("{OBJECTS}?match[type]=sighting")).await;
    assert_eq!(by_type, json!({ "more": false }));
    let manifest = body(&a, "/taxii2/api/collections/all/manifest/?limit=1").await;
    assert_eq!(manifest["objects"][0]["id"], open(2)["id"]);
    assert!(manifest["next"].is_string(), "a manifest pages too");
}

#[tokio::test]
async fn a_cursor_goes_with_its_filters() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    a.share(&[open(1), open(2)]).await;
    let next = body(&a, &format!("{OBJECTS}?limit=1")).await["next"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        body(&a, &format!("{OBJECTS}?next={next}")).await["objects"],
        json!([open(2)])
    );
    let other = a
        .get(&format!("{OBJECTS}?next={next}&match[type]=indicator"))
        .await;
    assert_eq!(other.status(), 400);
    let error: Value = other.json().await.unwrap();
    assert!(
        error["description"].as_str().unwrap().contains("filters"),
        "{error}"
    );
}

/// Two hubs from one data folder: one takes hidden objects between the open ones, the other does
/// not. What the partner without the right to them gets is the same to the byte, but for the times
/// at which the open ones were added.
#[tokio::test]
async fn hidden_objects_change_no_byte() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let (pem_a, pem_b) = (a.pem.clone(), b.pem.clone());
    let folder = world.stop().await;
    let twin = tempfile::tempdir().unwrap();
    // SQLite takes its side files away a moment after the hub has stopped.
    let copied = (0..10).any(|_| copy(folder.path(), twin.path()).is_ok());
    assert!(copied, "a file vanished each time");
    let with = World::on(folder, "").await;
    let without = World::on(twin, "").await;
    let at = |world: &World, pem: &str| world.known(&a, pem);
    let (a_with, a_without) = (at(&with, &pem_a), at(&without, &pem_a));
    for n in 1..=4 {
        a_with.share(&[hidden(n)]).await;
        a_with.share(&[open(n)]).await;
        a_without.share(&[open(n)]).await;
    }
    a_with.share(&[hidden(5)]).await;
    let (b_with, b_without) = (at(&with, &pem_b), at(&without, &pem_b));
    for path in [
        format!("{OBJECTS}?limit=2"),
        format!("{OBJECTS}?limit=2&match[version]=all"),
        format!("{OBJECTS}?match[type]=indicator&limit=3"),
        "/taxii2/api/collections/all/manifest/?limit=2".to_owned(),
        "/taxii2/api/collections/".to_owned(),
    ] {
        let one = transcript(&b_with, &path).await;
        assert!(!one.contains("198.51.100."), "nothing hidden is shown");
        assert_eq!(one, transcript(&b_without, &path).await, "{path}");
    }
    let secret = format!("{OBJECTS}{}/", hidden(1)["id"].as_str().unwrap());
    assert_eq!(raw(&b_with, &secret).await, raw(&b_without, &secret).await);
    assert_eq!(b_with.get(&secret).await.status(), 404);
    assert_eq!(a_with.get(&secret).await.status(), 200);
    let cursor = |event: crate::support::Event| event.id;
    let (mut one, mut two) = (b_with.follow(None).await, b_without.follow(None).await);
    let pair = (
        cursor(one.next_named("frame").await),
        cursor(two.next_named("frame").await),
    );
    assert_eq!(pair.0, pair.1, "push cursors too");
}

/// Every page under a path with its headers, times of adding and of the answer masked.
async fn transcript(partner: &Partner, path: &str) -> String {
    let mut out = String::new();
    let mut next = None;
    for _ in 0..20 {
        let path = match &next {
            None => path.to_owned(),
            Some(next) => format!("{path}&next={next}"),
        };
        let text = raw(partner, &path).await;
        let body = text.rsplit_once("\n\n").unwrap().1;
        next = serde_json::from_str::<Value>(body).unwrap()["next"]
            .as_str()
            .map(str::to_owned);
        out.push_str(&text);
        if next.is_none() {
            return out;
        }
    }
    panic!("pages without end: {out}");
}

async fn raw(partner: &Partner, path: &str) -> String {
    let answer = partner.get(path).await;
    let mut text = format!("{}\n", answer.status());
    for (name, value) in answer.headers() {
        let masked = [
            "date",
            "x-taxii-date-added-first",
            "x-taxii-date-added-last",
        ];
        let value = if masked.contains(&name.as_str()) {
            "*"
        } else {
            value.to_str().unwrap()
        };
        text.push_str(&format!("{name}: {value}\n"));
    }
    let body = answer.text().await.unwrap();
    let mut json: Value = serde_json::from_str(&body).unwrap();
    let mut masked = false;
    for object in json["objects"].as_array_mut().into_iter().flatten() {
        masked |= object.get("date_added").is_some();
        object
            .as_object_mut()
            .unwrap()
            .entry("date_added")
            .and_modify(|at| *at = json!("*"));
    }
    // Only what had a time in it is written anew; pages of objects are compared as they came.
    text.push_str(&format!(
        "\n{}",
        if masked { json.to_string() } else { body }
    ));
    text
}

async fn walk(partner: &Partner, path: &str) -> (Vec<Value>, Vec<HeaderMap>) {
    let (mut pages, mut headers, mut url) = (vec![], vec![], path.to_owned());
    loop {
        let answer = partner.get(&url).await;
        headers.push(answer.headers().clone());
        let page: Value = answer.json().await.unwrap();
        assert!(page["next"].is_string() == (page["more"] == true));
        pages.push(page.clone());
        match page["next"].as_str() {
            Some(next) => url = format!("{path}&next={next}"),
            None => return (pages, headers),
        }
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
