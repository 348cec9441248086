//! Damaged frames are told by name. Sound ones are compared with another decoder in
//! `tests/decode_oracle.rs`.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn damages_have_names() {
    let ethernet = |ethertype: [u8; 2], rest: &[u8]| [&[2; 12][..], &ethertype, rest].concat();
    let v4 = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = udp_v4();
        change(&mut packet);
        packet
    };
    let eth = LinkType::Ethernet;
    for (link, data, expected) in [
        (eth, vec![0; 13], Damage::EthernetTooSmall),
        (
            eth,
            ethernet([0x81, 0x00], &[0, 1, 8]),
            Damage::VlanHeaderTooSmall,
        ),
        (
            eth,
            ethernet([0x81, 0x00], &[0, 1, 0x81, 0].repeat(4)),
            Damage::VlanTooManyLayers,
        ),
        (
            eth,
            ethernet([0x88, 0x64], &[0x11, 0, 0, 1, 0, 6, 0]),
            Damage::PppoeTooSmall,
        ),
        (
            eth,
            ethernet([0x88, 0x47], &[0, 1, 0]),
            Damage::MplsTooSmall,
        ),
        (
            eth,
            ethernet([0x88, 0x48], &[0; 4].repeat(9)),
            Damage::MplsTooManyLabels,
        ),
        (eth, ethernet([8, 0], &[0x45; 19]), Damage::Ipv4TooSmall),
        (eth, ethernet([8, 0], &[0x65; 20]), Damage::Ipv4WrongVersion),
        (
            eth,
            ethernet([0x86, 0xdd], &[0x60; 39]),
            Damage::Ipv6TooSmall,
        ),
        (
            eth,
            ethernet([0x86, 0xdd], &[0x40; 40]),
            Damage::Ipv6WrongVersion,
        ),
        (LinkType::Raw, vec![0x10; 40], Damage::RawInvalidVersion),
        (
            LinkType::Null,
            vec![9, 0, 0, 0],
            Damage::NullUnsupportedFamily,
        ),
        (LinkType::Null, vec![2], Damage::NullTooSmall),
        (LinkType::LinuxSll, vec![0; 15], Damage::SllTooSmall),
        (LinkType::LinuxSll2, vec![0; 19], Damage::Sll2TooSmall),
        (LinkType::Other(147), vec![0; 99], Damage::LinkUnsupported),
        (
            LinkType::Ipv4,
            v4(&|p| p[0] = 0x44),
            Damage::Ipv4HeaderTooSmall,
        ),
        (
            LinkType::Ipv4,
            v4(&|p| p[3] = 19),
            Damage::Ipv4LengthBelowHeader,
        ),
        (LinkType::Ipv4, v4(&|p| p[3] = 200), Damage::Ipv4Truncated),
        (LinkType::Ipv4, v4(&|p| p[3] = 27), Damage::UdpTooSmall),
        (LinkType::Ipv4, v4(&|p| p[25] = 7), Damage::UdpLengthInvalid),
        (
            LinkType::Ipv4,
            v4(&|p| p[25] = 99),
            Damage::UdpLengthInvalid,
        ),
        (LinkType::Ipv4, v4(&|p| p[9] = 6), Damage::TcpTooSmall),
        (
            LinkType::Ipv4,
            v4(&|p| (p[9], p[3]) = (1, 23)),
            Damage::Icmp4TooSmall,
        ),
        (LinkType::Ipv6, v6(58, &[1, 2, 3]), Damage::Icmp6TooSmall),
        (
            LinkType::Ipv6,
            v6(0, &[0; 7]),
            Damage::Ipv6ExtHeaderTruncated,
        ),
        (
            LinkType::Ipv6,
            v6(60, &[60, 0, 0, 0, 0, 0, 0, 0].repeat(12)),
            Damage::Ipv6ExtHeadersTooMany,
        ),
        (LinkType::Ipv4, tcp_v4(0x40, &[]), Damage::TcpHeaderTooSmall),
        (LinkType::Ipv4, tcp_v4(0xf0, &[]), Damage::TcpTooSmall),
        (
            LinkType::Ipv4,
            tcp_v4(0x60, &[2, 9, 0, 0]),
            Damage::TcpInvalidOptionLength,
        ),
    ] {
        let decoded = decode(link, &data);
        assert!(
            decoded.damages.contains(expected),
            "{expected:?}: {:?}",
            decoded.damages
        );
        assert!(expected.name().starts_with("decoder."));
    }
}

#[test]
fn ipv4_options_are_checked() {
    for (options, sound) in [
        ([1, 1, 1, 0], true),
        ([7, 4, 0, 0], true),
        ([7, 1, 0, 0], false),
        ([7, 5, 0, 0], false),
    ] {
        let mut packet = udp_v4();
        packet[0] = 0x46;
        packet[3] += 4;
        packet.splice(20..20, options);
        let decoded = decode(LinkType::Ipv4, &packet);
        assert_eq!(
            !decoded.damages.contains(Damage::Ipv4OptionInvalid),
            sound,
            "{options:?}"
        );
        assert_eq!(decoded.ip.unwrap().options, options);
        assert_eq!(
            decoded.transport.ports(),
            (53, 5353),
            "decoded all the same"
        );
    }
}

