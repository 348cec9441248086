//! SMTP (RFC 5321) with pipelining (RFC 2920), chunking (RFC 3030), STARTTLS (RFC 3207), and the
//! mails that it carries, taken apart by MIME (RFC 2045 to 2047, RFC 2231).
//!
//! A transaction is one mail, with the commands around it. Its parts that have names are files.

mod command;
mod delivery;
mod log;
mod mime;
mod options;
mod parser;
mod probe;
mod transaction;

pub use options::Options;
pub use transaction::{Email, Header, Mail};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Smtp,
    name: "smtp",
    probe: probe::probe,
    start: parser::start,
};
