//! Additions that were answered before they were decided, on disk until they are.
//!
//! A 202 with a pending status is given when the addition is in its file. A hub that stops or is killed
//! goes on with what it finds at its next start, before it takes anything new; what was decided of it
//! already is a duplicate then.

use crate::error::HubError;
use crate::secrets;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;

/// The folder of pending additions.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    next: AtomicU64,
    pub(super) shutdown: CancellationToken,
}

/// What stands in the first line of a file; the body follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) partner: String,
    /// The collection's alias.
    pub(super) collection: String,
    /// Of the status.
    pub(super) id: String,
    /// When the request came, in microseconds since 1970.
    pub(super) received: i64,
    pub(super) objects: usize,
}

/// The file of an addition.
#[derive(Debug)]
pub(super) struct Spooled(PathBuf);

impl Spool {
    /// In a data folder.
    pub(crate) fn open(data: &Path, shutdown: CancellationToken) -> Result<Self, HubError> {
        let folder = data.join("pending");
        secrets::private_folder(&folder)?;
        let spool = Self {
            folder,
            next: AtomicU64::new(0),
            shutdown,
        };
        spool.sweep()?;
        let last = spool.numbers()?.last().copied();
        let next = last.map_or(0, |last| last.saturating_add(1));
        spool.next.store(next, Ordering::Relaxed);
        Ok(spool)
    }

    /// Writes an addition; it is on disk when this returns.
    pub(super) async fn put(&self, head: &Head, body: bytes::Bytes) -> Result<Spooled, HubError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path(number);
        let mut head =
            serde_json::to_vec(head).map_err(|error| HubError::Store(error.to_string()))?;
        head.push(b'\n');
        let spooled = Spooled(path.clone());
        let written = tokio::task::spawn_blocking(move || {
            secrets::replace_durably(&path, &[head.as_slice(), &body])
        });
        written
            .await
            .map_err(|error| HubError::Store(error.to_string()))??;
        Ok(spooled)
    }

    /// What waits here, in the order in which it came. A file that is none is named in the log and left
    /// alone.
    pub(super) fn waiting(&self) -> Result<Vec<(Head, Spooled)>, HubError> {
        let mut waiting = Vec::new();
        for number in self.numbers()? {
            let spooled = Spooled(self.path(number));
            match spooled.read() {
                Ok((head, _)) => waiting.push((head, spooled)),
                Err(error) => tracing::error!(%error, "a pending addition cannot be read"),
            }
        }
        Ok(waiting)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}"))
    }

    /// Removes what a crash has left half written: it was never answered.
    fn sweep(&self) -> Result<(), HubError> {
        let failed = |error| HubError::file(&self.folder, error);
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if number(&entry).is_none() {
                std::fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn numbers(&self) -> Result<Vec<u64>, HubError> {
        let failed = |error| HubError::file(&self.folder, error);
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            numbers.extend(number(&entry.map_err(failed)?));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// The number that a file is called; drafts are not called one.
fn number(entry: &std::fs::DirEntry) -> Option<u64> {
    entry.file_name().to_str()?.parse().ok()
}

impl Spooled {
    /// The addition.
    pub(super) fn read(&self) -> Result<(Head, Vec<u8>), HubError> {
        let mut bytes = std::fs::read(&self.0).map_err(|error| HubError::file(&self.0, error))?;
        let no_head = || HubError::Store(format!("{}: no pending addition", self.0.display()));
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let body = bytes.split_off(end.ok_or_else(no_head)?.saturating_add(1));
        let head = serde_json::from_slice(&bytes).map_err(|_| no_head())?;
        Ok((head, body))
    }

    /// It is decided. A file that stays all the same is decided once more, which changes nothing.
    pub(super) fn done(self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a decided addition stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(id: &str) -> Head {
        Head {
            partner: "alpha".to_owned(),
            collection: "all".to_owned(),
            id: id.to_owned(),
            received: 7,
            objects: 2,
        }
    }

    #[tokio::test]
    async fn what_waits_comes_back_in_its_order_until_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Spool::open(folder.path(), CancellationToken::new()).unwrap();
        let spool = open();
        for id in ["one", "two"] {
            spool
                .put(&head(id), b"{\"a\":\n1}"[..].into())
                .await
                .unwrap();
        }
        // As a crash leaves them.
        std::fs::write(folder.path().join("pending/draft.new-1"), "x").unwrap();
        std::fs::write(
            folder.path().join("pending/00000000000000000007"),
            "no addition",
        )
        .unwrap();
        let spool = {
            drop(spool);
            open()
        };
        assert!(!folder.path().join("pending/draft.new-1").exists());
        let mut waiting = spool.waiting().unwrap();
        let heads: Vec<_> = waiting.iter().map(|(head, _)| head.clone()).collect();
        assert_eq!(heads, [head("one"), head("two")]);
        let (_, first) = waiting.remove(0);
        assert_eq!(first.read().unwrap().1, b"{\"a\":\n1}");
        first.done();
        spool.put(&head("three"), b"{}"[..].into()).await.unwrap();
        let ids: Vec<_> = spool
            .waiting()
            .unwrap()
            .into_iter()
            .map(|w| w.0.id)
            .collect();
        assert_eq!(ids, ["two", "three"]);
    }
}
