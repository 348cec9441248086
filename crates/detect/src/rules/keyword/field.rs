//! Fields of a packet's headers: what conditions about them share.

use std::fmt;
use std::ops::RangeInclusive;

use packet::decode::{Decoded, Ip, Tcp, Transport};

use super::number::Number;
use super::{Arg, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::header::Layer;
use crate::rules::memory::Memory;
use crate::rules::rule::Condition;
use crate::rules::scene::{Buffer, Scene};
use crate::rules::syntax::Piece;

/// Reads a number from a packet's headers; none where the packet has no such field.
pub(super) type Get = fn(&Decoded<'_>) -> Option<u64>;

/// A number in a packet's headers is compared.
#[derive(Debug)]
struct Field {
    number: Number,
    get: Get,
}

impl Condition for Field {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        self.at_once(scene) == Some(true)
    }

    fn at_once(&self, scene: &Scene<'_>) -> Option<bool> {
        let field = scene.packet.and_then(|packet| (self.get)(packet.decoded));
        Some(field.is_some_and(|field| self.number.holds(field)))
    }
}

/// Something else holds of a packet's headers.
struct Holds<F>(F);

impl<F: Fn(&Decoded<'_>) -> bool + Send + Sync> Condition for Holds<F> {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        self.at_once(scene) == Some(true)
    }

    fn at_once(&self, scene: &Scene<'_>) -> Option<bool> {
        Some(scene.packet.is_some_and(|packet| (self.0)(packet.decoded)))
    }
}

impl<F> fmt::Debug for Holds<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holds")
    }
}

/// A keyword that compares a field with its value, as [`Number`] reads it.
pub(super) fn compared(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    range: RangeInclusive<u64>,
    get: Get,
) -> Result<(), Problem> {
    let number = Number::parse(arg.value()?, range)?;
    rule.of_packet(Box::new(Field { number, get }));
    Ok(())
}

/// An old keyword that knows but one number, and its negation where `negatable`.
pub(super) fn single<N: std::str::FromStr + Into<u64>>(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    negatable: bool,
    get: Get,
) -> Result<(), Problem> {
    let value = arg.value()?;
    let (negated, text) = match value.text.strip_prefix('!').filter(|_| negatable) {
        Some(rest) => (true, value.part(rest).trim()),
        None => (false, value),
    };
    let is_number = text.text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(text
            .wrong(format!("{:?} is no number", text.text))
            .mend(if negatable {
                "write a number, or ! and a number"
            } else {
                "write a number; this keyword knows no comparisons"
            }));
    }
    let number: u64 = number::<N>(text)?.into();
    let number = match negated {
        true => Number::IsNot(number),
        false => Number::Is(number),
    };
    rule.of_packet(Box::new(Field { number, get }));
    Ok(())
}

/// Something holds of a packet's headers.
pub(super) fn holds(
    rule: &mut Builder<'_, '_>,
    condition: impl Fn(&Decoded<'_>) -> bool + Send + Sync + 'static,
) {
    rule.of_packet(Box::new(Holds(condition)));
}

/// Contents behind a keyword look into a header, which only packets of a protocol have.
pub(super) fn header(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    protocol: Option<u8>,
) -> Result<(), Problem> {
    arg.nothing()?;
    if let Some(protocol) = protocol {
        only(rule, arg.name, protocol)?;
    }
    rule.needs_packet = true;
    rule.payload_from.packets_only = true;
    rule.enter(Some(buffer), arg.name)
}

/// A keyword is about packets of a protocol, which must be one of the rule's.
fn only(rule: &Builder<'_, '_>, at: Piece<'_>, protocol: u8) -> Result<(), Problem> {
    let layer = rule.header.protocol.layer;
    let is_frame = matches!(layer, Layer::Frame | Layer::Arp);
    match !is_frame && (layer.takes(protocol, 4) || layer.takes(protocol, 6)) {
        true => Ok(()),
        false => Err(at
            .wrong(format!("{} is of another protocol than the rule", at.text))
            .mend("change the protocol in the rule's header")),
    }
}

/// The IPv4 header.
pub(super) fn ip4<'d>(decoded: &Decoded<'d>) -> Option<Ip<'d>> {
    decoded.ip.filter(|ip| ip.src.is_ipv4())
}

/// The IPv6 header.
pub(super) fn ip6<'d>(decoded: &Decoded<'d>) -> Option<Ip<'d>> {
    decoded.ip.filter(|ip| ip.src.is_ipv6())
}

/// The TCP header.
pub(super) fn tcp<'d>(decoded: &Decoded<'d>) -> Option<Tcp<'d>> {
    match decoded.transport {
        Transport::Tcp(tcp) => Some(tcp),
        Transport::Absent
        | Transport::Esp(_)
        | Transport::Icmp4(_)
        | Transport::Icmp6(_)
        | Transport::Other(_)
        | Transport::Sctp(..)
        | Transport::Udp(_)
        | Transport::Unsound(..) => None,
    }
}

/// Two bytes of a header, in network byte order.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*two))
}
