//! Kerberos 5 (RFC 4120) over UDP, and over TCP, where a 32-bit length stands before each message.
//!
//! Requests to the key distribution centre, its answers and its errors are a transaction each.

mod log;
mod message;
mod names;
mod parser;

pub use message::{ErrorCode, Krb5, MessageType};
pub use names::{ENCRYPTIONS, is_weak};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Krb5,
    name: "krb5",
    probe: parser::probe,
    start: parser::start,
};
