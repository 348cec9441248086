//! The manifest, `pack.json`: what a pack is, what it asks for, and every file in it.

mod check;
mod model;
mod place;

use std::collections::BTreeSet;

use semver::Version;
use serde::{Deserialize, Serialize};
use stix::Timestamp;

use crate::json::{self, DocumentError};
use crate::limits::Limits;
use crate::path::PackPath;
use crate::value::{Digest, Name, PackId, Text};

pub use self::check::{MODELS_MAX, ROWS_MAX, SEQUENCE_MAX};
pub use self::model::{Aggregate, Input, Measured, Model, Source, Threshold, Training};
pub use self::place::Role;

/// The value of [`Manifest::schema`] that this version reads and writes.
pub const SCHEMA: &str = "https://shieldwall.dev/pack/v1";

/// The manifest of a pack. Written in canonical JSON (RFC 8785), and read in no other form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// What the publisher calls the pack.
    pub name: Name,
    /// The version for people.
    pub version: Version,
    /// The version for programs: higher with each one, from 1 to [`SEQUENCE_MAX`]. A shield takes
    /// none that is below one that it saw.
    pub sequence: u64,
    /// What the pack is, in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is refused.
    pub expires: Timestamp,
    /// Who publishes it: the holder of one of the keys that signed it.
    pub publisher: Text,
    /// Its licence, as an SPDX expression.
    pub licence: Text,
    /// What it asks to be allowed, the mildest first.
    pub capabilities: BTreeSet<Capability>,
    /// What its models look for.
    pub scope: BTreeSet<Task>,
    /// What it says to need at most.
    pub limits: Needs,
    /// The least version of Shieldwall that runs it.
    pub min_engine: Version,
    /// The digest of the pack (of its manifest) that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Digest>,
    /// Who answers when the pack harms somebody innocent: a name and how to reach them.
    pub responsibility: Text,
    /// All files of the pack but the manifest and its signatures, in order of their paths.
    pub files: Vec<File>,
    /// Its models.
    pub models: Vec<Model>,
}

/// A file of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it stands.
    pub path: PackPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Digest,
    /// What it is, as its place says.
    pub role: Role,
}

/// What a pack says to need at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// Memory of all its models, in bytes.
    pub memory_bytes_max: u64,
    /// Time of one evaluation of its slowest model at the 99th percentile, in microseconds.
    pub p99_us_max: u64,
    /// Columns that its widest model reads.
    pub features_max: u64,
}

/// What a pack asks to be allowed when its models find something; the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Write what it thinks into records.
    Tag,
    /// Alert people.
    Alert,
    /// Slow a source down.
    RateLimit,
    /// Block a source.
    Block,
}

/// What a model looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Regular connections to a controller.
    Beacon,
    /// Names that an algorithm of malware made.
    DgaDomain,
    /// Data carried in names.
    DnsTunnel,
    /// URLs of pages that imitate others.
    PhishingUrl,
    /// Attacks in requests to web applications.
    WebAttack,
}

/// A name of each value, as it is written in a manifest.
macro_rules! named {
    ($type:ty { $($variant:ident => $name:literal),* $(,)? }) => {
        impl $type {
            /// As it is written in a manifest.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(crate) use named;

named!(Capability {
    Tag => "tag",
    Alert => "alert",
    RateLimit => "rate-limit",
    Block => "block",
});

named!(Task {
    Beacon => "beacon",
    DgaDomain => "dga-domain",
    DnsTunnel => "dns-tunnel",
    PhishingUrl => "phishing-url",
    WebAttack => "web-attack",
});

impl Manifest {
    /// Reads a manifest, in canonical form alone, and holds it against all rules.
    ///
    /// # Errors
    /// [`DocumentError`] with path and what mends it.
    pub fn read(raw: &[u8], limits: &Limits) -> Result<Self, DocumentError> {
        let manifest: Self = json::read(raw, limits.manifest_bytes_max)?;
        manifest.check(limits)?;
        Ok(manifest)
    }

    /// Writes it in canonical form, after it was held against all rules.
    ///
    /// # Errors
    /// [`DocumentError`] with path and what mends it.
    pub fn write(&self, limits: &Limits) -> Result<String, DocumentError> {
        self.check(limits)?;
        json::write(self)
    }

    /// Which pack this is a version of.
    #[must_use]
    pub fn id(&self) -> PackId {
        PackId {
            publisher: self.publisher.clone(),
            name: self.name.clone(),
        }
    }

    /// What the manifest says of a file.
    #[must_use]
    pub fn file(&self, path: &PackPath) -> Option<&File> {
        let at = self.files.binary_search_by(|file| file.path.cmp(path));
        at.ok().and_then(|at| self.files.get(at))
    }
}
