//! What the settings say of TLS.

use crate::settings::{Setting, Settings};

/// Which fingerprints are logged; all are worked out for detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// JA3 and JA3S.
    pub ja3: bool,
    /// JA4.
    pub ja4: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ja3: true,
            ja4: true,
        }
    }
}

impl Options {
    /// From `app-layer.protocols.tls` of the settings: `ja3-fingerprints` and `ja4-fingerprints`,
    /// each `yes`, `no` or `auto`. Where there are settings of protocols at all, automatic JA3 is
    /// none, unless rules ask for it: who reads rules turns it on.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let auto = Self {
            ja3: settings.at("app-layer").is_absent(),
            ja4: true,
        };
        Self::of(settings.at("app-layer.protocols.tls"), auto)
    }

    /// From `app-layer.protocols.quic`, where `auto` is yes.
    pub(crate) fn of_quic(settings: &Settings) -> Self {
        Self::of(settings.at("app-layer.protocols.quic"), Self::default())
    }

    fn of(protocol: Setting<'_>, auto: Self) -> Self {
        Self {
            ja3: protocol.at("ja3-fingerprints").flag().unwrap_or(auto.ja3),
            ja4: protocol.at("ja4-fingerprints").flag().unwrap_or(auto.ja4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_means_what_it_means_elsewhere() {
        let of = |yaml: &str| Options::from_settings(&Settings::parse(yaml).unwrap());
        assert_eq!(of(""), Options::default());
        assert!(!of("app-layer: {protocols: {tls: {enabled: yes}}}").ja3);
        let both =
            of("app-layer: {protocols: {tls: {ja3-fingerprints: yes, ja4-fingerprints: no}}}");
        assert!(both.ja3 && !both.ja4);
    }
}