#[test]
fn extension_headers_are_walked_and_fragments_noted() {
    let udp = [0, 53, 0x14, 0xe9, 0, 12, 0, 0, 1, 2, 3, 4];
    let chain = [
        &[44, 0, 1, 4, 0, 0, 0, 0][..],
        &[17, 0, 0, 1, 0, 0, 0, 9],
        &udp,
    ]
    .concat();
    let packet = v6(0, &chain);
    let decoded = decode(LinkType::Ipv6, &packet);
    let ip = decoded.ip.unwrap();
    assert_eq!(
        ip.fragment,
        Some(Fragment {
            id: 9,
            offset: 0,
            more: true
        })
    );
    assert_eq!((ip.protocol, decoded.transport.ports()), (17, (53, 5353)));
    let later = [&[17, 0, 0, 0x10, 0, 0, 0, 9][..], &udp].concat();
    let packet = v6(44, &later);
    let decoded = decode(LinkType::Ipv6, &packet);
    assert_eq!(
        decoded.ip.unwrap().fragment,
        Some(Fragment {
            id: 9,
            offset: 16,
            more: false
        })
    );
    assert_eq!(decoded.transport, Transport::Absent);
}

#[test]
fn loopback_in_both_byte_orders() {
    for family in [[2, 0, 0, 0], [0, 0, 0, 2]] {
        let data = [&family[..], &udp_v4()].concat();
        assert!(matches!(
            decode(LinkType::Null, &data).transport,
            Transport::Udp(_)
        ));
    }
    let data = [&[0, 0, 0, 30][..], &v6(59, &[])].concat();
    assert!(decode(LinkType::Loop, &data).ip.is_some());
}

#[test]
fn ip_is_found_in_pppoe_mpls_and_snap() {
    let frame = |ethertype: [u8; 2], head: &[u8], packet: &[u8]| {
        [&[2; 12][..], &ethertype, head, packet].concat()
    };
    let (pppoe, mpls, length) = ([0x88, 0x64], [0x88, 0x47], [0x00, 0x40]);
    let label = [0x00, 0x01, 0x00, 0x40];
    let bottom = [0x00, 0x02, 0x01, 0x40];
    let stack = [label, bottom].concat();
    let (v4, v6) = (udp_v4(), v6(17, &[0, 53, 0, 54, 0, 8, 0, 0]));
    for (ethertype, head, packet) in [
        (pppoe, &[0x11, 0, 0, 1, 0, 40, 0x00, 0x21][..], &v4),
        (pppoe, &[0x11, 0, 0, 1, 0, 50, 0x00, 0x57], &v6),
        (length, &[0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0], &v4),
        (mpls, &stack, &v4),
        (mpls, &bottom, &v6),
    ] {
        let data = frame(ethertype, head, packet);
        let decoded = decode(LinkType::Ethernet, &data);
        assert!(decoded.damages.is_empty(), "{:?}", decoded.damages);
        assert!(
            matches!(decoded.transport, Transport::Udp(_)),
            "{ethertype:x?} {head:x?}"
        );
    }
    for (ethertype, head) in [
        (pppoe, &[0x11, 0, 0, 1, 0, 6, 0xc0, 0x21][..]),
        (mpls, &[0x00, 0x02, 0x01, 0x40, 0, 0, 0, 0]),
    ] {
        let data = frame(ethertype, head, &[]);
        let decoded = decode(LinkType::Ethernet, &data);
        assert!(decoded.ip.is_none() && decoded.damages.is_empty());
    }
}

#[test]
fn padding_is_no_payload() {
    let mut data = udp_v4();
    data.extend([0; 20]);
    let Transport::Udp(udp) = decode(LinkType::Ipv4, &data).transport else {
        panic!("no UDP")
    };
    assert_eq!(udp.payload, [1, 2, 3, 4]);
}

#[test]
fn checksums_are_verified() {
    let mut packet = udp_v4();
    assert!(
        !checksums_valid(&decode(LinkType::Ipv4, &packet)),
        "no header checksum"
    );
    let sum = 0x4500_u32 + 32 + 0x4011 + 0xc000 + 0x0201 + 0xc000 + 0x0202;
    let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&(!sum).to_be_bytes());
    assert!(
        checksums_valid(&decode(LinkType::Ipv4, &packet)),
        "UDP may have none"
    );
    packet[26] = 1;
    assert!(!checksums_valid(&decode(LinkType::Ipv4, &packet)));
}

/// IPv4 and UDP from 192.0.2.1 port 53 to 192.0.2.2 port 5353 with four bytes.
fn udp_v4() -> Vec<u8> {
    let ip = [
        0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
    ];
    [&ip[..], &[0, 53, 0x14, 0xe9, 0, 12, 0, 0, 1, 2, 3, 4]].concat()
}

fn tcp_v4(offset: u8, options: &[u8]) -> Vec<u8> {
    let mut packet = udp_v4();
    packet.truncate(20);
    (packet[9], packet[3]) = (6, 40 + u8::try_from(options.len()).unwrap());
    packet.extend([
        0, 53, 0x14, 0xe9, 0, 0, 0, 1, 0, 0, 0, 0, offset, 2, 0, 0, 0, 0, 0, 0,
    ]);
    packet.extend(options);
    packet
}

fn v6(next_header: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap().to_be_bytes();
    [
        &[0x60, 0, 0, 0][..],
        &len,
        &[next_header, 64],
        &[0xfd; 32],
        body,
    ]
    .concat()
}
