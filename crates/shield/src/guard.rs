//! Between what comes in and the kernel: every object and every verdict is judged by [`policy`],
//! carried out by the [`leases`] book, and told to the journal afterwards.
//!
//! ```text
//! sync ── object, withdraw ──┐                       ┌─> leases::Book ──> datapath::enforce
//! pipeline ── verdict ───────┴─> guard ─> policy ────┼─> journal      (after the kernel has it)
//! ticker ── tick ───────────────────────>            └─> signals      (own verdicts only)
//! ```
//!
//! A guard is shared between threads; each call holds the book's lock for one decision. Nothing
//! here blocks on disks or networks.

mod memory;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use datapath::enforce::{Action, Key};
use detect::Verdict;
use ipnet::IpNet;
use sharing::scrub;
use stix::lease::{self, LeaseRequest, Selector};
use stix::pattern::Pattern;
use stix::{Object, StixId, Timestamp, Tlp};
use tokio::sync::Notify;

use crate::clock::Now;
use crate::journal::{Event, Journal};
use crate::leases::{Asker, Book, Claim, FirstHit, Origin};
use crate::policy::{self, Ask, Decision, Policy, Standing, Why, Word};
use crate::signals::{self, Signals};
use crate::sync::known::{Keeper, OwnLease, Record};

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
}

/// The one place where decisions are made and carried out.
pub struct Guard {
    partner: Arc<str>,
    policy: ArcSwap<Policy>,
    book: Mutex<Book>,
    memory: Mutex<Memory>,
    markings: ArcSwap<BTreeMap<Asker, Tlp>>,
    standings: Arc<dyn Standings>,
    journal: Journal,
    keeper: Keeper,
    signals: Signals,
    forgive: SyncSender<IpAddr>,
    forgiven_lost: AtomicU64,
    changed: Notify,
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

    /// Judges an object of a partner and carries the decision out. `frame_ns` is when it was read
    /// off the wire. Returns whether to detect with it.
    pub fn object(
        &self,
        source: &Arc<str>,
        object: &Object,
        pattern: Option<&Pattern>,
        frame_ns: u64,
    ) -> bool {
        let head = object.head();
        let asker = Asker { source: Arc::clone(source), object: head.id.clone() };
        if *head.kind != *"indicator" || self.is_echo(&asker, head.lease.is_some()) {
            return false;
        }
        let now = Now::read();
        let ask = Ask {
            word: Word::Partner(source),
            head: Some(head),
            request: head.lease.as_ref(),
            pattern,
            confidence: head.confidence,
            strikes: 0,
        };
        let standing = self.standing(head.lease.as_ref(), now);
        match policy::decide(&self.policy.load(), &ask, &standing, now.wall) {
            Decision::Install { key, action, until, why } => {
                let install = Install { key, action, until, why: &why, frame_ns };
                self.install(&asker, Origin::Exchange, &install, &standing, now);
                pattern.is_some()
            }
            Decision::Index { why } => {
                self.supersede(&asker, why.as_ref(), head.lease.as_ref(), now);
                true
            }
            Decision::Refuse { why } => {
                self.supersede(&asker, Some(&why), head.lease.as_ref(), now);
                false
            }
        }
    }

    /// A partner withdrew an object, or we may not see it any longer: its lease goes at once, and
    /// what this shield itself held against the address is forgotten. `selector` is what the
    /// object asked for, if it is known.
    pub fn withdraw(&self, asker: &Asker, selector: Option<&Selector>, frame_ns: u64) {
        let ended = self.book().release(asker, datapath::clock::mono_ns());
        let now = Now::read();
        let asked = match selector {
            Some(Selector::Source(source)) => Some(*source),
            Some(_) | None => None,
        };
        if let Some(source) = ended.as_ref().map(|ended| ended.claim.key.source).or(asked) {
            self.pardon(source);
        }
        let Some(ended) = ended else { return };
        if ended.claim.origin == Origin::Local {
            self.keep(&asker.object, &ended.claim, now.wall);
        }
        self.journal.write(now, Event::Revoked { object: asker.object.clone(), frame_ns });
        self.memory().end(ended, now);
        self.changed.notify_one();
    }

    /// Takes back a lease of an own verdict that an earlier run of this shield had installed.
    pub fn restore(&self, lease: &OwnLease) {
        let now = Now::read();
        let source = policy::canonical(lease.network);
        let protected = self.policy.load().protected.touched_by(&source).is_some();
        if protected || lease.ends_at <= now.wall {
            return;
        }
        let service = lease.service.map(|(proto, port)| datapath::enforce::Service { proto, port });
        let key = Key { source, service };
        let action = self.kernel_action(lease.action);
        let asker = Asker { source: Arc::clone(&self.partner), object: lease.object.clone() };
        let why = [];
        let install = Install { key, action, until: lease.ends_at, why: &why, frame_ns: now.mono_ns };
        self.install(&asker, Origin::Local, &install, &Standing::default(), now);
    }

