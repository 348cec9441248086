//! Where a value stands in its request, what stands beside it, and what pads it.

use serde_json::{Value, json};

use super::Web;
use super::request::{Body, Frame, Pair, Place, Spelling};
use super::sql::ends_in_comment;
use super::text::Dialect;
use crate::Chance;

/// Beyond this a value goes into a body: servers refuse longer targets and headers.
const TARGET_BYTES_MAX: usize = 6000;
/// Levels of JSON that a value is put below: parsers take a hundred and more.
const DEEP: usize = 24;
/// Parameters of a flood: PHP takes a thousand.
const FLOOD: usize = 400;

/// Harmless words.
const WORDS: [&str; 40] = [
    "the",
    "river",
    "was",
    "quiet",
    "and",
    "our",
    "boat",
    "drifted",
    "past",
    "green",
    "fields",
    "while",
    "children",
    "waved",
    "from",
    "a",
    "small",
    "bridge",
    "near",
    "town",
    "later",
    "we",
    "found",
    "good",
    "coffee",
    "with",
    "bread",
    "honey",
    "in",
    "station",
    "cafe",
    "before",
    "train",
    "left",
    "for",
    "harbour",
    "where",
    "ships",
    "rest",
    "overnight",
];

/// Harmless text with many signs in it: what tables, links and prices look like.
const SIGNED: [&str; 10] = [
    "(2, 3)", "[4]", "10.5%", "#42;", "x: y,", "$5.00", "a/b/c", "e.g.;", "50 %", "(see b)",
];

/// What pads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filler {
    /// Words.
    Words,
    /// Words with many signs.
    Signs,
}

/// Where padding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Before the value.
    Before,
    /// After it.
    After,
    /// Half of it on each side.
    Both,
    /// In another parameter of the same request.
    Beside,
}

/// Harmless text of about so many bytes.
fn filler(bytes: usize, of: Filler, chance: &mut Chance) -> Vec<u8> {
    let mut text = String::with_capacity(bytes.saturating_add(16));
    while text.len() < bytes {
        let signed = of == Filler::Signs && chance.holds(35);
        let list: &[&str] = if signed { &SIGNED } else { &WORDS };
        text.push_str(chance.pick(list).copied().unwrap_or("a"));
        text.push(' ');
    }
    text.truncate(bytes);
    text.into_bytes()
}

/// Pads a value with harmless text where what reads it does not mind.
pub(super) fn pad(
    web: &Web,
    side: Side,
    bytes: usize,
    of: Filler,
    chance: &mut Chance,
) -> Option<Web> {
    let mut padded = web.clone();
    if side == Side::Beside {
        let text = filler(bytes, of, chance);
        let text: Vec<u8> = text
            .iter()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    *byte
                } else {
                    b'+'
                }
            })
            .collect();
        padded = roomy(padded, bytes)?;
        let pair = (b"note".to_vec(), text);
        match (&mut padded.frame.body, padded.place) {
            (Body::Form(pairs), Place::Form) => pairs.push(pair),
            (Body::None, Place::Form) => padded.frame.body = Body::Form(vec![pair]),
            _ => padded.frame.query.push(pair),
        }
        return Some(padded);
    }
    let half = bytes / 2;
    let (before, after) = match side {
        Side::Before => (bytes, 0),
        Side::After => (0, bytes),
        Side::Both | Side::Beside => (half, half),
    };
    let mut text = match before {
        0 => Vec::new(),
        _ => ahead(web, &filler(before, of, chance))?,
    };
    text.extend_from_slice(&web.text);
    if after > 0 {
        text.extend(behind(web, &filler(after, of, chance))?);
    }
    padded.text = text;
    roomy(padded, bytes)
}

/// Padding that may stand before the attack.
fn ahead(web: &Web, filler: &[u8]) -> Option<Vec<u8>> {
    let first = *web.text.trim_ascii_start().first()?;
    let opens = match web.dialect {
        Dialect::Prose | Dialect::Template => true,
        Dialect::Markup => matches!(first, b'<' | b'>' | b'"' | b'\''),
        Dialect::Shell => matches!(first, b';' | b'|' | b'&' | b'`' | b'$'),
        Dialect::Sql if matches!(first, b'\'' | b'"') => true,
        // a number or a parenthesis: only a comment may stand before it
        Dialect::Sql => return Some([b"/*", filler, b"*/"].concat()),
        Dialect::Path | Dialect::Other => false,
    };
    opens.then(|| filler.to_vec())
}

/// Padding that may stand after it.
fn behind(web: &Web, filler: &[u8]) -> Option<Vec<u8>> {
    let quotes = web.text.iter().filter(|byte| **byte == b'\'').count();
    let inside = web.text.starts_with(b"'") == quotes.is_multiple_of(2);
    match web.dialect {
        Dialect::Prose | Dialect::Template => Some([b" ", filler].concat()),
        Dialect::Markup => web.text.ends_with(b">").then(|| filler.to_vec()),
        Dialect::Shell => Some([b" #", filler].concat()),
        Dialect::Sql if ends_in_comment(&web.text) => Some([b" ", filler].concat()),
        Dialect::Sql if !inside && !web.text.contains(&b'"') => {
            Some([b"/*", filler, b"*/"].concat())
        }
        Dialect::Sql | Dialect::Path | Dialect::Other => None,
    }
}

