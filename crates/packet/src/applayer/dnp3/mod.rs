//! DNP3 (IEEE 1815) over TCP: link frames with their checksums, transport segments put together,
//! application fragments with their objects.

mod layout;
mod link;
mod log;
mod object;
mod options;
mod parser;
mod table;
mod transaction;

pub use layout::{Point, Value};
pub use object::{Object, points};
pub use options::Options;
pub(super) use parser::is_reversed;
pub use transaction::{Fragment, LinkHeader};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Dnp3,
    name: "dnp3",
    probe: parser::probe,
    start: parser::start,
};

#[cfg(test)]
mod tests;
