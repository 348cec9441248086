//! Compounds of version 4 (RFC 7530 section 16, RFC 8881 section 18): read up to the first
//! operation that is not known.

use super::rpc::{Call, Credentials, Reply};
use super::state::{Asked, State, kept};
use super::transaction::Nfs;
use super::v3::FILE_SYNC;
use super::xdr::Xdr;
use crate::applayer::Context;

/// Operations that are read.
const ACCESS: u32 = 3;
const CLOSE: u32 = 4;
const COMMIT: u32 = 5;
const CREATE: u32 = 6;
const GETATTR: u32 = 9;
const GETFH: u32 = 10;
const LOOKUP: u32 = 15;
const LOOKUPP: u32 = 16;
const OPEN: u32 = 18;
const PUTFH: u32 = 22;
const PUTPUBFH: u32 = 23;
const PUTROOTFH: u32 = 24;
const READ: u32 = 25;
const READLINK: u32 = 27;
const REMOVE: u32 = 28;
const RESTOREFH: u32 = 31;
const SAVEFH: u32 = 32;
const WRITE: u32 = 38;
const SEQUENCE: u32 = 53;

/// What is needed of a compound when its reply comes.
#[derive(Debug)]
pub(super) struct Compound {
    /// The file that its operations begin with.
    handle: Vec<u8>,
    /// The name that was looked up or opened last.
    name: Option<Vec<u8>>,
    /// Where a read begins.
    read: Option<u64>,
    /// The transaction that it is.
    tx: Option<Nfs>,
    ts_ns: u64,
}

impl State {
    /// Takes a call; `None` where it is damaged.
    pub(super) fn call_4(
        &mut self,
        cx: &mut Context<'_, '_>,
        call: &Call<'_>,
        ts_ns: u64,
    ) -> Option<()> {
        if call.procedure != COMPOUND {
            return Some(());
        }
        let mut xdr = Xdr::new(call.arguments);
        xdr.opaque()?;
        let minor = xdr.u32()?;
        let count = xdr.u32()?.min(OPERATIONS_MAX);
        let mut compound = Compound {
            handle: Vec::new(),
            name: None,
            read: None,
            tx: None,
            ts_ns,
        };
        for _ in 0..count {
            let operation = xdr.u32()?;
            let Some(known) = self.operation(cx, call, &mut compound, operation, &mut xdr) else {
                break;
            };
            if !known || (minor == 0 && operation == SEQUENCE) {
                break;
            }
        }
        self.asks(call.xid, Asked::Compound(compound));
        Some(())
    }

    /// Takes an operation: whether it is known; `None` where it is damaged.
    fn operation(
        &mut self,
        cx: &mut Context<'_, '_>,
        call: &Call<'_>,
        compound: &mut Compound,
        operation: u32,
        xdr: &mut Xdr<'_>,
    ) -> Option<bool> {
        let head = |operation: u32| (call.version, operation, call.xid);
        match operation {
            PUTFH => compound.handle = kept(xdr.opaque()?),
            PUTPUBFH | PUTROOTFH => compound.handle = Vec::new(),
            GETFH | LOOKUPP | READLINK | SAVEFH | RESTOREFH => {}
            ACCESS => _ = xdr.u32()?,
            GETATTR => bitmap(xdr)?,
            LOOKUP => compound.name = Some(kept(xdr.opaque()?)),
            SEQUENCE => _ = xdr.fixed(32)?,
            CLOSE => {
                xdr.u32()?;
                xdr.fixed(STATE_ID)?;
            }
            OPEN => compound.name = open(xdr)?,
            COMMIT => {
                xdr.u64()?;
                xdr.u32()?;
                self.commit(cx, &compound.handle, call.xid);
            }
            READ => {
                xdr.fixed(STATE_ID)?;
                compound.read = Some(xdr.u64()?);
                xdr.u32()?;
            }
            WRITE => {
                xdr.fixed(STATE_ID)?;
                let offset = xdr.u64()?;
                let is_last = xdr.u32()? == FILE_SYNC;
                let piece = (offset, is_last, xdr.opaque()?);
                self.write_piece(cx, head(WRITE), &compound.handle, piece, compound.ts_ns);
            }
            REMOVE | CREATE => {
                let credentials = Credentials::of(call.credentials);
                let mut tx = self.new_tx(cx, head(operation), credentials, compound.ts_ns);
                if operation == CREATE {
                    tx.handle.clone_from(&compound.handle);
                    tx.name = create(xdr)?;
                } else {
                    tx.name = kept(xdr.opaque()?);
                }
                compound.tx = Some(tx);
            }
            _ => return Some(false),
        }
        Some(true)
    }

