//! What the settings say of WebSocket.

use crate::settings::Settings;

/// Bounds of the parser, from `app-layer.protocols.websocket`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most bytes kept of a frame's payload, of a message put together from frames, and of a
    /// message once it is inflated (`max-payload-size`); the rest is passed over.
    pub payload_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            payload_max: 0xffff,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let default = Self::default().payload_max;
        let max = settings.at("app-layer.protocols.websocket.max-payload-size");
        let max = max.bytes().and_then(|bytes| usize::try_from(bytes).ok());
        Self {
            payload_max: max.unwrap_or(default).min(PAYLOAD_BYTES_MAX),
        }
    }
}

/// Most bytes kept whatever the settings say.
const PAYLOAD_BYTES_MAX: usize = 16 << 20;
