//! DNS (RFC 1035) over UDP and TCP.

mod log;
mod message;
mod name;
mod parser;

pub use message::{Kind, Message, Question, RData, RECORDS_MAX, Record};
pub use name::{NAME_BYTES_MAX, Name, POINTERS_MAX};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Dns,
    name: "dns",
    probe: parser::probe,
    start: parser::start,
};
