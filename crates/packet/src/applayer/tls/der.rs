//! DER (X.690): tags of one byte, definite lengths, nothing kept. Each read moves forward in a slice,
//! so that nesting and lengths cannot loop.

use crate::bytes::Cursor;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The tag of a constructed, context-specific value.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// Reads values one behind the other.
#[derive(Debug, Clone)]
pub(crate) struct Der<'a>(Cursor<'a>);

impl<'a> Der<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(Cursor::new(data))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value: its tag and content; `None` at the end and at damage.
    pub(crate) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let mut cursor = self.0.clone();
        let tag = cursor.u8()?;
        let first = cursor.u8()?;
        let len = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let bytes = cursor.take(usize::from(first & 0x0f))?;
                bytes.iter().try_fold(0_usize, |len, byte| {
                    len.checked_mul(256)?.checked_add(usize::from(*byte))
                })?
            }
            _ => return None,
        };
        let content = cursor.take(len)?;
        self.0 = cursor;
        Some((tag, content))
    }

    /// The content of the next value, if it has the tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.clone();
        let (found, content) = self.next()?;
        if found == tag {
            return Some(content);
        }
        *self = before;
        None
    }

    /// Passes by a value that need not be there; `None` at damage.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<()> {
        let mut ahead = self.clone();
        let (found, _) = ahead.next()?;
        if found == tag {
            *self = ahead;
        }
        Some(())
    }

    /// Goes into the next value, which must be a sequence.
    pub(crate) fn sequence(&mut self) -> Option<Self> {
        self.expect(SEQUENCE).map(Self::new)
    }
}

/// An object identifier as numbers with dots.
pub(crate) fn oid_text(content: &[u8]) -> String {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0_u64;
    for byte in content {
        number = number
            .saturating_mul(128)
            .saturating_add(u64::from(byte & 0x7f));
        if byte & 0x80 != 0 {
            continue;
        }
        if numbers.is_empty() {
            let first = (number / 40).min(2);
            numbers.push(first);
            number = number.saturating_sub(first.saturating_mul(40));
        }
        numbers.push(std::mem::take(&mut number));
    }
    let numbers = numbers.iter().map(u64::to_string);
    numbers.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_damage() {
        let mut der = Der::new(&[0x30, 3, 0x02, 1, 5, 0x04, 0x81, 2, 7, 8, 0x30, 0x80]);
        assert_eq!(der.sequence().unwrap().expect(INTEGER), Some(&[5][..]));
        assert_eq!(der.expect(INTEGER), None);
        assert_eq!(der.expect(OCTETS), Some(&[7, 8][..]));
        assert!(der.next().is_none(), "an indefinite length");
        assert!(Der::new(&[4, 5, 1]).next().is_none(), "cut off");
        assert!(Der::new(&[4, 0x84, 255, 255, 255, 255]).next().is_none());
    }

    #[test]
    fn object_identifiers() {
        assert_eq!(oid_text(&[0x55, 4, 3]), "2.5.4.3");
        assert_eq!(
            oid_text(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]),
            "1.2.840.113549"
        );
    }
}
