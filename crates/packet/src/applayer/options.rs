//! What the settings say of application protocols.

use super::{AppProto, PROTOCOLS, dcerpc, ldap, nfs, smb};
use crate::settings::Settings;

/// Options of the parsers: a field for each protocol that has some, of a type from its folder.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Protocols that are not looked for.
    disabled: Vec<AppProto>,
    /// DCE/RPC.
    pub dcerpc: dcerpc::Options,
    /// LDAP.
    pub ldap: ldap::Options,
    /// NFS.
    pub nfs: nfs::Options,
    /// SMB.
    pub smb: smb::Options,
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
            dcerpc: dcerpc::Options::from_settings(settings),
            ldap: ldap::Options::from_settings(settings),
            nfs: nfs::Options::from_settings(settings),
            smb: smb::Options::from_settings(settings),
        }
    }

    /// Whether a protocol is looked for.
    #[must_use]
    pub fn is_enabled(&self, app: AppProto) -> bool {
        !self.disabled.contains(&app)
    }
}
