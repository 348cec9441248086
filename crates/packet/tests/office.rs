//! Conversations of file, directory and management protocols: what their records say, however the
//! streams are cut, and that damage stops nothing.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

#[path = "common/wire.rs"]
mod wire;

use etherparse::PacketBuilder;
use packet::json::Object;
use packet::settings::Setting;
use packet::{Config, Event, Sensor};
use proptest::prelude::*;
use serde_json::{Value, json};
use wire::{CLIENT, SERVER, Wire, feed};

/// Conversations, and how many transactions and files each holds.
const TALKS: [(&str, usize, usize); 15] = [
    ("smb/smb2_file", 6, 1),
    ("smb/smb2_pipe", 4, 0),
    ("smb/smb2_rename", 5, 1),
    ("smb/smb1", 6, 1),
    ("dcerpc/tcp", 2, 0),
    ("dcerpc/udp", 1, 0),
    ("nfs/v3_tcp", 3, 1),
    ("nfs/v4_tcp", 2, 1),
    ("nfs/v2_udp", 2, 1),
    ("krb5/tcp", 4, 0),
    ("krb5/udp", 2, 0),
    ("ldap/tcp", 4, 0),
    ("ldap/udp", 1, 0),
    ("snmp/udp", 3, 0),
    ("snmp/v3_udp", 2, 0),
];

#[test]
fn each_conversation_has_its_transactions() {
    for (name, transactions, files) in TALKS {
        let found = replay(name, &talk(name));
        let app = name.split('/').next().unwrap();
        assert_eq!(found.apps, [app], "{name}");
        assert_eq!(
            found.records.len(),
            transactions,
            "{name}: {:#?}",
            found.records
        );
        assert_eq!(found.files.len(), files, "{name}: {:?}", found.files);
    }
}

#[test]
fn byte_by_byte_is_the_same() {
    for (name, ..) in TALKS.iter().filter(|(name, ..)| !name.ends_with("udp")) {
        let whole = talk(name);
        let bytes = whole
            .iter()
            .flat_map(|(from_client, data)| data.iter().map(|byte| (*from_client, vec![*byte])));
        let bytes: Vec<_> = bytes.collect();
        let (found, expected) = (replay(name, &bytes), replay(name, &whole));
        assert_eq!(found.records, expected.records, "{name}");
        assert_eq!(found.files, expected.files, "{name}");
    }
}

#[test]
fn records_of_smb() {
    let found = replay("smb/smb2_file", &talk("smb/smb2_file"));
    assert_eq!(found.files, ["notes.txt 11 CLOSED"]);
    let setup = record(&found, "SMB2_COMMAND_SESSION_SETUP");
    assert_eq!(
        setup["ntlmssp"],
        json!({"domain": "LAB", "user": "alice", "host": "DESK", "version": "10.0 build 19041 rev 15"})
    );
    let tree = record(&found, "SMB2_COMMAND_TREE_CONNECT");
    assert_eq!(
        (&tree["share"], &tree["share_type"]),
        (&json!(r"\\lab\data"), &json!("FILE"))
    );
    let created = record(&found, "SMB2_COMMAND_CREATE");
    assert_eq!(created["disposition"], "FILE_OVERWRITE_IF");
    assert_eq!(created["created"], 1_555_526_400);
    assert_eq!(created["fuid"], "03020100-0504-0706-0908-0b0a0f0e0d0c");

    let found = replay("smb/smb2_pipe", &talk("smb/smb2_pipe"));
    let bind = record(&found, "SMB2_COMMAND_WRITE")["dcerpc"].clone();
    assert_eq!(
        (&bind["request"], &bind["response"]),
        (&json!("BIND"), &json!("BINDACK"))
    );
    assert_eq!(bind["interfaces"][0]["ack_result"], 0);
    let call = record(&found, "SMB2_COMMAND_IOCTL")["dcerpc"].clone();
    assert_eq!(
        (&call["opnum"], &call["res"]["stub_data_size"]),
        (&json!(5), &json!(20))
    );

    let found = replay("smb/smb2_rename", &talk("smb/smb2_rename"));
    assert_eq!(found.files, ["a.txt 11 CLOSED"]);
    let renamed = found
        .records
        .iter()
        .find(|found| found["smb"].get("rename").is_some());
    assert_eq!(
        renamed.unwrap()["smb"]["rename"],
        json!({"from": "a.txt", "to": "b.txt"})
    );
    assert_eq!(
        record(&found, "SMB2_COMMAND_CHANGE_NOTIFY")["status"],
        "STATUS_PENDING"
    );

    let found = replay("smb/smb1", &talk("smb/smb1"));
    assert_eq!(found.files, ["\\f.txt 5 CLOSED"]);
    let negotiated = record(&found, "SMB1_COMMAND_NEGOTIATE_PROTOCOL");
    assert_eq!(negotiated["dialect"], "NT LM 0.12");
    assert_eq!(
        negotiated["client_dialects"],
        json!(["LANMAN2.1", "NT LM 0.12"])
    );
    let tree = record(&found, "SMB1_COMMAND_TREE_CONNECT_ANDX");
    assert_eq!(
        tree["service"],
        json!({"request": "?????", "response": "A:"})
    );
    let deleted = record(&found, "SMB1_COMMAND_TRANS2");
    assert_eq!(deleted["access"], "delete on close");
}

