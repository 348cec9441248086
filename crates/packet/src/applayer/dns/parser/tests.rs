//! Messages, sound and damaged.

use super::super::{RData, RECORDS_MAX};
use super::*;

#[test]
fn multicast_answers_without_a_question_and_many_questions_are_known() {
    let record = b"\x01a\x05local\x00\x00\x01\x80\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";
    let head = |flags: u8, questions: u8, answers: u8| {
        vec![0, 0, flags, 0, 0, questions, 0, answers, 0, 0, 0, 0]
    };
    let udp = |data: &[u8]| probe(Proto::Udp, Direction::ToServer, data);
    let answer = [head(0x84, 0, 1), record.to_vec()].concat();
    assert_eq!(udp(&answer), Probe::Certain);
    assert_eq!(udp(&answer[..answer.len() - 1]), Probe::No, "cut");
    assert_eq!(udp(&[head(0, 0, 1), record.to_vec()].concat()), Probe::No);
    assert_eq!(udp(&head(0x84, 0, 0)), Probe::No, "nothing in it");
    let question = b"\x01a\x05local\x00\x00\x0c\x00\x01";
    let many = [head(0, 17, 0), question.repeat(17)].concat();
    assert_eq!(udp(&many), Probe::Certain);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn records_of_many_types() {
    let name = b"\xc0\x0c";
    let records = [
        record(name, 2, b"\x02ns\xc0\x0c"),
        record(
            name,
            6,
            b"\x01m\xc0\x0c\x01r\xc0\x0c\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ),
        record(name, 12, b"\x03ptr\x00"),
        record(name, 15, b"\0\x0a\x02mx\xc0\x0c"),
        record(name, 16, b"\x02ab\x01c"),
        record(
            name,
            28,
            &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ),
        record(name, 33, b"\0\x01\0\x02\x01\xbb\x03srv\xc0\x0c"),
        record(name, 1, b"short"),
        record(name, 99, b"\x01\x02"),
    ];
    let sent = message(0x8180, b"\x01e\x00\x00\x01\x00\x01", &records);
    let parsed = Message::parse(&sent, 5).unwrap();
    assert!(!parsed.truncated);
    assert_eq!(
        (parsed.kind, parsed.rcode(), parsed.opcode()),
        (Kind::Answer, 0, 0)
    );
    let text: Vec<String> = parsed
        .answers
        .iter()
        .map(|record| match &record.data {
            RData::A(address) => format!("A {address}"),
            RData::Aaaa(address) => format!("AAAA {address}"),
            RData::Cname(name) => format!("CNAME {}", name.text()),
            RData::Mx {
                preference,
                exchange,
            } => format!("MX {preference} {}", exchange.text()),
            RData::Ns(name) => format!("NS {}", name.text()),
            RData::Ptr(name) => format!("PTR {}", name.text()),
            RData::Soa {
                mname,
                rname,
                serial,
                ..
            } => {
                format!("SOA {} {} {serial}", mname.text(), rname.text())
            }
            RData::Srv {
                priority,
                weight,
                port,
                target,
            } => {
                format!("SRV {priority} {weight} {port} {}", target.text())
            }
            RData::Txt(texts) => format!("TXT {}", String::from_utf8_lossy(&texts.concat())),
            RData::Other(bytes) => format!("{} {bytes:?}", record.rtype),
        })
        .collect();
    assert_eq!(
        text,
        [
            "NS ns.e",
            "SOA m.e r.e 7",
            "PTR ptr",
            "MX 10 mx.e",
            "TXT abc",
            "AAAA 2001:db8::1",
            "SRV 1 2 443 srv.e",
            "1 [115, 104, 111, 114, 116]",
            "99 [1, 2]",
        ]
    );
    assert_eq!(parsed.query().unwrap().offset, 12);
}

#[test]
fn damage_keeps_what_came_before() {
    let records = [
        record(b"\xc0\x0c", 1, &[192, 0, 2, 1]),
        record(b"\xc0\x0c", 1, &[192, 0, 2, 2]),
    ];
    let sent = message(0x8180, b"\x01e\x00\x00\x01\x00\x01", &records);
    let parsed = Message::parse(&sent[..sent.len() - 1], 0).unwrap();
    assert!(parsed.truncated);
    assert_eq!(parsed.answers.len(), 1);
    assert!(Message::parse(&sent[..11], 0).is_none());
}

#[test]
fn records_are_bounded() {
    let records = vec![record(b"\x00", 1, &[192, 0, 2, 1]); RECORDS_MAX + 1];
    let sent = message(0x8180, b"\x01e\x00\x00\x01\x00\x01", &records);
    let parsed = Message::parse(&sent, 0).unwrap();
    assert_eq!(
        (parsed.answers.len(), parsed.truncated),
        (RECORDS_MAX, true)
    );
}

#[test]
fn what_is_taken_for_dns() {
    let query = message(0x0100, b"\x01e\x00\x00\x01\x00\x01", &[]);
    let framed = [&[0, u8::try_from(query.len()).unwrap()][..], &query].concat();
    let way = Direction::ToServer;
    assert_eq!(probe(Proto::Udp, way, &query), Probe::Certain);
    assert_eq!(probe(Proto::Udp, way, &query[..15]), Probe::No);
    assert_eq!(probe(Proto::Udp, way, b"GET / HTTP/1.1\r\n\r\n"), Probe::No);
    assert_eq!(probe(Proto::Tcp, way, &framed), Probe::Certain);
    assert_eq!(probe(Proto::Tcp, way, &framed[..10]), Probe::Unsure);
    assert_eq!(
        probe(Proto::Tcp, way, &query),
        Probe::No,
        "without its length"
    );
    assert_eq!(
        probe(Proto::Tcp, way, b"SSH-2.0-OpenSSH_9.2\r\n"),
        Probe::No
    );
}

fn message(flags: u16, question: &[u8], answers: &[Vec<u8>]) -> Vec<u8> {
    let counts = [
        0x1234,
        flags,
        1,
        u16::try_from(answers.len()).unwrap(),
        0,
        0,
    ];
    let head: Vec<u8> = counts
        .iter()
        .flat_map(|count| count.to_be_bytes())
        .collect();
    [&head, question, &answers.concat()].concat()
}

fn record(name: &[u8], rtype: u16, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len()).unwrap();
    let fields = [
        &rtype.to_be_bytes()[..],
        &[0, 1, 0, 0, 0, 60],
        &len.to_be_bytes(),
    ]
    .concat();
    [name, &fields, data].concat()
}
