//! What the tests of this crate share: objects, partners, and a clock in the test's hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use exchange::{Clock, Entry, LiveSet, Submission};
use sharing::{Audience, Reach};
use stix::{Limits, Object, StixId, Timestamp};
use taxii::active::{ActiveSet, Change};
use taxii::push::EventKind;

pub(crate) fn at(us: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + us)
}

/// An indicator; `extra` is JSON that goes after its other properties.
pub(crate) fn indicator(n: u32, version: i64, extra: &str) -> Object {
    object(
        "indicator",
        n,
        version,
        &format!(
            r#","pattern_type":"stix","pattern":"[ipv4-addr:value = '192.0.2.{}']","valid_from":"2023-01-01T00:00:00.000Z"{extra}"#,
            n % 250
        ),
    )
}

pub(crate) fn sighting(n: u32, version: i64) -> Object {
    object(
        "sighting",
        n,
        version,
        &format!(r#","sighting_of_ref":"{}""#, id("indicator", n)),
    )
}

pub(crate) fn id(kind: &str, n: u32) -> StixId {
    StixId::parse(&format!("{kind}--00000000-0000-4000-8000-{n:012x}")).unwrap()
}

pub(crate) fn object(kind: &str, n: u32, version: i64, rest: &str) -> Object {
    let raw = format!(
        r#"{{"type":"{kind}","spec_version":"2.1","id":"{}","created":"{}","modified":"{}"{rest}}}"#,
        id(kind, n),
        at(0),
        at(version).fmt_micros(),
    );
    Object::parse(raw.as_bytes(), &Limits::default()).unwrap()
}

pub(crate) fn to_all(source: &str, object: Object) -> Submission {
    Submission {
        source: source.into(),
        object,
        reach: Reach::Community,
    }
}

/// Addressed to partners; the source is always among them.
pub(crate) fn addressed(source: &str, others: &[&str], object: Object) -> Submission {
    let mut names: Vec<Arc<str>> = others.iter().map(|name| Arc::from(*name)).collect();
    names.push(source.into());
    names.sort();
    names.dedup();
    Submission {
        source: source.into(),
        object,
        reach: Reach::Addressed(names),
    }
}

pub(crate) fn partner(name: &str) -> Audience {
    Audience::Partner(name.into())
}

/// The raw objects of entries, for comparing.
pub(crate) fn raws(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| String::from_utf8(entry.raw.to_vec()).unwrap())
        .collect()
}

pub(crate) fn raw(object: &Object) -> String {
    String::from_utf8(object.raw().to_vec()).unwrap()
}

/// A clock that goes on by a step each time it is asked.
#[derive(Debug)]
pub(crate) struct StepClock {
    now: AtomicI64,
    step: i64,
}

impl StepClock {
    pub(crate) fn new(step: i64) -> Arc<Self> {
        Arc::new(Self {
            now: AtomicI64::new(0),
            step,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        at(self.now.fetch_add(self.step, Ordering::Relaxed))
    }

    pub(crate) fn clock(self: &Arc<Self>) -> Clock {
        let clock = Arc::clone(self);
        Arc::new(move || clock.now())
    }
}

/// The live set that hub and shields use.
pub(crate) struct Active(ActiveSet);

pub(crate) fn live_set() -> Box<dyn LiveSet> {
    Box::new(Active(ActiveSet::new()))
}

impl LiveSet for Active {
    fn apply(&mut self, entry: &Entry) {
        self.0.apply(&Change {
            event: match entry.event {
                exchange::EventKind::Accept => EventKind::Accept,
                exchange::EventKind::Widen => EventKind::Widen,
                exchange::EventKind::Narrow => EventKind::Narrow,
                exchange::EventKind::Revoke => EventKind::Revoke,
                exchange::EventKind::Erase => EventKind::Erase,
            },
            stale: entry.stale,
            source: &entry.source,
            id: &entry.id,
            version: entry.version,
            valid_until: entry.valid_until,
            raw: &entry.raw,
        });
    }

    fn digest(&mut self, at: Timestamp) -> (u64, [u8; 32]) {
        self.0.digest(at)
    }
}
