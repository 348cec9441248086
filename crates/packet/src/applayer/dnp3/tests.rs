//! Fragments, their objects, and damage on the link.

use serde_json::{Value, json};

use super::Options;
use super::object::{End, objects};
use crate::applayer::testing::{anomalies, corpus, endures, records};
use crate::applayer::{Probe, Protocol};
use crate::flow::{Direction, Proto};

#[test]
fn objects_with_points_of_many_kinds() {
    let found = records(Proto::Tcp, "", &corpus("dnp3/classes.bin"));
    assert_eq!(anomalies(&found), ["UNKNOWN_OBJECT"]);
    let request = &found[0];
    assert_eq!(request["type"], "request");
    assert_eq!(request["application"]["objects"][3]["group"], 60);
    assert_eq!(request["application"]["complete"], true);
    let response = &found[2];
    let objects = &response["application"]["objects"];
    let states = |object: &Value| -> Vec<u64> {
        let points = object["points"].as_array().unwrap().iter();
        points
            .map(|point| point["state"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(states(&objects[0]), [1, 0]);
    assert_eq!(states(&objects[1]), [1, 0, 1, 0, 0, 1, 0, 1, 0, 1]);
    assert_eq!(states(&objects[2]), [0, 1, 2, 3, 1]);
    let counter = json!([{"prefix": 9, "index": 9, "count": 0x1234}]);
    assert_eq!(objects[3]["points"], counter);
    // negative numbers stand as two's complement of 64 bits
    assert_eq!(objects[4]["points"][0]["value"], u64::MAX);
    assert_eq!(objects[5]["points"][0]["value"], 1.5);
    assert_eq!(objects[6]["points"][0]["timestamp"], 1_700_000_000_000_u64);
    assert_eq!(response["application"]["complete"], false);
    let iin = json!({"indicators": ["device_restart", "need_time", "object_unknown"]});
    assert_eq!(found[3]["iin"], iin);
    assert_eq!(found[3]["type"], "unsolicited_response");
    assert_eq!(found.len(), 4, "confirmations have no record");
}

#[test]
fn controls_and_files() {
    let found = records(Proto::Tcp, "", &corpus("dnp3/control_and_file.bin"));
    let operate = json!([{"prefix": 3, "index": 3, "op_type": 1, "qu": 0, "cr": 0, "tcc": 1,
        "count": 1, "ontime": 100, "offtime": 200, "status_code": 0, "reserved": 0}]);
    assert_eq!(found[0]["application"]["objects"][0]["points"], operate);
    let open = &found[2]["application"]["objects"][0]["points"][0];
    assert_eq!(
        (&open["size"], &open["filename"]),
        (&json!(31), &json!("a.xml"))
    );
    let status = &found[3]["application"]["objects"][0]["points"][0];
    assert_eq!(status["optional_text"], "");
}

#[test]
fn segments_become_one_fragment() {
    let messages = corpus("dnp3/segments.bin");
    let found = records(Proto::Tcp, "", &messages);
    let object = &found[1]["application"]["objects"][0];
    assert_eq!(object["points"].as_array().unwrap().len(), 300);
    let mut lost = messages;
    lost.remove(2);
    assert_eq!(
        records(Proto::Tcp, "", &lost).len(),
        1,
        "a segment is missing"
    );
}

#[test]
fn damage_is_told_and_passed_by() {
    let found = records(Proto::Tcp, "", &corpus("dnp3/damaged.bin"));
    let expected = ["BAD_LINK_CRC", "BAD_TRANSPORT_CRC", "LEN_TOO_SMALL"];
    assert_eq!(anomalies(&found), expected);
    assert_eq!(found.len(), 7);
}

#[test]
fn bounds_of_the_settings() {
    let settings = "app-layer: {protocols: {dnp3: {max-points: 9, max-objects: 3}}}";
    let found = records(Proto::Tcp, settings, &corpus("dnp3/classes.bin"));
    assert_eq!(anomalies(&found), ["TOO_MANY_OBJECTS", "TOO_MANY_POINTS"]);
}

#[test]
fn points_of_no_octets_are_not_counted_up() {
    let (found, end) = objects(&[120, 9, 7, 200], Options::default());
    assert_eq!((found.len(), end), (1, End::Unknown));
    let (found, end) = objects(&[120, 9, 0x17, 2, 0, 1, 9], Options::default());
    assert_eq!((found[0].count, end), (2, End::Complete), "a prefix is one");
}

#[test]
fn first_bytes() {
    let Protocol { probe, .. } = super::PROTOCOL;
    let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToClient, data);
    let frame = &corpus("dnp3/classes.bin")[0].1;
    assert_eq!(probe(frame), Probe::Certain);
    assert_eq!(probe(&frame[..9]), Probe::Unsure);
    let mut wrong = frame.clone();
    wrong[6] ^= 1;
    assert_eq!(probe(&wrong), Probe::No);
}

#[test]
fn pieces_and_mutations() {
    for name in ["classes", "control_and_file", "damaged"] {
        endures(Proto::Tcp, &corpus(&format!("dnp3/{name}.bin")));
    }
}
