//! DNS (RFC 1035) over UDP and TCP.

mod log;
mod message;
mod multicast;
mod name;
mod parser;
mod types;

pub(super) use log::log_carried;
pub(super) use message::carried;
pub use message::{Kind, Message, Question, RData, RECORDS_MAX, Record};
pub(super) use parser::{is_multicast, is_reversed};

pub use name::{Cut, LABELS_MAX, NAME_BYTES_MAX, Name, POINTERS_MAX};
pub use types::RECORD_TYPES;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Dns,
    name: "dns",
    probe: parser::probe,
    start: parser::start,
};
