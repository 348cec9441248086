//! Constants in one form.

use smallvec::SmallVec;

use super::Wording;
use crate::canonical;
use crate::lease::Proto;
use crate::pattern::HashKind;
use crate::pattern::literal::{Literal, Moment, NANOS_PER_SECOND, Number};
use crate::pattern::print::Quoted;
use crate::pattern::property::Property;
use crate::pattern::tree::{Operand, Path, Step};

/// A constant as text. One without a value stays as it was written.
pub(super) fn constant(operand: &Operand<'_>) -> String {
    match Literal::of(operand) {
        Ok(Literal::Number(number)) => self::number(number, &operand.value),
        Ok(Literal::Text(text)) => Quoted(&text).to_string(),
        Ok(Literal::Truth(truth)) => truth.to_string(),
        Ok(Literal::Bytes(bytes)) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("h'{digits}'")
        }
        Ok(Literal::Time(_)) => {
            let inner = operand.value.trim_start_matches('t').trim_matches('\'');
            format!("t'{}'", time(inner))
        }
        Err(_) => operand.value.as_ref().to_owned(),
    }
}

fn number(number: Number, written: &str) -> String {
    /// Up to here a real number that is whole has one form, whole or not.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    match number {
        Number::Whole(whole) => whole.to_string(),
        Number::Real(real) if real.fract() == 0.0 && real.abs() <= WHOLE => {
            // The sign of nought says nothing.
            format!("{:.0}", real + 0.0)
        }
        // Beyond, the shortest digits of a real number are not its value as a whole one.
        Number::Real(real) if real.is_finite() && real.fract() == 0.0 => format!("{real}.0"),
        Number::Real(real) if real.is_finite() => format!("{real}"),
        Number::Real(_) => written.trim_start_matches('+').to_owned(),
    }
}

/// A timestamp, without the zeros that end its fraction, to the nanosecond; one that does not exist
/// stays as it is.
pub(super) fn time(text: &str) -> String {
    let Some(Moment(nanos)) = Moment::parse(text) else {
        return text.to_owned();
    };
    let fraction = format!("{:09}", nanos.rem_euclid(NANOS_PER_SECOND));
    let whole = text.get(..19).unwrap_or(text);
    // A leap second is the second before it.
    let whole = match whole.strip_suffix(":60") {
        Some(minute) => format!("{minute}:59"),
        None => whole.to_owned(),
    };
    match fraction.trim_end_matches('0') {
        "" => format!("{whole}Z"),
        fraction => format!("{whole}.{fraction}Z"),
    }
}

/// The steps of a path; with names, hash algorithms as STIX spells them.
pub(super) fn steps<'p>(path: &'p Path<'_>, wording: Wording) -> SmallVec<[Step<'p>; 2]> {
    let borrowed = |step: &'p Step<'_>| match step {
        Step::Key(key) => Step::Key(key.as_ref().into()),
        Step::Any => Step::Any,
        Step::Index(index) => Step::Index(*index),
    };
    let mut steps: SmallVec<[Step<'p>; 2]> = path.steps.iter().map(borrowed).collect();
    let named = (wording == Wording::Named).then(|| path.hash_algorithm());
    if let Some(name) = named.flatten().and_then(algorithm) {
        steps.pop();
        steps.push(Step::Key(name.into()));
    }
    steps
}

/// The name of a hash algorithm in STIX's vocabulary (section 10.7).
fn algorithm(key: &str) -> Option<&'static str> {
    const NAMES: [&str; 7] = [
        "MD5", "SHA-1", "SHA-256", "SHA-512", "SHA3-256", "SHA3-512", "SSDEEP",
    ];
    let plain = |name: &str| name.replace(['-', '_'], "").to_ascii_uppercase();
    let wanted = plain(key);
    NAMES.into_iter().find(|name| plain(name) == wanted)
}

/// A string that is compared for equality with a property whose values have one form; as it is
/// when it is none of them.
pub(super) fn named(path: &Path<'_>, text: &str) -> String {
    let Ok(property) = Property::of(path) else {
        let hexadecimal = path.hash_algorithm().and_then(algorithm) != Some("SSDEEP")
            && path.hash_algorithm().is_some()
            && text.bytes().all(|b| b.is_ascii_hexdigit());
        return match hexadecimal {
            true => text.to_ascii_lowercase(),
            false => text.to_owned(),
        };
    };
    let canonical = match property {
        Property::Ipv4 | Property::Ipv6 | Property::Src | Property::Dst => address(text),
        Property::Domain => canonical::domain(text),
        // What is after # never leaves the client, but tells two strings apart.
        Property::Url => canonical::url(text).filter(|_| !text.contains('#')),
        Property::Hash(kind) => hash(kind, text),
        Property::Ja3 => canonical::ja3(text),
        Property::Ja4 => canonical::ja4(text),
        Property::Protocol => Proto::from_name(text).map(|proto| proto.name().into()),
        Property::SrcType | Property::DstType | Property::DstPort => None,
    };
    canonical.map_or_else(|| text.to_owned(), String::from)
}

fn hash(kind: HashKind, text: &str) -> Option<Box<str>> {
    canonical::hash(kind, text)
}

/// An address or a network without host bits. IPv4 inside IPv6 stays as it is: it is no value of an
/// `ipv4-addr`.
fn address(text: &str) -> Option<Box<str>> {
    let net: ipnet::IpNet = match text.contains('/') {
        true => text.parse().ok()?,
        false => text.parse::<std::net::IpAddr>().ok()?.into(),
    };
    let form = network(net);
    let same_family = form.contains(':') == text.contains(':');
    (net.trunc() == net && same_family).then(|| form.into())
}

/// A network in its form; a whole address without the length of its prefix.
pub(super) fn network(net: ipnet::IpNet) -> String {
    let net = canonical::network_of(net);
    match net.prefix_len() == net.max_prefix_len() {
        true => net.addr().to_string(),
        false => net.to_string(),
    }
}
