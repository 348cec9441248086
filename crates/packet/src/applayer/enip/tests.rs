//! Sessions, identities and CIP.

use serde_json::json;

use crate::applayer::testing::{anomalies, corpus, endures, records, records_without};
use crate::applayer::{Probe, Protocol};
use crate::flow::{Direction, Proto};

#[test]
fn a_session() {
    let found = records(Proto::Tcp, "", &corpus("enip/session.bin"));
    let session = json!({"command": "register_session", "status": "success",
        "register_session": {"protocol_version": 1, "options": 0}});
    assert_eq!(found[0], json!({"request": session, "response": session}));
    let identity = json!({"protocol_version": 2, "revision": "20.11",
        "vendor_id": "Rockwell Automation/Allen-Bradley",
        "device_type": "Programmable Logic Controller", "product_code": 55, "status": 48,
        "serial": 0x1234_5678, "product_name": "PLC-X", "state": 3});
    assert_eq!(found[1]["response"]["identity"], identity);
    assert_eq!(found[2]["response"]["list_services"]["capabilities"], 288);
    let single = &found[3]["request"]["cip"];
    assert_eq!(single["class_name"], "Identity");
    let attribute = json!({"segment_type": "attribute", "value": 3});
    assert_eq!(single["path"][2], attribute);
    let multiple = &found[4];
    let second = json!({"service": "Write Data", "class_name": "unknown-107",
        "path": [{"segment_type": "class", "value": 107}, {"segment_type": "instance", "value": 5}]});
    assert_eq!(multiple["request"]["cip"]["multiple"][1], second);
    let answer = json!({"service": "Write Data", "status": "Path Destination Unknown"});
    assert_eq!(multiple["response"]["cip"]["multiple"][1], answer);
    assert_eq!(anomalies(&found).len(), 0);
}

#[test]
fn refusals_and_damage() {
    let found = records(Proto::Tcp, "", &corpus("enip/refused.bin"));
    let status = json!({"service": "Forward Open", "status": "Connection Failure",
        "status_extended": "07", "status_extended_meaning": "Target connection not found"});
    assert_eq!(found[0]["response"]["cip"], status);
    assert_eq!(anomalies(&found), ["invalid_pdu"; 2]);
    let last = found.last().unwrap();
    assert_eq!(last["response"]["status"], "incorrect_data");
}

#[test]
fn identities_are_asked_for_in_datagrams() {
    let messages = corpus("enip/session.bin")[2..4].to_vec();
    let found = records(Proto::Udp, "", &messages);
    assert_eq!(found[0]["response"]["identity"]["product_name"], "PLC-X");
}

#[test]
fn first_bytes() {
    let Protocol { probe, .. } = super::PROTOCOL;
    let register = &corpus("enip/session.bin")[0].1;
    let client = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
    assert_eq!(client(register), Probe::Certain);
    assert_eq!(client(&register[..10]), Probe::Unsure);
    assert_eq!(client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Probe::No);
}

#[test]
fn messages_behind_a_gap_are_found_again() {
    let found = records_without(&corpus("enip/session.bin"), 2);
    assert!(
        found
            .iter()
            .any(|record| record["request"]["cip"]["class_name"] == "Identity")
    );
}

#[test]
fn pieces_and_mutations() {
    for name in ["session", "refused"] {
        endures(Proto::Tcp, &corpus(&format!("enip/{name}.bin")));
    }
}
