//! Files that transactions carry: followed as a stream, digested, never kept here.

use md5::Digest as _;

use crate::applayer::{Context, Transaction};
use crate::bytes::hex;
use crate::flow::Direction;
use crate::sensor::Event;
use crate::settings::Settings;

/// What is worked out of each file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digests {
    /// MD5 (RFC 1321), which lists of known files still use.
    pub md5: bool,
    /// SHA-1.
    pub sha1: bool,
    /// SHA-256.
    pub sha256: bool,
    /// No digest, but its first bytes, of which its type is told.
    pub head: bool,
}

impl Digests {
    /// What either asks for.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            md5: self.md5 || other.md5,
            sha1: self.sha1 || other.sha1,
            sha256: self.sha256 || other.sha256,
            head: self.head || other.head,
        }
    }

    /// From the `files` and `file-store` outputs of the settings: `force-hash: [md5, sha256]` and
    /// `force-magic`; a file store names its files by SHA-256.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let mut digests = Self::default();
        for output in settings.at("outputs").items() {
            for (name, output) in output.entries() {
                let is_on = output.at("enabled").flag().unwrap_or(false);
                if name == "file-store" && is_on {
                    digests.sha256 = true;
                    digests.force(output);
                }
                if name == "eve-log" && is_on {
                    let types = output.at("types").items();
                    types
                        .flat_map(|kind| kind.entries())
                        .filter(|(name, _)| *name == "files")
                        .for_each(|(_, options)| digests.force(options));
                }
            }
        }
        digests
    }

    fn force(&mut self, options: crate::settings::Setting<'_>) {
        self.head |= options.at("force-magic").flag().unwrap_or(false);
        for name in options.at("force-hash").items() {
            match name.text() {
                Some("md5") => self.md5 = true,
                Some("sha1") => self.sha1 = true,
                Some("sha256") => self.sha256 = true,
                Some(_) | None => {}
            }
        }
    }
}

/// Which files are stored by whoever takes [`Event::FileData`]: the `file-store` output of the
/// settings. This crate stores nothing; it only says so of each file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileStore {
    /// All files are stored.
    pub force: bool,
}

impl FileStore {
    /// From the `file-store` output of the settings.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let mut store = Self::default();
        for output in settings.at("outputs").items() {
            let output = output.at("file-store");
            let is_on = output.at("enabled").flag().unwrap_or(false);
            store.force |= is_on && output.at("force-filestore").flag().unwrap_or(false);
        }
        store
    }
}

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileState {
    /// Whole.
    Closed,
    /// Cut: the connection ended, bytes are missing, or a depth limit was reached.
    Truncated,
    /// Something was wrong with it.
    Error,
    /// It has not ended yet.
    Unknown,
}

impl FileState {
    /// Its name, as logged.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Truncated => "TRUNCATED",
            Self::Error => "ERROR",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// A file, when it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Number within the flow, from 1.
    pub id: u32,
    /// Which way it went.
    pub direction: Direction,
    /// Its name as sent; empty when it has none.
    pub name: Vec<u8>,
    /// Bytes that came.
    pub size: u64,
    /// Bytes before them in the file that they are a part of (HTTP ranges), and its whole length.
    pub range: Option<(u64, u64)>,
    /// How it ended.
    pub state: FileState,
    /// Bytes are missing in the midst.
    pub gaps: bool,
    /// It is to be stored.
    pub stored: bool,
    /// Its number among all files to be stored, from 1; 0 for others.
    pub store_id: u64,
    /// Numbers of the rules that want it stored.
    pub stored_by: Vec<u32>,
    /// MD5 of the bytes that came, lower-case hexadecimal, where asked for.
    pub md5: Option<String>,
    /// SHA-1, likewise.
    pub sha1: Option<String>,
    /// SHA-256, likewise.
    pub sha256: Option<String>,
    /// Its first bytes, at most 4096, for its type, where asked for.
    pub head: Vec<u8>,
}

/// Most first bytes kept of a file.
pub(crate) const HEAD_BYTES_MAX: usize = 4096;

/// The next bytes of a file.
#[derive(Debug, Clone, Copy)]
pub struct FileChunk<'a> {
    /// The file before these bytes.
    pub file: &'a FileInfo,
    /// The bytes.
    pub data: &'a [u8],
}

