//! Packs on disk: `packs/` in a shield's data folder.
//!
//! | file | what |
//! |---|---|
//! | `state.json` | how far each pack is; replaced as a whole |
//! | `lock` | held by who changes it |
//! | `log.jsonl` | every step: who, when, why |
//! | `store/DIGEST.swpack` | the packs |
//! | `measured/DIGEST.json` | what is seen of them |

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use pack::{Digest, VerifiedPack};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::admission::Admission;
use super::gauge::Measured;
use super::state::{Cause, Refused, State, Step};

/// Most bytes of a file of state that are read.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// Why the folder cannot be used, or a step is not taken.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be read or written.
    #[error("{}: {source}; run this as the user of the shield", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not in its form.
    #[error("{}: {source}; move it away and admit the packs anew", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The step is not taken.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// What tells that the state changed.
pub(super) type Stamp = Option<(i64, i64, u64, u64)>;

impl Folder {
    /// The folder of packs of a shield with this data folder; made where it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(data: &Path) -> Result<Self, FolderError> {
        let folder = Self(data.join("packs"));
        for path in [folder.0.join("store"), folder.0.join("measured")] {
            std::fs::create_dir_all(&path).map_err(at(&path))?;
        }
        Ok(folder)
    }

    /// How far each pack is.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn state(&self) -> Result<State, FolderError> {
        Ok(self.read(&self.0.join("state.json"))?.unwrap_or_default())
    }

    /// Takes steps, one process at a time; all are written before this returns.
    ///
    /// # Errors
    /// They are refused, or a file cannot be written; nothing changed then.
    pub fn change(
        &self,
        steps: impl FnOnce(&mut State) -> Result<Vec<Step>, Refused>,
    ) -> Result<Vec<Step>, FolderError> {
        let path = self.0.join("lock");
        let lock = OpenOptions::new().create(true).append(true).open(&path);
        let lock = lock.map_err(at(&path))?;
        lock.lock().map_err(at(&path))?;
        let mut state = self.state()?;
        if state.key == [0, 0] {
            state.key = [random(), random()];
        }
        let steps = steps(&mut state)?;
        if !steps.is_empty() {
            self.replace(&self.0.join("state.json"), &state)?;
            self.log(&steps)?;
        }
        Ok(steps)
    }

    /// Takes a pack into shadow, and keeps it.
    ///
    /// # Errors
    /// It is not admitted, with every clause that it fails, or a file cannot be written.
    pub fn admit(
        &self,
        (pack, bytes): (&VerifiedPack, &[u8]),
        admission: &Admission,
        cause: &Cause<'_>,
        by_person: bool,
    ) -> Result<Vec<Step>, FolderError> {
        // what is not admitted is not kept either
        self.state()?.admit(pack, admission, cause, by_person)?;
        self.keep(&pack.digest(), bytes)?;
        self.change(|state| state.admit(pack, admission, cause, by_person))
    }

    fn keep(&self, digest: &Digest, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.stored(digest);
        write(&path, bytes).map_err(at(&path))
    }

    /// A pack that was kept.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn kept(&self, digest: &Digest) -> Result<Vec<u8>, FolderError> {
        let path = self.stored(digest);
        std::fs::read(&path).map_err(at(&path))
    }

    /// What was seen of a pack.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn measured(&self, digest: &Digest) -> Result<Measured, FolderError> {
        Ok(self.read(&self.gauged(digest))?.unwrap_or_default())
    }

    /// Keeps what was seen of a pack.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep_measured(&self, digest: &Digest, measured: &Measured) -> Result<(), FolderError> {
        self.replace(&self.gauged(digest), measured)
    }

    /// What tells that the state changed.
    pub(super) fn stamp(&self) -> Stamp {
        stamp(&self.0.join("state.json"))
    }

    fn stored(&self, digest: &Digest) -> PathBuf {
        self.0.join("store").join(format!("{digest}.swpack"))
    }

    fn gauged(&self, digest: &Digest) -> PathBuf {
        self.0.join("measured").join(format!("{digest}.json"))
    }

    fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, FolderError> {
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| {
            io::Read::read_to_end(&mut io::Read::take(file, FILE_BYTES_MAX), &mut text)
        });
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path)(error)),
        }
        let value = serde_json::from_slice(&text);
        value.map(Some).map_err(|source| FolderError::Form {
            path: path.to_owned(),
            source,
        })
    }

    fn replace(&self, path: &Path, value: &impl Serialize) -> Result<(), FolderError> {
        let text = serde_json::to_vec_pretty(value).map_err(|source| FolderError::Form {
            path: path.to_owned(),
            source,
        })?;
        write(path, &text).map_err(at(path))
    }

    fn log(&self, steps: &[Step]) -> Result<(), FolderError> {
        let path = self.0.join("log.jsonl");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let mut file = file.map_err(at(&path))?;
        for step in steps {
            let mut line = serde_json::to_vec(step).map_err(|source| FolderError::Form {
                path: path.clone(),
                source,
            })?;
            line.push(b'\n');
            file.write_all(&line).map_err(at(&path))?;
        }
        Ok(())
    }
}

/// What tells that a file changed; none where there is none.
pub(super) fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.ino(), found.len()))
}

/// Whoever reads the file sees it whole, of before or of now. Its owner alone reads it: the key of the
/// shares stands in one.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut open = OpenOptions::new();
    let mut file = open
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

fn at(path: &Path) -> impl Fn(io::Error) -> FolderError + use<> {
    let path = path.to_owned();
    move |source| FolderError::File {
        path: path.clone(),
        source,
    }
}

/// A number that senders of packets cannot know.
fn random() -> u64 {
    RandomState::new().hash_one(())
}
