//! One line of a dump. Times are microseconds since 1970, bytes are base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{EventKind, StoreError};

/// One record of a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// A value kept for the hub, or the key of credentials.
    Meta(MetaRecord),
    /// A partner.
    Partner(PartnerRecord),
    /// An invitation; what it is good for is kept as a keyed hash.
    Invitation(InvitationRecord),
    /// An API token, alike.
    Token(TokenRecord),
    /// A certificate that the hub issued.
    Certificate(CertificateRecord),
    /// An event of the log.
    Event(Box<EventRecord>),
}

/// See [`Record::Meta`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaRecord {
    pub(crate) key: String,
    pub(crate) value: Bin,
}

impl std::fmt::Debug for MetaRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MetaRecord({:?}, ..)", self.key)
    }
}

/// See [`Record::Partner`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerRecord {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) added: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked: Option<i64>,
}

/// See [`Record::Invitation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationRecord {
    pub(crate) mac: Bin,
    pub(crate) partner: String,
    pub(crate) made: i64,
    pub(crate) expires: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) used: Option<i64>,
}

/// See [`Record::Token`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    pub(crate) mac: Bin,
    pub(crate) partner: String,
    pub(crate) made: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked: Option<i64>,
}

/// See [`Record::Certificate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRecord {
    pub(crate) serial: Bin,
    pub(crate) partner: String,
    pub(crate) made: i64,
    pub(crate) not_after: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked: Option<i64>,
}

/// See [`Record::Event`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRecord {
    pub(crate) event: String,
    pub(crate) source: String,
    pub(crate) id: String,
    pub(crate) version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spec_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) valid_until: Option<i64>,
    /// Whether the log has a later version from the same source.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) superseded: bool,
    /// To the object; none of an erasure, which brings none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commitment: Option<Bin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) community: Option<Place>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) addressed: Vec<PlaceOfPartner>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) salt: Option<Bin>,
    /// The object, byte for byte; none once it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) raw: Option<String>,
}

/// Where an event stands in a lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) position: i64,
    pub(crate) date_added: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stale: bool,
}

/// Where an event stands in the lane addressed to a partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOfPartner {
    pub(crate) partner: String,
    pub(crate) position: i64,
    pub(crate) date_added: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) stale: bool,
}

impl EventRecord {
    /// What happened.
    pub(crate) fn kind(&self) -> Result<EventKind, StoreError> {
        KINDS
            .into_iter()
            .find(|kind| word(*kind) == Some(&self.event))
            .ok_or_else(|| StoreError::Damaged(format!("no event is called {:?}", self.event)))
    }

    /// What a code in a database is called here.
    pub(crate) fn word_of(code: i16) -> Result<String, StoreError> {
        EventKind::of_code(code)
            .and_then(word)
            .map(str::to_owned)
            .ok_or_else(|| StoreError::Damaged(format!("an event of unknown kind {code}")))
    }
}

const KINDS: [EventKind; 3] = [EventKind::Accept, EventKind::Revoke, EventKind::Erase];

/// Kinds that nothing writes yet have no word.
fn word(kind: EventKind) -> Option<&'static str> {
    match kind {
        EventKind::Accept => Some("accept"),
        EventKind::Revoke => Some("revoke"),
        EventKind::Erase => Some("erase"),
        EventKind::Widen | EventKind::Narrow => None,
    }
}

/// Bytes, base64 in a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bin(pub(crate) Vec<u8>);

pub(crate) fn bin(bytes: Vec<u8>) -> Bin {
    Bin(bytes)
}

/// An object as text, which all JSON is.
pub(crate) fn text(raw: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(raw).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// The bytes of an optional value.
pub(crate) fn bytes_of(bin: Option<&Bin>) -> Option<&[u8]> {
    bin.map(|bin| bin.0.as_slice())
}

impl Serialize for Bin {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bin {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        BASE64
            .decode(text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}
