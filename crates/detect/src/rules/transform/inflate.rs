//! `gunzip` (RFC 1952) and `zlib_deflate` (RFC 1950). What is damaged becomes empty; what ends too
//! early gives what it has.

use std::sync::Arc;

use miniz_oxide::inflate::{
    TINFLStatus,
    core::{DecompressorOxide, decompress, inflate_flags as flags},
};

use super::Operation;

/// The most that a rule can ask for, in bytes (Suricata's bound).
pub const INFLATED_MAX: usize = 16 * 1024 * 1024;
/// What comes out at most unless the rule says otherwise (Suricata's default).
const DEFAULT_MAX: usize = 1024;

#[derive(Debug)]
struct Inflate {
    gzip: bool,
    max_size: usize,
}

pub(super) fn parse_gunzip(value: Option<&str>) -> Result<Arc<dyn Operation>, String> {
    let max_size = max_size(value)?;
    Ok(Arc::new(Inflate {
        gzip: true,
        max_size,
    }))
}

pub(super) fn parse_zlib(value: Option<&str>) -> Result<Arc<dyn Operation>, String> {
    let max_size = max_size(value)?;
    Ok(Arc::new(Inflate {
        gzip: false,
        max_size,
    }))
}

/// `max-size 10`, `max-size 2kb`.
fn max_size(value: Option<&str>) -> Result<usize, String> {
    let Some(value) = value else {
        return Ok(DEFAULT_MAX);
    };
    let size = value.strip_prefix("max-size ").map(str::trim);
    let size = size.ok_or(format!("the only option is max-size, not {value:?}"))?;
    let digits = size.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: usize = match size.get(digits.len()..).unwrap_or_default() {
        "" => 1,
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        unit => return Err(format!("sizes are in kb or mb, not {unit:?}")),
    };
    let bytes = digits
        .parse()
        .ok()
        .and_then(|size: usize| size.checked_mul(unit));
    bytes
        .filter(|size| (1..=INFLATED_MAX).contains(size))
        .ok_or(format!("max-size is from 1 to {INFLATED_MAX}"))
}

impl Operation for Inflate {
    fn apply(&self, input: &[u8], out: &mut Vec<u8>) -> bool {
        let (body, zlib) = if self.gzip {
            (gzip_body(input), 0)
        } else {
            (Some(input), flags::TINFL_FLAG_PARSE_ZLIB_HEADER)
        };
        let Some(body) = body else {
            return true;
        };
        // Not larger than what the input can become, DEFLATE's best being 1032 to 1.
        let most = body.len().saturating_mul(1032).saturating_add(1);
        out.resize(self.max_size.min(most), 0);
        let flags = zlib
            | flags::TINFL_FLAG_HAS_MORE_INPUT
            | flags::TINFL_FLAG_COMPUTE_ADLER32
            | flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let mut state = DecompressorOxide::new();
        let (status, _, written) = decompress(&mut state, body, out, 0, flags);
        let kept = [
            TINFLStatus::Done,
            TINFLStatus::NeedsMoreInput,
            TINFLStatus::HasMoreOutput,
        ];
        out.truncate(if kept.contains(&status) { written } else { 0 });
        status != TINFLStatus::HasMoreOutput
    }
}

/// What is behind the header of the first member.
fn gzip_body(input: &[u8]) -> Option<&[u8]> {
    const HEADER_CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let (header, mut rest) = input.split_at_checked(10)?;
    let [0x1f, 0x8b, 8, kind, ..] = *header else {
        return None;
    };
    if kind & EXTRA != 0 {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        rest = behind.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [NAME, COMMENT] {
        if kind & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end.saturating_add(1)..)?;
        }
    }
    if kind & HEADER_CRC != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}
