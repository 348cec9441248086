//! Datagrams in pieces reach their flow whole, whatever the order of the pieces and whatever carries
//! them.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use etherparse::PacketBuilder;
use packet::{Config, Event, Frame, LinkType, Sensor, Way};
use proptest::prelude::*;

proptest! {
    #[test]
    fn pieces_in_any_order(
        v6 in any::<bool>(),
        payload in prop::collection::vec(any::<u8>(), 32..400),
        cuts in prop::collection::vec(1_usize..40, 1..5),
        order in any::<prop::sample::Index>(),
        tunnel in 0_u8..4,
    ) {
        let whole = datagram(v6, &payload);
        let mut pieces = cut(v6, &whole, &cuts);
        let first = order.index(pieces.len());
        pieces.rotate_left(first);
        let count = pieces.len();
        let frames = pieces.into_iter().map(|piece| wrap(tunnel, piece)).collect::<Vec<_>>();
        let (flows, reassembled) = replay(&frames);
        prop_assert_eq!(reassembled, u64::from(count > 1));
        let expected = (2000, u64::try_from(payload.len()).unwrap());
        prop_assert_eq!(flows.iter().filter(|flow| **flow == expected).count(), 1, "{:?}", flows);
    }

    #[test]
    fn hostile_pieces(
        pieces in prop::collection::vec((0_u16..6, 0_u16..20, any::<bool>(), 0_usize..60), 1..80),
    ) {
        let frames = pieces.into_iter().map(|(id, place, more, len)| {
            let mut piece = datagram(false, &vec![7; len]);
            piece[4..6].copy_from_slice(&id.to_be_bytes());
            piece[6..8].copy_from_slice(&(place | if more { 0x2000 } else { 0 }).to_be_bytes());
            piece
        });
        let frames: Vec<Vec<u8>> = frames.map(|piece| wrap(0, piece)).collect();
        replay(&frames);
    }
}

/// Destination port and payload of each flow at its end, and how many packets were put together.
fn replay(frames: &[Vec<u8>]) -> (Vec<(u16, u64)>, u64) {
    let mut sensor = Sensor::new(Config::default());
    let mut flows = Vec::new();
    let mut note = |event: Event<'_>| {
        if let Event::FlowEnd(flow, _) = event {
            flows.push((flow.tuple.dst_port, flow.to_server.payload_bytes));
        }
    };
    for (number, data) in frames.iter().enumerate() {
        let frame = Frame {
            ts_ns: u64::try_from(number).unwrap() * 1_000_000,
            link: LinkType::Ethernet,
            data,
            wire_len: u32::try_from(data.len()).unwrap(),
            way: Way::Unknown,
        };
        sensor.packet(&frame, &mut note);
    }
    sensor.finish(&mut note);
    let defrag = sensor.counters().defrag;
    assert_eq!((defrag.fragments, defrag.bytes), (0, 0));
    (flows, defrag.ipv4_reassembled + defrag.ipv6_reassembled)
}

fn datagram(v6: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    if v6 {
        let builder = PacketBuilder::ipv6([0xfd; 16], [0xfc; 16], 64).udp(40000, 2000);
        builder.write(&mut packet, payload).unwrap();
    } else {
        let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(40000, 2000);
        builder.write(&mut packet, payload).unwrap();
    }
    packet
}

/// Cuts a packet in pieces of so many units of eight bytes; the last takes the rest.
fn cut(v6: bool, whole: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let header_len = if v6 { 40 } else { 20 };
    let (header, payload) = whole.split_at(header_len);
    let (mut pieces, mut at) = (Vec::new(), 0);
    let ends = cuts.iter().scan(0, |end, cut| {
        *end += cut * 8;
        Some(*end)
    });
    for end in ends
        .filter(|end| *end < payload.len())
        .chain([payload.len()])
    {
        let more = end < payload.len();
        if at == 0 && !more {
            return vec![whole.to_vec()];
        }
        pieces.push(piece(v6, header, at, more, &payload[at..end]));
        at = end;
    }
    pieces
}

fn piece(v6: bool, header: &[u8], at: usize, more: bool, data: &[u8]) -> Vec<u8> {
    let mut header = header.to_vec();
    let at = u16::try_from(at).unwrap();
    if v6 {
        let len = u16::try_from(data.len() + 8).unwrap();
        header[4..6].copy_from_slice(&len.to_be_bytes());
        let next = std::mem::replace(&mut header[6], 44);
        let word = (at | u16::from(more)).to_be_bytes();
        header.extend([next, 0, word[0], word[1], 1, 2, 3, 4]);
    } else {
        let len = u16::try_from(data.len() + 20).unwrap();
        header[2..4].copy_from_slice(&len.to_be_bytes());
        let word = (at / 8) | if more { 0x2000 } else { 0 };
        header[6..8].copy_from_slice(&word.to_be_bytes());
    }
    header.extend(data);
    header
}

/// A packet as a frame: bare, in a VLAN, in GRE, in IPv4.
fn wrap(tunnel: u8, packet: Vec<u8>) -> Vec<u8> {
    let is_v6 = packet[0] >> 4 == 6;
    let kind: [u8; 2] = if is_v6 { [0x86, 0xdd] } else { [8, 0] };
    let outer = |protocol: u8, head: &[u8]| {
        let len = u16::try_from(20 + head.len() + packet.len()).unwrap();
        let len = len.to_be_bytes();
        let ip = [
            0x45, 0, len[0], len[1], 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ];
        [&[2; 12][..], &[8, 0], &ip, head, &packet].concat()
    };
    match tunnel {
        0 => [&[2; 12][..], &kind, &packet].concat(),
        1 => [&[2; 12][..], &[0x81, 0, 0, 7], &kind, &packet].concat(),
        2 => outer(47, &[0, 0, kind[0], kind[1]]),
        _ => outer(if is_v6 { 41 } else { 4 }, &[]),
    }
}
