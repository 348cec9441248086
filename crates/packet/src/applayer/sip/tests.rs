//! Requests and responses over both transports.

use serde_json::json;

use crate::applayer::testing::{anomalies, corpus, endures, records, records_without};
use crate::applayer::{Probe, Protocol};
use crate::flow::{Direction, Proto};

#[test]
fn an_invitation_with_its_session() {
    for proto in [Proto::Udp, Proto::Tcp] {
        let found = records(proto, "", &corpus("sip/invite.bin"));
        let invite = &found[0];
        assert_eq!(invite["method"], "INVITE");
        assert_eq!(invite["request_line"], "INVITE sip:a@b SIP/2.0");
        let sdp = &invite["sdp"];
        assert_eq!(sdp["origin"], "u 1 2 IN IP4 1.2.3.4");
        let times = json!([{"time": "0 0", "repeat_time": "7d 1h 0 25h"}, {"time": "1 2"}]);
        assert_eq!(sdp["time_descriptions"], times);
        assert_eq!(sdp["attributes"], json!(["sendrecv", "foo:bar"]));
        let media = json!({"media": "audio 1 RTP/AVP 0", "media_info": "mi",
            "bandwidths": ["AS:1"], "connection_data": "IN IP4 2.2.2.2",
            "encryption_key": "prompt", "attributes": ["rtpmap:0 PCMU"]});
        assert_eq!(sdp["media_descriptions"][0], media);
        assert_eq!(
            found[1],
            json!({"version": "SIP/2.0", "code": "486", "reason": "Busy Here",
                "response_line": "SIP/2.0 486 Busy Here"})
        );
    }
}

#[test]
fn lengths_and_short_names_of_headers() {
    for proto in [Proto::Udp, Proto::Tcp] {
        let found = records(proto, "", &corpus("sip/register.bin"));
        assert_eq!(found.len(), 4);
        assert_eq!(found[3]["code"], "200");
    }
}

#[test]
fn what_is_no_message_is_told() {
    let mut messages = corpus("sip/register.bin");
    messages.insert(
        1,
        (Direction::ToServer, b"this is no request\r\n\r\n".to_vec()),
    );
    let found = records(Proto::Udp, "", &messages);
    assert_eq!(anomalies(&found), ["invalid_data"]);
    assert_eq!(found.len(), 5);
}

#[test]
fn first_bytes() {
    let Protocol { probe, .. } = super::PROTOCOL;
    let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
    assert_eq!(probe(b"OPTIONS sip:a SIP/2.0\r\n"), Probe::Certain);
    assert_eq!(probe(b"OPTIONS sip:a"), Probe::Unsure);
    assert_eq!(probe(b"OPTIONS / HTTP/1.1\r\n"), Probe::No);
    assert_eq!(probe(b"SIP/2.0 200 OK\r\n"), Probe::Certain);
    assert_eq!(probe(b"SSH-2.0-x\r\n"), Probe::No);
}

#[test]
fn messages_behind_a_gap_are_found_again() {
    let found = records_without(&corpus("sip/register.bin"), 0);
    assert!(found.iter().any(|record| record["method"] == "REGISTER"));
}

#[test]
fn pieces_and_mutations() {
    for name in ["invite", "register"] {
        let messages = corpus(&format!("sip/{name}.bin"));
        endures(Proto::Udp, &messages);
        endures(Proto::Tcp, &messages);
    }
}
