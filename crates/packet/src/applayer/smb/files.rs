//! Files that are read and written, put in order.

use std::collections::BTreeMap;

use super::state::{Head, State};
use super::status::Status;
use super::transaction::{Detail, FileId, Smb};
use crate::applayer::Context;
use crate::file::{File, FileState};
use crate::flow::Direction;

/// All reads, or all writes, of an open file.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) tx: Smb,
    file: File,
    id: FileId,
    direction: Direction,
    /// Where in the file the next byte belongs.
    next: u64,
    /// Pieces that lie behind it, by their place.
    queue: BTreeMap<u64, Vec<u8>>,
    queued_bytes: usize,
    /// The client asked to close it.
    is_closing: bool,
}

/// A piece of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) id: FileId,
    pub(super) direction: Direction,
    /// Its place in the file.
    pub(super) offset: u64,
}

impl State {
    /// Takes a piece of a file; the first one begins a transaction.
    pub(super) fn piece(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: &Head,
        piece: Piece,
        data: &[u8],
    ) {
        if self.transfer(piece).is_none() {
            self.open(cx, head, piece);
        }
        self.more(cx, piece, data);
    }

    /// Takes more of a file that is known.
    pub(super) fn more(&mut self, cx: &mut Context<'_, '_>, piece: Piece, data: &[u8]) {
        let (bytes_max, pieces_max, events) = match piece.direction {
            Direction::ToServer => (
                self.options.write_queue_bytes_max,
                self.options.write_queue_pieces_max,
                ["write_queue_size_exceeded", "write_queue_cnt_exceeded"],
            ),
            Direction::ToClient => (
                self.options.read_queue_bytes_max,
                self.options.read_queue_pieces_max,
                ["read_queue_size_exceeded", "read_queue_cnt_exceeded"],
            ),
        };
        let Some(transfer) = self.transfer(piece) else {
            return;
        };
        if piece.offset <= transfer.next {
            return transfer.in_order(cx, piece.offset, data);
        }
        let bytes = transfer.queued_bytes.saturating_add(data.len());
        let tx_id = transfer.tx.tx_id;
        let [too_large, too_many] = events;
        if bytes_max != 0 && bytes > bytes_max {
            return cx.anomaly_in(tx_id, too_large);
        }
        if pieces_max != 0 && transfer.queue.len() >= pieces_max {
            return cx.anomaly_in(tx_id, too_many);
        }
        transfer.keep(piece.offset, data);
    }

    /// Bytes of a file are missing.
    pub(super) fn hole(&mut self, piece: Piece, len: u64) {
        if let Some(transfer) = self.transfer(piece) {
            transfer.file.gap();
            if transfer.next == piece.offset {
                transfer.next = transfer.next.saturating_add(len);
            }
        }
    }

    /// A file is closed: yields what is open of it.
    pub(super) fn close(
        &mut self,
        cx: &mut Context<'_, '_>,
        id: FileId,
        direction: Option<Direction>,
        status: Option<Status>,
    ) {
        let is_closed = |transfer: &Transfer| {
            transfer.id == id && direction.is_none_or(|direction| transfer.direction == direction)
        };
        while let Some(at) = self.transfers.iter().position(is_closed) {
            let mut transfer = self.transfers.remove(at);
            transfer.tx.status = status;
            self.yield_transfer(cx, transfer, FileState::Closed);
        }
    }

    /// A client asks to close a file: whole is what came of it.
    pub(super) fn will_close(&mut self, id: FileId) {
        let transfers = self.transfers.iter_mut();
        for transfer in transfers.filter(|transfer| transfer.id == id) {
            transfer.is_closing = true;
        }
    }

    /// Gives the oldest file up.
    pub(super) fn drop_transfer(&mut self, cx: &mut Context<'_, '_>) {
        if !self.transfers.is_empty() {
            let transfer = self.transfers.remove(0);
            let state = match transfer.is_closing {
                true => FileState::Closed,
                false => FileState::Truncated,
            };
            self.yield_transfer(cx, transfer, state);
        }
    }

    /// Bytes kept of files that come out of order.
    pub(super) fn queued_bytes(&self) -> usize {
        let queued = self.transfers.iter().map(|transfer| transfer.queued_bytes);
        queued.fold(0, usize::saturating_add)
    }

    fn transfer(&mut self, piece: Piece) -> Option<&mut Transfer> {
        self.transfers
            .iter_mut()
            .find(|transfer| transfer.id == piece.id && transfer.direction == piece.direction)
    }

    fn open(&mut self, cx: &mut Context<'_, '_>, head: &Head, piece: Piece) {
        self.make_room(cx);
        // what stands for an unknown name depends on version and direction, as in Suricata
        let is_v1 = matches!(piece.id, FileId::Fid(_));
        let is_read = piece.direction == Direction::ToClient;
        let unknown = if is_v1 == is_read { "" } else { "<unknown>" };
        let name = self
            .name(&piece.id)
            .map_or(unknown, String::as_str)
            .to_owned();
        let share = match self.tree(head.tree_id) {
            Some(tree) if is_v1 || is_read => tree.name.clone(),
            _ => String::new(),
        };
        let file = File::open(cx, piece.direction, name.as_bytes());
        let id = piece.id;
        let mut tx = self.new_tx(cx, head, Detail::File { name, share, id });
        if is_v1 {
            // Suricata ties files of version 1 to no session
            (tx.session_id, tx.tree_id) = (0, 0);
        }
        tx.dialect.clone_from(&self.dialect);
        self.transfers.push(Transfer {
            tx,
            file,
            id,
            direction: piece.direction,
            next: 0,
            queue: BTreeMap::new(),
            queued_bytes: 0,
            is_closing: false,
        });
    }

    fn yield_transfer(&self, cx: &mut Context<'_, '_>, mut transfer: Transfer, state: FileState) {
        transfer.tx.dialect.clone_from(&self.dialect);
        transfer.file.close(cx, &transfer.tx, state);
        cx.transaction(&transfer.tx);
    }
}

impl Transfer {
    /// Passes on what comes next, and what was kept for behind it.
    fn in_order(&mut self, cx: &mut Context<'_, '_>, offset: u64, data: &[u8]) {
        let known = self.next.saturating_sub(offset);
        if known > 0 && !data.is_empty() {
            cx.anomaly_in(self.tx.tx_id, "file_overlap");
        }
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        self.pass_on(cx, data.get(known..).unwrap_or_default());
        while let Some(entry) = self.queue.first_entry() {
            if *entry.key() > self.next {
                break;
            }
            let (place, kept) = entry.remove_entry();
            self.queued_bytes = self.queued_bytes.saturating_sub(kept.len());
            let known = usize::try_from(self.next.saturating_sub(place)).unwrap_or(usize::MAX);
            self.pass_on(cx, kept.get(known..).unwrap_or_default());
        }
    }

    fn pass_on(&mut self, cx: &mut Context<'_, '_>, data: &[u8]) {
        self.file.data(cx, &self.tx, data);
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.next = self.next.saturating_add(len);
    }

    fn keep(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.queued_bytes = self.queued_bytes.saturating_add(data.len());
        // what goes on where the piece before it ends belongs to that
        if let Some((place, before)) = self.queue.range_mut(..offset).next_back()
            && place.saturating_add(u64::try_from(before.len()).unwrap_or(u64::MAX)) == offset
        {
            return before.extend_from_slice(data);
        }
        if let Some(replaced) = self.queue.insert(offset, data.to_vec()) {
            self.queued_bytes = self.queued_bytes.saturating_sub(replaced.len());
        }
    }
}
