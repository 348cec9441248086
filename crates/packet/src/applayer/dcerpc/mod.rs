//! DCE/RPC (C706): connection-oriented over TCP, connectionless over UDP. What goes through named
//! pipes is part of SMB, which uses the same [`pdu`].

mod log;
mod parser;
pub(crate) mod pdu;
mod tcp;
mod transaction;
mod udp;

pub use parser::Options;
pub use pdu::{Interface, Uuid};
pub use transaction::{Dcerpc, Part, STUB_BYTES_MAX, Stubs};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Dcerpc,
    name: "dcerpc",
    probe: parser::probe,
    start: parser::start,
};
