//! What a backup says of itself.

use crate::config::Config;
use crate::error::HubError;
use crate::secrets;
use crate::tls::peer::hex;
use aws_lc_rs::digest::{Context, SHA256};
use exchange::dump::Summary;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use stix::Timestamp;

const FILE: &str = "manifest.json";
/// The form of the backup; it is changed with the form.
const FORMAT: &str = "shieldwall-backup-1";
/// Longest manifest that is read, in bytes.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// The manifest of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup.
    pub format: String,
    /// The program that made it.
    pub program: String,
    /// When it was begun.
    pub taken: Timestamp,
    /// The exchange.
    pub community: String,
    /// The epoch of the log; a restored one begins a later one.
    pub epoch: u64,
    /// Events in the log.
    pub events: u64,
    /// Objects, version by version, that are there.
    pub objects: u64,
    /// Versions that were erased.
    pub erased: u64,
    /// Partners, revoked or not.
    pub partners: u64,
    /// The state digest: SHA-256 of `log.jsonl`, in hexadecimal.
    pub state_sha256: String,
    /// Every other file of the backup, and the state. Those below `keys/` are secrets, and so is the key
    /// of credentials in the state.
    pub files: Vec<FileOf>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOf {
    /// Its path in the folder.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

/// A digest as text.
pub fn digest_text(digest: &[u8; 32]) -> String {
    hex(digest)
}

impl FileOf {
    pub(super) fn of(path: &str, bytes: &[u8]) -> Self {
        Self {
            path: path.to_owned(),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            sha256: hex(&crate::tls::authority::sha256(bytes)),
        }
    }
}

impl Manifest {
    pub(super) fn new(
        config: &Config,
        taken: Timestamp,
        epoch: u64,
        summary: &Summary,
        files: Vec<FileOf>,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            program: concat!("shieldwall ", env!("CARGO_PKG_VERSION")).to_owned(),
            taken,
            community: config.community.clone(),
            epoch,
            events: summary.events,
            objects: summary.objects,
            erased: summary.erased,
            partners: summary.partners,
            state_sha256: digest_text(&summary.digest),
            files,
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), HubError> {
        let json = serde_json::to_vec_pretty(self)
            .map_err(|error| HubError::Refused(error.to_string()))?;
        secrets::replace_durably(&folder.join(FILE), &[&json])
    }

    pub(super) fn read(folder: &Path) -> Result<Self, HubError> {
        let path = folder.join(FILE);
        let mut json = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(MANIFEST_BYTES_MAX).read_to_end(&mut json))
            .map_err(|error| {
                let (path, folder) = (path.display(), folder.display());
                HubError::Refused(format!("{path}: {error}; {folder} is no whole backup"))
            })?;
        let manifest: Self = serde_json::from_slice(&json).map_err(|error| {
            HubError::Refused(format!("{}: {error}; it is no manifest", path.display()))
        })?;
        if manifest.format != FORMAT {
            let format = &manifest.format;
            return Err(HubError::Refused(format!(
                "the backup has format {format:?}, this program knows {FORMAT:?}; update it"
            )));
        }
        Ok(manifest)
    }

    /// The state digest as bytes.
    pub(super) fn digest(&self) -> Result<[u8; 32], HubError> {
        let text = self.state_sha256.as_bytes();
        let mut digest = [0; 32];
        let (pairs, rest) = text.as_chunks::<2>();
        let bad = || HubError::Refused("manifest.json: state_sha256 is no digest".to_owned());
        if pairs.len() != digest.len() || !rest.is_empty() {
            return Err(bad());
        }
        for (to, pair) in digest.iter_mut().zip(pairs) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            *to = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(digest)
    }

    /// Compares files with what is said of them.
    pub(super) fn check(
        &self,
        folder: &Path,
        which: impl Fn(&FileOf) -> bool,
    ) -> Result<(), HubError> {
        for file in self.files.iter().filter(|file| which(file)) {
            let path = folder.join(&file.path);
            let (bytes, sha256) = measure(&path).map_err(|error| HubError::file(&path, error))?;
            if (bytes, sha256.as_str()) != (file.bytes, file.sha256.as_str()) {
                return Err(HubError::Refused(format!(
                    "{} is not the file that the manifest names; take another backup",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}

fn measure(path: &Path) -> std::io::Result<(u64, String)> {
    let (mut file, mut context) = (File::open(path)?, Context::new(&SHA256));
    let (mut length, mut buffer) = (0_u64, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok((length, hex(context.finish().as_ref())));
        };
        context.update(bytes);
        length = length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_as_they_are_written() {
        let mut manifest = Manifest {
            format: FORMAT.to_owned(),
            program: String::new(),
            taken: Timestamp::EPOCH,
            community: "default".to_owned(),
            epoch: 1,
            events: 0,
            objects: 0,
            erased: 0,
            partners: 0,
            state_sha256: digest_text(&[0xa7; 32]),
            files: vec![FileOf::of("one", b"content")],
        };
        assert_eq!(manifest.digest().unwrap(), [0xa7; 32]);
        manifest.state_sha256.push('0');
        assert!(manifest.digest().is_err());
        let folder = tempfile::tempdir().unwrap();
        manifest.write(folder.path()).unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), manifest);
        std::fs::write(folder.path().join("one"), "content").unwrap();
        manifest.check(folder.path(), |_| true).unwrap();
        std::fs::write(folder.path().join("one"), "Content").unwrap();
        assert!(manifest.check(folder.path(), |_| true).is_err());
    }
}
