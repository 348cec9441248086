//! An SSH session up to its encryption.

use md5::{Digest, Md5};

use crate::bytes::{Cursor, hex};
use crate::flow::Direction;

/// What both sides say before they encrypt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// Time of its first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// The client.
    pub client: Peer,
    /// The server.
    pub server: Peer,
    pub(super) options: super::Options,
}

/// One side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// Version of the protocol: `2.0`; empty without a banner.
    pub protocol: Vec<u8>,
    /// The software: `OpenSSH_9.2`.
    pub software: Vec<u8>,
    /// What HASSH is made of (<https://github.com/salesforce/hassh>): algorithms for key exchange,
    /// encryption, authentication and compression, towards the other side.
    pub hassh: Option<String>,
}

impl Peer {
    /// MD5 of the HASSH string, hexadecimal.
    #[must_use]
    pub fn hassh_hash(&self) -> Option<String> {
        let text = self.hassh.as_ref()?;
        Some(hex(&Md5::digest(text.as_bytes())))
    }

    /// Reads a banner, `SSH-2.0-software comments` without its line end; `None` when it is none.
    pub(super) fn read_banner(&mut self, line: &[u8]) -> Option<()> {
        let rest = line.strip_prefix(b"SSH-")?;
        let dash = memchr::memchr(b'-', rest)?;
        let (protocol, software) = rest.split_at_checked(dash)?;
        let software = software.get(1..)?;
        let end = software
            .iter()
            .position(|byte| *byte == b' ' || *byte == b'\r');
        self.protocol = protocol.to_vec();
        self.software = software.get(..end.unwrap_or(software.len()))?.to_vec();
        Some(())
    }

    /// Reads the payload of a KEXINIT behind its type; `None` when it is damaged.
    pub(super) fn read_proposal(&mut self, direction: Direction, payload: &[u8]) -> Option<()> {
        let mut cursor = Cursor::new(payload);
        cursor.take(16)?;
        let mut lists = Vec::with_capacity(8);
        for _ in 0..8 {
            let len = usize::try_from(cursor.u32()?).ok()?;
            lists.push(String::from_utf8_lossy(cursor.take(len)?).into_owned());
        }
        let [exchange, _, to_server @ ..] = lists.as_slice() else {
            return None;
        };
        // encryption, authentication and compression: each to the server, then to the client
        let skip = usize::from(direction == Direction::ToClient);
        let mut text = exchange.clone();
        for list in to_server.iter().skip(skip).step_by(2) {
            text.push(';');
            text.push_str(list);
        }
        self.hassh = Some(text);
        Some(())
    }
}
