//! Between what comes in and the kernel: every object and every verdict is judged by [`crate::policy`],
//! carried out by the [`crate::leases`] book, and told to the journal afterwards.
//!
//! ```text
//! sync ── object, withdraw ──┐                       ┌─> leases::Book ──> datapath::enforce
//! pipeline ── verdict ───────┴─> guard ─> policy ────┼─> journal      (after the kernel has it)
//! ticker ── tick ───────────────────────>            └─> signals      (own verdicts only)
//! ```
//!
//! A guard is shared between threads; each call holds the book's lock for one decision. Nothing
//! here blocks on disks or networks.

mod blast;
mod chores;
mod memory;
mod objects;
mod verdicts;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use datapath::enforce::{Action, Key};
use detect::Verdict;
use detect::models::Found;
use ipnet::IpNet;
use stix::lease::{self, LeaseRequest, Selector};
use stix::{StixId, Timestamp, Tlp};
use tokio::sync::Notify;

use crate::clock::Now;
use crate::journal::{Event, Journal};
use crate::leases::{Asker, Book, Claim, Origin};
use crate::policy::{Policy, Standing, Why};
use crate::signals::Signals;
use crate::sync::known::{Keeper, OwnLease, Record};

use blast::Blast;
pub use memory::Memory;

/// How long an own lease is at first, in seconds; it doubles with each repetition.
pub const OWN_TTL_S: u32 = 60;
/// Pause between refreshes of exemptions for rate-limited sources.
pub const EXEMPT_PAUSE: Duration = Duration::from_millis(200);
/// Pause between comparisons of the kernel's list with the book.
pub const REASSERT_PAUSE: Duration = Duration::from_secs(5);

/// Knows what a source was seen doing of late.
pub trait Standings: Send + Sync + std::fmt::Debug {
    /// The standing of a source at `now_ns`, `CLOCK_MONOTONIC` nanoseconds.
    fn standing(&self, source: &IpNet, now_ns: u64) -> Standing;
}

/// Takes the verdicts of detection.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Takes one, on the thread that found it; returns within microseconds.
    fn verdict(&self, verdict: &Verdict);

    /// Takes what a model accuses a source of, alike. Who does not ask for it takes no notice.
    ///
    /// # Failure bias
    /// Open: policy decides, and what it refuses is only told.
    fn found(&self, _found: &Found) {}
}

/// The one place where decisions are made and carried out.
pub struct Guard {
    partner: Arc<str>,
    policy: ArcSwap<Policy>,
    book: Mutex<Book>,
    memory: Mutex<Memory>,
    blast: Mutex<Blast>,
    markings: ArcSwap<Markings>,
    standings: Arc<dyn Standings>,
    journal: Journal,
    keeper: Keeper,
    signals: Signals,
    forgive: SyncSender<IpAddr>,
    forgiven_lost: AtomicU64,
    changed: Notify,
}

/// The markings of the objects that are detected with.
#[derive(Debug, Default)]
struct Markings {
    all: Arc<BTreeMap<Asker, Tlp>>,
    /// What changed since.
    since: BTreeMap<Asker, Tlp>,
}

impl Markings {
    fn of(&self, asker: &Asker) -> Option<Tlp> {
        self.since
            .get(asker)
            .or_else(|| self.all.get(asker))
            .copied()
    }
}

/// What a guard is made of.
pub struct Parts {
    /// Our name in the exchange; the shield's own name if it is in none.
    pub partner: Arc<str>,
    /// What decisions rest on.
    pub policy: Policy,
    /// The leases, over their enforcer.
    pub book: Book,
    /// Who knows the sources.
    pub standings: Arc<dyn Standings>,
    /// Where decisions are told.
    pub journal: Journal,
    /// Where own leases are kept.
    pub keeper: Keeper,
    /// Where own verdicts leave.
    pub signals: Signals,
    /// Where detection is told to forget what it held against an address.
    pub forgive: SyncSender<IpAddr>,
}

impl Guard {
    /// A guard with an empty memory.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            partner: parts.partner,
            policy: ArcSwap::from_pointee(parts.policy),
            book: Mutex::new(parts.book),
            memory: Mutex::default(),
            blast: Mutex::default(),
            markings: ArcSwap::default(),
            standings: parts.standings,
            journal: parts.journal,
            keeper: parts.keeper,
            signals: parts.signals,
            forgive: parts.forgive,
            forgiven_lost: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    /// Replaces the markings of the objects that are detected with.
    pub fn set_markings(&self, markings: BTreeMap<Asker, Tlp>) {
        self.markings.store(Arc::new(Markings {
            all: Arc::new(markings),
            since: BTreeMap::new(),
        }));
    }

    /// Replaces the markings of those objects that changed since all of them were set.
    pub fn set_markings_since(&self, since: BTreeMap<Asker, Tlp>) {
        let all = Arc::clone(&self.markings.load().all);
        self.markings.store(Arc::new(Markings { all, since }));
    }

    /// Waits until something changed that a report should tell.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The book, locked: for reports.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What reports tell of the past, locked.
    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Addresses that detection could not be told to forgive, since it did not keep up.
    #[must_use]
    pub fn forgiven_lost(&self) -> u64 {
        self.forgiven_lost.load(Ordering::Relaxed)
    }

