//! A repository as it stands on the disk, and its next state.

use super::contributors::Contributors;
use super::disk::Folder;
use crate::error::HubError;
use pack::key::{KEY_BYTES_MAX, SigningKey};
use pack::tuf::{
    self, Body, Delegations, Meta, Role, Root, Signed, Snapshot, Targets, Timestamped,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use stix::Timestamp;

/// How long each metadata is good. It is renewed at half of that.
pub(super) const TIMESTAMP_LIFETIME: Duration = Duration::from_secs(24 * 3600);
pub(super) const SNAPSHOT_LIFETIME: Duration = Duration::from_secs(14 * 24 * 3600);
pub(super) const TARGETS_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// A contributor's role that ends sooner is no longer listed: clients refuse everything for it.
const ROLE_LEFT_MIN: Duration = Duration::from_secs(3600);

/// A role of targets, and its bytes.
pub(super) type RoleRead = (Signed<Targets>, Vec<u8>);

/// The state of a repository.
#[derive(Debug)]
pub(super) struct Repository {
    pub(super) folder: Folder,
    pub(super) root: Signed<Root>,
    pub(super) contributors: Contributors,
    online: SigningKey,
    targets: RoleRead,
    snapshot: Signed<Snapshot>,
    timestamp: Signed<Timestamped>,
}

/// What is to be another.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Who contributes.
    pub(super) delegations: Option<Delegations>,
    /// A contributor's role: its name, version and bytes. They are on the disk.
    pub(super) role: Option<(String, u64, Vec<u8>)>,
    /// Everything is signed anew.
    pub(super) anew: bool,
}

impl Repository {
    /// Reads it. The caller holds the lock if it is to change anything.
    pub(super) fn open(folder: Folder) -> Result<Self, HubError> {
        let version = folder.root_version()?;
        let (root, _) = folder.read::<Root>(&format!("{version}.root.json"))?;
        let (timestamp, _) = folder.read::<Timestamped>("timestamp.json")?;
        let version = timestamp.signed.snapshot().version;
        let (snapshot, _) = folder.read::<Snapshot>(&format!("{version}.snapshot.json"))?;
        let version = snapshot.signed.meta.get("targets.json");
        let version = version.map_or(0, |meta| meta.version);
        let targets = folder.read(&format!("{version}.targets.json"))?;
        let online = online_key(&folder, &root.signed)?;
        Ok(Self {
            contributors: Contributors::read(&folder)?,
            folder,
            root,
            online,
            targets,
            snapshot,
            timestamp,
        })
    }

    /// The first state: nobody contributes.
    pub(super) fn begin(
        folder: Folder,
        root: Signed<Root>,
        online: SigningKey,
        now: Timestamp,
    ) -> Result<Self, HubError> {
        let targets = Targets::new(1, now.plus(TARGETS_LIFETIME));
        let targets = signed(targets, &online)?;
        let meta = BTreeMap::from([("targets.json".to_owned(), Meta::of(1, &targets.1))]);
        let snapshot = signed(Snapshot::new(1, now.plus(SNAPSHOT_LIFETIME), meta), &online)?;
        let of = Meta::of(1, &snapshot.1);
        let timestamp = signed(
            Timestamped::new(1, now.plus(TIMESTAMP_LIFETIME), of),
            &online,
        )?;
        folder.write("1.targets.json", &targets.1)?;
        folder.write("1.snapshot.json", &snapshot.1)?;
        folder.write("timestamp.json", &timestamp.1)?;
        Ok(Self {
            folder,
            root,
            contributors: Contributors::default(),
            online,
            targets,
            snapshot: snapshot.0,
            timestamp: timestamp.0,
        })
    }

    /// Who contributes.
    pub(super) fn delegations(&self) -> Delegations {
        let delegations = self.targets.0.signed.delegations.clone();
        delegations.unwrap_or_default()
    }

    /// The newest role of a contributor, whether or not it is still listed.
    pub(super) fn role(&self, partner: &str) -> Result<Option<RoleRead>, HubError> {
        let meta = self.snapshot.signed.meta.get(&format!("{partner}.json"));
        meta.map(|meta| {
            self.folder
                .read(&format!("{}.{partner}.json", meta.version))
        })
        .transpose()
    }

    /// The version of the snapshot.
    pub(super) fn snapshot_version(&self) -> u64 {
        self.snapshot.signed.version()
    }

