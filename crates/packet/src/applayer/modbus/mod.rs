//! Modbus over TCP (MODBUS Messaging on TCP/IP Implementation Guide V1.0b, MODBUS Application
//! Protocol V1.1b3).

mod function;
mod log;
mod message;
mod options;
mod parser;
mod transaction;

pub use message::{Body, Flaw, Message};
pub use options::Options;
pub use transaction::Exchange;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Modbus,
    name: "modbus",
    probe: parser::probe,
    start: parser::start,
};

#[cfg(test)]
mod tests;
