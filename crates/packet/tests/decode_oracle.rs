//! The decoder against another one (`etherparse`) on packets that a third party could send.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice, VlanSlice};
use packet::LinkType;
use packet::decode::{Decoded, Options, Transport, checksums_valid, decode, decode_inner};
use proptest::prelude::*;

proptest! {
    #[test]
    fn both_decoders_agree(packet in any_packet()) {
        let frame = packet.build();
        let ours = decode(LinkType::Ethernet, &frame);
        let theirs = SlicedPacket::from_ethernet(&frame).unwrap();
        prop_assert!(ours.damages.is_empty(), "{:?}", ours.damages);
        prop_assert!(checksums_valid(&ours));
        compare(&ours, &theirs);
    }

    /// A packet within a packet is what it is alone.
    #[test]
    fn tunnels_change_nothing(packet in any_packet(), tunnel in 0_u8..3) {
        let frame = packet.build();
        let (port, head) = match tunnel {
            0 => (None, vec![0, 0, 0x65, 0x58]),
            1 => (Some(6081), vec![0, 0, 0x65, 0x58, 0, 0, 5, 0]),
            _ => (None, vec![0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0]),
        };
        let payload = [&head[..], &frame].concat();
        let ip = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
        let mut outer = Vec::new();
        match port {
            Some(port) => ip.udp(1, port).write(&mut outer, &payload).unwrap(),
            None => ip.write(&mut outer, etherparse::IpNumber::GRE, &payload).unwrap(),
        }
        let decoded = decode(LinkType::Raw, &outer);
        let inner = decoded.inner.unwrap();
        let within = decode_inner(&Options::default(), &decoded, &inner);
        prop_assert!(within.damages.is_empty(), "{:?}", within.damages);
        compare(&within, &SlicedPacket::from_ethernet(&frame).unwrap());
    }

    #[test]
    fn a_changed_bit_breaks_a_checksum(
        packet in any_packet(),
        bit in 0_usize..8,
        at: prop::sample::Index,
    ) {
        let mut frame = packet.build();
        let transport = 14 + 4 * packet.vlans.len() + packet.ip_len();
        let at = transport + at.index(frame.len() - transport);
        frame[at] ^= 1 << bit;
        let changed = decode(LinkType::Ethernet, &frame);
        // UDP has its length in 4 and 5, and no sum where 6 and 7 become zero
        let decides = packet.kind == 1 && (transport + 4..transport + 8).contains(&at);
        if changed.damages.is_empty() && !decides {
            prop_assert!(!checksums_valid(&changed), "byte {}", at - transport);
        }
    }
}

fn compare(ours: &Decoded<'_>, theirs: &SlicedPacket<'_>) {
    let vlans: Vec<u16> = match theirs.vlan() {
        None => vec![],
        Some(VlanSlice::SingleVlan(tag)) => vec![tag.vlan_identifier().value()],
        Some(VlanSlice::DoubleVlan(tags)) => {
            vec![
                tags.outer.vlan_identifier().value(),
                tags.inner.vlan_identifier().value(),
            ]
        }
    };
    assert_eq!(ours.vlans.ids(), vlans);
    let ip = ours.ip.unwrap();
    match theirs.net.as_ref().unwrap() {
        NetSlice::Ipv4(theirs) => {
            let header = theirs.header();
            assert_eq!(
                (ip.src, ip.dst),
                (
                    header.source_addr().into(),
                    header.destination_addr().into()
                )
            );
            assert_eq!((ip.ttl, ip.protocol), (header.ttl(), header.protocol().0));
            assert_eq!(ip.payload, theirs.payload().payload);
        }
        NetSlice::Ipv6(theirs) => {
            let header = theirs.header();
            assert_eq!(
                (ip.src, ip.dst),
                (
                    header.source_addr().into(),
                    header.destination_addr().into()
                )
            );
            assert_eq!(ip.ttl, header.hop_limit());
            assert_eq!(
                (ip.protocol, ip.payload),
                (theirs.payload().ip_number.0, theirs.payload().payload)
            );
        }
        other => panic!("{other:?}"),
    }
    compare_transport(&ours.transport, theirs.transport.as_ref().unwrap());
}

