//! What is asked of IP headers.

use std::net::IpAddr;

use packet::decode::{Checksum, Decoded, Ip, checksum_holds};

use super::field::{be16, compared, header, holds, ip4, ip6, single};
use super::number::Number;
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::header::{Apps, Layer};
use crate::rules::memory::Memory;
use crate::rules::rule::{Condition, Subject};
use crate::rules::scene::{Buffer, Scene, Sides, Stage, Values};
use crate::rules::syntax::Piece;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "ttl",
        "number",
        "The time to live, or hop limit.",
        |rule, arg| compared(rule, arg, 0..=255, |decoded| Some(decoded.ip?.ttl.into())),
    ),
    Keyword::call(
        "tos",
        "[!]number|[!]xHH",
        "The type of service of IPv4.",
        tos,
    ),
    Keyword::call(
        "id",
        "number",
        "The identification of IPv4.",
        |rule, arg| {
            single::<u16>(rule, arg, false, |decoded| {
                Some(be16(ip4(decoded)?.header, 4)?.into())
            })
        },
    ),
    Keyword::call(
        "ipopts",
        "rr|eol|nop|ts|sec|esec|lsrr|ssrr|satid|qs|rtralt|cipso|any",
        "The IPv4 header has this option.",
        ipopts,
    ),
    Keyword::call(
        "fragbits",
        "[+|*|!]MDR",
        "More fragments, don't fragment, reserved: exactly these bits, + these and others, * any of them, ! not all of them.",
        fragbits,
    ),
    Keyword::call(
        "fragoffset",
        "[<|>]number",
        "The fragment offset: of IPv4 in units of 8 bytes, of IPv6 in bytes.",
        fragoffset,
    ),
    Keyword::call(
        "ip_proto",
        "[!|<|>]number|name",
        "The protocol that IP carries.",
        ip_proto,
    ),
    Keyword::call(
        "sameip",
        "",
        "Source and destination have one address.",
        sameip,
    ),
    Keyword::call("l3_proto", "ipv4|ipv6", "The version of IP.", l3_proto),
    Keyword::call(
        "geoip",
        "",
        "The country of an address; not supported.",
        geoip,
    ),
    Keyword::call("ipv4.hdr", "", "The IPv4 header.", |rule, arg| {
        header(rule, arg, &IPV4, None)
    }),
    Keyword::call(
        "ipv6.hdr",
        "",
        "The IPv6 header with its extension headers.",
        |rule, arg| header(rule, arg, &IPV6, None),
    ),
    Keyword::sticky("ip.src", "The source address, 4 or 16 bytes.", &SRC),
    Keyword::sticky("ip.dst", "The destination address, 4 or 16 bytes.", &DST),
    Keyword::call(
        "ipv4-csum",
        "valid|invalid",
        "The checksum of the IPv4 header.",
        |rule, arg| sum(rule, arg, 4, Checksum::Ipv4),
    ),
    Keyword::call(
        "tcpv4-csum",
        "valid|invalid",
        "The checksum of TCP over IPv4.",
        |rule, arg| sum(rule, arg, 4, Checksum::Tcp),
    ),
    Keyword::call(
        "tcpv6-csum",
        "valid|invalid",
        "The checksum of TCP over IPv6.",
        |rule, arg| sum(rule, arg, 6, Checksum::Tcp),
    ),
    Keyword::call(
        "udpv4-csum",
        "valid|invalid",
        "The checksum of UDP over IPv4.",
        |rule, arg| sum(rule, arg, 4, Checksum::Udp),
    ),
    Keyword::call(
        "udpv6-csum",
        "valid|invalid",
        "The checksum of UDP over IPv6.",
        |rule, arg| sum(rule, arg, 6, Checksum::Udp),
    ),
    Keyword::call(
        "icmpv4-csum",
        "valid|invalid",
        "The checksum of ICMP.",
        |rule, arg| sum(rule, arg, 4, Checksum::Icmp),
    ),
    Keyword::call(
        "icmpv6-csum",
        "valid|invalid",
        "The checksum of ICMPv6.",
        |rule, arg| sum(rule, arg, 6, Checksum::Icmp),
    ),
];

