//! Sharing and following: from a partner's POST to the frame at another partner.

use crate::support::{Event, Events, Partner, World, indicator};
use serde_json::{Value, json};
use stix::{Limits, Object, Timestamp, Tlp};
use taxii::ActiveSet;
use taxii::active::Change;
use taxii::push::{self, Digest, Frame, Hello, Lane};

fn read(partner: &Partner, event: &Event) -> Frame {
    push::verify(event.data.as_bytes(), &partner.hub_key).expect("signed by the enrolled hub")
}

async fn frame(partner: &Partner, events: &mut Events) -> Frame {
    read(partner, &events.next_named("frame").await)
}

#[tokio::test]
async fn what_one_partner_shares_another_receives_signed_and_byte_for_byte() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let mut events = b.follow(None).await;
    let hello: Hello = serde_json::from_str(&events.next().await.unwrap().data).unwrap();
    assert_eq!(hello.community, "default");
    assert_eq!(push::PublicKey::from_text(&hello.key).unwrap(), b.hub_key);

    let object = indicator("one", "192.0.2.9", Tlp::Green, &[]);
    let odd = object
        .to_string()
        .replace("\"action\":", "\"x_odd\" : 1.50e0,\n \"action\":");
    let bundle = format!(
        "{{\"type\":\"bundle\",\"id\":\"{}\",\"objects\":[{odd}]}}",
        bundle_id()
    );
    let answer = a
        .client
        .post(world.url("/exchange/v1/objects"))
        .body(bundle)
        .send()
        .await
        .unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["outcomes"][0]["outcome"], "accepted", "{answer}");

    let event = events.next_named("frame").await;
    let frame = read(&b, &event);
    assert_eq!((frame.lane, frame.from, frame.to), (Lane::Community, 0, 1));
    assert_eq!(frame.entries[0].source, "agency-a");
    assert_eq!(frame.entries[0].object.get(), odd);
    assert!(
        !event.id.is_empty(),
        "each frame carries the cursor after it"
    );
}

#[tokio::test]
async fn addressed_objects_reach_the_addressed_alone() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let (b, c) = (
        world.partner("agency-b").await,
        world.partner("agency-c").await,
    );
    let (mut at_b, mut at_c) = (b.follow(None).await, c.follow(None).await);
    a.share(&[indicator(
        "secret",
        "192.0.2.1",
        Tlp::AmberStrict,
        &["agency-b"],
    )])
    .await;
    a.share(&[indicator("open", "192.0.2.2", Tlp::Green, &[])])
        .await;
    let addressed = frame(&b, &mut at_b).await;
    assert_eq!(
        (addressed.lane, addressed.from, addressed.to),
        (Lane::Addressed, 0, 1)
    );
    assert_eq!(frame(&b, &mut at_b).await.lane, Lane::Community);
    let first = frame(&c, &mut at_c).await;
    assert_eq!(
        (first.lane, first.from, first.to),
        (Lane::Community, 0, 1),
        "no gap to see"
    );
    assert!(first.entries[0].object.get().contains("192.0.2.2"));
}

#[tokio::test]
async fn a_cursor_resumes_without_loss_or_duplicate() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    a.share(&[indicator("one", "192.0.2.1", Tlp::Green, &[])])
        .await;
    let mut events = b.follow(None).await;
    let first = events.next_named("frame").await;
    drop(events);
    a.share(&[indicator("two", "192.0.2.2", Tlp::Green, &[])])
        .await;
    let mut events = b.follow(Some(&first.id)).await;
    let second = frame(&b, &mut events).await;
    assert_eq!((second.from, second.to), (1, 2));
    a.share(&[indicator("three", "192.0.2.3", Tlp::Green, &[])])
        .await;
    assert_eq!(
        frame(&b, &mut events).await.to,
        3,
        "stored and live entries meet"
    );

    let by_url = b
        .get(&format!("/exchange/v1/push?cursor={}", first.id))
        .await;
    assert_eq!(frame(&b, &mut Events::over(by_url)).await.from, 1);
}

