//! Metadata of The Update Framework (TUF, specification 1.0), by which a hub distributes packs: what
//! is there now, in which version, and who may speak for which part of it.
//!
//! Written here, since `tough`, which reads it in a shield, writes only from folders. All of it is
//! canonical JSON of ASCII, so that RFC 8785 and the canonical JSON of TUF are the same bytes; it is
//! read in that form alone, with no field but those below, so that what a hub takes is what every
//! client reads.

mod contribution;
mod role;
mod root;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stix::Timestamp;

use crate::json::{self, DocumentError};
use crate::key::{PublicKey, SigningKey};
use crate::value::Digest;

pub use self::contribution::{
    Change, EXPIRY_MAX, EXPIRY_MIN, PACKS_MAX, RoleError, TARGET_SUFFIX, change, target_name,
    target_of,
};
pub use self::role::{
    Custom, Delegated, Delegations, Hashes, Meta, Snapshot, Target, Targets, Timestamped,
};
pub use self::root::{ROLES, ROOT_KEYS_MAX, Role, RoleKeys, Root};

/// Longest metadata that is read, in bytes. What a client of ours fetches is bounded by it, too.
pub const METADATA_BYTES_MAX: usize = 1 << 20;

/// The version of TUF's specification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpecVersion {
    /// The one that is written.
    #[default]
    #[serde(rename = "1.0.31")]
    V1,
}

/// A body under signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    /// In order of their keys, each once.
    pub signatures: Vec<Signature>,
    /// What is signed.
    pub signed: T,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The key ([`key_id`]).
    pub keyid: Digest,
    /// Ed25519 over the canonical body, in hexadecimal.
    pub sig: Box<str>,
}

/// A public key as metadata has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    keytype: KeyType,
    keyval: KeyValue,
    scheme: KeyType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum KeyType {
    #[serde(rename = "ed25519")]
    Ed25519,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyValue {
    /// The 32 bytes, in hexadecimal as a digest is.
    public: Digest,
}

impl Key {
    /// Of a public key.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        Self {
            keytype: KeyType::Ed25519,
            keyval: KeyValue {
                public: Digest::from_bytes(*key.as_bytes()),
            },
            scheme: KeyType::Ed25519,
        }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(*self.keyval.public.as_bytes())
    }

    /// What names it in metadata: the SHA-256 of its canonical form, which is not
    /// [`PublicKey::id`].
    #[must_use]
    pub fn id(&self) -> Digest {
        let public = self.keyval.public;
        let text = format!(
            r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#
        );
        Digest::of(text.as_bytes())
    }
}

/// What names a key in metadata.
#[must_use]
pub fn key_id(key: &PublicKey) -> Digest {
    Key::of(key).id()
}

/// A moment to the second, as metadata writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seconds(Timestamp);

impl Seconds {
    /// The second that a moment lies in.
    #[must_use]
    pub fn of(moment: Timestamp) -> Self {
        let micros = moment.as_micros();
        let within = micros.rem_euclid(1_000_000);
        Self(Timestamp::from_micros(micros.saturating_sub(within)))
    }

    /// The moment.
    #[must_use]
    pub const fn moment(self) -> Timestamp {
        self.0
    }
}

impl From<Seconds> for String {
    fn from(seconds: Seconds) -> Self {
        let text = seconds.0.to_string();
        match text.strip_suffix(".000Z") {
            Some(whole) => format!("{whole}Z"),
            None => text,
        }
    }
}

impl TryFrom<String> for Seconds {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let moment = Timestamp::parse(&text).map_err(|error| error.to_string());
        moment.map(Self::of)
    }
}

/// A body that metadata can have: when it ends, and its version.
pub trait Body: Serialize + DeserializeOwned {
    /// From then on clients refuse it.
    fn expires(&self) -> Timestamp;
    /// Rises with each that is published.
    fn version(&self) -> u64;
}

/// Signs a body; what comes out is what clients get.
///
/// # Errors
/// [`DocumentError`] for a body that cannot be written.
pub fn sign<T: Body>(body: T, keys: &[&SigningKey]) -> Result<Vec<u8>, DocumentError> {
    let text = json::write(&body)?;
    let mut signatures: Vec<Signature> = keys
        .iter()
        .map(|key| Signature {
            keyid: key_id(&key.public()),
            sig: hex(&key.sign(text.as_bytes())),
        })
        .collect();
    signatures.sort_by_key(|signature| signature.keyid);
    signatures.dedup_by_key(|signature| signature.keyid);
    let signed = Signed {
        signatures,
        signed: body,
    };
    json::write(&signed).map(String::into_bytes)
}

impl<T: Body> Signed<T> {
    /// Reads metadata in its one form. Who signed it was not asked.
    ///
    /// # Errors
    /// [`DocumentError`] with path and what mends it.
    pub fn read(raw: &[u8]) -> Result<Self, DocumentError> {
        json::read(raw, METADATA_BYTES_MAX)
    }

    /// Whether so many different of these keys signed it.
    #[must_use]
    pub fn is_signed_by(&self, keys: &[PublicKey], threshold: usize) -> bool {
        let Ok(text) = json::write(&self.signed) else {
            return false;
        };
        let signed = |key: &&PublicKey| {
            let id = key_id(key);
            let own = |signature: &&Signature| signature.keyid == id;
            let sig = self.signatures.iter().find(own);
            let sig = sig.and_then(|signature| unhex(&signature.sig));
            sig.is_some_and(|sig| key.verifies(text.as_bytes(), &sig))
        };
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        threshold > 0 && keys.iter().filter(signed).count() >= threshold
    }
}

fn hex(bytes: &[u8]) -> Box<str> {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<String>().into()
}

/// The 64 bytes of a signature.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let (left, right) = text.split_at_checked(64)?;
    let halves = [left.parse::<Digest>().ok()?, right.parse().ok()?];
    Some(halves.iter().flat_map(|half| *half.as_bytes()).collect())
}

#[cfg(test)]
mod tests;
