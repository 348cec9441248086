//! HTTP/2 (RFC 9113), from its preface or after an upgrade from HTTP/1.1.

mod checks;
mod content;
mod doh;
mod frame;
mod hpack;
mod huffman;
mod log;
mod options;
mod parser;
mod probe;
mod side;
mod stream;
mod transaction;
mod upgrade;

pub use hpack::{BLOCK_BYTES_MAX, FIELDS_MAX};
pub use options::Options;
pub use transaction::{BODY_BYTES_MAX, Entry, Message, Transaction};
pub(super) use upgrade::upgraded;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Http2,
    name: "http2",
    probe: probe::probe,
    start: parser::start,
};
