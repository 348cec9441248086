//! Backups: the state of the store, the keys without which partners would not know the hub again, and
//! the list of what was erased, in a folder with a manifest.
//!
//! ```text
//! DIR/manifest.json          what is in it, with sizes and digests; written last: without it, no backup
//! DIR/log.jsonl              the state, the same lines on every store; their SHA-256 is the state digest
//! DIR/erasures.jsonl         what was erased until then
//! DIR/revocations.jsonl      which partners were revoked until then
//! DIR/keys/authority.pem     the certificate authority: partners' certificates stay good
//! DIR/keys/frames.pkcs8      what frames are signed with: partners hold its public half
//! DIR/keys/cursors.key       so that a cursor of before is told from one that was made up
//! DIR/packs/                 the repositories of packs, with their online keys
//! ```
//!
//! All of it is as secret as the data folder: files have mode 0600, and none of their content is
//! logged.

mod manifest;
mod revocations;

use crate::config::Config;
use crate::error::HubError;
use crate::packs;
use crate::secrets;
use crate::storage::{Storage, store_error};
use exchange::dump::{self, Input, Restored, Summary};
use exchange::{EitherStore, Erasures, Log as _, erasures as list};
use revocations::REVOCATIONS;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

pub(crate) use revocations::remember;

pub use manifest::{FileOf, Manifest, digest_text};

/// The state.
const LOG: &str = "log.jsonl";
/// What was erased; also the name of the hub's own list in its data folder.
const ERASURES: &str = "erasures.jsonl";
/// Files of the data folder that go with the state.
const KEYS: [&str; 3] = [
    "keys/authority.pem",
    "keys/frames.pkcs8",
    "keys/cursors.key",
];

/// Opens the list of what was erased, and brings it up to date, before the hub serves.
pub(crate) async fn erasures(data: &Path, store: &EitherStore) -> Result<Erasures, HubError> {
    let list = Erasures::open(&data.join(ERASURES)).map_err(store_error)?;
    list.catch_up(store).await.map_err(store_error)?;
    Ok(list)
}

/// Writes a backup into a folder that is new or empty, while the hub runs or not.
///
/// # Errors
/// [`HubError::Refused`] for a folder that is not empty, or a data folder that no hub has run on;
/// errors of files and of the store. What was written until then is no backup: it has no manifest.
pub async fn backup(config: &Config, to: &Path) -> Result<Manifest, HubError> {
    if !config.data.join(KEYS[0]).exists() {
        let data = config.data.display();
        return Err(HubError::Refused(format!("no hub has run on {data} yet")));
    }
    secrets::private_folder(&to.join("keys"))?;
    refuse_used(to)?;
    let store = config.store.open_admin().await?;
    let (path, epoch) = (to.join(LOG), store.epoch());
    let mut log = BufWriter::with_capacity(1 << 20, private(&path)?);
    let taken = crate::clock::now();
    let summary = dump::write_out(&store, &mut log)
        .await
        .map_err(store_error)?;
    log.into_inner()
        .map_err(|error| error.into_error())
        .and_then(|file| file.sync_all())
        .map_err(|error| HubError::file(&path, error))?;
    let mut files = vec![FileOf {
        path: LOG.to_owned(),
        bytes: summary.bytes,
        sha256: digest_text(&summary.digest),
    }];
    // After the state, so that they have all that the state has erased and revoked.
    for name in KEYS.into_iter().chain([ERASURES, REVOCATIONS]) {
        let from = config.data.join(name);
        // A hub that ran before there were lists has none yet, nor one that never revoked a partner.
        if from.exists() || KEYS.contains(&name) {
            files.push(copy(&from, to, name)?);
        }
    }
    for name in packs::files(&config.data)? {
        let from = config.data.join(&name);
        // What nothing names any more may go meanwhile.
        if from.exists() {
            files.push(copy(&from, to, &name)?);
        }
    }
    let manifest = Manifest::new(config, taken, epoch, &summary, files);
    manifest.write(to)?;
    Ok(manifest)
}

/// How a backup is restored.
#[derive(Clone, Debug, Default)]
pub struct Restore {
    /// Whether what the store and the data folder hold is replaced.
    pub replace: bool,
    /// A list of erasures that is newer than the one in the backup, of another backup or of the data
    /// folder that is gone.
    pub erasures: Option<PathBuf>,
    /// A list of revocations, alike.
    pub revocations: Option<PathBuf>,
}

