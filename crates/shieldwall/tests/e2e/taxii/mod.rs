//! Other TAXII 2.1 servers: one that answers as it is told, another hub of ours, and medallion, the
//! reference implementation of OASIS.

mod fake;
mod hubs;
mod medallion;
mod pushed;
mod quirks;
