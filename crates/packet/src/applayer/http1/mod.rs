//! HTTP/0.9 to HTTP/1.1 (RFC 9112): requests and responses, tolerant of what attackers send.
//!
//! What a message is, is what lenient servers and browsers take it for: any line ends, folded and
//! misspelt header fields, lengths and codings that are not what they say. What is odd is reported.

mod body;
mod content;
mod events;
mod head;
mod lines;
mod log;
mod multipart;
mod name;
mod options;
mod parser;
mod pending;
mod probe;
mod side;
mod status;
mod transaction;
mod uri;

pub use head::{HEADERS_MAX, Head};
pub(super) use name::{content_range, disposition_name};
pub use options::{BOMB_RATIO_MAX, Options};
pub use transaction::{BODY_BYTES_MAX, Phase, Transaction};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Http,
    name: "http",
    probe: probe::probe,
    start: parser::start,
};