#[tokio::test]
async fn a_cursor_that_cannot_be_continued_is_an_explicit_error() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    a.share(&[indicator("one", "192.0.2.1", Tlp::Green, &[])])
        .await;
    let others = a.follow(None).await.next_named("frame").await.id;
    for cursor in ["rubbish", &others] {
        let mut events = b.follow(Some(cursor)).await;
        let event = events.next().await.unwrap();
        assert_eq!(event.name, "trimmed", "{cursor}");
        let trimmed: push::Trimmed = serde_json::from_str(&event.data).unwrap();
        assert!(trimmed.why.contains("start again"), "{}", trimmed.why);
        assert!(events.next().await.is_none(), "and the stream ends");
    }
}

#[tokio::test]
async fn digests_agree_with_what_was_followed() {
    let world = World::with("[limits]\ndigest_s = 1\n").await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let mut events = b.follow(None).await;
    let objects: Vec<Value> = (1..=3)
        .map(|n| indicator(&format!("i{n}"), &format!("192.0.2.{n}"), Tlp::Green, &[]))
        .collect();
    a.share(&objects).await;
    a.share(&[withdrawn(&objects[0])]).await;
    let mut set = ActiveSet::new();
    let mut reached = 0;
    loop {
        let event = events.next().await.unwrap();
        if event.name == "frame" {
            let frame = read(&b, &event);
            reached = frame.to;
            for entry in &frame.entries {
                let raw = entry.object.get().as_bytes();
                set.apply(&Change::of(
                    entry,
                    &Object::parse(raw, &Limits::default()).unwrap(),
                ));
            }
        } else if event.name == "digest" {
            let digest: Digest = serde_json::from_str(&event.data).unwrap();
            let Some(lane) = digest.community.filter(|lane| lane.position == 4) else {
                continue;
            };
            assert_eq!(reached, 4);
            assert_eq!(lane.active, 2, "three shared, one withdrawn");
            assert_eq!(lane, set.lane_digest(digest.at, 4));
            break;
        }
    }
}

#[tokio::test]
async fn each_object_has_its_outcome() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let good = indicator("one", "192.0.2.1", Tlp::Green, &[]);
    let mut changed = good.clone();
    changed["name"] = json!("the same version says something else");
    let objects = json!({ "objects": [good, { "type": "indicator", "id": "no" }, good, changed] });
    let answer: Value = a
        .post("/exchange/v1/objects", &objects)
        .await
        .json()
        .await
        .unwrap();
    let outcomes: Vec<&str> = answer["outcomes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["accepted", "refused", "duplicate", "conflict"]);
    assert_eq!(answer["outcomes"][1]["id"], "no");
    assert!(
        answer["outcomes"][1]["reason"]
            .as_str()
            .unwrap()
            .contains("objects[1]"),
        "{answer}"
    );
    let refused = a
        .client
        .post(world.url("/exchange/v1/objects"))
        .body("{\"a\":1}")
        .send()
        .await;
    assert_eq!(refused.unwrap().status(), 422);
}

#[tokio::test]
async fn what_breaks_a_must_is_refused_and_what_breaks_a_should_is_taken() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    let object = |kind: &str, own: (&str, Value)| {
        json!({
            "type": kind, "spec_version": "2.1", "name": "one",
            "id": stix::StixId::v5(kind, "one"),
            "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
            (own.0): own.1,
        })
    };
    let objects = json!({ "objects": [
        object("malware", ("is_family", json!("yes"))),
        object("tool", ("tool_types", json!(["a word of ours"]))),
    ] });
    let answer: Value = a
        .post("/exchange/v1/objects", &objects)
        .await
        .json()
        .await
        .unwrap();
    let outcome = |index: usize| &answer["outcomes"][index];
    assert_eq!(outcome(1)["outcome"], "accepted", "{answer}");
    assert_eq!(outcome(0)["outcome"], "refused", "{answer}");
    let reason = outcome(0)["reason"].as_str().unwrap();
    for part in ["$.objects[0].is_family", "STIX 2.1 section 4.11.1"] {
        assert!(reason.contains(part), "{reason}");
    }
}

