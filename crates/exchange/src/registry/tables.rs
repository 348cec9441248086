//! Partners, invitations, tokens and certificates in their tables, in small transactions of their own; the same
//! for every database.

use std::ops::DerefMut;
use std::sync::Arc;

use sqlx::{Connection, Database};
use stix::Timestamp;

use super::{CredentialKey, hub_key, some_row};
use crate::statements::{Cells, Statements, Value};
use crate::{Certificate, NewPartner, Partner, Registry, Secret, StoreError};

/// A database that holds the registry.
pub(crate) trait Tables: Send + Sync + 'static {
    /// A connection to it.
    type Connection: Statements + Connection<Database: Database<Connection = Self::Connection>>;

    /// A connection for reading.
    fn reader(
        &self,
    ) -> impl Future<Output = Result<impl DerefMut<Target = Self::Connection> + Send, StoreError>> + Send;

    /// A connection for changes.
    fn writer(
        &self,
    ) -> impl Future<Output = Result<impl DerefMut<Target = Self::Connection> + Send, StoreError>> + Send;

    /// What makes of a secret what the tables hold.
    fn credentials(&self) -> &CredentialKey;
}

impl<T: Tables> Registry for T {
    async fn add_partner(&self, partner: &NewPartner, now: Timestamp) -> Result<(), StoreError> {
        if !partner.has_legal_name() {
            return Err(StoreError::BadName(partner.name.to_string()));
        }
        let insert = "INSERT INTO partners (name, role, added) VALUES ($1, $2, $3)
                      ON CONFLICT (name) DO NOTHING";
        let values = [text(&partner.name), text(&partner.role), moment(now)];
        match self.writer().await?.change(insert, &values).await? {
            0 => Err(StoreError::PartnerExists(partner.name.to_string())),
            _ => Ok(()),
        }
    }

    async fn partner(&self, name: &str) -> Result<Option<Partner>, StoreError> {
        let query = "SELECT name, role, added, revoked FROM partners WHERE name = $1";
        let mut reader = self.reader().await?;
        reader.first(query, &[text(name)], partner_of).await
    }

    async fn partners(&self) -> Result<Vec<Partner>, StoreError> {
        let query = "SELECT name, role, added, revoked FROM partners ORDER BY name";
        let mut partners = Vec::new();
        let mut take = |row: &dyn Cells| {
            partners.push(partner_of(row)?);
            Ok(())
        };
        self.reader().await?.each(query, &[], &mut take).await?;
        Ok(partners)
    }

    async fn revoke_partner(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let update = "UPDATE partners SET revoked = $2 WHERE name = $1 AND revoked IS NULL";
        let values = [text(name), moment(now)];
        Ok(self.writer().await?.change(update, &values).await? > 0)
    }

