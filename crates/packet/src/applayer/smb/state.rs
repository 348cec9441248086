//! What is known of a connection: open transactions, shares, names of open files.

use std::collections::VecDeque;

use super::files::Transfer;
use super::options::Options;
use super::status::Status;
use super::transaction::{Command, Detail, FileId, Smb};
use crate::applayer::Context;
use crate::applayer::dcerpc::Interface;
use crate::applayer::recent::Recent;
use crate::flow::Direction;

/// Most shares, names of files and open reads remembered of a connection each; the oldest is
/// forgotten.
pub(super) const REMEMBERED_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct State {
    pub(super) options: Options,
    /// The dialect spoken.
    pub(super) dialect: String,
    /// Largest read and write that the server takes, bytes; 0: it did not say.
    pub(super) read_bytes_max: u32,
    pub(super) write_bytes_max: u32,
    /// Transactions that are not complete, except those of files.
    pub(super) pending: VecDeque<Smb>,
    /// Files that are read or written.
    pub(super) transfers: Vec<Transfer>,
    /// Interfaces bound last.
    pub(super) interfaces: Vec<Interface>,
    trees: Recent<u32, Tree>,
    names: Recent<FileId, String>,
    reads: Recent<Exchange, Read>,
    closes: Recent<Exchange, FileId>,
    is_full: bool,
}

/// A share.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) name: String,
    pub(super) is_pipe: bool,
}

/// A read that was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    pub(super) id: FileId,
    pub(super) offset: u64,
}

/// What ties a response to its request.
pub(super) type Exchange = (u64, u64);

/// What every message says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) command: Command,
    pub(super) status: Option<Status>,
    pub(super) session_id: u64,
    pub(super) tree_id: u32,
    pub(super) message_id: u64,
    /// Time of its first packet.
    pub(super) ts_ns: u64,
}

impl Head {
    /// What ties the response to its request.
    pub(super) fn exchange(&self) -> Exchange {
        (self.session_id, self.message_id)
    }
}