/// Restores a backup into the store and the data folder of a configuration; the hub must not run. By the
/// lists that are there, what was erased since the backup was made is left out, and who was revoked since is
/// revoked.
///
/// # Errors
/// [`HubError::Refused`] for a store that is not empty, other keys in the data folder, a backup of
/// another community or one that is not whole; errors of files and of the store, which is then as it
/// was.
pub async fn restore(
    config: &Config,
    from: &Path,
    how: &Restore,
) -> Result<(Manifest, Restored), HubError> {
    let manifest = Manifest::read(from)?;
    if manifest.community != config.community {
        return Err(HubError::Refused(format!(
            "the backup is of community {:?}, the configuration of {:?}",
            manifest.community, config.community
        )));
    }
    // The state is checked as it is read.
    manifest.check(from, |file| file.path != LOG)?;
    secrets::private_folder(&config.data.join("keys"))?;
    let mut keys = Vec::new();
    for name in KEYS {
        let (path, there) = (from.join(name), config.data.join(name));
        let key = fs::read(&path).map_err(|error| HubError::file(&path, error))?;
        if !how.replace && fs::read(&there).is_ok_and(|other| other != key) {
            return Err(HubError::Refused(format!(
                "{} is another hub's; restore into an empty data folder, or replace it with --force",
                there.display()
            )));
        }
        keys.push((there, key));
    }
    let own = config.data.join(ERASURES);
    let mut lists = vec![from.join(ERASURES)];
    lists.extend(how.erasures.clone());
    lists.push(own.clone());
    let input = Input::open(&from.join(LOG), manifest.digest()?, &lists).map_err(store_error)?;
    let mut revoked = revocations::read(&from.join(REVOCATIONS))?;
    if let Some(list) = &how.revocations {
        revoked.extend(revocations::read(list)?);
    }
    // Before the store: a restore that broke off is begun again, and must not be taken for done.
    list::merge(&own, &lists).map_err(store_error)?;
    let mut input = input.with_revoked(revocations::merge(&config.data, revoked)?);
    for (path, key) in keys {
        secrets::replace_durably(&path, &[&key])?;
    }
    let restored = config
        .store
        .restore(&mut input, manifest.epoch, how.replace)
        .await?;
    restore_packs(&manifest, from, &config.data)?;
    Ok((manifest, restored))
}

/// Brings the repositories of packs back; timestamps last, which put the rest into force.
fn restore_packs(manifest: &Manifest, from: &Path, data: &Path) -> Result<(), HubError> {
    let inside = |path: &str| {
        let mut parts = Path::new(path).components();
        path.starts_with("packs/") && parts.all(|part| matches!(part, Component::Normal(_)))
    };
    for file in manifest
        .files
        .iter()
        .rev()
        .filter(|file| inside(&file.path))
    {
        let (path, to) = (from.join(&file.path), data.join(&file.path));
        let bytes = fs::read(&path).map_err(|error| HubError::file(&path, error))?;
        if let Some(folder) = to.parent() {
            secrets::private_folder(folder)?;
        }
        secrets::replace_durably(&to, &[&bytes])?;
    }
    Ok(())
}

/// Checks the state of the store, beside a hub that runs or not, and says what it comes to.
///
/// # Errors
/// [`HubError::Store`] for a state that is damaged, and for errors of the store.
pub async fn verify_store(config: &Config) -> Result<Summary, HubError> {
    if let Storage::Sqlite(path) = &config.store
        && !path.exists()
    {
        let path = path.display();
        return Err(HubError::Refused(format!("there is no store at {path}")));
    }
    let store = config.store.open_admin().await?;
    let summary = dump::write_out(&store, &mut std::io::sink()).await;
    summary.map_err(store_error)
}

/// Checks that a backup is whole: every file is the one that the manifest names.
///
/// # Errors
/// [`HubError::Refused`] when it is not.
pub fn verify_backup(from: &Path) -> Result<Manifest, HubError> {
    let manifest = Manifest::read(from)?;
    manifest.check(from, |_| true)?;
    Ok(manifest)
}

fn refuse_used(folder: &Path) -> Result<(), HubError> {
    let failed = |error| HubError::file(folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name != "keys" {
            let folder = folder.display();
            return Err(HubError::Refused(format!(
                "{folder} is not empty; give each backup a folder of its own"
            )));
        }
    }
    Ok(())
}

fn private(path: &Path) -> Result<File, HubError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| HubError::file(path, error))
}

/// Copies a file of the data folder.
fn copy(from: &Path, folder: &Path, name: &str) -> Result<FileOf, HubError> {
    let bytes = fs::read(from).map_err(|error| HubError::file(from, error))?;
    let to = folder.join(name);
    if let Some(folder) = to.parent() {
        secrets::private_folder(folder)?;
    }
    let mut file = private(&to)?;
    file.write_all(&bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| HubError::file(&to, error))?;
    Ok(FileOf::of(name, &bytes))
}
