//! From bytes to a pack that may run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use semver::Version;
use stix::Timestamp;

use crate::archive::{self, ArchiveError, Files};
use crate::dsse::{Envelope, IN_TOTO};
use crate::json::DocumentError;
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::path::PackPath;
use crate::statement::{PREDICATE, STATEMENT, Statement};
use crate::trust::Trust;
use crate::unverified;
use crate::value::{Digest, PackId, Text};

/// How far the clock of who made a pack may be ahead of ours.
const SKEW_MAX: Duration = Duration::from_secs(300);

/// A pack that those whom the operator trusts signed, whole and in force when it was verified.
///
/// [`VerifiedPack::verify`] alone makes one: its fields are private.
///
/// ```compile_fail,E0451
/// # fn made_up(pack: pack::VerifiedPack) {
/// let forged = pack::VerifiedPack { signers: Vec::new(), ..pack };
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct VerifiedPack {
    manifest: Manifest,
    digest: Digest,
    files: BTreeMap<PackPath, Vec<u8>>,
    signers: Vec<Text>,
}

/// When and where a pack is judged.
#[derive(Clone, Debug)]
pub struct Moment<'a> {
    /// The time.
    pub now: Timestamp,
    /// The version of Shieldwall that would run it.
    pub engine: &'a Version,
    /// The highest sequence of each pack that was ever taken here.
    pub seen: &'a BTreeMap<PackId, u64>,
}

/// Why a pack is refused. [`PackError::name`] says it in a word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Not an archive as packs are.
    #[error("not a pack: {0}")]
    Archive(#[from] ArchiveError),
    /// No manifest.
    #[error("there is no pack.json in it: make it with `shieldwall pack build`")]
    NoManifest,
    /// The manifest is not legal.
    #[error("pack.json: {0}")]
    Manifest(DocumentError),
    /// A listed file is not there.
    #[error("{0} is listed in pack.json and not there: get the pack again")]
    Missing(PackPath),
    /// A file has another size or digest than the manifest says.
    #[error("{0} is not what pack.json says of it: get the pack again")]
    Changed(PackPath),
    /// A file that the manifest does not list.
    #[error("{0} is not listed in pack.json: get the pack again, and ask who added it")]
    Unlisted(PackPath),
    /// Nobody signed it.
    #[error("nobody signed it: sign it with `shieldwall pack sign`")]
    Unsigned,
    /// The envelope cannot be read.
    #[error("signatures/pack.dsse: {0}")]
    Envelope(DocumentError),
    /// The envelope is not in its one form.
    #[error("signatures/pack.dsse: not in canonical form: sign it with `shieldwall pack sign`")]
    EnvelopeForm,
    /// The envelope holds something else than a statement.
    #[error(
        "signatures/pack.dsse: the payload is {0:?}, not \"{IN_TOTO}\": sign it with `shieldwall pack sign`"
    )]
    PayloadType(Box<str>),
    /// A signature does not say whose it is.
    #[error(
        "signatures/pack.dsse: a signature without a keyid that is a SHA-256 digest: sign it with `shieldwall pack sign`"
    )]
    KeyId,
    /// A key signed twice, or the signatures are not in order of their keys.
    #[error("signatures/pack.dsse: {0} stands twice or out of order: each key signs once")]
    DuplicateKey(Digest),
    /// A key signed that was taken back.
    #[error("the key {0}, which signed it, was revoked: get a version that it did not sign")]
    RevokedKey(Digest),
    /// A signature in the name of a trusted key is not its.
    #[error("the signature in the name of {holder} (key {key}) is not theirs: get the pack again")]
    BadSignature {
        /// Whose name it bears.
        holder: Text,
        /// The key.
        key: Digest,
    },
    /// Fewer trusted holders signed than the operator asks for.
    #[error("signed by {} of those whom you trust ({}); it takes {want}", have.len(), names(have))]
    TooFewSigners {
        /// Who did.
        have: Vec<Text>,
        /// How many it takes.
        want: usize,
    },
    /// Others signed, and not who the manifest says publishes it.
    #[error(
        "{publisher} is named as its publisher, and did not sign it ({} did)",
        names(have)
    )]
    PublisherDidNotSign {
        /// Who should have.
        publisher: Text,
        /// Who did.
        have: Vec<Text>,
    },
    /// What is signed is no statement over a pack.
    #[error("signatures/pack.dsse: the statement: {0}")]
    Statement(DocumentError),
    /// What is signed is a statement about something else.
    #[error(
        "signatures/pack.dsse: the statement is a {0:?}, not one over a pack: sign it with `shieldwall pack sign`"
    )]
    StatementType(Box<str>),
    /// The statement is over another pack.
    #[error("signatures/pack.dsse: the statement is over another pack: get the pack again")]
    OtherPack,
    /// What is signed has another digest of a file than the file.
    #[error("{0:?} is not what was signed: get the pack again")]
    NotAsSigned(Box<str>),
    /// A file is not covered by the signatures.
    #[error("{0} is not covered by the signatures: get the pack again, and ask who added it")]
    NotSigned(PackPath),
    /// It, or a file of it, was taken back.
    #[error("{what} ({digest}) was revoked: get another version")]
    Revoked {
        /// The pack, or a file.
        what: Box<str>,
        /// Its digest.
        digest: Digest,
    },
    /// It is from the future.
    #[error("made at {created}, and it is {now}: look at the clock of this machine")]
    NotYet {
        /// When it was made.
        created: Timestamp,
        /// The time.
        now: Timestamp,
    },
    /// It is over.
    #[error("expired at {expires}, and it is {now}: get a newer version")]
    Expired {
        /// When it ended.
        expires: Timestamp,
        /// The time.
        now: Timestamp,
    },
    /// It needs a newer Shieldwall.
    #[error("needs Shieldwall {needs}, and this is {have}: update Shieldwall")]
    Engine {
        /// What it needs.
        needs: Version,
        /// What this is.
        have: Version,
    },
    /// An older one than was seen before.
    #[error("its sequence is {sequence}, and {seen} was seen here: somebody serves an old version")]
    Rollback {
        /// Its sequence.
        sequence: u64,
        /// The highest one that was seen.
        seen: u64,
    },
}

