//! NTP.

use packet::AppProto;
use packet::applayer::ntp::Ntp;

use super::Keyword;
use super::app::{self, Get, nameless, table};
use crate::rules::scene::{Buffer, Sides};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "ntp.version",
        "number",
        "The version, 1 to 4.",
        |rule, arg| app::compare(rule, arg, &VERSION, 0..=255, nameless),
    ),
    Keyword::call(
        "ntp.mode",
        "number|client|server|...",
        "Who speaks to whom.",
        |rule, arg| app::compare(rule, arg, &MODE, 0..=255, table(MODES)),
    ),
    Keyword::call(
        "ntp.stratum",
        "number",
        "How many hops the source of time is away.",
        |rule, arg| app::compare(rule, arg, &STRATUM, 0..=255, nameless),
    ),
    Keyword::sticky(
        "ntp.reference_id",
        "The source of time, 4 bytes.",
        &REFERENCE_ID,
    ),
];

const fn buffer(name: &'static str, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Ntp], Sides::Both, get)
}

static VERSION: Buffer = buffer("ntp.version", |scene, values| {
    app::push(values, scene.of::<Ntp>().map(|message| message.version));
});
static MODE: Buffer = buffer("ntp.mode", |scene, values| {
    app::push(values, scene.of::<Ntp>().map(|message| message.mode));
});
static STRATUM: Buffer = buffer("ntp.stratum", |scene, values| {
    app::push(values, scene.of::<Ntp>().map(|message| message.stratum));
});
static REFERENCE_ID: Buffer = buffer("ntp.reference_id", |scene, values| {
    values.maybe(scene.of::<Ntp>().map(|message| &message.reference_id[..]));
});

/// Modes (RFC 5905 section 7.3).
const MODES: &[(&str, u64)] = &[
    ("reserved", 0),
    ("symmetric_active", 1),
    ("symmetric_passive", 2),
    ("client", 3),
    ("server", 4),
    ("broadcast", 5),
    ("control", 6),
    ("private", 7),
];
