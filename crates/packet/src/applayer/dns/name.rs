//! Domain names with compression (RFC 1035 section 4.1.4).

use super::message::offset;
use crate::applayer::Field;

/// Longest name, bytes with the dots (RFC 1035 section 2.3.4 allows 255 on the wire).
pub const NAME_BYTES_MAX: usize = 255;
/// Most compression pointers followed for one name; each must point back, so a name cannot loop.
pub const POINTERS_MAX: usize = 32;

/// A domain name: its labels as sent, joined by dots, without the dot of the root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    bytes: Box<[u8]>,
    offset: u32,
}

impl Name {
    /// The name as sent: case and all bytes are the sender's.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The name and where it begins in the message.
    #[must_use]
    pub fn field(&self) -> Field<'_> {
        Field {
            bytes: &self.bytes,
            offset: self.offset,
        }
    }

    /// The name as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// Reads the name at `start` of a message; also gives how many bytes it takes there.
    pub(super) fn read(message: &[u8], start: usize) -> Option<(Self, usize)> {
        let mut labels = Vec::with_capacity(32);
        let mut at = start;
        let mut used = None;
        let mut pointers = 0;
        loop {
            let length = *message.get(at)?;
            match (length >> 6, length) {
                (0, 0) => break,
                (0, _) => {
                    let begin = at.checked_add(1)?;
                    at = begin.checked_add(usize::from(length))?;
                    push_label(&mut labels, message.get(begin..at)?)?;
                }
                (3, _) => {
                    // the name takes no more room here than up to its first pointer
                    if used.is_none() {
                        used = at.checked_add(2)?.checked_sub(start);
                    }
                    at = pointer(message, at).filter(|target| *target < at)?;
                    pointers = count_pointer(pointers)?;
                }
                _ => return None,
            }
        }
        let used = match used {
            Some(used) => used,
            None => at.checked_add(1)?.checked_sub(start)?,
        };
        Some((
            Self {
                bytes: labels.into(),
                offset: offset(start),
            },
            used,
        ))
    }
}

fn push_label(labels: &mut Vec<u8>, label: &[u8]) -> Option<()> {
    if !labels.is_empty() {
        labels.push(b'.');
    }
    labels.extend_from_slice(label);
    (labels.len() <= NAME_BYTES_MAX).then_some(())
}

fn pointer(message: &[u8], at: usize) -> Option<usize> {
    crate::bytes::be16(message, at).map(|word| usize::from(word & 0x3fff))
}

fn count_pointer(pointers: usize) -> Option<usize> {
    pointers
        .checked_add(1)
        .filter(|count| *count <= POINTERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_pointers() {
        let message = b"\x03www\x07example\x00\x04mail\xc0\x04";
        let (www, used) = Name::read(message, 0).unwrap();
        assert_eq!((www.bytes(), used), (&b"www.example"[..], 13));
        let (mail, used) = Name::read(message, 13).unwrap();
        assert_eq!((mail.bytes(), used), (&b"mail.example"[..], 7));
        assert_eq!(mail.field().offset, 13);
        let message = b"\x07example\x00\x01b\xc0\x00\x01a\xc0\x09";
        let (nested, used) = Name::read(message, 13).unwrap();
        assert_eq!(
            (nested.bytes(), used),
            (&b"a.b.example"[..], 4),
            "a pointer to a pointer"
        );
    }

    #[test]
    fn hostile_names_are_refused() {
        assert!(Name::read(b"\xc0\x00", 0).is_none(), "points at itself");
        assert!(
            Name::read(b"\xc0\x02\xc0\x00", 0).is_none(),
            "points forward"
        );
        assert!(Name::read(b"\x05ab", 0).is_none(), "cut off");
        assert!(Name::read(b"\x40a\x00", 0).is_none(), "reserved label type");
        let long = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(5);
        assert!(Name::read(&long, 0).is_none(), "too long");
        let mut chain = vec![1, b'a', 0];
        let mut last = 0_u16;
        for pointers in 1..=POINTERS_MAX + 1 {
            let here = u16::try_from(chain.len()).unwrap();
            chain.extend((0xc000 | last).to_be_bytes());
            last = here;
            let read = Name::read(&chain, usize::from(here));
            assert_eq!(
                read.is_some(),
                pointers <= POINTERS_MAX,
                "{pointers} pointers"
            );
        }
    }
}
