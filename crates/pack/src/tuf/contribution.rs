//! What a contributor's role may say. Whoever publishes must ask before a snapshot lists the role:
//! clients refuse a whole repository for one role that names what is not its own, or that is over.

use std::time::Duration;

use stix::Timestamp;

use super::{Body as _, Signed, Target, Targets};
use crate::key::PublicKey;
use crate::value::Name;

/// Most packs of one contributor.
pub const PACKS_MAX: usize = 64;
/// A role ends at least so long after it was handed in.
pub const EXPIRY_MIN: Duration = Duration::from_secs(24 * 3600);
/// And at most so long.
pub const EXPIRY_MAX: Duration = Duration::from_secs(400 * 24 * 3600);
/// What the name of a target ends in.
pub const TARGET_SUFFIX: &str = ".swpack";

/// Names of roles that no contributor can have.
const RESERVED: [&str; 4] = ["root", "snapshot", "targets", "timestamp"];

/// Why a contributor's role is not taken. The contributor's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// The partner has a name of TUF's own.
    #[error("a partner called {0:?} cannot contribute: a role of every repository has this name")]
    Reserved(Box<str>),
    /// Not signed by the key.
    #[error("the role is not signed by the key {0}: sign it with that key")]
    WrongKey(crate::value::Digest),
    /// It would have others speak for it.
    #[error("$.signed.delegations: a contributor delegates to nobody: leave it out")]
    Delegates,
    /// It names what is not its own.
    #[error("{name:?} is not a contribution of {partner}: name targets {partner}/NAME.swpack")]
    NotOwn {
        /// What it names.
        name: Box<str>,
        /// Who it is.
        partner: Box<str>,
    },
    /// More packs than one contributor may have.
    #[error("{0} packs, more than {PACKS_MAX}: withdraw some")]
    TooMany(usize),
    /// Not the next version.
    #[error("version {found}, where {want} is next: get the current role and begin anew")]
    Version {
        /// What it is.
        found: u64,
        /// What it must be.
        want: u64,
    },
    /// Ends too soon or too late.
    #[error("$.signed.expires: {0} is not between 1 and 400 days from now: choose another day")]
    Expiry(Timestamp),
    /// More than one pack is another.
    #[error("{0:?} and {1:?} are other packs than before: publish one at a time")]
    Several(Box<str>, Box<str>),
}

impl RoleError {
    /// The refusal in a word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Reserved(_) => "reserved-name",
            Self::WrongKey(_) => "wrong-key",
            Self::Delegates => "delegates",
            Self::NotOwn { .. } => "not-own",
            Self::TooMany(_) => "too-many-packs",
            Self::Version { .. } => "version",
            Self::Expiry(_) => "expiry",
            Self::Several(..) => "several",
        }
    }
}

/// What is new in a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The pack that is another than before, or new.
    pub added: Option<(Name, Target)>,
    /// The packs that are gone.
    pub removed: Vec<String>,
}

/// The target of a partner's pack.
#[must_use]
pub fn target_name(partner: &str, pack: &Name) -> String {
    format!("{partner}/{pack}{TARGET_SUFFIX}")
}

/// The partner and the pack of a target.
#[must_use]
pub fn target_of(name: &str) -> Option<(&str, Name)> {
    let (partner, file) = name.split_once('/')?;
    let pack = file.strip_suffix(TARGET_SUFFIX)?.parse().ok()?;
    stix::lease::is_partner_name(partner).then_some((partner, pack))
}

/// Whether this role is one that `partner`, whose key this is, may put after `before`.
///
/// # Errors
/// [`RoleError`], named.
pub fn change(
    partner: &str,
    key: &PublicKey,
    before: Option<&Signed<Targets>>,
    role: &Signed<Targets>,
    now: Timestamp,
) -> Result<Change, RoleError> {
    if RESERVED.contains(&partner) {
        return Err(RoleError::Reserved(partner.into()));
    }
    if !role.is_signed_by(&[*key], 1) {
        return Err(RoleError::WrongKey(super::key_id(key)));
    }
    let body = &role.signed;
    if body.delegations.is_some() {
        return Err(RoleError::Delegates);
    }
    if body.targets.len() > PACKS_MAX {
        return Err(RoleError::TooMany(body.targets.len()));
    }
    let want = before.map_or(1, |before| before.signed.version().saturating_add(1));
    if body.version() != want {
        let found = body.version();
        return Err(RoleError::Version { found, want });
    }
    let ends = body.expires();
    if ends < now.plus(EXPIRY_MIN) || ends > now.plus(EXPIRY_MAX) {
        return Err(RoleError::Expiry(ends));
    }
    let known = |name: &str| before.and_then(|before| before.signed.targets.get(name));
    let mut added: Option<(Name, Target)> = None;
    for (name, target) in &body.targets {
        let own = target_of(name).filter(|(owner, _)| *owner == partner);
        let Some((_, pack)) = own else {
            let (name, partner) = (name.as_str().into(), partner.into());
            return Err(RoleError::NotOwn { name, partner });
        };
        if known(name) == Some(target) {
            continue;
        }
        if let Some((other, _)) = &added {
            let other = target_name(partner, other);
            return Err(RoleError::Several(other.into(), name.as_str().into()));
        }
        added = Some((pack, target.clone()));
    }
    let names = before.into_iter().flat_map(|b| b.signed.targets.keys());
    let removed = names.filter(|name| !body.targets.contains_key(*name));
    Ok(Change {
        added,
        removed: removed.cloned().collect(),
    })
}
