//! What the settings say of MQTT.

use crate::settings::Settings;

/// Bounds of the MQTT parser, from `app-layer.protocols.mqtt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Longest message that is read, bytes behind its fixed header (`max-msg-length`); of longer
    /// ones only the kind is logged.
    pub message_max: u64,
    /// Most exchanges of a flow that wait for their end (`max-tx`).
    pub transactions_max: usize,
    /// Most messages of one exchange (`max-messages`).
    pub messages_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            message_max: 1 << 20,
            transactions_max: 4096,
            messages_max: super::MESSAGES_MAX,
        }
    }
}

impl Options {
    /// From the settings; what they do not say is as in [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let mqtt = settings.at("app-layer.protocols.mqtt");
        let defaults = Self::default();
        let count = |name, default| {
            let number = mqtt.at(name).number();
            number.map_or(default, |n| usize::try_from(n).unwrap_or(default))
        };
        Self {
            message_max: mqtt
                .at("max-msg-length")
                .bytes()
                .unwrap_or(defaults.message_max),
            transactions_max: count("max-tx", defaults.transactions_max),
            messages_max: count("max-messages", defaults.messages_max),
        }
    }
}
