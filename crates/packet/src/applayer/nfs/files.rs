//! Files that are read and written, put in order.

use std::collections::BTreeMap;

use super::state::State;
use super::transaction::Nfs;
use crate::applayer::Context;
use crate::file::{File, FileState};
use crate::flow::Direction;

/// All reads, or all writes, of a file.
#[derive(Debug)]
pub(super) struct Transfer {
    tx: Nfs,
    file: File,
    direction: Direction,
    /// Where in the file the next byte belongs.
    next: u64,
    /// Pieces that lie behind it, by their place.
    queue: BTreeMap<u64, Vec<u8>>,
    queued_bytes: usize,
}

/// A piece of a file.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) direction: Direction,
    pub(super) offset: u64,
    pub(super) data: &'a [u8],
    pub(super) xid: u32,
    /// The last one.
    pub(super) is_last: bool,
    /// It counts among the pieces that are told.
    pub(super) is_counted: bool,
}

/// Most pieces that come out of order kept of a file.
const QUEUE_PIECES_MAX: usize = 64;
/// Most bytes of them.
const QUEUE_BYTES_MAX: usize = 4 << 20;

impl State {
    /// Takes a piece of a file; the first one begins the transaction that `begin` makes.
    pub(super) fn piece(
        &mut self,
        cx: &mut Context<'_, '_>,
        handle: &[u8],
        piece: &Piece<'_>,
        begin: impl FnOnce(&mut Self, &mut Context<'_, '_>) -> Nfs,
    ) {
        if self.transfer_at(handle, piece.direction).is_none() {
            self.make_room(cx);
            let tx = begin(self, cx);
            let file = File::open(cx, piece.direction, &tx.name);
            self.transfers.push(Transfer {
                tx,
                file,
                direction: piece.direction,
                next: 0,
                queue: BTreeMap::new(),
                queued_bytes: 0,
            });
        }
        let Some(at) = self.transfer_at(handle, piece.direction) else {
            return;
        };
        if let Some(transfer) = self.transfers.get_mut(at) {
            transfer.take(cx, piece);
        }
        if piece.is_last {
            self.close_at(cx, at, piece.xid);
        }
    }

    /// A file is written for good.
    pub(super) fn commit(&mut self, cx: &mut Context<'_, '_>, handle: &[u8], xid: u32) {
        if let Some(at) = self.transfer_at(handle, Direction::ToServer) {
            self.close_at(cx, at, xid);
        }
    }

    /// Gives the oldest file up.
    pub(super) fn drop_transfer(&mut self, cx: &mut Context<'_, '_>) {
        if self.transfers.is_empty() {
            return;
        }
        let Transfer { tx, file, .. } = self.transfers.remove(0);
        file.close(cx, &tx, FileState::Truncated);
        cx.transaction(&tx);
    }

    /// Bytes kept of files that come out of order.
    pub(super) fn queued_bytes(&self) -> usize {
        let queued = self.transfers.iter().map(|transfer| transfer.queued_bytes);
        queued.fold(0, usize::saturating_add)
    }

    fn transfer_at(&self, handle: &[u8], direction: Direction) -> Option<usize> {
        self.transfers
            .iter()
            .position(|open| open.direction == direction && open.tx.handle == handle)
    }

    fn close_at(&mut self, cx: &mut Context<'_, '_>, at: usize, xid: u32) {
        if at >= self.transfers.len() {
            return;
        }
        let Transfer { mut tx, file, .. } = self.transfers.remove(at);
        if let Some(file) = &mut tx.file {
            (file.is_over, file.last_xid) = (true, xid);
        }
        file.close(cx, &tx, FileState::Closed);
        cx.transaction(&tx);
    }
}

impl Transfer {
    fn take(&mut self, cx: &mut Context<'_, '_>, piece: &Piece<'_>) {
        if piece.is_counted
            && let Some(file) = &mut self.tx.file
        {
            file.chunks = file.chunks.saturating_add(1);
        }
        if piece.offset <= self.next {
            self.pass_on(cx, piece.offset, piece.data);
            while let Some(entry) = self.queue.first_entry() {
                if *entry.key() > self.next {
                    break;
                }
                let (offset, kept) = entry.remove_entry();
                self.queued_bytes = self.queued_bytes.saturating_sub(kept.len());
                self.pass_on(cx, offset, &kept);
            }
            return;
        }
        let bytes = self.queued_bytes.saturating_add(piece.data.len());
        if self.queue.len() < QUEUE_PIECES_MAX && bytes <= QUEUE_BYTES_MAX {
            self.queued_bytes = bytes;
            if let Some(replaced) = self.queue.insert(piece.offset, piece.data.to_vec()) {
                self.queued_bytes = self.queued_bytes.saturating_sub(replaced.len());
            }
        } else {
            self.file.gap();
        }
    }

    fn pass_on(&mut self, cx: &mut Context<'_, '_>, offset: u64, data: &[u8]) {
        let known = self.next.saturating_sub(offset);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let data = data.get(known..).unwrap_or_default();
        self.file.data(cx, &self.tx, data);
        let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.next = self.next.saturating_add(len);
    }
}
