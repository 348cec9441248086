//! From claims to indicators: what the source does not say, and what changed since last time.

use std::time::Duration;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use stix::lease::{self, Action, EvidenceClass, LeaseRequest};
use stix::{Limits, Object, ObjectError, StixId, Timestamp, Tlp};

use crate::claim::Claim;
use crate::ledger::{Known, Line};

/// How long a claim holds when neither its source nor the caller says.
pub const TTL_DEFAULT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How sure we are when neither the source nor the caller says.
pub const CONFIDENCE_DEFAULT: u8 = 50;
/// A validity that a source itself gives may move by this much before it counts as a change:
/// sources that tell what is left of a time are never exact.
const UNTIL_SLACK: Duration = Duration::from_secs(60);
/// Longest name of an indicator, in characters.
const NAME_CHARS_MAX: usize = 250;

/// Who says it, and what holds where the source says nothing.
#[derive(Clone, Debug)]
pub struct Author {
    /// The partner that shares.
    pub partner: Box<str>,
    /// The identity that authors the indicators.
    pub identity: StixId,
    /// The name of the source. With the value it makes the identifier.
    pub source: Box<str>,
    /// The least restrictive marking: what a source marks stricter stays so. Without one, what
    /// the source does not mark is TLP:AMBER.
    pub tlp: Option<Tlp>,
    /// How sure we are where the source does not say.
    pub confidence: Option<u8>,
    /// How long it holds where the source does not say.
    pub ttl: Option<Duration>,
    /// Why, for people.
    pub why: Option<Box<str>>,
    /// The partners that it is addressed to; empty: the marking alone decides.
    pub audience: Vec<Box<str>>,
}

/// What a claim comes to.
#[derive(Clone, Debug)]
pub enum Written {
    /// An indicator that was not there.
    New(Object, Line),
    /// A new version of one.
    Changed(Object, Line),
    /// A version that takes one back.
    Revoked(Object, Line),
    /// Nothing new.
    Same,
    /// It is over already, or was taken back before it was told.
    Over,
    /// Not to be shared; why.
    Withheld(&'static str),
}

impl Author {
    /// The identifier that claims of this author about one thing have in common.
    #[must_use]
    pub fn base_id(&self, claim: &Claim) -> StixId {
        let value = claim.value.to_string();
        let key = claim.key.as_deref().unwrap_or(&value);
        let (partner, source, kind) = (&self.partner, &self.source, claim.value.kind());
        StixId::v5(
            "indicator",
            &format!("{partner}|import|{source}|{kind}|{key}"),
        )
    }

    /// What a claim comes to, beside what was `known` of it before.
    ///
    /// # Errors
    /// [`ObjectError`], when no legal indicator comes of it.
    pub fn write(
        &self,
        claim: &Claim,
        known: Option<&Known>,
        now: Timestamp,
    ) -> Result<Written, ObjectError> {
        let tlp = self.marking(claim);
        if tlp == Tlp::Red {
            return Ok(Written::Withheld(
                "TLP:RED is for named people, never for a feed",
            ));
        }
        let live = known.filter(|known| !known.revoked);
        if claim.revoked && live.is_none() {
            return Ok(Written::Over);
        }
        let digest = self.digest(claim, tlp);
        let until = self.until(claim, now);
        if !claim.revoked && until.is_some_and(|(until, _)| until <= now) {
            return Ok(Written::Over);
        }
        if let Some(known) = live
            && known.digest == digest
            && same_until(known.until, until)
        {
            return Ok(Written::Same);
        }
        let draft = Draft {
            base: self.base_id(claim),
            generation: generation(known),
            created: live.map_or_else(|| created(claim, now), |known| known.created),
            modified: modified(claim, live, now),
            until: until.map(|(until, _)| until),
            tlp,
        };
        let object = self.object(claim, &draft, now)?;
        let line = Line::of(&object, digest, &draft.base, draft.generation);
        Ok(match (claim.revoked, live) {
            (true, _) => Written::Revoked(object, line),
            (false, Some(_)) => Written::Changed(object, line),
            (false, None) => Written::New(object, line),
        })
    }

