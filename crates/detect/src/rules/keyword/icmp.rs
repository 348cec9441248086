//! What is asked of ICMP messages.

use packet::decode::{Decoded, Icmp, Transport};

use super::Keyword;
use super::field::{be16, compared, header, single};
use super::ip::buffer;
use crate::rules::scene::Buffer;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "itype",
        "number",
        "The type of an ICMP message.",
        |rule, arg| {
            compared(rule, arg, 0..=255, |decoded| {
                Some(any(decoded)?.kind.into())
            })
        },
    ),
    Keyword::call(
        "icode",
        "number",
        "The code of an ICMP message.",
        |rule, arg| {
            compared(rule, arg, 0..=255, |decoded| {
                Some(any(decoded)?.code.into())
            })
        },
    ),
    Keyword::call(
        "icmp_id",
        "number",
        "The identifier of an ICMP question or answer.",
        |rule, arg| single::<u16>(rule, arg, false, |decoded| Some(asked(decoded, 0)?.into())),
    ),
    Keyword::call(
        "icmp_seq",
        "number",
        "The sequence number of an ICMP question or answer.",
        |rule, arg| single::<u16>(rule, arg, false, |decoded| Some(asked(decoded, 2)?.into())),
    ),
    Keyword::call(
        "icmpv6.mtu",
        "number",
        "The size that an ICMPv6 message says a packet must not exceed.",
        |rule, arg| compared(rule, arg, 0..=u64::from(u32::MAX), mtu),
    ),
    Keyword::call(
        "icmpv4.hdr",
        "",
        "The header of an ICMP message.",
        |rule, arg| header(rule, arg, &ICMP4, Some(1)),
    ),
    Keyword::call(
        "icmpv6.hdr",
        "",
        "The header of an ICMPv6 message.",
        |rule, arg| header(rule, arg, &ICMP6, Some(58)),
    ),
];

fn any<'d>(decoded: &Decoded<'d>) -> Option<Icmp<'d>> {
    match decoded.transport {
        Transport::Icmp4(icmp) | Transport::Icmp6(icmp) => Some(icmp),
        Transport::Absent
        | Transport::Esp(_)
        | Transport::Other(_)
        | Transport::Sctp(..)
        | Transport::Tcp(_)
        | Transport::Udp(_)
        | Transport::Unsound(..) => None,
    }
}

/// Identifier and sequence number stand in questions and answers (RFC 792, RFC 950, RFC 4443).
fn asked(decoded: &Decoded<'_>, at: usize) -> Option<u16> {
    let (icmp, has_them) = match decoded.transport {
        Transport::Icmp4(icmp) => (icmp, matches!(icmp.kind, 0 | 8 | 13..=18)),
        Transport::Icmp6(icmp) => (icmp, matches!(icmp.kind, 128 | 129)),
        Transport::Absent
        | Transport::Esp(_)
        | Transport::Other(_)
        | Transport::Sctp(..)
        | Transport::Tcp(_)
        | Transport::Udp(_)
        | Transport::Unsound(..) => return None,
    };
    be16(icmp.body, at).filter(|_| has_them)
}

/// Of "packet too big" (RFC 4443 section 3.2).
fn mtu(decoded: &Decoded<'_>) -> Option<u64> {
    let Transport::Icmp6(icmp) = decoded.transport else {
        return None;
    };
    let mtu = icmp.body.first_chunk::<4>().filter(|_| icmp.kind == 2)?;
    Some(u32::from_be_bytes(*mtu).into())
}

const HEADER_LEN: usize = 8;

static ICMP4: Buffer = buffer("icmpv4.hdr", |scene, values| {
    if let Some(decoded) = scene.packet.map(|packet| packet.decoded)
        && let (Some(ip), Transport::Icmp4(_)) = (decoded.ip, decoded.transport)
    {
        values.maybe(ip.payload.get(..HEADER_LEN));
    }
});

static ICMP6: Buffer = buffer("icmpv6.hdr", |scene, values| {
    if let Some(decoded) = scene.packet.map(|packet| packet.decoded)
        && let (Some(ip), Transport::Icmp6(_)) = (decoded.ip, decoded.transport)
    {
        values.maybe(ip.payload.get(..HEADER_LEN));
    }
});
