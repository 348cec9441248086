//! Capture by AF_PACKET: every packet of both directions once, whole, at once, with its tag and its time.
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::lab::{IFACE, INSIDE4, INSIDE6, Lab, OUTSIDE4, ip, lab, send_frames, udp_frame};
use datapath::capture::{AfPacket, Capture, CaptureError, Options, Stats};
use datapath::clock::realtime_ns;
use packet::LinkType;

struct Caught {
    ts_ns: u64,
    seen_ns: u64,
    wire_len: u32,
    data: Vec<u8>,
}

fn open(lab: &Lab, options: &Options) -> AfPacket {
    lab.inside(|| AfPacket::open(IFACE, options).unwrap())
}

/// Captures until `enough` says so.
fn catch(capture: &mut AfPacket, enough: impl Fn(&[Caught]) -> bool) -> Vec<Caught> {
    let mut caught = Vec::new();
    let begun = Instant::now();
    while !enough(&caught) {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{} frames, and then none",
            caught.len()
        );
        let each = &mut |frame: packet::Frame<'_>| {
            assert_eq!(frame.link, LinkType::Ethernet);
            let seen_ns = realtime_ns();
            let data = frame.data.to_vec();
            caught.push(Caught {
                ts_ns: frame.ts_ns,
                seen_ns,
                wire_len: frame.wire_len,
                data,
            });
        };
        capture.next(Duration::from_millis(100), each).unwrap();
    }
    caught
}

/// The 8-byte number after `mark`, if the frame carries it.
fn number_after(data: &[u8], mark: &[u8]) -> Option<u64> {
    let at = data.windows(mark.len()).position(|window| window == mark)?;
    let number = data.get(at + mark.len()..)?.first_chunk()?;
    Some(u64::from_be_bytes(*number))
}

fn numbered(mark: &[u8], number: u64) -> Vec<u8> {
    [mark, &number.to_be_bytes()].concat()
}

#[test]
fn each_packet_of_both_directions_is_seen_once() {
    let Some(lab) = lab("both_directions") else {
        return;
    };
    let mut capture = open(&lab, &Options::default());
    const PACKETS: u64 = 500;
    for (outside, inside) in [(OUTSIDE4, INSIDE4), (crate::lab::OUTSIDE6, INSIDE6)] {
        let (client, server) = (lab.sender(outside), lab.receiver(inside, 5_000));
        let mut buffer = [0; 64];
        for number in 0..PACKETS {
            client
                .send_to(&numbered(b"question", number), server.local_addr().unwrap())
                .unwrap();
            let (_, from) = server.recv_from(&mut buffer).unwrap();
            server.send_to(&numbered(b"answer", number), from).unwrap();
            client.recv_from(&mut buffer).unwrap();
        }
        let mut seen: BTreeMap<(&str, u64), u32> = BTreeMap::new();
        let count = |all: &[Caught]| {
            all.iter()
                .filter(|one| number_after(&one.data, b"answer").is_some())
                .count()
        };
        for one in &catch(&mut capture, |all| count(all) as u64 >= PACKETS) {
            for mark in ["question", "answer"] {
                if let Some(number) = number_after(&one.data, mark.as_bytes()) {
                    *seen.entry((mark, number)).or_default() += 1;
                }
            }
        }
        assert_eq!(seen.len() as u64, 2 * PACKETS);
        assert!(seen.values().all(|&times| times == 1));
    }
    let stats = capture.stats();
    assert!(stats.received >= 4 * PACKETS);
    assert_eq!((stats.dropped, stats.truncated), (0, 0));
}

