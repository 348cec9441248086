//! A call with its reply.

use super::rpc::Credentials;
use crate::flow::Direction;

/// A call with its reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nfs {
    pub(super) tx_id: u32,
    pub(super) first_ts_ns: u64,
    pub(super) direction: Direction,
    /// Version of NFS.
    pub version: u32,
    /// The procedure; of version 4 the operation that is told.
    pub procedure: u32,
    /// Number that ties the reply to the call.
    pub xid: u32,
    /// Who calls.
    pub credentials: Credentials,
    /// The call was refused.
    pub is_denied: bool,
    /// How it fared; 0 is well.
    pub status: u32,
    /// Name of the file.
    pub name: Vec<u8>,
    /// What the server calls the file.
    pub handle: Vec<u8>,
    /// The new name.
    pub new_name: Option<Vec<u8>>,
    /// Of reads or writes of a file: how far they are.
    pub file: Option<FileUse>,
}

/// How far the reads or writes of a file are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileUse {
    /// The file is written, not read.
    pub is_write: bool,
    /// The last piece came.
    pub is_over: bool,
    /// The call that it came with.
    pub last_xid: u32,
    /// Pieces.
    pub chunks: u32,
}
