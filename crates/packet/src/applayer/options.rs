//! What the settings say of application protocols.

use super::{AppProto, PROTOCOLS, dnp3, enip, modbus, mqtt, pgsql};
use crate::settings::Settings;

/// Options of the parsers: a field for each protocol that has some, of a type from its folder.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Protocols that are not looked for.
    disabled: Vec<AppProto>,
    /// DNP3.
    pub dnp3: dnp3::Options,
    /// EtherNet/IP.
    pub enip: enip::Options,
    /// Modbus.
    pub modbus: modbus::Options,
    /// MQTT.
    pub mqtt: mqtt::Options,
    /// PostgreSQL.
    pub pgsql: pgsql::Options,
}

impl Options {
    /// From `app-layer.protocols` of the settings.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let protocols = settings.at("app-layer.protocols");
        let is_disabled = |name: &str| protocols.at(name).at("enabled").flag() == Some(false);
        let disabled = PROTOCOLS.iter().filter(|known| is_disabled(known.name));
        Self {
            disabled: disabled.map(|known| known.app).collect(),
            dnp3: dnp3::Options::from_settings(settings),
            enip: enip::Options::from_settings(settings),
            modbus: modbus::Options::from_settings(settings),
            mqtt: mqtt::Options::from_settings(settings),
            pgsql: pgsql::Options::from_settings(settings),
        }
    }

    /// Whether a protocol is looked for.
    #[must_use]
    pub fn is_enabled(&self, app: AppProto) -> bool {
        !self.disabled.contains(&app)
    }
}
