//! POP3 (RFC 1939) with CAPA (RFC 2449), STLS (RFC 2595) and AUTH (RFC 5034): a transaction is a
//! command with its response.

mod command;
mod log;
mod parser;
mod transaction;

pub use transaction::{Exchange, Request, Response};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Pop3,
    name: "pop3",
    probe: parser::probe,
    start: parser::start,
};
