//! What leaves: from an own verdict to the objects that `[share]` allows, as often as is useful.
//!
//! ```text
//! verdict -> signal_of -> throttle -> sharing::scrub -> queue -> spool -> POST (sync::post)
//! ```
//!
//! Without `[share]` nothing leaves. An address that only somebody else's list speaks against
//! leaves as a sighting of that list and never as a request to block: who shared it has asked
//! already, and asking again in our name would make one word look like two. An attack transaction
//! that matched somebody else's indicator is our own testimony of who sent it, and asks.

pub mod spool;
mod throttle;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use detect::{Reason, Verdict};
use ipnet::IpNet;
use sharing::scrub::{self, Share, Signal};
use stix::lease::{Action, EvidenceClass, Selector, Service};
use stix::{Object, StixId, Timestamp, Tlp};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::clock::Now;
use throttle::Throttle;

/// How long others are asked to act on a signal, in seconds.
pub const SIGNAL_TTL_S: u32 = 60;
/// Most signals that wait for the sync thread.
pub const QUEUE_MAX: usize = 4_096;

/// Turns verdicts into objects and hands them to the thread that sends them.
#[derive(Debug)]
pub struct Signals {
    partner: String,
    share: Option<Share>,
    throttle: Mutex<Throttle>,
    queue: Sender<Batch>,
    lost: AtomicU64,
    withheld: AtomicU64,
}

/// The objects of one signal.
#[derive(Clone, Debug)]
pub struct Batch {
    /// When its verdict fell.
    pub at: Now,
    /// The objects, scrubbed.
    pub objects: Vec<Object>,
}

impl Signals {
    /// For a partner and what it shares; with the end from which the signals are taken.
    #[must_use]
    pub fn new(partner: &str, share: Option<Share>) -> (Self, Receiver<Batch>) {
        let (queue, batches) = channel(QUEUE_MAX);
        let signals = Self {
            partner: partner.to_owned(),
            share,
            throttle: Mutex::default(),
            queue,
            lost: AtomicU64::new(0),
            withheld: AtomicU64::new(0),
        };
        (signals, batches)
    }

    /// Offers a signal; returns the object that stands for it if it leaves now. Never waits.
    ///
    /// # Failure bias
    /// Closed: what is in doubt does not leave.
    pub fn offer(&self, signal: Signal, now: Now) -> Option<StixId> {
        let share = self.share.as_ref()?;
        let signal = self.throttle().offer(signal, now)?;
        self.send(&signal, share, now)
    }

    /// Sends what was held back and has become due.
    pub fn flush(&self, now: Now) {
        let Some(share) = self.share.as_ref() else {
            return;
        };
        let due = self.throttle().due(now);
        for signal in due {
            self.send(&signal, share, now);
        }
    }

    /// What was told about a selector does not count any longer: the next signal leaves at once.
    pub fn forget(&self, selector: &Selector) {
        self.throttle().forget(selector);
    }

    /// Signals that were lost because the queue was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Signals that scrubbing held back.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    /// Signals held back because they came too often, since the start.
    #[must_use]
    pub fn throttled(&self) -> u64 {
        self.throttle().held()
    }

    fn send(&self, signal: &Signal, share: &Share, now: Now) -> Option<StixId> {
        let Ok(objects) = scrub::signal_objects(signal, share, &self.partner, now.wall) else {
            self.withheld.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let id = objects.first().map(|object| object.head().id.clone());
        if self.queue.try_send(Batch { at: now, objects }).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        id
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The signal of a verdict; none if it names nothing that can be shared. `derived_from` is the
/// most restrictive marking among the partners' objects that the verdict rests on, and `hearsay`
/// whether it is no testimony of our own that we stand by: then it asks for nothing.
#[must_use]
pub fn signal_of(
    verdict: &Verdict,
    derived_from: Option<Tlp>,
    hearsay: bool,
    now: Now,
) -> Option<Signal> {
    let indicator = verdict
        .reasons
        .iter()
        .find_map(|reason| reason.object.clone());
    let selector = match verdict.offender {
        Some(address) => Selector::Source(IpNet::from(address)),
        None => verdict.reasons.iter().find_map(sighted)?,
    };
    let evidence = match hearsay || verdict.offender.is_none() {
        true => EvidenceClass::Unproven,
        false => verdict.evidence,
    };
    let seen = |ns: u64| Timestamp::from_micros(i64::try_from(ns / 1_000).unwrap_or(i64::MAX));
    Some(Signal {
        selector,
        indicator,
        derived_from,
        detector: verdict.detector.into(),
        evidence,
        count: u64::from(verdict.count.max(1)),
        first_seen: seen(verdict.first_packet_ns).min(now.wall),
        last_seen: seen(verdict.at_ns).min(now.wall),
        service: verdict.victim.map(|victim| Service {
            address: None,
            ..victim
        }),
        action: Action::Drop,
        ttl_s: SIGNAL_TTL_S,
    })
}

/// What a partner's indicator was seen to match where there is no offender: a name or a URL.
fn sighted(reason: &Reason) -> Option<Selector> {
    reason.object.as_ref()?;
    let kind = match reason.buffer {
        "dns.query" | "tls.sni" | "http.host" => "domain",
        "http.url" => "url",
        _ => return None,
    };
    let text = std::str::from_utf8(&reason.matched).ok()?;
    serde_json::from_value(serde_json::json!({ kind: text })).ok()
}

/// Between two signals about the same thing on no better evidence.
const AGAIN_AFTER: Duration = Duration::from_secs(30);
/// The same for unproven evidence, which anyone can cause.
const AGAIN_AFTER_UNPROVEN: Duration = Duration::from_secs(60);
/// Most unproven signals in a minute, over all sources.
const UNPROVEN_PER_MINUTE_MAX: u32 = 20;
/// Most things that are remembered.
const THINGS_MAX: usize = 16_384;

#[cfg(test)]
mod tests;
