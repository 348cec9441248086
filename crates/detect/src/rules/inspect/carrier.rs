//! Files that are passing by, and the sides of transactions that carry them.

use packet::eve::write_file;
use packet::json::Object;
use packet::{Direction, FileInfo};

use super::super::scene::{FileScene, MAGIC_BYTES_MIN, Sides};

/// Most bytes of a file that are looked at together.
pub(super) const FILE_BYTES_MAX: usize = 128 << 10;
/// Bytes that are looked at again with those behind them.
pub(super) const FILE_OVERLAP: usize = 4096;
/// Most files of a side of a transaction that are followed at a time.
pub(super) const FILES_MAX: usize = 64;
/// Most sides of transactions of a flow whose files are followed.
pub(super) const CARRIERS_MAX: usize = 128;
/// Most rules of a side of a transaction of which is remembered that they matched, or that a part of
/// them did.
pub(super) const RULES_MAX: usize = 1024;
/// First bytes of a file that are kept, for its type.
pub(super) const HEAD_BYTES_MAX: usize = 4096;

/// The files of a flow that are passing by.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) carriers: Vec<Carrier>,
    /// Rules that matched and have all files of a transaction or of the flow stored.
    pub(super) stores: Vec<(Option<u32>, Sides)>,
    /// Rules had files stored since the last packet.
    pub(super) has_stored: bool,
}

/// Most transactions whose files rules have stored altogether.
pub(super) const STORES_MAX: usize = 64;

/// A side of a transaction with its files.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) transaction: u32,
    pub(super) direction: Direction,
    pub(super) files: Vec<Passing>,
    pub(super) rules: Known,
}

/// What is known of rules over the files of a side.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// All of the side is there: what is told of its transaction from here on may be a part of it.
    pub(super) is_whole: bool,
    /// Those that matched.
    matched: Vec<u32>,
    /// Those of which a part held: a bit for each inspection.
    partly: Vec<(u32, u64)>,
}

/// A file that is passing by.
#[derive(Debug)]
pub(super) struct Passing {
    pub(super) info: FileInfo,
    pub(super) head: Vec<u8>,
    /// The latest bytes.
    pub(super) window: Vec<u8>,
    /// How many there were when they were looked at last.
    pub(super) looked_at: usize,
    /// How much was known of it then, beside its bytes.
    pub(super) knows: u8,
    pub(super) is_over: bool,
    /// There is no room for its bytes: they are looked at as they come.
    pub(super) cannot_wait: bool,
}

impl Files {
    fn find(&self, transaction: u32, direction: Direction) -> Option<usize> {
        self.carriers
            .iter()
            .position(|known| known.transaction == transaction && known.direction == direction)
    }

    /// Takes a side out, to be put back.
    pub(super) fn take(&mut self, transaction: u32, direction: Direction) -> Option<Carrier> {
        let known = self.find(transaction, direction)?;
        Some(self.carriers.swap_remove(known))
    }

    /// All files that are passing by.
    pub(super) fn infos(&self) -> impl Iterator<Item = &FileInfo> {
        let files = self.carriers.iter().flat_map(|carrier| &carrier.files);
        files.map(|file| &file.info)
    }

    /// The files of a side that are passing by, as a record lists them.
    pub(super) fn list(&self, transaction: u32, direction: Direction) -> String {
        let carrier = self
            .find(transaction, direction)
            .and_then(|known| self.carriers.get(known));
        let mut list = String::new();
        for file in carrier.map_or(&[][..], |carrier| &carrier.files) {
            if !list.is_empty() {
                list.push(',');
            }
            Object::write(&mut list, |object| {
                let is_stored = file.info.stored;
                let info = FileInfo {
                    stored: false,
                    ..file.info.clone()
                };
                write_file(object, &info, transaction, false);
                if is_stored {
                    object.flag("storing", true);
                }
            });
        }
        list
    }

    /// A packet of that direction was judged: files that are over are done with.
    pub(super) fn settle(&mut self, direction: Direction) {
        for carrier in &mut self.carriers {
            if carrier.direction == direction {
                carrier.files.retain(|file| !file.is_over);
            }
        }
        self.carriers
            .retain(|carrier| !(carrier.rules.is_whole && carrier.files.is_empty()));
    }

    /// Bytes that are kept.
    pub(super) fn size(&self) -> usize {
        let files = self.carriers.iter().flat_map(|carrier| &carrier.files);
        files.fold(0, |sum, file| sum.saturating_add(file.window.len()))
    }
}

impl Known {
    /// The rules to be asked: candidates, and those of which a part held, but none that matched.
    pub(super) fn asked(&self, mut candidates: Vec<u32>) -> Vec<u32> {
        candidates.extend(self.partly.iter().map(|(rule, _)| *rule));
        candidates.sort_unstable();
        candidates.dedup();
        candidates.retain(|rule| !self.matched.contains(rule));
        candidates
    }

    /// What held of a rule.
    pub(super) fn held(&self, rule: u32) -> u64 {
        let known = self.partly.iter().find(|(known, _)| *known == rule);
        known.map_or(0, |(_, held)| *held)
    }

    /// Notes what held of a rule, as far as there is room.
    pub(super) fn note(&mut self, rule: u32, held: u64) {
        if let Some((_, before)) = self.partly.iter_mut().find(|(known, _)| *known == rule) {
            *before |= held;
        } else if held != 0 && self.partly.len() < RULES_MAX {
            self.partly.push((rule, held));
        }
    }

    /// A rule matched.
    pub(super) fn matched(&mut self, rule: u32) {
        self.partly.retain(|(known, _)| *known != rule);
        if self.matched.len() < RULES_MAX {
            self.matched.push(rule);
        }
    }

    /// Forgets all rules.
    pub(super) fn clear(&mut self) {
        self.matched.clear();
        self.partly.clear();
    }

    /// Forgets that rules matched.
    pub(super) fn forget(&mut self, which: impl Fn(u32) -> bool) {
        self.matched.retain(|rule| !which(*rule));
    }
}

impl Passing {
    /// Whether more is known of it than when it was looked at last: its name, or what it is.
    pub(super) fn knows_more(&self) -> bool {
        self.knowledge() > self.knows
    }

    fn knowledge(&self) -> u8 {
        1_u8.saturating_add(u8::from(self.head.len() >= MAGIC_BYTES_MIN))
    }

    /// Whether it has bytes that were not looked at.
    pub(super) fn has_news(&self) -> bool {
        self.window.len() != self.looked_at
    }

    /// It was looked at, with its bytes if they were `due`.
    pub(super) fn looked_at(&mut self, due: bool) {
        self.knows = self.knowledge();
        if due {
            self.looked_at = self.window.len();
        }
        if std::mem::take(&mut self.cannot_wait) {
            self.window = Vec::new();
            self.looked_at = 0;
        }
    }

    pub(super) fn scene(&self, is_due: bool) -> FileScene<'_> {
        FileScene {
            info: &self.info,
            data: (is_due && !self.window.is_empty()).then_some(&self.window),
            head: &self.head,
            is_over: self.is_over,
        }
    }
}
