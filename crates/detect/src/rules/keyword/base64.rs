//! Base64 within a buffer.

use super::bytes::unknown;
use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "base64_decode",
        "[bytes N][,offset N][,relative]",
        "Decodes Base64 in the buffer, for base64_data.",
        base64_decode,
    ),
    Keyword::call(
        "base64_data",
        "",
        "Contents behind it look into what base64_decode made.",
        base64_data,
    ),
];

#[derive(Debug)]
struct Decode {
    bytes: Option<usize>,
    offset: usize,
    relative: bool,
}

fn base64_decode(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let mut decode = Decode {
        bytes: None,
        offset: 0,
        relative: false,
    };
    for word in arg.value.into_iter().flat_map(|value| value.split(',')) {
        let (name, rest) = word
            .text
            .split_once(char::is_whitespace)
            .unwrap_or((word.text, ""));
        match name {
            "bytes" => decode.bytes = Some(number(word.part(rest).trim())?),
            "offset" => decode.offset = number(word.part(rest).trim())?,
            "relative" => decode.relative = true,
            _ => return Err(unknown(arg, word)),
        }
    }
    rule.ask(Step::Check(Box::new(decode)));
    Ok(())
}

impl Check for Decode {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let base = if self.relative { walk.cursor } else { 0 };
        let rest = walk
            .bytes
            .get(base.saturating_add(self.offset)..)
            .unwrap_or_default();
        let rest = rest
            .get(..self.bytes.unwrap_or(rest.len()).min(rest.len()))
            .unwrap_or_default();
        walk.decoded = decoded(rest);
        !walk.decoded.is_empty()
    }

    fn reads(&self, len: usize) -> usize {
        len
    }

    fn is_relative(&self) -> bool {
        self.relative
    }
}

/// Base64 (RFC 4648) up to the first byte that is none; white space is skipped.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut sum, mut bits) = (0_u32, 0_u32);
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        sum = (sum << 6 | u32::from(digit)) & 0xffff;
        bits = bits.saturating_add(6);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            bytes.push(u8::try_from(sum >> bits & 0xff).unwrap_or(0));
        }
    }
    bytes
}

fn base64_data(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    rule.enter_decoded(arg.name)
}
