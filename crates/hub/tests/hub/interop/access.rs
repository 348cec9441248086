//! Sections 3.1 to 3.5: who is asking, and what may be asked of a collection.

use super::{COLLECTIONS, OBJECTS, add, hub, hub_of_rights, listed, object, refused, resource};
use crate::support::{Partner, World, client};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Response;
use serde_json::{Value, json};

async fn with_header(world: &World, value: &str) -> Response {
    let request = world.stranger().get(world.url("/taxii2/"));
    request.header("authorization", value).send().await.unwrap()
}

async fn token(world: &World) -> String {
    let admin = world.hub.admin();
    admin.token("agency-a", "agency").await.unwrap()
}

#[tokio::test]
async fn s3_1_1_missing_authorization_parameter() {
    let world = World::start().await;
    let answer = world.stranger().get(world.url("/taxii2/")).send().await;
    let answer = answer.unwrap();
    let offered: Vec<_> = answer
        .headers()
        .get_all("www-authenticate")
        .iter()
        .collect();
    assert!(
        offered
            .iter()
            .any(|one| one.to_str().unwrap().starts_with("Basic"))
    );
    refused(answer, 401).await;
}

#[tokio::test]
async fn s3_1_2_authorization_parameter_error() {
    let world = World::start().await;
    let good = token(&world).await;
    let basic = |text: String| format!("Basic {}", BASE64.encode(text));
    for value in [
        basic("agency-a:wrong".to_owned()),
        basic(format!("agency-b:{good}")),
        basic("no-colon".to_owned()),
        "Basic !!!".to_owned(),
        format!("Digest {good}"),
    ] {
        refused(with_header(&world, &value).await, 401).await;
    }
}

#[tokio::test]
async fn s3_1_3_certificate_based_authentication() {
    let (world, partner) = hub().await;
    resource(&partner, "/taxii2/").await;
    // A certificate of another authority does not get through the handshake.
    let other = World::start().await;
    let foreign = other.partner("agency-a").await;
    let client = client(&world.data().join("ca.pem"), Some(&foreign.pem));
    assert!(client.get(world.url("/taxii2/")).send().await.is_err());
}

#[tokio::test]
async fn s3_1_4_http_basic_authentication() {
    let world = World::start().await;
    let token = token(&world).await;
    let basic = format!("Basic {}", BASE64.encode(format!("agency-a:{token}")));
    assert_eq!(with_header(&world, &basic).await.status(), 200);
}

#[tokio::test]
async fn s3_2_1_get_discovery_resource() {
    let (world, partner) = hub().await;
    let discovery = resource(&partner, "/taxii2/").await;
    assert!(!discovery["title"].as_str().unwrap().is_empty());
    let root = world.url("/taxii2/api/");
    assert_eq!(discovery["api_roots"], json!([root]));
    assert_eq!(discovery["default"], json!(root));
}

