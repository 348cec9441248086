//! Partners and how they prove who they are.

mod tables;

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use stix::Timestamp;

pub(crate) use self::tables::{Tables, meta_init};

/// Longest name of a partner, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// A partner to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPartner {
    /// Its name: 1 to [`NAME_BYTES_MAX`] of a-z, 0-9, `-`, `.`, `_`.
    pub name: Arc<str>,
    /// Its role, for people: agency, AI company, operator.
    pub role: String,
}

impl NewPartner {
    /// Whether the name is one.
    pub fn has_legal_name(&self) -> bool {
        let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-._".contains(&c);
        (1..=NAME_BYTES_MAX).contains(&self.name.len()) && self.name.bytes().all(legal)
    }
}

/// A partner of the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// Its name.
    pub name: Arc<str>,
    /// Its role.
    pub role: String,
    /// When it was added.
    pub added: Timestamp,
    /// When it was revoked: from then on no certificate, token or invitation of it is good.
    pub revoked: Option<Timestamp>,
}

/// A certificate that the hub issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Serial number, as its DER integer's bytes.
    pub serial: Vec<u8>,
    /// The partner that it names.
    pub partner: Arc<str>,
    /// When it expires.
    pub not_after: Timestamp,
}

/// 32 random bytes: an invitation's secret or an API token. The store keeps an HMAC-SHA-256 of
/// them only, so this is the one time that they can be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Fresh ones.
    ///
    /// # Errors
    /// [`crate::StoreError::Randomness`].
    pub fn random() -> Result<Self, crate::StoreError> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| crate::StoreError::Randomness)?;
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What makes of a secret what the database holds.
#[derive(Debug)]
pub(crate) struct CredentialKey(hmac::Key);

impl CredentialKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// What stands in the database for a secret; the purpose keeps a token from passing as an
    /// invitation.
    pub(crate) fn mac(&self, purpose: &str, secret: &[u8; 32]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(secret);
        context.sign().as_ref().to_vec()
    }
}

/// The hub's own keys cannot collide with the store's.
fn hub_key(key: &str) -> String {
    format!("hub/{key}")
}

/// Rows are inserted for a known partner only.
fn some_row(rows: u64, partner: &str) -> Result<(), crate::StoreError> {
    if rows > 0 {
        Ok(())
    } else {
        Err(crate::StoreError::UnknownPartner(partner.into()))
    }
}

/// Where the key of credentials is kept in the database.
pub(crate) const CREDENTIAL_KEY: &str = "token-key";

/// A number for a new epoch of a log: milliseconds since 1970, later than any epoch before, and
/// exact in every JSON reader.
pub(crate) fn new_epoch() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(1)
}
