//! The root: which keys speak for which role. Its own keys are the operator's and stay off the hub.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stix::Timestamp;

use super::{Body, Key, Seconds, SpecVersion};
use crate::key::PublicKey;
use crate::value::Digest;

/// Most keys of the root role.
pub const ROOT_KEYS_MAX: usize = 16;

/// The roles of every repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Says which keys speak for which role.
    Root,
    /// Says in which version every other metadata is current.
    Snapshot,
    /// Says who contributes.
    Targets,
    /// Says that the snapshot is still current.
    Timestamp,
}

/// All of them.
pub const ROLES: [Role; 4] = [Role::Root, Role::Snapshot, Role::Targets, Role::Timestamp];

impl Role {
    /// Its name in metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
            Self::Timestamp => "timestamp",
        }
    }
}

/// The keys of a role, and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleKeys {
    /// [`super::key_id`] of each.
    pub keyids: Vec<Digest>,
    /// How many of them.
    pub threshold: usize,
}

/// The root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    #[serde(rename = "_type")]
    kind: Kind,
    consistent_snapshot: bool,
    expires: Seconds,
    keys: BTreeMap<Digest, Key>,
    roles: BTreeMap<Role, RoleKeys>,
    spec_version: SpecVersion,
    version: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Root,
}

impl Root {
    /// A root that names these keys; `threshold` is that of the root role, and one key is enough
    /// for each of the others. Metadata and targets have their version and digest in their name.
    #[must_use]
    pub fn new(
        version: u64,
        expires: Timestamp,
        (root, threshold): (&[PublicKey], usize),
        online: &[(Role, PublicKey)],
    ) -> Self {
        let mut keys = BTreeMap::new();
        let mut roles = BTreeMap::new();
        let named = root.iter().map(|key| (Role::Root, key));
        let others = online.iter().map(|(role, key)| (*role, key));
        for (role, key) in named.chain(others) {
            let key = Key::of(key);
            let threshold = match role {
                Role::Root => threshold,
                Role::Snapshot | Role::Targets | Role::Timestamp => 1,
            };
            let keys_of = roles.entry(role).or_insert_with(|| RoleKeys {
                keyids: Vec::new(),
                threshold,
            });
            if !keys_of.keyids.contains(&key.id()) {
                keys_of.keyids.push(key.id());
            }
            keys.insert(key.id(), key);
        }
        Self {
            kind: Kind::Root,
            consistent_snapshot: true,
            expires: Seconds::of(expires),
            keys,
            roles,
            spec_version: SpecVersion::V1,
            version,
        }
    }

    /// The keys of a role, and how many of them must sign.
    #[must_use]
    pub fn role(&self, role: Role) -> (Vec<PublicKey>, usize) {
        let Some(named) = self.roles.get(&role) else {
            return (Vec::new(), usize::MAX);
        };
        let keys = named.keyids.iter().filter_map(|id| self.keys.get(id));
        (keys.map(Key::public).collect(), named.threshold)
    }
}

impl Body for Root {
    fn expires(&self) -> Timestamp {
        self.expires.moment()
    }

    fn version(&self) -> u64 {
        self.version
    }
}
