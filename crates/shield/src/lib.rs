//! The sensor and enforcer at a partner: inspects traffic, judges for itself, keeps attackers out
//! for as long as their leases last, shares what its operator chose to share, and enforces what
//! others share, as far as its own policy agrees.
//!
//! ```text
//!              packets                                            hub
//!                 │                                                │ frames (signed)
//!   datapath::capture ─> pipeline ─> sessions <╌╌╌╌╌╌╌╮            ▼
//!                           │ verdict     who was     ╎   sync (sse, view, link)
//!                           ▼             benign      ╎      │ object, withdrawal
//!                         guard <─────────────────────┼──────┘          ▲
//!                           │ ask                     ╎                 │ POST
//!                           ▼                         ╎                 │
//!                         policy ╌╌╌ standing ╌╌╌╌╌╌╌╌╯     signals ─> spool
//!                           │ decision                         ▲
//!                           ▼                                  │ own verdicts, scrubbed
//!                         leases ─> datapath::enforce       guard ─> journal, known.jsonl
//! ```
//!
//! | thread | does | never does |
//! |---|---|---|
//! | `pipeline` | capture, detection, own leases | wait for disk or network |
//! | `sync` | stream, signals, reports; leases of others | wait for a disk on the way to the kernel |
//! | `ticker` | expiry, first hits, exemptions, comparison with the kernel | |
//! | `rules` | compiles rules that changed, hands them over | judge a packet |
//! | `packs` | loads packs that changed, hands their models over, takes one back that is over its budget | judge a packet |
//! | `repository` | fetches packs that are subscribed to | run one |
//! | `journal`, `known` | write files | decide anything |
//!
//! Whatever dies, leases age out in the kernel: a dead hub changes nothing but freshness, a dead
//! shield leaves its leases to their ends, and nothing is ever closed for ever.
#![forbid(unsafe_code)]

pub mod clock;
pub mod config;
pub mod eve;
pub mod filestore;
pub mod guard;
pub mod identity;
pub mod journal;
pub mod leases;
pub mod packs;
pub mod pipeline;
pub mod policy;
pub mod protect;
pub mod report;
pub mod repository;
pub mod rules;
pub mod sessions;
pub mod signals;
mod start;
pub mod sync;

pub use config::Config;
pub use start::{Handle, ShieldError, run};
