//! The hub is killed again and again while partners share: nothing acknowledged is lost, nothing is
//! stored twice, and a shield is complete again by its cursor.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::common::{HubFolder, ShieldFolder, wait_for};
use serde_json::{Value, json};

const KILLS: u32 = 50;
const OBJECTS_PER_POST: u32 = 5;
/// The hub must serve again within this after it was started.
const SERVING_MAX: Duration = Duration::from_secs(2);

#[test]
fn a_killed_hub_loses_nothing_that_it_acknowledged() {
    let _turn = crate::common::alone();
    let folder = tempfile::tempdir().unwrap();
    let hub = HubFolder::new(folder.path());
    let mut process = hub.start();
    let identity = hub.enrol("alpha");
    let follower = hub.shield("follower", &hub.enrol("bravo"), "");
    let _follower = follower.start();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let done = Arc::new(AtomicBool::new(false));
    let poster = std::thread::spawn({
        let (url, done) = (format!("https://127.0.0.1:{}", hub.port), Arc::clone(&done));
        let acknowledged = Arc::clone(&acknowledged);
        move || share_until(&identity, &url, &done, &acknowledged)
    });
    let mut slowest = Duration::ZERO;
    for kill in 0..KILLS {
        let before = acknowledged.lock().unwrap().len();
        // Spread over the phases of a batch: some kills come at once, some after many.
        std::thread::sleep(Duration::from_millis(u64::from(kill * 37 % 90)));
        process.kill();
        let start = Instant::now();
        process = hub.start();
        slowest = slowest.max(start.elapsed());
        wait_for(
            "the hub acknowledges again",
            Duration::from_secs(20),
            || (acknowledged.lock().unwrap().len() > before).then_some(()),
        );
    }
    done.store(true, Ordering::Relaxed);
    poster.join().unwrap();
    let acknowledged = acknowledged.lock().unwrap().clone();
    println!(
        "{KILLS} kills, {} objects acknowledged, slowest start {slowest:?}",
        acknowledged.len()
    );
    assert!(slowest <= SERVING_MAX, "serving again took {slowest:?}");
    check_follower(&follower, &acknowledged);
}

/// Shares numbered indicators, a few at a time, again until acknowledged.
pub(crate) fn share_until(
    identity: &Path,
    url: &str,
    done: &AtomicBool,
    acknowledged: &Mutex<Vec<String>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let identity = shield::identity::Identity::load(identity).unwrap();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(identity.client_config().unwrap())
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        let mut number = 0;
        while !done.load(Ordering::Relaxed) {
            let (bundle, ids) = bundle(number);
            let post = client
                .post(format!("{url}/exchange/v1/objects"))
                .body(bundle)
                .send();
            match post.await {
                Ok(response) if response.status().is_success() => {
                    let Ok(body) = response.bytes().await else {
                        continue;
                    };
                    check_answer(&body, &ids);
                    acknowledged.lock().unwrap().extend(ids);
                    number += OBJECTS_PER_POST;
                }
                Ok(response) => panic!("the hub answered {}", response.status()),
                Err(_gone) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    });
}

fn check_answer(body: &[u8], ids: &[String]) {
    let answer: Value = serde_json::from_slice(body).unwrap();
    let outcomes = answer["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), ids.len(), "{answer}");
    for outcome in outcomes {
        // A repeated post whose first answer was lost is a duplicate.
        let word = outcome["outcome"].as_str().unwrap();
        assert!(matches!(word, "accepted" | "duplicate"), "{outcome}");
    }
}

fn bundle(first: u32) -> (Vec<u8>, Vec<String>) {
    let ids: Vec<String> = (first..first + OBJECTS_PER_POST)
        .map(|number| format!("indicator--00000000-0000-4000-8000-{number:012x}"))
        .collect();
    let objects: Vec<Value> = ids
        .iter()
        .zip(first..)
        .map(|(id, number)| {
            json!({
                "type": "indicator", "spec_version": "2.1", "id": id,
                "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
                "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
                "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
                "pattern": format!("[domain-name:value = 'd{number}.example']"),
            })
        })
        .collect();
    (
        serde_json::to_vec(&json!({"objects": objects})).unwrap(),
        ids,
    )
}

/// The follower's frames join up without a gap, and hold every acknowledged object exactly once.
fn check_follower(follower: &ShieldFolder, acknowledged: &[String]) {
    let wanted = acknowledged.last().unwrap().clone();
    let has = |events: &[Value], id: &str| {
        events.iter().any(|e| {
            e["objects"]
                .as_array()
                .is_some_and(|o| o.iter().any(|o| o == id))
        })
    };
    let frames = wait_for(
        "the follower has the last object",
        Duration::from_secs(20),
        || {
            let frames = follower.events("frame");
            has(&frames, &wanted).then_some(frames)
        },
    );
    let mut position = 0;
    let mut seen = BTreeMap::<String, u32>::new();
    for frame in frames.iter().filter(|frame| frame["lane"] == "community") {
        assert_eq!(frame["from"].as_u64(), Some(position), "{frame}");
        position = frame["to"].as_u64().unwrap();
        for id in frame["objects"].as_array().unwrap() {
            *seen.entry(id.as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    for id in acknowledged {
        assert_eq!(seen.get(id), Some(&1), "{id}");
    }
}