fn tos(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let (negated, text) = match value.text.strip_prefix('!') {
        Some(rest) => (true, value.part(rest).trim()),
        None => (false, value),
    };
    let hexadecimal = text.text.strip_prefix(['x', 'X']);
    let tos = match hexadecimal {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => text.text.parse(),
    };
    let is_number = text.text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let tos = tos.ok().filter(|_| is_number).ok_or_else(|| {
        text.wrong(format!("{:?} is no type of service", text.text))
            .mend("write a number up to 255, or x and two hexadecimal digits")
    })?;
    holds(rule, move |decoded| {
        ip4(decoded).is_some_and(|ip| (ip.tos == tos) != negated)
    });
    Ok(())
}

/// Names of IPv4 options (IANA IP option numbers).
const OPTIONS: &[(&str, u8)] = &[
    ("eol", 0),
    ("nop", 1),
    ("rr", 7),
    ("qs", 25),
    ("ts", 68),
    ("sec", 130),
    ("lsrr", 131),
    ("esec", 133),
    ("cipso", 134),
    ("satid", 136),
    ("ssrr", 137),
    ("rtralt", 148),
];

fn ipopts(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let name = value.text.to_ascii_lowercase();
    if name == "any" {
        holds(rule, |decoded| options(decoded).next().is_some());
        return Ok(());
    }
    let named = OPTIONS.iter().find(|(known, _)| *known == name);
    let Some((_, kind)) = named else {
        return Err(value
            .wrong(format!("{:?} is no option of IPv4", value.text))
            .mend(format!("write one of {}", Keyword::usage("ipopts"))));
    };
    holds(rule, |decoded| {
        options(decoded).any(|option| option == *kind)
    });
    Ok(())
}

/// The kinds of a packet's IPv4 options.
fn options(decoded: &Decoded<'_>) -> impl Iterator<Item = u8> {
    let mut rest = ip4(decoded).map_or(&[][..], |ip| ip.options);
    std::iter::from_fn(move || {
        let (kind, behind) = rest.split_first()?;
        rest = match kind {
            0 => &[],
            1 => behind,
            _ => {
                let len = usize::from(*behind.first()?).max(2);
                rest.get(len..).unwrap_or_default()
            }
        };
        Some(*kind)
    })
}

/// How bits of a header must be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bits {
    /// These and no others.
    Exactly,
    /// These, whatever the others are.
    All,
    /// These and others.
    More,
    /// One of these at least.
    Any,
    /// Not all of these.
    Not,
}

impl Bits {
    pub(super) fn of(letter: char) -> Option<Self> {
        Some(match letter {
            '+' => Self::All,
            '*' => Self::Any,
            '!' => Self::Not,
            _ => return None,
        })
    }

    pub(super) fn hold(self, bits: u8, wanted: u8) -> bool {
        match self {
            Self::Exactly => bits == wanted,
            Self::All => bits & wanted == wanted,
            Self::More => bits & wanted == wanted && bits != wanted,
            Self::Any => bits & wanted != 0,
            Self::Not => bits & wanted != wanted,
        }
    }
}

fn fragbits(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let (mut wanted, mut how) = (0, Bits::Exactly);
    for letter in value.text.chars() {
        match letter {
            'M' => wanted |= MORE,
            'D' => wanted |= DONT,
            'R' => wanted |= RESERVED,
            ' ' | ',' => {}
            other => {
                how = Bits::of(other)
                    .filter(|_| how == Bits::Exactly)
                    .ok_or_else(|| {
                        value
                            .wrong(format!("{:?} are no fragment bits", value.text))
                            .mend("write M, D and R, and one of + * ! in front")
                    })?;
                if how == Bits::All {
                    how = Bits::More;
                }
            }
        }
    }
    if wanted == 0 {
        return Err(value
            .wrong(format!("{:?} names no fragment bits", value.text))
            .mend("write M, D or R"));
    }
    holds(rule, move |decoded| {
        let bits = ip4(decoded).and_then(|ip| ip.header.get(6).copied());
        bits.is_some_and(|bits| how.hold(bits & (RESERVED | DONT | MORE), wanted))
    });
    Ok(())
}

