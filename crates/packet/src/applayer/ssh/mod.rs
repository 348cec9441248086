//! SSH: the banners (RFC 4253 section 4.2) and the key exchange's proposals (section 7.1), up to the
//! encryption.

mod log;
mod options;
mod parser;
mod transaction;

pub use options::Options;
pub use transaction::{Peer, Session};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Ssh,
    name: "ssh",
    probe: parser::probe,
    start: parser::start,
};
