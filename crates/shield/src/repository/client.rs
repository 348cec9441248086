//! One repository at the hub, and what is remembered of it.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use pack::tuf::{METADATA_BYTES_MAX, target_of};
use pack::{Digest, Limits as PackLimits, Name};
use semver::Version;
use tough::{
    IntoVec as _, Limits, Repository, RepositoryLoader, TargetName, Transport as _, TransportError,
    TransportErrorKind,
};
use url::Url;

use super::keep;
use super::refusal::{Refusal, RepositoryError, named};
use super::transport::Hub;
use crate::identity::Identity;

/// Most roots that are followed in one update.
const ROOTS_MAX: u64 = 256;
/// What the hub answers for what is not there.
const NOT_FOUND: TransportErrorKind = TransportErrorKind::FileNotFound;
/// The newest root that is trusted.
const ROOT: &str = "root.json";

/// A client of one repository. Its folder remembers the newest root and the versions seen, so that
/// nobody is led back.
#[derive(Clone, Debug)]
pub struct Client {
    identity: Identity,
    base: Url,
    folder: PathBuf,
    pinned: Option<PathBuf>,
}

/// A pack that a repository lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The partner that contributes it.
    pub partner: String,
    /// Its name.
    pub pack: Name,
    /// Its version, as the contributor's role says.
    pub version: Version,
    /// Its sequence, as the contributor's role says.
    pub sequence: u64,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
    target: TargetName,
}

/// A repository that is current.
#[derive(Debug)]
pub struct Loaded(Repository);

impl Client {
    /// A client of the repository `name` at the hub `url`, with what it remembers in `folder`. The
    /// first root is in the file `pinned`, or else asked of the hub.
    ///
    /// # Errors
    /// [`RepositoryError::Unreachable`] for an address that is none.
    pub fn new(
        identity: Identity,
        url: &str,
        name: &str,
        folder: &Path,
        pinned: Option<&Path>,
    ) -> Result<Self, RepositoryError> {
        let base = format!("{url}/exchange/v1/packs/{name}/");
        let base = Url::parse(&base).map_err(|e| RepositoryError::Unreachable(e.to_string()))?;
        Ok(Self {
            identity,
            base,
            folder: folder.to_owned(),
            pinned: pinned.map(Path::to_owned),
        })
    }

    /// Brings what is known of the repository up to date. `tough` takes the time from the system.
    ///
    /// # Errors
    /// [`RepositoryError`]; what was known stays known.
    pub async fn load(&self) -> Result<Loaded, RepositoryError> {
        let hub = Hub::new(&self.identity)?;
        let made = fs::create_dir_all(&self.folder);
        made.map_err(|error| RepositoryError::file(&self.folder, error))?;
        let root = self.root(&hub).await?;
        let limits = Limits {
            max_root_size: bytes(METADATA_BYTES_MAX),
            max_targets_size: bytes(METADATA_BYTES_MAX),
            max_timestamp_size: bytes(METADATA_BYTES_MAX),
            max_snapshot_size: bytes(METADATA_BYTES_MAX),
            max_root_updates: ROOTS_MAX,
        };
        let loader = RepositoryLoader::new(&root, self.at("metadata/")?, self.at("targets/")?);
        let loader = loader.transport(hub).limits(limits);
        let loaded = loader.datastore(&self.folder).load().await;
        let repository = loaded.map_err(|error| named(&error, false))?;
        self.remember(&repository)?;
        Ok(Loaded(repository))
    }

    /// The root that is trusted until now.
    async fn root(&self, hub: &Hub) -> Result<Vec<u8>, RepositoryError> {
        let path = self.folder.join(ROOT);
        let known = match path.exists() {
            true => Some(&path),
            false => self.pinned.as_ref(),
        };
        if let Some(path) = known {
            return fs::read(path).map_err(|error| RepositoryError::file(path, error));
        }
        let url = self.at("metadata/1.root.json")?;
        let failed = |error: TransportError| match error.kind() == NOT_FOUND {
            true => RepositoryError::NoSuch,
            false => RepositoryError::Unreachable(error.to_string()),
        };
        let mut pieces = hub.fetch(url).await.map_err(failed)?;
        let mut root = Vec::new();
        while let Some(piece) = pieces.next().await {
            root.extend_from_slice(&piece.map_err(failed)?);
            if root.len() > METADATA_BYTES_MAX {
                let why = "the first root is too long";
                return Err(RepositoryError::refused(Refusal::EndlessData, why));
            }
        }
        Ok(root)
    }

    fn at(&self, path: &str) -> Result<Url, RepositoryError> {
        let url = self.base.join(path);
        url.map_err(|error| RepositoryError::Unreachable(error.to_string()))
    }

    /// Keeps the newest root. Roles of contributors, which `tough` writes in each version and never
    /// reads, are left out.
    fn remember(&self, repository: &Repository) -> Result<(), RepositoryError> {
        let failed = |error| RepositoryError::file(&self.folder, error);
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            let versioned = name.first().is_some_and(u8::is_ascii_digit);
            if versioned && name.ends_with(b".json") {
                fs::remove_file(&path).map_err(|error| RepositoryError::file(&path, error))?;
            }
        }
        let path = self.folder.join(ROOT);
        let root = serde_json::to_vec(repository.root())
            .map_err(|error| RepositoryError::refused(Refusal::Form, error.to_string()))?;
        if fs::read(&path).is_ok_and(|known| known == root) {
            return Ok(());
        }
        keep::replace(&path, &root).map_err(|error| RepositoryError::file(&path, error))
    }
}

impl Loaded {
    /// The packs that it lists, those of other names than packs have left out.
    #[must_use]
    pub fn packs(&self) -> Vec<Offered> {
        let mut packs: Vec<Offered> = self
            .0
            .all_targets()
            .filter_map(|(name, target)| {
                let (partner, pack) = target_of(name.raw())?;
                let sha256: &[u8] = target.hashes.sha256.as_ref();
                Some(Offered {
                    partner: partner.to_owned(),
                    pack,
                    version: target.custom.get("version")?.as_str()?.parse().ok()?,
                    sequence: target.custom.get("sequence")?.as_u64()?,
                    sha256: Digest::from_bytes(sha256.try_into().ok()?),
                    length: target.length,
                    target: name.clone(),
                })
            })
            .collect();
        packs.sort_by(|one, other| one.target.cmp(&other.target));
        packs
    }

    /// The version of the root.
    #[must_use]
    pub fn root_version(&self) -> u64 {
        self.0.root().signed.version.get()
    }

    /// The bytes of a pack: those that its contributor's role names, in the length it says.
    ///
    /// # Errors
    /// [`RepositoryError`], named.
    pub async fn fetch(&self, offered: &Offered) -> Result<Vec<u8>, RepositoryError> {
        let max = PackLimits::default().pack_bytes_max;
        if offered.length > bytes(max) {
            let why = format!("{} bytes, more than a pack's {max}", offered.length);
            return Err(RepositoryError::refused(Refusal::EndlessData, why));
        }
        let stream = self.0.read_target(&offered.target).await;
        let stream = stream.map_err(|error| named(&error, true))?;
        let stream = stream.ok_or_else(|| {
            RepositoryError::refused(Refusal::Missing, offered.target.raw().to_owned())
        })?;
        stream.into_vec().await.map_err(|error| named(&error, true))
    }
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
