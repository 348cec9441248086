//! What the settings say of TLS.

use crate::settings::{Setting, Settings};

/// Which fingerprints are logged; all are worked out for detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// JA3 and JA3S: where the settings ask for them, or rules do.
    pub ja3: bool,
    /// JA4.
    pub ja4: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ja3: false,
            ja4: true,
        }
    }
}

impl Options {
    /// From `app-layer.protocols.tls` of the settings: `ja3-fingerprints` and `ja4-fingerprints`,
    /// each `yes`, `no` or `auto`.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        Self::of(settings.at("app-layer.protocols.tls"), Self::default())
    }

    /// From `app-layer.protocols.quic`, where `auto` is yes.
    pub(crate) fn of_quic(settings: &Settings) -> Self {
        let auto = Self {
            ja3: true,
            ja4: true,
        };
        Self::of(settings.at("app-layer.protocols.quic"), auto)
    }

    fn of(protocol: Setting<'_>, auto: Self) -> Self {
        Self {
            ja3: protocol.at("ja3-fingerprints").flag().unwrap_or(auto.ja3),
            ja4: protocol.at("ja4-fingerprints").flag().unwrap_or(auto.ja4),
        }
    }
}
