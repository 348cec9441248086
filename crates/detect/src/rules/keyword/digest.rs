//! Buffers that hold a digest in hexadecimal: contents of them are whole digests, in any case.

use super::{ja3, quic, ssh, tls};
use crate::rules::content::Content;
use crate::rules::diagnostic::Problem;
use crate::rules::scene::Buffer;
use crate::rules::syntax::Piece;

/// Buffers with digests, and the length of those.
static DIGESTS: &[(&Buffer, usize)] = &[
    (&tls::FINGERPRINT, 59),
    (&ja3::JA3_HASH, 32),
    (&ja3::JA3S_HASH, 32),
    (&quic::CYU_HASH, 32),
    (&ssh::HASSH, 32),
    (&ssh::HASSH_SERVER, 32),
];

/// A content of a buffer: of a digest it must be all.
pub(super) fn check(buffer: &Buffer, content: &mut Content, at: Piece<'_>) -> Result<(), Problem> {
    let mut known = DIGESTS.iter();
    let Some((_, len)) = known.find(|(known, _)| std::ptr::eq(*known, buffer)) else {
        return Ok(());
    };
    let is_digit = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
    if content.bytes().len() != *len || !content.bytes().iter().all(is_digit) {
        return Err(at
            .wrong(format!(
                "a content of {} is a digest of {len} characters",
                buffer.name
            ))
            .mend("write all of it in hexadecimal"));
    }
    content.ignore_case();
    Ok(())
}
