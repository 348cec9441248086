//! EtherNet/IP encapsulation with CIP in it (CIP Networks Library, volumes 1 and 2), over TCP and
//! UDP.

mod cip;
mod log;
mod message;
mod names;
mod options;
mod parser;
mod transaction;
mod vendors;

pub use cip::{Cip, SEGMENTS_MAX, SERVICES_MAX, Segment, Status};
pub use message::{Content, Identity, Message};
pub use options::Options;
pub use transaction::Exchange;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Enip,
    name: "enip",
    probe: parser::probe,
    start: parser::start,
};

#[cfg(test)]
mod tests;