/// The bits of an IPv4 header's seventh byte (RFC 791 section 3.1).
const RESERVED: u8 = 0x80;
const DONT: u8 = 0x40;
const MORE: u8 = 0x20;

fn fragoffset(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    if value.text.starts_with(['!', '=', '&'])
        || value.text.contains("<>")
        || value.text.contains('-')
    {
        return Err(value
            .wrong(format!("{:?} is no fragment offset", value.text))
            .mend("write a number, <number or >number"));
    }
    compared(rule, arg, 0..=65_535, |decoded| {
        let ip = decoded.ip?;
        match ip.src.is_ipv4() {
            true => Some(u64::from(be16(ip.header, 6)? & 0x1fff)),
            false => ip6_fragment(&ip),
        }
    })
}

/// The fragment offset of IPv6, also of a packet that is its only fragment (RFC 6946).
fn ip6_fragment(ip: &Ip<'_>) -> Option<u64> {
    let is_only = ip.fragment.is_none() && ip.has_fragment_header();
    let offset = ip.fragment.map(|fragment| fragment.offset);
    offset.or(is_only.then_some(0)).map(u64::from)
}

fn ip_proto(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    if rule.header.protocol.layer != Layer::Ip(None) || rule.header.protocol.apps != Apps::NONE {
        return Err(arg
            .name
            .wrong("ip_proto in a rule that names a protocol already")
            .mend("write ip as the protocol of the rule's header"));
    }
    let value = arg.value()?;
    let operator = value.text.strip_prefix(['!', '<', '>']);
    let text = value.part(operator.unwrap_or(value.text)).trim();
    let protocol = u64::from(protocol(text)?);
    let number = match value.text.chars().next().filter(|_| operator.is_some()) {
        Some('!') => Number::IsNot(protocol),
        Some('<') => Number::Below(protocol),
        Some(_) => Number::Above(protocol),
        None => Number::Is(protocol),
    };
    rule.of_packet(Box::new(Carries(number)));
    Ok(())
}

/// The protocol that IP carries.
#[derive(Debug)]
struct Carries(Number);

impl Condition for Carries {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        self.at_once(scene) == Some(true)
    }

    fn at_once(&self, scene: &Scene<'_>) -> Option<bool> {
        let ip = scene.packet.and_then(|packet| packet.decoded.ip);
        Some(ip.is_some_and(|ip| self.0.holds(ip.protocol.into())))
    }

    fn subject(&self) -> Subject {
        Subject::Ends
    }
}

fn protocol(text: Piece<'_>) -> Result<u8, Problem> {
    let name = text.text.to_ascii_lowercase();
    let named = PROTOCOLS.iter().find(|(known, _)| *known == name);
    let number = text.text.parse().ok().filter(|_| !name.starts_with('+'));
    named.map(|(_, number)| *number).or(number).ok_or_else(|| {
        text.wrong(format!("{:?} is no protocol of IP", text.text))
            .mend("write its number (IANA protocol numbers), or a name as icmp, tcp or gre")
    })
}

/// Names of protocols (IANA protocol numbers).
const PROTOCOLS: &[(&str, u8)] = &[
    ("ip", 0),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ggp", 3),
    ("ipencap", 4),
    ("st", 5),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("pup", 12),
    ("udp", 17),
    ("hmp", 20),
    ("xns-idp", 22),
    ("rdp", 27),
    ("iso-tp4", 29),
    ("dccp", 33),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("idrp", 45),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("skip", 57),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("rspf", 73),
    ("cphb", 73),
    ("vmtp", 81),
    ("eigrp", 88),
    ("ospf", 89),
    ("ax.25", 93),
    ("ipip", 94),
    ("etherip", 97),
    ("encap", 98),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("isis", 124),
    ("sctp", 132),
    ("fc", 133),
    ("mobility-header", 135),
    ("udplite", 136),
    ("mpls-in-ip", 137),
    ("manet", 138),
    ("hip", 139),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
];

fn sameip(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    holds(rule, |decoded| {
        decoded.ip.is_some_and(|ip| ip.src == ip.dst)
    });
    Ok(())
}

