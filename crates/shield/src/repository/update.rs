//! What a subscription asks for, into a folder of packs that came.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pack::{Digest, Limits, Name, Unverified};
use serde::{Deserialize, Serialize};

use super::keep;
use super::refusal::{Refusal, RepositoryError};
use super::{Client, Offered, Wanted};

/// The folder that packs are delivered into, in the data folder of a shield.
pub const INCOMING: &str = "packs/incoming";
/// Most packs of one subscription.
pub const PACKS_MAX: usize = 64;
/// What was delivered.
const SEEN: &str = "seen.json";

/// A pack that was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub offered: Offered,
}

/// What an update came to.
#[derive(Debug, Default)]
pub struct Update {
    /// Packs that are new.
    pub delivered: Vec<Delivered>,
    /// Packs that were refused, and why; the others are delivered all the same.
    pub refused: Vec<(String, RepositoryError)>,
}

/// The newest version of each pack that was delivered from a repository.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen(BTreeMap<String, Known>);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Known {
    sequence: u64,
    sha256: Digest,
}

/// The name of a pack's file: no name of a pack has a dot, so that both parts can be told.
#[must_use]
pub fn delivered_name(partner: &str, pack: &Name) -> String {
    format!("{partner}.{pack}.swpack")
}

/// Brings a repository up to date and delivers into `incoming` what is wanted of it and was not
/// delivered before. `folder` is the client's.
///
/// # Errors
/// [`RepositoryError`], when nothing could be judged at all.
pub async fn update(
    client: &Client,
    wanted: &[Wanted],
    folder: &Path,
    incoming: &Path,
) -> Result<Update, RepositoryError> {
    let loaded = client.load().await?;
    let path = folder.join(SEEN);
    let mut seen = Seen::read(&path)?;
    let mut update = Update::default();
    let mut packs = loaded.packs();
    packs.retain(|offered| {
        wanted
            .iter()
            .any(|one| one.is(&offered.partner, &offered.pack))
    });
    if packs.len() > PACKS_MAX {
        let why = format!("{} packs are wanted, more than {PACKS_MAX}", packs.len());
        return Err(RepositoryError::refused(Refusal::TooMany, why));
    }
    for offered in packs {
        let name = delivered_name(&offered.partner, &offered.pack);
        let known = seen.0.get(&name).copied();
        if known.is_some_and(|known| known.sha256 == offered.sha256) {
            continue;
        }
        let below = known.filter(|known| offered.sequence < known.sequence);
        let got = match below {
            Some(known) => {
                let (now, before) = (offered.sequence, known.sequence);
                let why = format!("sequence {now}, where {before} was delivered before");
                Err(RepositoryError::refused(Refusal::Rollback, why))
            }
            None => fetched(&loaded, &offered).await,
        };
        match got {
            Err(error) => update.refused.push((name, error)),
            Ok(bytes) => {
                let to = incoming.join(&name);
                let written =
                    std::fs::create_dir_all(incoming).and_then(|()| keep::replace(&to, &bytes));
                written.map_err(|error| RepositoryError::file(&to, error))?;
                let (sequence, sha256) = (offered.sequence, offered.sha256);
                seen.0.insert(name, Known { sequence, sha256 });
                seen.write(&path)?;
                update.delivered.push(Delivered { path: to, offered });
            }
        }
    }
    Ok(update)
}

/// A pack, whole, that is the one that its contributor's role says.
async fn fetched(loaded: &super::Loaded, offered: &Offered) -> Result<Vec<u8>, RepositoryError> {
    let bytes = loaded.fetch(offered).await?;
    let other = |why: String| RepositoryError::refused(Refusal::NotThePack, why);
    let read = Unverified::read(&bytes, &Limits::default());
    let manifest = read.map_err(|error| other(error.to_string()))?.manifest;
    let same = manifest.name == offered.pack
        && manifest.version == offered.version
        && manifest.sequence == offered.sequence;
    match same {
        true => Ok(bytes),
        false => Err(other(format!(
            "it is {} {} (sequence {})",
            manifest.name, manifest.version, manifest.sequence
        ))),
    }
}

impl Seen {
    fn read(path: &Path) -> Result<Self, RepositoryError> {
        let raw = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            raw => raw.map_err(|error| RepositoryError::file(path, error))?,
        };
        serde_json::from_slice(&raw).map_err(|error| RepositoryError::file(path, error.into()))
    }

    fn write(&self, path: &Path) -> Result<(), RepositoryError> {
        let failed = |error: std::io::Error| RepositoryError::file(path, error);
        let raw = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        keep::replace(path, &raw).map_err(failed)
    }
}
