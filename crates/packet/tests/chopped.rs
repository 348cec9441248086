//! However a stream is cut, doubled and reordered, the transactions are the same, or a gap is
//! declared.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

#[path = "common/wire.rs"]
mod wire;

use packet::json::Object;
use packet::settings::Setting;
use packet::{Config, Event, Sensor, Transaction};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use wire::{Wire, feed};

proptest! {
    #[test]
    fn transactions_do_not_depend_on_the_cut(
        talk in 0_usize..3,
        cuts in vec((any::<Index>(), any::<Index>()), 0..40),
        order in vec(any::<Index>(), 0..40),
        twice in vec(any::<Index>(), 0..10),
    ) {
        let [client, server] = talks()[talk].clone();
        let lens = [client.len(), server.len()];
        let expected = run(&[vec![(0, client.clone())], vec![(0, server.clone())]], lens);
        prop_assert_eq!(expected.transactions.len(), [6, 6, 1][talk]);
        let pieces = [client, server].map(|stream| chop(&stream, &cuts, &order, &twice));
        let found = run(&pieces, lens);
        prop_assert_eq!(found.anomalies, Vec::<&str>::new());
        prop_assert_eq!(found.transactions, expected.transactions);
    }

    #[test]
    fn a_lost_piece_is_declared(
        talk in 0_usize..3,
        cuts in vec((any::<Index>(), any::<Index>()), 2..10),
        lost in any::<Index>(),
    ) {
        let [client, server] = talks()[talk].clone();
        let lens = [client.len(), server.len()];
        let expected = run(&[vec![(0, client.clone())], vec![(0, server.clone())]], lens);
        let mut pieces = [client, server].map(|stream| cut(&stream, &cuts));
        let lost = lost.index(pieces[0].len());
        pieces[0].remove(lost);
        let found = run(&pieces, lens);
        let declared = found.anomalies.iter().any(|name| {
            ["stream.reassembly_seq_gap", "stream.pkt_invalid_ack"].contains(name)
        });
        let same = found.transactions == expected.transactions;
        prop_assert!(declared || same, "{:?}", found.transactions);
    }
}

/// What a client and its server say.
fn talks() -> [[Vec<u8>; 2]; 3] {
    let requests = b"POST /a HTTP/1.1\r\nHost: one.example\r\n\
        Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\
        \r\nGET /b HTTP/1.0\nHost: two.example\n\nPUT /c HTTP/1.1\r\nContent-Length: 3\r\nHost: h\r\n\r\nxyz";
    let responses =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody\
        HTTP/1.1 301 Moved\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: t\r\n\r\n\
        HTTP/1.1 500 Oops\r\n\r\nuntil the end";
    let query =
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x00\x00\x10\x00\x01";
    let answer =
        b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03www\x07example\x00\x00\x10\x00\x01\
        \xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x03\x02hi";
    let framed = |data: &[u8]| [&u16::try_from(data.len()).unwrap().to_be_bytes(), data].concat();
    let server_hello = b"\x16\x03\x03\x00\x04\x02\x00\x00\x00".to_vec();
    [
        [requests.to_vec(), responses.to_vec()],
        [framed(query).repeat(3), framed(answer).repeat(3)],
        [hello_in_records(&[1, 3, 40, 7]), server_hello],
    ]
}

/// A ClientHello in records of the given sizes and one for the rest.
fn hello_in_records(sizes: &[usize]) -> Vec<u8> {
    let name = b"\x00\x00\x00\x14\x00\x12\x00\x00\x0fwww.example.com";
    let alpn = b"\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1";
    let extensions = [&name[..], alpn].concat();
    let extensions_len = u16::try_from(extensions.len()).unwrap().to_be_bytes();
    let body = [
        &b"\x03\x03"[..],
        &[7; 32],
        b"\x00\x00\x04\x13\x01\x13\x02\x01\x00",
        &extensions_len,
        &extensions,
    ]
    .concat();
    let body_len = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1], &body_len[1..], &body].concat();
    let (mut records, mut at) = (Vec::new(), 0);
    for size in sizes.iter().copied().chain([message.len()]) {
        let part = &message[at..(at + size).min(message.len())];
        records.extend([22, 3, 1]);
        records.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
        records.extend(part);
        at += part.len();
    }
    records
}

type Cuts = [(Index, Index)];

/// Pieces of a stream with their places.
type Pieces = Vec<(u32, Vec<u8>)>;

/// Cuts a stream into pieces that overlap here and there.
fn cut(stream: &[u8], cuts: &Cuts) -> Pieces {
    let mut ends: Vec<(usize, usize)> = cuts
        .iter()
        .map(|(at, back)| (at.index(stream.len()), back.index(8)))
        .collect();
    ends.push((stream.len(), 0));
    ends.sort_unstable();
    let (mut pieces, mut start) = (Vec::new(), 0_usize);
    for (end, back) in ends {
        if end > start {
            pieces.push((u32::try_from(start).unwrap(), stream[start..end].to_vec()));
            start = end.saturating_sub(back);
        }
    }
    pieces
}

fn chop(stream: &[u8], cuts: &Cuts, order: &[Index], twice: &[Index]) -> Pieces {
    let mut pieces = cut(stream, cuts);
    for at in twice {
        pieces.push(pieces[at.index(pieces.len())].clone());
    }
    for (at, other) in order.iter().enumerate() {
        let len = pieces.len();
        pieces.swap(at % len, other.index(len));
    }
    pieces
}

struct Found {
    transactions: Vec<String>,
    anomalies: Vec<&'static str>,
}

/// Lets the client say its pieces, then the server its, then both close.
fn run(pieces: &[Pieces; 2], lens: [usize; 2]) -> Found {
    let mut wire = Wire::new();
    let mut frames = wire.handshake();
    for (from_client, pieces, len) in [(true, &pieces[0], lens[0]), (false, &pieces[1], lens[1])] {
        for (at, data) in pieces {
            frames.push(wire.data_at(from_client, *at, data));
        }
        let seq = if from_client {
            &mut wire.client_seq
        } else {
            &mut wire.server_seq
        };
        *seq = seq.wrapping_add(u32::try_from(len).unwrap());
    }
    frames.push(wire.data(true, b""));
    frames.push(wire.fin(true));
    frames.push(wire.fin(false));
    let mut found = Found {
        transactions: Vec::new(),
        anomalies: Vec::new(),
    };
    let mut note = |event: Event<'_>| match event {
        Event::Transaction(_, transaction) => found.transactions.push(describe(transaction)),
        // what comes twice is told, and no harm
        Event::Anomaly(_, anomaly) if anomaly.name().ends_with("retransmission") => {}
        Event::Anomaly(_, anomaly) => found.anomalies.push(anomaly.name()),
        _ => {}
    };
    let mut sensor = Sensor::new(Config::default());
    feed(&mut sensor, &mut 0, &frames, &mut note);
    sensor.finish(&mut note);
    found
}

/// All of a transaction but its times: the record that is written of it.
fn describe(transaction: &dyn Transaction) -> String {
    let mut record = String::new();
    Object::write(&mut record, |object| {
        transaction.log(object, Setting::NOTHING)
    });
    record
}