impl PackError {
    /// The refusal in a word, for programs; these words stay.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Archive(error) => error.name(),
            Self::NoManifest => "no-manifest",
            Self::Manifest(_) => "manifest",
            Self::Missing(_) => "missing-file",
            Self::Changed(_) => "changed-file",
            Self::Unlisted(_) => "unlisted-file",
            Self::Unsigned => "unsigned",
            Self::Envelope(_) | Self::EnvelopeForm => "envelope",
            Self::PayloadType(_) => "payload-type",
            Self::KeyId => "key-id",
            Self::DuplicateKey(_) => "duplicate-key",
            Self::RevokedKey(_) => "revoked-key",
            Self::BadSignature { .. } => "bad-signature",
            Self::TooFewSigners { .. } => "too-few-signers",
            Self::PublisherDidNotSign { .. } => "publisher-did-not-sign",
            Self::Statement(_) | Self::StatementType(_) => "statement",
            Self::OtherPack => "other-pack",
            Self::NotAsSigned(_) => "not-as-signed",
            Self::NotSigned(_) => "not-signed",
            Self::Revoked { .. } => "revoked",
            Self::NotYet { .. } => "not-yet",
            Self::Expired { .. } => "expired",
            Self::Engine { .. } => "engine-too-old",
            Self::Rollback { .. } => "rollback",
        }
    }
}

impl VerifiedPack {
    /// Verifies a pack: the signatures first, then that what was signed is what is there, then the
    /// manifest, then that it is in force.
    ///
    /// # Failure bias
    /// Closed: whatever is not understood is refused. A shield goes on with the version that it has.
    ///
    /// # Errors
    /// [`PackError`], named.
    pub fn verify(
        bytes: &[u8],
        trust: &Trust,
        at: &Moment<'_>,
        limits: &Limits,
    ) -> Result<Self, PackError> {
        let files = archive::read(bytes, limits)?;
        let envelope = unverified::envelope(&files, limits)?.ok_or(PackError::Unsigned)?;
        let signers = signers(&envelope, trust)?;
        let statement = statement(&envelope, limits)?;
        covered(&statement, &files)?;
        let (manifest, digest) = unverified::manifest(&files, limits)?;
        if statement != Statement::over(&files, &manifest) {
            return Err(PackError::OtherPack);
        }
        if !signers.contains(&manifest.publisher) {
            return Err(PackError::PublisherDidNotSign {
                publisher: manifest.publisher,
                have: signers,
            });
        }
        not_revoked(&manifest, digest, trust)?;
        in_force(&manifest, at)?;
        let owned = files.into_iter();
        Ok(Self {
            manifest,
            digest,
            files: owned
                .map(|(path, content)| (path, content.to_vec()))
                .collect(),
            signers,
        })
    }

