//! What the settings say of Modbus.

use crate::settings::Settings;

/// Bounds of the Modbus parser, from `app-layer.protocols.modbus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most requests of a flow that wait for their answer (`request-flood`).
    pub transactions_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transactions_max: 500,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let max = settings.at("app-layer.protocols.modbus.request-flood");
        Self {
            transactions_max: max
                .number()
                .and_then(|max| usize::try_from(max).ok())
                .unwrap_or(Self::default().transactions_max),
        }
    }
}
