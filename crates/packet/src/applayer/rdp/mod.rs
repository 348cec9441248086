//! RDP: the negotiation ([MS-RDPBCGR] section 1.3.1.1), in plain text up to the TLS handshake or the
//! connection's encryption.
//!
//! - `parser`: TPKT packets (RFC 1006) with X.224 and T.125 in them
//! - `connect`: what a client tells of itself (section 2.2.1.3)
//! - `build`, `keyboard`: names of what it tells by number

mod build;
mod connect;
mod keyboard;
mod log;
mod parser;
mod transaction;

pub use connect::{Client, Connect};
pub use transaction::{Item, Message};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Rdp,
    name: "rdp",
    probe: parser::probe,
    start: parser::start,
};
