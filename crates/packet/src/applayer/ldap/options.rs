//! Settings of LDAP: `app-layer.protocols.ldap`.

use crate::settings::Settings;

/// Bounds of the parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most requests of one flow that wait for their answers.
    pub transactions_max: usize,
    /// Most answers to one request.
    pub responses_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transactions_max: 1024,
            responses_max: 1024,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let ldap = settings.at("app-layer.protocols.ldap");
        let number = |key: &str| {
            let number = ldap.at(key).number()?;
            usize::try_from(number).ok()
        };
        let default = Self::default();
        Self {
            transactions_max: number("max-tx").unwrap_or(default.transactions_max),
            responses_max: number("max-responses").unwrap_or(default.responses_max),
        }
    }
}
