//! The properties that can be enforced, and what their constants mean.

use std::net::IpAddr;

use ipnet::IpNet;

use super::enforceable::{Draft, Traffic};
use super::error::Refusal;
use super::lexer::Constant;
use super::tree::{Operand, Path, Step};
use super::{HashKind, Term};
use crate::canonical;
use crate::lease::Proto;

/// A property that can be enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Property {
    Ipv4,
    Ipv6,
    Domain,
    Url,
    Hash(HashKind),
    Ja3,
    Ja4,
    Src,
    Dst,
    SrcType,
    DstType,
    DstPort,
    Protocol,
}

impl Property {
    /// The property that a path names.
    pub(super) fn of(path: &Path<'_>) -> Result<Self, Refusal> {
        let keys: Vec<&str> = path.steps.iter().map(step_name).collect();
        let found = match (path.object, keys.as_slice()) {
            ("ipv4-addr", ["value"]) => Some(Self::Ipv4),
            ("ipv6-addr", ["value"]) => Some(Self::Ipv6),
            ("domain-name", ["value"]) => Some(Self::Domain),
            ("url", ["value"]) => Some(Self::Url),
            ("file", ["hashes", algorithm]) => hash_kind(algorithm).map(Self::Hash),
            ("network-traffic", ["src_ref", "value"]) => Some(Self::Src),
            ("network-traffic", ["dst_ref", "value"]) => Some(Self::Dst),
            ("network-traffic", ["src_ref", "type"]) => Some(Self::SrcType),
            ("network-traffic", ["dst_ref", "type"]) => Some(Self::DstType),
            ("network-traffic", ["dst_port"]) => Some(Self::DstPort),
            ("network-traffic", ["protocols", ANY]) => Some(Self::Protocol),
            ("network-traffic", ["extensions", "tls-ext", "ja3" | "ja3_hash"]) => Some(Self::Ja3),
            ("network-traffic", ["extensions", "tls-ext", "ja4" | "ja4_hash"]) => Some(Self::Ja4),
            _ => None,
        };
        found.ok_or_else(|| {
            let what = format!("the property {} is not supported", path.text);
            Refusal::unsupported(path.at, what, SUPPORTED)
        })
    }

    /// Whether `ISSUBSET` has a meaning for it.
    pub(super) const fn is_address(self) -> bool {
        matches!(self, Self::Ipv4 | Self::Ipv6 | Self::Src | Self::Dst)
    }

    /// What a test of this property against a constant asks for.
    pub(super) fn draft(self, operand: &Operand<'_>, subset: bool) -> Result<Draft, Refusal> {
        let whole = |text: Option<Box<str>>, of: fn(Box<str>) -> Term, name| {
            text.map(of)
                .map(Draft::Whole)
                .ok_or_else(|| not_a(operand, name))
        };
        let text = if self == Self::DstPort {
            ""
        } else {
            string(operand)?
        };
        let traffic = match self {
            Self::Ipv4 | Self::Ipv6 => {
                let net = address(operand, text, Some(self == Self::Ipv6), subset)?;
                return Ok(Draft::Whole(Term::Address(net)));
            }
            Self::Domain => return whole(canonical::domain(text), Term::Domain, "a domain name"),
            Self::Url => {
                return whole(
                    canonical::url(text),
                    Term::Url,
                    "a URL with scheme and host",
                );
            }
            Self::Ja3 => return whole(canonical::ja3(text), Term::Ja3, "a JA3 hash"),
            Self::Ja4 => return whole(canonical::ja4(text), Term::Ja4, "a JA4 fingerprint"),
            Self::Hash(algorithm) => {
                let value = canonical::hash(algorithm, text);
                let value = value.ok_or_else(|| not_a(operand, algorithm.name()))?;
                return Ok(Draft::Whole(Term::FileHash { algorithm, value }));
            }
            Self::Src => Traffic {
                src: Some(address(operand, text, None, subset)?),
                ..Traffic::NONE
            },
            Self::Dst => Traffic {
                dst: Some(address(operand, text, None, subset)?),
                ..Traffic::NONE
            },
            Self::SrcType => Traffic {
                src_is_v6: Some((is_v6(operand, text)?, operand.at)),
                ..Traffic::NONE
            },
            Self::DstType => Traffic {
                dst_is_v6: Some((is_v6(operand, text)?, operand.at)),
                ..Traffic::NONE
            },
            Self::DstPort => Traffic {
                dst_port: Some(port(operand)?),
                ..Traffic::NONE
            },
            Self::Protocol => Traffic {
                protocol: Some(protocol(operand, text)?),
                ..Traffic::NONE
            },
        };
        Ok(Draft::Traffic(traffic))
    }
}

