//! What the operator does with the keys of the root, which the hub does not keep.

use super::contributors::Contributor;
use super::disk::Folder;
use super::repository::{Changes, Repository};
use crate::config::Config;
use crate::error::HubError;
use crate::{clock, secrets};
use pack::key::{PublicKey, SigningKey};
use pack::tuf::{self, Body as _, ROOT_KEYS_MAX, Role, Root, Signed};
use std::time::Duration;
use stix::Timestamp;

/// How long a root is good. A rotation makes the next one.
const ROOT_LIFETIME: Duration = Duration::from_secs(400 * 24 * 3600);

/// The keys of a new root.
#[derive(Debug)]
pub struct NewKeys<'a> {
    /// Its keys.
    pub keys: &'a [PublicKey],
    /// How many of them must sign the next one.
    pub threshold: usize,
}

/// A root that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its version.
    pub version: u64,
    /// Until when it is good.
    pub expires: Timestamp,
    /// SHA-256 of its bytes, for those who want to be told it by another way.
    pub digest: pack::Digest,
}

/// Makes a repository: a root under these keys of the operator, an online key, and nothing in it.
///
/// # Errors
/// [`HubError::Refused`] for a repository that is not configured or is there already, and for keys
/// that cannot reach their threshold; errors of files.
pub fn create(
    config: &Config,
    repository: &str,
    by: &[SigningKey],
    threshold: usize,
) -> Result<Made, HubError> {
    let folder = configured(config, repository)?;
    folder.make()?;
    let _lock = folder.lock()?;
    if folder.exists() {
        return Err(HubError::Refused(format!(
            "there is a repository {repository:?} already; `hub packs rotate` makes a new root"
        )));
    }
    let keys: Vec<PublicKey> = by.iter().map(SigningKey::public).collect();
    let now = clock::now();
    let new = NewKeys {
        keys: &keys,
        threshold,
    };
    let (root, online, made) = write_root(&folder, 1, &new, by, now)?;
    Repository::begin(folder, root, online, now)?;
    Ok(made)
}

/// Makes the next root, with a new online key; with `new`, under other keys of the operator, which
/// must all sign, too. What the old online key signed counts for nothing from then on.
///
/// # Errors
/// [`HubError::Refused`] when too few of the present keys sign; errors of files.
pub fn rotate(
    config: &Config,
    repository: &str,
    by: &[SigningKey],
    new: Option<&NewKeys<'_>>,
) -> Result<Made, HubError> {
    let folder = configured(config, repository)?;
    if !folder.exists() {
        return Err(missing(repository));
    }
    let _lock = folder.lock()?;
    let mut opened = Repository::open(folder.clone())?;
    let (present, threshold) = opened.root.signed.role(Role::Root);
    let signing = by.iter().filter(|key| present.contains(&key.public()));
    if signing.count() < threshold {
        return Err(HubError::Refused(format!(
            "the present root asks for {threshold} of its {} keys; give them with --key",
            present.len()
        )));
    }
    let same = NewKeys {
        keys: &present,
        threshold,
    };
    let version = opened.root.signed.version().saturating_add(1);
    let now = clock::now();
    let (root, online, made) = write_root(&folder, version, new.unwrap_or(&same), by, now)?;
    opened.under(root, online);
    let anew = Changes {
        anew: true,
        ..Changes::default()
    };
    opened.commit(anew, now)?;
    Ok(made)
}

/// Gives a contributor another key, for when the one it had is lost or stolen. What is listed stays
/// listed no more until the contributor publishes again under the new key.
///
/// # Errors
/// [`HubError::Refused`] for a repository that is not there; errors of files.
pub fn rekey(
    config: &Config,
    repository: &str,
    partner: &str,
    key: &PublicKey,
) -> Result<(), HubError> {
    let folder = configured(config, repository)?;
    if !folder.exists() {
        return Err(missing(repository));
    }
    let _lock = folder.lock()?;
    let mut opened = Repository::open(folder.clone())?;
    let known = opened.contributors.0.entry(partner.to_owned());
    known.or_insert_with(|| Contributor::new(key)).set_key(key);
    opened.contributors.write(&folder)?;
    let mut delegations = opened.delegations();
    delegations.remove(&|name| name == partner);
    let changes = Changes {
        delegations: Some(delegations),
        ..Changes::default()
    };
    opened.commit(changes, clock::now())
}

fn configured(config: &Config, repository: &str) -> Result<Folder, HubError> {
    let mut all = config.packs.iter();
    match all.any(|one| one.name == repository) {
        true => Ok(Folder::new(&config.data, repository)),
        false => Err(HubError::Refused(format!(
            "hub.toml has no [[packs]] with name = {repository:?}"
        ))),
    }
}

fn missing(repository: &str) -> HubError {
    HubError::Refused(format!(
        "there is no repository {repository:?} yet; make it with `hub packs create`"
    ))
}

/// Writes a root with a new online key; the key first, so that a root without its key is never there.
fn write_root(
    folder: &Folder,
    version: u64,
    new: &NewKeys<'_>,
    by: &[SigningKey],
    now: Timestamp,
) -> Result<(Signed<Root>, SigningKey, Made), HubError> {
    let failed = |error: &dyn std::fmt::Display| HubError::Authority(error.to_string());
    let mut keys = new.keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    if !(1..=keys.len()).contains(&new.threshold) || keys.len() > ROOT_KEYS_MAX {
        return Err(HubError::Refused(format!(
            "a threshold of {} with {} different keys; it is from 1 to the number of keys, of which \
             there are {ROOT_KEYS_MAX} at most",
            new.threshold,
            keys.len()
        )));
    }
    let online = SigningKey::from_seed(&secrets::random()?).map_err(|error| failed(&error))?;
    let roles = [Role::Snapshot, Role::Targets, Role::Timestamp];
    let roles = roles.map(|role| (role, online.public()));
    let expires = now.plus(ROOT_LIFETIME);
    let root = Root::new(version, expires, (&keys, new.threshold), &roles);
    let by: Vec<&SigningKey> = by.iter().collect();
    let raw = tuf::sign(root, &by).map_err(|error| failed(&error))?;
    let root: Signed<Root> = Signed::read(&raw).map_err(|error| failed(&error))?;
    if !root.is_signed_by(&keys, new.threshold) {
        return Err(HubError::Refused(format!(
            "the new root asks for {} of its own keys; give them with --key, too",
            new.threshold
        )));
    }
    let path = folder.key(&tuf::key_id(&online.public()));
    let pem = online.to_pem().map_err(|error| failed(&error))?;
    secrets::replace_durably(&path, &[pem.as_bytes()])?;
    folder.write(&format!("{version}.root.json"), &raw)?;
    let made = Made {
        version,
        expires: root.signed.expires(),
        digest: pack::Digest::of(&raw),
    };
    Ok((root, online, made))
}
