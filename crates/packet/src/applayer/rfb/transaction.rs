//! An RFB session up to its first picture.

use crate::flow::Direction;

/// What both sides agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Time of its first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// Which way its record is told.
    pub(super) direction: Direction,
    /// The server's version, `003` and `008`.
    pub server_version: Option<[Vec<u8>; 2]>,
    /// The client's version.
    pub client_version: Option<[Vec<u8>; 2]>,
    /// The security type chosen (RFC 6143 section 7.1.2).
    pub security_type: Option<u32>,
    /// VNC authentication: what the server asks.
    pub challenge: Option<Vec<u8>>,
    /// VNC authentication: what the client answers.
    pub response: Option<Vec<u8>>,
    /// How the authentication ended; 0 is well.
    pub security_result: Option<u32>,
    /// Why the server refused.
    pub failure_reason: Option<Vec<u8>>,
    /// The client shares the screen with others.
    pub shared: Option<bool>,
    /// The screen.
    pub framebuffer: Option<Framebuffer>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            first_ts_ns: 0,
            tx_id: 0,
            direction: Direction::ToServer,
            server_version: None,
            client_version: None,
            security_type: None,
            challenge: None,
            response: None,
            security_result: None,
            failure_reason: None,
            shared: None,
            framebuffer: None,
        }
    }
}

/// A screen (RFC 6143 section 7.3.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Framebuffer {
    /// Width, pixels.
    pub width: u16,
    /// Height, pixels.
    pub height: u16,
    /// PIXEL_FORMAT as sent (RFC 6143 section 7.4).
    pub pixel_format: [u8; 16],
    /// Name of the desktop.
    pub name: Vec<u8>,
}
