//! The files of one repository.

use crate::error::HubError;
use crate::secrets;
use pack::Digest;
use pack::tuf::{Body, METADATA_BYTES_MAX, Signed};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long a file stays that nothing names any more: for readers that are under way.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// The folder of all repositories in the data folder.
const PACKS: &str = "packs";

/// The folder of one repository.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// Held while something is changed: one process at a time.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Folder {
    pub(super) fn new(data: &Path, repository: &str) -> Self {
        Self(data.join(PACKS).join(repository))
    }

    /// Whether a root was made.
    pub(super) fn exists(&self) -> bool {
        self.0.join("metadata/timestamp.json").exists()
    }

    /// Makes the folders.
    pub(super) fn make(&self) -> Result<(), HubError> {
        for name in ["metadata", "targets", "keys"] {
            secrets::private_folder(&self.0.join(name))?;
        }
        Ok(())
    }

    /// Waits until nobody else changes anything.
    pub(super) fn lock(&self) -> Result<Lock, HubError> {
        let path = self.0.join("lock");
        let opened = File::options().create(true).append(true).open(&path);
        let locked = opened.and_then(|file| file.lock().map(|()| file));
        locked
            .map(Lock)
            .map_err(|error| HubError::file(&path, error))
    }

    /// Where metadata stands.
    pub(super) fn metadata(&self, file: &str) -> PathBuf {
        self.0.join("metadata").join(file)
    }

    /// Where a pack stands.
    pub(super) fn target(&self, digest: &Digest) -> PathBuf {
        self.0.join("targets").join(digest.to_string())
    }

    /// Where a key stands, by its id in metadata.
    pub(super) fn key(&self, id: &Digest) -> PathBuf {
        self.0.join("keys").join(format!("{id}.pem"))
    }

    /// Where contributors stand.
    pub(super) fn contributors(&self) -> PathBuf {
        self.0.join("contributors.json")
    }

    /// Reads metadata that this hub wrote or took.
    pub(super) fn read<T: Body>(&self, file: &str) -> Result<(Signed<T>, Vec<u8>), HubError> {
        let path = self.metadata(file);
        let raw = bounded(&path, METADATA_BYTES_MAX)?;
        let read = Signed::read(&raw).map_err(|error| {
            let path = path.display();
            HubError::Refused(format!(
                "{path}: {error}; bring the folder back from a backup"
            ))
        })?;
        Ok((read, raw))
    }

    /// Writes metadata; it is there after the power failed, too.
    pub(super) fn write(&self, file: &str, raw: &[u8]) -> Result<(), HubError> {
        secrets::replace_durably(&self.metadata(file), &[raw])
    }

    /// The version of the newest root.
    pub(super) fn root_version(&self) -> Result<u64, HubError> {
        let folder = self.0.join("metadata");
        let versions = names(&folder)?
            .into_iter()
            .filter_map(|name| name.strip_suffix(".root.json")?.parse::<u64>().ok());
        versions.max().ok_or_else(|| {
            let folder = folder.display();
            HubError::Refused(format!(
                "{folder}: no root; make one with `hub packs create`"
            ))
        })
    }

    /// Removes what nothing names and what nobody can be reading any more.
    pub(super) fn sweep(&self, metadata: &BTreeSet<String>, targets: &BTreeSet<String>) {
        for (folder, kept) in [("metadata", metadata), ("targets", targets)] {
            let folder = self.0.join(folder);
            for name in names(&folder).unwrap_or_default() {
                let path = folder.join(&name);
                // Clients follow roots one by one.
                if !kept.contains(&name)
                    && !name.ends_with(".root.json")
                    && is_old(&path)
                    && let Err(error) = fs::remove_file(&path)
                {
                    tracing::warn!(path = %path.display(), %error, "not removed");
                }
            }
        }
    }
}

fn is_old(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = modified
        .ok()
        .and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_some_and(|age| age > KEPT)
}

/// Names of the files in a folder.
fn names(folder: &Path) -> Result<Vec<String>, HubError> {
    let failed = |error| HubError::file(folder, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// A file of so many bytes at most.
pub(super) fn bounded(path: &Path, bytes_max: usize) -> Result<Vec<u8>, HubError> {
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(|error| HubError::file(path, error))?;
    Ok(bytes)
}

/// Every file of every repository for a backup, relative to the data folder: timestamps first, so
/// that what they name is there when it is copied.
pub(crate) fn files(data: &Path) -> Result<Vec<String>, HubError> {
    let mut found = Vec::new();
    let mut folders = vec![PACKS.to_owned()];
    while let Some(folder) = folders.pop() {
        let here = match names(&data.join(&folder)) {
            Err(HubError::File { source, .. }) if source.kind() == ErrorKind::NotFound => continue,
            here => here?,
        };
        for name in here.iter().filter(|name| *name != "lock") {
            let path = format!("{folder}/{name}");
            match data.join(&path).is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort_by_key(|path| (!path.ends_with("/metadata/timestamp.json"), path.clone()));
    Ok(found)
}