#[test]
fn a_packet_is_seen_within_microseconds_and_its_time_is_when_it_came() {
    let Some(lab) = lab("latency") else { return };
    let mut capture = open(&lab, &Options::default());
    let (client, server) = (lab.sender(OUTSIDE4), lab.receiver(INSIDE4, 5_000));
    let target = server.local_addr().unwrap();
    let sender = std::thread::spawn(move || {
        for _ in 0..300 {
            std::thread::sleep(Duration::from_millis(1));
            client
                .send_to(&numbered(b"sent at", realtime_ns()), target)
                .unwrap();
        }
    });
    let all = catch(&mut capture, |all| {
        all.iter()
            .filter(|one| number_after(&one.data, b"sent at").is_some())
            .count()
            >= 300
    });
    sender.join().unwrap();
    let mut latency = Vec::new();
    for one in &all {
        let Some(sent) = number_after(&one.data, b"sent at") else {
            continue;
        };
        assert!(
            (sent..=one.seen_ns).contains(&one.ts_ns),
            "{sent} {} {}",
            one.ts_ns,
            one.seen_ns
        );
        latency.push(Duration::from_nanos(one.seen_ns - sent));
    }
    latency.sort_unstable();
    println!(
        "send to seen: p50 {:?} p90 {:?} p99 {:?}",
        latency[150], latency[270], latency[297]
    );
    assert!(
        latency[150] < Duration::from_millis(1),
        "p50 {:?}",
        latency[150]
    );
}

#[test]
fn large_segments_come_whole() {
    let Some(lab) = lab("large_segments") else {
        return;
    };
    let mut capture = open(&lab, &Options::default());
    const BYTES: usize = 4 << 20;
    let stream: Vec<u8> = (0..BYTES as u32)
        .flat_map(|n| (n / 4).to_be_bytes()[(n % 4) as usize..].first().copied())
        .collect();
    let listener = lab.inside(|| TcpListener::bind((INSIDE4, 80)).unwrap());
    let mut client = lab.outside(|| TcpStream::connect((INSIDE4, 80)).unwrap());
    let (mut server, _) = listener.accept().unwrap();
    let sent = stream.clone();
    let sender = std::thread::spawn(move || client.write_all(&sent).unwrap());
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        server.read_to_end(&mut all).unwrap();
        all
    });
    let finished = |all: &[Caught]| {
        all.iter()
            .any(|one| to_server(&one.data).is_some_and(|tcp| tcp.fin))
    };
    let all = catch(&mut capture, finished);
    sender.join().unwrap();
    assert!(reader.join().unwrap() == stream);

    let segments: Vec<_> = all.iter().filter_map(|one| to_server(&one.data)).collect();
    let base = segments
        .iter()
        .find(|tcp| tcp.syn)
        .unwrap()
        .sequence
        .wrapping_add(1);
    let mut rebuilt = vec![None; BYTES];
    for tcp in &segments {
        let at = tcp.sequence.wrapping_sub(base) as usize;
        for (offset, &byte) in tcp.payload.iter().enumerate() {
            rebuilt[at + offset] = Some(byte);
        }
    }
    assert!(
        rebuilt
            .iter()
            .zip(&stream)
            .all(|(seen, sent)| *seen == Some(*sent)),
        "each byte was captured"
    );
    let largest = all.iter().map(|one| one.data.len()).max().unwrap();
    assert!(
        largest > 4_096,
        "segmentation offload is at work, or this tests nothing: {largest}"
    );
    assert!(
        all.iter()
            .all(|one| one.data.len() == one.wire_len as usize),
        "none is cut"
    );
    let stats = capture.stats();
    assert!(stats.oversize > 0);
    assert_eq!((stats.dropped, stats.truncated), (0, 0), "{stats:?}");
    println!("largest captured packet: {largest} bytes, {stats:?}");
}

struct Tcp<'a> {
    sequence: u32,
    syn: bool,
    fin: bool,
    payload: &'a [u8],
}

/// The TCP part of an IPv4 packet to port 80.
fn to_server(frame: &[u8]) -> Option<Tcp<'_>> {
    let packet = frame.get(14..)?;
    if frame[12..14] != [8, 0] || packet.get(9) != Some(&6) {
        return None;
    }
    let tcp = packet.get(usize::from(packet[0] & 15) * 4..)?;
    if tcp.get(2..4)? != [0, 80] {
        return None;
    }
    Some(Tcp {
        sequence: u32::from_be_bytes(*tcp.get(4..)?.first_chunk()?),
        syn: tcp[13] & 2 != 0,
        fin: tcp[13] & 1 != 0,
        payload: tcp.get(usize::from(tcp[12] >> 4) * 4..)?,
    })
}

