//! What the settings say of EtherNet/IP.

use crate::settings::Settings;

/// Bounds of the EtherNet/IP parser, from `app-layer.protocols.enip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most requests of a flow that wait for their answer (`max-tx`).
    pub transactions_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transactions_max: 128,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let max = settings.at("app-layer.protocols.enip.max-tx").number();
        Self {
            transactions_max: max
                .and_then(|max| usize::try_from(max).ok())
                .unwrap_or(Self::default().transactions_max),
        }
    }
}
