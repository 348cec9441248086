//! A file of records that a shield appends to, whoever moves it away meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file that is looked up again before each write: when it was moved or removed, as `logrotate`
/// does, writing goes on in a new one under its name. Nobody has to be told.
#[derive(Debug)]
pub struct Appended {
    path: PathBuf,
    file: File,
}

impl Appended {
    /// Opens the file, which is made where there is none.
    ///
    /// # Errors
    /// When it cannot be opened for writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: opened(path)?,
        })
    }

    fn is_in_place(&self) -> bool {
        let named = std::fs::metadata(&self.path);
        let both = named.and_then(|named| Ok((named, self.file.metadata()?)));
        both.is_ok_and(|(named, ours)| (named.dev(), named.ino()) == (ours.dev(), ours.ino()))
    }
}

impl Write for Appended {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_in_place() {
            self.file = opened(&self.path)?;
        }
        // in one go: no record is in two files
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn opened(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("eve.json"), folder.path().join("old"));
        std::fs::write(&path, "before\n").unwrap();
        let mut file = Appended::open(&path).unwrap();
        file.write_all(b"one\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        file.write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "before\none\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    }
}
