//! HTTP/2: its frames.

use packet::{AppProto, http2};

use super::app::{ask, push};
use super::number::Number;
use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::header::Apps;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides, Stage, Values};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "http2.frametype",
        "name|number",
        "A frame of that type came.",
        frame_type,
    ),
    Keyword::call(
        "http2.errorcode",
        "name|number",
        "The stream or the connection was ended for that reason.",
        error_code,
    ),
    Keyword::call(
        "http2.priority",
        "number",
        "The weight of the stream, as sent.",
        |rule, arg| compare(rule, arg, &PRIORITY, u8::MAX.into()),
    ),
    Keyword::call(
        "http2.window",
        "number",
        "By how many bytes a window grows.",
        |rule, arg| compare(rule, arg, &WINDOW, u32::MAX.into()),
    ),
    Keyword::call(
        "http2.size_update",
        "number",
        "To how many bytes the table of header fields is set.",
        |rule, arg| compare(rule, arg, &SIZE_UPDATE, u64::MAX),
    ),
    Keyword::call(
        "http2.settings",
        "name [number]",
        "A setting that is asked for, and its value.",
        settings,
    ),
    Keyword::sticky(
        "http2.header_name",
        "The name of each header field.",
        &HEADER_NAME,
    ),
];

/// A buffer of what came of a side so far.
const fn buffer(name: &'static str, get: for<'s> fn(&Scene<'s>, &mut Values<'s>)) -> Buffer {
    Buffer {
        name,
        apps: Apps::of(&[AppProto::Http2, AppProto::Doh2]),
        sides: Sides::Both,
        stage: Stage::Body,
        multiple: false,
        get,
    }
}

fn message<'s>(scene: &Scene<'s>) -> Option<&'s http2::Message> {
    let transaction = scene.of::<http2::Transaction>();
    transaction.map(|transaction| transaction.message(scene.direction))
}

static FRAMES: Buffer = buffer("http2.frametype", |scene, values| {
    if message(scene).is_some() {
        values.push(b"");
    }
});
static ERRORS: Buffer = buffer("http2.errorcode", |scene, values| {
    let errors = message(scene).into_iter().flat_map(|side| &side.errors);
    push(values, errors.copied());
});
static PRIORITY: Buffer = buffer("http2.priority", |scene, values| {
    let weights = message(scene).into_iter().flat_map(|side| &side.priorities);
    push(values, weights.copied());
});
static WINDOW: Buffer = buffer("http2.window", |scene, values| {
    let windows = message(scene).into_iter().flat_map(|side| &side.windows);
    push(values, windows.copied());
});
static SIZE_UPDATE: Buffer = buffer("http2.size_update", |scene, values| {
    let sizes = message(scene)
        .into_iter()
        .flat_map(http2::Message::table_sizes);
    push(values, sizes);
});
static HEADER_NAME: Buffer = Buffer {
    stage: Stage::Head,
    ..buffer("http2.header_name", |scene, values| {
        for field in message(scene).into_iter().flat_map(|side| &side.headers) {
            values.push(&field.name);
        }
    })
    .multiple()
};

/// Types of frames (RFC 9113 section 6), as Suricata writes them.
const FRAME_TYPES: &[&str] = &[
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RSTSTREAM",
    "SETTINGS",
    "PUSHPROMISE",
    "PING",
    "GOAWAY",
    "WINDOWUPDATE",
    "CONTINUATION",
];
/// Reasons (RFC 9113 section 7).
const ERROR_CODES: &[&str] = &[
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];
/// Settings (RFC 9113 section 6.5.2, RFC 8441, RFC 9218).
const SETTINGS: &[(&str, u16)] = &[
    ("SETTINGS_HEADER_TABLE_SIZE", 1),
    ("SETTINGS_ENABLE_PUSH", 2),
    ("SETTINGS_MAX_CONCURRENT_STREAMS", 3),
    ("SETTINGS_INITIAL_WINDOW_SIZE", 4),
    ("SETTINGS_MAX_FRAME_SIZE", 5),
    ("SETTINGS_MAX_HEADER_LIST_SIZE", 6),
    ("SETTINGS_ENABLE_CONNECT_PROTOCOL", 8),
    ("SETTINGS_NO_RFC7540_PRIORITIES", 9),
];

/// The place of a name in a list, or a number.
fn named<N>(text: Piece<'_>, names: &[&str], what: &str) -> Result<N, Problem>
where
    N: std::str::FromStr + TryFrom<usize>,
{
    let known = names
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text.text));
    match known.and_then(|known| N::try_from(known).ok()) {
        Some(known) => Ok(known),
        None => number(text).map_err(|_e| {
            text.wrong(format!("{:?} is no {what}", text.text))
                .mend(format!("write a number, or one of {}", names.join(", ")))
        }),
    }
}

fn frame_type(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let kind = named(arg.value()?, FRAME_TYPES, "type of frames")?;
    rule.ask_of(&FRAMES, Step::Check(Box::new(HasFrame(kind))), arg.name)
}

/// A frame of that type came.
#[derive(Debug)]
struct HasFrame(u8);

impl Check for HasFrame {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        message(walk.scene).is_some_and(|side| side.has_frame(self.0))
    }
}

fn error_code(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let code: u32 = named(arg.value()?, ERROR_CODES, "reason")?;
    ask(rule, arg, &ERRORS, Number::Is(code.into()))
}

fn compare(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    max: u64,
) -> Result<(), Problem> {
    let number = Number::parse(arg.value()?, 0..=max)?;
    ask(rule, arg, buffer, number)
}

static SETTING: Buffer = buffer("http2.settings", |scene, values| {
    let settings = message(scene).and_then(|side| side.settings.as_ref());
    if settings.is_some() {
        values.push(b"");
    }
});

fn settings(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let end = value.text.find(|letter| !is_of_name(letter));
    let (name, rest) = value.text.split_at(end.unwrap_or(value.text.len()));
    let known = SETTINGS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    let Some((_, id)) = known else {
        let names: Vec<_> = SETTINGS.iter().map(|(name, _)| *name).collect();
        return Err(value
            .part(name)
            .wrong(format!("{name:?} is no setting"))
            .mend(format!("write one of {}", names.join(", "))));
    };
    let rest = value.part(rest).trim();
    let value = match rest.text {
        "" => None,
        _ => Some(Number::parse(rest, 0..=u32::MAX.into())?),
    };
    let setting = HasSetting { id: *id, value };
    rule.ask_of(&SETTING, Step::Check(Box::new(setting)), arg.name)
}

/// A setting came, with a value.
#[derive(Debug)]
struct HasSetting {
    id: u16,
    value: Option<Number>,
}

impl Check for HasSetting {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let settings = message(walk.scene).and_then(|side| side.settings.as_ref());
        settings.into_iter().flatten().any(|(id, value)| {
            *id == self.id
                && self
                    .value
                    .is_none_or(|wanted| wanted.holds(u64::from(*value)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers() {
        let piece = |text| Piece { text, at: 0 };
        let kind = |text| named::<u8>(piece(text), FRAME_TYPES, "type").ok();
        assert_eq!(kind("SETTINGS"), Some(4));
        assert_eq!(kind("goaway"), Some(7));
        assert_eq!(kind("8"), Some(8));
        assert_eq!(kind("RST_STREAM"), None);
        assert_eq!(kind("256"), None);
    }
}
