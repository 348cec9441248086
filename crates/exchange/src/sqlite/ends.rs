//! Where the log ends: what the next entries are numbered and dated after.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::{Row as _, SqliteConnection};
use stix::Timestamp;

use crate::StoreError;

/// Where the sequence and the lanes end.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    pub(super) head: i64,
    pub(super) seq: i64,
    pub(super) community: LaneEnd,
    /// Filled as lanes are written to.
    addressed: BTreeMap<Arc<str>, LaneEnd>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LaneEnd {
    pub(super) position: i64,
    pub(super) date: Timestamp,
}

impl Default for LaneEnd {
    fn default() -> Self {
        Self {
            position: 0,
            date: Timestamp::MIN,
        }
    }
}

impl LaneEnd {
    /// The next place in the lane, not dated before `earliest`.
    pub(super) fn advance(&mut self, earliest: Timestamp) -> Self {
        self.position = self.position.saturating_add(1);
        self.date = just_after(self.date).max(earliest);
        *self
    }
}

impl Ends {
    pub(super) async fn load(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT coalesce(max(n), 0) FROM heads),
                    (SELECT coalesce(max(seq), 0) FROM events),
                    (SELECT max(community) FROM events),
                    (SELECT max(date_added) FROM events WHERE community IS NOT NULL)",
        )
        .fetch_one(connection)
        .await?;
        let community = LaneEnd::of(row.try_get(2)?, row.try_get(3)?);
        let (head, seq) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Self {
            head,
            seq,
            community,
            addressed: BTreeMap::new(),
        })
    }

    /// The end of an addressed lane, read from the database the first time.
    pub(super) async fn addressed(
        &mut self,
        connection: &mut SqliteConnection,
        partner: &Arc<str>,
    ) -> Result<&mut LaneEnd, StoreError> {
        if !self.addressed.contains_key(partner) {
            let row = sqlx::query(
                "SELECT (SELECT max(position) FROM addressed WHERE partner = ?1),
                        (SELECT max(date_added) FROM addressed WHERE partner = ?1)",
            )
            .bind(partner.as_ref())
            .fetch_one(connection)
            .await?;
            let end = LaneEnd::of(row.try_get(0)?, row.try_get(1)?);
            self.addressed.insert(Arc::clone(partner), end);
        }
        Ok(self.addressed.entry(Arc::clone(partner)).or_default())
    }
}

impl LaneEnd {
    fn of(position: Option<i64>, date: Option<i64>) -> Self {
        let none = Self::default();
        Self {
            position: position.unwrap_or(none.position),
            date: date.map_or(none.date, Timestamp::from_micros),
        }
    }
}

pub(super) fn just_after(moment: Timestamp) -> Timestamp {
    Timestamp::from_micros(moment.as_micros().saturating_add(1))
}