fn compare_transport(ours: &Transport<'_>, theirs: &TransportSlice<'_>) {
    match (ours, theirs) {
        (Transport::Tcp(ours), TransportSlice::Tcp(theirs)) => {
            assert_eq!(
                (ours.src_port, ours.dst_port),
                (theirs.source_port(), theirs.destination_port())
            );
            assert_eq!(
                (ours.seq, ours.ack),
                (theirs.sequence_number(), theirs.acknowledgment_number())
            );
            let flags = (
                ours.flags.syn(),
                ours.flags.ack(),
                ours.flags.rst(),
                ours.flags.fin(),
            );
            assert_eq!(
                flags,
                (theirs.syn(), theirs.ack(), theirs.rst(), theirs.fin())
            );
            assert_eq!(
                (ours.window, ours.options),
                (theirs.window_size(), theirs.options())
            );
            assert_eq!(ours.payload, theirs.payload());
            assert_eq!(ours.payload_len as usize, theirs.payload().len());
        }
        (Transport::Udp(ours), TransportSlice::Udp(theirs)) => {
            assert_eq!(
                (ours.src_port, ours.dst_port),
                (theirs.source_port(), theirs.destination_port())
            );
            assert_eq!(ours.payload, theirs.payload());
        }
        (Transport::Icmp4(ours), TransportSlice::Icmpv4(theirs)) => {
            assert_eq!((ours.kind, ours.code), (theirs.type_u8(), theirs.code_u8()));
        }
        (Transport::Icmp6(ours), TransportSlice::Icmpv6(theirs)) => {
            assert_eq!((ours.kind, ours.code), (theirs.type_u8(), theirs.code_u8()));
        }
        (ours, theirs) => panic!("{ours:?} is not {theirs:?}"),
    }
}

/// What to send.
#[derive(Debug, Clone)]
struct Packet {
    vlans: Vec<u16>,
    v6: bool,
    kind: u8,
    ports: (u16, u16),
    numbers: (u32, u32, u16),
    flags: u8,
    options: usize,
    ttl: u8,
    payload: Vec<u8>,
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let vlans = prop::collection::vec(0_u16..4096, 0..3);
    let payload = prop::collection::vec(any::<u8>(), 0..64);
    let rest = (
        any::<(u16, u16)>(),
        any::<(u32, u32, u16)>(),
        any::<u8>(),
        0_usize..3,
        any::<u8>(),
    );
    (vlans, any::<bool>(), 0_u8..3, rest, payload).prop_map(|(vlans, v6, kind, rest, payload)| {
        let (ports, numbers, flags, options, ttl) = rest;
        Packet {
            vlans,
            v6,
            kind,
            ports,
            numbers,
            flags,
            options,
            ttl,
            payload,
        }
    })
}

impl Packet {
    fn ip_len(&self) -> usize {
        if self.v6 { 40 } else { 20 }
    }

    fn build(&self) -> Vec<u8> {
        let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let id = |at: usize| self.vlans.get(at).map(|id| (*id).try_into().unwrap());
        let mut frame = Vec::new();
        macro_rules! ip {
            ($link:expr) => {
                if self.v6 {
                    self.write($link.ipv6([0xfd; 16], [0xfc; 16], self.ttl), &mut frame)
                } else {
                    self.write(
                        $link.ipv4([192, 0, 2, 1], [192, 0, 2, 2], self.ttl),
                        &mut frame,
                    )
                }
            };
        }
        match (id(0), id(1)) {
            (None, _) => ip!(ethernet),
            (Some(id), None) => ip!(ethernet.single_vlan(id)),
            (Some(outer), Some(inner)) => ip!(ethernet.double_vlan(outer, inner)),
        }
        frame
    }

    fn write(&self, ip: etherparse::PacketBuilderStep<etherparse::IpHeaders>, frame: &mut Vec<u8>) {
        let (seq, ack, window) = self.numbers;
        match self.kind {
            0 => {
                let mut tcp = ip.tcp(self.ports.0, self.ports.1, seq, window);
                if self.flags & 1 != 0 {
                    tcp = tcp.syn();
                }
                if self.flags & 2 != 0 {
                    tcp = tcp.ack(ack);
                }
                if self.flags & 4 != 0 {
                    tcp = tcp.rst();
                }
                if self.flags & 8 != 0 {
                    tcp = tcp.fin();
                }
                let options = [&[][..], &[1, 1, 1, 0], &[2, 4, 5, 0xb4]][self.options];
                tcp.options_raw(options)
                    .unwrap()
                    .write(frame, &self.payload)
                    .unwrap();
            }
            1 => ip
                .udp(self.ports.0, self.ports.1)
                .write(frame, &self.payload)
                .unwrap(),
            _ if self.v6 => ip
                .icmpv6_echo_request(1, 2)
                .write(frame, &self.payload)
                .unwrap(),
            _ => ip
                .icmpv4_echo_request(1, 2)
                .write(frame, &self.payload)
                .unwrap(),
        }
    }
}