    /// Does what time asks for; returns how long until the next call is due.
    pub fn tick(&self) -> Duration {
        let now = Now::read();
        let ended = self.book().expire(now.mono_ns);
        for ended in ended {
            let object = ended.asker.object.clone();
            self.journal.write(now, Event::Expired { object });
            self.memory().end(ended, now);
            self.changed.notify_one();
        }
        let first = self.book().first_hits();
        self.tell_hits(first, now);
        if self.memory().exempt_due(now) {
            let first = self.book().refresh_hits();
            self.tell_hits(first, now);
            self.refresh_exemptions(now);
            self.signals.flush(now);
        }
        if self.memory().reassert_due(now) {
            self.reassert(now);
        }
        let fast = self.book().awaits_first_hit();
        if fast { crate::leases::POLL_FAST } else { crate::leases::POLL_SLOW }
    }

    /// Replaces whom nobody's word blocks, here and in the enforcer, and lifts what is installed
    /// against it.
    ///
    /// # Errors
    /// The enforcer refuses; policy protects them all the same.
    pub fn protect(&self, protected: policy::Protected) -> Result<(), datapath::enforce::EnforceError> {
        let mut policy = Policy::clone(&self.policy.load());
        policy.protected = protected;
        let networks = policy.protected.networks().to_vec();
        let touched = |key: &Key| policy.protected.touched_by(&key.source).is_some();
        let mut book = self.book();
        let wrong = book.claims().filter(|(_, claim, _)| touched(&claim.key));
        let wrong: Vec<Asker> = wrong.map(|(asker, ..)| asker.clone()).collect();
        self.policy.store(Arc::new(policy));
        let now_ns = datapath::clock::mono_ns();
        for asker in &wrong {
            book.release(asker, now_ns);
        }
        book.protect(&networks)
    }

