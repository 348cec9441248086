//! SIP, and the sessions that it describes (SDP).

use packet::applayer::sip::{Media, Message, Sdp, Start};
use packet::{AppProto, Direction};

use super::Keyword;
use super::app::{self, Get};
use crate::rules::scene::{Buffer, Scene, Sides, Values};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky("sip.method", "The method of a request.", &METHOD),
    Keyword::sticky("sip.uri", "Whom a request is for.", &URI),
    Keyword::sticky(
        "sip.request_line",
        "The first line of a request.",
        &REQUEST_LINE,
    ),
    Keyword::sticky("sip.stat_code", "The code of a response.", &CODE),
    Keyword::sticky(
        "sip.stat_msg",
        "What the code of a response means.",
        &REASON,
    ),
    Keyword::sticky(
        "sip.response_line",
        "The first line of a response.",
        &RESPONSE_LINE,
    ),
    Keyword::sticky("sip.protocol", "The version in the first line.", &PROTOCOL),
    Keyword::sticky("sip.from", "A header From.", &FROM),
    Keyword::sticky("sip.to", "A header To.", &TO),
    Keyword::sticky("sip.via", "A header Via.", &VIA),
    Keyword::sticky("sip.user_agent", "A header User-Agent.", &USER_AGENT),
    Keyword::sticky("sip.content_type", "A header Content-Type.", &CONTENT_TYPE),
    Keyword::sticky(
        "sip.content_length",
        "A header Content-Length.",
        &CONTENT_LENGTH,
    ),
    Keyword::sticky("sdp.origin", "Who describes the session (o=).", &ORIGIN),
    Keyword::sticky(
        "sdp.session_name",
        "The session's name (s=).",
        &SESSION_NAME,
    ),
    Keyword::sticky(
        "sdp.session_info",
        "What the session is about (i=).",
        &SESSION_INFO,
    ),
    Keyword::sticky(
        "sdp.uri",
        "Where more is told of the session (u=).",
        &SDP_URI,
    ),
    Keyword::sticky("sdp.email", "Whom to write to (e=).", &EMAIL),
    Keyword::sticky("sdp.phone_number", "Whom to call (p=).", &PHONE_NUMBER),
    Keyword::sticky(
        "sdp.connection_data",
        "The session's address (c=).",
        &CONNECTION,
    ),
    Keyword::sticky(
        "sdp.bandwidth",
        "A bandwidth of the session (b=).",
        &BANDWIDTH,
    ),
    Keyword::sticky("sdp.time", "When the session takes place (t=).", &TIME),
    Keyword::sticky("sdp.repeat_time", "When it is repeated (r=).", &REPEAT_TIME),
    Keyword::sticky("sdp.timezone", "Changes of the time (z=).", &TIMEZONE),
    Keyword::sticky("sdp.encryption_key", "The session's key (k=).", &KEY),
    Keyword::sticky(
        "sdp.attribute",
        "An attribute of the session (a=).",
        &ATTRIBUTE,
    ),
    Keyword::sticky("sdp.media.media", "A medium (m=).", &MEDIA),
    Keyword::sticky(
        "sdp.media.media_info",
        "What a medium is about (i=).",
        &MEDIA_INFO,
    ),
    Keyword::sticky(
        "sdp.media.connection_data",
        "A medium's address (c=).",
        &MEDIA_CONNECTION,
    ),
    Keyword::sticky(
        "sdp.media.encryption_key",
        "A medium's key (k=).",
        &MEDIA_KEY,
    ),
];

const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Sip], sides, get)
}

static METHOD: Buffer = buffer("sip.method", Sides::Client, |scene, values| {
    if let Some(Start::Request { method, .. }) = start(scene) {
        values.push(method);
    }
});

static URI: Buffer = buffer("sip.uri", Sides::Client, |scene, values| {
    if let Some(Start::Request { uri, .. }) = start(scene) {
        values.push(uri);
    }
});

static REQUEST_LINE: Buffer = buffer("sip.request_line", Sides::Client, |scene, values| {
    let message = message(scene);
    let request = message.filter(|message| matches!(message.start, Start::Request { .. }));
    values.maybe(request.map(|message| &*message.line));
});

static CODE: Buffer = buffer("sip.stat_code", Sides::Server, |scene, values| {
    if let Some(Start::Response { code, .. }) = start(scene) {
        values.push(code);
    }
});

static REASON: Buffer = buffer("sip.stat_msg", Sides::Server, |scene, values| {
    if let Some(Start::Response { reason, .. }) = start(scene) {
        values.push(reason);
    }
});

static RESPONSE_LINE: Buffer = buffer("sip.response_line", Sides::Server, |scene, values| {
    let message = message(scene);
    let response = message.filter(|message| matches!(message.start, Start::Response { .. }));
    values.maybe(response.map(|message| &*message.line));
});

static PROTOCOL: Buffer = buffer("sip.protocol", Sides::Both, |scene, values| {
    if let Some(Start::Request { version, .. } | Start::Response { version, .. }) = start(scene) {
        values.push(version);
    }
});

const fn header(name: &'static str, get: Get) -> Buffer {
    buffer(name, Sides::Both, get).multiple()
}