#[test]
fn records_of_the_others() {
    let found = replay("nfs/v3_tcp", &talk("nfs/v3_tcp"));
    assert_eq!(found.files, ["new.txt 10 CLOSED"]);
    let written = found
        .records
        .iter()
        .find(|found| found["nfs"]["procedure"] == "WRITE");
    let written = &written.unwrap()["nfs"];
    assert_eq!(
        written["write"],
        json!({"first": true, "last": true, "last_xid": 4, "chunks": 2})
    );
    assert_eq!(
        (&written["filename"], &written["hhash"]),
        (&json!("new.txt"), &json!("1bce17d7"))
    );

    let found = replay("krb5/tcp", &talk("krb5/tcp"));
    assert_eq!(found.records[1]["krb5"]["failed_request"], "KRB_AS_REQ");
    assert_eq!(
        found.records[1]["krb5"]["error_code"],
        "KDC_ERR_PREAUTH_REQUIRED"
    );
    assert_eq!(found.records[3]["krb5"]["weak_encryption"], true);
    assert_eq!(found.anomalies, ["weak_encryption"]);

    let found = replay("ldap/tcp", &talk("ldap/tcp"));
    let search = &found.records[1]["ldap"];
    assert_eq!(search["request"]["search_request"]["scope"], 2);
    assert_eq!(
        search["responses"][0]["search_result_entry"]["attributes"][0]["type"],
        "o"
    );
    assert_eq!(
        search["responses"][1]["search_result_done"]["result_code"],
        "success"
    );

    let found = replay("snmp/udp", &talk("snmp/udp"));
    assert_eq!(found.records[1]["snmp"]["error"], "NoSuchName");
    assert_eq!(found.records[2]["snmp"]["trap_address"], "10.1.2.3");
    assert_eq!(found.anomalies, ["version_mismatch"]);

    let found = replay("dcerpc/udp", &talk("dcerpc/udp"));
    let call = &found.records[0]["dcerpc"];
    assert_eq!(call["req"]["frag_cnt"], 2);
    assert_eq!(call["rpc_version"], "4.0");
}

#[test]
fn what_is_lost_hides_no_more_than_itself() {
    let mut lost = talk("smb/smb2_file");
    // the client's create: what is written afterwards has no name
    lost[6].1.clear();
    let found = replay("smb/smb2_file", &lost);
    assert_eq!(found.files, [" 11 CLOSED"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn damage_stops_nothing(
        which in 0_usize..15,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let name = TALKS[which].0;
        let mut chunks = talk(name);
        for (chunk, at, byte) in damage {
            let chunk = chunk.index(chunks.len());
            let data = &mut chunks[chunk].1;
            let at = at.index(data.len());
            data[at] = byte;
        }
        let last = cut.index(chunks.len());
        let half = chunks[last].1.len() / 2;
        chunks[last].1.truncate(half);
        let found = replay(name, &chunks);
        prop_assert!(found.records.len() < 64);
    }
}

/// What a conversation came to.
#[derive(Debug, Default)]
struct Found {
    apps: Vec<&'static str>,
    records: Vec<Value>,
    files: Vec<String>,
    anomalies: Vec<&'static str>,
}

/// Chunks of a conversation: whether from the client, and the bytes.
type Talk = Vec<(bool, Vec<u8>)>;

fn talk(name: &str) -> Talk {
    let path = format!("{}/fuzz/corpus/{name}.bin", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let (mut rest, mut chunks) = (&bytes[..], Vec::new());
    while let [direction, high, low, behind @ ..] = rest {
        let (data, behind) = behind.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        chunks.push((*direction == 0, data.to_vec()));
        rest = behind;
    }
    chunks
}

fn replay(name: &str, chunks: &Talk) -> Found {
    let frames = if name.ends_with("udp") {
        let datagrams = chunks.iter();
        datagrams
            .map(|(from_client, data)| datagram(*from_client, data))
            .collect()
    } else {
        let mut wire = Wire::new();
        let mut frames = wire.handshake();
        let segments = chunks.iter().filter(|(_, data)| !data.is_empty());
        frames.extend(segments.map(|(from_client, data)| wire.data(*from_client, data)));
        frames.extend([wire.fin(true), wire.fin(false)]);
        frames
    };
    let (mut found, mut now_ns) = (Found::default(), 0);
    let mut each = |event: Event<'_>| match event {
        Event::Transaction(flow, transaction) => {
            let mut record = String::new();
            Object::write(&mut record, |record| {
                transaction.log(record, Setting::NOTHING)
            });
            if !found.apps.contains(&flow.app.name()) {
                found.apps.push(flow.app.name());
            }
            found.records.push(serde_json::from_str(&record).unwrap());
        }
        Event::File(_, _, file) => found.files.push(format!(
            "{} {} {}",
            String::from_utf8_lossy(&file.name),
            file.size,
            file.state.name()
        )),
        Event::Anomaly(_, anomaly) => found.anomalies.push(anomaly.name()),
        _ => {}
    };
    let mut sensor = Sensor::new(Config::default());
    feed(&mut sensor, &mut now_ns, &frames, &mut each);
    sensor.finish(&mut each);
    found
}

fn datagram(from_client: bool, data: &[u8]) -> Vec<u8> {
    let (src, dst) = if from_client {
        (CLIENT, SERVER)
    } else {
        (SERVER, CLIENT)
    };
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(src.0, dst.0, 64)
        .udp(src.1, dst.1);
    let mut frame = Vec::with_capacity(builder.size(data.len()));
    builder.write(&mut frame, data).unwrap();
    frame
}

fn record<'a>(found: &'a Found, command: &str) -> &'a Value {
    let mut records = found.records.iter().map(|record| &record["smb"]);
    records.find(|record| record["command"] == command).unwrap()
}
