//! DCE/RPC, over TCP and UDP and through named pipes of SMB.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a keyword asks of one kind of message"
)]

use packet::applayer::dcerpc::{Dcerpc, Interface, Stubs};
use packet::applayer::smb::{Call, Detail, Smb};
use packet::{AppProto, Direction};

use super::app::{self, Get};
use super::number::Number;
use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "dcerpc.iface",
        "uuid[,[<|>|=|!]version][,any_frag]",
        "The interface that is called.",
        interface,
    ),
    Keyword::call(
        "dce_iface",
        "uuid[,[<|>|=|!]version][,any_frag]",
        "The interface that is called.",
        interface,
    ),
    Keyword::call(
        "dcerpc.opnum",
        "number|from-to[,...]",
        "The operation that is called.",
        opnum,
    ),
    Keyword::call(
        "dce_opnum",
        "number|from-to[,...]",
        "The operation that is called.",
        opnum,
    ),
    Keyword::sticky(
        "dcerpc.stub_data",
        "What a call or its answer carries.",
        &STUB,
    ),
    Keyword::sticky("dce_stub_data", "What a call or its answer carries.", &STUB),
];

const fn buffer(name: &'static str, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Dcerpc, AppProto::Smb], Sides::Both, get)
}

/// There is a call; its interfaces are looked at in its transaction.
static INTERFACE: Buffer = buffer("dcerpc.iface", |scene, values| {
    values.maybe(interfaces(scene).map(|_| &[][..]));
});

static OPNUM: Buffer = buffer("dcerpc.opnum", |scene, values| {
    app::push(values, opnum_of(scene));
});

static STUB: Buffer = buffer("dcerpc.stub_data", |scene, values| {
    let stubs = stubs(scene).map(|stubs| match scene.direction {
        Direction::ToServer => &stubs.request,
        Direction::ToClient => &stubs.response,
    });
    values.maybe(stubs.filter(|stub| !stub.is_empty()).map(Vec::as_slice));
});

/// Whether a buffer is the data of calls.
pub(super) fn is_stub(buffer: Option<&'static Buffer>) -> bool {
    buffer.is_some_and(|buffer| std::ptr::eq(buffer, &STUB))
}

/// Whether the numbers of the call at hand are little-endian.
pub(super) fn is_little(scene: &Scene<'_>) -> bool {
    stubs(scene).is_some_and(|stubs| stubs.is_little(scene.direction))
}

/// A kind of message: a call.
const REQUEST: u8 = 0;

fn call<'s>(scene: &Scene<'s>) -> Option<&'s Call> {
    match &scene.of::<Smb>()?.detail {
        Detail::Dcerpc(call) => Some(call),
        _ => None,
    }
}

fn stubs<'s>(scene: &Scene<'s>) -> Option<&'s Stubs> {
    let alone = scene.of::<Dcerpc>().map(|call| &call.stubs);
    alone.or_else(|| call(scene).map(|call| &call.stubs))
}

/// The interfaces of a call, not those of a bind.
fn interfaces<'s>(scene: &Scene<'s>) -> Option<&'s [Interface]> {
    let alone = scene.of::<Dcerpc>().filter(|call| asks(call));
    let alone = alone.map(|call| &*call.interfaces);
    let piped = || call(scene).filter(|call| call.request == Some(REQUEST));
    alone.or_else(|| piped().map(|call| &*call.interfaces))
}

fn opnum_of(scene: &Scene<'_>) -> Option<u16> {
    let alone = scene.of::<Dcerpc>().filter(|call| asks(call));
    let alone = alone.map(|call| call.opnum);
    let piped = || call(scene).filter(|call| call.request == Some(REQUEST));
    alone.or_else(|| piped().map(|call| call.opnum))
}

fn asks(call: &Dcerpc) -> bool {
    call.request.is_some_and(|request| request.kind == REQUEST)
}

/// An interface, of such a version.
#[derive(Debug)]
struct Called {
    uuid: [u8; 16],
    version: Option<Number>,
}

impl Check for Called {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let mut interfaces = interfaces(walk.scene).into_iter().flatten();
        interfaces.any(|interface| {
            interface.uuid.0 == self.uuid
                && self
                    .version
                    .is_none_or(|version| version.holds(interface.version.0.into()))
        })
    }
}

fn interface(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let mut parts = value.split(',');
    let uuid = uuid(parts.next().unwrap_or(value))?;
    let mut version = None;
    let mut rest = parts.next();
    if let Some(part) = rest.filter(|part| part.text != "any_frag") {
        version = Some(Number::parse(part, 0..=65_535)?);
        rest = parts.next();
    }
    // every fragment counts for the call that it is of
    let is_known = rest.is_none_or(|part| part.text == "any_frag") && parts.next().is_none();
    if !is_known {
        return Err(value
            .wrong("more than an interface and its version")
            .mend("write uuid,version,any_frag"));
    }
    let called = Called { uuid, version };
    rule.ask_of(&INTERFACE, Step::Check(Box::new(called)), arg.name)
}

/// An identifier as it is written: `367abb81-9844-35f1-ad32-98f038001003`.
fn uuid(text: Piece<'_>) -> Result<[u8; 16], Problem> {
    let wrong = || {
        text.wrong(format!("{:?} is no UUID", text.text))
            .mend("write it as 367abb81-9844-35f1-ad32-98f038001003")
    };
    let lens = text.text.split('-').map(str::len);
    if !lens.eq([8, 4, 4, 4, 12]) {
        return Err(wrong());
    }
    let digits = text.text.replace('-', "");
    let number = u128::from_str_radix(&digits, 16).map_err(|_e| wrong())?;
    Ok(number.to_be_bytes())
}

/// One of several ranges, both ends included.
#[derive(Debug)]
struct OneOf(Vec<(u64, u64)>);

impl Check for OneOf {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let number = walk
            .bytes
            .first_chunk()
            .map(|word| u64::from_be_bytes(*word));
        number.is_some_and(|number| {
            let mut ranges = self.0.iter();
            ranges.any(|(from, to)| (from..=to).contains(&&number))
        })
    }
}

fn opnum(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let range = |part: &str| {
        let part = value.part(part);
        let (from, to) = part.text.split_once('-').unwrap_or((part.text, part.text));
        let (from, to) = (
            number::<u32>(value.part(from))?,
            number::<u32>(value.part(to))?,
        );
        match from <= to {
            true => Ok((from.into(), to.into())),
            false => Err(part
                .wrong("a range that holds nothing")
                .mend("write the smaller number first")),
        }
    };
    let ranges = value.text.split(',').map(range).collect::<Result<_, _>>()?;
    rule.ask_of(&OPNUM, Step::Check(Box::new(OneOf(ranges))), arg.name)
}
