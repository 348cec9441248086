//! The file in which an import remembers what a source told, and an export what it pushed.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use feeds::ledger::{Ledger, Line};

use crate::outcome::Failure;

/// The file; a preview only reads it.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    out: Option<BufWriter<File>>,
}

impl State {
    /// Opens it, and reads what stands in it.
    pub(super) fn open(path: PathBuf, preview: bool) -> Result<(Self, Ledger), Failure> {
        let what = || format!("--state {}", path.display());
        let out = match preview {
            true => None,
            false => Some(writer(&path).map_err(|e| Failure::input(what(), e))?),
        };
        let ledger = match File::open(&path) {
            Ok(file) => Ledger::read(&mut BufReader::new(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Ledger::default()),
            Err(e) => Err(e.into()),
        };
        let ledger = ledger.map_err(|e| Failure::input(what(), e))?;
        Ok((Self { path, out }, ledger))
    }

    /// Remembers what was taken.
    pub(super) fn remember(&mut self, lines: &[Line]) -> Result<(), Failure> {
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        let written = lines.iter().try_for_each(|line| line.write(out));
        written
            .and_then(|()| out.flush())
            .map_err(|e| Failure::system(format!("write {}", self.path.display()), e))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A reader of what stands there.
    pub(super) fn reader(&self) -> io::Result<BufReader<File>> {
        File::open(&self.path).map(BufReader::new)
    }
}

/// Where what is remembered of `name` stands unless told otherwise: in the folder of the identity
/// that shares, since another identity has told nothing yet.
pub(super) fn path_of(identity: &Path, folder: &str, format: &str, name: &str) -> PathBuf {
    let plain = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
        true => c,
        false => '_',
    };
    let name: String = name.chars().map(plain).take(100).collect();
    identity.join(folder).join(format!("{format}-{name}.jsonl"))
}

/// Writes a file anew. Whoever reads it sees it whole, of before or of now.
pub(super) fn replace(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut out = BufWriter::new(File::create(&beside)?);
    write(&mut out)?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    std::fs::rename(&beside, path)
}

/// Opens the file for one writer. A line that was cut off is ended, so that the next is whole.
fn writer(path: &Path) -> anyhow::Result<BufWriter<File>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(anyhow!(
                "another run with this file is under way; wait for it"
            ));
        }
        Err(TryLockError::Error(e)) => return Err(e.into()),
    }
    mend(&file)?;
    Ok(BufWriter::new(file))
}

fn mend(file: &File) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    const TAIL: u64 = 4 << 20;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL);
    let mut tail = vec![0; usize::try_from(length.saturating_sub(from)).unwrap_or(0)];
    file.read_exact_at(&mut tail, from)?;
    let whole = tail
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at.saturating_add(1));
    let whole = from.saturating_add(u64::try_from(whole).unwrap_or(0));
    match whole < length {
        true => file.set_len(whole),
        false => Ok(()),
    }
}
