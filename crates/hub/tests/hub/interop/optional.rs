//! Section 3.13.2: the optional filters, as far as they are offered.

use super::filters::filtered;
use super::{OBJECTS, add, hub, object, refused, resource};
use crate::support::Partner;
use serde_json::{Value, json};

/// Objects 1 to `count`, with their number as confidence.
async fn add_some(partner: &Partner, count: u8) -> Vec<Value> {
    let with = |n: u8| {
        let mut object = object(n);
        object["confidence"] = json!(n);
        object["indicator_types"] = json!([
            "anonymization",
            if n.is_multiple_of(2) { "even" } else { "odd" }
        ]);
        object
    };
    let objects: Vec<Value> = (1..=count).map(with).collect();
    assert_eq!(add(partner, "all", &objects).await.status(), 202);
    objects
}

#[tokio::test]
async fn s3_13_2_1_tier_1() {
    let (_world, partner) = hub().await;
    let objects = add_some(&partner, 4).await;
    let named = filtered(&partner, "match[name]=object-2,object-3,nobody").await;
    assert_eq!(named, objects[1..3]);
    assert_eq!(
        filtered(&partner, "match[confidence]=4").await,
        objects[3..]
    );
    assert_eq!(filtered(&partner, "match[revoked]=false").await, objects);
    assert!(
        filtered(&partner, "match[pattern_type]=suricata")
            .await
            .is_empty()
    );
    let both = filtered(&partner, "match[name]=object-2&match[confidence]=3").await;
    assert!(both.is_empty(), "all must hold");
}

#[tokio::test]
async fn s3_13_2_2_tier_2() {
    let (_world, partner) = hub().await;
    let objects = add_some(&partner, 3).await;
    let odd = filtered(&partner, "match[indicator_types]=odd").await;
    assert_eq!(odd, [objects[0].clone(), objects[2].clone()]);
    assert_eq!(
        filtered(&partner, "match[indicator_types]=even,odd").await,
        objects
    );
}

#[tokio::test]
async fn s3_13_2_3_and_4_are_refused_by_name() {
    let (_world, partner) = hub().await;
    for name in ["tlp", "external_id", "relationships-all", "x_acme_score"] {
        let answer = partner.get(&format!("{OBJECTS}?match[{name}]=x")).await;
        let error = refused(answer, 400).await;
        assert!(error["description"].as_str().unwrap().contains(name));
    }
}

#[tokio::test]
async fn s3_13_2_5_calculation() {
    let (_world, partner) = hub().await;
    let objects = add_some(&partner, 5).await;
    let between = "match[confidence-gte]=2&match[confidence-lte]=4";
    assert_eq!(filtered(&partner, between).await, objects[1..4]);
    let after = "match[modified-gte]=2026-01-01T00:00:00.000Z";
    assert_eq!(filtered(&partner, after).await, objects);
    let later = "match[modified-gte]=2026-01-01T00:00:00.001Z";
    assert!(filtered(&partner, later).await.is_empty());
    refused(
        partner
            .get(&format!("{OBJECTS}?match[confidence-gte]=x"))
            .await,
        400,
    )
    .await;
}

/// Pages of a filter that passes over much join to the whole, and end.
#[tokio::test]
async fn pages_of_matches_join_to_the_whole() {
    let (_world, partner) = hub().await;
    let objects = add_some(&partner, 60).await;
    let query = format!("{OBJECTS}?limit=7&match[indicator_types]=even");
    let (mut seen, mut next) = (vec![], String::new());
    for _ in 0..20 {
        let page = resource(&partner, &format!("{query}{next}")).await;
        seen.extend(page["objects"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(cursor) => next = format!("&next={cursor}"),
            None => break,
        }
    }
    let even = objects.into_iter().skip(1).step_by(2);
    assert_eq!(seen, even.collect::<Vec<_>>());
}
