//! A STIX object: its bytes, verbatim, beside a typed head.

mod head;
mod types;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::error::{Fault, ObjectError};
use crate::id::StixId;
use crate::json;
use crate::lease::LeaseRequest;
use crate::limits::Limits;
use crate::marking::Tlp;
use crate::time::Timestamp;
use crate::tree::{Json, Path};
use crate::validate::{self, Report};

/// An object that passed [`Object::parse`]: bytes verbatim and a typed head. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Object {
    head: Arc<Head>,
    raw: Arc<[u8]>,
}

impl Object {
    /// Reads one object. Space around it is not part of it; every byte from its first `{` to its
    /// last `}` is kept.
    ///
    /// # Errors
    /// [`ObjectError`], for the first fault.
    pub fn parse(raw: &[u8], limits: &Limits) -> Result<Self, ObjectError> {
        Self::read(raw, limits, |_| Ok(()))
    }

    /// As [`Self::parse`], and holds the whole object against STIX 2.1 ([`crate::validate`]): for
    /// what comes from outside. What was stored once need not be asked again.
    ///
    /// # Errors
    /// [`ObjectError`], for the first fault; [`Fault::Broken`] says how many more there are.
    pub fn parse_valid(raw: &[u8], limits: &Limits) -> Result<Self, ObjectError> {
        Self::read(raw, limits, |value| {
            let mut report = Report::default();
            validate::object(&mut report, value, &Path::Root, None);
            report.into_result()
        })
    }

    fn read(
        raw: &[u8],
        limits: &Limits,
        check: impl FnOnce(&Json<'_>) -> Result<(), ObjectError>,
    ) -> Result<Self, ObjectError> {
        let raw = raw.trim_ascii();
        let max = limits.object_bytes_max;
        if raw.len() > max {
            return Err(ObjectError::new(
                "$",
                Fault::TooLong {
                    bytes: raw.len(),
                    max,
                },
            ));
        }
        let value = json::read(raw, limits.depth_max)?;
        let head = head::read(&value)?;
        check(&value)?;
        Ok(Self {
            head: head.into(),
            raw: raw.into(),
        })
    }

    /// What the exchange needs to know of it.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The bytes, as their author wrote them.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The same bytes, shared.
    #[must_use]
    pub fn raw_shared(&self) -> Arc<[u8]> {
        Arc::clone(&self.raw)
    }

    /// What tells versions of one object apart: `modified`, else `created`, else the epoch
    /// (STIX 2.1 section 3.6).
    #[must_use]
    pub fn version(&self) -> Timestamp {
        self.head
            .modified
            .or(self.head.created)
            .unwrap_or(Timestamp::EPOCH)
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.raw).into()
    }
}

/// What the exchange needs to know of an object; everything else stays in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `id`.
    pub id: StixId,
    /// `type`, the same as the type in `id`.
    pub kind: Box<str>,
    /// `spec_version`: `2.1`, or absent where it may be.
    pub spec_version: Option<Box<str>>,
    /// `created`; absent in cyber-observable objects.
    pub created: Option<Timestamp>,
    /// `modified`; absent in cyber-observable objects and marking definitions.
    pub modified: Option<Timestamp>,
    /// `created_by_ref`; an identity as a rule, which is not checked.
    pub created_by: Option<StixId>,
    /// `revoked`; absent means false.
    pub revoked: bool,
    /// `confidence`, 0 to 100.
    pub confidence: Option<u8>,
    /// `valid_from`.
    pub valid_from: Option<Timestamp>,
    /// `valid_until`, later than `valid_from`.
    pub valid_until: Option<Timestamp>,
    /// `object_marking_refs`, as written.
    pub markings: Vec<StixId>,
    /// Whether there are `granular_markings`.
    pub granular_markings: bool,
    /// An indicator's `pattern`.
    pub pattern: Option<RawPattern>,
    /// `name`.
    pub name: Option<Box<str>>,
    /// A sighting's `sighting_of_ref`.
    pub sighting_of: Option<StixId>,
    /// A sighting's `count`.
    pub count: Option<u64>,
    /// The lease extension of an indicator or a sighting.
    pub lease: Option<LeaseRequest>,
}

impl Head {
    /// The most restrictive TLP label among the object's markings; `None` where there is none.
    /// A marking that is no TLP label counts in [`Self::unknown_markings`] alone.
    #[must_use]
    pub fn tlp(&self) -> Option<Tlp> {
        self.markings.iter().filter_map(Tlp::from_marking).max()
    }

    /// Whether a marking stands on the object that is no TLP label. What such a marking allows is
    /// not known here, so nothing may be concluded from it but "to the source alone".
    #[must_use]
    pub fn unknown_markings(&self) -> bool {
        self.markings
            .iter()
            .any(|id| Tlp::from_marking(id).is_none())
    }

    /// Whether the object is in force at `now`: not revoked, begun, and not over.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> bool {
        let begun = self.valid_from.is_none_or(|from| from <= now);
        let over = self.valid_until.is_some_and(|until| until <= now);
        !self.revoked && begun && !over
    }
}

/// A pattern in the language that `pattern_type` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPattern {
    /// `pattern_type`, for example `stix`, `snort`, `suricata`, `yara`.
    pub pattern_type: Box<str>,
    /// `pattern`.
    pub pattern: Box<str>,
}

#[cfg(test)]
mod tests;
