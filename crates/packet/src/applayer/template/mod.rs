//! The template: a protocol made up to be copied for a new one. Client and server send messages
//! `LENGTH:BYTES`, the length in decimal; each request has one response, in order.
//!
//! Looked for only where the settings enable it (`app-layer.protocols.template.enabled`).

mod exchange;
mod log;
mod parser;

pub use exchange::Exchange;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Template,
    name: "template",
    probe: parser::probe,
    start: parser::start,
};