impl State {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            dialect: "unknown".to_owned(),
            read_bytes_max: 0,
            write_bytes_max: 0,
            pending: VecDeque::new(),
            transfers: Vec::new(),
            interfaces: Vec::new(),
            trees: Recent::new(REMEMBERED_MAX),
            names: Recent::new(REMEMBERED_MAX),
            reads: Recent::new(REMEMBERED_MAX),
            closes: Recent::new(REMEMBERED_MAX),
            is_full: false,
        }
    }

    /// A transaction that begins.
    pub(super) fn new_tx(&self, cx: &mut Context<'_, '_>, head: &Head, detail: Detail) -> Smb {
        Smb {
            tx_id: cx.transaction_id(),
            first_ts_ns: head.ts_ns,
            dialect: String::new(),
            command: head.command,
            status: None,
            session_id: head.session_id,
            tree_id: head.tree_id,
            message_id: head.message_id,
            detail,
        }
    }

    /// A transaction that begins and waits for its response.
    pub(super) fn begin(&mut self, cx: &mut Context<'_, '_>, head: &Head, detail: Detail) {
        let tx = self.new_tx(cx, head, detail);
        // where a share leads, its answer says
        let is_known = !matches!(tx.detail, Detail::TreeConnect(_));
        if is_known || cx.is_prompt() {
            cx.progress_of(&tx, Direction::ToServer);
        }
        self.make_room(cx);
        self.pending.push_back(tx);
    }

    /// Yields the oldest transaction as it is where there are too many.
    pub(super) fn make_room(&mut self, cx: &mut Context<'_, '_>) {
        let live = self.pending.len().saturating_add(self.transfers.len());
        if live < self.options.transactions_max {
            return;
        }
        if !std::mem::replace(&mut self.is_full, true) {
            cx.anomaly("too_many_transactions");
            cx.parser_error();
        }
        match self.pending.pop_front() {
            Some(oldest) => self.yield_tx(cx, oldest),
            None => self.drop_transfer(cx),
        }
    }

    /// The transaction that a response belongs to, taken out.
    pub(super) fn take(&mut self, head: &Head) -> Option<Smb> {
        let at = self.pending.iter().position(|tx| is_asked(tx, head))?;
        self.pending.remove(at)
    }

    /// Whether a response has a transaction of its own, other than a call through a pipe.
    pub(super) fn is_pending(&self, head: &Head) -> bool {
        self.pending.iter().any(|tx| is_asked(tx, head))
    }

    /// Yields a transaction with how it fared.
    pub(super) fn finish(&self, cx: &mut Context<'_, '_>, mut tx: Smb, status: Option<Status>) {
        tx.status = status;
        self.yield_tx(cx, tx);
    }

    pub(super) fn yield_tx(&self, cx: &mut Context<'_, '_>, mut tx: Smb) {
        tx.dialect.clone_from(&self.dialect);
        cx.transaction(&tx);
    }

    /// Bytes kept of what calls carry.
    pub(super) fn stub_bytes(&self) -> usize {
        let stubs = self.pending.iter().map(|tx| match &tx.detail {
            Detail::Dcerpc(call) => call.stubs.size(),
            Detail::Generic
            | Detail::Negotiate(_)
            | Detail::SessionSetup(_)
            | Detail::TreeConnect(_)
            | Detail::Create(_)
            | Detail::File { .. }
            | Detail::Ioctl(_)
            | Detail::Rename { .. }
            | Detail::Disposition { .. } => 0,
        });
        stubs.fold(0, usize::saturating_add)
    }

    pub(super) fn tree(&self, tree_id: u32) -> Option<&Tree> {
        self.trees.get(&tree_id)
    }

    pub(super) fn set_tree(&mut self, tree_id: u32, tree: Tree) {
        self.trees.insert(tree_id, tree);
    }

    /// Whether a share leads to pipes; of one whose beginning was not seen, whether what is sent
    /// there looks like it.
    pub(super) fn is_pipe(&mut self, tree_id: u32, looks_like_call: impl FnOnce() -> bool) -> bool {
        if let Some(tree) = self.trees.get(&tree_id) {
            return tree.is_pipe;
        }
        let is_pipe = looks_like_call();
        if is_pipe {
            let name = String::new();
            self.set_tree(tree_id, Tree { name, is_pipe });
        }
        is_pipe
    }

    pub(super) fn name(&self, id: &FileId) -> Option<&String> {
        self.names.get(id)
    }

    pub(super) fn set_name(&mut self, id: FileId, name: &str) {
        self.names.insert(id, name.to_owned());
    }

    pub(super) fn forget_name(&mut self, id: &FileId) {
        self.names.remove(id);
    }

    pub(super) fn asks_read(&mut self, head: &Head, read: Read) {
        self.reads.insert(head.exchange(), read);
    }

    pub(super) fn take_read(&mut self, head: &Head) -> Option<Read> {
        self.reads.remove(&head.exchange())
    }

    pub(super) fn asks_close(&mut self, head: &Head, id: FileId) {
        self.closes.insert(head.exchange(), id);
    }

    pub(super) fn take_close(&mut self, head: &Head) -> Option<FileId> {
        self.closes.remove(&head.exchange())
    }

    /// No more will come: yields all that is open.
    pub(super) fn end(&mut self, cx: &mut Context<'_, '_>) {
        for tx in std::mem::take(&mut self.pending) {
            self.yield_tx(cx, tx);
        }
        while !self.transfers.is_empty() {
            self.drop_transfer(cx);
        }
    }
}

fn is_asked(tx: &Smb, head: &Head) -> bool {
    tx.command == head.command
        && tx.message_id == head.message_id
        && !matches!(&tx.detail, Detail::Dcerpc(call) if call.function.is_none())
}
