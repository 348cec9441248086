//! Sessions from their start to their end.

use serde_json::json;

use crate::applayer::testing::{anomalies, corpus, endures, records, records_without};
use crate::applayer::{Probe, Protocol};
use crate::flow::{Direction, Proto};

const WITH_PASSWORDS: &str = "outputs:\n  - eve-log:\n      enabled: yes\n      types:\n        \
    - pgsql: {passwords: yes}\n";

#[test]
fn a_session_with_a_password() {
    let messages = corpus("pgsql/md5.bin");
    let found = records(Proto::Tcp, "", &messages);
    assert_eq!(
        found[0],
        json!({"tx_id": 1, "request": {"message": "SSL Request"},
            "response": {"ssl_accepted": false}})
    );
    let start = &found[1]["request"]["startup_parameters"];
    assert_eq!(
        start,
        &json!({"user": "joe",
            "optional_parameters": [{"database": "db"}, {"application_name": "psql"}]})
    );
    assert_eq!(found[2]["request"], json!({"password_redacted": true}));
    assert_eq!(
        found[2]["response"]["parameter_status"][1],
        json!({"time_zone": "UTC"})
    );
    assert_eq!(
        found[3]["response"],
        json!({"field_count": 2, "data_rows": 2, "data_size": 6, "command_completed": "SELECT 2"})
    );
    assert_eq!(found[4]["request"]["message"], "termination_message");
    let found = records(Proto::Tcp, WITH_PASSWORDS, &messages);
    assert_eq!(found[2]["request"], json!({"password": "md5hash"}));
}

#[test]
fn scram_and_an_error() {
    let found = records(Proto::Tcp, "", &corpus("pgsql/scram_and_error.bin"));
    assert_eq!(
        found[1]["request"]["sasl_authentication_mechanism"],
        "scram_SHA256"
    );
    assert_eq!(found[2]["response"]["authentication_sasl_final"], "v=ver");
    let error = &found[3]["response"];
    assert_eq!(
        (&error["code"], &error["routine"]),
        (&json!("42P01"), &json!("rout"))
    );
}

#[test]
fn copies_are_counted() {
    let found = records(Proto::Tcp, "", &corpus("pgsql/copy.bin"));
    let copied = json!({"msg_count": 2, "data_size": 8});
    assert_eq!(found[2]["request"]["copy_data_in"], copied);
    assert_eq!(found[2]["response"]["data_rows"], 2);
    assert_eq!(found[4]["request"]["copy_fail"], "failed\0");
    let out = &found.last().unwrap()["response"];
    assert_eq!(
        out["copy_data_out"],
        json!({"row_count": 2, "data_size": 8})
    );
}

#[test]
fn extended_queries_have_no_record_and_disturb_none() {
    let found = records(Proto::Tcp, "", &corpus("pgsql/extended.bin"));
    assert_eq!(found.len(), 2);
    assert_eq!(found[1]["request"]["simple_query"], "after");
    assert_eq!(found[1]["response"]["command_completed"], "AFTER");
}

#[test]
fn a_length_that_makes_no_sense_ends_the_direction() {
    let mut messages = corpus("pgsql/md5.bin");
    messages.insert(6, (Direction::ToServer, b"Q\0\0\0\x02".to_vec()));
    let found = records(Proto::Tcp, "", &messages);
    assert_eq!(anomalies(&found), ["invalid_length"]);
}

#[test]
fn first_bytes() {
    let Protocol { probe, .. } = super::PROTOCOL;
    let client = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
    assert_eq!(client(&corpus("pgsql/md5.bin")[0].1), Probe::Certain);
    assert_eq!(client(&corpus("pgsql/cancel.bin")[0].1), Probe::Certain);
    assert_eq!(client(b"\0\0\0\x17\0\x03\0\0user"), Probe::Certain);
    assert_eq!(client(b"\0\0\0"), Probe::Unsure);
    assert_eq!(client(b"\0\0\0\x17\xfeSMB"), Probe::No);
    assert_eq!(
        client(b"Q\0\0\0\x0dselect 1\0"),
        Probe::Certain,
        "midstream"
    );
    let server = |data: &[u8]| probe(Proto::Tcp, Direction::ToClient, data);
    assert_eq!(server(b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T"), Probe::Certain);
    assert_eq!(server(b"HTTP/1.1 200"), Probe::No);
}

#[test]
fn messages_behind_a_gap_are_found_again() {
    let found = records_without(&corpus("pgsql/md5.bin"), 4);
    assert!(
        found
            .iter()
            .any(|record| record["request"]["simple_query"] == "select 1")
    );
}

#[test]
fn pieces_and_mutations() {
    for name in ["md5", "scram_and_error", "copy", "extended", "cancel"] {
        endures(Proto::Tcp, &corpus(&format!("pgsql/{name}.bin")));
    }
}

#[test]
fn a_text_without_an_end_is_the_last() {
    let fields = super::message::error(b"Sone\0Mtwo and three");
    assert_eq!(
        fields,
        [(b'S', b"one".to_vec()), (b'M', b"two and three".to_vec())]
    );
}
