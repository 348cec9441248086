//! The exchange: an ordered log of visibility events, its store, and its fan-out.
//!
//! The log is the only thing a hub must not lose. It is seen through *views*: a partner's view is
//! two lanes, what the whole community may see and what is addressed to that partner, each with
//! positions 1, 2, 3… of its own. What a partner gets (entries, positions, times, pages) is a
//! function of its own view and of nothing else, so that nothing tells whether an object that it
//! may not see exists. The sequence that orders the two lanes never leaves this crate.
//!
//! [`Exchange`] takes submissions, has one sequencer write them, and fans them out; a [`Store`]
//! keeps them. [`SqliteStore`] is the embedded one, [`PostgresStore`] the one at scale. Every query takes an audience.
#![forbid(unsafe_code)]

mod append;
pub mod dump;
mod either;
pub mod entry;
pub mod erasures;
pub mod error;
mod fanout;
mod live;
pub mod postgres;
pub mod registry;
mod rows;
pub mod search;
mod sequencer;
pub mod sqlite;
mod statements;
pub mod store;
mod terms;
mod view;

mod handle;

pub use dump::Dump;
pub use either::EitherStore;
pub use entry::{
    Entry, Erasure, EventKind, Filter, Lane, Outcome, Page, Position, Submission, VersionMatch,
};
pub use erasures::{ErasedVersion, Erasures};
pub use error::{ExchangeError, StoreError};
pub use fanout::{Delivery, LaneBatch, LaneDigest, Subscription};
pub use handle::{Clock, Config, Counters, Exchange};
pub use live::LiveSet;
pub use postgres::{PostgresStore, PostgresUrl};
pub use registry::{Certificate, NewPartner, Partner, Secret};
pub use search::{Find, Found, Place, Search, Wanted};
pub use sqlite::SqliteStore;
pub use store::{Appended, Counts, Erased, LaneEntries, Log, Registry, Store};
pub use terms::{fingerprint, references};
