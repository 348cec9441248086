//! RFB, the protocol of VNC (RFC 6143): the handshake, up to the first picture.

mod log;
mod parser;
mod transaction;

pub use transaction::{Framebuffer, Session};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Rfb,
    name: "rfb",
    probe: parser::probe,
    start: parser::start,
};
