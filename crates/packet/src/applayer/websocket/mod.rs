//! WebSocket (RFC 6455), which a connection of HTTP/1.1 becomes: each frame is a transaction.

mod options;
mod parser;
mod transaction;

pub use options::Options;
pub(super) use parser::start;
pub use transaction::Message;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Websocket,
    name: "websocket",
    probe: parser::probe,
    start,
};
