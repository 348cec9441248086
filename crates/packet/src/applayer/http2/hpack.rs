//! Header compression (RFC 7541), the decoder's side.

use std::collections::VecDeque;

use super::huffman;
use super::transaction::Entry;
use crate::bytes::Cursor;

/// Most fields of a header block.
pub const FIELDS_MAX: usize = 1024;
/// Most decoded bytes of a header block: a reference of one byte can stand for a whole table.
pub const BLOCK_BYTES_MAX: usize = 256 << 10;

/// The state of one direction's compression.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The latest first.
    table: VecDeque<(Vec<u8>, Vec<u8>)>,
    /// Its size as the RFC counts, bytes.
    size: usize,
    size_max: usize,
    /// What the size may be set to.
    limit: usize,
}

/// What is wrong with a header block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// It is no header block.
    Invalid,
    /// A bound was hit.
    TooLarge,
}

impl Decoder {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            table: VecDeque::new(),
            size: 0,
            size_max: TABLE_BYTES.min(limit),
            limit,
        }
    }

    /// Memory in use, bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Decodes a whole block; what was read before damage is kept.
    pub(super) fn block(&mut self, block: &[u8], entries: &mut Vec<Entry>) -> Result<(), Damage> {
        let mut cursor = Cursor::new(block);
        let mut bytes = 0_usize;
        while !cursor.is_empty() {
            if entries.len() >= FIELDS_MAX {
                return Err(Damage::TooLarge);
            }
            let Some(entry) = self.entry(&mut cursor) else {
                return Err(Damage::Invalid);
            };
            let len = entry.name.len().saturating_add(entry.value.len());
            bytes = bytes.saturating_add(len);
            if bytes > BLOCK_BYTES_MAX {
                return Err(Damage::TooLarge);
            }
            entries.push(entry);
        }
        Ok(())
    }

    /// RFC 7541 section 6. An index that stands for nothing hides one field, not those behind it:
    /// the table may have been filled before anybody looked.
    fn entry(&mut self, cursor: &mut Cursor<'_>) -> Option<Entry> {
        let first = cursor.u8()?;
        if first & 0x80 != 0 {
            return Some(match integer(cursor, first, 7)? {
                0 => Entry::damage("HTTP2HeaderDecodeIndex0"),
                at => self.at(at).map_or_else(
                    || Entry::damage("HTTP2HeaderDecodeNotIndexed"),
                    Entry::field,
                ),
            });
        }
        if first & 0xe0 == 0x20 {
            let size = integer(cursor, first, 5)?;
            self.size_max = size.min(self.limit);
            self.evict(0);
            return Some(Entry::size_update(u64::try_from(size).ok()?));
        }
        let (bits, keep) = if first & 0x40 != 0 {
            (6, true)
        } else {
            (4, false)
        };
        let name = match integer(cursor, first, bits)? {
            0 => string(cursor)?,
            at => self.at(at).unwrap_or_default().0,
        };
        let value = string(cursor)?;
        if keep {
            self.insert(&name, &value);
        }
        Some(Entry::field((name, value)))
    }

    fn at(&self, at: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let at = at.checked_sub(1)?;
        match STATIC.get(at) {
            Some((name, value)) => Some((name.as_bytes().to_vec(), value.as_bytes().to_vec())),
            None => self.table.get(at.checked_sub(STATIC.len())?).cloned(),
        }
    }

    fn insert(&mut self, name: &[u8], value: &[u8]) {
        let len = cost(name, value);
        self.evict(len);
        if len <= self.size_max {
            self.table.push_front((name.to_vec(), value.to_vec()));
            self.size = self.size.saturating_add(len);
        }
    }

    /// Makes room for so many bytes.
    fn evict(&mut self, len: usize) {
        while self.size.saturating_add(len) > self.size_max {
            let Some((name, value)) = self.table.pop_back() else {
                return;
            };
            self.size = self.size.saturating_sub(cost(&name, &value));
        }
    }
}