    /// Takes the reply to a compound; `None` where it is damaged.
    pub(super) fn compound_reply(
        &mut self,
        cx: &mut Context<'_, '_>,
        reply: &Reply<'_>,
        compound: &Compound,
    ) -> Option<()> {
        let mut xdr = Xdr::new(reply.results);
        let status = xdr.u32();
        if let Some(tx) = &compound.tx {
            let mut tx = tx.clone();
            tx.status = status.unwrap_or_default();
            tx.direction = self.logged_direction();
            cx.transaction(&tx);
        }
        status?;
        xdr.opaque()?;
        let count = xdr.u32()?.min(OPERATIONS_MAX);
        for _ in 0..count {
            let (operation, status) = (xdr.u32()?, xdr.u32()?);
            if status != 0 {
                break;
            }
            match operation {
                PUTFH | PUTPUBFH | PUTROOTFH | LOOKUP | LOOKUPP | SAVEFH | RESTOREFH => {}
                SEQUENCE => _ = xdr.fixed(36)?,
                ACCESS => _ = xdr.u64()?,
                CLOSE => _ = xdr.fixed(STATE_ID)?,
                COMMIT => _ = xdr.u64()?,
                GETATTR => {
                    bitmap(&mut xdr)?;
                    xdr.opaque()?;
                }
                OPEN => opened(&mut xdr)?,
                GETFH => {
                    let handle = xdr.opaque()?;
                    if let Some(name) = &compound.name {
                        self.set_name(handle, name);
                    }
                }
                READ => {
                    let is_last = xdr.u32()? != 0;
                    let data = xdr.opaque()?;
                    if let Some(offset) = compound.read {
                        let head = (4, READ, reply.xid);
                        let piece = (offset, is_last, data);
                        let (handle, ts_ns) = (&compound.handle, compound.ts_ns);
                        self.read_piece(cx, head, handle, piece, Credentials::Null, ts_ns);
                    }
                }
                _ => break,
            }
        }
        Some(())
    }
}

/// A list of numbers whose bits stand for attributes.
fn bitmap(xdr: &mut Xdr<'_>) -> Option<()> {
    for _ in 0..xdr.u32()?.min(BITMAP_MAX) {
        xdr.u32()?;
    }
    Some(())
}

/// The name that is opened (RFC 7530 section 16.16).
fn open(xdr: &mut Xdr<'_>) -> Option<Option<Vec<u8>>> {
    xdr.u32()?;
    xdr.u32()?;
    xdr.u32()?;
    xdr.u64()?;
    xdr.opaque()?;
    if xdr.u32()? == 1 {
        match xdr.u32()? {
            0 | 1 => {
                bitmap(xdr)?;
                xdr.opaque()?;
            }
            2 => _ = xdr.u64()?,
            3 => {
                xdr.u64()?;
                bitmap(xdr)?;
                xdr.opaque()?;
            }
            _ => return None,
        }
    }
    // by its name in a directory, or as an open file
    Some(match xdr.u32()? {
        0 => Some(kept(xdr.opaque()?)),
        1 => {
            xdr.u32()?;
            None
        }
        2 => {
            xdr.fixed(STATE_ID)?;
            Some(kept(xdr.opaque()?))
        }
        _ => None,
    })
}

/// What is said of an opened file, where there is no delegation.
fn opened(xdr: &mut Xdr<'_>) -> Option<()> {
    xdr.fixed(STATE_ID)?;
    xdr.u32()?;
    xdr.u64()?;
    xdr.u64()?;
    xdr.u32()?;
    bitmap(xdr)?;
    match xdr.u32()? {
        0 => Some(()),
        3 => {
            if matches!(xdr.u32()?, 1 | 2) {
                xdr.u32()?;
            }
            Some(())
        }
        1 | 2 => {
            // the delegation, and who may use it
            xdr.fixed(STATE_ID)?;
            None
        }
        _ => None,
    }
}

/// The name of what is made (RFC 7530 section 16.4).
fn create(xdr: &mut Xdr<'_>) -> Option<Vec<u8>> {
    match xdr.u32()? {
        // a link, and devices
        5 => _ = xdr.opaque()?,
        3 | 4 => _ = xdr.u64()?,
        _ => {}
    }
    let name = kept(xdr.opaque()?);
    bitmap(xdr)?;
    xdr.opaque()?;
    Some(name)
}

/// The procedure that holds operations.
const COMPOUND: u32 = 1;
/// Most operations read of a compound.
const OPERATIONS_MAX: u32 = 128;
/// Length of the number of an open file, bytes.
const STATE_ID: usize = 16;
/// Most numbers of a list of attributes.
const BITMAP_MAX: u32 = 16;
