//! Whether a state is one that a hub has written.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};

use super::digest_of;
use super::record::{EventRecord, Record};
use crate::{EventKind, StoreError};

/// Takes records in their order. Holds one end for each lane.
#[derive(Debug, Default)]
pub(super) struct Checker {
    events: bool,
    community: End,
    addressed: BTreeMap<String, End>,
}

#[derive(Clone, Copy, Debug)]
struct End {
    position: i64,
    date_added: i64,
}

impl Default for End {
    fn default() -> Self {
        Self {
            position: 0,
            date_added: i64::MIN,
        }
    }
}

impl End {
    fn step(&mut self, lane: &str, position: i64, date_added: i64) -> Result<(), StoreError> {
        if position != self.position.saturating_add(1) {
            let last = self.position;
            return Err(damaged(format!(
                "position {position} of {lane} follows {last}"
            )));
        }
        if date_added <= self.date_added {
            return Err(damaged(format!(
                "position {position} of {lane} is not dated after the one before"
            )));
        }
        *self = Self {
            position,
            date_added,
        };
        Ok(())
    }
}

impl Checker {
    pub(super) fn take(&mut self, record: &Record) -> Result<(), StoreError> {
        match record {
            Record::Event(event) => {
                self.events = true;
                self.event(event)
            }
            Record::Meta(_)
            | Record::Partner(_)
            | Record::Invitation(_)
            | Record::Token(_)
            | Record::Certificate(_) => match self.events {
                true => Err(damaged("a partner stands behind an event".to_owned())),
                false => Ok(()),
            },
        }
    }

    fn event(&mut self, event: &EventRecord) -> Result<(), StoreError> {
        if let Some(place) = &event.community {
            self.community
                .step("the community's lane", place.position, place.date_added)?;
        }
        for place in &event.addressed {
            let lane = format!("the lane of {:?}", place.partner);
            let end = self.addressed.entry(place.partner.clone()).or_default();
            end.step(&lane, place.position, place.date_added)?;
        }
        let about = || format!("{} of {:?}", event.id, event.source);
        let brings = match event.kind()? {
            EventKind::Erase => false,
            EventKind::Accept | EventKind::Revoke | EventKind::Widen | EventKind::Narrow => true,
        };
        match (&event.commitment, &event.salt, &event.raw) {
            (Some(commitment), Some(salt), Some(raw)) if brings => {
                let mut context = Context::new(&SHA256);
                context.update(&salt.0);
                context.update(raw.as_bytes());
                match digest_of(context).as_slice() == commitment.0 {
                    true => Ok(()),
                    false => Err(damaged(format!(
                        "{} is not what the log committed to",
                        about()
                    ))),
                }
            }
            (Some(_), None, None) if brings => Ok(()),
            (None, None, None) if !brings => Ok(()),
            _ => Err(damaged(format!("{} is half there", about()))),
        }
    }
}

fn damaged(what: String) -> StoreError {
    StoreError::Damaged(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::record::{Bin, Place};

    fn event(position: i64, date_added: i64) -> EventRecord {
        EventRecord {
            event: "accept".to_owned(),
            source: "alpha".to_owned(),
            id: "x".to_owned(),
            version: 1,
            spec_version: None,
            valid_until: None,
            superseded: false,
            commitment: Some(Bin(vec![0; 32])),
            community: Some(Place {
                position,
                date_added,
                stale: false,
            }),
            addressed: vec![],
            salt: None,
            raw: None,
        }
    }

    fn take(checker: &mut Checker, event: EventRecord) -> Result<(), StoreError> {
        checker.take(&Record::Event(Box::new(event)))
    }

    #[test]
    fn gaps_disorder_and_other_objects_are_found() {
        let mut checker = Checker::default();
        take(&mut checker, event(1, 5)).unwrap();
        assert!(take(&mut checker, event(3, 6)).is_err(), "2 is missing");
        assert!(take(&mut checker, event(2, 5)).is_err(), "dated as before");
        let other = EventRecord {
            salt: Some(Bin(vec![1])),
            raw: Some("{}".to_owned()),
            ..event(2, 6)
        };
        let error = take(&mut checker, other).unwrap_err().to_string();
        assert!(error.contains("committed"), "{error}");
        let half = EventRecord {
            salt: Some(Bin(vec![1])),
            ..event(3, 7)
        };
        assert!(take(&mut checker, half).is_err());
    }
}
