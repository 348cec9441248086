//! Quotas of partners, and additions that are decided after they are answered.

use crate::interop::TAXII;
use crate::support::{Partner, World, indicator};
use serde_json::{Value, json};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use stix::Tlp;

const OBJECTS: &str = "/taxii2/api/collections/all/objects/";

fn open(n: usize) -> Value {
    indicator(&format!("open-{n}"), "192.0.2.1", Tlp::Green, &[])
}

async fn add(partner: &Partner, objects: &[Value]) -> reqwest::Response {
    let envelope = json!({ "objects": objects }).to_string();
    partner.send("POST", OBJECTS, TAXII, envelope).await
}

/// A 429 that says how long to wait, in seconds.
async fn refused(answer: reqwest::Response) -> u64 {
    assert_eq!(answer.status(), 429);
    let wait = answer.headers()["retry-after"].to_str().unwrap().parse();
    let error: Value = answer.json().await.unwrap();
    assert_eq!(error["http_status"], "429");
    wait.unwrap()
}

#[tokio::test]
async fn requests_of_one_partner_are_bounded_and_of_others_not() {
    let world = World::with("[limits]\nrequests_per_s_max = 1\n").await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let mut statuses = vec![];
    for _ in 0..40 {
        statuses.push(a.get("/taxii2/").await.status().as_u16());
    }
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!(statuses[..10].iter().all(|status| *status == 200));
    assert!(refused > 0, "{statuses:?}");
    assert_eq!(b.get("/taxii2/").await.status(), 200);
    let counted = world.hub.counters().quota_refused.load(Relaxed);
    assert_eq!(usize::try_from(counted).unwrap(), refused);
}

#[tokio::test]
async fn objects_and_bytes_are_bounded_with_the_time_to_wait() {
    let world = World::with("[limits]\nobjects_per_s_max = 1\n").await;
    let a = world.partner("agency-a").await;
    let objects: Vec<Value> = (0..100).map(open).collect();
    assert_eq!(
        add(&a, &objects).await.status(),
        202,
        "more than a burst, once"
    );
    let wait = refused(add(&a, &objects[..1]).await).await;
    assert!((60..=91).contains(&wait), "{wait}");
    assert_eq!(a.get(OBJECTS).await.status(), 200, "reading goes on");

    let world = World::with("[limits]\nbytes_per_s_max = 100\n").await;
    let a = world.partner("agency-a").await;
    assert_eq!(add(&a, &objects).await.status(), 202);
    assert!(refused(add(&a, &objects[..1]).await).await > 60);
}

#[tokio::test]
async fn too_large_a_body_is_told_the_length_that_is_not() {
    let world = World::with("[limits]\nbody_bytes_max = 2000\n").await;
    let a = world.partner("agency-a").await;
    let root: Value = a.get("/taxii2/api/").await.json().await.unwrap();
    let objects: Vec<Value> = (0..10).map(open).collect();
    let answer = add(&a, &objects).await;
    assert_eq!(answer.status(), 413);
    let error: Value = answer.json().await.unwrap();
    let most = &error["details"]["max_content_length"];
    assert_eq!((most, &root["max_content_length"]), (&json!(2000), most));
}

#[tokio::test]
async fn large_additions_are_pending_and_their_status_counts() {
    let world = World::with("[limits]\nanswered_objects_max = 10\n").await;
    let a = world.partner("agency-a").await;
    let mut objects: Vec<Value> = (0..1_200).map(open).collect();
    objects[700] = json!({ "type": "indicator", "id": "no" });
    let answer = add(&a, &objects).await;
    assert_eq!(answer.status(), 202);
    let posted: Value = answer.json().await.unwrap();
    assert_eq!(posted["status"], "pending");
    assert_eq!(
        (&posted["total_count"], &posted["pending_count"]),
        (&json!(1_200), &json!(1_200))
    );
    let path = format!("/taxii2/api/status/{}/", posted["id"].as_str().unwrap());
    let mut pending = 1_200;
    let done = loop {
        let status: Value = a.get(&path).await.json().await.unwrap();
        let now = status["pending_count"].as_u64().unwrap();
        assert!(now <= pending, "it only goes down");
        pending = now;
        let sum = ["success_count", "failure_count", "pending_count"];
        let sum: u64 = sum.iter().map(|of| status[of].as_u64().unwrap()).sum();
        assert_eq!(sum, 1_200);
        if status["status"] == "complete" {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(
        (&done["success_count"], &done["failure_count"]),
        (&json!(1_199), &json!(1))
    );
    assert_eq!(done["failures"][0]["id"], "no");
    let page: Value = a
        .get(&format!("{OBJECTS}?limit=1000"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(page["objects"][999], open(1_000), "in their order");
    let again: Value = add(&a, &objects).await.json().await.unwrap();
    assert_eq!(
        again["id"], posted["id"],
        "the same request has the same status"
    );
}

#[tokio::test]
async fn an_addition_that_was_answered_survives_the_hub() {
    const LIMITS: &str = "[limits]\nanswered_objects_max = 10\n";
    let world = World::with(LIMITS).await;
    let a = world.partner("agency-a").await;
    let objects: Vec<Value> = (0..1_200).map(open).collect();
    let posted: Value = add(&a, &objects).await.json().await.unwrap();
    assert_eq!(posted["status"], "pending");
    let waiting = world.data().join("pending");
    let files = || std::fs::read_dir(&waiting).unwrap().count();
    // What a kill leaves: the file of the addition, whatever was decided of it.
    let kept: Vec<_> = std::fs::read_dir(&waiting)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    assert_eq!(kept.len(), 1, "it is on disk before it is answered");
    let pem = a.pem.clone();
    let folder = world.stop().await;
    for (path, bytes) in &kept {
        std::fs::write(path, bytes).unwrap();
    }
    let world = World::on(folder, LIMITS).await;
    let a = world.known(&a, &pem);
    let path = format!("/taxii2/api/status/{}/", posted["id"].as_str().unwrap());
    let done = loop {
        let status: Value = a.get(&path).await.json().await.unwrap();
        assert_eq!(status["total_count"], 1_200, "{status}");
        if status["status"] == "complete" {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(done["success_count"], 1_200);
    let page = a.get(&format!("{OBJECTS}?limit=1000")).await;
    let page: Value = page.json().await.unwrap();
    assert_eq!(page["objects"][999], open(999), "in their order, each once");
    let begun = std::time::Instant::now();
    while files() > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "what is decided goes"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.stop().await;
}

#[tokio::test]
async fn pending_additions_are_bounded() {
    let world = World::with("[limits]\nanswered_objects_max = 1\npending_max = 0\n").await;
    let a = world.partner("agency-a").await;
    assert_eq!(add(&a, &[open(1)]).await.status(), 202);
    assert_eq!(refused(add(&a, &[open(1), open(2)]).await).await, 1);
    assert_eq!(world.hub.counters().pending_refused.load(Relaxed), 1);
}