/// A file that is passing by. A parser opens one for each file that a transaction carries, hands in
/// its bytes and closes it.
#[derive(Debug)]
pub struct File {
    info: FileInfo,
    keeps_head: bool,
    md5: Option<md5::Md5>,
    sha1: Option<sha1::Sha1>,
    sha256: Option<sha2::Sha256>,
}

impl File {
    /// A file whose bytes will follow.
    #[must_use]
    pub fn open(cx: &mut Context<'_, '_>, direction: Direction, name: &[u8]) -> Self {
        let digests = cx.config.digests;
        let stored = cx.config.file_store.force;
        cx.flow.files = cx.flow.files.saturating_add(1);
        let stored_files = &mut cx.counters.files_stored;
        *stored_files = stored_files.saturating_add(u64::from(stored));
        let store_id = if stored { *stored_files } else { 0 };
        Self {
            info: FileInfo {
                id: u32::from(cx.flow.files),
                direction,
                name: name.to_vec(),
                size: 0,
                range: None,
                state: FileState::Unknown,
                gaps: false,
                stored,
                store_id,
                stored_by: Vec::new(),
                md5: None,
                sha1: None,
                sha256: None,
                head: Vec::new(),
            },
            keeps_head: digests.head,
            md5: digests.md5.then(md5::Md5::new),
            sha1: digests.sha1.then(sha1::Sha1::new),
            sha256: digests.sha256.then(sha2::Sha256::new),
        }
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.info.size
    }

    /// It is a part of a larger file: from `start` of `total` bytes.
    pub fn set_range(&mut self, start: u64, total: u64) {
        self.info.range = Some((start, total));
    }

    /// Gives it a name that became known later.
    pub fn set_name(&mut self, name: &[u8]) {
        self.info.name = name.to_vec();
    }

    /// Takes its next bytes.
    pub fn data(&mut self, cx: &mut Context<'_, '_>, carrier: &dyn Transaction, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let chunk = FileChunk {
            file: &self.info,
            data,
        };
        (cx.out)(Event::FileData(cx.flow, carrier, &chunk));
        if self.keeps_head {
            let room = HEAD_BYTES_MAX.saturating_sub(self.info.head.len());
            let head = data.get(..room.min(data.len())).unwrap_or_default();
            self.info.head.extend_from_slice(head);
        }
        self.info.size = self
            .info
            .size
            .saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if let Some(md5) = &mut self.md5 {
            md5.update(data);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(data);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(data);
        }
    }

    /// So many bytes of it are missing; they count for its size.
    pub fn skip(&mut self, len: u64) {
        self.info.size = self.info.size.saturating_add(len);
        self.gap();
    }

    /// Bytes of it are missing: its digests are those of the bytes that came.
    pub fn gap(&mut self) {
        self.info.gaps = true;
    }

    /// It is cut here, for it is long: it has no digest but that under which it is stored.
    pub(crate) fn cut(&mut self) {
        (self.md5, self.sha1) = (None, None);
        if !self.info.stored {
            self.sha256 = None;
        }
    }

    /// Its digests are worth nothing.
    pub fn forget_digests(&mut self) {
        (self.md5, self.sha1, self.sha256) = (None, None, None);
    }

    /// It is over, and has digests only if it is whole.
    pub fn close_if_whole(
        mut self,
        cx: &mut Context<'_, '_>,
        carrier: &dyn Transaction,
        state: FileState,
    ) {
        if state != FileState::Closed || self.info.gaps {
            self.forget_digests();
        }
        self.close(cx, carrier, state);
    }

    /// It is over.
    pub fn close(self, cx: &mut Context<'_, '_>, carrier: &dyn Transaction, state: FileState) {
        self.end(state).tell(cx, carrier);
    }

    /// It is over, and will be told of later.
    pub(crate) fn end(mut self, state: FileState) -> FileInfo {
        let cut = state == FileState::Closed && self.info.gaps;
        self.info.state = if cut { FileState::Truncated } else { state };
        self.info.md5 = self.md5.map(|digest| hex(&digest.finalize()));
        self.info.sha1 = self.sha1.map(|digest| hex(&digest.finalize()));
        self.info.sha256 = self.sha256.map(|digest| hex(&digest.finalize()));
        self.info
    }
}

impl FileInfo {
    pub(crate) fn tell(&self, cx: &mut Context<'_, '_>, carrier: &dyn Transaction) {
        (cx.out)(Event::File(cx.flow, carrier, self));
    }
}
