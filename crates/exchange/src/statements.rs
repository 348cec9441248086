//! Statements that both databases understand, for what is asked too seldom to deserve a form of its own: the
//! registry, dumps and restores. Parameters are `$1`, `$2` and so on.

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Error, Row as _};

use crate::StoreError;

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Number(i64),
    /// A number or NULL.
    Maybe(Option<i64>),
}

/// The values in a row, by their place.
pub(crate) trait Cells {
    fn text(&self, at: usize) -> Result<String, Error>;
    fn bytes(&self, at: usize) -> Result<Vec<u8>, Error>;
    fn number(&self, at: usize) -> Result<i64, Error>;
    fn flag(&self, at: usize) -> Result<bool, Error>;
    /// Each of these is none where the row has NULL.
    fn maybe_text(&self, at: usize) -> Result<Option<String>, Error>;
    fn maybe_bytes(&self, at: usize) -> Result<Option<Vec<u8>>, Error>;
    fn maybe_number(&self, at: usize) -> Result<Option<i64>, Error>;
}

/// What is done with a row.
pub(crate) type Take<'a> = &'a mut (dyn FnMut(&dyn Cells) -> Result<(), StoreError> + Send);

/// A connection to a database.
pub(crate) trait Statements: Send {
    /// Runs a statement; the number of rows that it changed.
    fn change(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Hands over the rows of a query, one at a time.
    fn each(
        &mut self,
        query: &'static str,
        values: &[Value<'_>],
        take: Take<'_>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The first row of a query, if there is one.
    fn first<T: Send>(
        &mut self,
        query: &'static str,
        values: &[Value<'_>],
        read: fn(&dyn Cells) -> Result<T, StoreError>,
    ) -> impl Future<Output = Result<Option<T>, StoreError>> + Send {
        async move {
            let mut found = None;
            let mut take = |row: &dyn Cells| {
                if found.is_none() {
                    found = Some(read(row)?);
                }
                Ok(())
            };
            self.each(query, values, &mut take).await?;
            Ok(found)
        }
    }
}

/// The same for each database, whose types have nothing in common that could be said shortly.
macro_rules! database {
    ($connection:ty, $row:ty) => {
        impl Cells for $row {
            fn text(&self, at: usize) -> Result<String, Error> {
                self.try_get(at)
            }

            fn bytes(&self, at: usize) -> Result<Vec<u8>, Error> {
                self.try_get(at)
            }

            fn number(&self, at: usize) -> Result<i64, Error> {
                self.try_get(at)
            }

            fn flag(&self, at: usize) -> Result<bool, Error> {
                self.try_get(at)
            }

            fn maybe_text(&self, at: usize) -> Result<Option<String>, Error> {
                self.try_get(at)
            }

            fn maybe_bytes(&self, at: usize) -> Result<Option<Vec<u8>>, Error> {
                self.try_get(at)
            }

            fn maybe_number(&self, at: usize) -> Result<Option<i64>, Error> {
                self.try_get(at)
            }
        }

        impl Statements for $connection {
            async fn change(
                &mut self,
                statement: &'static str,
                values: &[Value<'_>],
            ) -> Result<u64, StoreError> {
                let done = bound!(statement, values).execute(self).await?;
                Ok(done.rows_affected())
            }

            async fn each(
                &mut self,
                query: &'static str,
                values: &[Value<'_>],
                take: Take<'_>,
            ) -> Result<(), StoreError> {
                let mut rows = bound!(query, values).fetch(self);
                while let Some(row) = rows.try_next().await? {
                    take(&row)?;
                }
                Ok(())
            }
        }
    };
}

macro_rules! bound {
    ($statement:ident, $values:ident) => {
        $values
            .iter()
            .fold(sqlx::query($statement), |query, value| match *value {
                Value::Text(text) => query.bind(text),
                Value::Bytes(bytes) => query.bind(bytes),
                Value::Number(number) => query.bind(number),
                Value::Maybe(number) => query.bind(number),
            })
    };
}

database!(SqliteConnection, SqliteRow);
database!(PgConnection, PgRow);
