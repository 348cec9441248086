//! A TLS connection's handshake, when all that is readable of it has been seen.

use super::hello::Hello;
use super::server_hello::ServerHello;
use super::version;
use super::x509::Certificate;
use crate::applayer::AppProto;
use crate::flow::Direction;

/// Most certificates kept of a chain.
pub const CHAIN_MAX: usize = 32;

/// The handshake of a connection: what its `tls` record tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handshake {
    /// Time of its first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// The client's hello; the first, where the server asked for another.
    pub client: Option<Hello>,
    /// The server's hello; the first, where it asks for another of the client's.
    pub server: Option<ServerHello>,
    /// The server's certificates.
    pub server_chain: Chain,
    /// The client's certificates.
    pub client_chain: Chain,
    /// A session was taken up again, so that there are no certificates.
    pub resumed: bool,
    /// The protocol that the connection spoke before (STARTTLS).
    pub from: AppProto,
    /// The latest message of its kind.
    pub state: Option<State>,
    /// Version in the headers of the server's records; 0 when none came.
    pub(super) record_version: u16,
    pub(super) fingerprints: super::Options,
    /// The parts that are told when it is complete, as they were not before.
    pub(super) untold: Untold,
}

/// Messages that say how far a handshake is, by their number (RFC 5246 section 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages of RFC 5246")]
pub enum State {
    ClientHello = 1,
    ServerHello = 2,
    ServerKeyExchange = 12,
    ClientKeyExchange = 16,
}

impl State {
    /// Which way it goes.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::ClientHello | Self::ClientKeyExchange => Direction::ToServer,
            Self::ServerHello | Self::ServerKeyExchange => Direction::ToClient,
        }
    }

    pub(super) fn of(kind: u8) -> Option<Self> {
        match kind {
            1 => Some(Self::ClientHello),
            2 => Some(Self::ServerHello),
            12 => Some(Self::ServerKeyExchange),
            16 => Some(Self::ClientKeyExchange),
            _ => None,
        }
    }
}

/// Of which side the end of the plain text was not told yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Untold {
    pub(super) client: bool,
    pub(super) server: bool,
}

impl Default for Untold {
    fn default() -> Self {
        Self {
            client: true,
            server: true,
        }
    }
}

/// Certificates as sent: the first is the sender's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// DER of each.
    pub raw: Vec<Box<[u8]>>,
    /// The first, where it can be read.
    pub leaf: Option<Certificate>,
}

impl Handshake {
    /// The version spoken: the server's choice, else what the client offers.
    #[must_use]
    pub fn version(&self) -> u16 {
        let server = self.server.as_ref().map(|hello| hello.version);
        let client = self.client.as_ref().map(|hello| hello.version);
        let record = Some(self.record_version).filter(|version| *version != 0);
        server.or(record).or(client).unwrap_or(0)
    }

    /// The version spoken, as logged.
    #[must_use]
    pub fn version_name(&self) -> String {
        version::name(self.version())
    }

    /// The server repeats the identifier of the client's session and shows no certificate (RFC 5246
    /// section 7.3).
    pub(super) fn is_taken_up_by_id(&self) -> bool {
        let (Some(client), Some(server)) = (&self.client, &self.server) else {
            return false;
        };
        let same = !client.session_id.is_empty() && client.session_id == server.session_id;
        same && !version::is_tls13(server.version) && self.server_chain.raw.is_empty()
    }

    /// Whether a handshake can be sound of which no certificate was seen: a session is taken up, or
    /// the client offers to, or TLS 1.3 hides it.
    pub(super) fn may_lack_certificate(&self) -> bool {
        let known = self.server.as_ref();
        let client = self.client.as_ref();
        let is_tls13 = known.is_some_and(|hello| version::is_tls13(hello.version));
        let is_ssl2 = client.is_some_and(|hello| hello.legacy_version == version::SSL2);
        self.resumed || is_tls13 || is_ssl2 || client.is_some_and(Hello::takes_tickets)
    }

    /// Whether there is anything to tell.
    pub(super) fn is_something(&self) -> bool {
        self.client.is_some() || self.server.is_some() || self.server_chain.leaf.is_some()
    }
}
