//! LDAP (RFC 4511) over TCP and UDP: a request with all that answers it is a transaction. Behind a
//! granted StartTLS the flow is detected anew.

mod log;
mod message;
mod names;
mod operation;
mod options;
mod parser;

pub use message::{Control, Message};
pub use names::CODES;
pub use operation::{Attribute, Authentication, Change, Operation, Outcome, Search};
pub use options::Options;
pub use parser::Ldap;

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Ldap,
    name: "ldap",
    probe: parser::probe,
    start: parser::start,
};
