//! What the settings say of WebSocket.

use crate::settings::Settings;

/// Bounds, from `app-layer.protocols.websocket`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Longest payload that is taken whole, bytes (`max-payload-size`).
    pub payload_bytes_max: usize,
}

impl Options {
    /// From the settings.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let websocket = settings.at("app-layer.protocols.websocket");
        let max = websocket.at("max-payload-size").bytes();
        let max = max.and_then(|max| usize::try_from(max).ok());
        Self {
            payload_bytes_max: max.unwrap_or(64 << 10),
        }
    }
}