    /// Replaces the markings of the objects that are detected with.
    pub fn set_markings(&self, markings: BTreeMap<Asker, Tlp>) {
        self.markings.store(Arc::new(markings));
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

    /// Own leases in force, for the disk.
    #[must_use]
    pub fn own_leases(&self) -> Vec<Record> {
        let now = Now::read();
        let book = self.book();
        let own = book.claims().filter(|(_, claim, _)| claim.origin == Origin::Local);
        own.map(|(asker, claim, _)| own_lease(&asker.object, claim, now.wall_at(claim.ends_ns)))
            .collect()
    }

    /// Forgets what was held against a single address: by detection, as a repeated offender, and
    /// as something that others were told of lately.
    fn pardon(&self, source: IpNet) {
        if source.prefix_len() != source.max_prefix_len() {
            return;
        }
        let address = policy::canonical(source).addr();
        if self.forgive.try_send(address).is_err() {
            self.forgiven_lost.fetch_add(1, Ordering::Relaxed);
        }
        self.memory().forgive(address);
        self.signals.forget(&Selector::Source(IpNet::from(address)));
    }

    /// Own objects come back through the hub. What we already enforce on our own verdict, and
    /// what was only ever a request to others, is neither installed nor detected with twice.
    fn is_echo(&self, asker: &Asker, asks_lease: bool) -> bool {
        *asker.source == *self.partner
            && asks_lease
            && self.book().claim_of(asker).is_some_and(|claim| claim.origin == Origin::Local)
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
            if book.claim_of(asker).is_some_and(|held| held.lasts_as_long_as(&claim)) {
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

    /// A new version that gets no lease ends what the version before it had.
    fn supersede(&self, asker: &Asker, why: Option<&Why>, request: Option<&LeaseRequest>, now: Now) {
        let before = {
            let mut book = self.book();
            let foreign = |claim: &Claim| claim.origin == Origin::Exchange;
            let held = book.claim_of(asker).is_some_and(foreign);
            if held { book.release(asker, now.mono_ns) } else { None }
        };
        if let Some(ended) = before {
            self.journal.write(now, Event::Expired { object: asker.object.clone() });
            self.memory().end(ended, now);
        }
        if let (Some(why), Some(request)) = (why, request)
            && !matches!(why, Why::Expired | Why::Revoked)
        {
            self.refuse(asker, request.selector.to_string(), why.to_string(), now);
        }
    }

    fn refuse(&self, asker: &Asker, selector: String, why: String, now: Now) {
        self.memory().refuse(asker, &selector, &why, now);
        let (object, source) = (asker.object.clone(), Arc::clone(&asker.source));
        self.journal.write(now, Event::Refused { object, source, selector, why });
        self.changed.notify_one();
    }

    fn tell_hits(&self, first: Vec<FirstHit>, now: Now) {
        for hit in first {
            let event = Event::FirstHit {
                object: hit.asker.object,
                frame_ns: hit.frame_ns,
                first_hit_ns: hit.first_hit_ns,
                first_drop_ns: hit.first_drop_ns,
            };
            self.journal.write(now, event);
            self.changed.notify_one();
        }
    }

    fn refresh_exemptions(&self, now: Now) {
        let limited = self.book().rate_limited();
        for key in limited {
            let standing = self.standings.standing(&key.source, now.mono_ns);
            if !standing.open.is_empty() {
                self.book().exempt(&key, &standing.open);
            }
        }
    }

    fn reassert(&self, now: Now) {
        let result = self.book().reassert(now.mono_ns);
        let what = match result {
            Ok(done) if done == crate::leases::Reasserted::default() => return,
            Ok(done) => format!("re-asserted: {} installed, {} removed", done.installed, done.removed),
            Err(error) => format!("leases cannot be compared with the kernel's: {error}"),
        };
        tracing::warn!("{what}");
        self.journal.write(now, Event::State { what });
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

    /// On whose word a verdict rests.
    fn word_of(&self, verdict: &Verdict) -> Word<'static> {
        let sources = verdict.reasons.iter().map(|reason| reason.source.as_ref());
        let mut partners = BTreeSet::new();
        for source in sources {
            match source {
                Some(source) if **source != *self.partner => partners.insert(source),
                Some(_) | None => return Word::Own,
            };
        }
        if partners.is_empty() { Word::Own } else { Word::OwnSight { partners: partners.len() } }
    }

    /// The most restrictive marking among the partners' objects that a verdict rests on. One that
    /// is not known here is taken for the most restrictive of all.
    fn derived_from(&self, verdict: &Verdict) -> Option<Tlp> {
        let markings = self.markings.load();
        let marking = |source: &Arc<str>, object: &StixId| {
            let asker = Asker { source: Arc::clone(source), object: object.clone() };
            markings.get(&asker).copied().unwrap_or(Tlp::Red)
        };
        let objects = verdict.reasons.iter().filter_map(|reason| {
            reason.source.as_ref().zip(reason.object.as_ref())
        });
        objects.map(|(source, object)| marking(source, object)).max()
    }

    /// Judges an own verdict and carries the decision out.
    fn block_offender(&self, verdict: &Verdict, offender: IpAddr, word: Word<'_>, now: Now) {
        let request = LeaseRequest {
            selector: Selector::Source(policy::canonical(IpNet::from(offender))),
            service: verdict.victim,
            action: lease::Action::Drop,
            ttl_s: OWN_TTL_S,
            evidence: verdict.evidence,
            detector: verdict.detector.into(),
            audience: Vec::new(),
        };
        let id = scrub::indicator_id(&self.partner, &request.selector, request.service.as_ref());
        let asker = Asker { source: Arc::clone(&self.partner), object: id };
        let ask = Ask {
            word,
            head: None,
            request: Some(&request),
            pattern: None,
            confidence: Some(verdict.confidence),
            strikes: self.memory().strikes(offender, now),
        };
        let standing = self.standing(Some(&request), now);
        match policy::decide(&self.policy.load(), &ask, &standing, now.wall) {
            Decision::Install { key, action, until, why } => {
                let install = Install { key, action, until, why: &why, frame_ns: now.mono_ns };
                let fresh = self.book().claim_of(&asker).is_none();
                if self.install(&asker, Origin::Local, &install, &standing, now) {
                    self.keep(&asker.object, &install.claim(Origin::Local, now), until);
                    if fresh {
                        self.memory().strike(offender, now);
                    }
                }
            }
            Decision::Index { why: Some(Why::Unproven) } | Decision::Refuse { why: Why::Unproven } => {}
            Decision::Index { why: Some(why) } | Decision::Refuse { why } => {
                self.refuse(&asker, request.selector.to_string(), why.to_string(), now);
            }
            Decision::Index { why: None } => {}
        }
    }
}

impl Sink for Guard {
    /// # Failure bias
    /// Open: policy decides, and what it refuses is only told.
    fn verdict(&self, verdict: &Verdict) {
        let now = Now::read();
        let word = self.word_of(verdict);
        if let Some(offender) = verdict.offender {
            self.block_offender(verdict, offender, word, now);
        }
        let derived_from = self.derived_from(verdict);
        let signal = signals::signal_of(verdict, derived_from, word.is_foreign(), now);
        let object = signal.and_then(|signal| self.signals.offer(signal, now));
        let detect_us = detect_us(verdict);
        let reasons: Vec<String> =
            verdict.reasons.iter().map(|reason| format!("{}: {}", reason.buffer, reason.what)).collect();
        self.memory().judged(verdict, object.clone(), detect_us, &reasons, now);
        let event = Event::Verdict {
            detect_us,
            evidence: verdict.evidence,
            offender: verdict.offender,
            detector: verdict.detector,
            object,
            reasons,
        };
        self.journal.write(now, event);
        self.changed.notify_one();
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("partner", &self.partner).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("partner", &self.partner).finish_non_exhaustive()
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
        service: claim.key.service.map(|service| (service.proto, service.port)),
        action: stix_action(&claim.action),
        ends_at,
        why: claim.why.clone(),
    }))
}

/// From the first packet of the completing action to now, microseconds.
fn detect_us(verdict: &Verdict) -> u64 {
    datapath::clock::realtime_ns().saturating_sub(verdict.first_packet_ns) / 1_000
}

#[cfg(test)]
mod tests;