    async fn invite(
        &self,
        partner: &str,
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<Secret, StoreError> {
        let secret = Secret::random()?;
        let mac = self.credentials().mac("invitation", secret.bytes());
        let insert = "INSERT INTO invitations (mac, partner, made, expires)
                      SELECT $1, name, $3, $4 FROM partners WHERE name = $2 AND revoked IS NULL";
        let values = [bytes(&mac), text(partner), moment(now), moment(expires)];
        let done = self.writer().await?.change(insert, &values).await?;
        some_row(done, partner)?;
        Ok(secret)
    }

    async fn invitation(
        &self,
        secret: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Partner>, StoreError> {
        let query = "SELECT p.name, p.role, p.added, p.revoked
            FROM invitations i JOIN partners p ON p.name = i.partner
            WHERE i.mac = $1 AND i.used IS NULL AND i.expires > $2 AND p.revoked IS NULL";
        let mac = self.credentials().mac("invitation", secret);
        let values = [bytes(&mac), moment(now)];
        self.reader().await?.first(query, &values, partner_of).await
    }

    async fn enrol(
        &self,
        secret: &[u8; 32],
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<Partner, StoreError> {
        let mac = self.credentials().mac("invitation", secret);
        let mut writer = self.writer().await?;
        let mut transaction = writer.begin().await?;
        // Of two that use it at once the later one waits here, and finds it used.
        let take = "UPDATE invitations SET used = $2
            WHERE mac = $1 AND used IS NULL AND expires > $2";
        let values = [bytes(&mac), moment(now)];
        if transaction.change(take, &values).await? == 0 {
            return Err(StoreError::BadInvitation);
        }
        let query = "SELECT p.name, p.role, p.added, p.revoked
            FROM invitations i JOIN partners p ON p.name = i.partner
            WHERE i.mac = $1 AND p.revoked IS NULL";
        let found = transaction.first(query, &[bytes(&mac)], partner_of).await?;
        let partner: Partner = found.ok_or(StoreError::BadInvitation)?;
        if partner.name != certificate.partner {
            return Err(StoreError::BadInvitation);
        }
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
        let mac = self.credentials().mac("token", secret.bytes());
        let insert = "INSERT INTO tokens (mac, partner, made, expires)
                      SELECT $1, name, $3, $4 FROM partners WHERE name = $2 AND revoked IS NULL";
        let expires = Value::Maybe(expires.map(Timestamp::as_micros));
        let values = [bytes(&mac), text(partner), moment(now), expires];
        let done = self.writer().await?.change(insert, &values).await?;
        some_row(done, partner)?;
        Ok(secret)
    }

    async fn partner_by_token(
        &self,
        token: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Partner>, StoreError> {
        let query = "SELECT p.name, p.role, p.added, p.revoked
             FROM tokens t JOIN partners p ON p.name = t.partner
             WHERE t.mac = $1 AND t.revoked IS NULL AND p.revoked IS NULL
               AND (t.expires IS NULL OR t.expires > $2)";
        let mac = self.credentials().mac("token", token);
        let values = [bytes(&mac), moment(now)];
        self.reader().await?.first(query, &values, partner_of).await
    }

    async fn revoke_tokens(&self, partner: &str, now: Timestamp) -> Result<u64, StoreError> {
        let update = "UPDATE tokens SET revoked = $2 WHERE partner = $1 AND revoked IS NULL
                      AND (expires IS NULL OR expires > $2)";
        let values = [text(partner), moment(now)];
        self.writer().await?.change(update, &values).await
    }

    async fn add_certificate(
        &self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        insert_certificate(&mut *self.writer().await?, certificate, now).await
    }

    async fn partner_by_certificate(
        &self,
        serial: &[u8],
        now: Timestamp,
    ) -> Result<Option<Partner>, StoreError> {
        let query = "SELECT p.name, p.role, p.added, p.revoked
             FROM certificates c JOIN partners p ON p.name = c.partner
             WHERE c.serial = $1 AND c.revoked IS NULL AND p.revoked IS NULL AND c.not_after > $2";
        let values = [bytes(serial), moment(now)];
        self.reader().await?.first(query, &values, partner_of).await
    }

    async fn revoke_certificate(&self, serial: &[u8], now: Timestamp) -> Result<bool, StoreError> {
        let update = "UPDATE certificates SET revoked = $2 WHERE serial = $1 AND revoked IS NULL";
        let values = [bytes(serial), moment(now)];
        Ok(self.writer().await?.change(update, &values).await? > 0)
    }

    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        value_of(&mut *self.reader().await?, &hub_key(key)).await
    }

    async fn meta_init(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        meta_init(&mut *self.writer().await?, &hub_key(key), value).await
    }
}

/// Keeps a value unless there is one; the one that is kept.
pub(crate) async fn meta_init(
    connection: &mut impl Statements,
    key: &str,
    value: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let insert = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    let values = [text(key), bytes(value)];
    connection.change(insert, &values).await?;
    let kept = value_of(connection, key).await?;
    kept.ok_or_else(|| StoreError::Database(sqlx::Error::RowNotFound))
}

async fn value_of(
    connection: &mut impl Statements,
    key: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let query = "SELECT value FROM meta WHERE key = $1";
    let read = |row: &dyn Cells| Ok(row.bytes(0)?);
    connection.first(query, &[text(key)], read).await
}

async fn insert_certificate(
    connection: &mut impl Statements,
    certificate: &Certificate,
    now: Timestamp,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO certificates (serial, partner, made, not_after)
                  SELECT $1, name, $3, $4 FROM partners WHERE name = $2 AND revoked IS NULL";
    let values = [
        bytes(&certificate.serial),
        text(&certificate.partner),
        moment(now),
        moment(certificate.not_after),
    ];
    some_row(
        connection.change(insert, &values).await?,
        &certificate.partner,
    )
}

fn partner_of(row: &dyn Cells) -> Result<Partner, StoreError> {
    Ok(Partner {
        name: Arc::from(row.text(0)?),
        role: row.text(1)?,
        added: Timestamp::from_micros(row.number(2)?),
        revoked: row.maybe_number(3)?.map(Timestamp::from_micros),
    })
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text)
}

fn bytes(bytes: &[u8]) -> Value<'_> {
    Value::Bytes(bytes)
}

fn moment(moment: Timestamp) -> Value<'static> {
    Value::Number(moment.as_micros())
}