#[test]
fn vlan_tags_are_where_they_were_on_the_wire() {
    let Some(lab) = lab("capture_vlan") else {
        return;
    };
    ip(&format!("-n {} link set {IFACE} mtu 9000", lab.inside));
    ip(&format!(
        "-n {} link set {} mtu 9000",
        lab.outside,
        crate::lab::PEER
    ));
    let mut capture = open(&lab, &Options::default());
    let source = [10, 9, 0, 66];
    let sent = [
        udp_frame(&[], source, 5_000, b"untagged"),
        udp_frame(&[(0x8100, 0x2007)], source, 5_000, b"tagged"),
        udp_frame(&[(0x88a8, 7), (0x8100, 8)], source, 5_000, b"twice"),
        udp_frame(&[(0x8100, 9)], source, 5_000, &[b'x'; 5_000]), // longer than a slot of the ring
    ];
    send_frames(&lab, &sent);
    let ours = |all: &[Caught]| {
        all.iter()
            .filter(|one| one.data.get(6..12) == Some(&[2, 0, 0, 0, 0, 1]))
            .count()
    };
    let all = catch(&mut capture, |all| ours(all) >= 4);
    let seen: Vec<_> = all
        .iter()
        .filter(|one| one.data.get(6..12) == Some(&[2, 0, 0, 0, 0, 1]))
        .collect();
    for (seen, sent) in seen.iter().zip(&sent) {
        assert!(
            seen.data == *sent,
            "{:02x?} is not {:02x?}",
            &seen.data[..60.min(seen.data.len())],
            &sent[..60]
        );
        assert_eq!(seen.wire_len as usize, sent.len());
    }
}

#[test]
fn a_full_ring_drops_and_says_so() {
    let Some(lab) = lab("full_ring") else { return };
    let options = Options {
        slots: 32,
        ..Options::default()
    };
    let mut capture = open(&lab, &options);
    let frame = udp_frame(&[], [10, 9, 0, 66], 5_000, b"flood");
    send_frames(&lab, &vec![frame; 200]);
    let caught = catch(&mut capture, |all| all.len() >= 32);
    let Stats {
        received, dropped, ..
    } = capture.stats();
    assert_eq!(received, caught.len() as u64);
    assert!(received + dropped >= 200, "{received} {dropped}");
    send_frames(&lab, &[udp_frame(&[], [10, 9, 0, 66], 5_000, b"after")]);
    catch(&mut capture, |all| {
        all.iter().any(|one| one.data.ends_with(b"after"))
    });
}

#[test]
fn an_interface_that_goes_down_is_an_error_once_and_capture_goes_on() {
    let Some(lab) = lab("down_and_up") else {
        return;
    };
    let mut capture = open(&lab, &Options::default());
    ip(&format!("-n {} link set {IFACE} down", lab.inside));
    let mut ignore = |_: packet::Frame<'_>| {};
    let begun = Instant::now();
    let error = loop {
        match capture.next(Duration::from_millis(100), &mut ignore) {
            Err(error) => break error,
            Ok(_) => assert!(begun.elapsed() < Duration::from_secs(2), "no error"),
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::NetworkDown);
    ip(&format!("-n {} link set {IFACE} up", lab.inside));
    send_frames(&lab, &[udp_frame(&[], [10, 9, 0, 66], 5_000, b"again")]);
    catch(&mut capture, |all| {
        all.iter().any(|one| one.data.ends_with(b"again"))
    });
    let missing = lab.inside(|| AfPacket::open("nothere0", &Options::default()).unwrap_err());
    assert!(matches!(missing, CaptureError::NoInterface(_)), "{missing}");
}

#[test]
fn on_loopback_each_packet_is_seen_once() {
    let Some(lab) = lab("loopback") else { return };
    let mut capture = lab.inside(|| AfPacket::open("lo", &Options::default()).unwrap());
    let (client, server) = lab.inside(|| {
        ["127.0.0.1:0"; 2]
            .map(|at| std::net::UdpSocket::bind(at).unwrap())
            .into()
    });
    for number in 0..20 {
        client
            .send_to(&numbered(b"loop", number), server.local_addr().unwrap())
            .unwrap();
    }
    let ours = |all: &[Caught]| {
        all.iter()
            .filter(|one| number_after(&one.data, b"loop").is_some())
            .count()
    };
    let all = catch(&mut capture, |all| {
        all.iter()
            .any(|one| number_after(&one.data, b"loop") == Some(19))
    });
    capture
        .next(Duration::from_millis(20), &mut |_| panic!("seen twice"))
        .unwrap();
    assert_eq!(ours(&all), 20);
}
