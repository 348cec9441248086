//! Settings of NFS: `app-layer.protocols.nfs`.

use crate::settings::Settings;

/// Bounds of the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most transactions of one flow that are not complete; the oldest is yielded as it is.
    pub transactions_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transactions_max: 1024,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let max = settings.at("app-layer.protocols.nfs.max-tx").number();
        let max = max.and_then(|max| usize::try_from(max).ok());
        Self {
            transactions_max: max.map_or(Self::default().transactions_max, |max| max.max(1)),
        }
    }
}
