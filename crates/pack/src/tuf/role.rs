//! What is there: targets, snapshot, timestamp.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};
use stix::Timestamp;

use super::{Body, Key, Seconds, SpecVersion};
use crate::key::PublicKey;
use crate::value::Digest;

/// Targets: the top level says who contributes, a contributor's role which packs there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    #[serde(rename = "_type")]
    kind: TargetsKind,
    /// Who else speaks for which targets. A contributor delegates to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegations: Option<Delegations>,
    expires: Seconds,
    spec_version: SpecVersion,
    /// Packs by name.
    pub targets: BTreeMap<String, Target>,
    version: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TargetsKind {
    Targets,
}

/// One pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What a reader wants to know before it fetches it.
    pub custom: Custom,
    /// Its digest.
    pub hashes: Hashes,
    /// Its length in bytes.
    pub length: u64,
}

/// What a target says of a pack besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// As its manifest has it.
    pub sequence: u64,
    /// As its manifest has it.
    pub version: Version,
}

/// Digests of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashes {
    /// SHA-256.
    pub sha256: Digest,
}

/// Who else speaks for which targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegations {
    /// Their keys.
    pub keys: BTreeMap<Digest, Key>,
    /// Their roles.
    pub roles: Vec<Delegated>,
}

/// A role that somebody else speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegated {
    /// Its keys.
    pub keyids: Vec<Digest>,
    /// Its name: that of a partner.
    pub name: String,
    /// Patterns of the targets that it may name.
    pub paths: Vec<String>,
    /// Whether the search for such a target ends with it.
    pub terminating: bool,
    /// How many of its keys must sign.
    pub threshold: usize,
}

impl Delegations {
    /// Has `partner` speak, by this key, for what is under its name.
    pub fn add(&mut self, partner: &str, key: &PublicKey) {
        let key = Key::of(key);
        self.roles.retain(|role| role.name != partner);
        self.roles.push(Delegated {
            keyids: vec![key.id()],
            name: partner.to_owned(),
            paths: vec![format!("{partner}/*")],
            terminating: true,
            threshold: 1,
        });
        self.roles.sort_by(|one, other| one.name.cmp(&other.name));
        self.keys.insert(key.id(), key);
        self.sweep();
    }

    /// Has these speak no more.
    pub fn remove(&mut self, gone: &dyn Fn(&str) -> bool) {
        self.roles.retain(|role| !gone(&role.name));
        self.sweep();
    }

    /// Leaves keys out that nobody has.
    fn sweep(&mut self) {
        let roles = &self.roles;
        self.keys
            .retain(|id, _| roles.iter().any(|role| role.keyids.contains(id)));
    }
}

impl Targets {
    /// With nothing in it.
    #[must_use]
    pub fn new(version: u64, expires: Timestamp) -> Self {
        Self {
            kind: TargetsKind::Targets,
            delegations: None,
            expires: Seconds::of(expires),
            spec_version: SpecVersion::V1,
            targets: BTreeMap::new(),
            version,
        }
    }

    /// The same in another version.
    #[must_use]
    pub fn anew(&self, version: u64, expires: Timestamp) -> Self {
        Self {
            expires: Seconds::of(expires),
            version,
            ..self.clone()
        }
    }
}

impl Body for Targets {
    fn expires(&self) -> Timestamp {
        self.expires.moment()
    }

    fn version(&self) -> u64 {
        self.version
    }
}

/// Which metadata a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// Its digest.
    pub hashes: Hashes,
    /// Its length in bytes.
    pub length: u64,
    /// Its version.
    pub version: u64,
}

impl Meta {
    /// Of metadata in some version.
    #[must_use]
    pub fn of(version: u64, raw: &[u8]) -> Self {
        Self {
            hashes: Hashes {
                sha256: Digest::of(raw),
            },
            length: u64::try_from(raw.len()).unwrap_or(u64::MAX),
            version,
        }
    }
}

/// Snapshot: the versions of all targets metadata that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    #[serde(rename = "_type")]
    kind: SnapshotKind,
    expires: Seconds,
    /// By file name without the version.
    pub meta: BTreeMap<String, Meta>,
    spec_version: SpecVersion,
    version: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SnapshotKind {
    Snapshot,
}

impl Snapshot {
    /// Of these.
    #[must_use]
    pub fn new(version: u64, expires: Timestamp, meta: BTreeMap<String, Meta>) -> Self {
        Self {
            kind: SnapshotKind::Snapshot,
            expires: Seconds::of(expires),
            meta,
            spec_version: SpecVersion::V1,
            version,
        }
    }
}

impl Body for Snapshot {
    fn expires(&self) -> Timestamp {
        self.expires.moment()
    }

    fn version(&self) -> u64 {
        self.version
    }
}

/// Timestamp: which snapshot is current, said anew at short intervals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamped {
    #[serde(rename = "_type")]
    kind: TimestampKind,
    expires: Seconds,
    meta: SnapshotMeta,
    spec_version: SpecVersion,
    version: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TimestampKind {
    Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotMeta {
    #[serde(rename = "snapshot.json")]
    snapshot: Meta,
}

impl Timestamped {
    /// Of this snapshot.
    #[must_use]
    pub fn new(version: u64, expires: Timestamp, snapshot: Meta) -> Self {
        Self {
            kind: TimestampKind::Timestamp,
            expires: Seconds::of(expires),
            meta: SnapshotMeta { snapshot },
            spec_version: SpecVersion::V1,
            version,
        }
    }

    /// The snapshot.
    #[must_use]
    pub const fn snapshot(&self) -> Meta {
        self.meta.snapshot
    }
}

impl Body for Timestamped {
    fn expires(&self) -> Timestamp {
        self.expires.moment()
    }

    fn version(&self) -> u64 {
        self.version
    }
}
