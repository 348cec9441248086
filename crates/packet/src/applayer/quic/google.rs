//! gQUIC's client hello: a list of tags with values ("QUIC Crypto", Google, 2016, section "Handshake
//! message format").

use md5::{Digest, Md5};

use crate::bytes::hex;

/// Most tags read of a hello.
const TAGS_MAX: usize = 256;

/// A client's hello.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chlo {
    /// Server name (SNI).
    pub server_name: Option<Vec<u8>>,
    /// What the client says that it is (UAID).
    pub user_agent: Option<Vec<u8>>,
    /// The tags in the order sent, without the bytes that fill them up.
    pub tags: Vec<Vec<u8>>,
}

impl Chlo {
    /// Finds the hello in a datagram: before encryption it stands there as it is.
    pub(super) fn find(datagram: &[u8]) -> Option<Self> {
        let at = memchr::memmem::find(datagram, b"CHLO")?;
        let message = datagram.get(at..)?;
        let count = little16(message, 4)?;
        let entries = message.get(8..)?;
        let table = usize::from(count).checked_mul(8)?;
        let values = entries.get(table..).unwrap_or_default();
        let mut chlo = Self::default();
        let mut start = 0;
        for entry in entries
            .as_chunks::<8>()
            .0
            .iter()
            .take(count.into())
            .take(TAGS_MAX)
        {
            let [tag @ .., a, b, c, d] = entry;
            let end = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()?;
            let value = values.get(start..end).map(<[u8]>::to_vec);
            match tag {
                b"SNI\0" => chlo.server_name = value,
                b"UAID" => chlo.user_agent = value,
                _ => {}
            }
            let len = tag.iter().rposition(|byte| *byte != 0);
            let len = len.map_or(0, |last| last.saturating_add(1));
            chlo.tags.push(tag.get(..len).unwrap_or_default().to_vec());
            start = end;
        }
        Some(chlo)
    }

    /// The fingerprint of its tags: version, and the tags in their order.
    pub(super) fn cyu(&self, version: &str) -> String {
        let tags = self.tags.iter().map(|tag| String::from_utf8_lossy(tag));
        let tags = tags.collect::<Vec<_>>().join("-");
        format!("{version},{tags}")
    }
}

/// MD5 of a fingerprint, hexadecimal.
pub(super) fn cyu_hash(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

fn little16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_values() {
        let mut datagram =
            b"\xc3Q046....CHLO\x03\0\0\0PAD\0\x02\0\0\0SNI\0\x05\0\0\0UAID\x07\0\0\0".to_vec();
        datagram.extend(b"--a.bxy");
        let chlo = Chlo::find(&datagram).unwrap();
        assert_eq!(chlo.server_name.as_deref(), Some(&b"a.b"[..]));
        assert_eq!(chlo.user_agent.as_deref(), Some(&b"xy"[..]));
        assert_eq!(chlo.cyu("46"), "46,PAD-SNI-UAID");
        for len in 0..datagram.len() {
            Chlo::find(&datagram[..len]);
        }
    }
}
