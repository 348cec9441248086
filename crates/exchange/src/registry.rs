//! Partners and how they prove who they are.

use std::fmt;
use std::sync::Arc;

use stix::Timestamp;

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
