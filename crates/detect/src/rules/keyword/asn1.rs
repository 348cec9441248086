//! ASN.1 in its basic encoding (X.690), looked through for what broke decoders. Elements that are not all
//! there are looked at as far as they are; other sensors pass over what is not whole.

use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[Keyword::call(
    "asn1",
    "bitstring_overflow|double_overflow|oversize_length N[,...][,absolute_offset N|relative_offset N]",
    "ASN.1 that begins at that place is wrong in one of these ways: more bits unused in a bit string than it has, a real number in text beyond 256 bytes, an element longer than N.",
    asn1,
)];

/// Most elements of one look.
const ELEMENTS_MAX: usize = 256;
/// Longest real number in text that is none of an attack's, bytes.
const REAL_BYTES_MAX: u64 = 256;

/// What is looked for, and from where.
#[derive(Debug, Default)]
struct Asn1 {
    bit_strings: bool,
    reals: bool,
    length_max: Option<u64>,
    offset: i64,
    relative: bool,
}

fn asn1(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let mut asked = Asn1::default();
    for word in value.split(',') {
        let (name, rest) = word.text.split_once(' ').unwrap_or((word.text, ""));
        let rest = word.part(rest).trim();
        match (name, rest.text) {
            ("bitstring_overflow", "") => asked.bit_strings = true,
            ("double_overflow", "") => asked.reals = true,
            ("oversize_length", _) => asked.length_max = Some(number::<u32>(rest)?.into()),
            ("absolute_offset", _) => {
                asked.relative = false;
                asked.offset = number::<u32>(rest)?.into();
            }
            ("relative_offset", _) => {
                asked.relative = true;
                asked.offset = number::<i32>(rest)?.into();
            }
            _ => return Err(super::bytes::unknown(arg, word)),
        }
    }
    if !asked.bit_strings && !asked.reals && asked.length_max.is_none() {
        return Err(value
            .wrong("asn1 that looks for nothing")
            .mend("write bitstring_overflow, double_overflow or oversize_length and a number"));
    }
    rule.ask(Step::Check(Box::new(asked)));
    Ok(())
}

impl Check for Asn1 {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let base = if self.relative { walk.cursor } else { 0 };
        let start = i64::try_from(base).unwrap_or(i64::MAX);
        let start = usize::try_from(start.saturating_add(self.offset)).ok();
        let data = start.and_then(|start| walk.bytes.get(start..));
        data.is_some_and(|data| Elements(data).take(ELEMENTS_MAX).any(|one| self.is(&one)))
    }

    fn is_relative(&self) -> bool {
        self.relative
    }

    fn reads(&self, _: usize) -> usize {
        ELEMENTS_MAX
    }
}

impl Asn1 {
    fn is(&self, element: &Element<'_>) -> bool {
        let len = element.len.unwrap_or(0);
        let first = element.content.first().copied();
        let is_long = self.length_max.is_some_and(|max| len > max);
        // the first byte says how many bits are unused: more than there are, in what broke decoders (X.690
        // 8.6.2 allows seven)
        let of_bits = self.bit_strings && element.is_plain(BIT_STRING);
        let bits = len.saturating_mul(8);
        let is_wrong = of_bits && first.is_some_and(|unused| u64::from(unused) > bits);
        // the two highest bits of the first byte say how a number is written: none set, as text (8.5.6)
        let of_reals = self.reals && element.is_plain(REAL);
        let is_text = first.is_some_and(|form| form & 0xc0 == 0);
        is_long || is_wrong || of_reals && is_text && len > REAL_BYTES_MAX
    }
}

/// Universal types (X.680 8.4).
const BIT_STRING: u8 = 3;
const REAL: u8 = 9;

/// One element.
#[derive(Debug, PartialEq, Eq)]
struct Element<'d> {
    /// The first byte: class, whether it is made of others, and its number where that is below 31.
    tag: u8,
    /// As its head says; none where it ends by a mark.
    len: Option<u64>,
    /// As much of it as is there; all that follows, of one that is made of others.
    content: &'d [u8],
}

impl Element<'_> {
    /// Whether it is of that universal type, and not made of others.
    fn is_plain(&self, kind: u8) -> bool {
        self.tag == kind
    }
}

/// Elements one behind the other, those within others behind their heads.
struct Elements<'d>(&'d [u8]);

