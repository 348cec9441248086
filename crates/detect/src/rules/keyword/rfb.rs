//! RFB, as VNC speaks it.

use packet::AppProto;
use packet::applayer::rfb::Session;

use super::Keyword;
use super::app::{self, Get, nameless, table};
use crate::rules::scene::{Buffer, Scene, Sides};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "rfb.sectype",
        "number",
        "The security type chosen.",
        |rule, arg| app::compare(rule, arg, &SECURITY_TYPE, 0..=app::U32_MAX, nameless),
    ),
    Keyword::call(
        "rfb.secresult",
        "number|ok|fail|too_many|unknown",
        "How the authentication ended.",
        |rule, arg| {
            app::compare(
                rule,
                arg,
                &SECURITY_RESULT,
                0..=app::U32_MAX,
                table(RESULTS),
            )
        },
    ),
    Keyword::sticky("rfb.name", "The name of the desktop.", &NAME),
];

/// The handshake is told step by step.
const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Rfb], sides, get).in_head()
}

static SECURITY_TYPE: Buffer = buffer("rfb.sectype", Sides::Client, |scene, values| {
    app::push(
        values,
        session(scene).and_then(|session| session.security_type),
    );
});

static SECURITY_RESULT: Buffer = buffer("rfb.secresult", Sides::Server, |scene, values| {
    app::push(
        values,
        session(scene).and_then(|session| session.security_result),
    );
});

static NAME: Buffer = buffer("rfb.name", Sides::Server, |scene, values| {
    let screen = session(scene).and_then(|session| session.framebuffer.as_ref());
    values.maybe(screen.map(|screen| &*screen.name));
});

fn session<'s>(scene: &Scene<'s>) -> Option<&'s Session> {
    scene.of()
}

/// Results (RFC 6143 section 7.1.3).
const RESULTS: &[(&str, u64)] = &[("ok", 0), ("fail", 1), ("too_many", 2), ("unknown", 3)];
