//! WebSocket (RFC 6455): what an HTTP/1.1 connection speaks after its upgrade.
//!
//! A frame is a transaction; the one that ends a message holds the whole message, put together from
//! its fragments and with permessage-deflate (RFC 7692) taken off.

mod frame;
mod log;
mod message;
mod options;
mod parser;
mod side;
#[cfg(test)]
mod tests;

pub use frame::Frame;
pub use options::Options;
pub(super) use parser::start;

use super::{AppProto, Probe, Protocol};
use crate::flow::{Direction, Proto};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Websocket,
    name: "websocket",
    probe,
    start,
};

/// Two bytes of a frame tell nothing: it is known from the upgrade alone.
fn probe(_: Proto, _: Direction, _: &[u8]) -> Probe {
    Probe::No
}
