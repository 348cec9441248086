//! `content` and what modifies it, `pcre`.

use super::payload::value_of;
use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::content::{Content, Value};
use crate::rules::diagnostic::Problem;
use crate::rules::rule::Step;
use crate::rules::syntax::Piece;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "content",
        "[!]\"bytes\"",
        "Bytes that must occur, hexadecimal between bars.",
        content,
    ),
    Keyword::call(
        "nocase",
        "",
        "Case does not count in the content before it.",
        nocase,
    ),
    Keyword::call(
        "depth",
        "bytes",
        "The content stands within so many first bytes.",
        depth,
    ),
    Keyword::call(
        "offset",
        "bytes",
        "The content stands behind so many first bytes.",
        offset,
    ),
    Keyword::call(
        "distance",
        "bytes",
        "The content stands so far behind the match before it.",
        distance,
    ),
    Keyword::call(
        "within",
        "bytes",
        "The content ends within so many bytes behind the match before it.",
        within,
    ),
    Keyword::call(
        "startswith",
        "",
        "The content stands at the start of the buffer.",
        startswith,
    ),
    Keyword::call(
        "endswith",
        "",
        "The content stands at the end of the buffer.",
        endswith,
    ),
    Keyword::call(
        "rawbytes",
        "",
        "Taken for compatibility; contents always look at raw bytes.",
        rawbytes,
    ),
    Keyword::call(
        "fast_pattern",
        "[only|offset,length]",
        "The rule is looked up by this content.",
        fast_pattern,
    ),
    Keyword::call(
        "pkt_data",
        "",
        "Contents behind it look into the payload again.",
        pkt_data,
    ),
];

/// Longest content, bytes.
const CONTENT_BYTES_MAX: usize = 8192;

pub(super) fn content(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let (negated, bytes) = quoted(arg)?;
    let mut content = Content::new(bytes, negated);
    // what a transform makes of a digest need not be one
    if let Some(buffer) = rule.buffer().filter(|_| !rule.is_transformed()) {
        super::digest::check(buffer, &mut content, arg.value()?)?;
    }
    rule.ask(Step::Content(Box::new(content)));
    Ok(())
}

/// The bytes in quotes that a keyword has as its value, and whether they must not occur.
pub(super) fn quoted(arg: Arg<'_>) -> Result<(bool, Vec<u8>), Problem> {
    let (negated, quoted) = negated(arg.value()?);
    let text = quoted
        .text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let text = quoted.part(text.ok_or_else(|| {
        quoted
            .wrong("a content stands in quotes")
            .mend(format!("write {}:\"bytes\";", arg.name.text))
    })?);
    Ok((negated, bytes(text)?))
}

/// What stands behind a `!`, if one is there.
pub(super) fn negated(value: Piece<'_>) -> (bool, Piece<'_>) {
    match value.text.strip_prefix('!') {
        Some(rest) => (true, value.part(rest).trim()),
        None => (false, value),
    }
}

/// Bytes as contents are written: `a|0d 0a|b`, `\"`, `\;`, `\\`, `\:`.
pub(super) fn bytes(text: Piece<'_>) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::with_capacity(text.text.len());
    let mut rest = text.text.bytes();
    let (mut in_hex, mut high) = (false, None::<u8>);
    while let Some(byte) = rest.next() {
        match byte {
            b'|' => {
                if high.is_some() {
                    return Err(text
                        .wrong("an odd number of hexadecimal digits between bars")
                        .mend("write two digits for each byte, as |0d 0a|"));
                }
                in_hex = !in_hex;
            }
            _ if in_hex => {
                let digit = char::from(byte)
                    .to_digit(16)
                    .and_then(|digit| u8::try_from(digit).ok());
                match (digit, high) {
                    (None, _) if byte == b' ' => {}
                    (None, _) => {
                        let message = format!(
                            "{:?} between bars is no hexadecimal digit",
                            char::from(byte)
                        );
                        return Err(text
                            .wrong(message)
                            .mend("write bytes as |0d 0a|, and a bar itself as |7c|"));
                    }
                    (Some(digit), None) => high = Some(digit),
                    (Some(digit), Some(first)) => {
                        bytes.push(first << 4 | digit);
                        high = None;
                    }
                }
            }
            b'\\' => match rest.next() {
                Some(escaped @ (b'"' | b';' | b':' | b'\\')) => bytes.push(escaped),
                Some(other) => {
                    let message = format!("\\{} is no escape", char::from(other));
                    return Err(text.wrong(message).mend("escape only \" ; : and \\"));
                }
                None => {
                    return Err(text
                        .wrong("a backslash at the end")
                        .mend("write \\\\ for a backslash"));
                }
            },
            b'"' => {
                return Err(text
                    .wrong("a quote within a content")
                    .mend("write |22| for a quote"));
            }
            other => bytes.push(other),
        }
    }
    if in_hex {
        return Err(text
            .wrong("a bar that is not closed")
            .mend("write |7c| for a bar"));
    }
    of_sound_length(text, bytes)
}

