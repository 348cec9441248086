//! `from_base64`: of a part of the buffer. What does not decode stays as it is.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::Operation;

/// Highest `bytes` and `offset` (Suricata's bounds).
const LENGTH_MAX: usize = 65_535;

#[derive(Debug, Default)]
struct FromBase64 {
    bytes: Option<usize>,
    offset: usize,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// Up to the first byte that is not of the alphabet; padding may be missing.
    #[default]
    Rfc4648,
    /// Over bytes that are not of the alphabet; only whole groups of four.
    Rfc2045,
    /// Everything, with its padding.
    Strict,
}

/// `bytes 4, offset 2, mode rfc2045`, each at most once.
pub(super) fn parse(value: Option<&str>) -> Result<Arc<dyn Operation>, String> {
    let mut operation = FromBase64::default();
    let mut words = value
        .unwrap_or_default()
        .split([',', ' ', '\t'])
        .filter(|word| !word.is_empty());
    let mut seen = Vec::new();
    while let Some(key) = words.next() {
        let word = words.next().ok_or(format!("{key} lacks a value"))?;
        let number = || {
            let number = word.parse().ok().filter(|number| *number <= LENGTH_MAX);
            number.ok_or(format!("{key} is no number up to {LENGTH_MAX}: {word}"))
        };
        match key {
            _ if seen.contains(&key) => return Err(format!("{key} is there twice")),
            "bytes" => operation.bytes = Some(number()?).filter(|bytes| *bytes > 0),
            "offset" => operation.offset = number()?,
            "mode" => {
                operation.mode = match word {
                    "rfc4648" => Mode::Rfc4648,
                    "rfc2045" => Mode::Rfc2045,
                    "strict" => Mode::Strict,
                    _ => return Err(format!("mode is rfc4648, rfc2045 or strict, not {word}")),
                }
            }
            _ => {
                return Err(format!(
                    "from_base64 knows bytes, offset and mode, not {key}"
                ));
            }
        }
        seen.push(key);
    }
    Ok(Arc::new(operation))
}

impl Operation for FromBase64 {
    fn apply(&self, input: &[u8], out: &mut Vec<u8>) -> bool {
        let decoded = self.part(input).and_then(|part| match self.mode {
            Mode::Strict => STANDARD.decode(part).ok(),
            Mode::Rfc4648 | Mode::Rfc2045 => decode(part, self.mode),
        });
        match decoded {
            Some(decoded) if !decoded.is_empty() => out.extend(decoded),
            _ => out.extend(input),
        }
        true
    }
}

impl FromBase64 {
    fn part<'a>(&self, input: &'a [u8]) -> Option<&'a [u8]> {
        let rest = input.get(self.offset..)?;
        match self.bytes {
            // Suricata does not decode up to the very end when told how much.
            Some(bytes) if bytes < rest.len() => rest.get(..bytes),
            Some(_) => None,
            None => Some(rest),
        }
    }
}

/// None when padding stands where none may, or one sextet is left over.
fn decode(text: &[u8], mode: Mode) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut group = [0_u8; 4];
    let mut filled: usize = 0;
    for byte in text {
        let is_of_alphabet = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        if !is_of_alphabet && mode == Mode::Rfc2045 {
            continue;
        }
        if !is_of_alphabet {
            break;
        }
        if let Some(place) = group.get_mut(filled) {
            *place = *byte;
        }
        filled = filled.saturating_add(1);
        if filled == 4 {
            decode_group(&group, &mut out)?;
            filled = 0;
        }
    }
    if mode == Mode::Rfc4648 && filled > 0 {
        let mut last = [b'='; 4];
        for (place, byte) in last.iter_mut().zip(group.iter().take(filled)) {
            *place = *byte;
        }
        decode_group(&last, &mut out)?;
    }
    Some(out)
}

/// Four letters to three bytes; to two or one where the fourth or the third is padding.
fn decode_group(group: &[u8; 4], out: &mut Vec<u8>) -> Option<()> {
    let letters = group.iter().take_while(|byte| **byte != b'=').count();
    let bytes = letters.checked_sub(1).filter(|bytes| *bytes > 0)?;
    let mut bits: u32 = 0;
    for byte in group {
        bits = bits << 6 | u32::from(sextet(*byte));
    }
    let [_, all @ ..] = bits.to_be_bytes();
    out.extend(all.iter().take(bytes));
    Some(())
}

fn sextet(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte.wrapping_sub(b'A'),
        b'a'..=b'z' => byte.wrapping_sub(b'a').saturating_add(26),
        b'0'..=b'9' => byte.wrapping_sub(b'0').saturating_add(52),
        b'+' => 62,
        b'/' => 63,
        _ => 0,
    }
}
