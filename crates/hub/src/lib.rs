//! The server of the exchange: it takes what partners share, makes it durable, and lets each
//! partner read and follow what policy lets it see.
//!
//! Partners come over TLS with a certificate of the hub's own authority or an API token, and speak
//! TAXII 2.1 ([`taxii`]) or the exchange's own few routes under `/exchange/v1/`. The operator's
//! console is a page of its own on loopback. Shields are partners like any other: this crate knows
//! nothing of how they enforce.
#![forbid(unsafe_code)]

mod admin;
mod app;
mod authn;
pub mod backup;
mod body;
mod clock;
mod collections;
mod config;
mod console;
mod counters;
mod enrol;
mod error;
mod ingest;
pub mod packs;
mod push;
mod quota;
mod reply;
mod run;
mod search;
mod secrets;
mod state;
mod storage;
mod taxii2;
mod tls;

pub use admin::{Admin, INVITATION_LIFETIME};
pub use collections::{Collection, Members};
pub use config::{Config, Limits};
pub use counters::Counters;
pub use error::HubError;
pub use run::{Handle, run};
pub use storage::Storage;
pub use tls::authority::PARTNER_LIFETIME;
