//! What is signed of a pack: an in-toto statement (version 1) with the digest of every file.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::ENVELOPE;
use crate::archive::Files;
use crate::json::{self, DocumentError};
use crate::manifest::Manifest;
use crate::value::{Digest, Name, Text};

/// The type of a statement.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What a pack's signers say: this manifest and these files are what we mean.
pub const PREDICATE: &str = "https://shieldwall.dev/pack/v1";

/// A statement over a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Statement {
    /// [`STATEMENT`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// Every file of the pack but the envelope itself, in order of names.
    pub subject: Vec<Subject>,
    /// [`PREDICATE`].
    pub predicate_type: String,
    /// Which pack.
    pub predicate: Predicate,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its path.
    pub name: String,
    /// Its digest.
    pub digest: Sha256,
}

/// A digest by its algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sha256 {
    /// The digest.
    pub sha256: Digest,
}

/// Which pack a statement is over, so that a signer sees it without the pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// Who publishes it.
    pub publisher: Text,
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// Its sequence.
    pub sequence: u64,
}

impl Statement {
    /// The statement over these files.
    #[must_use]
    pub fn over(files: &Files<'_>, manifest: &Manifest) -> Self {
        let covered = files.iter().filter(|(path, _)| path.as_str() != ENVELOPE);
        let subject = covered.map(|(path, content)| Subject {
            name: path.to_string(),
            digest: Sha256 {
                sha256: Digest::of(content),
            },
        });
        Self {
            kind: STATEMENT.to_owned(),
            subject: subject.collect(),
            predicate_type: PREDICATE.to_owned(),
            predicate: Predicate {
                publisher: manifest.publisher.clone(),
                name: manifest.name.clone(),
                version: manifest.version.clone(),
                sequence: manifest.sequence,
            },
        }
    }

    /// Reads a statement in canonical form.
    ///
    /// # Errors
    /// [`DocumentError`] with path and what mends it.
    pub fn read(raw: &[u8], bytes_max: usize) -> Result<Self, DocumentError> {
        json::read(raw, bytes_max)
    }

    /// Writes it in canonical form.
    ///
    /// # Errors
    /// [`DocumentError`], which these fields rule out.
    pub fn write(&self) -> Result<String, DocumentError> {
        json::write(self)
    }

    /// The digests that it names, by path.
    #[must_use]
    pub fn digests(&self) -> BTreeMap<&str, Digest> {
        let subjects = self.subject.iter();
        subjects
            .map(|subject| (subject.name.as_str(), subject.digest.sha256))
            .collect()
    }
}
