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
        (eth, vec![0; 13], Damage::EthernetPktTooSmall),
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
            Damage::PppoePktTooSmall,
        ),
        (
            eth,
            ethernet([0x88, 0x47], &[0, 1, 0]),
            Damage::MplsHeaderTooSmall,
        ),
        (
            eth,
            ethernet([0x88, 0x48], &[0; 4].repeat(65)),
            Damage::MplsTooManyLabels,
        ),
        (eth, ethernet([8, 0], &[0x45; 19]), Damage::Ipv4PktTooSmall),
        (
            eth,
            ethernet([8, 0], &[0x65; 20]),
            Damage::Ipv4WrongIpVersion,
        ),
        (
            eth,
            ethernet([0x86, 0xdd], &[0x40; 40]),
            Damage::Ipv6WrongIpVersion,
        ),
        (LinkType::Raw, vec![0x10; 40], Damage::IprawInvalidIpVersion),
        (
            LinkType::Null,
            vec![9, 0, 0, 0],
            Damage::LtnullUnsupportedType,
        ),
        (LinkType::Null, vec![2], Damage::LtnullPktTooSmall),
        (LinkType::LinuxSll, vec![0; 15], Damage::SllPktTooSmall),
        (LinkType::LinuxSll2, vec![0; 19], Damage::Sll2PktTooSmall),
        (
            LinkType::Other(147),
            vec![0; 99],
            Damage::LinkTypeUnsupported,
        ),
        (
            LinkType::Ipv4,
            v4(&|p| p[0] = 0x44),
            Damage::Ipv4HlenTooSmall,
        ),
        (
            LinkType::Ipv4,
            v4(&|p| p[3] = 19),
            Damage::Ipv4IplenSmallerThanHlen,
        ),
        (LinkType::Ipv4, v4(&|p| p[3] = 200), Damage::Ipv4TruncPkt),
        (LinkType::Ipv4, v4(&|p| p[3] = 27), Damage::UdpHlenTooSmall),
        (LinkType::Ipv4, v4(&|p| p[25] = 7), Damage::UdpLenInvalid),
        (LinkType::Ipv4, v4(&|p| p[25] = 99), Damage::UdpPktTooSmall),
        (LinkType::Ipv4, v4(&|p| p[9] = 6), Damage::TcpPktTooSmall),
        (
            LinkType::Ipv4,
            v4(&|p| (p[9], p[3]) = (1, 23)),
            Damage::Icmp4PktTooSmall,
        ),
        (LinkType::Ipv6, v6(58, &[1, 2, 3]), Damage::Icmp6PktTooSmall),
        (LinkType::Ipv6, v6(0, &[0; 7]), Damage::Ipv6TruncExthdr),
        (
            LinkType::Ipv6,
            v6(60, &[60, 0, 1, 4, 0, 0, 0, 0].repeat(257)),
            Damage::Ipv6ExthdrTooMany,
        ),
        (LinkType::Ipv4, tcp_v4(0x40, &[]), Damage::TcpInvalidOptlen),
        (LinkType::Ipv4, tcp_v4(0xf0, &[]), Damage::TcpHlenTooSmall),
        (
            LinkType::Ipv4,
            tcp_v4(0x60, &[2, 9, 0, 0]),
            Damage::TcpOptInvalidLen,
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
    for (options, damages) in [
        ([1, 1, 1, 1, 1, 1, 1, 0], &[][..]),
        ([7, 7, 4, 0, 0, 0, 0, 0], &[]),
        ([148, 4, 0, 0, 148, 4, 0, 0], &[Damage::Ipv4OptDuplicate]),
        ([7, 7, 3, 0, 0, 0, 0, 0], &[Damage::Ipv4OptMalformed]),
        ([148, 3, 0, 1, 1, 1, 1, 1], &[Damage::Ipv4OptInvalidLen]),
        (
            [94, 4, 0, 0, 1, 1, 1, 7],
            &[Damage::Ipv4OptInvalid, Damage::Ipv4OptEolRequired],
        ),
        ([68, 8, 6, 0, 0, 0, 0, 0], &[Damage::Ipv4OptMalformed]),
    ] {
        let packet = with_options(&options);
        let decoded = decode(LinkType::Ipv4, &packet);
        assert!(
            decoded.damages.iter().eq(damages.iter().copied()),
            "{options:?}"
        );
        assert_eq!(decoded.ip.unwrap().options, options);
        assert_eq!(
            decoded.transport.ports(),
            (53, 5353),
            "decoded all the same"
        );
    }
    let packet = with_options(&[148, 4, 0, 0]);
    assert!(
        decode(LinkType::Ipv4, &packet)
            .damages
            .contains(Damage::Ipv4OptPadRequired)
    );
    let packet = with_options(&[148, 9, 0, 0, 0, 0, 0, 0]);
    let decoded = decode(LinkType::Ipv4, &packet);
    assert!(decoded.damages.is_invalid() && decoded.ip.is_none());
}

