//! Deletions as those who follow see them, and what they must not tell.

use crate::interop::TAXII;
use crate::support::{Event, Events, Partner, World, indicator};
use serde_json::{Value, json};
use stix::Tlp;
use taxii::push::{self, EventKind, Frame, LaneDigest};

const OBJECTS: &str = "/taxii2/api/collections/all/objects/";

async fn delete(partner: &Partner, object: &Value) -> u16 {
    let path = format!("{OBJECTS}{}/", object["id"].as_str().unwrap());
    let answer = partner.send("DELETE", &path, TAXII, String::new()).await;
    answer.status().as_u16()
}

async fn frame(events: &mut Events, partner: &Partner) -> Frame {
    let event: Event = events.next_named("frame").await;
    push::verify(event.data.as_bytes(), &partner.hub_key).unwrap()
}

#[tokio::test]
async fn followers_are_told_and_a_new_one_gets_nothing_of_it() {
    let world = World::with("[limits]\ndigest_s = 1\n").await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let object = indicator("secret", "192.0.2.7", Tlp::Green, &[]);
    a.share(std::slice::from_ref(&object)).await;
    let mut old = b.follow(None).await;
    assert_eq!(
        frame(&mut old, &b).await.entries[0].event,
        EventKind::Accept
    );
    assert_eq!(delete(&a, &object).await, 200);
    let told = frame(&mut old, &b).await;
    assert_eq!((told.from, told.to), (1, 2));
    assert_eq!(told.entries[0].event, EventKind::Erase);
    let tombstone = told.entries[0].tombstone().unwrap();
    assert_eq!(tombstone.id.as_str(), object["id"].as_str().unwrap());
    assert!(!told.entries[0].object.get().contains("192.0.2.7"));

    let mut new = b.follow(None).await;
    let replayed = frame(&mut new, &b).await;
    assert_eq!((replayed.from, replayed.to), (0, 2), "no gap");
    for entry in &replayed.entries {
        assert_eq!(entry.event, EventKind::Erase);
        assert!(!entry.object.get().contains("192.0.2.7"));
    }
    let digest: push::Digest = serde_json::from_str(&old.next_named("digest").await.data).unwrap();
    let LaneDigest { active, .. } = digest.community.unwrap();
    assert_eq!(active, 0);
}

/// Another's object is answered as one that is not there, hidden or not, and stays.
#[tokio::test]
async fn what_is_anothers_is_not_there_to_be_deleted() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let open = indicator("open", "192.0.2.1", Tlp::Green, &[]);
    let hidden = indicator("hidden", "192.0.2.2", Tlp::AmberStrict, &[]);
    let absent = indicator("absent", "192.0.2.3", Tlp::Green, &[]);
    a.share(&[open.clone(), hidden.clone()]).await;
    let mut answers = vec![];
    for object in [&open, &hidden, &absent] {
        let path = format!("{OBJECTS}{}/", object["id"].as_str().unwrap());
        let answer = b.send("DELETE", &path, TAXII, String::new()).await;
        assert_eq!(answer.status(), 404);
        answers.push(answer.text().await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    // The same identifier from another source is another assertion.
    b.share(std::slice::from_ref(&open)).await;
    assert_eq!(delete(&b, &open).await, 200);
    let left: Value = a.get(OBJECTS).await.json().await.unwrap();
    assert_eq!(left["objects"], json!([open, hidden]));
}

#[tokio::test]
async fn what_was_deleted_is_not_taken_again_and_newer_is() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let object = indicator("once", "192.0.2.1", Tlp::Green, &[]);
    a.share(std::slice::from_ref(&object)).await;
    assert_eq!(delete(&a, &object).await, 200);
    assert_eq!(delete(&a, &object).await, 404, "again");
    let again = a.post("/exchange/v1/objects", &object).await;
    let again: Value = again.json().await.unwrap();
    assert_eq!(again["outcomes"][0]["outcome"], "conflict");
    let why = again["outcomes"][0]["reason"].as_str().unwrap();
    assert!(why.contains("deleted"), "{why}");
    let mut newer = object;
    newer["modified"] = json!("2026-03-01T00:00:00.000Z");
    a.share(&[newer]).await;
}