    /// Publishes a state with these changes: written beside what is there, in force with the
    /// timestamp.
    pub(super) fn commit(&mut self, changes: Changes, now: Timestamp) -> Result<(), HubError> {
        let due = |body: &dyn Dated, lifetime| changes.anew || body.is_due(lifetime, now);
        let mut meta = self.snapshot.signed.meta.clone();
        let renew_targets = due(&self.targets.0.signed, TARGETS_LIFETIME);
        let mut renew_snapshot = due(&self.snapshot.signed, SNAPSHOT_LIFETIME);
        if renew_targets || changes.delegations.is_some() {
            let version = next(&self.targets.0.signed);
            let mut body = self
                .targets
                .0
                .signed
                .anew(version, now.plus(TARGETS_LIFETIME));
            if let Some(delegations) = changes.delegations {
                // An empty list is left out: TUF knows none.
                body.delegations = Some(delegations).filter(|all| !all.roles.is_empty());
            }
            self.targets = signed(body, &self.online)?;
            self.folder
                .write(&format!("{version}.targets.json"), &self.targets.1)?;
            meta.insert("targets.json".into(), Meta::of(version, &self.targets.1));
            renew_snapshot = true;
        }
        if let Some((name, version, raw)) = changes.role {
            meta.insert(format!("{name}.json"), Meta::of(version, &raw));
            renew_snapshot = true;
        }
        if renew_snapshot {
            let version = next(&self.snapshot.signed);
            let body = Snapshot::new(version, now.plus(SNAPSHOT_LIFETIME), meta);
            let (snapshot, raw) = signed(body, &self.online)?;
            self.folder
                .write(&format!("{version}.snapshot.json"), &raw)?;
            self.snapshot = snapshot;
            self.tell(Meta::of(version, &raw), now)?;
        } else if due(&self.timestamp.signed, TIMESTAMP_LIFETIME) {
            self.tell(self.timestamp.signed.snapshot(), now)?;
        }
        Ok(())
    }

    /// Says which snapshot is current.
    fn tell(&mut self, snapshot: Meta, now: Timestamp) -> Result<(), HubError> {
        let version = next(&self.timestamp.signed);
        let body = Timestamped::new(version, now.plus(TIMESTAMP_LIFETIME), snapshot);
        let (timestamp, raw) = signed(body, &self.online)?;
        self.folder.write("timestamp.json", &raw)?;
        self.timestamp = timestamp;
        Ok(())
    }

    /// Signs anew what is about to end, and lists no role that is.
    pub(super) fn renew(&mut self, now: Timestamp) -> Result<(), HubError> {
        let (keys, threshold) = self.root.signed.role(Role::Timestamp);
        let mut changes = Changes {
            // A rotation that broke off: the keys are others already.
            anew: !self.timestamp.is_signed_by(&keys, threshold),
            ..Changes::default()
        };
        let mut delegations = self.delegations();
        let ending = self.ending(&delegations, now)?;
        if !ending.is_empty() {
            tracing::warn!(
                ?ending,
                "roles of contributors are over and no longer listed"
            );
            delegations.remove(&|name| ending.contains(name));
            changes.delegations = Some(delegations);
        }
        self.commit(changes, now)
    }

    fn ending(&self, all: &Delegations, now: Timestamp) -> Result<BTreeSet<String>, HubError> {
        let mut ending = BTreeSet::new();
        for name in all.roles.iter().map(|role| &role.name) {
            let role = self.role(name)?;
            let ends = role.map(|(role, _)| role.signed.expires());
            if ends.is_none_or(|ends| ends < now.plus(ROLE_LEFT_MIN)) {
                ending.insert(name.clone());
            }
        }
        Ok(ending)
    }

    /// Goes on under another root, whose file is on the disk.
    pub(super) fn under(&mut self, root: Signed<Root>, online: SigningKey) {
        (self.root, self.online) = (root, online);
    }

    /// Removes files that nothing names.
    pub(super) fn sweep(&self) -> Result<(), HubError> {
        let meta = &self.snapshot.signed.meta;
        let versioned = meta
            .iter()
            .map(|(name, meta)| format!("{}.{name}", meta.version));
        let mut metadata: BTreeSet<String> = versioned.collect();
        metadata.insert("timestamp.json".to_owned());
        metadata.insert(format!("{}.snapshot.json", self.snapshot_version()));
        let mut targets = BTreeSet::new();
        let files = meta.keys().filter_map(|name| name.strip_suffix(".json"));
        for partner in files.filter(|name| *name != "targets") {
            if let Some((role, _)) = self.role(partner)? {
                let listed = role.signed.targets.values();
                targets.extend(listed.map(|target| target.hashes.sha256.to_string()));
            }
        }
        self.folder.sweep(&metadata, &targets);
        Ok(())
    }
}

/// Something that ends.
trait Dated {
    fn ends(&self) -> Timestamp;

    /// Whether less than half of its life is left.
    fn is_due(&self, lifetime: Duration, now: Timestamp) -> bool {
        let half = lifetime.checked_div(2).unwrap_or_default();
        self.ends() < now.plus(half)
    }
}

impl<T: Body> Dated for T {
    fn ends(&self) -> Timestamp {
        self.expires()
    }
}

fn next(body: &impl Body) -> u64 {
    body.version().saturating_add(1)
}

/// A body under the online key, with its bytes.
fn signed<T: Body>(body: T, key: &SigningKey) -> Result<(Signed<T>, Vec<u8>), HubError> {
    let failed = |error: pack::DocumentError| HubError::Refused(format!("metadata: {error}"));
    let raw = tuf::sign(body, &[key]).map_err(failed)?;
    Ok((Signed::read(&raw).map_err(failed)?, raw))
}

/// The private half of the key that a root names for the timestamp.
fn online_key(folder: &Folder, root: &Root) -> Result<SigningKey, HubError> {
    let (keys, _) = root.role(Role::Timestamp);
    let id = keys.first().map(tuf::key_id);
    let id = id.ok_or_else(|| HubError::Refused("the root names no online key".to_owned()))?;
    let path = folder.key(&id);
    let text = super::disk::bounded(&path, KEY_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&text);
    SigningKey::read(&text)
        .map_err(|error| HubError::Authority(format!("{}: {error}", path.display())))
}
