//! Where the log ends: what the next entries are numbered and dated after.

use std::collections::BTreeMap;
use std::sync::Arc;

use stix::Timestamp;

use super::Tables;
use crate::StoreError;

/// Where the sequence and the lanes end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ends {
    pub(super) head: i64,
    pub(super) seq: i64,
    pub(super) community: LaneEnd,
    /// Filled as lanes are written to.
    addressed: BTreeMap<Arc<str>, LaneEnd>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneEnd {
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
    /// Of a log with these last numbers of head and event.
    pub(crate) fn new(head: i64, seq: i64, community: LaneEnd) -> Self {
        Self {
            head,
            seq,
            community,
            addressed: BTreeMap::new(),
        }
    }

    /// The end of an addressed lane, read from the tables the first time.
    pub(super) async fn addressed(
        &mut self,
        tables: &mut impl Tables,
        partner: &Arc<str>,
    ) -> Result<&mut LaneEnd, StoreError> {
        if !self.addressed.contains_key(partner) {
            let end = tables.lane_end(partner).await?;
            self.addressed.insert(Arc::clone(partner), end);
        }
        Ok(self.addressed.entry(Arc::clone(partner)).or_default())
    }
}

impl LaneEnd {
    /// Of a lane's last position and date.
    pub(crate) fn of(position: Option<i64>, date: Option<i64>) -> Self {
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
