//! TLS: the ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2), in plain text in every
//! version.

mod hello;
mod ja3;
mod ja4;
mod log;
mod parser;

pub use hello::Hello;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Tls,
    name: "tls",
    probe: parser::probe,
    start: parser::start,
};
