//! HTTP/1.0 and HTTP/1.1 (RFC 9112): requests and responses, tolerant of what attackers send.

mod body;
mod head;
mod log;
mod parser;
mod probe;
mod side;
mod transaction;

pub use head::{HEADERS_MAX, Head};
pub use transaction::{Phase, Transaction};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Http,
    name: "http",
    probe: probe::probe,
    start: parser::start,
};