#[tokio::test]
async fn a_report_is_shown_to_its_owner_alone() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let report = json!({
        "shield": "s1", "at": Timestamp::EPOCH, "mode": "native", "iface": "eth0",
        "version": "0.1.0", "sync": { "connected": true, "complete": true, "spooled": 0 },
    });
    assert_eq!(a.post("/exchange/v1/state", &report).await.status(), 204);
    let own: Value = a.get("/exchange/v1/state").await.json().await.unwrap();
    assert_eq!(own["shields"][0]["shield"], "s1");
    let others: Value = b.get("/exchange/v1/state").await.json().await.unwrap();
    assert_eq!(others["shields"], json!([]));
    assert_eq!(
        a.post("/exchange/v1/state", &json!({ "shield": 1 }))
            .await
            .status(),
        400
    );
}

#[tokio::test]
async fn everything_acknowledged_is_there_after_a_restart() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    a.share(&[indicator("one", "192.0.2.1", Tlp::Green, &[])])
        .await;
    let cursor = a.follow(None).await.next_named("frame").await.id;
    a.share(&[indicator("two", "192.0.2.2", Tlp::Green, &[])])
        .await;
    let pem = a.pem.clone();
    let world = World::on(world.stop().await, "").await;
    let again = world.known(&a, &pem);
    let frame = frame(&again, &mut again.follow(Some(&cursor)).await).await;
    assert_eq!(
        (frame.from, frame.to),
        (1, 2),
        "the certificate, the cursor and the log hold"
    );
}

#[tokio::test]
async fn a_revocation_without_its_marking_reaches_whoever_got_the_object() {
    let world = World::start().await;
    let (a, b) = (
        world.partner("agency-a").await,
        world.partner("agency-b").await,
    );
    let c = world.partner("agency-c").await;
    let mut events = b.follow(None).await;
    let open = indicator("one", "192.0.2.9", Tlp::Green, &[]);
    let named = indicator("two", "192.0.2.10", Tlp::Amber, &["agency-b"]);
    a.share(std::slice::from_ref(&open)).await;
    assert_eq!(frame(&b, &mut events).await.to, 1);
    a.share(std::slice::from_ref(&named)).await;
    assert_eq!(frame(&b, &mut events).await.lane, Lane::Addressed);
    // Without a marking the default would keep it at its source, marked green it would go to all.
    let mut gone = withdrawn(&open);
    gone.as_object_mut().unwrap().remove("object_marking_refs");
    a.share(&[gone.clone()]).await;
    let news = frame(&b, &mut events).await;
    assert_eq!((news.lane, news.from, news.to), (Lane::Community, 1, 2));
    let mut wide = withdrawn(&named);
    wide["object_marking_refs"] = open["object_marking_refs"].clone();
    let lease = wide["extensions"][stix::lease::EXTENSION_ID].as_object_mut();
    lease.unwrap().remove("audience");
    a.share(&[wide.clone()]).await;
    let news = frame(&b, &mut events).await;
    assert_eq!((news.lane, news.from, news.to), (Lane::Addressed, 1, 2));
    let view = async |partner: &Partner| -> Value {
        let page = partner.get("/taxii2/api/collections/all/objects/").await;
        page.json::<Value>().await.unwrap()["objects"].take()
    };
    assert_eq!(view(&b).await, json!([gone, wide]));
    assert_eq!(view(&c).await, json!([gone]));
}

fn withdrawn(object: &Value) -> Value {
    let mut next = object.clone();
    next["modified"] = json!("2026-01-02T00:00:00.000Z");
    next["revoked"] = json!(true);
    next
}

fn bundle_id() -> String {
    stix::StixId::v5("bundle", "test").to_string()
}
