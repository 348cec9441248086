//! Taking a publication: is the pack what it says, and does the role speak for its own alone?

use super::contributors::{Contributor, Seen};
use super::disk::Folder;
use super::repository::{Changes, Repository};
use crate::error::HubError;
use crate::secrets;
use pack::key::PublicKey;
use pack::tuf::{self, Body as _, Change, RoleError, Signed, Target, Targets};
use pack::{Digest, Limits, Moment, Name, PackError, Trust, TrustedKey, Unverified, VerifiedPack};
use semver::Version;
use std::collections::{BTreeMap, BTreeSet};
use stix::Timestamp;
use taxii::packs::{Publication, Published};

/// Why a publication is not taken: who publishes is at fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Not a publication.
    #[error("{0}; send it with `shieldwall pack publish`")]
    Form(String),
    /// The role is not one that this partner may put there.
    #[error("{0}")]
    Role(#[from] RoleError),
    /// The partner has another key.
    #[error(
        "you publish under another key; sign the role with that one as well, or, when it is lost, ask \
         the operator of the hub for `hub packs rekey`"
    )]
    OtherKey,
    /// The pack is refused by what every shield would refuse it for.
    #[error("the pack is refused: {0}")]
    Pack(#[from] PackError),
    /// The pack is not the one that the role names.
    #[error("the role names {what}, and the pack is {is}; publish the pack that it names")]
    OtherPack {
        /// What the role says.
        what: String,
        /// What the pack says.
        is: String,
    },
    /// A pack came, and nothing in the role is new, or none came, and something is.
    #[error("{0}")]
    Missing(&'static str),
    /// The sequence does not rise.
    #[error(
        "sequence {sequence} is not above {seen}, which was published before; raise it in pack.json"
    )]
    Sequence {
        /// Of the pack.
        sequence: u64,
        /// The highest one until now.
        seen: u64,
    },
    /// Another name of who publishes than before, or that of another partner.
    #[error("publisher {0:?} is not the name that you published under, or is another partner's")]
    Publisher(String),
    /// More bytes than one partner may have there.
    #[error("{bytes} bytes of packs, more than {max}; withdraw some")]
    TooMuch {
        /// All that the role names.
        bytes: u64,
        /// How much it may.
        max: u64,
    },
}

impl Refusal {
    /// In a word.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Form(_) => "form",
            Self::Role(error) => error.name(),
            Self::OtherKey => "other-key",
            Self::Pack(error) => error.name(),
            Self::OtherPack { .. } => "other-pack",
            Self::Missing(_) => "missing",
            Self::Sequence { .. } => "sequence",
            Self::Publisher(_) => "publisher",
            Self::TooMuch { .. } => "too-much",
        }
    }
}

/// Why a publication did not come about.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Ours(#[from] HubError),
}

/// Bounds on what one partner publishes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of one pack.
    pub(super) pack_bytes_max: usize,
    /// Bytes of all packs of a partner in one repository.
    pub(super) packs_bytes_max: u64,
}

/// Takes what `partner` published: a line with its role, then the new pack. Blocks.
pub(super) fn publish(
    folder: Folder,
    partner: &str,
    body: &[u8],
    bounds: Bounds,
    now: Timestamp,
) -> Result<Published, PublishError> {
    let (role, raw, key, pack) = read(body)?;
    let _lock = folder.lock()?;
    let mut repository = Repository::open(folder)?;
    let mut contributor = match repository.contributors.0.get(partner) {
        None => Contributor::new(&key),
        Some(known) => known.clone(),
    };
    let registered = contributor.key()?;
    if registered != key && !role.is_signed_by(&[registered], 1) {
        return Err(Refusal::OtherKey.into());
    }
    contributor.set_key(&key);
    let before = repository.role(partner)?.map(|(before, _)| before);
    // What another key named must be published again.
    let before = before.map(|mut before| {
        if !before.is_signed_by(&[key], 1) {
            before.signed.targets.clear();
        }
        before
    });
    let change = tuf::change(partner, &key, before.as_ref(), &role, now).map_err(Refusal::Role)?;
    room(&role.signed, bounds)?;
    judge(&change, pack, bounds, &mut contributor, &key, now)?;
    let publisher = contributor.publisher.as_ref();
    if let Some(publisher) = publisher
        && repository.contributors.is_of_another(partner, publisher)
    {
        return Err(Refusal::Publisher(publisher.to_string()).into());
    }
    if let Some((_, target)) = &change.added {
        let path = repository.folder.target(&target.hashes.sha256);
        secrets::replace_durably(&path, &[pack])?;
    }
    take(
        &mut repository,
        partner,
        (contributor, key),
        (&role, raw),
        now,
    )?;
    Ok(Published {
        role: role.signed.version(),
        snapshot: repository.snapshot_version(),
        expires: role.signed.expires(),
    })
}

