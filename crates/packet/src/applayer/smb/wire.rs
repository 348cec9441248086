//! Numbers and texts of SMB: little-endian, UTF-16.

pub(super) fn le16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

pub(super) fn le32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

pub(super) fn le64(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

/// The bytes that a place and a length name, as far as they are there.
pub(super) fn part(data: &[u8], at: usize, len: usize) -> &[u8] {
    let rest = data.get(at..).unwrap_or_default();
    rest.get(..len).unwrap_or(rest)
}

/// UTF-16 as text, at most [`NAME_BYTES_MAX`] of it; what is none becomes the replacement
/// character.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let bytes = bytes.get(..NAME_BYTES_MAX).unwrap_or(bytes);
    let units = bytes.chunks_exact(2);
    let units = units.map(|pair| le16(pair, 0).unwrap_or_default());
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// UTF-16 up to its end mark, and the bytes that it took with it.
pub(super) fn utf16_z(bytes: &[u8]) -> (String, usize) {
    let units = bytes.chunks_exact(2);
    let count = units.take_while(|pair| *pair != [0, 0]).count();
    let len = count.saturating_mul(2);
    (utf16(part(bytes, 0, len)), len.saturating_add(2))
}

/// Bytes up to a zero, as text, and the bytes that it took with it.
pub(super) fn ascii_z(bytes: &[u8]) -> (String, usize) {
    let len = bytes.iter().take_while(|byte| **byte != 0).count();
    let text = String::from_utf8_lossy(part(bytes, 0, len.min(NAME_BYTES_MAX)));
    (text.into_owned(), len.saturating_add(1))
}

/// Seconds since the Unix epoch of a time in 100 nanoseconds since 1601; 0 for none.
pub(super) fn unix_s(filetime: u64) -> u64 {
    (filetime / 10_000_000).saturating_sub(11_644_473_600)
}

/// A GUID as Suricata writes it: all of it in little-endian numbers, of 4, 2, 2, 2, 2 and 4 bytes.
pub(super) fn guid(bytes: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *bytes;
    let [i, j, k, l, m, n, o, p] = rest;
    let hex = |bytes: &[u8]| crate::bytes::hex(bytes);
    format!(
        "{}-{}-{}-{}-{}",
        hex(&[d, c, b, a]),
        hex(&[f, e]),
        hex(&[h, g]),
        hex(&[j, i]),
        hex(&[l, k, p, o, n, m]),
    )
}

/// Most bytes kept of a name.
pub(super) const NAME_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(utf16(b"a\0b\0c"), "ab");
        assert_eq!(utf16_z(b"a\0\0\0z\0"), ("a".to_owned(), 4));
        assert_eq!(ascii_z(b"IPC\0x"), ("IPC".to_owned(), 4));
        assert_eq!(utf16(&[0, 0xd8]), "\u{fffd}");
        assert_eq!(part(b"abc", 1, 9), b"bc");
        assert_eq!(part(b"abc", 9, 1), b"");
    }

    #[test]
    fn times_and_identifiers() {
        assert_eq!(unix_s(132_000_000_000_000_000), 1_555_526_400);
        assert_eq!(unix_s(0), 0);
        let bytes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        assert_eq!(guid(&bytes), "03020100-0504-0706-0908-0b0a0f0e0d0c");
    }
}
