//! Fragments in and out of order, that overlap, and that never become a packet.

use super::*;
use crate::decode::{decode, decode_whole};
use crate::frame::LinkType;

const MS_NS: u64 = 1_000_000;

/// An IPv4 fragment of a UDP datagram from 192.0.2.1 to 192.0.2.2: its place in units of eight
/// bytes, whether more follow, and what it says.
fn fragment(id: u16, place: u16, more: bool, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + data.len()).unwrap().to_be_bytes();
    let word = (place | if more { 0x2000 } else { 0 }).to_be_bytes();
    let (id, ends) = (id.to_be_bytes(), [192, 0, 2, 1, 192, 0, 2, 2]);
    let head = [
        0x45, 0, len[0], len[1], id[0], id[1], word[0], word[1], 64, 17, 0, 0,
    ];
    [&head[..], &ends, data].concat()
}

fn take(defrag: &mut Defrag, packet: &[u8], now_ns: u64) -> (Option<Whole>, Vec<Damage>, usize) {
    let mut decoded = decode(LinkType::Ipv4, packet);
    let mut given_up = 0;
    let whole = defrag.take(&mut decoded, Scope::default(), now_ns, &mut |_| {
        given_up += 1
    });
    (whole, decoded.damages.iter().collect(), given_up)
}

/// A UDP header for so many units of eight bytes in all.
fn udp(units: u8) -> [u8; 8] {
    [0, 53, 0x14, 0xe9, 0, units * 8, 0, 0]
}

#[test]
fn fragments_become_a_packet_in_any_order() {
    let pieces = [
        fragment(7, 0, true, &udp(3)),
        fragment(7, 1, true, b"abcdefgh"),
        fragment(7, 2, false, b"ijklmnop"),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let mut defrag = Defrag::new(Options::default());
        let mut wholes = order.map(|at: usize| take(&mut defrag, &pieces[at], MS_NS).0);
        assert!(wholes[0].is_none() && wholes[1].is_none());
        let whole = wholes[2].take().unwrap();
        let options = crate::decode::Options::default();
        let decoded = decode_whole(&options, &whole.front, &whole.data);
        assert!(decoded.damages.is_empty() && crate::decode::checksums_valid(&decoded));
        let crate::decode::Transport::Udp(udp) = decoded.transport else {
            panic!("no UDP")
        };
        assert_eq!(udp.payload, b"abcdefghijklmnop");
        let counters = defrag.counters();
        assert_eq!((counters.fragments, counters.bytes), (0, 0));
        assert_eq!((counters.ipv4_fragments, counters.ipv4_reassembled), (3, 1));
    }
}

/// Two fragments overlap in one unit: the later one before, at and behind the start of the earlier.
#[test]
fn policies_settle_overlaps() {
    for (policy, before, same, behind) in [
        (Policy::First, b'a', b'a', b'a'),
        (Policy::Last, b'b', b'b', b'b'),
        (Policy::Bsd, b'b', b'a', b'a'),
        (Policy::BsdRight, b'a', b'b', b'b'),
        (Policy::Linux, b'b', b'b', b'a'),
        (Policy::Windows, b'a', b'a', b'a'),
        (Policy::Solaris, b'a', b'a', b'a'),
    ] {
        for (earlier, later, shared, winner) in [
            (3..5, 2..4, 3, before),
            (2..3, 2..3, 2, same),
            (2..4, 3..5, 3, behind),
        ] {
            let mut tracker = Tracker::new(1, u64::MAX, policy);
            let units = [
                (0..2, b'x'),
                (earlier, b'a'),
                (later, b'b'),
                (2..3, b'y'),
                (3..4, b'y'),
                (4..5, b'y'),
                (5..6, b'y'),
            ];
            for (range, letter) in units {
                let data = vec![letter; usize::from(range.end - range.start) * 8];
                let packet = fragment(1, range.start, range.end < 6, &data);
                let decoded = decode(LinkType::Ipv4, &packet);
                let ip = decoded.ip.unwrap();
                if letter != b'y' || tracker.lacks(u32::from(range.start) * 8) {
                    tracker.insert(&decoded, &ip, &ip.fragment.unwrap());
                }
            }
            assert!(tracker.is_complete());
            let whole = tracker.whole().unwrap();
            assert_eq!(whole.data[20 + shared * 8], winner, "{policy:?} {shared}");
        }
    }
}

#[test]
fn damage_is_named() {
    let mut defrag = Defrag::new(Options::default());
    let (whole, damages, _) = take(&mut defrag, &fragment(1, 8190, true, &[0; 32]), 0);
    assert_eq!(
        (whole.is_none(), damages),
        (true, vec![Damage::Ipv4FragPktTooLarge])
    );
    take(&mut defrag, &fragment(1, 0, true, &[0; 16]), 0);
    let (_, damages, _) = take(&mut defrag, &fragment(1, 1, true, &[0; 16]), 0);
    assert_eq!(damages, [Damage::Ipv4FragOverlap]);
}

#[test]
fn bounds_hold_and_are_counted() {
    let mut options = Options::default();
    (
        options.trackers_max,
        options.fragments_max,
        options.bytes_max,
    ) = (4, 10, 800);
    let mut defrag = Defrag::new(options);
    let mut given_up = 0;
    for id in 0..50 {
        for place in 0..5 {
            let packet = fragment(id, place * 2, true, &[0; 8]);
            given_up += take(&mut defrag, &packet, 0).2;
            let counters = defrag.counters();
            assert!(counters.fragments <= 10 && counters.bytes <= 800);
            assert!(defrag.trackers.len() <= 4 && defrag.order.len() <= 4 + STALE_MAX + 4);
        }
    }
    for id in 60..63 {
        take(&mut defrag, &fragment(id, 0, true, &[0; 304]), 0);
        assert!(defrag.counters().bytes <= 800);
    }
    let counters = *defrag.counters();
    assert!(counters.trackers_max_hit + counters.fragments_max_hit > 0);
    assert!(counters.bytes_max_hit > 0);
    assert!(given_up > 40);
    defrag.finish(&mut |_| {});
    assert_eq!(
        (defrag.counters().fragments, defrag.counters().bytes),
        (0, 0)
    );
}

#[test]
fn what_comes_too_late_is_given_up() {
    let mut defrag = Defrag::new(Options::default());
    take(&mut defrag, &fragment(1, 0, true, &udp(2)), 0);
    let late_ns = 61_000 * MS_NS;
    let (whole, _, given_up) = take(&mut defrag, &fragment(1, 1, false, &[0; 8]), late_ns);
    assert_eq!((whole.is_none(), given_up), (true, 1));
    assert_eq!(defrag.counters().timeouts, 1);
}
