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
        let Some(state) = self.flow(flow.id) else {
            return;
        };
        let Some(bytes) = state.files.window(chunk.id) else {
            return;
        };
        bytes.extend_from_slice(chunk.data);
        if bytes.len() < FILE_BYTES_MAX {
            return;
        }
        let window = std::mem::take(bytes);
        let file = FileScene {
            name: &[],
            data: &window,
            info: None,
        };
        self.look(
            flow,
            transaction,
            (chunk.direction, Stage::File),
            Some(file),
            now_ns,
        );
        if let Some(bytes) = self
            .flow(flow.id)
            .and_then(|state| state.files.window(chunk.id))
        {
            let from = window.len().saturating_sub(FILE_OVERLAP);
            bytes.extend_from_slice(window.get(from..).unwrap_or_default());
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
        let window = state
            .map(|state| state.files.take(info.id))
            .unwrap_or_default();
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
