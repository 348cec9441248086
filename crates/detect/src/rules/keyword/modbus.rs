//! Modbus: what a request asks for.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a keyword asks of one kind of message"
)]

use packet::AppProto;
use packet::applayer::modbus::{Body, Exchange, Message};

use super::number::Number;
use super::{Arg, Keyword, app, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[Keyword::call(
    "modbus",
    "[unit number,] function code[, subfunction code] | function [!]category | access read|write [type][, address number[, value number]]",
    "What a request asks for. Addresses count from 1; categories are assigned, unassigned, public, user, reserved, all; types are discretes, coils, input, holding.",
    modbus,
)];

static REQUEST: Buffer = app::buffer(
    "modbus",
    &[AppProto::Modbus],
    Sides::Client,
    |scene, values| {
        values.maybe(request(scene).map(|_| &[][..]));
    },
);

fn request<'s>(scene: &Scene<'s>) -> Option<&'s Message> {
    scene.of::<Exchange>()?.request.as_ref()
}

/// What is asked of a request.
#[derive(Debug)]
enum Ask {
    Unit(Number),
    Function(u8),
    Subfunction(u16),
    /// The category of its function, by parts of its name, or another one.
    Category(&'static [&'static str], bool),
    Access(Access),
}

/// Access to coils or registers.
#[derive(Debug)]
struct Access {
    is_write: bool,
    /// Any when none is named.
    kind: Option<Kind>,
    address: Option<Number>,
    value: Option<Number>,
}

/// What is accessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Discretes,
    Coils,
    Input,
    Holding,
}

impl Check for Ask {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        request(walk.scene).is_some_and(|request| match self {
            Self::Unit(unit) => unit.holds(request.unit_id.into()),
            Self::Function(code) => request.function == *code,
            Self::Subfunction(code) => match &request.body {
                Body::Diagnostic(sub, _) => sub == code,
                Body::Interface(kind, _) => u16::from(*kind) == *code,
                _ => false,
            },
            Self::Category(parts, negated) => {
                let category = request.category();
                category != "NONE" && parts.contains(&category) != *negated
            }
            Self::Access(access) => access.holds(request),
        })
    }
}

impl Access {
    fn holds(&self, request: &Message) -> bool {
        let Some((reads, writes, kind)) = accessed(request.function) else {
            return false;
        };
        let is_way = if self.is_write { writes } else { reads };
        is_way
            && self.kind.is_none_or(|wanted| wanted == kind)
            && self.address.is_none_or(|address| touches(request, address))
            && self
                .value
                .is_none_or(|value| self.writes(request, kind, value))
    }

    /// Whether such a value is written to the address, which must be a single one.
    fn writes(&self, request: &Message, kind: Kind, value: Number) -> bool {
        let (Some(Number::Is(address)), Some((first, _))) = (self.address, range(request)) else {
            return false;
        };
        let Some(written) = address
            .checked_sub(first)
            .and_then(|at| usize::try_from(at).ok())
            .and_then(|at| written(request, kind, at))
        else {
            return false;
        };
        match value {
            Number::Is(is) => written == is,
            // Suricata compares coils for equality alone
            other if kind == Kind::Coils => other.holds(1),
            other => other.holds(written),
        }
    }
}

/// Whether a function reads, whether it writes, and what (MODBUS Application Protocol section 6).
fn accessed(function: u8) -> Option<(bool, bool, Kind)> {
    Some(match function {
        1 => (true, false, Kind::Coils),
        2 => (true, false, Kind::Discretes),
        3 => (true, false, Kind::Holding),
        4 => (true, false, Kind::Input),
        5 | 15 => (false, true, Kind::Coils),
        6 | 16 | 22 => (false, true, Kind::Holding),
        23 => (true, true, Kind::Holding),
        _ => return None,
    })
}

/// First and last of the coils or registers, counted from 1; of a request that reads and writes,
/// those that it writes.
fn range(request: &Message) -> Option<(u64, u64)> {
    let (address, quantity) = match &request.body {
        Body::Read(address, quantity)
        | Body::WriteMultiple(address, quantity, _)
        | Body::ReadWrite(_, (address, quantity, _)) => (*address, *quantity),
        Body::Write(address, _) | Body::MaskWrite(address, ..) => (*address, 1),
        _ => return None,
    };
    let first = u64::from(address).saturating_add(1);
    Some((first, u64::from(address).saturating_add(quantity.into())))
}

/// Whether one of the coils or registers has such an address.
fn touches(request: &Message, address: Number) -> bool {
    let Some((first, last)) = range(request) else {
        return false;
    };
    match address {
        Number::Above(than) => last > than,
        Number::Below(than) => first < than,
        Number::Between(from, to) => {
            first.max(from.saturating_add(1)) <= last.min(to.saturating_sub(1))
        }
        Number::Is(is) => (first..=last).contains(&is),
        _ => false,
    }
}

