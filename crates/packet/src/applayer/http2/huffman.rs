//! The Huffman code of header strings (RFC 7541 section 5.2 and appendix B).

use std::sync::LazyLock;

/// Decodes a string to at most `max` bytes; what is not in the code ends it.
pub(super) fn decode(coded: &[u8], max: usize) -> Vec<u8> {
    let table = &*TABLE;
    let mut decoded = Vec::new();
    let (mut code, mut len) = (0_u32, 0_usize);
    for byte in coded {
        for shift in (0..8).rev() {
            code = code << 1 | u32::from(*byte >> shift & 1);
            len = len.saturating_add(1);
            if len > LEN_MAX || decoded.len() >= max {
                return decoded;
            }
            if let Some(symbol) = table.symbol(code, len) {
                decoded.push(symbol);
                (code, len) = (0, 0);
            }
        }
    }
    // what is left pads the last byte: with ones, but receivers do not look
    decoded
}

/// The code is canonical: codes of one length are consecutive numbers in the order of their
/// symbols, so the lengths say all.
#[derive(Debug)]
struct Table {
    /// Symbols by length of their code, then by value.
    symbols: Vec<u8>,
    /// For each length: its first code, how many there are, and where its symbols begin.
    lengths: Vec<(u32, u32, usize)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table {
        symbols: Vec::new(),
        lengths: Vec::new(),
    };
    let mut code = 0_u32;
    for len in 0..=LEN_MAX {
        let start = table.symbols.len();
        let of_len = (0_u8..=255)
            .zip(LENGTHS)
            .filter(|(_, of)| usize::from(*of) == len);
        table.symbols.extend(of_len.map(|(symbol, _)| symbol));
        let count = u32::try_from(table.symbols.len().saturating_sub(start)).unwrap_or(0);
        table.lengths.push((code, count, start));
        code = code.saturating_add(count) << 1;
    }
    table
});

impl Table {
    fn symbol(&self, code: u32, len: usize) -> Option<u8> {
        let (first, count, start) = *self.lengths.get(len)?;
        let at = code.checked_sub(first).filter(|at| *at < count)?;
        let at = start.checked_add(usize::try_from(at).ok()?)?;
        self.symbols.get(at).copied()
    }
}

/// Length of the longest code.
const LEN_MAX: usize = 30;

/// Lengths of the codes of all bytes.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, //
    28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, //
    10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, //
    15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, //
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, //
    6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, //
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, //
    23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, //
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, //
    23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, //
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, //
    28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, //
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, //
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        for (coded, text) in [
            (
                &[
                    0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
                ][..],
                "www.example.com",
            ),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (&[0x64, 0x02], "302"),
            (&[], ""),
        ] {
            assert_eq!(decode(coded, 100), text.as_bytes());
        }
    }

    #[test]
    fn what_is_not_in_the_code_ends_the_string() {
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff], 100), b"", "end of string");
        assert_eq!(
            decode(&[0x64, 0x02, 0x00], 100),
            b"3020",
            "padding of zeros"
        );
        assert_eq!(decode(&[0x64, 0x02], 2), b"30", "too long");
    }
}
