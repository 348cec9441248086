//! TFTP (RFC 1350) over UDP: requests to read and write. The data come from other ports and say
//! nothing about themselves.

mod parser;
mod transaction;

pub use transaction::{Operation, Request};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Tftp,
    name: "tftp",
    probe: parser::probe,
    start: parser::start,
};
