//! QUIC: the TLS hellos in its Initial packets, whose keys follow from what is sent in the clear (RFC
//! 9001 section 5.2), of versions 1 and 2 and of the later drafts; the client's hello of gQUIC.
//!
//! - `header`: long headers (RFC 8999, RFC 9000 section 17.2) and gQUIC's
//! - `keys`: taking protection off
//! - `crypto`: CRYPTO frames in order
//! - `google`: gQUIC's CHLO

mod crypto;
mod google;
mod header;
mod keys;
mod log;
mod parser;
mod transaction;

pub use google::Chlo;
pub use transaction::Datagram;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Quic,
    name: "quic",
    probe: parser::probe,
    start: parser::start,
};
