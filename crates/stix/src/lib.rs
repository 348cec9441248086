//! STIX 2.1: objects kept byte for byte beside a typed head, identifiers, markings, patterns.
//!
//! This crate is sans-IO and knows nothing of the exchange: it turns bytes into values that are
//! legal STIX, or says where and why they are not, with the section of the specification.
//!
//! [`Object::parse`] is strict where a wrong object would become a wrong block (identifiers,
//! timestamps, types, validity, the lease extension, indicator patterns) and tolerant elsewhere;
//! [`validate`] holds the whole object against the specification, for what comes from outside.
//! Properties, extensions and object types that it does not know survive untouched.
//!
//! "STIX 2.1 section N" means the OASIS standard of 10 June 2021
//! (docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html).
#![forbid(unsafe_code)]

pub mod build;
pub mod bundle;
pub mod canonical;
pub mod error;
pub mod id;
pub mod jcs;
mod json;
pub mod lease;
pub mod limits;
pub mod marking;
pub mod object;
pub mod pattern;
pub mod time;
mod tree;
pub mod validate;

pub use error::ObjectError;
pub use id::StixId;
pub use limits::Limits;
pub use marking::Tlp;
pub use object::{Head, Object};
pub use time::Timestamp;
