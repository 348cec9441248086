//! Why nothing is taken from a repository, in a word: the names of TUF's attacks, and what else.

use std::error::Error as StdError;
use std::path::PathBuf;

use tough::error::Error;
use tough::{TransportError, TransportErrorKind};

use crate::identity::IdentityError;

/// What is wrong with a repository. The first five are attacks that TUF names (specification
/// section 1.5.2); whoever serves it, or has its keys, is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An older version than one that was seen.
    Rollback,
    /// It is over: nobody says that it is still current.
    Freeze,
    /// Parts of different states.
    MixAndMatch,
    /// A pack is other bytes than its contributor's role names.
    Arbitrary,
    /// More bytes than were said, or than there may be.
    EndlessData,
    /// Not signed by enough of the keys that speak for it.
    WrongKey,
    /// A contributor names what is not its own.
    NotOwn,
    /// Slower than an update may be.
    SlowRetrieval,
    /// More roots, or more packs, than are followed.
    TooMany,
    /// The clock of this machine is behind what it showed before.
    Clock,
    /// Something that is listed is not there.
    Missing,
    /// Metadata cannot be read.
    Form,
    /// A target is no pack, or not the one that its name says.
    NotThePack,
}

impl Refusal {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Freeze => "freeze",
            Self::MixAndMatch => "mix-and-match",
            Self::Arbitrary => "arbitrary",
            Self::EndlessData => "endless-data",
            Self::WrongKey => "wrong-key",
            Self::NotOwn => "not-own",
            Self::SlowRetrieval => "slow-retrieval",
            Self::TooMany => "too-many",
            Self::Clock => "clock",
            Self::Missing => "missing",
            Self::Form => "form",
            Self::NotThePack => "not-the-pack",
        }
    }

    /// What would mend it.
    #[must_use]
    pub const fn mend(self) -> &'static str {
        match self {
            Self::Rollback => {
                "ask the operator of the hub; one that was restored needs `hub packs rotate`"
            }
            Self::Freeze => "ask the operator of the hub whether it runs, and look at both clocks",
            Self::WrongKey => {
                "ask the operator of the hub; never take another root but from its hands"
            }
            Self::Clock => "correct the clock of this machine",
            Self::MixAndMatch
            | Self::Arbitrary
            | Self::EndlessData
            | Self::NotOwn
            | Self::SlowRetrieval
            | Self::TooMany
            | Self::Missing
            | Self::Form
            | Self::NotThePack => "ask the operator of the hub; what is here stays as it is",
        }
    }
}

/// Why an update did not come about.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The repository is refused: the hub's fault, or that of who stands between.
    #[error("{}: {why}; {}", refusal.name(), refusal.mend())]
    Refused {
        /// In a word.
        refusal: Refusal,
        /// What exactly.
        why: String,
    },
    /// There is no such repository, or not for us.
    #[error("the hub has no repository of that name for us; `shieldwall pack list` shows which")]
    NoSuch,
    /// The hub does not answer: tried again later.
    #[error("the hub does not answer: {0}")]
    Unreachable(String),
    /// A file of ours cannot be used: the operator's to mend.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The identity cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl RepositoryError {
    /// The refusal, if it is one.
    #[must_use]
    pub const fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            Self::NoSuch | Self::Unreachable(_) | Self::File { .. } | Self::Identity(_) => None,
        }
    }

    pub(super) fn refused(refusal: Refusal, why: impl Into<String>) -> Self {
        let why = why.into();
        Self::Refused { refusal, why }
    }

    pub(super) fn file(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// What `tough` says, while it reads metadata or a `target`.
pub(super) fn named(error: &Error, target: bool) -> RepositoryError {
    let why = causes(error);
    if let Some(refusal) = of(error, target) {
        return RepositoryError::refused(refusal, why);
    }
    let inner = chain(error).find_map(|cause| cause.downcast_ref::<Error>());
    if let Some(refusal) = inner.and_then(|inner| of(inner, target)) {
        return RepositoryError::refused(refusal, why);
    }
    let transport = chain(error).find_map(|cause| cause.downcast_ref::<TransportError>());
    match transport.map(TransportError::kind) {
        Some(TransportErrorKind::FileNotFound) => RepositoryError::refused(Refusal::Missing, why),
        Some(_) => RepositoryError::Unreachable(why),
        None => RepositoryError::refused(Refusal::Form, why),
    }
}

/// The name of an error, if it has one of its own.
fn of(error: &Error, target: bool) -> Option<Refusal> {
    let rollback = matches!(
        error,
        Error::OlderMetadata { .. }
            | Error::OlderSnapshotInTimestamp { .. }
            | Error::SnapshotRoleMissing { .. }
            | Error::SnapshotRoleRollback { .. }
    );
    let key = matches!(
        error,
        Error::VerifyMetadata { .. }
            | Error::VerifyRoleMetadata { .. }
            | Error::VerifyTrustedMetadata { .. }
    );
    let digest = matches!(error, Error::HashMismatch { .. });
    let names = [
        (rollback, Refusal::Rollback),
        (key, Refusal::WrongKey),
        (digest && target, Refusal::Arbitrary),
        (
            digest || matches!(error, Error::VersionMismatch { .. }),
            Refusal::MixAndMatch,
        ),
        (
            matches!(error, Error::ExpiredMetadata { .. }),
            Refusal::Freeze,
        ),
        (
            matches!(error, Error::MaxSizeExceeded { .. }),
            Refusal::EndlessData,
        ),
        (matches!(error, Error::InvalidPath { .. }), Refusal::NotOwn),
        (
            matches!(error, Error::MaxUpdatesExceeded { .. }),
            Refusal::TooMany,
        ),
        (
            matches!(error, Error::SystemTimeSteppedBackward { .. }),
            Refusal::Clock,
        ),
    ];
    let mut names = names.into_iter().filter(|(is, _)| *is);
    names.next().map(|(_, refusal)| refusal)
}

fn chain(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// The error and its causes, each said once.
fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    for cause in chain(error).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}
