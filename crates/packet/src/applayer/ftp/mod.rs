//! FTP (RFC 959, RFC 2428, RFC 4217): a transaction is a command with its reply. The connections
//! that carry the data are announced, so that each is known with its command and file name.

mod address;
mod command;
mod data;
mod log;
mod options;
mod parser;
mod probe;
mod transaction;

pub use data::Transfer;
pub use options::Options;
pub use transaction::{Exchange, Mode};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Ftp,
    name: "ftp",
    probe: probe::probe,
    start: parser::start,
};
