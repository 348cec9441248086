//! Identifiers: `type--uuid` (STIX 2.1 section 2.9).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::{Uuid, uuid};

/// An identifier of a STIX object, checked: a legal type name, `--`, and a UUID.
///
/// Upper-case hexadecimal digits are read, as RFC 4122 section 3 asks, and become lower case, so
/// that one object has one name. Which variant and version the UUID is of is not checked: nothing
/// depends on it, and published examples of OASIS break that rule. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StixId(Arc<str>);

impl StixId {
    /// Reads an identifier.
    ///
    /// # Errors
    /// [`IdError`], when the text is not `type--uuid`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let (_, uuid) = split(text)?;
        let upper = uuid.bytes().any(|b| b.is_ascii_uppercase());
        Ok(Self(if upper {
            text.to_ascii_lowercase().into()
        } else {
            text.into()
        }))
    }

    /// The deterministic identifier of what `name` names, as this project derives it: a UUID of
    /// version 5 (RFC 4122 section 4.3) over [`NAMESPACE`]. The same kind and name give the same
    /// identifier on every machine.
    ///
    /// `kind` is a type name from our own code; one that is not legal is mended to
    /// [`KIND_FALLBACK`], so that every value of this type stays legal.
    #[must_use]
    pub fn v5(kind: &str, name: &str) -> Self {
        let kind = if check_kind(kind).is_ok() {
            kind
        } else {
            KIND_FALLBACK
        };
        let uuid = Uuid::new_v5(&NAMESPACE, name.as_bytes());
        Self(format!("{kind}--{uuid}").into())
    }

    /// An identifier from a type name and a UUID that the caller drew.
    ///
    /// # Errors
    /// [`IdError`], when the type name is not legal.
    pub fn from_parts(kind: &str, uuid: Uuid) -> Result<Self, IdError> {
        Self::parse(&format!("{kind}--{uuid}"))
    }

    /// The whole identifier, `type--uuid`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type name before the `--`, for example `indicator`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.split_once("--").map_or("", |(kind, _)| kind)
    }

    /// The UUID after the `--`.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let text = self.0.split_once("--").map_or("", |(_, uuid)| uuid);
        Uuid::try_parse(text).unwrap_or_default()
    }
}

/// The namespace of the identifiers that [`StixId::v5`] derives.
pub const NAMESPACE: Uuid = uuid!("5d1e1d0a-6c1b-5b0f-9a3e-7d0c1c6f4b21");
/// Stands for a type name that is not legal in [`StixId::v5`].
pub const KIND_FALLBACK: &str = "x-shieldwall";
/// Shortest type name (STIX 2.1 section 3.1).
pub const KIND_BYTES_MIN: usize = 3;
/// Longest type name (STIX 2.1 section 3.1).
pub const KIND_BYTES_MAX: usize = 250;

/// Why a text is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// There is no `--`.
    #[error("no '--' between type and UUID")]
    NoSeparator,
    /// The type name is too short or too long.
    #[error(
        "the type name has fewer than {KIND_BYTES_MIN} or more than {KIND_BYTES_MAX} characters"
    )]
    KindLength,
    /// The type name has a character other than a-z, 0-9 and single hyphens, or starts or ends
    /// with one that may not stand there.
    #[error("the type name is not made of a-z, 0-9 and single hyphens, starting with a letter")]
    KindCharacters,
    /// The part after `--` is not a UUID in the form of RFC 4122 section 3.
    #[error("the part after '--' is not a UUID such as 8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f")]
    NotUuid,
}

/// The type name and the UUID of an identifier, both checked, as they are written.
pub(crate) fn split(text: &str) -> Result<(&str, &str), IdError> {
    let (kind, uuid) = text.split_once("--").ok_or(IdError::NoSeparator)?;
    check_kind(kind)?;
    check_uuid(uuid)?;
    Ok((kind, uuid))
}

/// Whether a text may be the name of a type.
pub(crate) fn is_kind(text: &str) -> bool {
    check_kind(text).is_ok()
}

fn check_kind(kind: &str) -> Result<(), IdError> {
    if !(KIND_BYTES_MIN..=KIND_BYTES_MAX).contains(&kind.len()) {
        return Err(IdError::KindLength);
    }
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let starts = kind.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || kind.ends_with('-') || kind.contains("--") || !kind.bytes().all(legal) {
        return Err(IdError::KindCharacters);
    }
    Ok(())
}

/// The form with hyphens only: the `uuid` crate reads braces and URNs too.
fn check_uuid(text: &str) -> Result<(), IdError> {
    const HYPHENATED_BYTES: usize = 36;
    match text.len() == HYPHENATED_BYTES && Uuid::try_parse(text).is_ok() {
        true => Ok(()),
        false => Err(IdError::NotUuid),
    }
}

impl fmt::Display for StixId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StixId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StixId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl AsRef<str> for StixId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for StixId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StixId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEGAL: &str = "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";

    #[test]
    fn a_legal_identifier_has_a_kind_and_a_uuid() {
        let id = StixId::parse(LEGAL).unwrap();
        assert_eq!(id.kind(), "indicator");
        assert_eq!(id.uuid(), uuid!("8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"));
        assert_eq!(id.to_string(), LEGAL);
        let upper = "indicator--8E2E2D2B-17D4-4CBF-938F-98EE46B3CD3F";
        assert_eq!(StixId::parse(upper), Ok(id));
    }

    #[test]
    fn what_is_not_an_identifier_is_refused_with_the_reason() {
        let uuid = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
        let cases = [
            (format!("indicator-{uuid}"), IdError::NoSeparator),
            (format!("ab--{uuid}"), IdError::KindLength),
            (format!("{}--{uuid}", "a".repeat(251)), IdError::KindLength),
            (format!("Indicator--{uuid}"), IdError::KindCharacters),
            (format!("1ndicator--{uuid}"), IdError::KindCharacters),
            (format!("indic_ator--{uuid}"), IdError::KindCharacters),
            (format!("indicator---{uuid}"), IdError::NotUuid),
            (
                "indicator--8e2e2d2b17d44cbf938f98ee46b3cd3f".into(),
                IdError::NotUuid,
            ),
            (format!("indicator--{{{uuid}}}"), IdError::NotUuid),
            (String::new(), IdError::NoSeparator),
        ];
        for (text, why) in cases {
            assert_eq!(StixId::parse(&text), Err(why), "{text}");
        }
    }

    #[test]
    fn derived_identifiers_are_legal_and_stable() {
        let id = StixId::v5("indicator", "shield-a|192.0.2.1/32|tcp/80");
        assert_eq!(StixId::parse(id.as_str()).as_ref(), Ok(&id));
        assert_eq!(id, StixId::v5("indicator", "shield-a|192.0.2.1/32|tcp/80"));
        assert_ne!(id, StixId::v5("indicator", "shield-b|192.0.2.1/32|tcp/80"));
        let mended = StixId::v5("Not a type", "x");
        assert_eq!(StixId::parse(mended.as_str()), Ok(mended));
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same(kind in "[a-z][a-z0-9]{2,20}", bytes: [u8; 16]) {
            let uuid = uuid::Builder::from_random_bytes(bytes).into_uuid();
            let id = StixId::from_parts(&kind, uuid).unwrap();
            prop_assert_eq!(StixId::parse(id.as_str()).unwrap(), id);
        }

        #[test]
        fn no_text_panics(text: String) {
            if let Ok(id) = StixId::parse(&text) {
                prop_assert_eq!(id.as_str(), text.to_ascii_lowercase());
            }
        }
    }
}
