//! SIP (RFC 3261) over UDP and TCP, with the session descriptions (SDP, RFC 8866) in it.

mod log;
mod message;
mod parser;
mod probe;
mod sdp;

pub use message::{Message, Start};
pub use sdp::{LINES_MAX, Media, Sdp};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Sip,
    name: "sip",
    probe: probe::probe,
    start: parser::start,
};

#[cfg(test)]
mod tests;
