//! Partners, invitations, tokens and certificates, in small transactions of their own.

use std::sync::Arc;

use sqlx::Row as _;
use sqlx::postgres::{PgExecutor, PgPool, PgRow};
use stix::Timestamp;

use super::PostgresStore;
use crate::registry::{hub_key, some_row};
use crate::{Certificate, NewPartner, Partner, Registry, Secret, StoreError};

impl Registry for PostgresStore {
    async fn add_partner(&self, partner: &NewPartner, now: Timestamp) -> Result<(), StoreError> {
        if !partner.has_legal_name() {
            return Err(StoreError::BadName(partner.name.to_string()));
        }
        let insert = "INSERT INTO partners (name, role, added) VALUES ($1, $2, $3)
                      ON CONFLICT (name) DO NOTHING";
        let done = sqlx::query(insert)
            .bind(partner.name.as_ref())
            .bind(partner.role.as_str())
            .bind(now.as_micros())
            .execute(&self.pool)
            .await?;
        match done.rows_affected() {
            0 => Err(StoreError::PartnerExists(partner.name.to_string())),
            _ => Ok(()),
        }
    }

    async fn partner(&self, name: &str) -> Result<Option<Partner>, StoreError> {
        let query = sqlx::query("SELECT name, role, added, revoked FROM partners WHERE name = $1");
        let row = query.bind(name).fetch_optional(&self.pool).await?;
        row.as_ref().map(partner_of).transpose()
    }

    async fn partners(&self) -> Result<Vec<Partner>, StoreError> {
        let query = sqlx::query("SELECT name, role, added, revoked FROM partners ORDER BY name");
        query
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(partner_of)
            .collect()
    }

    async fn revoke_partner(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let update = "UPDATE partners SET revoked = $2 WHERE name = $1 AND revoked IS NULL";
        let query = sqlx::query(update).bind(name).bind(now.as_micros());
        Ok(query.execute(&self.pool).await?.rows_affected() > 0)
    }

