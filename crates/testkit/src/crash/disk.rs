//! A model of the disk: what is durable, and what may be.

use std::collections::BTreeMap;

use super::strace::Event;

/// Files by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Durable contents and names, and the operations since, in their order.
#[derive(Debug, Default)]
pub(super) struct Disk {
    contents: Vec<Vec<u8>>,
    durable_names: BTreeMap<String, usize>,
    names: BTreeMap<String, usize>,
    pending: Vec<Operation>,
}

#[derive(Clone, Debug)]
enum Operation {
    Write {
        file: usize,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: usize,
        length: usize,
    },
    /// A rename is one operation: file systems keep it whole.
    Rename {
        from: Option<String>,
        to: Option<(String, usize)>,
    },
}

impl Disk {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Open { name, truncate } => self.open(name, *truncate),
            Event::Write {
                name,
                offset,
                bytes,
            } => self.on(name, |file| Operation::Write {
                file,
                offset: *offset,
                bytes: bytes.clone(),
            }),
            Event::Truncate { name, length } => {
                self.on(name, |file| Operation::Truncate {
                    file,
                    length: *length,
                });
            }
            Event::Sync { name } => self.sync(name),
            Event::SyncFolder => self.sync_folder(),
            Event::Unlink { name } => {
                if self.names.remove(name).is_some() {
                    let from = Some(name.clone());
                    self.pending.push(Operation::Rename { from, to: None });
                }
            }
            Event::Rename { from, to } => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                    let (from, to) = (Some(from.clone()), Some((to.clone(), file)));
                    self.pending.push(Operation::Rename { from, to });
                }
            }
            Event::Mark(_) => {}
        }
    }

    /// Number of operations that are not durable.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The files if of the pending operations just those `kept` reached the disk; of the last
    /// write only the first half if it was `torn`.
    pub(super) fn files(&self, kept: &[bool], torn: bool) -> Files {
        let (mut contents, mut names) = (self.contents.clone(), self.durable_names.clone());
        let last = self.pending.len().saturating_sub(1);
        let kept = self
            .pending
            .iter()
            .zip(kept)
            .enumerate()
            .filter(|(_, (_, kept))| **kept);
        for (index, (operation, _)) in kept {
            if torn && index == last {
                act(&first_half(operation), &mut contents, &mut names);
            } else {
                act(operation, &mut contents, &mut names);
            }
        }
        let content = |file: usize| contents.get(file).cloned().unwrap_or_default();
        names
            .into_iter()
            .map(|(name, file)| (name, content(file)))
            .collect()
    }

    fn open(&mut self, name: &str, truncate: bool) {
        if !self.names.contains_key(name) {
            let file = self.contents.len();
            self.contents.push(Vec::new());
            self.names.insert(name.into(), file);
            self.pending.push(Operation::Rename {
                from: None,
                to: Some((name.into(), file)),
            });
        } else if truncate {
            self.on(name, |file| Operation::Truncate { file, length: 0 });
        }
    }

    fn on(&mut self, name: &str, operation: impl Fn(usize) -> Operation) {
        self.pending
            .extend(self.names.get(name).map(|file| operation(*file)));
    }

    fn sync(&mut self, name: &str) {
        let Some(synced) = self.names.get(name).copied() else {
            return;
        };
        let is_synced = |operation: &Operation| match operation {
            Operation::Write { file, .. } | Operation::Truncate { file, .. } => *file == synced,
            Operation::Rename { .. } => false,
        };
        self.settle(is_synced);
    }

    fn sync_folder(&mut self) {
        self.settle(|operation| matches!(operation, Operation::Rename { .. }));
    }

    fn settle(&mut self, settled: impl Fn(&Operation) -> bool) {
        let (done, pending) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(settled);
        self.pending = pending;
        let done: Vec<Operation> = done;
        for operation in &done {
            act(operation, &mut self.contents, &mut self.durable_names);
        }
    }
}

fn first_half(operation: &Operation) -> Operation {
    let mut half = operation.clone();
    if let Operation::Write { bytes, .. } = &mut half {
        bytes.truncate(bytes.len().checked_div(2).unwrap_or(0));
    }
    half
}

fn act(operation: &Operation, contents: &mut [Vec<u8>], names: &mut BTreeMap<String, usize>) {
    match operation {
        Operation::Write {
            file,
            offset,
            bytes,
        } => {
            let Some(content) = contents.get_mut(*file) else {
                return;
            };
            let end = offset.saturating_add(bytes.len());
            if content.len() < end {
                content.resize(end, 0);
            }
            if let Some(place) = content.get_mut(*offset..end) {
                place.copy_from_slice(bytes);
            }
        }
        Operation::Truncate { file, length } => {
            if let Some(content) = contents.get_mut(*file) {
                content.resize(*length, 0);
            }
        }
        Operation::Rename { from, to } => {
            if let Some(from) = from {
                names.remove(from);
            }
            names.extend(to.clone());
        }
    }
}
