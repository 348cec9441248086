//! IKE.

use packet::applayer::ike::{Body, Exchange1, Key, Message};
use packet::{AppProto, Direction};

use super::app::{self, Get, U32_MAX, nameless, table};
use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides};
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky(
        "ike.init_spi",
        "The initiator's security parameter index, hexadecimal.",
        &INIT_SPI,
    ),
    Keyword::sticky(
        "ike.resp_spi",
        "The responder's security parameter index, hexadecimal.",
        &RESP_SPI,
    ),
    Keyword::call(
        "ike.exchtype",
        "number",
        "The type of the exchange.",
        |rule, arg| app::compare(rule, arg, &EXCHANGE_TYPE, 0..=255, nameless),
    ),
    Keyword::sticky("ike.vendor", "A vendor identifier, hexadecimal.", &VENDOR),
    Keyword::call(
        "ike.chosen_sa_attribute",
        "alg_enc|alg_hash|alg_auth|alg_dh|alg_prf|sa_group_type|sa_life_type|sa_life_duration|sa_key_length|sa_field_size=number",
        "An attribute of the transform that the responder takes (version 1).",
        chosen,
    ),
    Keyword::sticky(
        "ike.key_exchange_payload",
        "A key exchange (version 1).",
        &KEY_EXCHANGE,
    ),
    Keyword::call(
        "ike.key_exchange_payload_length",
        "bytes",
        "The length of a key exchange (version 1).",
        |rule, arg| app::compare(rule, arg, &KEY_EXCHANGE_LEN, 0..=U32_MAX, nameless),
    ),
    Keyword::sticky("ike.nonce_payload", "A nonce (version 1).", &NONCE),
    Keyword::call(
        "ike.nonce_payload_length",
        "bytes",
        "The length of a nonce (version 1).",
        |rule, arg| app::compare(rule, arg, &NONCE_LEN, 0..=u64::MAX, nameless),
    ),
];

const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Ike], sides, get)
}

static INIT_SPI: Buffer = buffer("ike.init_spi", Sides::Client, |scene, values| {
    if let Some(message) = message(scene) {
        values.made(hex(&message.header.init_spi));
    }
});
static RESP_SPI: Buffer = buffer("ike.resp_spi", Sides::Server, |scene, values| {
    if let Some(message) = message(scene) {
        values.made(hex(&message.header.resp_spi));
    }
});
static EXCHANGE_TYPE: Buffer = buffer("ike.exchtype", Sides::Both, |scene, values| {
    app::push(
        values,
        message(scene).map(|message| message.header.exchange),
    );
});
static VENDOR: Buffer = buffer("ike.vendor", Sides::Client, |scene, values| {
    let vendors = exchange(scene)
        .into_iter()
        .flat_map(|exchange| &exchange.vendors);
    vendors.for_each(|vendor| values.made(hex(vendor)));
})
.multiple();
static CHOSEN: Buffer = buffer("ike.chosen_sa_attribute", Sides::Server, |scene, values| {
    let taken = exchange(scene).and_then(|exchange| exchange.server_offers.first());
    let attributes = taken.into_iter().flatten();
    let numbers = attributes.flat_map(|attribute| [u64::from(attribute.kind), attribute.value]);
    app::push(values, numbers);
});
static KEY_EXCHANGE: Buffer = buffer("ike.key_exchange_payload", Sides::Both, |scene, values| {
    values.maybe(key(scene, KEY_EXCHANGE_PAYLOAD).map(|key| &*key.exchange));
});
static KEY_EXCHANGE_LEN: Buffer = buffer(
    "ike.key_exchange_payload_length",
    Sides::Both,
    |scene, values| {
        app::push(
            values,
            key(scene, KEY_EXCHANGE_PAYLOAD).map(|key| len(&key.exchange)),
        );
    },
);
static NONCE: Buffer = buffer("ike.nonce_payload", Sides::Both, |scene, values| {
    values.maybe(key(scene, NONCE_PAYLOAD).map(|key| &*key.nonce));
});
static NONCE_LEN: Buffer = buffer("ike.nonce_payload_length", Sides::Both, |scene, values| {
    app::push(values, key(scene, NONCE_PAYLOAD).map(|key| len(&key.nonce)));
});

fn message<'s>(scene: &Scene<'s>) -> Option<&'s Message> {
    scene.of()
}

fn exchange<'s>(scene: &Scene<'s>) -> Option<&'s Exchange1> {
    match &message(scene)?.body {
        Body::One(exchange) => Some(exchange),
        Body::Two(_) => None,
    }
}

/// What the sender agrees on keys, if the message has such a payload.
fn key<'s>(scene: &Scene<'s>, payload: u8) -> Option<&'s Key> {
    let exchange = exchange(scene).filter(|exchange| exchange.payloads.contains(&payload))?;
    Some(match scene.direction {
        Direction::ToServer => &exchange.client_key,
        Direction::ToClient => &exchange.server_key,
    })
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
    digits.collect::<String>().into_bytes()
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// An attribute has a value.
#[derive(Debug)]
struct Attribute(u64, u64);

impl Check for Attribute {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let (words, _) = walk.bytes.as_chunks::<8>();
        let (pairs, _) = words.as_chunks::<2>();
        pairs.iter().any(|[kind, value]| {
            (u64::from_be_bytes(*kind), u64::from_be_bytes(*value)) == (self.0, self.1)
        })
    }
}

fn chosen(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let (name, wanted) = value.text.split_once('=').unwrap_or((value.text, ""));
    let name = value.part(name).trim();
    let kind = table(ATTRIBUTES)(name.text).ok_or_else(|| {
        let all: Vec<_> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
        name.wrong(format!("{:?} is no attribute that is known", name.text))
            .mend(format!("write one of {}, = and a number", all.join(", ")))
    })?;
    let wanted: u32 = number(value.part(wanted).trim())?;
    rule.ask_of(
        &CHOSEN,
        Step::Check(Box::new(Attribute(kind, wanted.into()))),
        arg.name,
    )
}

/// Payload types (RFC 2408 section 3.1).
const KEY_EXCHANGE_PAYLOAD: u8 = 4;
const NONCE_PAYLOAD: u8 = 10;

/// Attributes of a transform (RFC 2409 appendix A).
const ATTRIBUTES: &[(&str, u64)] = &[
    ("alg_enc", 1),
    ("alg_hash", 2),
    ("alg_auth", 3),
    ("alg_dh", 4),
    ("sa_group_type", 5),
    ("sa_life_type", 11),
    ("sa_life_duration", 12),
    ("alg_prf", 13),
    ("sa_key_length", 14),
    ("sa_field_size", 15),
];
