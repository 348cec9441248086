//! A hub whose store is a PostgreSQL database.

use crate::support::{World, indicator};
use hub::Admin;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use stix::Tlp;
use testkit::postgres::{Server, unavailable};

fn open(n: u8) -> Value {
    let value = format!("192.0.2.{n}");
    indicator(&format!("open-{n}"), &value, Tlp::Green, &[])
}

async fn objects(partner: &crate::support::Partner) -> usize {
    let answer = partner.get("/taxii2/api/collections/all/objects/").await;
    assert_eq!(answer.status(), 200);
    let page: Value = answer.json().await.unwrap();
    page["objects"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_on_postgresql_survives_its_own_restart_and_the_servers() {
    if let Some(why) = unavailable() {
        testkit::skip(
            "a_hub_on_postgresql_survives_its_own_restart_and_the_servers",
            &why,
        );
        return;
    }
    let server = Server::start(Path::new("/tmp"), &[]).unwrap();
    let store = format!("[store]\npostgres = {:?}\n", server.url("public"));
    let world = World::with(&store).await;
    let a = world.partner("agency-a").await;
    a.share(&[open(1), open(2)]).await;
    assert_eq!(objects(&a).await, 2);
    // Administration beside the hub finds the store by the folder.
    let admin = Admin::open(&world.data()).await.unwrap();
    assert_eq!(admin.partners().await.unwrap().len(), 1);
    drop(admin);

    server.kill().unwrap();
    let lost = json!({ "objects": [open(3)] });
    let answer = a.post("/exchange/v1/objects", &lost).await;
    assert!(answer.status().is_server_error(), "{}", answer.status());
    server.run_again().unwrap();
    let begun = Instant::now();
    while a.post("/exchange/v1/objects", &lost).await.status() != 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "does not reconnect"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(objects(&a).await, 3);

    // A server that hangs: whoever asks is told when to ask again.
    server.pause().unwrap();
    let begun = Instant::now();
    let late = a.get("/taxii2/api/collections/all/objects/").await;
    assert_eq!(late.status(), 503);
    assert!(late.headers().contains_key("retry-after"));
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    server.resume().unwrap();
    let begun = Instant::now();
    while a.get("/taxii2/api/collections/all/objects/").await.status() != 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "does not recover"
        );
    }

    let pem = a.pem.clone();
    let world = World::on(world.stop().await, &store).await;
    let a = world.known(&a, &pem);
    assert_eq!(objects(&a).await, 3);
    assert!(!world.data().join("exchange.db").exists());
    world.stop().await;
}