    async fn invite(
        &self,
        partner: &str,
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<Secret, StoreError> {
        let secret = Secret::random()?;
        let insert = "INSERT INTO invitations (mac, partner, made, expires)
                      SELECT $1, name, $3, $4 FROM partners WHERE name = $2 AND revoked IS NULL";
        let done = sqlx::query(insert)
            .bind(self.credentials.mac("invitation", secret.bytes()))
            .bind(partner)
            .bind(now.as_micros())
            .bind(expires.as_micros())
            .execute(&self.pool)
            .await?;
        some_row(done.rows_affected(), partner)?;
        Ok(secret)
    }

    async fn invitation(
        &self,
        secret: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Partner>, StoreError> {
        let row = sqlx::query(INVITATION)
            .bind(self.credentials.mac("invitation", secret))
            .bind(now.as_micros())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(partner_of).transpose()
    }

    async fn enrol(
        &self,
        secret: &[u8; 32],
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<Partner, StoreError> {
        let mac = self.credentials.mac("invitation", secret);
        let mut transaction = self.pool.begin().await?;
        let invited = sqlx::query(INVITATION_TAKEN)
            .bind(mac.as_slice())
            .bind(now.as_micros())
            .fetch_optional(&mut *transaction)
            .await?;
        let partner = partner_of(invited.as_ref().ok_or(StoreError::BadInvitation)?)?;
        if partner.name != certificate.partner {
            return Err(StoreError::BadInvitation);
        }
        sqlx::query("UPDATE invitations SET used = $2 WHERE mac = $1")
            .bind(mac)
            .bind(now.as_micros())
            .execute(&mut *transaction)
            .await?;
        insert_certificate(&mut *transaction, certificate, now).await?;
        transaction.commit().await?;
        Ok(partner)
    }

    async fn create_token(
        &self,
        partner: &str,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Secret, StoreError> {
        let secret = Secret::random()?;
        let insert = "INSERT INTO tokens (mac, partner, made, expires)
                      SELECT $1, name, $3, $4 FROM partners WHERE name = $2 AND revoked IS NULL";
        let done = sqlx::query(insert)
            .bind(self.credentials.mac("token", secret.bytes()))
            .bind(partner)
            .bind(now.as_micros())
            .bind(expires.map(Timestamp::as_micros))
            .execute(&self.pool)
            .await?;
        some_row(done.rows_affected(), partner)?;
        Ok(secret)
    }

    async fn partner_by_token(
        &self,
        token: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Partner>, StoreError> {
        let row = sqlx::query(
            "SELECT p.name, p.role, p.added, p.revoked
             FROM tokens t JOIN partners p ON p.name = t.partner
             WHERE t.mac = $1 AND t.revoked IS NULL AND p.revoked IS NULL
               AND (t.expires IS NULL OR t.expires > $2)",
        )
        .bind(self.credentials.mac("token", token))
        .bind(now.as_micros())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(partner_of).transpose()
    }

    async fn revoke_tokens(&self, partner: &str, now: Timestamp) -> Result<u64, StoreError> {
        let update = "UPDATE tokens SET revoked = $2 WHERE partner = $1 AND revoked IS NULL
                      AND (expires IS NULL OR expires > $2)";
        let query = sqlx::query(update).bind(partner).bind(now.as_micros());
        Ok(query.execute(&self.pool).await?.rows_affected())
    }

    async fn add_certificate(
        &self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        insert_certificate(&self.pool, certificate, now).await
    }

    async fn partner_by_certificate(
        &self,
        serial: &[u8],
        now: Timestamp,
    ) -> Result<Option<Partner>, StoreError> {
        let row = sqlx::query(
            "SELECT p.name, p.role, p.added, p.revoked
             FROM certificates c JOIN partners p ON p.name = c.partner
             WHERE c.serial = $1 AND c.revoked IS NULL AND p.revoked IS NULL AND c.not_after > $2",
        )
        .bind(serial)
        .bind(now.as_micros())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(partner_of).transpose()
    }

    async fn revoke_certificate(&self, serial: &[u8], now: Timestamp) -> Result<bool, StoreError> {
        let update = "UPDATE certificates SET revoked = $2 WHERE serial = $1 AND revoked IS NULL";
        let query = sqlx::query(update).bind(serial).bind(now.as_micros());
        Ok(query.execute(&self.pool).await?.rows_affected() > 0)
    }

    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query("SELECT value FROM meta WHERE key = $1");
        let row = query.bind(hub_key(key)).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    async fn meta_init(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        meta_init(&self.pool, &hub_key(key), value).await
    }
}

/// Keeps a value unless there is one; the one that is kept.
pub(super) async fn meta_init(
    pool: &PgPool,
    key: &str,
    value: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let insert = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    sqlx::query(insert)
        .bind(key)
        .bind(value)
        .execute(pool)
        .await?;
    let query = sqlx::query("SELECT value FROM meta WHERE key = $1").bind(key);
    Ok(query.fetch_one(pool).await?.try_get(0)?)
}

macro_rules! invitation {
    ($lock:literal) => {
        concat!(
            "SELECT p.name, p.role, p.added, p.revoked \
             FROM invitations i JOIN partners p ON p.name = i.partner \
             WHERE i.mac = $1 AND i.used IS NULL AND i.expires > $2 AND p.revoked IS NULL",
            $lock
        )
    };
}

const INVITATION: &str = invitation!("");
/// Of two that use it at once the later one finds it used.
const INVITATION_TAKEN: &str = invitation!(" FOR UPDATE OF i");

async fn insert_certificate(
    executor: impl PgExecutor<'_>,
    certificate: &Certificate,
    now: Timestamp,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO certificates (serial, partner, made, not_after)
                  SELECT $1, name, $3, $4 FROM partners WHERE name = $2 AND revoked IS NULL";
    let done = sqlx::query(insert)
        .bind(certificate.serial.as_slice())
        .bind(certificate.partner.as_ref())
        .bind(now.as_micros())
        .bind(certificate.not_after.as_micros())
        .execute(executor)
        .await?;
    some_row(done.rows_affected(), &certificate.partner)
}

fn partner_of(row: &PgRow) -> Result<Partner, StoreError> {
    let revoked: Option<i64> = row.try_get(3)?;
    Ok(Partner {
        name: Arc::from(row.try_get::<String, _>(0)?),
        role: row.try_get(1)?,
        added: Timestamp::from_micros(row.try_get(2)?),
        revoked: revoked.map(Timestamp::from_micros),
    })
}