static FROM: Buffer = header("sip.from", |scene, values| {
    named(scene, values, b"from", b'f')
});
static TO: Buffer = header("sip.to", |scene, values| named(scene, values, b"to", b't'));
static VIA: Buffer = header("sip.via", |scene, values| {
    named(scene, values, b"via", b'v')
});
static CONTENT_TYPE: Buffer = header("sip.content_type", |scene, values| {
    named(scene, values, b"content-type", b'c');
});
static CONTENT_LENGTH: Buffer = header("sip.content_length", |scene, values| {
    named(scene, values, b"content-length", b'l');
});
static USER_AGENT: Buffer = header("sip.user_agent", |scene, values| {
    let message = message(scene).into_iter();
    let found = message.flat_map(|message| message.header_values(b"user-agent", None));
    found.for_each(|value| values.push(value));
});

/// A request of the client, or a response of the server: who answers a call may ask back, and that
/// is not looked into.
fn message<'s>(scene: &Scene<'s>) -> Option<&'s Message> {
    let message = scene.of::<Message>()?;
    let sender = match message.start {
        Start::Request { .. } => Direction::ToServer,
        Start::Response { .. } => Direction::ToClient,
    };
    (sender == scene.direction).then_some(message)
}

fn start<'s>(scene: &Scene<'s>) -> Option<&'s Start> {
    Some(&message(scene)?.start)
}

/// The headers of a name, or of its short form (RFC 3261 section 7.3.3).
fn named<'s>(scene: &Scene<'s>, values: &mut Values<'s>, name: &'static [u8], short: u8) {
    let message = message(scene).into_iter();
    let found = message.flat_map(|message| message.header_values(name, Some(short)));
    found.for_each(|value| values.push(value));
}

const fn field(name: &'static str, get: Get) -> Buffer {
    buffer(name, Sides::Both, get)
}

const fn fields(name: &'static str, get: Get) -> Buffer {
    buffer(name, Sides::Both, get).multiple()
}

static ORIGIN: Buffer = field("sdp.origin", |scene, values| {
    values.maybe(sdp(scene).and_then(|sdp| sdp.origin.as_deref()));
});
static SESSION_NAME: Buffer = field("sdp.session_name", |scene, values| {
    values.maybe(sdp(scene).and_then(|sdp| sdp.session_name.as_deref()));
});
static SESSION_INFO: Buffer = field("sdp.session_info", |scene, values| {
    values.maybe(sdp(scene).and_then(|sdp| sdp.session.info.as_deref()));
});
static SDP_URI: Buffer = field("sdp.uri", |scene, values| {
    values.maybe(sdp(scene).and_then(|sdp| sdp.uri.as_deref()));
});
static EMAIL: Buffer = field("sdp.email", |scene, values| {
    values.maybe(sdp(scene).and_then(|sdp| sdp.email.as_deref()));
});
static PHONE_NUMBER: Buffer = field("sdp.phone_number", |scene, values| {
    values.maybe(sdp(scene).and_then(|sdp| sdp.phone_number.as_deref()));
});
static CONNECTION: Buffer = field("sdp.connection_data", |scene, values| {
    values.maybe(sdp(scene).and_then(|sdp| sdp.session.connection_data.as_deref()));
});
static TIMEZONE: Buffer = field("sdp.timezone", |scene, values| {
    values.maybe(sdp(scene).and_then(|sdp| sdp.timezone.as_deref()));
});
static KEY: Buffer = field("sdp.encryption_key", |scene, values| {
    values.maybe(sdp(scene).and_then(|sdp| sdp.session.encryption_key.as_deref()));
});
static BANDWIDTH: Buffer = fields("sdp.bandwidth", |scene, values| {
    let found = sdp(scene)
        .into_iter()
        .flat_map(|sdp| &sdp.session.bandwidths);
    found.for_each(|value| values.push(value));
});
static TIME: Buffer = fields("sdp.time", |scene, values| {
    let found = sdp(scene).into_iter().flat_map(|sdp| &sdp.times);
    found.for_each(|(time, _)| values.push(time));
});
static REPEAT_TIME: Buffer = fields("sdp.repeat_time", |scene, values| {
    let found = sdp(scene).into_iter().flat_map(|sdp| &sdp.times);
    found.for_each(|(_, repeat)| values.maybe(repeat.as_deref()));
});
static ATTRIBUTE: Buffer = fields("sdp.attribute", |scene, values| {
    let found = sdp(scene)
        .into_iter()
        .flat_map(|sdp| &sdp.session.attributes);
    found.for_each(|value| values.push(value));
});
static MEDIA: Buffer = fields("sdp.media.media", |scene, values| {
    media(scene).for_each(|media| values.push(&media.media));
});
static MEDIA_INFO: Buffer = fields("sdp.media.media_info", |scene, values| {
    media(scene).for_each(|media| values.maybe(media.info.as_deref()));
});
static MEDIA_CONNECTION: Buffer = fields("sdp.media.connection_data", |scene, values| {
    media(scene).for_each(|media| values.maybe(media.connection_data.as_deref()));
});
static MEDIA_KEY: Buffer = fields("sdp.media.encryption_key", |scene, values| {
    media(scene).for_each(|media| values.maybe(media.encryption_key.as_deref()));
});

fn sdp<'s>(scene: &Scene<'s>) -> Option<&'s Sdp> {
    message(scene)?.sdp.as_ref()
}

fn media<'s>(scene: &Scene<'s>) -> impl Iterator<Item = &'s Media> {
    sdp(scene).into_iter().flat_map(|sdp| &sdp.media)
}
