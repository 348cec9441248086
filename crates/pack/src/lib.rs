//! Packs: models, rules and indicators under one manifest, and who vouches for them.
//!
//! A pack is one file, `NAME.swpack`: a plain tar archive in exactly one form ([`archive`]), with a
//! manifest ([`Manifest`]) that lists every other file by digest, and a DSSE envelope ([`dsse`]) of
//! an in-toto statement whose subjects are all of them. What runs is a [`VerifiedPack`], and only
//! [`VerifiedPack::verify`] makes one.
//!
//! This crate is sans-IO: bytes and the time are arguments.
#![forbid(unsafe_code)]

pub mod archive;
mod build;
pub mod dsse;
mod json;
pub mod key;
pub mod limits;
pub mod manifest;
pub mod mlbom;
pub mod oms;
mod path;
pub mod statement;
mod trust;
pub mod tuf;
mod unverified;
mod value;
mod verify;

pub use build::{BuildError, build, sign};
pub use json::{DocumentError, Fault};
pub use limits::Limits;
pub use manifest::Manifest;
pub use path::{PATH_BYTES_MAX, PackPath, PathError};
pub use trust::{KEYS_MAX, TRUST_BYTES_MAX, Trust, TrustError, TrustedKey};
pub use unverified::Unverified;
pub use value::{
    Digest, Extractor, NAME_BYTES_MAX, Name, PackId, TEXT_BYTES_MAX, Text, ValueError,
};
pub use verify::{Moment, PackError, VerifiedPack};

/// Name of the manifest in a pack.
pub const MANIFEST: &str = "pack.json";
/// Name of the pack's signatures in a pack.
pub const ENVELOPE: &str = "signatures/pack.dsse";
/// Name of the bill of materials in a pack.
pub const MLBOM: &str = "mlbom.cdx.json";
/// Name of the model signature for other tools in a pack, where there is one.
pub const OMS: &str = "signatures/oms.sig";