    /// A marking of the source may be stricter than the caller's, never milder.
    fn marking(&self, claim: &Claim) -> Tlp {
        match (claim.tlp, self.tlp) {
            (Some(source), Some(caller)) => source.max(caller),
            (one, other) => one.or(other).unwrap_or(Tlp::Amber),
        }
    }

    /// Until when it holds, and by how much that may move before it is a change.
    fn until(&self, claim: &Claim, now: Timestamp) -> Option<(Timestamp, Duration)> {
        if let Some(until) = claim.valid_until {
            return Some((until, UNTIL_SLACK));
        }
        match (claim.modified, self.ttl) {
            // A dated claim ends when its own time plus the caller's is over.
            (Some(modified), Some(ttl)) => Some((modified.plus(ttl), Duration::ZERO)),
            (Some(_), None) => None,
            // Told again, it is renewed when half of the time has gone.
            (None, ttl) => {
                let ttl = ttl.unwrap_or(TTL_DEFAULT);
                Some((now.plus(ttl), ttl.checked_div(2).unwrap_or_default()))
            }
        }
    }

    /// All that makes one version differ from another, times apart.
    fn digest(&self, claim: &Claim, tlp: Tlp) -> u64 {
        let said = (
            (claim.value.to_string(), self.name(claim), tlp),
            (self.confidence(claim), claim.revoked, &self.audience),
        );
        let text = serde_json::to_vec(&said).unwrap_or_default();
        first_eight(&Sha256::digest(&text).into())
    }

    fn confidence(&self, claim: &Claim) -> u8 {
        let said = claim.confidence.or(self.confidence);
        said.unwrap_or(CONFIDENCE_DEFAULT).min(100)
    }

    fn name(&self, claim: &Claim) -> String {
        let value = claim.value.to_string();
        let name = self.why.as_deref().or(claim.name.as_deref());
        let plain = |c: &char| !c.is_control();
        let name = name.unwrap_or(&value).chars().filter(plain);
        name.take(NAME_CHARS_MAX).collect()
    }

    fn object(&self, claim: &Claim, draft: &Draft, now: Timestamp) -> Result<Object, ObjectError> {
        let valid_from = claim.valid_from.unwrap_or(draft.created);
        let until = draft.until.filter(|until| *until > valid_from);
        let lease = self.lease(claim, until, now);
        let wire = Wire {
            kind: "indicator",
            spec_version: "2.1",
            id: &draft.id(),
            created_by_ref: Some(&self.identity),
            created: draft.created,
            modified: draft.modified,
            revoked: claim.revoked,
            name: Some(&self.name(claim)),
            indicator_types: &["malicious-activity"],
            pattern: &claim.value.pattern(),
            pattern_type: "stix",
            valid_from,
            valid_until: until,
            confidence: Some(self.confidence(claim)),
            object_marking_refs: &[draft.tlp.marking_id()],
            extensions: lease
                .map(|lease| [(lease::EXTENSION_ID, lease.to_extension())].into())
                .unwrap_or_default(),
        };
        wire.object()
    }