/// RFC 7541 section 4.1.
fn cost(name: &[u8], value: &[u8]) -> usize {
    name.len().saturating_add(value.len()).saturating_add(32)
}

/// RFC 7541 section 5.1. What is too large to be anything is `usize::MAX`; `None` when it does not
/// end.
fn integer(cursor: &mut Cursor<'_>, first: u8, bits: u32) -> Option<usize> {
    let mask = 0xff_u8.checked_shr(8_u32.checked_sub(bits)?)?;
    let mut value = usize::from(first & mask);
    if value < usize::from(mask) {
        return Some(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = cursor.u8()?;
        value = value.checked_add(usize::from(byte & 0x7f).checked_shl(shift)?)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    while cursor.u8()? & 0x80 != 0 {}
    Some(usize::MAX)
}

/// RFC 7541 section 5.2.
fn string(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let first = cursor.u8()?;
    let len = integer(cursor, first, 7)?;
    let bytes = cursor.take(len)?;
    if first & 0x80 != 0 {
        Some(huffman::decode(bytes, BLOCK_BYTES_MAX))
    } else {
        Some(bytes.to_vec())
    }
}

/// Size of the table before a peer sets another.
const TABLE_BYTES: usize = 4096;

/// RFC 7541 appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(entries: &[Entry]) -> Vec<String> {
        let text = |entry: &Entry| {
            format!(
                "{}: {}",
                String::from_utf8_lossy(&entry.name),
                String::from_utf8_lossy(&entry.value)
            )
        };
        entries.iter().map(text).collect()
    }

    /// RFC 7541 appendix C.4.
    #[test]
    fn the_requests_of_the_rfc() {
        let mut decoder = Decoder::new(65_536);
        for (block, expected) in [
            (
                &[
                    0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0,
                    0xab, 0x90, 0xf4, 0xff,
                ][..],
                vec![
                    ":method: GET",
                    ":scheme: http",
                    ":path: /",
                    ":authority: www.example.com",
                ],
            ),
            (
                &[
                    0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf,
                ],
                vec![
                    ":method: GET",
                    ":scheme: http",
                    ":path: /",
                    ":authority: www.example.com",
                    "cache-control: no-cache",
                ],
            ),
        ] {
            let mut entries = Vec::new();
            decoder.block(block, &mut entries).unwrap();
            assert_eq!(texts(&entries), expected);
        }
        assert_eq!(decoder.size(), 110);
    }

    #[test]
    fn blocks_and_tables_are_bounded() {
        let mut decoder = Decoder::new(65_536);
        let mut block = vec![0x40, 1, b'a', 0x7f, 0xa1, 0x1e];
        block.extend([b'x'; 4000]);
        block.extend([0xbe; 100_000]);
        let mut entries = Vec::new();
        assert_eq!(decoder.block(&block, &mut entries), Err(Damage::TooLarge));
        let bytes: usize = entries.iter().map(|entry| entry.value.len()).sum();
        assert!(bytes <= BLOCK_BYTES_MAX);
        assert_eq!(decoder.block(&[0x20], &mut Vec::new()), Ok(()));
        assert_eq!(decoder.size(), 0, "a table of no bytes holds nothing");
        let cut = decoder.block(&[0x40, 5, b'a'], &mut Vec::new());
        assert_eq!(cut, Err(Damage::Invalid));
    }

    #[test]
    fn what_stands_for_nothing_hides_nothing_behind_it() {
        for (front, why) in [
            (&[0x80][..], "HTTP2HeaderDecodeIndex0"),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
                "HTTP2HeaderDecodeNotIndexed",
            ),
            (&[0xbf], "HTTP2HeaderDecodeNotIndexed"),
        ] {
            let block = [front, &[0x82]].concat();
            let mut entries = Vec::new();
            let mut decoder = Decoder::new(4096);
            assert_eq!(decoder.block(&block, &mut entries), Ok(()));
            assert_eq!(entries[0].damage, Some(why), "{front:?}");
            assert_eq!(entries[1].name, b":method");
        }
    }
}
