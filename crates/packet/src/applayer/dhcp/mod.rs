//! DHCP for IPv4 (RFC 2131, RFC 2132) over UDP.

mod log;
mod message;
mod parser;

pub use message::{DhcpOption, Message, OPTIONS_MAX};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Dhcp,
    name: "dhcp",
    probe: parser::probe,
    start: parser::start,
};

#[cfg(test)]
mod tests;
