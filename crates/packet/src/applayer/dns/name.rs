//! Domain names with compression (RFC 1035 section 4.1.4).

use super::message::offset;
use crate::applayer::Field;

/// Most bytes kept of a name, with the dots. RFC 1035 section 2.3.4 allows 255 on the wire, but
/// whoever sends more may find a resolver that takes it.
pub const NAME_BYTES_MAX: usize = 1025;
/// Most labels kept of a name.
pub const LABELS_MAX: usize = 128;
/// Most compression pointers followed for one name, whichever way they point.
pub const POINTERS_MAX: usize = 255;

/// A domain name: its labels as sent, joined by dots, without the dot of the root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    bytes: Box<[u8]>,
    offset: u32,
    cut: Option<Cut>,
}

/// Why there is not all of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// More than [`NAME_BYTES_MAX`] bytes.
    Bytes,
    /// More than [`LABELS_MAX`] labels.
    Labels,
    /// More than [`POINTERS_MAX`] pointers.
    Pointers,
}

impl Name {
    /// The name as sent: case and all bytes are the sender's.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Why there is not all of it.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        self.cut
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

    /// Reads the name at `start` of a message; also gives how many bytes it takes there. What is
    /// beyond the bounds is cut off.
    pub(super) fn read(message: &[u8], start: usize) -> Option<(Self, usize)> {
        let mut walk = Walk {
            labels: Vec::with_capacity(32),
            count: 0,
            cut: None,
        };
        let mut at = start;
        let mut used = None;
        let mut pointers = 0_usize;
        loop {
            let length = *message.get(at)?;
            match (length >> 6, length) {
                (0, 0) => break,
                (0, _) => {
                    let begin = at.checked_add(1)?;
                    at = begin.checked_add(usize::from(length))?;
                    walk.push(message.get(begin..at)?);
                    // behind a pointer nothing is to be passed by
                    if walk.cut == Some(Cut::Labels) && used.is_some() {
                        break;
                    }
                }
                (3, _) => {
                    // the name takes no more room here than up to its first pointer
                    if used.is_none() {
                        used = at.checked_add(2)?.checked_sub(start);
                    }
                    at = pointer(message, at)?;
                    pointers = pointers.saturating_add(1);
                    if walk.cut == Some(Cut::Labels) {
                        break;
                    }
                    if pointers > POINTERS_MAX {
                        walk.cut = Some(Cut::Pointers);
                        break;
                    }
                }
                _ => return None,
            }
        }
        // nothing but pointers is no name
        if walk.count == 0 && walk.cut.is_some() {
            return None;
        }
        let used = match used {
            Some(used) => used,
            None => at.checked_add(1)?.checked_sub(start)?,
        };
        Some((
            Self {
                bytes: walk.labels.into(),
                offset: offset(start),
                cut: walk.cut,
            },
            used,
        ))
    }
}

/// The labels so far.
struct Walk {
    labels: Vec<u8>,
    count: usize,
    cut: Option<Cut>,
}

impl Walk {
    fn push(&mut self, label: &[u8]) {
        if self.count >= LABELS_MAX {
            self.cut = Some(Cut::Labels);
            return;
        }
        self.count = self.count.saturating_add(1);
        if self.cut.is_some() {
            return;
        }
        if !self.labels.is_empty() {
            self.labels.push(b'.');
        }
        self.labels.extend_from_slice(label);
        if self.labels.len() > NAME_BYTES_MAX {
            self.labels.truncate(NAME_BYTES_MAX);
            self.cut = Some(Cut::Bytes);
        }
    }
}

fn pointer(message: &[u8], at: usize) -> Option<usize> {
    crate::bytes::be16(message, at).map(|word| usize::from(word & 0x3fff))
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
    fn hostile_names_are_refused_or_cut() {
        assert!(Name::read(b"\xc0\x00", 0).is_none(), "points at itself");
        assert!(Name::read(b"\xc0\x02\xc0\x00", 0).is_none(), "a circle");
        assert!(Name::read(b"\x05ab", 0).is_none(), "cut off");
        assert!(Name::read(b"\x40a\x00", 0).is_none(), "reserved label type");
        let (forward, used) = Name::read(b"\xc0\x03.\x01a\x00", 0).unwrap();
        assert_eq!((forward.bytes(), used), (&b"a"[..], 2));
        let long = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(20);
        let (name, used) = Name::read(&[&long[..], &[0]].concat(), 0).unwrap();
        assert_eq!((name.bytes().len(), used), (NAME_BYTES_MAX, 1281));
        assert_eq!(name.cut(), Some(Cut::Bytes));
        let (circle, used) = Name::read(b"\x01a\xc0\x00", 0).unwrap();
        assert_eq!(circle.cut(), Some(Cut::Labels));
        assert_eq!((circle.bytes().len(), used), (LABELS_MAX * 2 - 1, 4));
    }
}
