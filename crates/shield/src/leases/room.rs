//! Who may have how much of the book, so that no partner can take it from the others or from us.

use datapath::enforce::{EnforceError, Key};

use super::{Asker, Book, Claim, Origin};

/// Most kernel keys at a time.
pub const SLOTS_MAX: usize = 65_536;
/// Of these, how many are kept for own verdicts.
pub const SLOTS_LOCAL: usize = 4_096;
/// Most objects of partners that may ask for one key, and as many own ones beside them.
pub const CLAIMS_PER_SLOT_MAX: usize = 64;
/// Most objects of one partner that may ask for one key: more than one, so that a new object may
/// go on where another one ends, and few, so that nobody can crowd the others out.
pub const CLAIMS_PER_SOURCE_AND_SLOT_MAX: usize = 4;
/// Most objects of one partner that may ask for something at a time.
pub const CLAIMS_PER_SOURCE_MAX: usize = 1_024;

/// Why a claim was not taken.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The book is full.
    #[error("the book of leases is full ({0} keys); it empties as leases end")]
    Full(usize),
    /// What is left of the book is kept for own verdicts.
    #[error("the last {0} keys of the book of leases are kept for own verdicts")]
    Reserved(usize),
    /// Too many objects ask for this key; it is enforced on the word of the others.
    #[error("{0} objects ask for this key already")]
    Crowded(usize),
    /// Too many objects of this partner ask for this key; it is enforced on the word of these.
    #[error("{0} objects of this partner ask for this key already")]
    Repeated(usize),
    /// This partner asks for too much at a time.
    #[error("this partner holds {0} leases here, the most one may; they make room as they end")]
    Greedy(usize),
    /// The enforcer refused.
    #[error("the enforcer refused: {0}")]
    Enforcer(#[from] EnforceError),
}

impl Book {
    /// Whether there is room for `asker`'s claim; counts when there is not.
    pub(super) fn check_room(&mut self, asker: &Asker, claim: &Claim) -> Result<(), BookError> {
        let room = self
            .room_of_slots(claim)
            .and_then(|()| self.room_in_slot(asker, claim))
            .and_then(|()| self.room_of_source(asker, claim));
        if room.is_err() {
            self.counters.full = self.counters.full.saturating_add(1);
        }
        room
    }

    /// Notes that a source has one claim more, if it came through the exchange.
    pub(super) fn count_in(&mut self, asker: &Asker, origin: Origin) {
        if origin == Origin::Exchange {
            let held = self.foreign.entry(asker.source.clone()).or_default();
            *held = held.saturating_add(1);
        }
    }

    /// Notes that a source has one claim less, if it came through the exchange.
    pub(super) fn count_out(&mut self, asker: &Asker, origin: Origin) {
        if origin != Origin::Exchange {
            return;
        }
        if let Some(held) = self.foreign.get_mut(&asker.source) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.foreign.remove(&asker.source);
            }
        }
    }

    fn room_of_slots(&self, claim: &Claim) -> Result<(), BookError> {
        let id: Key = claim.key.canonical();
        let slots = self.slots.len();
        if self.slots.contains_key(&id) {
            Ok(())
        } else if slots >= SLOTS_MAX {
            Err(BookError::Full(SLOTS_MAX))
        } else if claim.origin == Origin::Exchange && slots.saturating_add(SLOTS_LOCAL) >= SLOTS_MAX
        {
            Err(BookError::Reserved(SLOTS_LOCAL))
        } else {
            Ok(())
        }
    }

    fn room_in_slot(&self, asker: &Asker, claim: &Claim) -> Result<(), BookError> {
        let Some(slot) = self.slots.get(&claim.key.canonical()) else {
            return Ok(());
        };
        let others = || {
            let alike = slot.claims.iter().filter(|(_, c)| c.origin == claim.origin);
            alike.filter(|(other, _)| *other != asker)
        };
        let same_source = others().filter(|(other, _)| other.source == asker.source);
        if others().count() >= CLAIMS_PER_SLOT_MAX {
            Err(BookError::Crowded(CLAIMS_PER_SLOT_MAX))
        } else if claim.origin == Origin::Exchange
            && same_source.count() >= CLAIMS_PER_SOURCE_AND_SLOT_MAX
        {
            Err(BookError::Repeated(CLAIMS_PER_SOURCE_AND_SLOT_MAX))
        } else {
            Ok(())
        }
    }

    fn room_of_source(&self, asker: &Asker, claim: &Claim) -> Result<(), BookError> {
        let foreign = |claim: &Claim| claim.origin == Origin::Exchange;
        let replaces = self.claim_of(asker).is_some_and(foreign);
        let held = self.foreign.get(&asker.source).copied().unwrap_or(0);
        if foreign(claim) && !replaces && held >= CLAIMS_PER_SOURCE_MAX {
            return Err(BookError::Greedy(CLAIMS_PER_SOURCE_MAX));
        }
        Ok(())
    }
}
