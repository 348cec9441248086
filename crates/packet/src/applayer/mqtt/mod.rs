//! MQTT 3.1, 3.1.1 and 5 over TCP.

mod log;
mod options;
mod packet;
mod parser;
mod property;
mod transaction;

pub use options::Options;
pub use packet::{Body, Connect, Packet, TOPICS_MAX, Will};
pub use property::{PROPERTIES_MAX, Property, Value};
pub use transaction::{Exchange, MESSAGES_MAX};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Mqtt,
    name: "mqtt",
    probe: parser::probe,
    start: parser::start,
};

#[cfg(test)]
mod tests;
