//! Administration: partners, invitations and tokens, for whoever may read the data folder.
//!
//! It works beside a running hub: both use the same store, and the hub looks every credential up
//! when it is shown.

use crate::backup;
use crate::clock;
use crate::error::HubError;
use crate::secrets;
use crate::storage::{Storage, store_error};
use crate::tls::authority::Authority;
use exchange::{EitherStore, NewPartner, Partner, Registry as _, StoreError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use taxii::enrol::{Invitation, token_text};

/// How long an invitation can be used.
pub const INVITATION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// The administration of one data folder.
#[derive(Clone, Debug)]
pub struct Admin {
    data: PathBuf,
    store: Arc<EitherStore>,
}

impl Admin {
    /// Opens the data folder of a hub, running or not; a fresh folder is set up. The store is the one
    /// that the hub last ran on.
    ///
    /// # Errors
    /// [`HubError::File`] and [`HubError::Store`] when the folder cannot be used.
    pub async fn open(data: &Path) -> Result<Self, HubError> {
        secrets::private_folder(data)?;
        let known = About::read(data)?;
        let postgres = known.and_then(|known| known.postgres);
        let storage = match postgres {
            None => Storage::beside_keys(data),
            Some(text) => Storage::postgres(&text)?,
        };
        Ok(Self::over(data, Arc::new(storage.open_admin().await?)))
    }

    pub(crate) fn over(data: &Path, store: Arc<EitherStore>) -> Self {
        Self {
            data: data.to_owned(),
            store,
        }
    }

    /// Invites a partner, new or known: the text is good for one enrolment within
    /// [`INVITATION_LIFETIME`]. `hub_url` is where the partner will reach the hub; without it the
    /// address that the hub last listened on is used.
    ///
    /// # Errors
    /// [`HubError::Refused`] for a bad name, a revoked partner, or when no address is known.
    pub async fn invite(
        &self,
        name: &str,
        role: &str,
        hub_url: Option<&str>,
    ) -> Result<String, HubError> {
        let known = About::read(&self.data)?;
        let hub = hub_url
            .map(str::to_owned)
            .or_else(|| known.as_ref().map(|k| k.url.clone()));
        let hub = hub.ok_or_else(|| {
            HubError::Refused("start the hub once, or give its URL: no address is known".to_owned())
        })?;
        let community = known.map_or_else(|| "default".to_owned(), |known| known.community);
        let ca = Authority::open_or_create(&self.data, &community)?;
        self.add(name, role).await?;
        let now = clock::now();
        let secret = self
            .store
            .invite(name, now.plus(INVITATION_LIFETIME), now)
            .await;
        let token = *secret.map_err(store_error)?.bytes();
        let hub = hub.trim_end_matches('/').to_owned();
        Ok(Invitation {
            hub,
            token,
            ca_sha256: ca.fingerprint(),
        }
        .to_string())
    }

    /// Makes an API token for a partner, new or known. It does not expire; revoking the partner
    /// ends it.
    ///
    /// # Errors
    /// [`HubError::Refused`] for a bad name or a revoked partner.
    pub async fn token(&self, name: &str, role: &str) -> Result<String, HubError> {
        self.add(name, role).await?;
        let secret = self
            .store
            .create_token(name, None, clock::now())
            .await
            .map_err(store_error)?;
        Ok(token_text(secret.bytes()))
    }

    /// Every partner, revoked or not, by name.
    ///
    /// # Errors
    /// [`HubError::Store`].
    pub async fn partners(&self) -> Result<Vec<Partner>, HubError> {
        self.store.partners().await.map_err(store_error)
    }

    /// Revokes a partner with all its certificates, tokens and invitations; a running hub closes
    /// its open push streams within a second. `false` if there is none to revoke. It is also written into
    /// the data folder's list, so that no backup brings the partner back.
    ///
    /// # Errors
    /// [`HubError::Store`]; [`HubError::File`] when the partner is revoked but not in the list: again mends it.
    pub async fn revoke(&self, name: &str) -> Result<bool, HubError> {
        let revoked = self.store.revoke_partner(name, clock::now()).await;
        let revoked = revoked.map_err(store_error)?;
        backup::remember(&self.data, &self.store).await?;
        Ok(revoked)
    }

    async fn add(&self, name: &str, role: &str) -> Result<(), HubError> {
        if let Some(partner) = self.store.partner(name).await.map_err(store_error)? {
            let revoked = || HubError::Refused(format!("partner {name:?} is revoked for good"));
            return if partner.revoked.is_some() {
                Err(revoked())
            } else {
                Ok(())
            };
        }
        if !stix::lease::is_partner_name(name) {
            return Err(HubError::Refused(
                StoreError::BadName(name.to_owned()).to_string(),
            ));
        }
        let partner = NewPartner {
            name: name.into(),
            role: role.to_owned(),
        };
        match self.store.add_partner(&partner, clock::now()).await {
            Err(StoreError::PartnerExists(_)) => Ok(()),
            other => other.map_err(store_error),
        }
    }
}

/// `hub.json`: what a data folder says of the hub that last ran on it.
#[derive(Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) url: String,
    pub(crate) community: String,
    /// Where the store is unless it is SQLite's in the folder; it may hold a password, as the
    /// folder holds keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) postgres: Option<String>,
}

impl About {
    pub(crate) fn write(&self, data: &Path) -> Result<(), HubError> {
        let json = serde_json::to_vec_pretty(self)
            .map_err(|error| HubError::Refused(error.to_string()))?;
        secrets::replace(&data.join(FILE), &json)
    }

    fn read(data: &Path) -> Result<Option<Self>, HubError> {
        let path = data.join(FILE);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| HubError::file(&path, error))?,
        };
        let unreadable =
            |error| HubError::config(format!("{}: {error}", path.display()), "delete it");
        serde_json::from_slice(&bytes).map(Some).map_err(unreadable)
    }
}

const FILE: &str = "hub.json";
