//! Settings under `app-layer.protocols.ftp`. What a flow keeps is bounded by [`Config`] besides, so
//! `memcap`, a bound on all flows together, changes nothing.
//!
//! [`Config`]: crate::Config

use crate::settings::Settings;

/// Bounds on control connections.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Longest line of a command or reply; the rest of a longer one is not kept. Bytes.
    pub line_bytes_max: usize,
    /// Most commands of one flow that wait for their reply.
    pub transactions_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            line_bytes_max: 4096,
            transactions_max: 1024,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let ftp = settings.at("app-layer.protocols.ftp");
        let default = Self::default();
        let number = |value: Option<u64>, max: usize| {
            let value = value.and_then(|value| usize::try_from(value).ok());
            value.filter(|value| (1..=max).contains(value))
        };
        let line_bytes = ftp.at("max-line-length").bytes();
        Self {
            line_bytes_max: number(line_bytes, LINE_BYTES_LIMIT).unwrap_or(default.line_bytes_max),
            transactions_max: number(ftp.at("max-tx").number(), TRANSACTIONS_LIMIT)
                .unwrap_or(default.transactions_max),
        }
    }
}

/// Highest bound on lines that can be set, bytes.
const LINE_BYTES_LIMIT: usize = 64 << 10;
/// Highest bound on waiting commands that can be set.
const TRANSACTIONS_LIMIT: usize = 64 << 10;
