//! Section 3.13.1: the filters that every server has.

use super::{COLLECTIONS, OBJECTS, add, hub, object, refused, resource, versions_of};
use crate::support::Partner;
use serde_json::{Value, json};

fn malware(n: u8) -> Value {
    let mut malware = object(n);
    let of = malware.as_object_mut().unwrap();
    of.retain(|key, _| {
        !key.starts_with("pattern") && !key.starts_with("valid") && key != "extensions"
    });
    of["type"] = json!("malware");
    of["id"] = json!(stix::StixId::v5("malware", &n.to_string()));
    of.insert("is_family".to_owned(), json!(false));
    malware
}

fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

/// The objects that a filter lets through; the manifest says the same.
pub(super) async fn filtered(partner: &Partner, query: &str) -> Vec<Value> {
    let envelope = resource(partner, &format!("{OBJECTS}?{query}")).await;
    let manifest = resource(partner, &format!("{COLLECTIONS}all/manifest/?{query}")).await;
    let list = |of: &Value| of["objects"].as_array().cloned().unwrap_or_default();
    let (objects, records) = (list(&envelope), list(&manifest));
    let name = |one: &Value, version: &str| (one["id"].clone(), one[version].clone());
    let shown: Vec<_> = objects.iter().map(|one| name(one, "modified")).collect();
    let listed: Vec<_> = records.iter().map(|one| name(one, "version")).collect();
    assert_eq!(shown, listed, "{query}");
    objects
}

#[tokio::test]
async fn s3_13_1_1_added_after() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1), object(2), object(3)]).await;
    let manifest = resource(&partner, &format!("{COLLECTIONS}all/manifest/")).await;
    let added = |n: usize| {
        manifest["objects"][n]["date_added"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let after = filtered(&partner, &format!("added_after={}", added(0))).await;
    assert_eq!(
        after,
        [object(2), object(3)],
        "the moment itself is not after it"
    );
    let none = filtered(&partner, &format!("added_after={}", added(2))).await;
    assert!(none.is_empty());
    refused(
        partner
            .get(&format!("{OBJECTS}?added_after=yesterday"))
            .await,
        400,
    )
    .await;
}

#[tokio::test]
async fn s3_13_1_2_limit() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1), object(2), object(3)]).await;
    assert_eq!(filtered(&partner, "limit=2").await, [object(1), object(2)]);
    let page = resource(&partner, &format!("{OBJECTS}?limit=3")).await;
    assert_eq!(
        page["more"], false,
        "no further page where there is nothing more"
    );
    for wrong in ["0", "-1", "x", ""] {
        refused(partner.get(&format!("{OBJECTS}?limit={wrong}")).await, 400).await;
    }
}

#[tokio::test]
async fn s3_13_1_3_match_id() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1), object(2)]).await;
    let one = filtered(&partner, &format!("match[id]={}", id(&object(2)))).await;
    assert_eq!(one, [object(2)]);
    let none = filtered(&partner, &format!("match[id]={}", id(&object(3)))).await;
    assert!(none.is_empty());
}

#[tokio::test]
async fn s3_13_1_4_match_type() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1), malware(2)]).await;
    assert_eq!(
        filtered(&partner, "match[type]=malware").await,
        [malware(2)]
    );
    assert!(filtered(&partner, "match[type]=tool").await.is_empty());
}

#[tokio::test]
async fn s3_13_1_5_match_version() {
    let (_world, partner) = hub().await;
    let versions = versions_of(1, 3);
    add(&partner, "all", &versions).await;
    let of = async |version: &str| filtered(&partner, &format!("match[version]={version}")).await;
    assert_eq!(of("first").await, versions[..1]);
    assert_eq!(of("last").await, versions[2..]);
    assert_eq!(of("all").await, versions);
    assert_eq!(
        of(versions[1]["modified"].as_str().unwrap()).await,
        versions[1..2]
    );
    assert_eq!(
        filtered(&partner, "limit=10").await,
        versions[2..],
        "the last by default"
    );
}

#[tokio::test]
async fn s3_13_1_6_match_spec_version() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1)]).await;
    assert_eq!(
        filtered(&partner, "match[spec_version]=2.1").await,
        [object(1)]
    );
    assert!(
        filtered(&partner, "match[spec_version]=2.0")
            .await
            .is_empty()
    );
    assert_eq!(
        filtered(&partner, "match[spec_version]=2.0,2.1").await,
        [object(1)]
    );
}

#[tokio::test]
async fn s3_13_1_7_logical_or_operator() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1), object(2), malware(3)]).await;
    let two = format!("match[id]={},{}", id(&object(1)), id(&malware(3)));
    assert_eq!(filtered(&partner, &two).await, [object(1), malware(3)]);
    let types = filtered(&partner, "match[type]=malware,indicator").await;
    assert_eq!(types, [object(1), object(2), malware(3)]);
    let ends = versions_of(1, 3);
    add(&partner, "all", &ends).await;
    let both = format!("match[id]={}&match[version]=first,last", id(&object(1)));
    assert_eq!(
        filtered(&partner, &both).await,
        [ends[0].clone(), ends[2].clone()]
    );
}

#[tokio::test]
async fn s3_13_1_8_logical_and_operator() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1), malware(2)]).await;
    let of = async |kind: &str| {
        let id = id(&malware(2)).to_owned();
        filtered(&partner, &format!("match[type]={kind}&match[id]={id}")).await
    };
    assert_eq!(of("malware").await, [malware(2)]);
    assert!(of("indicator").await.is_empty());
}

#[tokio::test]
async fn s3_13_1_9_logical_or_and_operators() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1), malware(2), object(3)]).await;
    let ids = format!("{},{}", id(&object(1)), id(&malware(2)));
    let of = async |kinds: &str| {
        filtered(&partner, &format!("match[type]={kinds}&match[id]={ids}")).await
    };
    assert_eq!(of("indicator,malware").await, [object(1), malware(2)]);
    assert_eq!(of("indicator,tool").await, [object(1)]);
}

#[tokio::test]
async fn s3_13_1_10_duplicate_filter_parameter() {
    let (_world, partner) = hub().await;
    for twice in [
        "match[type]=indicator&match[type]=malware",
        "limit=1&limit=1",
        "added_after=2026-01-01T00:00:00Z&added_after=2026-01-01T00:00:00Z",
    ] {
        for path in [OBJECTS.to_owned(), format!("{COLLECTIONS}all/manifest/")] {
            let error = refused(partner.get(&format!("{path}?{twice}")).await, 400).await;
            let why = error["description"].as_str().unwrap();
            assert!(why.contains("more than once"), "{why}");
        }
    }
}
