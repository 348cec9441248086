//! The lease extension: what a partner asks others to enforce, and on what evidence.
//!
//! A published STIX 2.1 property extension (section 7.3) that an indicator or a sighting carries.
//! It says what the pattern alone cannot: how sure the origin of the traffic is, which selector
//! the evidence covers, which service was attacked, and for how long the asker wants it.
//!
//! Reading is strict, because a lease that is misread becomes a wrong block: every value must be
//! there, in range and in its canonical form ([`crate::canonical`]). Properties that this
//! version does not know are ignored, so that a later version may add some.

mod definition;
mod selector;
mod service;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use definition::{definition_author, definition_object};
pub use selector::Selector;
pub use service::{Proto, Service};

/// The identifier of the extension definition, and the key under `extensions`.
pub const EXTENSION_ID: &str = "extension-definition--d7adc6b1-9123-53e8-be77-3015b094f908";
/// The name that [`EXTENSION_ID`] is derived from (`StixId::v5("extension-definition", NAME)`).
pub const NAME: &str = "shieldwall-lease";
/// Version of the extension's schema.
pub const VERSION: &str = "1.0.0";
/// Longest time to live that may be asked for, in seconds (30 days).
pub const TTL_S_MAX: u32 = 30 * 24 * 60 * 60;
/// Longest name of a detector, in bytes.
pub const DETECTOR_BYTES_MAX: usize = 128;
/// Most partners that one lease may be addressed to.
pub const AUDIENCE_MAX: usize = 256;
/// Longest text that says what is wrong with a lease, in characters.
pub const WHY_CHARS_MAX: usize = 300;
/// Longest name of a partner, in bytes.
pub const PARTNER_BYTES_MAX: usize = 64;

/// How sure the origin of the traffic is. Ordered: later is surer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceClass {
    /// Anyone could have spoofed it.
    Unproven,
    /// The peer acknowledged our sequence number, or QUIC validated the address.
    PathProven,
    /// An attack transaction on a proven path.
    Exploit,
    /// A secret that a decoy handed out came back.
    Token,
}

/// What is to be done with traffic that the selector matches, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Count and report.
    Monitor,
    /// Mark for what comes after.
    Tag,
    /// Let a bounded rate pass.
    RateLimit,
    /// Drop and tell the sender.
    Reject,
    /// Drop.
    Drop,
}

/// What the extension asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Draft")]
pub struct LeaseRequest {
    /// What to match.
    pub selector: Selector,
    /// The service that was attacked, if the lease is to be narrowed to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// What to do.
    pub action: Action,
    /// For how long, in seconds: 1 to [`TTL_S_MAX`].
    pub ttl_s: u32,
    /// How sure the origin is.
    pub evidence: EvidenceClass,
    /// What found it, `name@version`.
    pub detector: Box<str>,
    /// The partners it is addressed to, by name; empty: the marking alone decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<Box<str>>,
}

impl LeaseRequest {
    /// Checks what the types do not: ranges, forms and canonical values.
    ///
    /// # Errors
    /// [`LeaseError`], for the first property that is wrong.
    pub fn check(&self) -> Result<(), LeaseError> {
        self.selector.check()?;
        if self
            .service
            .is_some_and(|s| s.port.is_some() && !s.protocol.has_ports())
        {
            return Err(LeaseError::PortWithoutPorts);
        }
        if !(1..=TTL_S_MAX).contains(&self.ttl_s) {
            return Err(LeaseError::Ttl);
        }
        check_detector(&self.detector)?;
        if self.audience.len() > AUDIENCE_MAX {
            return Err(LeaseError::AudienceLength);
        }
        match self.audience.iter().all(|name| is_partner_name(name)) {
            true => Ok(()),
            false => Err(LeaseError::AudienceName),
        }
    }