impl<'d> Iterator for Elements<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Element<'d>> {
        let (tag, mut rest) = self.0.split_first()?;
        if tag & 0x1f == 0x1f {
            // its number follows, seven bits in each byte but the last
            let last = rest
                .iter()
                .take(NUMBER_BYTES_MAX)
                .position(|byte| byte & 0x80 == 0)?;
            rest = rest.get(last.saturating_add(1)..)?;
        }
        let (first, mut rest) = rest.split_first()?;
        let len = match first {
            0x80 => None,
            short @ 0..0x80 => Some(u64::from(*short)),
            long => {
                let (digits, behind) = rest.split_at_checked(usize::from(long & 0x7f))?;
                rest = behind;
                let add =
                    |len: u64, byte: &u8| len.saturating_mul(256).saturating_add((*byte).into());
                Some(digits.iter().fold(0, add))
            }
        };
        let is_made_of_others = tag & 0x20 != 0;
        let within = len.and_then(|len| usize::try_from(len).ok());
        let (content, behind) = match within.filter(|_| !is_made_of_others) {
            Some(len) => rest.split_at_checked(len).unwrap_or((rest, &[])),
            None => (rest, if is_made_of_others { rest } else { &[] }),
        };
        self.0 = behind;
        Some(Element {
            tag: *tag,
            len,
            content,
        })
    }
}

/// Most bytes of the number of a type.
const NUMBER_BYTES_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(asked: &Asn1, data: &[u8]) -> bool {
        Elements(data).take(ELEMENTS_MAX).any(|one| asked.is(&one))
    }

    #[test]
    fn elements_are_read_within_one_another() {
        // a sequence of an integer and a bit string, and behind it a null of a high number
        let data = [0x30, 7, 2, 1, 5, 3, 2, 4, 0xf0, 0x1f, 0x81, 0x01, 0];
        let tags: Vec<_> = Elements(&data).map(|one| (one.tag, one.len)).collect();
        let all = [(0x30, Some(7)), (2, Some(1)), (3, Some(2)), (0x1f, Some(0))];
        assert_eq!(tags, all);
        let without_end = [0x30, 0x80, 4, 1, 9, 0, 0];
        let tags: Vec<_> = Elements(&without_end)
            .map(|one| (one.tag, one.len))
            .collect();
        assert_eq!(tags, [(0x30, None), (4, Some(1)), (0, Some(0))]);
    }

    #[test]
    fn what_breaks_decoders_is_found() {
        let bits = Asn1 {
            bit_strings: true,
            ..Asn1::default()
        };
        assert!(finds(&bits, &[0x30, 4, 3, 2, 17, 0]));
        assert!(finds(&bits, &[3, 1, 9]));
        assert!(
            !finds(&bits, &[3, 2, 16, 0])
                && !finds(&bits, &[3, 1, 0])
                && !finds(&bits, &[4, 2, 99, 9])
        );
        let reals = Asn1 {
            reals: true,
            ..Asn1::default()
        };
        let real = |len: u16, form: u8| {
            let [high, low] = len.to_be_bytes();
            [&[9, 0x82, high, low, form][..], &[b'1'; 600]].concat()
        };
        assert!(finds(&reals, &real(257, 3)));
        assert!(!finds(&reals, &real(256, 3)) && !finds(&reals, &real(257, 0x80)));
        let long = Asn1 {
            length_max: Some(500),
            ..Asn1::default()
        };
        assert!(
            finds(&long, &[4, 0x82, 1, 0xf5]),
            "though not all of it is there"
        );
        assert!(finds(&long, &[4, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert!(!finds(&long, &[4, 0x82, 1, 0xf4]));
    }

    #[test]
    fn any_bytes_end() {
        let mut byte = 7_u8;
        let data: Vec<u8> = std::iter::repeat_with(|| {
            byte = byte.wrapping_mul(29).wrapping_add(11);
            byte
        })
        .take(4096)
        .collect();
        for start in 0..data.len() {
            let count = Elements(data.get(start..).unwrap_or_default()).count();
            assert!(count <= data.len());
        }
        // nested without an end: each element takes two bytes
        assert_eq!(Elements(&[0x30, 0x80].repeat(1000)).count(), 1000);
    }
}
