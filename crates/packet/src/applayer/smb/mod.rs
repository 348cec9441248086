//! SMB 1 to 3 over TCP, directly and through NetBIOS sessions ([MS-SMB], [MS-SMB2], RFC 1002).
//!
//! A request with its response is a transaction; all reads, or all writes, of an open file are one.
//! What goes through named pipes is taken for DCE/RPC. Encrypted messages are passed by.

mod files;
mod functions;
mod log;
mod names;
mod ntlm;
mod options;
mod parser;
mod pipe;
mod smb1;
mod smb2;
mod state;
mod status;
mod trans;
mod transaction;
mod wire;

pub use options::Options;
pub use status::Status;
pub use transaction::{
    Call, Command, Create, Detail, FileId, Negotiate, Ntlm, SessionSetup, Smb, TreeConnect,
};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Smb,
    name: "smb",
    probe: parser::probe,
    start: parser::start,
};
