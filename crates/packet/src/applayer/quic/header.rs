//! Long headers: what they say of a packet before its protection is taken off.

use crate::bytes::{Cursor, be32};

/// Longest connection identifier (RFC 9000 section 17.2).
const ID_BYTES_MAX: usize = 20;

pub(super) const V1: u32 = 1;
/// Facebook's own name of draft 27.
pub(super) const FACEBOOK: u32 = 0xface_b002;
/// RFC 9369.
pub(super) const V2: u32 = 0x6b33_43cf;

/// Type of a long-header packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
    Negotiation,
    /// Of a version whose packets cannot be read.
    Other,
}

/// One packet of a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) kind: Kind,
    pub(super) version: u32,
    pub(super) destination: &'a [u8],
    /// The whole packet.
    pub(super) bytes: &'a [u8],
    /// Where its packet number stands in it.
    pub(super) number_at: usize,
}

/// Whether the version says how its Initial packets are protected.
pub(super) fn is_readable(version: u32) -> bool {
    matches!(version, V1 | V2 | FACEBOOK | 0xff00_0017..=0xff00_0022)
}

/// Whether it is a version that is in use: IETF's, Facebook's, those of RFC 9000 section 15 that force
/// a negotiation, and Google's.
pub(super) fn is_version(version: u32) -> bool {
    is_readable(version)
        || matches!(version, 0xff00_0001..=0xff00_0016 | 0xface_b000..=0xface_b00f)
        || version & 0x0f0f_0f0f == 0x0a0a_0a0a
        || is_google(version)
}

/// `Q046`, `T051`.
pub(super) fn is_google(version: u32) -> bool {
    let [family, digits @ ..] = version.to_be_bytes();
    matches!(family, b'Q' | b'T') && digits.iter().all(u8::is_ascii_digit)
}

/// The version of a datagram that begins with a long header; of gQUIC's before Q044 one that tells its
/// version.
pub(super) fn version(datagram: &[u8]) -> Option<u32> {
    let flags = *datagram.first()?;
    if flags & 0x80 != 0 {
        return be32(datagram, 1);
    }
    if flags & 0x41 != 0x01 {
        return None;
    }
    let at = if flags & 0x08 == 0 { 1 } else { 9 };
    be32(datagram, at).filter(|version| is_google(*version))
}

/// Reads the packet at the front of a datagram, and what is behind it.
pub(super) fn read(datagram: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let mut cursor = Cursor::new(datagram);
    let flags = cursor.u8()?;
    let version = cursor.u32()?;
    (flags & 0x80 != 0).then_some(())?;
    let whole = |kind, destination| Packet {
        kind,
        version,
        destination,
        bytes: datagram,
        number_at: 0,
    };
    if version != 0 && !is_readable(version) {
        return Some((whole(Kind::Other, &[][..]), &[]));
    }
    let destination = cursor.vec8()?;
    let source = cursor.vec8()?;
    if destination.len().max(source.len()) > ID_BYTES_MAX {
        return None;
    }
    let kind = kind(flags, version);
    match kind {
        Kind::Retry | Kind::Negotiation | Kind::Other => {
            return Some((whole(kind, destination), &[]));
        }
        Kind::Initial => {
            let token = varint(&mut cursor)?;
            cursor.take(token)?;
        }
        Kind::ZeroRtt | Kind::Handshake => {}
    }
    let len = varint(&mut cursor)?;
    let number_at = cursor.position();
    cursor.take(len)?;
    let (bytes, rest) = datagram.split_at_checked(cursor.position())?;
    let packet = Packet {
        bytes,
        number_at,
        ..whole(kind, destination)
    };
    Some((packet, rest))
}

fn kind(flags: u8, version: u32) -> Kind {
    let bits = (flags >> 4) & 3;
    match (version, bits) {
        (0, _) => Kind::Negotiation,
        // RFC 9369 section 3.2 turns the numbers by one
        (V2, 1) | (_, 0) if version != V2 || bits == 1 => Kind::Initial,
        (V2, 2) => Kind::ZeroRtt,
        (V2, 3) => Kind::Handshake,
        (V2, _) => Kind::Retry,
        (_, 1) => Kind::ZeroRtt,
        (_, 2) => Kind::Handshake,
        _ => Kind::Retry,
    }
}

/// A variable-length integer (RFC 9000 section 16) as a length.
pub(super) fn varint(cursor: &mut Cursor<'_>) -> Option<usize> {
    let first = cursor.u8()?;
    let more = (1_usize << (first >> 6)).checked_sub(1)?;
    let high = usize::from(first & 0x3f);
    let rest = cursor.take(more)?;
    rest.iter().try_fold(high, |value, byte| {
        value.checked_mul(256)?.checked_add(usize::from(*byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_rfc_9000() {
        for (bytes, value) in [
            (&[0x25][..], 37),
            (&[0x7b, 0xbd], 15_293),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
                151_288_809_941_952_652,
            ),
        ] {
            assert_eq!(varint(&mut Cursor::new(bytes)), Some(value));
        }
        assert_eq!(varint(&mut Cursor::new(&[0x7b])), None);
    }

    #[test]
    fn kinds_of_both_versions() {
        assert_eq!(kind(0xc3, V1), Kind::Initial);
        assert_eq!(kind(0xf0, V1), Kind::Retry);
        assert_eq!(kind(0xe0, V1), Kind::Handshake);
        assert_eq!(kind(0xd3, V2), Kind::Initial);
        assert_eq!(kind(0xc0, V2), Kind::Retry);
        assert_eq!(kind(0xf0, V2), Kind::Handshake);
        assert_eq!(kind(0xd0, V1), Kind::ZeroRtt);
    }
}
