//! The file in which an import remembers what a source told.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{BufReader, BufWriter, Write as _},
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
    /// Opens it, and reads what the source told before.
    pub(super) fn open(path: PathBuf, preview: bool) -> Result<(Self, Ledger), Failure> {
        let what = || format!("--state {}", path.display());
        let out = match preview {
            true => None,
            false => Some(writer(&path).map_err(|e| Failure::input(what(), e))?),
        };
        let ledger = match File::open(&path) {
            Ok(file) => Ledger::read(&mut BufReader::new(file)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Ledger::default()),
            Err(e) => Err(e.into()),
        };
        let ledger = ledger.map_err(|e| Failure::input(what(), e))?;
        Ok((Self { path, out }, ledger))
    }

    /// Remembers what the hub took.
    pub(super) fn remember(&mut self, lines: &[Line]) -> Result<(), Failure> {
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        let written = lines.iter().try_for_each(|line| line.write(out));
        written
            .and_then(|()| out.flush())
            .map_err(|e| Failure::system(format!("write {}", self.path.display()), e))
    }

    /// A reader of what stands there.
    pub(super) fn reader(&self) -> std::io::Result<BufReader<File>> {
        File::open(&self.path).map(BufReader::new)
    }
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
                "another import of this source is running; wait for it"
            ));
        }
        Err(TryLockError::Error(e)) => return Err(e.into()),
    }
    mend(&file)?;
    Ok(BufWriter::new(file))
}

fn mend(file: &File) -> std::io::Result<()> {
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
