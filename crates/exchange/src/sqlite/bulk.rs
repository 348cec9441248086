//! Many rows in one statement.

use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

/// Inserts rows with `INSERT INTO {into} VALUES …` in few statements of many rows each.
///
/// The numbers of rows are powers of two, so that a handful of prepared statements serves all
/// batches; `bind` pushes the values of one row.
pub(super) async fn insert<T>(
    connection: &mut SqliteConnection,
    into: &'static str,
    rows: &[T],
    bind: impl Fn(&mut Separated<'_, Sqlite, &'static str>, &T),
) -> Result<(), sqlx::Error> {
    for chunk in Chunks(rows) {
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO ");
        insert.push(into);
        insert.push_values(chunk, |mut row, value| bind(&mut row, value));
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Cuts a slice into chunks whose lengths are powers of two, at most [`ROWS_MAX`].
pub(super) struct Chunks<'a, T>(pub(super) &'a [T]);

impl<'a, T> Iterator for Chunks<'a, T> {
    type Item = &'a [T];

    fn next(&mut self) -> Option<&'a [T]> {
        let power = 1_usize.checked_shl(self.0.len().checked_ilog2()?)?;
        let (chunk, rest) = self.0.split_at_checked(power.min(ROWS_MAX))?;
        self.0 = rest;
        Some(chunk)
    }
}

/// Most rows in one statement; SQLite allows 32,766 values.
const ROWS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_powers_of_two_and_leave_nothing_out() {
        let rows: Vec<usize> = (0..1000).collect();
        for length in [0, 1, 2, 3, 255, 256, 257, 1000] {
            let chunks: Vec<&[usize]> = Chunks(&rows[..length]).collect();
            assert!(chunks.iter().all(|chunk| chunk.len().is_power_of_two()));
            assert!(chunks.iter().all(|chunk| chunk.len() <= ROWS_MAX));
            assert_eq!(chunks.concat(), rows[..length]);
        }
    }
}
