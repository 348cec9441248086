//! Telnet (RFC 854) over TCP: it has a name and frames; what is typed makes no transactions.

mod parser;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Telnet,
    name: "telnet",
    probe: parser::probe,
    start: parser::start,
};