/// Puts the role there; everything is checked.
fn take(
    repository: &mut Repository,
    partner: &str,
    (contributor, key): (Contributor, PublicKey),
    (role, raw): (&Signed<Targets>, Vec<u8>),
    now: Timestamp,
) -> Result<(), HubError> {
    let version = role.signed.version();
    let file = format!("{version}.{partner}.json");
    repository.folder.write(&file, &raw)?;
    let known = &mut repository.contributors;
    known.0.insert(partner.to_owned(), contributor);
    known.write(&repository.folder)?;
    let present = repository.delegations();
    let mut delegations = present.clone();
    delegations.add(partner, &key);
    let changes = Changes {
        delegations: Some(delegations).filter(|all| *all != present),
        role: Some((partner.to_owned(), version, raw)),
        anew: false,
    };
    repository.commit(changes, now)
}

type Read<'a> = (Signed<Targets>, Vec<u8>, PublicKey, &'a [u8]);

/// The parts of a publication.
fn read(body: &[u8]) -> Result<Read<'_>, Refusal> {
    let form = |error: &dyn std::fmt::Display| Refusal::Form(error.to_string());
    let end = body.iter().position(|byte| *byte == b'\n');
    let (line, pack) = end
        .and_then(|end| body.split_at_checked(end))
        .ok_or_else(|| form(&"no line with a role before the pack"))?;
    let publication: Publication = serde_json::from_slice(line).map_err(|error| form(&error))?;
    let key = PublicKey::read(&publication.key).map_err(|error| form(&error))?;
    let raw = publication.role.get().as_bytes().to_vec();
    let role = Signed::read(&raw).map_err(|error| form(&format!("role: {error}")))?;
    let pack = pack.strip_prefix(b"\n").unwrap_or_default();
    Ok((role, raw, key, pack))
}

fn room(role: &Targets, bounds: Bounds) -> Result<(), Refusal> {
    let lengths = role.targets.values().map(|target| target.length);
    let bytes = lengths.fold(0_u64, u64::saturating_add);
    let max = bounds.packs_bytes_max;
    match bytes > max {
        true => Err(Refusal::TooMuch { bytes, max }),
        false => Ok(()),
    }
}

/// Whether the new pack, if there is one, is what the role says, of the contributor, and newer.
fn judge(
    change: &Change,
    bytes: &[u8],
    bounds: Bounds,
    contributor: &mut Contributor,
    key: &PublicKey,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some((name, target)) = &change.added else {
        return match bytes.is_empty() {
            true => Ok(()),
            false => Err(Refusal::Missing(
                "the role names no new pack, and one came with it",
            )),
        };
    };
    if bytes.is_empty() {
        return Err(Refusal::Missing(
            "the role names a new pack, and none came with it",
        ));
    }
    let pack = verified(bytes, bounds, contributor, key, now)?;
    let manifest = pack.manifest();
    compare(name, target, &pack, bytes)?;
    let (sequence, digest) = (manifest.sequence, pack.digest());
    match contributor.seen.get(name) {
        // The same pack under more signatures.
        Some(seen) if *seen == (Seen { sequence, digest }) => {}
        Some(seen) if sequence <= seen.sequence => {
            let seen = seen.sequence;
            return Err(Refusal::Sequence { sequence, seen });
        }
        Some(_) | None => {}
    }
    let seen = Seen { sequence, digest };
    contributor.seen.insert(name.clone(), seen);
    contributor.publisher = Some(manifest.publisher.clone());
    Ok(())
}

/// Judged as a shield would that trusts this contributor alone; what version of Shieldwall it needs is
/// no matter here.
fn verified(
    bytes: &[u8],
    bounds: Bounds,
    contributor: &Contributor,
    key: &PublicKey,
    now: Timestamp,
) -> Result<VerifiedPack, Refusal> {
    let limits = Limits {
        pack_bytes_max: bounds.pack_bytes_max,
        ..Limits::default()
    };
    let publisher = Unverified::read(bytes, &limits)?.manifest.publisher;
    if contributor
        .publisher
        .as_ref()
        .is_some_and(|known| *known != publisher)
    {
        return Err(Refusal::Publisher(publisher.to_string()));
    }
    let trust = Trust {
        keys: vec![TrustedKey {
            holder: publisher,
            key: *key,
        }],
        threshold: 1,
        revoked_keys: BTreeSet::new(),
        revoked: BTreeSet::new(),
    };
    let at = Moment {
        now,
        engine: &Version::new(u64::MAX, 0, 0),
        seen: &BTreeMap::new(),
    };
    Ok(VerifiedPack::verify(bytes, &trust, &at, &limits)?)
}

fn compare(name: &Name, target: &Target, pack: &VerifiedPack, bytes: &[u8]) -> Result<(), Refusal> {
    let manifest = pack.manifest();
    let said = |name: &Name, version: &Version, sequence, length, digest: &Digest| {
        format!("{name} {version} (sequence {sequence}), {length} bytes, SHA-256 {digest}")
    };
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let (custom, digest) = (&target.custom, target.hashes.sha256);
    let what = said(
        name,
        &custom.version,
        custom.sequence,
        target.length,
        &digest,
    );
    let (version, sequence) = (&manifest.version, manifest.sequence);
    let is = said(
        &manifest.name,
        version,
        sequence,
        length,
        &Digest::of(bytes),
    );
    match what == is {
        true => Ok(()),
        false => Err(Refusal::OtherPack { what, is }),
    }
}
