//! The store that a hub's configuration names.

use std::sync::Arc;

use sharing::Audience;
use stix::Timestamp;

use crate::dump::Record;
use crate::{
    Appended, Certificate, Counts, Dump, Entry, Erased, ErasedVersion, Erasure, Filter, Find,
    Found, Lane, Log, NewPartner, Page, Partner, Place, Position, PostgresStore, Registry, Search,
    Secret, SqliteStore, StoreError, Submission,
};

/// One of the back-ends.
#[derive(Debug)]
pub enum EitherStore {
    /// The embedded one.
    Sqlite(SqliteStore),
    /// The one at scale.
    Postgres(PostgresStore),
}

/// Asks whichever it is.
macro_rules! either {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Self::Sqlite($store) => $call,
            Self::Postgres($store) => $call,
        }
    };
}

/// Alike, and waits for a server no longer than it may take to answer a reader. Appends and erasures have
/// a bound of their own, and so does what is read at length.
macro_rules! answered {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Self::Sqlite($store) => $call,
            Self::Postgres($store) => $store.within(async { $call }).await,
        }
    };
}

impl Dump for EitherStore {
    async fn dump(
        &self,
        each: &mut (dyn FnMut(Record) -> Result<(), StoreError> + Send),
    ) -> Result<(), StoreError> {
        either!(self, store => store.dump(each).await)
    }
}

impl Log for EitherStore {
    async fn append(&self, batch: &[Submission], now: Timestamp) -> Result<Appended, StoreError> {
        either!(self, store => store.append(batch, now).await)
    }

    async fn erase(&self, erasure: &Erasure, now: Timestamp) -> Result<Erased, StoreError> {
        either!(self, store => store.erase(erasure, now).await)
    }

    async fn erased(&self, after: u64, limit: usize) -> Result<Vec<ErasedVersion>, StoreError> {
        answered!(self, store => store.erased(after, limit).await)
    }

    async fn lane(
        &self,
        audience: &Audience,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        answered!(self, store => store.lane(audience, lane, after, limit).await)
    }

    async fn page(
        &self,
        audience: &Audience,
        from: Position,
        limit: usize,
        filter: &Filter,
    ) -> Result<Page, StoreError> {
        answered!(self, store => store.page(audience, from, limit, filter).await)
    }

    async fn recent(&self, audience: &Audience, limit: usize) -> Result<Vec<Entry>, StoreError> {
        answered!(self, store => store.recent(audience, limit).await)
    }

    async fn head(&self, audience: &Audience) -> Result<Position, StoreError> {
        answered!(self, store => store.head(audience).await)
    }

    async fn counts(&self, audience: &Audience) -> Result<Counts, StoreError> {
        answered!(self, store => store.counts(audience).await)
    }

    async fn end(&self, partner: Option<&Arc<str>>) -> Result<u64, StoreError> {
        answered!(self, store => store.end(partner).await)
    }

    async fn live(
        &self,
        partner: Option<&Arc<str>>,
        through: u64,
        at: Timestamp,
        each: &mut (dyn FnMut(Entry) + Send),
    ) -> Result<(), StoreError> {
        either!(self, store => store.live(partner, through, at, each).await)
    }

    fn epoch(&self) -> u64 {
        either!(self, store => store.epoch())
    }
}

impl Find for EitherStore {
    async fn search(
        &self,
        audience: &Audience,
        search: &Search,
        from: Option<&Place>,
        limit: usize,
    ) -> Result<Found, StoreError> {
        answered!(self, store => store.search(audience, search, from, limit).await)
    }

    async fn reindex(&self) -> Result<(), StoreError> {
        either!(self, store => store.reindex().await)
    }
}

impl Registry for EitherStore {
    async fn add_partner(&self, partner: &NewPartner, now: Timestamp) -> Result<(), StoreError> {
        answered!(self, store => store.add_partner(partner, now).await)
    }

    async fn partner(&self, name: &str) -> Result<Option<Partner>, StoreError> {
        answered!(self, store => store.partner(name).await)
    }

    async fn partners(&self) -> Result<Vec<Partner>, StoreError> {
        answered!(self, store => store.partners().await)
    }

    async fn revoke_partner(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        answered!(self, store => store.revoke_partner(name, now).await)
    }

    async fn invite(
        &self,
        partner: &str,
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<Secret, StoreError> {
        answered!(self, store => store.invite(partner, expires, now).await)
    }

    async fn invitation(
        &self,
        secret: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Partner>, StoreError> {
        answered!(self, store => store.invitation(secret, now).await)
    }

    async fn enrol(
        &self,
        secret: &[u8; 32],
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<Partner, StoreError> {
        answered!(self, store => store.enrol(secret, certificate, now).await)
    }

    async fn create_token(
        &self,
        partner: &str,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Secret, StoreError> {
        answered!(self, store => store.create_token(partner, expires, now).await)
    }

    async fn partner_by_token(
        &self,
        token: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Partner>, StoreError> {
        answered!(self, store => store.partner_by_token(token, now).await)
    }

    async fn revoke_tokens(&self, partner: &str, now: Timestamp) -> Result<u64, StoreError> {
        answered!(self, store => store.revoke_tokens(partner, now).await)
    }

    async fn add_certificate(
        &self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        answered!(self, store => store.add_certificate(certificate, now).await)
    }

    async fn partner_by_certificate(
        &self,
        serial: &[u8],
        now: Timestamp,
    ) -> Result<Option<Partner>, StoreError> {
        answered!(self, store => store.partner_by_certificate(serial, now).await)
    }

    async fn revoke_certificate(&self, serial: &[u8], now: Timestamp) -> Result<bool, StoreError> {
        answered!(self, store => store.revoke_certificate(serial, now).await)
    }

    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        answered!(self, store => store.meta(key).await)
    }

    async fn meta_init(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        answered!(self, store => store.meta_init(key, value).await)
    }
}
