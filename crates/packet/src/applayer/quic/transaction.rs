//! What a datagram with a long header tells.

use super::google::{self, Chlo};
use super::header;
use crate::applayer::tls;
use crate::flow::Direction;

/// A datagram that begins with a long header, up to the hello of its direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Time of its packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// Which way it went.
    pub direction: Direction,
    /// Version of its first packet; 0 is a negotiation.
    pub version: u32,
    /// The client's hello, if it is whole with this datagram.
    pub client: Option<tls::Hello>,
    /// The server's hello, likewise.
    pub server: Option<tls::ServerHello>,
    /// gQUIC's hello.
    pub google: Option<Chlo>,
    pub(super) fingerprints: tls::Options,
}

impl Datagram {
    /// Server name, of either kind of hello.
    #[must_use]
    pub fn server_name(&self) -> Option<&[u8]> {
        let google = self.google.as_ref();
        let google = google.and_then(|hello| hello.server_name.as_deref());
        self.client.as_ref().and_then(tls::Hello::sni).or(google)
    }

    /// The version as logged: `Q046`, else hexadecimal.
    #[must_use]
    pub fn version_name(&self) -> String {
        match self.google_version() {
            Some(number @ (39 | 43..=46)) => format!("Q{number:03}"),
            None if self.version == header::V2 => "v2".to_owned(),
            Some(_) | None => format!("{:x}", self.version),
        }
    }

    /// The fingerprint of gQUIC's hello (CYU): its text, and its MD5 in hexadecimal.
    #[must_use]
    pub fn cyu(&self) -> Option<(String, String)> {
        let hello = self.google.as_ref()?;
        let version = self
            .google_version()
            .filter(|version| (43..=46).contains(version))?;
        let text = hello.cyu(&version.to_string());
        let hash = google::cyu_hash(&text);
        Some((text, hash))
    }

    /// The number of a version of Google's.
    pub(super) fn google_version(&self) -> Option<u16> {
        let [family, digits @ ..] = self.version.to_be_bytes();
        (header::is_google(self.version) && family == b'Q').then_some(())?;
        let digits = std::str::from_utf8(&digits).ok()?;
        digits.parse().ok()
    }
}