fn l3_proto(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let version = match &*value.text.to_ascii_lowercase() {
        "ipv4" | "ip4" => 4,
        "ipv6" | "ip6" => 6,
        _ => {
            let message = format!("{:?} is no version of IP", value.text);
            return Err(value.wrong(message).mend("write ipv4 or ipv6"));
        }
    };
    if let Layer::Ip(Some(named)) | Layer::Icmp(Some(named)) = rule.header.protocol.layer
        && named != version
    {
        return Err(value
            .wrong("another version of IP than that of the rule's header")
            .mend("name it once"));
    }
    rule.conditions.push(Box::new(Version(version)));
    Ok(())
}

/// The version of IP.
#[derive(Debug)]
struct Version(u8);

impl Condition for Version {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        self.at_once(scene) == Some(true)
    }

    fn at_once(&self, scene: &Scene<'_>) -> Option<bool> {
        let tuple = scene.tuple;
        Some(tuple.is_some_and(|tuple| tuple.src.is_ipv4() == (self.0 == 4)))
    }

    fn subject(&self) -> Subject {
        Subject::Ends
    }
}

fn geoip(_: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    Err(arg
        .name
        .unsupported("geoip is not supported: there is no database of countries")
        .mend("write the networks that are meant as addresses of the header"))
}

static IPV4: Buffer = buffer("ipv4.hdr", |scene, values| {
    let ip = scene.packet.and_then(|packet| ip4(packet.decoded));
    values.maybe(ip.map(|ip| ip.header));
});

// of fragments, other sensors show the fixed header alone
static IPV6: Buffer = buffer("ipv6.hdr", |scene, values| {
    let ip = scene.packet.and_then(|packet| ip6(packet.decoded));
    values.maybe(ip.and_then(|ip| match ip.fragment {
        Some(_) => ip.header.get(..IP6_LEN),
        None => Some(ip.header),
    }));
});

/// Length of the fixed header of IPv6 (RFC 8200 section 3).
const IP6_LEN: usize = 40;

static SRC: Buffer = buffer("ip.src", |scene, values| {
    if let Some(tuple) = scene.tuple {
        values.made(octets(tuple.src));
    }
});

static DST: Buffer = buffer("ip.dst", |scene, values| {
    if let Some(tuple) = scene.tuple {
        values.made(octets(tuple.dst));
    }
});

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A buffer of packets.
pub(super) const fn buffer(
    name: &'static str,
    get: for<'s> fn(&Scene<'s>, &mut Values<'s>),
) -> Buffer {
    Buffer {
        name,
        apps: Apps::NONE,
        sides: Sides::Both,
        stage: Stage::Packet,
        multiple: false,
        get,
    }
}

/// A keyword about a checksum.
fn sum(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    version: u8,
    checksum: Checksum,
) -> Result<(), Problem> {
    let value = arg.value()?;
    let wanted = match &*value.text.to_ascii_lowercase() {
        "valid" => true,
        "invalid" => false,
        _ => {
            return Err(value
                .wrong(format!("{:?} says nothing of a checksum", value.text))
                .mend("write valid or invalid"));
        }
    };
    holds(rule, move |decoded| {
        let is_of = decoded
            .ip
            .is_some_and(|ip| ip.src.is_ipv4() == (version == 4));
        is_of && checksum_holds(decoded, checksum) == Some(wanted)
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_there_once() {
        let names = PROTOCOLS.iter().map(|(name, _)| name);
        let names: std::collections::BTreeSet<_> = names.collect();
        assert_eq!(names.len(), PROTOCOLS.len());
    }

    #[test]
    fn bits_are_compared_as_they_say() {
        for (how, bits, wanted, holds) in [
            (Bits::Exactly, 0b011, 0b011, true),
            (Bits::Exactly, 0b111, 0b011, false),
            (Bits::All, 0b111, 0b011, true),
            (Bits::All, 0b101, 0b011, false),
            (Bits::More, 0b111, 0b011, true),
            (Bits::More, 0b011, 0b011, false),
            (Bits::Any, 0b101, 0b011, true),
            (Bits::Any, 0b100, 0b011, false),
            (Bits::Not, 0b100, 0b011, true),
            (Bits::Not, 0b111, 0b011, false),
        ] {
            assert_eq!(how.hold(bits, wanted), holds, "{how:?} {bits:b} {wanted:b}");
        }
    }
}