    /// The manifest.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest of the pack: that of its manifest, whoever signed it.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The content of a file.
    #[must_use]
    pub fn file(&self, path: &PackPath) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// The holders of trusted keys that signed it, in order of their names.
    #[must_use]
    pub fn signers(&self) -> &[Text] {
        &self.signers
    }
}

/// The trusted holders who signed, if they are enough. A signature of a key that the operator does
/// not know counts for nothing; one that is wrong in the name of a key that the operator knows
/// refuses the pack.
fn signers(envelope: &Envelope, trust: &Trust) -> Result<Vec<Text>, PackError> {
    if envelope.payload_type != IN_TOTO {
        let found = envelope.payload_type.chars().take(100).collect::<String>();
        return Err(PackError::PayloadType(found.into()));
    }
    let message = envelope.signed();
    let mut last: Option<Digest> = None;
    let mut holders = BTreeSet::new();
    for signature in &envelope.signatures {
        let key = signature.keyid.as_deref().and_then(|id| id.parse().ok());
        let key: Digest = key.ok_or(PackError::KeyId)?;
        if last.is_some_and(|last| last >= key) {
            return Err(PackError::DuplicateKey(key));
        }
        last = Some(key);
        if trust.revoked_keys.contains(&key) {
            return Err(PackError::RevokedKey(key));
        }
        let Some(trusted) = trust.key(&key) else {
            continue;
        };
        let holder = trusted.holder.clone();
        if !trusted.key.verifies(&message, &signature.sig) {
            return Err(PackError::BadSignature { holder, key });
        }
        holders.insert(holder);
    }
    let have: Vec<Text> = holders.into_iter().collect();
    match have.len() >= trust.threshold.max(1) {
        true => Ok(have),
        false => Err(PackError::TooFewSigners {
            have,
            want: trust.threshold,
        }),
    }
}

fn statement(envelope: &Envelope, limits: &Limits) -> Result<Statement, PackError> {
    let statement = Statement::read(&envelope.payload, limits.envelope_bytes_max)
        .map_err(PackError::Statement)?;
    for (found, want) in [
        (&statement.kind, STATEMENT),
        (&statement.predicate_type, PREDICATE),
    ] {
        if found != want {
            let found = found.chars().take(100).collect::<String>();
            return Err(PackError::StatementType(found.into()));
        }
    }
    Ok(statement)
}

/// Every file is what was signed, and nothing that was signed is missing.
fn covered(statement: &Statement, files: &Files<'_>) -> Result<(), PackError> {
    let mut digests = statement.digests();
    for (path, content) in files {
        if path.as_str() == crate::ENVELOPE {
            continue;
        }
        match digests.remove(path.as_str()) {
            None => return Err(PackError::NotSigned(path.clone())),
            Some(digest) if digest != Digest::of(content) => {
                return Err(PackError::NotAsSigned(path.as_str().into()));
            }
            Some(_) => {}
        }
    }
    match digests.keys().next() {
        None => Ok(()),
        Some(name) => Err(PackError::NotAsSigned((*name).into())),
    }
}

fn not_revoked(manifest: &Manifest, digest: Digest, trust: &Trust) -> Result<(), PackError> {
    let pack = ("the pack", digest);
    let files = manifest.files.iter();
    let files = files.map(|file| (file.path.as_str(), file.sha256));
    let mut all = std::iter::once(pack).chain(files);
    match all.find(|(_, digest)| trust.revoked.contains(digest)) {
        None => Ok(()),
        Some((what, digest)) => Err(PackError::Revoked {
            what: what.into(),
            digest,
        }),
    }
}

fn in_force(manifest: &Manifest, at: &Moment<'_>) -> Result<(), PackError> {
    let now = at.now;
    let (created, expires) = (manifest.created, manifest.expires);
    if created > now.plus(SKEW_MAX) {
        return Err(PackError::NotYet { created, now });
    }
    if expires <= now {
        return Err(PackError::Expired { expires, now });
    }
    if manifest.min_engine > *at.engine {
        return Err(PackError::Engine {
            needs: manifest.min_engine.clone(),
            have: at.engine.clone(),
        });
    }
    let sequence = manifest.sequence;
    match at.seen.get(&manifest.id()) {
        Some(seen) if sequence < *seen => Err(PackError::Rollback {
            sequence,
            seen: *seen,
        }),
        Some(_) | None => Ok(()),
    }
}

fn names(holders: &[Text]) -> String {
    match holders {
        [] => "nobody".to_owned(),
        [..] => holders
            .iter()
            .map(Text::as_ref)
            .collect::<Vec<&str>>()
            .join(", "),
    }
}
