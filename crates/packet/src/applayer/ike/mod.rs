//! IKE: versions 1 (RFC 2408, RFC 2409) and 2 (RFC 7296), as far as messages are in plain text.

mod log;
mod names;
mod parser;
mod transaction;
mod v1;
mod v2;

pub use transaction::{Body, Header, Message};
pub use v1::{Attribute, Exchange1, Key, Offer};
pub use v2::{Chosen, Exchange2};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Ike,
    name: "ike",
    probe: parser::probe,
    start: parser::start,
};