#[tokio::test]
async fn s3_3_1_get_api_root_resource() {
    let (_world, partner) = hub().await;
    let root = resource(&partner, "/taxii2/api/").await;
    assert_eq!(root["versions"], json!([super::TAXII]));
    assert!(root["max_content_length"].as_u64().unwrap() > 0);
    assert!(!root["title"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn s3_3_2_incorrect_api_root_information() {
    let (_world, partner) = hub().await;
    for path in ["/taxii2/other/", "/taxii2/other/collections/", "/other/"] {
        refused(partner.get(path).await, 404).await;
    }
}

#[tokio::test]
async fn s3_4_1_get_collections_resource() {
    let (_world, partner) = hub_of_rights().await;
    let collections = resource(&partner, COLLECTIONS).await;
    let collections = collections["collections"].as_array().unwrap();
    let aliases: Vec<_> = collections.iter().map(|one| &one["alias"]).collect();
    assert_eq!(aliases, ["all", "drop-box", "feed"]);
    for collection in collections {
        assert_eq!(
            collection["media_types"],
            json!(["application/stix+json;version=2.1"])
        );
        for by in ["id", "alias"] {
            let name = collection[by].as_str().unwrap();
            let one = resource(&partner, &format!("{COLLECTIONS}{name}/")).await;
            assert_eq!(one, *collection);
        }
    }
}

async fn rights(partner: &Partner, alias: &str) -> (Value, Value) {
    let one = resource(partner, &format!("{COLLECTIONS}{alias}/")).await;
    assert_eq!(listed(partner, alias).await.as_ref(), Some(&one));
    (one["can_read"].clone(), one["can_write"].clone())
}

#[tokio::test]
async fn s3_5_1_1_write_only_collection_resource() {
    let (_world, partner) = hub_of_rights().await;
    assert_eq!(
        rights(&partner, "drop-box").await,
        (json!(false), json!(true))
    );
    let one = resource(&partner, &format!("{COLLECTIONS}drop-box/")).await;
    assert_eq!(one["title"], "Drop box");
    assert_eq!(one["description"], "Taken in, shown elsewhere");
}

#[tokio::test]
async fn s3_5_1_2_read_write_collection_resource() {
    let (_world, partner) = hub_of_rights().await;
    assert_eq!(rights(&partner, "all").await, (json!(true), json!(true)));
}

#[tokio::test]
async fn s3_5_1_3_read_only_collection_resource() {
    let (_world, partner) = hub_of_rights().await;
    assert_eq!(rights(&partner, "feed").await, (json!(true), json!(false)));
}

#[tokio::test]
async fn s3_5_1_4_no_read_no_write_collection_resource() {
    let (_world, partner) = hub_of_rights().await;
    let closed = partner.get(&format!("{COLLECTIONS}closed/")).await;
    let nowhere = partner.get(&format!("{COLLECTIONS}nowhere/")).await;
    assert_eq!(refused(closed, 404).await, refused(nowhere, 404).await);
    assert_eq!(listed(&partner, "closed").await, None);
}

#[tokio::test]
async fn s3_5_2_1_read_request_for_write_only_collection() {
    let (_world, partner) = hub_of_rights().await;
    assert_eq!(add(&partner, "drop-box", &[object(1)]).await.status(), 202);
    let id = object(1)["id"].as_str().unwrap().to_owned();
    for path in [
        "objects/".to_owned(),
        "manifest/".to_owned(),
        format!("objects/{id}/"),
        format!("objects/{id}/versions/"),
    ] {
        let path = format!("{COLLECTIONS}drop-box/{path}");
        refused(partner.get(&path).await, 403).await;
    }
    let elsewhere = resource(&partner, OBJECTS).await;
    assert_eq!(elsewhere["objects"], json!([object(1)]), "one log");
}

#[tokio::test]
async fn s3_5_2_2_write_request_to_read_only_collection() {
    let (_world, partner) = hub_of_rights().await;
    refused(add(&partner, "feed", &[object(1)]).await, 403).await;
    refused(add(&partner, "closed", &[object(1)]).await, 404).await;
    assert_eq!(resource(&partner, OBJECTS).await, json!({ "more": false }));
}

#[tokio::test]
async fn s3_5_3_incorrect_collection_information() {
    let (_world, partner) = hub().await;
    for path in [
        "",
        "objects/",
        "manifest/",
        "objects/x/",
        "objects/x/versions/",
    ] {
        let path = format!("{COLLECTIONS}2b5f4f0e-91c9-4f0c-9b36-7c1f5ed4b1a0/{path}");
        refused(partner.get(&path).await, 404).await;
    }
    refused(add(&partner, "nowhere", &[object(1)]).await, 404).await;
}

async fn delete(partner: &Partner, collection: &str, object: &Value) -> Response {
    let id = object["id"].as_str().unwrap();
    let path = format!("{COLLECTIONS}{collection}/objects/{id}/");
    partner
        .send("DELETE", &path, super::TAXII, String::new())
        .await
}

#[tokio::test]
async fn s3_5_2_3_delete_request_to_read_only_or_write_only_collection() {
    let (_world, partner) = hub_of_rights().await;
    add(&partner, "all", &[object(1)]).await;
    for collection in ["feed", "drop-box"] {
        refused(delete(&partner, collection, &object(1)).await, 403).await;
        // Whether the object is there makes no difference.
        refused(delete(&partner, collection, &object(2)).await, 403).await;
    }
    let still = resource(&partner, OBJECTS).await;
    assert_eq!(still["objects"], json!([object(1)]));
}

#[tokio::test]
async fn s3_5_2_4_delete_request_to_no_read_no_write_collection() {
    let (_world, partner) = hub_of_rights().await;
    add(&partner, "all", &[object(1)]).await;
    refused(delete(&partner, "closed", &object(1)).await, 404).await;
    let still = resource(&partner, OBJECTS).await;
    assert_eq!(still["objects"], json!([object(1)]));
}
