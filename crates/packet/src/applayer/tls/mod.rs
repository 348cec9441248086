//! TLS and SSL: the handshake, as far as it is in plain text (RFC 8446 section 4, RFC 5246 section
//! 7.4). The client's hello is yielded at once, the [`Handshake`] when both sides are encrypted.
//!
//! - `parser`, `record`, `message`, `ssl2`: from bytes to handshake messages
//! - [`hello`](Hello), `server_hello`, `ja3`, `ja4`, `version`: the hellos and their fingerprints
//! - `x509`, `der`, `name`: certificates

pub(crate) mod der;
mod derived;
mod handshake;
pub(crate) mod hello;
pub(crate) mod ja3;
mod ja4;
mod log;
mod message;
mod name;
mod options;
mod parser;
mod record;
pub(crate) mod server_hello;
mod ssl2;
pub(crate) mod version;
pub(crate) mod x509;

pub use handshake::{CHAIN_MAX, Chain, Handshake, State};
pub use hello::Hello;
pub use options::Options;
pub use server_hello::ServerHello;
pub use x509::{Certificate, NAMES_MAX, Time};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Tls,
    name: "tls",
    probe: parser::probe,
    start: parser::start,
};
