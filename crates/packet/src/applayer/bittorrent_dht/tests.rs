//! Messages sound and damaged.

use serde_json::json;

use super::bencode::Value;
use crate::applayer::testing::{anomalies, corpus, endures, records};
use crate::flow::Proto;

#[test]
fn nodes_and_peers() {
    let found = records(
        Proto::Udp,
        "",
        &corpus("bittorrent_dht/nodes_and_peers.bin"),
    );
    assert_eq!(found[0]["request_type"], "ping");
    let node = json!({"id": "4e".repeat(20), "ip": "1.2.3.4", "port": 6881});
    assert_eq!(found[1]["response"]["nodes"][0], node);
    let ip = &found[1]["response"]["nodes6"][0]["ip"];
    assert_eq!(ip, "0001:0203:0405:0607:0809:0a0b:0c0d:0e0f");
    assert_eq!(found[2]["response"]["token"], "00ff");
    assert_eq!(found[2]["response"]["values"].as_array().unwrap().len(), 2);
}

#[test]
fn announcements_errors_and_damage() {
    let found = records(
        Proto::Udp,
        "",
        &corpus("bittorrent_dht/announce_and_error.bin"),
    );
    let request = &found[0]["request"];
    assert_eq!(
        (&request["port"], &request["implied_port"]),
        (&json!(6881), &json!(0))
    );
    assert_eq!(found[1]["error"]["num"], 203);
    assert_eq!(anomalies(&found), ["malformed_packet"; 2]);
    assert_eq!(found.last(), Some(&json!({"transaction_id": ""})));
}

#[test]
fn bencoding_has_one_form() {
    assert_eq!(Value::parse(b"i-3e"), Some(Value::Number(-3)));
    assert_eq!(Value::parse(b"0:"), Some(Value::Bytes(b"")));
    assert_eq!(Value::parse(b"02:ab"), None, "a zero in front");
    assert_eq!(Value::parse(b"9:ab"), None, "cut");
    assert_eq!(Value::parse(b"d1:ai1e1:ai2ee"), None, "a key twice");
    let deep = [b"l".repeat(40), b"e".repeat(40)].concat();
    assert_eq!(Value::parse(&deep), None);
}

#[test]
fn mutations() {
    for name in ["nodes_and_peers", "announce_and_error"] {
        endures(Proto::Udp, &corpus(&format!("bittorrent_dht/{name}.bin")));
    }
}
