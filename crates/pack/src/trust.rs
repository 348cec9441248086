//! Whom an operator trusts to sign packs: a file of its own, never part of a pack.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::key::{KeyError, PublicKey};
use crate::value::{Digest, Text};

/// Longest trust file, in bytes.
pub const TRUST_BYTES_MAX: usize = 1 << 20;
/// Most keys of a trust file.
pub const KEYS_MAX: usize = 256;

/// Whose signatures count, how many it takes, and what was taken back.
///
/// A pack is taken when its publisher signed it and, with the publisher, [`Trust::threshold`]
/// different holders did. Two keys of one holder count once: a threshold of two is two
/// organisations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Keys and their holders; none twice.
    pub keys: Vec<TrustedKey>,
    /// How many different holders must have signed; at least 1.
    pub threshold: usize,
    /// Keys whose signatures refuse a pack, whoever else signed it.
    pub revoked_keys: BTreeSet<Digest>,
    /// Packs (by the digest of their manifest) and files that are refused whoever signed them.
    pub revoked: BTreeSet<Digest>,
}

/// A key, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// Who holds it. A pack whose manifest names this publisher needs a signature of such a key.
    pub holder: Text,
    /// The key.
    pub key: PublicKey,
}

/// Why a text is no trust file. The operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not TOML, or a key of it is unknown, missing or of another kind.
    #[error("{0}")]
    Form(Box<str>),
    /// Longer than [`TRUST_BYTES_MAX`].
    #[error("longer than {TRUST_BYTES_MAX} bytes: make it smaller")]
    TooLong,
    /// No key at all, or more than [`KEYS_MAX`].
    #[error("[[key]]: from 1 to {KEYS_MAX} keys")]
    Keys,
    /// A key that is none.
    #[error("[[key]] number {number} ({holder}): {error}")]
    Key {
        /// Which one, from 1.
        number: usize,
        /// Whose it is.
        holder: Text,
        /// What is wrong with it.
        error: KeyError,
    },
    /// A key that stands twice.
    #[error("[[key]] number {number} ({holder}): this key stands there already: remove one")]
    Twice {
        /// Which one, from 1.
        number: usize,
        /// Whose it is.
        holder: Text,
    },
    /// A threshold of none, or that the holders cannot reach.
    #[error("threshold = {threshold}: a number from 1 to {holders}, the different holders of keys")]
    Threshold {
        /// What it says.
        threshold: usize,
        /// How many different holders there are.
        holders: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    threshold: usize,
    key: Vec<FileKey>,
    #[serde(default)]
    revoked_keys: BTreeSet<Digest>,
    #[serde(default)]
    revoked: BTreeSet<Digest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKey {
    holder: Text,
    public: String,
}

impl Trust {
    /// Reads a trust file (TOML).
    ///
    /// # Errors
    /// [`TrustError`] that says where and what mends it.
    pub fn read(text: &str) -> Result<Self, TrustError> {
        if text.len() > TRUST_BYTES_MAX {
            return Err(TrustError::TooLong);
        }
        let form = |error: toml::de::Error| TrustError::Form(error.to_string().trim_end().into());
        let file: File = toml::from_str(text).map_err(form)?;
        if !(1..=KEYS_MAX).contains(&file.key.len()) {
            return Err(TrustError::Keys);
        }
        let mut keys: Vec<TrustedKey> = Vec::new();
        for (number, written) in (1..).zip(file.key) {
            let holder = written.holder;
            let key = match PublicKey::read(&written.public) {
                Ok(key) => key,
                Err(error) => {
                    return Err(TrustError::Key {
                        number,
                        holder,
                        error,
                    });
                }
            };
            if keys.iter().any(|known| known.key == key) {
                return Err(TrustError::Twice { number, holder });
            }
            keys.push(TrustedKey { holder, key });
        }
        let holders: BTreeSet<_> = keys.iter().map(|key| &key.holder).collect();
        let (threshold, holders) = (file.threshold, holders.len());
        if !(1..=holders).contains(&threshold) {
            return Err(TrustError::Threshold { threshold, holders });
        }
        Ok(Self {
            keys,
            threshold,
            revoked_keys: file.revoked_keys,
            revoked: file.revoked,
        })
    }

    /// The key of that id.
    #[must_use]
    pub fn key(&self, id: &Digest) -> Option<&TrustedKey> {
        self.keys.iter().find(|trusted| trusted.key.id() == *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    const B: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn file(threshold: usize, keys: &[(&str, &str)], more: &str) -> String {
        let mut text = format!("threshold = {threshold}\n{more}\n");
        for (holder, key) in keys {
            text.push_str(&format!(
                "[[key]]\nholder = \"{holder}\"\npublic = \"{key}\"\n"
            ));
        }
        text
    }

    #[test]
    fn a_trust_file_names_keys_and_holders() {
        let revoked = "0".repeat(64);
        let text = file(
            2,
            &[("Example CERT", A), ("Reviewer", B)],
            &format!("revoked = [\"{revoked}\"]"),
        );
        let trust = Trust::read(&text).unwrap();
        assert_eq!(
            (trust.keys.len(), trust.threshold, trust.revoked.len()),
            (2, 2, 1)
        );
        let id = trust.keys[1].key.id();
        assert_eq!(trust.key(&id).unwrap().holder.as_ref(), "Reviewer");
        assert_eq!(trust.key(&Digest::of(b"x")), None);
    }

    #[test]
    fn what_would_trust_too_much_or_nobody_is_refused() {
        let cases = [
            (file(1, &[], "key = []"), "[[key]]: from 1 to 256 keys"),
            (
                file(0, &[("X", A)], ""),
                "threshold = 0: a number from 1 to 1",
            ),
            (
                file(2, &[("X", A), ("X", B)], ""),
                "threshold = 2: a number from 1 to 1",
            ),
            (
                file(1, &[("X", A), ("Y", A)], ""),
                "[[key]] number 2 (Y): this key stands there already",
            ),
            (
                file(1, &[("X", "AAAA")], ""),
                "[[key]] number 1 (X): not an Ed25519 public key",
            ),
            (file(1, &[("X", A)], "treshold = 1"), "treshold"),
            (
                file(1, &[("X", A)], "revoked = [\"AA\"]"),
                "a digest is 64 lower-case",
            ),
        ];
        for (text, want) in cases {
            let error = Trust::read(&text).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
