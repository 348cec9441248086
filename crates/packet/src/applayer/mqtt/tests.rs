//! Conversations of each version, and what is wrong with some.

use serde_json::json;

use crate::applayer::testing::{anomalies, corpus, endures, records, records_without};
use crate::applayer::{Probe, Protocol};
use crate::flow::{Direction, Proto};

#[test]
fn what_belongs_together_is_one_record() {
    let found = records(Proto::Tcp, "", &corpus("mqtt/version_311.bin"));
    let connect = &found[0]["connect"];
    assert_eq!(connect["protocol_version"], 4);
    assert_eq!(
        connect["will"],
        json!({"topic": "last/words", "message": "gone"})
    );
    assert_eq!(
        (&connect["username"], &connect["password"]),
        (&json!("plant"), &json!("secret"))
    );
    assert_eq!(found[0]["connack"]["return_code"], 0);
    assert_eq!(found[1]["suback"]["qos_granted"], json!([1, 2]));
    let ack = json!({"qos": 0, "retain": false, "dup": false, "message_id": 2});
    let mut release = ack.clone();
    release["qos"] = json!(1);
    assert_eq!(
        found[2],
        json!({
            "publish": {"qos": 2, "retain": false, "dup": false, "topic": "line/1/temp",
                "message_id": 2, "message": "21.5"},
            "pubrec": ack, "pubrel": release, "pubcomp": ack,
        })
    );
    assert_eq!(found.len(), 8, "{found:?}");
}

#[test]
fn version_5_has_properties() {
    let found = records(Proto::Tcp, "", &corpus("mqtt/version_5.bin"));
    let connect = &found[0]["connect"];
    assert_eq!(connect["properties"]["session_expiry_interval"], 9);
    assert_eq!(connect["properties"]["correlation_data"], "co\\xffrr");
    assert_eq!(connect["will"]["properties"]["a"], "b");
    assert_eq!(found[1]["puback"]["reason_code"], 0);
    assert_eq!(found[2]["auth"]["reason_code"], 24);
    assert_eq!(found[4]["unsuback"]["reason_codes"], json!([0, 17]));
    assert_eq!(found[5]["disconnect"]["properties"]["reason_string"], "bye");
}

#[test]
fn disorder_is_told() {
    let found = records(Proto::Tcp, "", &corpus("mqtt/disorder.bin"));
    let expected = [
        "unintroduced_message",
        "double_connect",
        "missing_connect",
        "missing_subscribe",
        "missing_unsubscribe",
        "missing_publish",
        "missing_publish",
        "missing_publish",
        "unassigned_msg_type",
    ];
    assert_eq!(anomalies(&found), expected);
}

#[test]
fn options_of_parser_and_record() {
    let settings = "app-layer: {protocols: {mqtt: {max-msg-length: 10}}}\noutputs:\n  - eve-log:\n      \
        enabled: yes\n      types:\n        - mqtt: {passwords: no, string-log-limit: 4}\n";
    let messages = corpus("mqtt/version_311.bin");
    let found = records(Proto::Tcp, settings, &messages);
    let head =
        json!({"qos": 0, "retain": false, "dup": false, "truncated": true, "skipped_length": 55});
    assert_eq!(found[0], json!({"connect": head}));
    let settings = settings.replace("10", "1000");
    let found = records(Proto::Tcp, &settings, &messages);
    assert_eq!(found[0]["connect"]["password"], json!(null));
    let client = "sens[truncated 4 additional bytes]";
    assert_eq!(found[0]["connect"]["client_id"], client);
}

#[test]
fn clients_that_never_get_an_answer_have_a_bound() {
    let connect = corpus("mqtt/version_5.bin")[0].clone();
    let settings = "app-layer: {protocols: {mqtt: {max-tx: 3}}}";
    let found = records(Proto::Tcp, settings, &vec![connect; 5]);
    let double = anomalies(&found)
        .iter()
        .filter(|name| **name == "double_connect")
        .count();
    assert_eq!((double, anomalies(&found).len()), (4, 6));
    assert_eq!(found.len(), 11);
}

#[test]
fn first_bytes() {
    let Protocol { probe, .. } = super::PROTOCOL;
    let to_server = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
    assert_eq!(to_server(b"\x10\x0e\0\x04MQTT\x04"), Probe::Certain);
    assert_eq!(to_server(b"\x10\x0e\0\x06MQIs"), Probe::Unsure);
    assert_eq!(to_server(b"\x10\x0e\0\x04HTTP"), Probe::No);
    assert_eq!(
        to_server(b"\x30\x08\0\x03a/bxyz"),
        Probe::Certain,
        "midstream"
    );
    assert_eq!(to_server(b"\xc0\0"), Probe::Unsure);
    assert_eq!(
        to_server(b"\x30\x0c\x02\x01\x01\x60\x07abcde"),
        Probe::No,
        "LDAP"
    );
}

#[test]
fn messages_behind_a_gap_are_found_again() {
    let found = records_without(&corpus("mqtt/version_311.bin"), 2);
    assert!(
        found
            .iter()
            .any(|record| record["publish"]["topic"] == "line/1/temp")
    );
}

#[test]
fn pieces_and_mutations() {
    for name in ["version_311", "version_5", "disorder"] {
        endures(Proto::Tcp, &corpus(&format!("mqtt/{name}.bin")));
    }
}
