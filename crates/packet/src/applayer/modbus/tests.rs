//! Requests with their responses, and what is wrong with some.

use serde_json::json;

use crate::applayer::testing::{anomalies, corpus, endures, records, records_without};
use crate::applayer::{Probe, Protocol};
use crate::flow::{Direction, Proto};

#[test]
fn reads_and_writes() {
    let found = records(Proto::Tcp, "", &corpus("modbus/reads_and_writes.bin"));
    assert_eq!(found.len(), 7);
    let head = |raw: u8, name: &str, access: &str| {
        json!({"transaction_id": 1, "protocol_id": 0, "unit_id": 1, "function_raw": raw,
            "function_code": name, "access_type": access, "category": "PUBLIC_ASSIGNED",
            "error_flags": "NONE"})
    };
    let mut request = head(3, "RdHoldRegs", "READ | HOLDING");
    let mut response = request.clone();
    request["read"] = json!({"address": 1, "quantity": 2});
    response["read"] = json!({"data": "\0\u{1}\0\u{2}"});
    let first = json!({"id": 1, "request": request, "response": response});
    assert_eq!(found[0], first);
    assert_eq!(
        found[1]["request"]["write"],
        json!({"address": 3, "data": 0xff00})
    );
    assert_eq!(
        found[2]["response"]["write"],
        json!({"address": 1, "data": 2})
    );
    let write = json!({"address": 14, "quantity": 1, "data": "\0\\xff"});
    assert_eq!(found[3]["request"]["write"], write);
    assert_eq!(found[4]["request"]["write"]["and_mask"], 0xf2);
    assert_eq!(found[5]["request"]["diagnostic"]["code"], "RetQueryData");
    assert_eq!(
        found[6]["response"]["exception"]["code"],
        "ServerDeviceFail"
    );
}

#[test]
fn flaws_are_told() {
    let found = records(Proto::Tcp, "", &corpus("modbus/flawed.bin"));
    let expected = [
        "value_mismatch",
        "invalid_value",
        "invalid_exception_code",
        "invalid_protocol_id",
        "unsolicited_response",
        "invalid_length",
        "invalid_length",
        "invalid_function_code",
    ];
    assert_eq!(anomalies(&found), expected);
    let last = &found.last().unwrap()["request"];
    assert_eq!(last["error_flags"], "DATA_LENGTH | FUNC_CODE");
}

#[test]
fn a_flood_of_requests_has_a_bound() {
    let settings = "app-layer: {protocols: {modbus: {request-flood: 2}}}";
    let request = corpus("modbus/reads_and_writes.bin")[0].clone();
    let found = records(Proto::Tcp, settings, &vec![request; 4]);
    assert_eq!(anomalies(&found), ["flooded"; 2]);
    assert_eq!(found.len(), 6);
}

#[test]
fn first_bytes() {
    let Protocol { probe, .. } = super::PROTOCOL;
    let client = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
    assert_eq!(
        client(b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x01"),
        Probe::Certain
    );
    assert_eq!(client(b"\0\x01\0\0\0\x06\x01\x03\0\0"), Probe::Unsure);
    assert_eq!(client(b"\0\x01\0\0\0\x05\x01\x03\0\0\0"), Probe::No);
    let server = |data: &[u8]| probe(Proto::Tcp, Direction::ToClient, data);
    let ldap = [b"\x30\x84\0\0\0\x10\x02\x01\x01\x61".as_slice(), &[0; 12]].concat();
    assert_eq!(server(&ldap), Probe::No);
}

#[test]
fn messages_behind_a_gap_are_found_again() {
    let found = records_without(&corpus("modbus/reads_and_writes.bin"), 2);
    assert!(
        found
            .iter()
            .any(|record| record["request"]["function_raw"] == 16)
    );
}

#[test]
fn pieces_and_mutations() {
    for name in ["reads_and_writes", "flawed"] {
        endures(Proto::Tcp, &corpus(&format!("modbus/{name}.bin")));
    }
}
