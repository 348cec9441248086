//! Procedures of versions 2 and 3 (RFC 1094 section 2.2, RFC 1813 section 3.3).

use super::files::Piece;
use super::rpc::{Call, Credentials, Reply};
use super::state::{Asked, State, kept};
use super::transaction::{FileUse, Nfs};
use super::xdr::Xdr;
use crate::applayer::Context;
use crate::flow::Direction;

/// Procedures of version 3 that are read.
const LOOKUP: u32 = 3;
const ACCESS: u32 = 4;
const READ: u32 = 6;
const WRITE: u32 = 7;
const CREATE: u32 = 8;
const MKDIR: u32 = 9;
const REMOVE: u32 = 12;
const RMDIR: u32 = 13;
const RENAME: u32 = 14;
const READDIRPLUS: u32 = 17;
const COMMIT: u32 = 21;

impl State {
    /// Takes a call; `None` where it is damaged.
    pub(super) fn call_3(
        &mut self,
        cx: &mut Context<'_, '_>,
        call: &Call<'_>,
        ts_ns: u64,
    ) -> Option<()> {
        match (call.version, call.procedure) {
            (_, READ) => return self.read_call(call, ts_ns),
            (3, WRITE) => return self.write_call(cx, call, ts_ns),
            (3, COMMIT) => {
                let handle = Xdr::new(call.arguments).opaque()?;
                self.commit(cx, &kept(handle), call.xid);
                return Some(());
            }
            // Suricata passes these numbers by in version 2 too
            (_, WRITE | COMMIT) => return Some(()),
            _ => {}
        }
        let head = (call.version, call.procedure, call.xid);
        let mut tx = self.new_tx(cx, head, Credentials::of(call.credentials), ts_ns);
        let is_read = match call.version {
            3 => self.arguments_3(&mut tx, call.arguments),
            _ => Some(()),
        };
        self.wait(cx, tx);
        is_read
    }

