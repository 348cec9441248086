//! Bounds hold and are counted.

use crate::support::{Events, World, indicator};
use serde_json::json;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use stix::Tlp;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Waits until the hub closes a connection from its side.
async fn closed(mut stream: TcpStream) {
    let mut rest = vec![];
    let read = stream.read_to_end(&mut rest);
    timeout(Duration::from_secs(5), read)
        .await
        .expect("the hub closes it")
        .ok();
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_given_up() {
    let world = World::with("[limits]\nhandshake_ms_max = 50\n").await;
    closed(TcpStream::connect(world.hub.tls_addr()).await.unwrap()).await;
    assert_eq!(world.hub.counters().handshakes_failed.load(Relaxed), 1);
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_at_once() {
    let world = World::with("[limits]\nconnections_max = 1\n").await;
    let first = TcpStream::connect(world.hub.tls_addr()).await.unwrap();
    closed(TcpStream::connect(world.hub.tls_addr()).await.unwrap()).await;
    assert_eq!(world.hub.counters().connections_refused.load(Relaxed), 1);
    drop(first);
}

#[tokio::test]
async fn push_streams_of_a_partner_are_bounded() {
    let world = World::with("[limits]\npush_streams_max = 1\n").await;
    let a = world.partner("agency-a").await;
    let _open = a.follow(None).await;
    let second = a.get("/exchange/v1/push").await;
    assert_eq!(second.status(), 429);
    assert_eq!(second.headers()["retry-after"], "1");
    assert_eq!(world.hub.counters().push_refused.load(Relaxed), 1);
}

#[tokio::test]
async fn large_bodies_are_refused_before_anyone_is_known_and_after() {
    let world = World::with("[limits]\nbody_bytes_max = 1000\n").await;
    let a = world.partner("agency-a").await;
    let body = "x".repeat(100_000);
    let url = world.url("/exchange/v1/enrol");
    let enrol = world
        .stranger()
        .post(url)
        .body(body.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(enrol.status(), 413);
    let post = a
        .client
        .post(world.url("/exchange/v1/objects"))
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(post.status(), 413);
    assert_eq!(world.hub.counters().bodies_refused.load(Relaxed), 2);
}

#[tokio::test]
async fn shields_of_a_partner_are_bounded() {
    let world = World::with("[limits]\nshields_max = 1\n").await;
    let a = world.partner("agency-a").await;
    let report = |name: &str| {
        json!({
            "shield": name, "at": "2026-01-01T00:00:00Z", "mode": "xdp-native", "iface": "eth0",
            "version": "0", "sync": { "connected": true, "complete": true, "spooled": 0 },
        })
    };
    assert_eq!(
        a.post("/exchange/v1/state", &report("one")).await.status(),
        204
    );
    assert_eq!(
        a.post("/exchange/v1/state", &report("two")).await.status(),
        403
    );
    assert_eq!(world.hub.counters().states_refused.load(Relaxed), 1);
}

#[tokio::test]
async fn http_1_is_served_like_http_2() {
    let world = World::start().await;
    let a = world.partner("agency-a").await;
    a.share(&[indicator("one", "192.0.2.1", Tlp::Green, &[])])
        .await;
    let token = world.hub.admin().token("agency-b", "agency").await.unwrap();
    let ca = std::fs::read(world.data().join("ca.pem")).unwrap();
    let ca = reqwest::Certificate::from_pem(&ca).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([ca])
        .http1_only()
        .build()
        .unwrap();
    let push = client
        .get(world.url("/exchange/v1/push"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    assert_eq!(push.version(), reqwest::Version::HTTP_11);
    assert_eq!(Events::over(push).next_named("frame").await.name, "frame");
    assert_eq!(a.get("/taxii2/").await.version(), reqwest::Version::HTTP_2);
}
