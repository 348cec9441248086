//! WebSocket.

use packet::AppProto;
use packet::applayer::websocket::Frame;

use super::Keyword;
use super::app::{self, Get, nameless, table};
use crate::rules::scene::{Buffer, Scene, Sides};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "websocket.opcode",
        "number|text|binary|...",
        "What a frame is.",
        |rule, arg| app::compare(rule, arg, &OPCODE, 0..=255, table(OPCODES)),
    ),
    Keyword::call(
        "websocket.mask",
        "number",
        "The key that a frame is masked with.",
        |rule, arg| app::compare(rule, arg, &MASK, 0..=app::U32_MAX, nameless),
    ),
    Keyword::call(
        "websocket.flags",
        "[!]fin|[!]comp[,...]|number",
        "The flags of a frame: the last one of its message; compressed.",
        |rule, arg| app::flags(rule, arg, &FLAGS, 0..=255, &[("fin", 0x80), ("comp", 0x40)]),
    ),
    Keyword::sticky(
        "websocket.payload",
        "What a frame carries, without its mask.",
        &PAYLOAD,
    ),
];

const fn buffer(name: &'static str, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Websocket], Sides::Both, get)
}

static OPCODE: Buffer = buffer("websocket.opcode", |scene, values| {
    app::push(values, frame(scene).map(|frame| frame.opcode));
});
static MASK: Buffer = buffer("websocket.mask", |scene, values| {
    app::push(values, frame(scene).and_then(|frame| frame.mask));
});
static FLAGS: Buffer = buffer("websocket.flags", |scene, values| {
    app::push(values, frame(scene).map(|frame| frame.flags));
});
static PAYLOAD: Buffer = buffer("websocket.payload", |scene, values| {
    values.maybe(
        frame(scene).map(|frame| frame.message.as_ref().unwrap_or(&frame.payload).as_slice()),
    );
});

fn frame<'s>(scene: &Scene<'s>) -> Option<&'s Frame> {
    scene.of()
}

/// Operation codes (RFC 6455 section 5.2).
const OPCODES: &[(&str, u64)] = &[
    ("continuation", 0),
    ("text", 1),
    ("binary", 2),
    ("close", 8),
    ("ping", 9),
    ("pong", 10),
];