    /// What names the partners that it is addressed to. A list's word asks for no enforcement by
    /// itself, hence `monitor`.
    fn lease(
        &self,
        claim: &Claim,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<LeaseRequest> {
        if self.audience.is_empty() {
            return None;
        }
        let ttl = until.map_or(TTL_DEFAULT, |until| until.since(now));
        let ttl_s = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
        Some(LeaseRequest {
            selector: claim.value.selector()?,
            service: None,
            action: Action::Monitor,
            ttl_s: ttl_s.clamp(1, lease::TTL_S_MAX),
            evidence: EvidenceClass::Unproven,
            detector: "import@1".into(),
            audience: self.audience.clone(),
        })
    }

    /// Whether a claim can be addressed to an audience, if there is one. Without this check it
    /// would reach everybody whom its marking reaches.
    #[must_use]
    pub fn can_address(&self, claim: &Claim) -> bool {
        self.audience.is_empty() || claim.value.selector().is_some()
    }
}

/// The version that takes back what `line` remembers.
///
/// # Errors
/// [`ObjectError`], when the line does not remember an indicator.
pub fn revocation(line: &Line, now: Timestamp) -> Result<(Object, Line), ObjectError> {
    let markings: Vec<StixId> = line.tlp.map(Tlp::marking_id).into_iter().collect();
    let wire = Wire {
        kind: "indicator",
        spec_version: "2.1",
        id: &line.id,
        created_by_ref: line.by.as_ref(),
        created: line.created,
        modified: now.max(line.modified.plus(MICROSECOND)),
        revoked: true,
        name: None,
        indicator_types: &[],
        pattern: line.pattern.as_deref().unwrap_or_default(),
        pattern_type: line.pattern_type.as_deref().unwrap_or("stix"),
        valid_from: line.from.unwrap_or(line.created),
        valid_until: line.until,
        confidence: None,
        object_marking_refs: &markings,
        extensions: Default::default(),
    };
    let object = wire.object()?;
    let base = line.base.as_ref().unwrap_or(&line.id);
    let line = Line::of(&object, line.digest, base, line.generation);
    Ok((object, line))
}

/// The first eight bytes of a digest, as a number.
pub(crate) fn first_eight(digest: &[u8; 32]) -> u64 {
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(bytes)
}

const MICROSECOND: Duration = Duration::from_micros(1);

/// What one version of an indicator adds to its claim.
struct Draft {
    base: StixId,
    generation: u32,
    created: Timestamp,
    modified: Timestamp,
    until: Option<Timestamp>,
    tlp: Tlp,
}

impl Draft {
    /// A revocation is the last version (STIX 2.1 section 3.6): what is told again after it is
    /// another object.
    fn id(&self) -> StixId {
        match self.generation {
            0 => self.base.clone(),
            later => StixId::v5("indicator", &format!("{}|{later}", self.base)),
        }
    }
}

fn generation(known: Option<&Known>) -> u32 {
    known.map_or(0, |known| match known.revoked {
        true => known.generation.saturating_add(1),
        false => known.generation,
    })
}

fn created(claim: &Claim, now: Timestamp) -> Timestamp {
    let written = claim.created.or(claim.modified).unwrap_or(now);
    written.min(claim.modified.unwrap_or(now))
}

/// A version is later than the one before it, and than the creation.
fn modified(claim: &Claim, live: Option<&Known>, now: Timestamp) -> Timestamp {
    let at = claim.modified.unwrap_or(now);
    let after = live.map(|known| known.modified.plus(MICROSECOND));
    after.map_or(at, |after| at.max(after))
}

fn same_until(known: Option<Timestamp>, wanted: Option<(Timestamp, Duration)>) -> bool {
    match (known, wanted) {
        (None, None) => true,
        (Some(known), Some((until, slack))) => {
            until.since(known) <= slack && known.since(until) <= slack
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// An indicator, in the order in which it is written.
#[derive(Serialize)]
struct Wire<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    spec_version: &'a str,
    id: &'a StixId,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by_ref: Option<&'a StixId>,
    created: Timestamp,
    modified: Timestamp,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    revoked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    indicator_types: &'a [&'a str],
    pattern: &'a str,
    pattern_type: &'a str,
    valid_from: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<u8>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    object_marking_refs: &'a [StixId],
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    extensions: std::collections::BTreeMap<&'a str, serde_json::Value>,
}

impl Wire<'_> {
    fn object(&self) -> Result<Object, ObjectError> {
        let raw = serde_json::to_vec(self).unwrap_or_default();
        Object::parse(&raw, &Limits::default())
    }
}

#[cfg(test)]
mod tests;
