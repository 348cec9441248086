//! NFS versions 2 to 4 (RFC 1094, RFC 1813, RFC 8881) in ONC RPC (RFC 5531) over TCP and UDP.
//!
//! A call with its reply is a transaction; all reads, or all writes, of a file are one.

mod files;
mod log;
mod names;
mod options;
mod parser;
mod rpc;
mod state;
mod transaction;
mod v3;
mod v4;
mod xdr;

pub use options::Options;
pub use rpc::{Credentials, Unix};
pub use transaction::{FileUse, Nfs};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Nfs,
    name: "nfs",
    probe: parser::probe,
    start: parser::start,
};
