//! SOCKS 4, 4a and 5 (RFC 1928, RFC 1929): followed up to the proxy's consent; what flows then is
//! detected anew.

mod parser;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Socks,
    name: "socks",
    probe: parser::probe,
    start: parser::start,
};