const SUPPORTED: &str = "supported are the value of ipv4-addr, ipv6-addr, domain-name and url, \
                         file:hashes (MD5, SHA-1, SHA-256), and of network-traffic src_ref.value, \
                         dst_ref.value, dst_port, protocols[*] and extensions.'tls-ext' (ja3, ja4)";

/// Stands for `[*]`; no key is named so, for a key has no control character.
const ANY: &str = "\u{0}any";

fn step_name<'s>(step: &'s Step<'_>) -> &'s str {
    match step {
        Step::Key(key) if !key.starts_with('\u{0}') => key,
        Step::Any => ANY,
        Step::Key(_) | Step::Index(_) => "\u{0}other",
    }
}

/// The hash function of a key, however it is written: `SHA-256`, `sha256`, `SHA_256`.
fn hash_kind(key: &str) -> Option<HashKind> {
    let plain: String = key.chars().filter(|c| !matches!(c, '-' | '_')).collect();
    match plain.to_ascii_uppercase().as_str() {
        "MD5" => Some(HashKind::Md5),
        "SHA1" => Some(HashKind::Sha1),
        "SHA256" => Some(HashKind::Sha256),
        _ => None,
    }
}

fn string<'o>(operand: &'o Operand<'_>) -> Result<&'o str, Refusal> {
    match operand.constant == Constant::Text {
        true => Ok(&operand.value),
        false => Err(not_a(operand, "a string")),
    }
}

/// An address or network. With `=`, host bits beside a prefix length leave open whether the
/// address or the network is meant, so that is refused; `ISSUBSET` can only mean the network.
fn address(
    operand: &Operand<'_>,
    text: &str,
    v6: Option<bool>,
    subset: bool,
) -> Result<IpNet, Refusal> {
    let name = match v6 {
        Some(true) => "an IPv6 address or network",
        Some(false) => "an IPv4 address or network",
        None => "an IP address or network",
    };
    if v6.is_some_and(|v6| v6 != text.contains(':')) {
        return Err(not_a(operand, name));
    }
    let written = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let written = written.map_err(|_| not_a(operand, name))?;
    match subset || written == written.trunc() {
        true => Ok(canonical::network_of(written)),
        false => {
            let what = format!("{text:?} is an address and a network at once");
            let mend = "write the address alone, or ISSUBSET and the network";
            Err(Refusal::value(operand.at, what, mend))
        }
    }
}

fn is_v6(operand: &Operand<'_>, text: &str) -> Result<bool, Refusal> {
    match text {
        "ipv4-addr" => Ok(false),
        "ipv6-addr" => Ok(true),
        _ => {
            let what = format!("traffic with a reference to {text:?} is not supported");
            Err(Refusal::unsupported(operand.at, what, SUPPORTED))
        }
    }
}

fn port(operand: &Operand<'_>) -> Result<u16, Refusal> {
    let integer = (operand.constant == Constant::Integer).then_some(&operand.value);
    let number = integer.and_then(|text| text.parse().ok());
    number.ok_or_else(|| not_a(operand, "a port, an integer from 0 to 65535"))
}

fn protocol(operand: &Operand<'_>, text: &str) -> Result<Proto, Refusal> {
    Proto::from_name(text).ok_or_else(|| {
        let what = format!("the protocol {text:?} is not supported");
        Refusal::unsupported(
            operand.at,
            what,
            "supported are tcp, udp, icmp and ipv6-icmp",
        )
    })
}

fn not_a(operand: &Operand<'_>, name: &str) -> Refusal {
    const SHOWN_CHARS_MAX: usize = 80;
    let shown: String = operand.value.chars().take(SHOWN_CHARS_MAX).collect();
    Refusal::value(
        operand.at,
        format!("{shown:?} is not {name}"),
        "correct the constant",
    )
}
