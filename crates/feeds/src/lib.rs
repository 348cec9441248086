//! Indicators in the formats of other tools: read from theirs, written for theirs.
//!
//! A source (a MISP event, a list, CrowdSec's decisions) is read in pieces, and each piece gives
//! [`Told`]: a claim, an object that is STIX already, or what is refused with place, reason and
//! mend. One bad line never spoils the rest. [`Author`] turns claims into indicators whose
//! identifiers follow from source and value, so that the same source read again says the same.
//!
//! For export, objects are gathered in [`Live`], and an [`export::Export`] writes them.
//!
//! The crate is sans-IO: readers and writers are arguments, and so is the time.
#![forbid(unsafe_code)]

mod author;
mod claim;
mod duration;
pub mod export;
pub mod import;
pub mod ledger;
mod lines;
pub mod live;
pub mod protected;
mod table;

mod value;

pub use author::{Author, CONFIDENCE_DEFAULT, TTL_DEFAULT, Written, revocation};
pub use claim::{Claim, Place, Refused, Told};
pub use live::{Entry, Filter, Gather, LeftOut, Live};
pub use value::{Kind, Value, ValueError};