    fn arguments_3(&self, tx: &mut Nfs, arguments: &[u8]) -> Option<()> {
        let mut xdr = Xdr::new(arguments);
        match tx.procedure {
            // the handle that is told is the one that is found
            LOOKUP => {
                xdr.opaque()?;
                tx.name = kept(xdr.opaque()?);
            }
            CREATE | MKDIR | REMOVE | RMDIR => {
                tx.handle = kept(xdr.opaque()?);
                tx.name = kept(xdr.opaque()?);
            }
            RENAME => {
                tx.handle = kept(xdr.opaque()?);
                tx.name = kept(xdr.opaque()?);
                xdr.opaque()?;
                tx.new_name = Some(kept(xdr.opaque()?));
            }
            ACCESS | READDIRPLUS => {
                tx.handle = kept(xdr.opaque()?);
                if tx.procedure == ACCESS {
                    tx.name = self.name_of(&tx.handle);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn read_call(&mut self, call: &Call<'_>, ts_ns: u64) -> Option<()> {
        let mut xdr = Xdr::new(call.arguments);
        let (handle, offset) = match call.version {
            2 => (xdr.fixed(HANDLE_2)?, u64::from(xdr.u32()?)),
            _ => (xdr.opaque()?, xdr.u64()?),
        };
        let asked = Asked::Read {
            version: call.version,
            handle: kept(handle),
            offset,
            credentials: Credentials::of(call.credentials),
            ts_ns,
        };
        self.asks(call.xid, asked);
        Some(())
    }

    fn write_call(&mut self, cx: &mut Context<'_, '_>, call: &Call<'_>, ts_ns: u64) -> Option<()> {
        let mut xdr = Xdr::new(call.arguments);
        let handle = kept(xdr.opaque()?);
        let offset = xdr.u64()?;
        xdr.u32()?;
        let is_last = xdr.u32()? == FILE_SYNC;
        let data = xdr.opaque()?;
        let head = (call.version, call.procedure, call.xid);
        self.write_piece(cx, head, &handle, (offset, is_last, data), ts_ns);
        Some(())
    }

    /// Takes a piece of a file that is written.
    pub(super) fn write_piece(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: (u32, u32, u32),
        handle: &[u8],
        (offset, is_last, data): (u64, bool, &[u8]),
        ts_ns: u64,
    ) {
        let piece = Piece {
            direction: Direction::ToServer,
            offset,
            data,
            xid: head.2,
            is_last,
            is_counted: !is_last,
        };
        self.piece(cx, handle, &piece, |state, cx| {
            let mut tx = state.new_tx(cx, head, Credentials::Null, ts_ns);
            tx.direction = Direction::ToServer;
            tx.name = state.name_of(handle);
            tx.handle = handle.to_vec();
            tx.file = Some(FileUse {
                is_write: true,
                ..FileUse::default()
            });
            tx
        });
    }

    /// Takes what was read of a file.
    pub(super) fn read_reply(
        &mut self,
        cx: &mut Context<'_, '_>,
        reply: &Reply<'_>,
        (version, handle, offset): (u32, &[u8], u64),
        credentials: Credentials,
        ts_ns: u64,
    ) -> Option<()> {
        let mut xdr = Xdr::new(reply.results);
        if xdr.u32()? != 0 {
            return Some(());
        }
        let (data, is_last) = match version {
            2 => {
                let attributes = xdr.fixed(ATTRIBUTES_2)?;
                let size = u64::from(crate::bytes::be32(attributes, 20)?);
                let data = xdr.opaque()?;
                let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
                (data, offset.saturating_add(len) >= size)
            }
            _ => {
                xdr.attributes_3()?;
                xdr.u32()?;
                let is_last = xdr.u32()? != 0;
                (xdr.opaque()?, is_last)
            }
        };
        let head = (version, READ, reply.xid);
        let credentials = match version {
            3 => credentials,
            _ => Credentials::Null,
        };
        self.read_piece(
            cx,
            head,
            handle,
            (offset, is_last, data),
            credentials,
            ts_ns,
        );
        Some(())
    }

    /// Takes a piece of a file that is read.
    pub(super) fn read_piece(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: (u32, u32, u32),
        handle: &[u8],
        (offset, is_last, data): (u64, bool, &[u8]),
        credentials: Credentials,
        ts_ns: u64,
    ) {
        let piece = Piece {
            direction: Direction::ToClient,
            offset,
            data,
            xid: head.2,
            is_last,
            is_counted: head.0 == 3,
        };
        self.piece(cx, handle, &piece, |state, cx| {
            let mut tx = state.new_tx(cx, head, credentials, ts_ns);
            tx.direction = state.logged_direction();
            tx.name = state.name_of(handle);
            tx.handle = handle.to_vec();
            tx.file = Some(FileUse::default());
            tx
        });
    }

    /// Takes what a reply says into its transaction, and learns names of files from it.
    pub(super) fn answer_3(&mut self, tx: &mut Nfs, results: &[u8]) {
        let mut xdr = Xdr::new(results);
        if tx.procedure == 0 {
            return;
        }
        tx.status = xdr.u32().unwrap_or(tx.status);
        if tx.version != 3 {
            return;
        }
        match tx.procedure {
            LOOKUP => {
                // as Suricata does, whatever the status says
                let handle = xdr.opaque().unwrap_or_default();
                tx.handle = kept(handle);
                if tx.status == 0 && !handle.is_empty() {
                    self.set_name(handle, &tx.name);
                }
            }
            CREATE if tx.status == 0 => {
                if xdr.u32() == Some(1)
                    && let Some(handle) = xdr.opaque()
                {
                    self.set_name(handle, &tx.name);
                }
            }
            READDIRPLUS if tx.status == 0 => _ = self.entries(&mut xdr),
            _ => {}
        }
    }

    /// Learns names from the entries of a directory (RFC 1813 section 3.3.17).
    fn entries(&mut self, xdr: &mut Xdr<'_>) -> Option<()> {
        xdr.attributes_3()?;
        xdr.u64()?;
        for _ in 0..ENTRIES_MAX {
            if xdr.u32()? == 0 {
                break;
            }
            xdr.u64()?;
            let name = xdr.opaque()?;
            xdr.u64()?;
            xdr.attributes_3()?;
            if xdr.u32()? != 0 {
                let handle = xdr.opaque()?;
                self.set_name(handle, name);
            }
        }
        Some(())
    }
}

/// Length of a handle of version 2, bytes.
const HANDLE_2: usize = 32;
/// Length of the attributes of version 2, bytes.
const ATTRIBUTES_2: usize = 68;
/// A write that is on the disk when it is answered.
pub(super) const FILE_SYNC: u32 = 2;
/// Most entries read of a directory.
const ENTRIES_MAX: usize = 4096;
