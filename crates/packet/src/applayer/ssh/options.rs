//! What the settings say of SSH.

use crate::settings::Settings;

/// Which fingerprints are logged; all are worked out for detection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// HASSH, of both sides.
    pub hassh: bool,
}

impl Options {
    /// From `app-layer.protocols.ssh.hassh` of the settings.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let hassh = settings.at("app-layer.protocols.ssh.hassh").flag();
        Self {
            hassh: hassh.unwrap_or(false),
        }
    }
}
