//! NTP versions 1 to 4 (RFC 5905): each datagram that tells or asks the time is a transaction.

mod parser;
mod transaction;

pub use transaction::Ntp;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Ntp,
    name: "ntp",
    probe: parser::probe,
    start: parser::start,
};