fn of_sound_length(text: Piece<'_>, bytes: Vec<u8>) -> Result<Vec<u8>, Problem> {
    if bytes.is_empty() {
        return Err(text
            .wrong("an empty content")
            .mend("write the bytes that must occur, or take the keyword out"));
    }
    if bytes.len() > CONTENT_BYTES_MAX {
        return Err(text
            .wrong(format!("a content longer than {CONTENT_BYTES_MAX} bytes"))
            .mend("write a part of it, or several contents behind one another"));
    }
    Ok(bytes)
}

fn nocase(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    rule.content(arg.name)?.ignore_case();
    Ok(())
}

fn depth(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = value_of(rule, arg.value()?)?;
    let content = rule.content(arg.name)?;
    let len = i64::try_from(content.bytes().len()).unwrap_or(i64::MAX);
    if matches!(value, Value::Number(depth) if depth < len) {
        let mend = format!("write depth:{len} or more");
        return Err(arg
            .value()?
            .wrong("depth is shorter than the content")
            .mend(mend));
    }
    content.depth = Some(value);
    Ok(())
}

fn offset(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = value_of(rule, arg.value()?)?;
    rule.content(arg.name)?.offset = Some(value);
    Ok(())
}

fn distance(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = value_of(rule, arg.value()?)?;
    rule.content(arg.name)?.distance = Some(value);
    Ok(())
}

fn within(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = value_of(rule, arg.value()?)?;
    let content = rule.content(arg.name)?;
    let len = i64::try_from(content.bytes().len()).unwrap_or(i64::MAX);
    if matches!(value, Value::Number(within) if within < len) {
        let mend = format!("write within:{len} or more");
        return Err(arg
            .value()?
            .wrong("within is shorter than the content")
            .mend(mend));
    }
    content.within = Some(value);
    Ok(())
}

fn startswith(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    let content = rule.content(arg.name)?;
    if content.is_placed() || content.is_relative() {
        return Err(arg
            .name
            .wrong("startswith beside another place of the content")
            .mend("take one of them out"));
    }
    content.offset = Some(Value::Number(0));
    content.depth = Some(Value::Number(
        i64::try_from(content.bytes().len()).unwrap_or(i64::MAX),
    ));
    Ok(())
}

fn endswith(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    rule.content(arg.name)?.at_end = true;
    Ok(())
}

fn rawbytes(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    rule.content(arg.name).map(|_content| ())
}

fn fast_pattern(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let content = rule.content(arg.name)?;
    if content.is_negated() {
        return Err(arg
            .name
            .wrong("fast_pattern on a negated content")
            .mend("name a content that must occur"));
    }
    if let Some(value) = arg.value.filter(|value| value.text != "only") {
        let (offset, len) = value.text.split_once(',').ok_or_else(|| {
            value
                .wrong("no part of the content")
                .mend("write fast_pattern; or fast_pattern:offset,length;")
        })?;
        number::<u16>(value.part(offset).trim())?;
        number::<u16>(value.part(len).trim())?;
    }
    rule.name_fast();
    Ok(())
}

fn pkt_data(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    rule.enter(None, arg.name)
}