/// What is written to the coil or register of that number, from 0.
fn written(request: &Message, kind: Kind, at: usize) -> Option<u64> {
    let data = match &request.body {
        Body::Write(_, value) => {
            return match (at, kind) {
                (0, Kind::Coils) => Some(u64::from(*value != 0)),
                (0, _) => Some((*value).into()),
                _ => None,
            };
        }
        Body::WriteMultiple(.., data) | Body::ReadWrite(_, (.., data)) => data,
        _ => return None,
    };
    if kind == Kind::Coils {
        let byte = data.get(at / 8)?;
        return Some((byte >> (at % 8) & 1).into());
    }
    let (words, _) = data.as_chunks::<2>();
    words.get(at).map(|word| u16::from_be_bytes(*word).into())
}

fn modbus(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let mut parts = value.split(',').peekable();
    let wrong = |part: Piece<'_>| {
        part.wrong(format!("{:?} is nothing that modbus knows here", part.text))
            .mend("write unit, function or access as the reference says")
    };
    let mut asks = Vec::new();
    if let Some(unit) = parts.peek().and_then(|part| behind(*part, "unit")) {
        asks.push(Ask::Unit(compared(unit, 0)?));
        parts.next();
    }
    match parts.next() {
        None => {}
        Some(part) => {
            if let Some(function) = behind(part, "function") {
                asks.push(self::function(function)?);
                if let Some(sub) = parts.next() {
                    let code = behind(sub, "subfunction").ok_or_else(|| wrong(sub))?;
                    asks.push(Ask::Subfunction(number(code)?));
                }
            } else if let Some(access) = behind(part, "access") {
                let mut access = self::access(access)?;
                if let Some(part) = parts.next() {
                    let address = behind(part, "address").ok_or_else(|| wrong(part))?;
                    access.address = Some(compared(address, 0)?);
                }
                if let Some(part) = parts.next() {
                    let value = behind(part, "value").filter(|_| access.is_write);
                    access.value = Some(compared(value.ok_or_else(|| wrong(part))?, 0)?);
                }
                asks.push(Ask::Access(access));
            } else {
                return Err(wrong(part));
            }
        }
    }
    if let Some(more) = parts.next() {
        return Err(wrong(more));
    }
    for ask in asks {
        rule.ask_of(&REQUEST, Step::Check(Box::new(ask)), arg.name)?;
    }
    Ok(())
}

/// What stands behind a word.
fn behind<'t>(part: Piece<'t>, word: &str) -> Option<Piece<'t>> {
    let rest = part.text.strip_prefix(word)?;
    let rest = rest.starts_with(' ').then(|| part.part(rest).trim())?;
    (!rest.text.is_empty()).then_some(rest)
}

/// A number, or `>N`, `<N`, `N<>M`.
fn compared(text: Piece<'_>, from: u64) -> Result<Number, Problem> {
    let compared = Number::parse(text, from..=65_535)?;
    let is_plain = !text.text.contains(['!', '=', '-', '&', 'x']);
    match is_plain {
        true => Ok(compared),
        false => Err(text
            .wrong(format!(
                "{:?} is no comparison that modbus knows",
                text.text
            ))
            .mend("write N, >N, <N or N<>M")),
    }
}

fn function(text: Piece<'_>) -> Result<Ask, Problem> {
    const ASSIGNED: &str = "PUBLIC_ASSIGNED";
    const UNASSIGNED: &str = "PUBLIC_UNASSIGNED";
    const USER: &str = "USER_DEFINED";
    const RESERVED: &str = "RESERVED";
    let (negated, name) = super::content::negated(text);
    let parts: &[&str] = match name.text {
        "assigned" => &[ASSIGNED],
        "unassigned" => &[UNASSIGNED],
        "public" => &[ASSIGNED, UNASSIGNED],
        "user" => &[USER],
        "reserved" => &[RESERVED],
        "all" => &[ASSIGNED, UNASSIGNED, USER, RESERVED],
        _ => return number(text).map(Ask::Function),
    };
    Ok(Ask::Category(parts, negated))
}

fn access(text: Piece<'_>) -> Result<Access, Problem> {
    let mut words = text.text.split_ascii_whitespace();
    let (way, kind, more) = (words.next(), words.next(), words.next());
    let is_write = match way {
        Some("read") => Some(false),
        Some("write") => Some(true),
        _ => None,
    };
    let kind = match (kind, is_write) {
        (None, _) => Some(None),
        (Some("discretes"), Some(false)) => Some(Some(Kind::Discretes)),
        (Some("input"), Some(false)) => Some(Some(Kind::Input)),
        (Some("coils"), _) => Some(Some(Kind::Coils)),
        (Some("holding"), _) => Some(Some(Kind::Holding)),
        (Some(_), _) => None,
    };
    match (is_write, kind, more) {
        (Some(is_write), Some(kind), None) => Ok(Access {
            is_write,
            kind,
            address: None,
            value: None,
        }),
        _ => Err(text
            .wrong(format!("{:?} is no access", text.text))
            .mend("write read or write, and discretes, coils, input or holding behind it")),
    }
}
