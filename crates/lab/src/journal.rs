//! Reads journals while they grow: one JSON object a line.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::de::DeserializeOwned;

/// A reader that stands at the end of what it has read.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    offset: u64,
    partial: Vec<u8>,
}

impl Tail {
    /// From the file's present end: what comes from now on.
    pub(crate) fn from_end(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_path_buf();
        let offset = std::fs::metadata(&path).map_or(0, |data| data.len());
        Self {
            path,
            offset,
            partial: Vec::new(),
        }
    }

    /// The lines that were completed since the last call.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or a line is not of the type.
    pub(crate) fn poll<T: DeserializeOwned>(&mut self) -> anyhow::Result<Vec<T>> {
        let context = || format!("reading {}", self.path.display());
        let Ok(mut file) = File::open(&self.path) else {
            return Ok(Vec::new());
        };
        file.seek(SeekFrom::Start(self.offset))
            .with_context(context)?;
        let read = file.read_to_end(&mut self.partial).with_context(context)?;
        self.offset = self.offset.saturating_add(u64::try_from(read)?);
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(Vec::new());
        };
        let rest = self.partial.split_off(end.saturating_add(1));
        let whole = std::mem::replace(&mut self.partial, rest);
        let lines = whole
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        lines
            .map(|line| parse(line).with_context(context))
            .collect()
    }
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(line).with_context(|| String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    #[test]
    fn whole_lines_come_once_and_a_half_line_waits_for_its_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut early = Tail::from_end(&path);
        assert!(early.poll::<u32>().unwrap().is_empty());
        fs::write(&path, "1\n2\n").unwrap();
        let mut late = Tail::from_end(&path);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"3\n4").unwrap();
        assert_eq!(early.poll::<u32>().unwrap(), [1, 2, 3]);
        assert_eq!(late.poll::<u32>().unwrap(), [3]);
        file.write_all(b"5\n").unwrap();
        assert_eq!(early.poll::<u32>().unwrap(), [45]);
        assert!(early.poll::<u32>().unwrap().is_empty());
    }

    #[test]
    fn a_line_that_is_not_of_the_type_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut tail = Tail::from_end(&path);
        fs::write(&path, "{\"event\"\n").unwrap();
        let error = tail.poll::<serde_json::Value>().unwrap_err();
        assert!(format!("{error:#}").contains("{\"event\""), "{error:#}");
    }
}
