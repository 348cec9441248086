//! Files of the data folder that only the hub may read.

use crate::error::HubError;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The longest secret file that is read, bytes.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Reads a secret, or makes and keeps it when there is none yet.
///
/// Two processes that start together agree on one secret: the file appears whole or not at all,
/// and the later one reads what the earlier one wrote.
pub(crate) fn load_or_create(
    path: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, HubError>,
) -> Result<Vec<u8>, HubError> {
    match read(path) {
        Err(HubError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
            create(path, &make()?)?;
            read(path)
        }
        found => found,
    }
}

/// Replaces a private file; readers see the old content or the new one, never a part.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), HubError> {
    let draft = draft_of(path);
    write_draft(&draft, bytes)
        .and_then(|()| fs::rename(&draft, path))
        .map_err(|error| HubError::file(path, error))
}

/// The same, of several parts, and still there after the power failed.
pub(crate) fn replace_durably(path: &Path, parts: &[&[u8]]) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let draft = draft_of(path);
    write_parts(&draft, parts)
        .and_then(|()| fs::rename(&draft, path))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|error| HubError::file(path, error))
}

/// Makes a folder that only this user may enter, with its parents.
pub(crate) fn private_folder(path: &Path) -> Result<(), HubError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| HubError::file(path, error))
}

/// `N` bytes from the system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], HubError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| HubError::Authority("the system gives no randomness".to_owned()))?;
    Ok(bytes)
}

fn read(path: &Path) -> Result<Vec<u8>, HubError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SECRET_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| HubError::file(path, error))?;
    Ok(bytes)
}

fn create(path: &Path, bytes: &[u8]) -> Result<(), HubError> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    let draft = draft_of(path);
    let outcome = write_draft(&draft, bytes).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        done => done,
    });
    let swept = fs::remove_file(&draft);
    outcome
        .and(swept)
        .map_err(|error| HubError::file(path, error))
}

fn draft_of(path: &Path) -> std::path::PathBuf {
    path.with_extension(format!("new-{}", std::process::id()))
}

fn write_draft(draft: &Path, bytes: &[u8]) -> std::io::Result<()> {
    write_parts(draft, &[bytes])
}

fn write_parts(draft: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(draft)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_first_secret_stays_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/secret");
        let first = load_or_create(&path, || Ok(b"one".to_vec())).unwrap();
        let second = load_or_create(&path, || Ok(b"two".to_vec())).unwrap();
        assert_eq!((first, second), (b"one".to_vec(), b"one".to_vec()));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no draft is left"
        );
    }
}
