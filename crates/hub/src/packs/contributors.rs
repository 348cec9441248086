//! Who publishes in a repository.

use super::disk::{self, Folder};
use crate::error::HubError;
use crate::secrets;
use pack::key::PublicKey;
use pack::{Digest, Name, Text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;

/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: usize = 64 << 20;

/// Contributors by name of the partner.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Contributors(pub(super) BTreeMap<String, Contributor>);

/// A partner that published.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contributor {
    /// The public key of its role and of its packs, base64.
    key: String,
    /// The publisher that its packs name.
    pub(super) publisher: Option<Text>,
    /// The highest version of each of its packs that was ever taken, also of those withdrawn since.
    pub(super) seen: BTreeMap<Name, Seen>,
}

/// A version of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) sequence: u64,
    pub(super) digest: Digest,
}

impl Contributor {
    pub(super) fn new(key: &PublicKey) -> Self {
        Self {
            key: key.to_text(),
            publisher: None,
            seen: BTreeMap::new(),
        }
    }

    pub(super) fn key(&self) -> Result<PublicKey, HubError> {
        PublicKey::read(&self.key)
            .map_err(|error| HubError::Refused(format!("contributors.json: {error}")))
    }

    pub(super) fn set_key(&mut self, key: &PublicKey) {
        self.key = key.to_text();
    }
}

impl Contributors {
    pub(super) fn read(folder: &Folder) -> Result<Self, HubError> {
        let path = folder.contributors();
        let raw = match disk::bounded(&path, FILE_BYTES_MAX) {
            Err(HubError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            raw => raw?,
        };
        serde_json::from_slice(&raw)
            .map_err(|error| HubError::Refused(format!("{}: {error}", path.display())))
    }

    pub(super) fn write(&self, folder: &Folder) -> Result<(), HubError> {
        let raw = serde_json::to_vec_pretty(self)
            .map_err(|error| HubError::Refused(error.to_string()))?;
        secrets::replace_durably(&folder.contributors(), &[&raw])
    }

    /// Whether another partner publishes under this name.
    pub(super) fn is_of_another(&self, partner: &str, publisher: &Text) -> bool {
        let mut others = self.0.iter().filter(|(name, _)| *name != partner);
        others.any(|(_, other)| other.publisher.as_ref() == Some(publisher))
    }
}