    /// Where own verdicts leave.
    #[must_use]
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Our name in the exchange.
    #[must_use]
    pub fn partner(&self) -> &Arc<str> {
        &self.partner
    }

    /// Has the last known set written anew when it has grown: own leases are all there is to keep
    /// where there is no hub.
    pub fn keep_small(&self) {
        if self.keeper.wants_rewrite() {
            self.keeper.rewrite(self.own_leases());
        }
    }

    /// Own leases in force, for the disk.
    #[must_use]
    pub fn own_leases(&self) -> Vec<Record> {
        let book = self.book();
        let own = book
            .claims()
            .filter(|(_, claim, _)| claim.origin == Origin::Local);
        let ends_at = |claim: &Claim| claim.made.wall_at(claim.ends_ns);
        own.map(|(asker, claim, _)| own_lease(&asker.object, claim, ends_at(claim)))
            .collect()
    }

    fn standing(&self, request: Option<&LeaseRequest>, now: Now) -> Standing {
        match request.map(|request| &request.selector) {
            Some(Selector::Source(net)) => self.standings.standing(net, now.mono_ns),
            Some(_) | None => Standing::default(),
        }
    }

    /// Puts a lease into the kernel, then tells.
    fn install(
        &self,
        asker: &Asker,
        origin: Origin,
        install: &Install<'_>,
        standing: &Standing,
        now: Now,
    ) -> bool {
        let claim = install.claim(origin, now);
        let (key, why, ends_ns) = (claim.key, claim.why.clone(), claim.ends_ns);
        let installed = {
            let mut book = self.book();
            if book
                .claim_of(asker)
                .is_some_and(|held| held.makes_unnecessary(&claim))
            {
                return false;
            }
            book.claim(asker, claim, &standing.open, now.mono_ns)
        };
        match installed {
            Ok(installed_ns) => {
                let event = Event::Lease {
                    object: asker.object.clone(),
                    source: Arc::clone(&asker.source),
                    origin,
                    key: (&key).into(),
                    action: action_name(&install.action),
                    frame_ns: install.frame_ns,
                    installed_ns,
                    ends_at: now.wall_at(ends_ns),
                    why,
                };
                self.journal.write(now, event);
                self.changed.notify_one();
                true
            }
            Err(error) => {
                self.refuse(asker, key.to_string(), error.to_string(), now);
                false
            }
        }
    }

    /// Tells that an indicator cannot be detected with, and why.
    pub fn undetectable(&self, asker: &Asker, why: String) {
        self.refuse(asker, "its pattern".to_owned(), why, Now::read());
    }

    fn refuse(&self, asker: &Asker, selector: String, why: String, now: Now) {
        self.memory().refuse(asker, &selector, &why, now);
        let (object, source) = (asker.object.clone(), Arc::clone(&asker.source));
        self.journal.write(
            now,
            Event::Refused {
                object,
                source,
                selector,
                why,
            },
        );
        self.changed.notify_one();
    }

    fn keep(&self, object: &StixId, claim: &Claim, ends_at: Timestamp) {
        self.keeper.append(own_lease(object, claim, ends_at));
    }

    fn kernel_action(&self, action: lease::Action) -> Action {
        let settings = &self.policy.load().settings;
        match action {
            _ if !settings.enforce => Action::Monitor,
            lease::Action::Monitor | lease::Action::Tag => Action::Monitor,
            lease::Action::RateLimit => Action::RateLimit {
                packets_per_s: settings.rate.packets_per_s,
                burst: settings.rate.burst,
            },
            lease::Action::Reject | lease::Action::Drop => Action::Drop,
        }
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("partner", &self.partner)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("partner", &self.partner)
            .finish_non_exhaustive()
    }
}

/// A decision to install, with when its cause was read.
struct Install<'a> {
    key: Key,
    action: Action,
    until: Timestamp,
    why: &'a [Why],
    frame_ns: u64,
}

impl Install<'_> {
    fn claim(&self, origin: Origin, now: Now) -> Claim {
        let why: Vec<String> = self.why.iter().map(Why::to_string).collect();
        Claim {
            origin,
            key: self.key,
            action: self.action,
            made: now,
            ends_ns: now.mono_at(self.until),
            frame_ns: self.frame_ns,
            installed_ns: 0,
            why: why.join("; ").into(),
        }
    }
}

/// A kernel action by its name in the journal.
fn action_name(action: &Action) -> &'static str {
    match action {
        Action::Monitor => "monitor",
        Action::RateLimit { .. } => "rate-limit",
        Action::Drop => "drop",
    }
}

/// A kernel action as STIX names it.
pub(crate) fn stix_action(action: &Action) -> lease::Action {
    match action {
        Action::Monitor => lease::Action::Monitor,
        Action::RateLimit { .. } => lease::Action::RateLimit,
        Action::Drop => lease::Action::Drop,
    }
}

fn own_lease(object: &StixId, claim: &Claim, ends_at: Timestamp) -> Record {
    Record::Lease(Box::new(OwnLease {
        object: object.clone(),
        network: claim.key.source,
        service: claim
            .key
            .service
            .map(|service| (service.proto, service.port)),
        action: stix_action(&claim.action),
        ends_at,
        why: claim.why.clone(),
    }))
}

#[cfg(test)]
mod tests;