/// The value in a form, where it has become too long for a target or a header.
fn roomy(web: Web, bytes: usize) -> Option<Web> {
    let small = bytes.saturating_add(web.text.len()) <= TARGET_BYTES_MAX;
    let bounded = matches!(
        web.place,
        Place::Query | Place::Header | Place::Cookie | Place::Path
    );
    match bounded && !small {
        true => place(&web, Place::Form),
        false => Some(web),
    }
}

/// Moves the value elsewhere in the request.
pub(super) fn place(web: &Web, to: Place) -> Option<Web> {
    if web.place == to || web.place == Place::Body {
        return None;
    }
    let mut moved = web.clone();
    moved.place = to;
    moved.name = match to {
        Place::Header => b"X-Forwarded-For".to_vec(),
        Place::Path | Place::Body => Vec::new(),
        Place::Query | Place::Form | Place::Json | Place::Multipart | Place::Cookie => {
            plain_name(&web.name)
        }
    };
    // what the value stood in, and what would stand in its way, goes
    let form = matches!(moved.frame.body, Body::Form(_));
    match to {
        Place::Json => moved.frame.body = Body::Json(json!({"id": 7})),
        Place::Multipart => moved.frame.body = Body::None,
        Place::Form if !form => moved.frame.body = Body::None,
        Place::Query | Place::Header | Place::Cookie | Place::Path if web.place == Place::Json => {
            moved.frame.body = Body::None;
        }
        Place::Query | Place::Form | Place::Header | Place::Cookie | Place::Path | Place::Body => {}
    }
    // `+` is a space in queries and forms alone, and escapes are others elsewhere
    let percent = matches!(to, Place::Query | Place::Form | Place::Path | Place::Cookie);
    let plus = matches!(to, Place::Query | Place::Form);
    if !percent || (!plus && moved.spelling == Spelling::Plus) {
        moved.spelling = Spelling::Plain;
    }
    Some(moved)
}

/// A name that may stand anywhere.
fn plain_name(name: &[u8]) -> Vec<u8> {
    let fine = !name.is_empty()
        && name.len() <= 32
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if fine { name.to_vec() } else { b"q".to_vec() }
}

/// The value below many levels of JSON.
pub(super) fn deep(web: &Web) -> Option<Web> {
    let mut moved = place(web, Place::Json)?;
    let mut body = json!({"v": ""});
    for _ in 0..DEEP {
        body = json!({"v": body});
    }
    moved.frame.body = Body::Json(body);
    moved.name = "/v".repeat(DEEP.saturating_add(1)).into_bytes();
    moved.spelling = Spelling::Plain;
    Some(moved)
}

/// A harmless parameter of the same name before it: the last one counts (PHP, Rails).
pub(super) fn pollute(web: &Web, chance: &mut Chance) -> Option<Web> {
    let pair = (
        web.name.clone(),
        filler(8, Filler::Words, chance).trim_ascii().to_vec(),
    );
    beside(web, std::iter::once(pair))
}

/// Hundreds of harmless parameters before it.
pub(super) fn flood(web: &Web, chance: &mut Chance) -> Option<Web> {
    let mut word = || {
        chance
            .pick(&WORDS)
            .map(|word| word.as_bytes().to_vec())
            .unwrap_or_default()
    };
    let pairs: Vec<Pair> = (0..FLOOD)
        .map(|number| (format!("p{number}").into_bytes(), word()))
        .collect();
    let moved = match web.place == Place::Query {
        true => place(web, Place::Form)?,
        false => web.clone(),
    };
    beside(&moved, pairs.into_iter())
}

/// Other parameters where the value is one.
fn beside(web: &Web, pairs: impl Iterator<Item = Pair>) -> Option<Web> {
    if web.name.is_empty() {
        return None;
    }
    let mut more = web.clone();
    let escaped = |(name, value): Pair| {
        let value = value
            .iter()
            .map(|byte| if *byte == b' ' { b'+' } else { *byte })
            .collect();
        (name, value)
    };
    match (web.place, &mut more.frame.body) {
        (Place::Query, _) => more.frame.query.extend(pairs.map(escaped)),
        (Place::Form, Body::Form(all)) => all.extend(pairs.map(escaped)),
        (Place::Form, body) => *body = Body::Form(pairs.map(escaped).collect()),
        _ => return None,
    }
    Some(more)
}

/// Whether all of `before` is there yet: nothing but filler came.
pub(super) fn kept(before: &Frame, after: &Frame) -> bool {
    let texts = |value: &Value| value.to_string();
    let within = |some: &[Pair], all: &[Pair]| some.iter().all(|pair| all.contains(pair));
    within(&before.query, &after.query)
        && match (&before.body, &after.body) {
            (Body::Form(some), Body::Form(all)) => within(some, all),
            (Body::Json(one), Body::Json(other)) => texts(one) == texts(other),
            _ => true,
        }
}
