//! SNMP versions 1, 2c and 3 (RFC 1157, RFC 3416, RFC 3412) over UDP: each message is a transaction.

mod log;
mod message;
mod parser;

pub use message::{Pdu, Snmp, Trap, VARIABLES_MAX};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Snmp,
    name: "snmp",
    probe: parser::probe,
    start: parser::start,
};