    /// The value that stands under [`EXTENSION_ID`] in an object's `extensions`.
    #[must_use]
    pub fn to_extension(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            map.insert("extension_type".into(), "property-extension".into());
        }
        value
    }

    /// Reads the value that stands under [`EXTENSION_ID`].
    ///
    /// # Errors
    /// A text that names the property and what is wrong with it.
    pub fn from_extension(value: &Value) -> Result<Self, String> {
        if !value.get("service").is_none_or(Value::is_object) {
            return Err("service: must be an object".to_owned());
        }
        match value.get("extension_type").and_then(Value::as_str) {
            Some("property-extension") => {
                // The text may quote the value, which may be as long as the object.
                let shown = |error: serde_json::Error| {
                    error.to_string().chars().take(WHY_CHARS_MAX).collect()
                };
                Self::deserialize(value).map_err(shown)
            }
            _ => Err("extension_type is not \"property-extension\"".to_owned()),
        }
    }
}

/// Whether a text may be the name of a partner: 1 to 64 of a-z, 0-9, `.`, `_` and `-`, starting
/// with a letter or a digit.
#[must_use]
pub fn is_partner_name(name: &str) -> bool {
    name.len() <= PARTNER_BYTES_MAX && is_word(name)
}

/// What is wrong with a lease request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// The value of the selector is no such value.
    #[error("selector: {0:?} is not a value of its kind")]
    SelectorValue(Box<str>),
    /// The value of the selector is legal, but not in its canonical form.
    #[error("selector: write {want:?}, the canonical form, for {got:?}")]
    SelectorForm {
        /// What was written.
        got: Box<str>,
        /// What to write.
        want: Box<str>,
    },
    /// A port with a protocol that has none.
    #[error("service: a port needs protocol tcp or udp")]
    PortWithoutPorts,
    /// The time to live is zero or too long.
    #[error("ttl_s: must be 1 to {TTL_S_MAX} seconds")]
    Ttl,
    /// The detector is not `name@version`.
    #[error(
        "detector: must be name@version of a-z, 0-9, '.', '_' and '-', {DETECTOR_BYTES_MAX} bytes at most"
    )]
    Detector,
    /// Too many partners are addressed.
    #[error("audience: names more than {AUDIENCE_MAX} partners")]
    AudienceLength,
    /// A name that cannot be a partner's.
    #[error("audience: a partner's name is 1 to {PARTNER_BYTES_MAX} of a-z, 0-9, '.', '_' and '-'")]
    AudienceName,
}

/// As [`LeaseRequest`], before its check.
#[derive(Deserialize)]
struct Draft {
    selector: Selector,
    #[serde(default)]
    service: Option<Service>,
    action: Action,
    ttl_s: u32,
    evidence: EvidenceClass,
    detector: Box<str>,
    #[serde(default)]
    audience: Vec<Box<str>>,
}

impl TryFrom<Draft> for LeaseRequest {
    type Error = LeaseError;

    fn try_from(draft: Draft) -> Result<Self, LeaseError> {
        let Draft {
            selector,
            service,
            action,
            ttl_s,
            evidence,
            detector,
            audience,
        } = draft;
        let request = Self {
            selector,
            service,
            action,
            ttl_s,
            evidence,
            detector,
            audience,
        };
        request.check().map(|()| request)
    }
}

fn check_detector(detector: &str) -> Result<(), LeaseError> {
    let form = detector
        .split_once('@')
        .is_some_and(|(name, version)| is_word(name) && is_word(version));
    match form && detector.len() <= DETECTOR_BYTES_MAX {
        true => Ok(()),
        false => Err(LeaseError::Detector),
    }
}

/// Letters in lower case, digits, `.`, `_` and `-`; the first is a letter or a digit.
fn is_word(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let rest = |b: u8| plain(b) || matches!(b, b'.' | b'_' | b'-');
    text.bytes().next().is_some_and(plain) && text.bytes().all(rest)
}

#[cfg(test)]
mod tests;
