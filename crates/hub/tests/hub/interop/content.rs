//! Sections 3.6 to 3.12, 3.14 and 3.15: what a collection holds, and how it changes.

use super::{COLLECTIONS, OBJECTS, TAXII, add, hub, object, refused, resource, versions_of};
use crate::support::{Partner, World};
use serde_json::{Value, json};

#[tokio::test]
async fn s3_6_1_get_manifest_resource() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1), object(2)]).await;
    let manifest = resource(&partner, &format!("{COLLECTIONS}all/manifest/")).await;
    let records = manifest["objects"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    for (record, sent) in records.iter().zip([object(1), object(2)]) {
        assert_eq!(record["id"], sent["id"]);
        assert_eq!(record["version"], sent["modified"]);
        assert_eq!(record["media_type"], "application/stix+json;version=2.1");
        assert!(record["date_added"].as_str().unwrap().ends_with('Z'));
    }
    assert!(records[0]["date_added"].as_str() < records[1]["date_added"].as_str());
    assert_eq!(manifest["more"], false);
}

#[tokio::test]
async fn s3_7_1_get_envelope_resource_get_objects() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1), object(2)]).await;
    let answer = partner.get(OBJECTS).await;
    for header in ["x-taxii-date-added-first", "x-taxii-date-added-last"] {
        assert!(answer.headers().contains_key(header), "{header}");
    }
    let envelope: Value = answer.json().await.unwrap();
    assert_eq!(
        envelope,
        json!({ "more": false, "objects": [object(1), object(2)] })
    );
}

#[tokio::test]
async fn s3_7_2_no_objects() {
    let (_world, partner) = hub().await;
    assert_eq!(resource(&partner, OBJECTS).await, json!({ "more": false }));
}

#[tokio::test]
async fn s3_8_1_get_envelope_resource_get_an_object() {
    let (_world, partner) = hub().await;
    add(&partner, "all", &[object(1), object(2)]).await;
    let id = object(2)["id"].as_str().unwrap().to_owned();
    let envelope = resource(&partner, &format!("{OBJECTS}{id}/")).await;
    assert_eq!(envelope["objects"], json!([object(2)]));
}

#[tokio::test]
async fn s3_8_2_object_not_found() {
    let (_world, partner) = hub().await;
    let id = object(9)["id"].as_str().unwrap().to_owned();
    for path in [
        format!("{id}/"),
        format!("{id}/versions/"),
        "no-id/".to_owned(),
    ] {
        refused(partner.get(&format!("{OBJECTS}{path}")).await, 404).await;
    }
}

#[tokio::test]
async fn s3_9_1_get_versions_resource() {
    let (_world, partner) = hub().await;
    let versions = versions_of(1, 3);
    add(&partner, "all", &versions).await;
    let id = object(1)["id"].as_str().unwrap().to_owned();
    let listed = resource(&partner, &format!("{OBJECTS}{id}/versions/")).await;
    let sent: Vec<&Value> = versions.iter().map(|one| &one["modified"]).collect();
    assert_eq!(listed, json!({ "more": false, "versions": sent }));
}

#[tokio::test]
async fn s3_10_1_add_envelope_resource() {
    let (_world, partner) = hub().await;
    let answer = add(&partner, "all", &[object(1), object(2)]).await;
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.headers()["content-type"], TAXII);
    let status: Value = answer.json().await.unwrap();
    assert_eq!(status["success_count"], 2);
    let envelope = resource(&partner, OBJECTS).await;
    assert_eq!(envelope["objects"], json!([object(1), object(2)]));
    let again: Value = add(&partner, "all", &[object(1), object(2)])
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(again["success_count"], 2, "adding again does no harm");
    assert_eq!(resource(&partner, OBJECTS).await, envelope);
}

async fn status_of(partner: &Partner, objects: &[Value]) -> (Value, Value) {
    let posted: Value = add(partner, "all", objects).await.json().await.unwrap();
    let id = posted["id"].as_str().unwrap();
    let status = resource(partner, &format!("/taxii2/api/status/{id}/")).await;
    (posted, status)
}

#[tokio::test]
async fn s3_11_1_get_status_resource() {
    let (world, partner) = hub().await;
    let (posted, status) = status_of(&partner, &[object(1)]).await;
    assert_eq!(posted, status);
    assert_eq!(status["status"], "complete");
    let other = world.partner("agency-b").await;
    let path = format!("/taxii2/api/status/{}/", status["id"].as_str().unwrap());
    refused(other.get(&path).await, 404).await;
}