fn with_options(options: &[u8]) -> Vec<u8> {
    let mut packet = udp_v4();
    let len = u8::try_from(options.len()).unwrap();
    packet[0] += len / 4;
    packet[3] += len;
    packet.splice(20..20, options.iter().copied());
    packet
}

#[test]
fn tcp_options_are_checked() {
    for (options, damage) in [
        (&[2, 4, 5, 0xb4][..], None),
        (
            &[34, 2, 253, 4, 0xf9, 0x89, 0, 0],
            Some(Damage::TcpOptDuplicate),
        ),
        (&[3, 3, 1, 1, 3, 3, 1, 0], Some(Damage::TcpOptDuplicate)),
        (
            &[8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            Some(Damage::TcpOptInvalidLen),
        ),
        (&[99, 0, 0, 0], Some(Damage::TcpOptInvalidLen)),
        (
            &[19, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0],
            None,
        ),
    ] {
        let words = u8::try_from(options.len() / 4).unwrap();
        let packet = tcp_v4((5 + words) << 4, options);
        let decoded = decode(LinkType::Ipv4, &packet);
        assert!(decoded.damages.iter().eq(damage), "{options:?}");
        assert!(matches!(decoded.transport, Transport::Tcp(_)));
    }
}

#[test]
fn extension_headers_are_walked_and_fragments_noted() {
    let udp = [0, 53, 0x14, 0xe9, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let chain = [
        &[44, 0, 1, 4, 0, 0, 0, 0][..],
        &[17, 0, 0, 1, 0, 0, 0, 9],
        &udp,
    ]
    .concat();
    let packet = v6(0, &chain);
    let decoded = decode(LinkType::Ipv6, &packet);
    let ip = decoded.ip.unwrap();
    let fragment = Fragment {
        id: 9,
        offset: 0,
        more: true,
        protocol: 17,
        protocol_at: 40,
    };
    assert_eq!((ip.fragment, ip.protocol), (Some(fragment), 44));
    assert_eq!(ip.payload, udp);
    assert_eq!(decoded.transport, Transport::Absent);
    let atomic = [&[17, 0, 0, 0, 0, 0, 0, 9][..], &udp].concat();
    let packet = v6(44, &atomic);
    let decoded = decode(LinkType::Ipv6, &packet);
    assert!(decoded.damages.iter().eq([Damage::Ipv6ExthdrUselessFh]));
    assert_eq!(decoded.transport.ports(), (53, 5353));
}

#[test]
fn extension_headers_are_checked() {
    let none = [59, 0, 0, 0, 0, 0, 0, 0];
    for (first, front, damages) in [
        (
            0,
            &[59, 0, 1, 4, 0, 0, 0, 0][..],
            &[Damage::Ipv6HopoptsOnlyPadding][..],
        ),
        (60, &[59, 0, 5, 2, 0, 0, 1, 0], &[Damage::Ipv6ZeroLenPadn]),
        (
            60,
            &[59, 0, 99, 4, 0, 0, 0, 0],
            &[Damage::Ipv6DstoptsUnknownOpt],
        ),
        (
            60,
            &[59, 0, 1, 9, 0, 0, 0, 0],
            &[Damage::Ipv6ExthdrInvalidOptlen],
        ),
        (43, &[59, 0, 0, 0, 0, 0, 0, 0], &[Damage::Ipv6RhType0]),
        (
            51,
            &[59, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            &[Damage::Ipv6ExthdrAhResNotNull],
        ),
        (135, &none, &[]),
    ] {
        let packet = v6(first, front);
        let decoded = decode(LinkType::Ipv6, &packet);
        assert!(
            decoded.damages.iter().eq(damages.iter().copied()),
            "{front:?}"
        );
    }
    let packet = v6(139, &[6, 0, 0, 0, 0, 0, 0, 0, 1]);
    let decoded = decode(LinkType::Ipv6, &packet);
    assert!(decoded.damages.contains(Damage::Ipv6TruncExthdr));
}

/// A tunnel's header, the link type that it stands on, and what carries the inner packet.
#[test]
fn packets_within_packets_are_found() {
    let v4 = udp_v4();
    let frame = [&[2; 12][..], &[8, 0], &v4].concat();
    let erspan = [&[0x10, 7, 0, 0, 0, 0, 0, 0][..], &frame].concat();
    let vxlan = [&[8, 0, 0, 0, 0, 0, 5, 0][..], &frame].concat();
    let geneve = [&[0, 0, 0x65, 0x58, 0, 0, 5, 0][..], &frame].concat();
    let six = v6(17, &v4[20..]);
    let origin = [&[0; 8][..], &six].concat();
    for (outer, source, vlans) in [
        (ip_v4(4, &v4), Source::Ipv4, &[][..]),
        (ip_v4(41, &six), Source::Ipv4, &[]),
        (
            ip_v4(47, &[&[0, 0, 8, 0][..], &v4].concat()),
            Source::Gre,
            &[],
        ),
        (
            ip_v4(
                47,
                &[&[0x30, 0, 0x86, 0xdd, 0, 0, 0, 1, 0, 0, 0, 2][..], &six].concat(),
            ),
            Source::Gre,
            &[],
        ),
        (
            ip_v4(
                47,
                &[
                    &[0x20, 1, 0x88, 0x0b, 0, 36, 0, 1, 0xff, 3, 0, 0x21][..],
                    &v4,
                ]
                .concat(),
            ),
            Source::Gre,
            &[],
        ),
        (
            ip_v4(
                47,
                &[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1][..], &erspan].concat(),
            ),
            Source::Gre,
            &[7],
        ),
        (
            ip_v4(47, &[&[0, 0, 0x88, 0xbe][..], &frame].concat()),
            Source::Gre,
            &[],
        ),
        (ip_v4(17, &udp(4789, &vxlan)), Source::Vxlan, &[]),
        (ip_v4(17, &udp(6081, &geneve)), Source::Geneve, &[]),
        (ip_v4(17, &udp(3544, &origin)), Source::Teredo, &[]),
        (v6(4, &v4), Source::Ipv6, &[]),
        (v6(41, &six), Source::Ipv6, &[]),
    ] {
        let decoded = decode(LinkType::Raw, &outer);
        assert!(decoded.damages.is_empty(), "{:?}", decoded.damages);
        let inner = decoded.inner.unwrap();
        assert_eq!(inner.source, source);
        let within = decode_inner(&Options::default(), &decoded, &inner);
        assert_eq!((within.transport.ports(), within.depth), ((53, 5353), 1));
        assert_eq!(within.vlans.ids(), vlans);
    }
}

#[test]
fn nesting_is_bounded() {
    let mut packet = udp_v4();
    for _ in 0..40 {
        packet = ip_v4(4, &packet);
    }
    let (options, mut depth) = (Options::default(), 0);
    let mut decoded = decode(LinkType::Raw, &packet);
    while let Some(inner) = decoded.inner {
        decoded = decode_inner(&options, &decoded, &inner);
        depth += 1;
    }
    assert!(decoded.damages.contains(Damage::TooManyLayers));
    assert!(depth < 20, "{depth}");
}

#[test]
fn what_stands_between_link_and_ip_is_taken_off() {
    let v4 = udp_v4();
    let kind = |kind: [u8; 2], head: &[u8]| [&[2; 12][..], &kind, head, &v4].concat();
    for (frame, layer) in [
        (kind([0x89, 0x26], &[0, 0, 0, 0, 8, 0]), Layer::Vntag),
        (
            kind([0x88, 0xe7], &[&[0; 16][..], &[8, 0]].concat()),
            Layer::Ieee8021ah,
        ),
        (kind([0x89, 0x4f], &[0, 2, 2, 1, 0, 0, 0, 0]), Layer::Nsh),
        (kind([0x91, 0x00], &[0, 5, 8, 0]), Layer::Vlan),
        (
            kind([0x89, 0x03], &[&[0; 14][..], &[8, 0]].concat()),
            Layer::Ethernet,
        ),
        (
            kind(
                [0x88, 0x47],
                &[
                    0, 1, 1, 64, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 8, 0,
                ],
            ),
            Layer::Mpls,
        ),
    ] {
        let decoded = decode(LinkType::Ethernet, &frame);
        assert_eq!(decoded.transport.ports(), (53, 5353), "{layer:?}");
        assert!(decoded.layers.iter().any(|found| found == layer));
    }
    let links = [
        (LinkType::Ppp, &[0xff, 3, 0, 0x21][..]),
        (LinkType::Ppp, &[0x21]),
        (LinkType::Chdlc, &[0x0f, 0, 8, 0]),
    ];
    for (link, head) in links {
        let frame = [head, &v4].concat();
        assert_eq!(
            decode(link, &frame).transport.ports(),
            (53, 5353),
            "{link:?}"
        );
    }
}

#[test]
fn arp_is_read() {
    let arp = [
        0, 1, 8, 0, 6, 4, 0, 2, 1, 1, 1, 1, 1, 1, 192, 0, 2, 1, 2, 2, 2, 2, 2, 2, 192, 0, 2, 2,
    ];
    let frame = [&[2; 12][..], &[8, 6], &arp].concat();
    let decoded = decode(LinkType::Ethernet, &frame);
    let found = decoded.arp.unwrap();
    assert_eq!((found.operation(), found.src_mac), (Some("reply"), [1; 6]));
    assert_eq!(found.dst.octets(), [192, 0, 2, 2]);
    assert!(decode(LinkType::Ethernet, &frame[..40]).arp.is_none());
}

#[test]
fn icmp_errors_tell_what_they_are_about() {
    let message = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &udp_v4()].concat();
    let packet = ip_v4(1, &message);
    let decoded = decode(LinkType::Raw, &packet);
    let Transport::Icmp4(icmp) = decoded.transport else {
        panic!("no ICMP")
    };
    let original = icmp.original4().unwrap();
    assert_eq!((original.protocol, original.ports), (17, (53, 5353)));
    for (kind, code, damage, invalid) in [
        (3, 16, Damage::Icmp4UnknownCode, true),
        (8, 1, Damage::Icmp4UnknownCode, false),
        (42, 0, Damage::Icmp4UnknownType, false),
    ] {
        let packet = ip_v4(1, &[kind, code, 0, 0, 0, 0, 0, 0]);
        let damages = decode(LinkType::Raw, &packet).damages;
        assert_eq!(
            (damages.contains(damage), damages.is_invalid()),
            (true, invalid)
        );
    }
}

fn ip_v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = udp_v4();
    packet.truncate(20);
    packet.extend(payload);
    let len = u16::try_from(packet.len()).unwrap();
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[9] = protocol;
    packet
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len() + 8).unwrap();
    [
        &[0xc0, 0][..],
        &port.to_be_bytes(),
        &len.to_be_bytes(),
        &[0, 0],
        payload,
    ]
    .concat()
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
    let (pppoe, mpls) = ([0x88, 0x64], [0x88, 0x47]);
    let label = [0x00, 0x01, 0x00, 0x40];
    let bottom = [0x00, 0x02, 0x01, 0x40];
    let stack = [label, bottom].concat();
    let (v4, v6) = (udp_v4(), v6(17, &[0, 53, 0, 54, 0, 8, 0, 0]));
    for (ethertype, head, packet) in [
        (pppoe, &[0x11, 0, 0, 1, 0, 40, 0x00, 0x21][..], &v4),
        (pppoe, &[0x11, 0, 0, 1, 0, 50, 0x00, 0x57], &v6),
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
    let data = frame(pppoe, &[0x11, 0, 0, 1, 0, 6, 0xc0, 0x21], &[]);
    let decoded = decode(LinkType::Ethernet, &data);
    assert!(decoded.ip.is_none() && decoded.damages.is_empty());
    let data = frame([0x00, 0x40], &[0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0], &v4);
    let decoded = decode(LinkType::Ethernet, &data);
    assert!(matches!(decoded.transport, Transport::Udp(_)));
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
