//! A ClientHello and its fingerprints.

use super::{derived::Derived, ja3, ja4, version};
use crate::applayer::Field;
use crate::bytes::{Cursor, len32};

/// What carries the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    Quic,
}

/// A TLS ClientHello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Time of its first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// The highest version offered: of supported_versions, else [`Hello::legacy_version`]; 0x0304
    /// is TLS 1.3.
    pub version: u16,
    /// The version field of the hello itself.
    pub legacy_version: u16,
    /// Random bytes.
    pub random: [u8; 32],
    /// Session identifier.
    pub session_id: Vec<u8>,
    /// Cipher suites as sent, GREASE (RFC 8701) included.
    pub ciphers: Vec<u16>,
    /// Versions offered in supported_versions, as sent, GREASE included.
    pub versions: Vec<u16>,
    /// Types of the extensions as sent, GREASE included.
    pub extensions: Vec<u16>,
    /// Supported groups (elliptic curves) as sent, GREASE included.
    pub groups: Vec<u16>,
    /// Formats of elliptic curve points as sent.
    pub point_formats: Vec<u8>,
    /// Signature algorithms as sent.
    pub signature_algorithms: Vec<u16>,
    /// Application protocols (ALPN) as sent.
    pub alpn: Vec<Box<[u8]>>,
    /// Encrypted ClientHello is offered: the server name is an outer one (draft-ietf-tls-esni).
    pub ech: bool,
    /// Names of the anomalies of its extensions.
    pub(crate) oddities: Vec<&'static str>,
    sni: Option<(Box<[u8]>, u32)>,
    carrier: Carrier,
    ja3: Derived,
    ja3_hash: Derived,
    ja4: Derived,
}

impl Hello {
    /// Server name as sent.
    #[must_use]
    pub fn sni(&self) -> Option<&[u8]> {
        self.sni.as_ref().map(|(name, _)| &**name)
    }

