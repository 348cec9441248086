//! SNMP.

use packet::AppProto;
use packet::applayer::snmp::Snmp;

use super::Keyword;
use super::app::{self, Get, nameless, table};
use crate::rules::scene::{Buffer, Scene, Sides};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "snmp.version",
        "number",
        "The version: 1, 2 or 3.",
        |rule, arg| app::compare(rule, arg, &VERSION, 0..=app::U32_MAX, nameless),
    ),
    Keyword::call(
        "snmp.pdu_type",
        "number",
        "The kind of protocol data unit: 0 get, 1 get next, 2 response, 3 set, 4 trap, 5 get bulk, 6 inform, 7 trap, 8 report.",
        |rule, arg| app::compare(rule, arg, &PDU_TYPE, 0..=app::U32_MAX, nameless),
    ),
    Keyword::call(
        "snmp.trap_type",
        "number|name",
        "The generic trap of version 1.",
        |rule, arg| app::compare(rule, arg, &TRAP_TYPE, 0..=255, table(TRAPS)),
    ),
    Keyword::sticky(
        "snmp.community",
        "The community of versions 1 and 2c.",
        &COMMUNITY,
    ),
    Keyword::sticky("snmp.usm", "The user of version 3.", &USER),
];

const fn buffer(name: &'static str, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Snmp], Sides::Both, get)
}

static VERSION: Buffer = buffer("snmp.version", |scene, values| {
    app::push(values, message(scene).map(|message| message.version));
});

static PDU_TYPE: Buffer = buffer("snmp.pdu_type", |scene, values| {
    let pdu = message(scene).and_then(|message| message.pdu.as_ref());
    app::push(values, pdu.map(|pdu| pdu.kind));
});

static TRAP_TYPE: Buffer = buffer("snmp.trap_type", |scene, values| {
    let pdu = message(scene).and_then(|message| message.pdu.as_ref());
    let trap = pdu.and_then(|pdu| pdu.trap.as_ref());
    app::push(values, trap.map(|trap| trap.generic));
});

static COMMUNITY: Buffer = buffer("snmp.community", |scene, values| {
    values.maybe(message(scene).and_then(|message| message.community.as_deref()));
});

static USER: Buffer = buffer("snmp.usm", |scene, values| {
    values.maybe(message(scene).and_then(|message| message.usm.as_deref()));
});

fn message<'s>(scene: &Scene<'s>) -> Option<&'s Snmp> {
    scene.of()
}

/// Generic traps (RFC 1157 section 4.1.6).
const TRAPS: &[(&str, u64)] = &[
    ("coldstart", 0),
    ("warmstart", 1),
    ("linkdown", 2),
    ("linkup", 3),
    ("authenticationfailure", 4),
    ("egpneighborloss", 5),
    ("enterprisespecific", 6),
];