#[tokio::test]
async fn s3_11_2_get_all_status_properties() {
    let (_world, partner) = hub().await;
    let wrong = json!({ "type": "indicator", "id": "indicator--no" });
    let (_, status) = status_of(&partner, &[object(1), wrong, object(2)]).await;
    assert_eq!(status["total_count"], 3);
    assert_eq!(status["success_count"], 2);
    assert_eq!(status["failure_count"], 1);
    assert_eq!(status["pending_count"], 0);
    assert!(status["request_timestamp"].as_str().unwrap().ends_with('Z'));
    let of = |one: &Value| (one["id"].clone(), one["version"].clone());
    let successes: Vec<_> = status["successes"]
        .as_array()
        .unwrap()
        .iter()
        .map(of)
        .collect();
    let sent = [object(1), object(2)].map(|one| (one["id"].clone(), one["modified"].clone()));
    assert_eq!(successes, sent);
    assert_eq!(status["failures"][0]["id"], "indicator--no");
    assert!(
        !status["failures"][0]["message"]
            .as_str()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn s3_12_1_delete() {
    let (world, partner) = hub().await;
    let other = world.partner("agency-b").await;
    add(&partner, "all", &versions_of(1, 3)).await;
    add(&partner, "all", &[object(2)]).await;
    let delete = async |who: &Partner, rest: &str| {
        let id = object(1)["id"].as_str().unwrap().to_owned();
        let path = format!("{OBJECTS}{id}/{rest}");
        who.send("DELETE", &path, TAXII, String::new()).await
    };
    refused(delete(&other, "").await, 404).await;
    refused(delete(&partner, "?match[type]=indicator").await, 400).await;
    refused(delete(&partner, "?match[spec_version]=2.0").await, 404).await;
    assert_eq!(delete(&partner, "?match[version]=last").await.status(), 200);
    let left = resource(&partner, OBJECTS).await;
    assert_eq!(left["objects"], json!([versions_of(1, 3)[1], object(2)]));
    assert_eq!(
        delete(&partner, "?match[spec_version]=2.1").await.status(),
        200
    );
    for who in [&partner, &other] {
        let all = resource(who, &format!("{OBJECTS}?match[version]=all")).await;
        assert_eq!(all["objects"], json!([object(2)]));
        let manifest = resource(who, &format!("{COLLECTIONS}all/manifest/")).await;
        assert_eq!(manifest["objects"].as_array().unwrap().len(), 1);
        let id = object(1)["id"].as_str().unwrap().to_owned();
        refused(who.get(&format!("{OBJECTS}{id}/")).await, 404).await;
    }
    refused(delete(&partner, "").await, 404).await;
}

/// Every page from a path on, by `next`.
async fn pages(partner: &Partner, path: &str) -> Vec<Value> {
    let mut pages = vec![resource(partner, path).await];
    while let Some(next) = pages.last().and_then(|page| page["next"].as_str()) {
        assert_eq!(pages.last().unwrap()["more"], true);
        let page = resource(partner, &format!("{path}&next={next}")).await;
        pages.push(page);
        assert!(pages.len() < 100, "pages without end");
    }
    pages
}

#[tokio::test]
async fn s3_14_1_pagination() {
    let world = World::with("[limits]\npage_max = 10\n").await;
    let partner = world.partner("agency-a").await;
    let sent: Vec<Value> = (1..=25).map(object).collect();
    add(&partner, "all", &sent).await;
    for (limit, expected) in [(7, vec![7, 7, 7, 4]), (1000, vec![10, 10, 5])] {
        for resource in ["objects", "manifest"] {
            let path = format!("{COLLECTIONS}all/{resource}/?limit={limit}");
            let pages = pages(&partner, &path).await;
            let of = |page: &Value| page["objects"].as_array().unwrap().clone();
            let lengths: Vec<usize> = pages.iter().map(|page| of(page).len()).collect();
            assert_eq!(lengths, expected);
            let ids: Vec<Value> = pages
                .iter()
                .flat_map(of)
                .map(|one| one["id"].clone())
                .collect();
            let sent: Vec<Value> = sent.iter().map(|one| one["id"].clone()).collect();
            assert_eq!(ids, sent);
            assert_eq!(pages.last().unwrap()["more"], false);
        }
    }
}

#[tokio::test]
async fn s3_15_1_custom_properties() {
    let (_world, partner) = hub().await;
    let mut custom = object(1);
    custom["x_acme_score"] = json!({ "of": [1, 2.50, null], "note": "ä\u{1F980}" });
    custom["extensions"]["extension-definition--c9c33cf0-f92c-4b1e-9d5b-6a2c54f1a7f0"] =
        json!({ "extension_type": "property-extension", "rank": 5 });
    add(&partner, "all", &[custom.clone()]).await;
    let envelope = resource(&partner, OBJECTS).await;
    assert_eq!(envelope["objects"], json!([custom]));
}
