//! Rules that look into files.

use packet::{FileChunk, FileInfo, Flow, Transaction};

use super::super::scene::{FileScene, Stage};
use super::Inspector;

/// Most bytes of a file that are looked at together.
pub(super) const FILE_BYTES_MAX: usize = 128 << 10;
/// Bytes that are looked at again with those behind them.
pub(super) const FILE_OVERLAP: usize = 4096;
/// Most files of a flow that are followed at a time.
pub(super) const FILES_MAX: usize = 64;

/// The files of a flow that are passing by.
#[derive(Debug, Default)]
pub(super) struct Files(Vec<(u32, Vec<u8>)>);

impl Files {
    fn window(&mut self, id: u32) -> Option<&mut Vec<u8>> {
        let known = self.0.iter().position(|(known, _)| *known == id);
        let at = match known {
            Some(at) => at,
            None if self.0.len() < FILES_MAX => {
                self.0.push((id, Vec::new()));
                self.0.len().saturating_sub(1)
            }
            None => return None,
        };
        self.0.get_mut(at).map(|(_, bytes)| bytes)
    }

    /// Bytes that are kept.
    pub(super) fn len(&self) -> usize {
        let lens = self.0.iter().map(|(_, bytes)| bytes.len());
        lens.fold(0, usize::saturating_add)
    }

    /// The bytes of a file, of which the last are kept to be looked at with those behind them.
    fn look_at(&mut self, id: u32) -> Vec<u8> {
        let Some(bytes) = self.window(id) else {
            return Vec::new();
        };
        let overlap = bytes.len().min(FILE_OVERLAP);
        let kept = bytes.split_off(bytes.len().saturating_sub(overlap));
        let mut window = std::mem::replace(bytes, kept);
        window.extend_from_slice(bytes);
        window
    }

    fn take(&mut self, id: u32) -> Vec<u8> {
        let known = self.0.iter().position(|(known, _)| *known == id);
        known.map(|at| self.0.swap_remove(at).1).unwrap_or_default()
    }
}

impl Inspector {
    /// The next bytes of a file.
    pub(super) fn file_data(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        chunk: &FileChunk<'_>,
        now_ns: u64,
    ) {
        if self
            .rules
            .of_transactions(transaction.app(), chunk.direction, Stage::File)
            .is_none()
        {
            return;
        }
        let Some(mut state) = self.take(flow.id) else {
            return;
        };
        let mut window = Vec::new();
        if let Some(bytes) = state.files.window(chunk.id) {
            bytes.extend_from_slice(chunk.data);
            let is_full = bytes.len() >= FILE_BYTES_MAX;
            let is_over = self.charge(&mut state);
            let hit = &mut self.counters.window_bytes_max_hit;
            *hit = hit.saturating_add(u64::from(is_over));
            if is_full || is_over {
                window = state.files.look_at(chunk.id);
            }
        }
        self.keep(flow.id, state);
        if !window.is_empty() {
            let file = FileScene {
                name: chunk.name,
                data: &window,
                info: None,
            };
            let place = (chunk.direction, Stage::File);
            self.look(flow, transaction, place, Some(file), now_ns);
        }
    }

    /// A file is over.
    pub(super) fn file(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        info: &FileInfo,
        now_ns: u64,
    ) {
        let state = self.flows.get_mut(&flow.id);
        let window = state.map(|state| state.files.take(info.id));
        let window = window.unwrap_or_default();
        let file = FileScene {
            name: &info.name,
            data: &window,
            info: Some(info),
        };
        self.look(
            flow,
            transaction,
            (info.direction, Stage::File),
            Some(file),
            now_ns,
        );
    }
}