    /// Server name, and where it stands in the handshake message.
    #[must_use]
    pub fn sni_field(&self) -> Option<Field<'_>> {
        self.sni.as_ref().map(|(name, offset)| Field {
            bytes: name,
            offset: *offset,
        })
    }

    /// JA3 string (<https://github.com/salesforce/ja3>).
    #[must_use]
    pub fn ja3(&self) -> &str {
        self.ja3.get(|| ja3::text(self, self.carrier))
    }

    /// MD5 of the JA3 string, hexadecimal.
    #[must_use]
    pub fn ja3_hash(&self) -> &str {
        self.ja3_hash.get(|| ja3::hash(self.ja3()))
    }

    /// JA4 (<https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>).
    #[must_use]
    pub fn ja4(&self) -> &str {
        self.ja4.get(|| ja4::fingerprint(self, self.carrier))
    }

    /// Whether the client takes session tickets (RFC 5077 section 3.2).
    pub(super) fn takes_tickets(&self) -> bool {
        const SESSION_TICKET: u16 = 35;
        self.extensions.contains(&SESSION_TICKET)
    }

    /// Reads a handshake message with its header of four bytes; `None` when it is no whole
    /// ClientHello.
    pub(crate) fn parse(message: &[u8], first_ts_ns: u64, carrier: Carrier) -> Option<Self> {
        let mut cursor = Cursor::new(message);
        let announced = cursor.u32()? & 0x00ff_ffff;
        if message.len().checked_sub(HANDSHAKE_HEADER) != usize::try_from(announced).ok() {
            return None;
        }
        let legacy_version = cursor.u16()?;
        let random = cursor.take(RANDOM)?.try_into().ok()?;
        let session_id = cursor.vec8()?.to_vec();
        let ciphers = words(cursor.vec16()?);
        cursor.vec8()?;
        let mut hello = Self {
            first_ts_ns,
            tx_id: 0,
            version: legacy_version,
            legacy_version,
            random,
            session_id,
            ciphers,
            versions: Vec::new(),
            extensions: Vec::new(),
            groups: Vec::new(),
            point_formats: Vec::new(),
            signature_algorithms: Vec::new(),
            alpn: Vec::new(),
            ech: false,
            oddities: Vec::new(),
            sni: None,
            carrier,
            ja3: Derived::default(),
            ja3_hash: Derived::default(),
            ja4: Derived::default(),
        };
        // a hello may end before the extensions (RFC 5246 section 7.4.1.2)
        if !cursor.is_empty() {
            let extensions = cursor.vec16()?;
            let start = cursor.position().checked_sub(extensions.len())?;
            hello.read_extensions(extensions, start)?;
        }
        Some(hello)
    }

    /// Makes what an SSL 2.0 hello (draft-hickman-netscape-ssl) tells: its ciphers have three bytes.
    pub(super) fn of_ssl2(version: u16, ciphers: Vec<u16>, first_ts_ns: u64) -> Self {
        Self {
            first_ts_ns,
            tx_id: 0,
            version,
            legacy_version: version,
            random: [0; 32],
            session_id: Vec::new(),
            ciphers,
            versions: Vec::new(),
            extensions: Vec::new(),
            groups: Vec::new(),
            point_formats: Vec::new(),
            signature_algorithms: Vec::new(),
            alpn: Vec::new(),
            ech: false,
            oddities: Vec::new(),
            sni: None,
            carrier: Carrier::Tcp,
            ja3: Derived::default(),
            ja3_hash: Derived::default(),
            ja4: Derived::default(),
        }
    }

    fn read_extensions(&mut self, extensions: &[u8], start: usize) -> Option<()> {
        let mut cursor = Cursor::new(extensions);
        while !cursor.is_empty() {
            let kind = cursor.u16()?;
            let body = cursor.vec16()?;
            let at = start
                .checked_add(cursor.position())?
                .checked_sub(body.len())?;
            self.extensions.push(kind);
            // an extension that is damaged inside counts as sent, without content
            let _damaged = self.read_extension(kind, body, at).is_none();
        }
        Some(())
    }

    fn read_extension(&mut self, kind: u16, body: &[u8], at: usize) -> Option<()> {
        let mut cursor = Cursor::new(body);
        match kind {
            0 => {
                if self.extensions.iter().filter(|kind| **kind == 0).count() > 1 {
                    self.oddities.push("MULTIPLE_SNI_EXTENSIONS");
                }
                self.oddities.extend(odd_server_name(body));
                self.sni = self.sni.take().or(server_name(body, at));
            }
            10 => self.groups = words(cursor.vec16()?),
            11 => self.point_formats = cursor.vec8()?.to_vec(),
            13 => self.signature_algorithms = words(cursor.vec16()?),
            16 => {
                let mut names = Cursor::new(cursor.vec16()?);
                while !names.is_empty() {
                    self.alpn.push(names.vec8()?.into());
                }
            }
            43 => {
                self.versions = words(cursor.vec8()?);
                let offers = self.versions.iter().copied();
                let known = offers.filter(|offer| version::is_offer(*offer));
                self.version = known.max().unwrap_or(self.version);
            }
            0xfe0d => self.ech = true,
            _ => {}
        }
        Some(())
    }
}

/// The first host name of the list (RFC 6066 section 3), and where it stands.
fn server_name(body: &[u8], at: usize) -> Option<(Box<[u8]>, u32)> {
    let mut cursor = Cursor::new(body);
    cursor.u16()?;
    while let Some(kind) = cursor.u8() {
        let name = cursor.vec16()?;
        if kind == 0 {
            let start = at.checked_add(cursor.position())?.checked_sub(name.len())?;
            return Some((name.into(), len32(start)));
        }
    }
    None
}

/// What is wrong with the list of names.
fn odd_server_name(body: &[u8]) -> Option<&'static str> {
    let mut cursor = Cursor::new(body);
    let list = cursor.vec16();
    let mut names = Cursor::new(list?);
    let kind = names.u8()?;
    match names.vec16() {
        None => Some("INVALID_SNI_LENGTH"),
        Some(_) if kind != 0 => Some("INVALID_SNI_TYPE"),
        Some(_) => None,
    }
}

/// RFC 8701: values that clients send to see whether servers ignore what they do not know.
pub(crate) fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && high & 0x0f == 0x0a
}

pub(super) fn words(bytes: &[u8]) -> Vec<u16> {
    bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_be_bytes(*pair))
        .collect()
}

/// What stands for all GREASE extensions where they are told.
pub(crate) const GREASE: u16 = 0xfafa;
const HANDSHAKE_HEADER: usize = 4;
const RANDOM: usize = 32;
