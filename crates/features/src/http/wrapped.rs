//! Text inside base64: tools wrap payloads in it, and applications unwrap them.

use crate::text::tally;

/// Base64 digits that may hold something.
const LENGTH_MIN: usize = 12;
/// Unwrapped texts of one value.
const FOUND_MAX: usize = 8;

/// Texts that stand in base64 (either alphabet) in a value.
pub(super) fn unwrapped(value: &[u8]) -> Vec<Vec<u8>> {
    value
        .split(|byte| !is_digit(*byte))
        .filter(|run| run.len() >= LENGTH_MIN)
        .filter_map(decode)
        .take(FOUND_MAX)
        .collect()
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Decodes as far as whole bytes go; `None` where that is no text.
fn decode(run: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(run.len());
    for group in run.chunks(4) {
        let bits = group
            .iter()
            .try_fold(0_u32, |bits, digit| Some((bits << 6) | sextet(*digit)?))?;
        let bits =
            bits << (6_u32.saturating_mul(4_u32.saturating_sub(u32::try_from(group.len()).ok()?)));
        let [_, bytes @ ..] = bits.to_be_bytes();
        text.extend(bytes.iter().take(group.len().saturating_sub(1)));
    }
    let printable = tally(&text, |byte| {
        matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')
    });
    let fine = text.len() >= 6 && printable.saturating_mul(10) >= text.len().saturating_mul(9);
    fine.then_some(text)
}

const fn sextet(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit.wrapping_sub(b'A'),
        b'a'..=b'z' => digit.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => digit.wrapping_sub(b'0').wrapping_add(52),
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value as u32)
}
