//! What is known of a flow: open calls, names of files, files that are read or written.

use std::collections::VecDeque;

use super::files::Transfer;
use super::options::Options;
use super::parser::MARK;
use super::rpc::{Call, Credentials, Message, Reply};
use super::transaction::Nfs;
use super::v4;
use crate::applayer::Context;
use crate::applayer::recent::Recent;
use crate::flow::Direction;

/// Most names of files, and calls without a transaction, remembered each; the oldest is forgotten.
const REMEMBERED_MAX: usize = 1024;
/// Most bytes kept of a name or a handle.
pub(super) const NAME_BYTES_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct State {
    options: Options,
    is_tcp: bool,
    pub(super) pending: VecDeque<Nfs>,
    pub(super) transfers: Vec<Transfer>,
    names: Recent<Vec<u8>, Vec<u8>>,
    asked: Recent<u32, Asked>,
    is_full: bool,
}

/// A call whose reply is needed, and which has no transaction of its own.
#[derive(Debug)]
pub(super) enum Asked {
    /// A read of a file.
    Read {
        version: u32,
        handle: Vec<u8>,
        offset: u64,
        credentials: Credentials,
        ts_ns: u64,
    },
    /// A compound of version 4.
    Compound(v4::Compound),
}

impl State {
    pub(super) fn new(options: Options, is_tcp: bool) -> Self {
        Self {
            options,
            is_tcp,
            pending: VecDeque::new(),
            transfers: Vec::new(),
            names: Recent::new(REMEMBERED_MAX),
            asked: Recent::new(REMEMBERED_MAX),
            is_full: false,
        }
    }

    /// Takes a message.
    pub(super) fn message(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        data: &[u8],
        ts_ns: u64,
    ) {
        // in a stream, the mark before a message is part of it
        let mark = if self.is_tcp { MARK } else { 0 };
        cx.frame("rpc.pdu", 0, data.len().saturating_add(mark));
        match (Message::of(data), direction) {
            (Some(Message::Call(call)), Direction::ToServer) => {
                let credentials = call.credentials.1.len().next_multiple_of(4);
                cx.frame(
                    "rpc.creds",
                    mark.saturating_add(24),
                    credentials.saturating_add(8),
                );
                frame_behind(cx, "nfs.pdu", mark, data, call.arguments);
                self.call(cx, &call, ts_ns);
            }
            (Some(Message::Reply(reply)), Direction::ToClient) => {
                cx.frame("rpc.hdr", 0, mark.saturating_add(8));
                frame_behind(
                    cx,
                    "rpc.data",
                    mark,
                    data,
                    data.get(8..).unwrap_or_default(),
                );
                if !reply.results.is_empty() {
                    frame_behind(cx, "nfs.pdu", mark, data, reply.results);
                    let at = data.len().saturating_sub(reply.results.len());
                    cx.frame("nfs.status", mark.saturating_add(at), 4);
                }
                self.reply(cx, &reply);
            }
            (Some(_), _) => {}
            (None, _) => cx.anomaly("malformed_data"),
        }
    }

    fn call(&mut self, cx: &mut Context<'_, '_>, call: &Call<'_>, ts_ns: u64) {
        let is_read = match call.version {
            2 | 3 => self.call_3(cx, call, ts_ns),
            4 => self.call_4(cx, call, ts_ns),
            _ => return,
        };
        if is_read.is_none() {
            cx.anomaly("malformed_data");
        }
    }

    fn reply(&mut self, cx: &mut Context<'_, '_>, reply: &Reply<'_>) {
        if let Some(asked) = self.asked.remove(&reply.xid) {
            let is_read = match asked {
                _ if reply.is_denied => Some(()),
                Asked::Read {
                    version,
                    handle,
                    offset,
                    credentials,
                    ts_ns,
                } => {
                    let call = (version, handle.as_slice(), offset);
                    self.read_reply(cx, reply, call, credentials, ts_ns)
                }
                Asked::Compound(compound) => self.compound_reply(cx, reply, &compound),
            };
            if is_read.is_none() {
                cx.anomaly("malformed_data");
            }
            return;
        }
        let is_asked = |tx: &Nfs| tx.xid == reply.xid;
        let Some(at) = self.pending.iter().position(is_asked) else {
            return;
        };
        let Some(mut tx) = self.pending.remove(at) else {
            return;
        };
        tx.is_denied = reply.is_denied;
        tx.direction = self.logged_direction();
        if !reply.is_denied {
            self.answer_3(&mut tx, reply.results);
        }
        cx.transaction(&tx);
    }

    /// Suricata's records of TCP come with the acknowledgement, which the client sends.
    pub(super) fn logged_direction(&self) -> Direction {
        if self.is_tcp {
            Direction::ToServer
        } else {
            Direction::ToClient
        }
    }

    pub(super) fn new_tx(
        &self,
        cx: &mut Context<'_, '_>,
        call: (u32, u32, u32),
        credentials: Credentials,
        ts_ns: u64,
    ) -> Nfs {
        let (version, procedure, xid) = call;
        Nfs {
            tx_id: cx.transaction_id(),
            first_ts_ns: ts_ns,
            // that of a call without a reply
            direction: Direction::ToClient,
            version,
            procedure,
            xid,
            credentials,
            is_denied: false,
            status: 0,
            name: Vec::new(),
            handle: Vec::new(),
            new_name: None,
            file: None,
        }
    }

    /// Keeps a transaction until its reply comes.
    pub(super) fn wait(&mut self, cx: &mut Context<'_, '_>, tx: Nfs) {
        cx.progress_of(&tx, Direction::ToServer);
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
            Some(oldest) => cx.transaction(&oldest),
            None => self.drop_transfer(cx),
        }
    }

    pub(super) fn asks(&mut self, xid: u32, asked: Asked) {
        self.asked.insert(xid, asked);
    }

    pub(super) fn name_of(&self, handle: &[u8]) -> Vec<u8> {
        self.names.get(handle).cloned().unwrap_or_default()
    }

    pub(super) fn set_name(&mut self, handle: &[u8], name: &[u8]) {
        self.names.insert(kept(handle), kept(name));
    }

    /// No more will come: yields all that is open.
    pub(super) fn end(&mut self, cx: &mut Context<'_, '_>) {
        for tx in std::mem::take(&mut self.pending) {
            cx.transaction(&tx);
        }
        while !self.transfers.is_empty() {
            self.drop_transfer(cx);
        }
    }
}

/// A frame of what stands at the end of a message.
fn frame_behind(
    cx: &mut Context<'_, '_>,
    kind: &'static str,
    mark: usize,
    message: &[u8],
    part: &[u8],
) {
    let at = message.len().saturating_sub(part.len());
    cx.frame(kind, mark.saturating_add(at), part.len());
}

/// As much of a name or handle as is kept.
pub(super) fn kept(bytes: &[u8]) -> Vec<u8> {
    bytes.get(..NAME_BYTES_MAX).unwrap_or(bytes).to_vec()
}
