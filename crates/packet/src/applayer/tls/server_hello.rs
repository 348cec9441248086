//! A ServerHello (RFC 8446 section 4.1.3, RFC 5246 section 7.4.1.3) and its fingerprint.

use super::{derived::Derived, ja3};
use crate::bytes::Cursor;

/// What the server chose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// The version field of the hello itself.
    pub legacy_version: u16,
    /// The version chosen: of supported_versions, else [`ServerHello::legacy_version`].
    pub version: u16,
    /// Random bytes.
    pub random: [u8; 32],
    /// Session identifier.
    pub session_id: Vec<u8>,
    /// The cipher suite chosen.
    pub cipher: u16,
    /// Types of the extensions as sent.
    pub extensions: Vec<u16>,
    /// The application protocols chosen (ALPN).
    pub alpn: Vec<Box<[u8]>>,
    ja3s: Derived,
    ja3s_hash: Derived,
}

impl ServerHello {
    /// JA3S string: version, cipher suite, extensions.
    #[must_use]
    pub fn ja3s(&self) -> &str {
        self.ja3s.get(|| ja3::server_text(self))
    }

    /// MD5 of the JA3S string, hexadecimal.
    #[must_use]
    pub fn ja3s_hash(&self) -> &str {
        self.ja3s_hash.get(|| ja3::hash(self.ja3s()))
    }

    /// It is no answer yet: the client is to send another hello (RFC 8446 section 4.1.4).
    #[must_use]
    pub fn is_retry(&self) -> bool {
        self.random == RETRY_RANDOM
    }

    /// Reads the body of a handshake message; `None` when it is not whole.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let legacy_version = cursor.u16()?;
        let mut hello = Self {
            legacy_version,
            version: legacy_version,
            random: cursor.take(32)?.try_into().ok()?,
            ..Self::default()
        };
        // drafts of TLS 1.3 before 22 have neither session nor compression
        let is_short = matches!(legacy_version, 0x7f00..=0x7f15);
        if !is_short {
            hello.session_id = cursor.vec8()?.to_vec();
        }
        hello.cipher = cursor.u16()?;
        if !is_short {
            cursor.u8()?;
        }
        if !cursor.is_empty() {
            hello.read_extensions(cursor.vec16()?);
        }
        Some(hello)
    }

    /// Reads extensions up to the first that is damaged.
    fn read_extensions(&mut self, extensions: &[u8]) {
        let mut cursor = Cursor::new(extensions);
        while let Some(kind) = cursor.u16() {
            let Some(body) = cursor.vec16() else { return };
            self.extensions.push(kind);
            let mut body = Cursor::new(body);
            match kind {
                16 => {
                    let mut names = Cursor::new(body.vec16().unwrap_or_default());
                    while let Some(name) = names.vec8() {
                        self.alpn.push(name.into());
                    }
                }
                43 => self.version = body.u16().unwrap_or(self.version),
                _ => {}
            }
        }
    }
}

/// SHA-256 of "HelloRetryRequest" (RFC 8446 section 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
