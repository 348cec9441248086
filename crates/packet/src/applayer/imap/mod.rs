//! IMAP (RFC 9051): known by its greeting, followed up to STARTTLS. It has no record.

mod parser;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Imap,
    name: "imap",
    probe: parser::probe,
    start: parser::start,
};
