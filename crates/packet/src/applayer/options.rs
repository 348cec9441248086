//! What the settings say of application protocols.

use super::{
    AppProto, PROTOCOLS, Protocol, dcerpc, dnp3, enip, ftp, http1, http2, ldap, modbus, mqtt, nfs,
    pgsql, smb, smtp, websocket,
};
use crate::settings::Settings;

/// Options of the parsers: a field for each protocol that has some, of a type from its folder.
#[derive(Debug, Clone)]
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
    /// DCE/RPC.
    pub dcerpc: dcerpc::Options,
    /// LDAP.
    pub ldap: ldap::Options,
    /// NFS.
    pub nfs: nfs::Options,
    /// SMB.
    pub smb: smb::Options,
    /// FTP.
    pub ftp: ftp::Options,
    /// SMTP and the mails in it.
    pub smtp: smtp::Options,
    /// HTTP/0.9 to HTTP/1.1.
    pub http: http1::Options,
    /// HTTP/2.
    pub http2: http2::Options,
    /// WebSocket.
    pub websocket: websocket::Options,
    /// SSH.
    pub ssh: super::ssh::Options,
    /// TLS.
    pub tls: super::tls::Options,
    /// Fingerprints of the hellos in QUIC, which are all logged unless told otherwise.
    pub quic: super::tls::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self::from_settings(&Settings::default())
    }
}

impl Options {
    /// From `app-layer.protocols` of the settings.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let protocols = settings.at("app-layer.protocols");
        let is_enabled = |known: &&&Protocol| {
            let says = protocols.at(known.name).at("enabled").flag();
            says.unwrap_or(known.app != AppProto::Template)
        };
        let disabled = PROTOCOLS.iter().filter(|known| !is_enabled(known));
        Self {
            disabled: disabled.map(|known| known.app).collect(),
            ssh: super::ssh::Options::from_settings(settings),
            tls: super::tls::Options::from_settings(settings),
            quic: super::tls::Options::of_quic(settings),
            http: http1::Options::from_settings(settings),
            http2: http2::Options::from_settings(settings),
            websocket: websocket::Options::from_settings(settings),
            ftp: ftp::Options::from_settings(settings),
            smtp: smtp::Options::from_settings(settings),
            dcerpc: dcerpc::Options::from_settings(settings),
            ldap: ldap::Options::from_settings(settings),
            nfs: nfs::Options::from_settings(settings),
            smb: smb::Options::from_settings(settings),
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
