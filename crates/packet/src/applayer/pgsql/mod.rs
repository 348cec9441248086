//! PostgreSQL, protocol version 3, over TCP. Where the server agrees to TLS, what follows is
//! detected anew.

mod log;
mod message;
mod options;
mod parser;
mod probe;
mod transaction;

pub use message::{Request, TEXTS_MAX};
pub use options::Options;
pub use transaction::{Exchange, Response};

use super::{AppProto, Protocol};

/// The line of the table of protocols.
pub const PROTOCOL: Protocol = Protocol {
    app: AppProto::Pgsql,
    name: "pgsql",
    probe: probe::probe,
    start: parser::start,
};

#[cfg(test)]
mod tests;
