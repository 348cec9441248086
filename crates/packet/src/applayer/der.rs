//! Reading BER and DER (ITU-T X.690): lengths checked, tags of one byte, no indefinite lengths.
//!
//! Nothing here recurses or allocates beyond what a caller asks for: depth is the caller's.

/// One element: its tag and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// Class, form and number in one byte (X.690 section 8.1.2).
    pub(crate) tag: u8,
    /// The contents.
    pub(crate) body: &'a [u8],
}

/// What the first bytes say of an element's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Bytes, head included.
    Bytes(usize),
    /// More bytes will tell.
    Unsure,
    /// It is none.
    Bad,
}

/// Size of the element that begins here.
pub(crate) fn size(data: &[u8]) -> Size {
    let Some(tag) = data.first() else {
        return Size::Unsure;
    };
    if tag & NUMBER == NUMBER {
        return Size::Bad;
    }
    let Some(first) = data.get(1).copied() else {
        return Size::Unsure;
    };
    if first < LONG {
        return Size::Bytes(usize::from(first).saturating_add(2));
    }
    let count = usize::from(first & !LONG);
    if count == 0 || count > LENGTH_BYTES_MAX {
        return Size::Bad;
    }
    let head = count.saturating_add(2);
    let Some(bytes) = data.get(2..head) else {
        return Size::Unsure;
    };
    let len = bytes
        .iter()
        .fold(0_usize, |len, byte| len << 8 | usize::from(*byte));
    Size::Bytes(len.saturating_add(head))
}

/// Reads elements one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    data: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The tag that comes next.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.data.first().copied()
    }

    /// The next element; `None` at the end or where it is damaged.
    pub(crate) fn next(&mut self) -> Option<Element<'a>> {
        let Size::Bytes(len) = size(self.data) else {
            return None;
        };
        let (whole, rest) = self.data.split_at_checked(len)?;
        let head = match whole.get(1)? {
            first if *first < LONG => 2,
            first => usize::from(first & !LONG).saturating_add(2),
        };
        self.data = rest;
        Some(Element {
            tag: *whole.first()?,
            body: whole.get(head..)?,
        })
    }

    /// The contents of the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.peek() != Some(tag) {
            return None;
        }
        self.next().map(|element| element.body)
    }

    /// Reads what is inside the next element, which must have this tag.
    pub(crate) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(Self::new)
    }

    /// The next element's number.
    pub(crate) fn integer(&mut self, tag: u8) -> Option<i64> {
        integer(self.expect(tag)?)
    }
}

/// A number in two's complement; `None` beyond 64 bits.
pub(crate) fn integer(body: &[u8]) -> Option<i64> {
    let first = *body.first()?;
    let sign = if first & 0x80 == 0 { 0 } else { -1 };
    if body.len() > 8 {
        return None;
    }
    Some(
        body.iter()
            .fold(sign, |number: i64, byte| number << 8 | i64::from(*byte)),
    )
}

/// An object identifier in dots. The first byte is taken apart alone, as Suricata does it.
pub(crate) fn oid(body: &[u8]) -> Option<String> {
    use std::fmt::Write as _;

    let (first, rest) = body.split_first()?;
    if body.len() > OID_BYTES_MAX {
        return None;
    }
    let mut text = format!("{}.{}", first / 40, first % 40);
    let mut arc = 0_u64;
    for byte in rest {
        arc = arc.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            write!(text, ".{arc}").ok()?;
            arc = 0;
        }
    }
    Some(text)
}

/// Tags of the universal class (X.690 section 8).
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const GENERAL_STRING: u8 = 0x1b;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// Most bytes of an object identifier that is written out.
const OID_BYTES_MAX: usize = 128;
/// Most bytes of a length: elements are below 4 GiB.
const LENGTH_BYTES_MAX: usize = 4;
/// In the first byte of a length: the length follows in so many bytes.
const LONG: u8 = 0x80;
/// The bits of a tag's number; all set: the number follows.
const NUMBER: u8 = 0x1f;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size(&[]), Size::Unsure);
        assert_eq!(size(&[0x30]), Size::Unsure);
        assert_eq!(size(&[0x30, 5]), Size::Bytes(7));
        assert_eq!(size(&[0x30, 0x82, 1]), Size::Unsure);
        assert_eq!(size(&[0x30, 0x82, 1, 2]), Size::Bytes(262));
        assert_eq!(size(&[0x30, 0x84, 0, 0, 0, 1]), Size::Bytes(7));
        assert_eq!(size(&[0x30, 0x80]), Size::Bad, "indefinite");
        assert_eq!(size(&[0x30, 0x85]), Size::Bad);
        assert_eq!(size(&[0x1f, 1]), Size::Bad, "long tag");
    }

    #[test]
    fn elements_are_read_in_order() {
        let mut reader = Reader::new(&[0x30, 6, 2, 1, 0xfe, 4, 1, b'x', 0x0a, 2, 1]);
        let mut inner = reader.enter(SEQUENCE).unwrap();
        assert_eq!(inner.peek(), Some(INTEGER));
        assert_eq!(inner.expect(OCTETS), None);
        assert_eq!(inner.integer(INTEGER), Some(-2));
        assert_eq!(inner.expect(OCTETS), Some(&b"x"[..]));
        assert!(inner.is_empty());
        assert_eq!(reader.next(), None, "cut");
    }

    #[test]
    fn numbers_and_identifiers() {
        assert_eq!(integer(&[]), None);
        assert_eq!(integer(&[0, 0x80]), Some(128));
        assert_eq!(integer(&[0x7f; 8]), Some(0x7f7f_7f7f_7f7f_7f7f));
        assert_eq!(integer(&[1; 9]), None);
        assert_eq!(oid(&[0x2b, 6, 1, 0x84, 0x2a]).unwrap(), "1.3.6.1.554");
        assert_eq!(oid(&[0x2b, 0xff]).unwrap(), "1.3");
        assert_eq!(oid(&[]), None);
        assert_eq!(oid(&[0xff; 64]), None, "an arc beyond 64 bits");
    }
}
