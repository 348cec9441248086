//! Following the hub's stream: what is read is verified, fitted to what we have, judged, and only
//! then remembered. Whatever does not fit is a reason to ask again, from the cursor or from
//! nothing; meanwhile everything in force stays in force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use detect::Index;
use futures_util::StreamExt as _;
use stix::pattern::Pattern;
use stix::{Object, Tlp};
use taxii::push::{self, Digest, Entry, EventKind, Frame, Hello, Lane, Trimmed};
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, random};
use super::index::Indexer;
use super::known::{Keeper, Record};
use super::link::{CONNECT_WAIT_MAX, Link};
use super::sse::{self, Parser};
use super::status::Status;
use super::view::{Agreement, Fit, View};
use crate::clock::Now;
use crate::guard::Guard;
use crate::journal::Event;
use crate::leases::Asker;

/// Longest silence on a stream; the hub sends comments more often.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(40);
/// Pause between looks at what time asks for: expiry, the index, the file.
pub(super) const CHORES_PAUSE: Duration = Duration::from_millis(20);

/// Follows one hub.
pub(crate) struct Follower {
    pub(super) link: Arc<Link>,
    pub(super) guard: Arc<Guard>,
    pub(super) keeper: Keeper,
    pub(super) status: Arc<Status>,
    /// What is in force.
    view: View,
    /// What is being fetched from nothing, to replace `view` when it is whole.
    fresh: Option<View>,
    /// Per lane, whether the last digest agreed.
    agreed: [bool; 2],
    /// Gaps in a row without a frame between them.
    gaps: u32,
    indexer: Indexer,
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("no connection: {0}")]
    Connect(String),
    #[error("the hub answered {status}: {why}")]
    Refused { status: u16, why: String },
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the hub ended the stream")]
    Ended,
    #[error("no byte for {} s", SILENCE_MAX.as_secs())]
    Silent,
    #[error("not a stream of events: {0}")]
    Sse(#[from] sse::SseError),
    #[error("not to be believed: {0}")]
    Lie(String),
    #[error("entries are missing in the {lane:?} lane: we have {have}, the hub is at {theirs}")]
    Gap { lane: Lane, have: u64, theirs: u64 },
    #[error("{0}")]
    StartOver(String),
}

impl Follower {
    pub(crate) fn new(
        link: Arc<Link>,
        guard: Arc<Guard>,
        keeper: Keeper,
        status: Arc<Status>,
        view: View,
        index: Arc<ArcSwap<Index>>,
    ) -> Self {
        let indexer = Indexer::new(index);
        Self {
            link,
            guard,
            keeper,
            status,
            view,
            fresh: None,
            agreed: [false; 2],
            gaps: 0,
            indexer,
        }
    }

    /// Follows until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        let mut chores = tokio::time::interval(CHORES_PAUSE);
        chores.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            let lost = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                lost = self.follow(&mut chores, &mut backoff) => lost,
            };
            self.lost(&lost);
            let again = tokio::time::sleep(backoff.next(random()));
            tokio::pin!(again);
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = &mut again => break,
                    _ = chores.tick() => self.chores(),
                }
            }
        }
    }

    /// One connection, from the request to whatever ends it.
    async fn follow(&mut self, chores: &mut tokio::time::Interval, backoff: &mut Backoff) -> Lost {
        self.link.refresh();
        let response = match self.connect().await {
            Ok(response) => response,
            Err(lost) => return lost,
        };
        self.status.connected();
        let mut chunks = response.bytes_stream();
        let mut parser = Parser::new();
        loop {
            let silence = tokio::time::sleep(SILENCE_MAX);
            tokio::pin!(silence);
            let chunk = loop {
                tokio::select! {
                    biased;
                    _ = chores.tick() => self.chores(),
                    chunk = chunks.next() => break chunk,
                    () = &mut silence => return Lost::Silent,
                }
            };
            let read_ns = datapath::clock::mono_ns();
            let taken = match chunk {
                Some(Ok(bytes)) => self.take(&bytes, &mut parser, read_ns),
                Some(Err(error)) => return Lost::Broken(error.to_string()),
                None => return Lost::Ended,
            };
            if let Err(lost) = taken {
                return lost;
            }
            if self.agreed == [true; 2] {
                backoff.reset();
            }
        }
    }

    async fn connect(&self) -> Result<reqwest::Response, Lost> {
        let mut request = self
            .link
            .client()
            .get(self.link.url("/exchange/v1/push"))
            .header(reqwest::header::ACCEPT, "text/event-stream");
        if let Some(cursor) = &self.target().cursor {
            request = request.header("Last-Event-ID", cursor);
        }
        let response = tokio::time::timeout(CONNECT_WAIT_MAX, request.send())
            .await
            .map_err(|_| Lost::Connect("no answer".to_owned()))?
            .map_err(|error| Lost::Connect(chain(&error)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let answer = super::link::read_answer(response).await.unwrap_or_default();
        let why = String::from_utf8_lossy(&answer).chars().take(WHY_CHARS_MAX).collect();
        Err(Lost::Refused { status, why })
    }

    fn take(&mut self, bytes: &Bytes, parser: &mut Parser, read_ns: u64) -> Result<(), Lost> {
        let mut outcome = Ok(());
        parser.push(bytes, &mut |event| {
            if outcome.is_ok() {
                outcome = self.event(&event, read_ns);
            }
        })?;
        outcome
    }

    fn event(&mut self, event: &sse::Event, read_ns: u64) -> Result<(), Lost> {
        match event.name.as_str() {
            push::EVENT_FRAME => self.frame(event, read_ns),
            push::EVENT_DIGEST => self.digest(&read(&event.data)?),
            push::EVENT_HELLO => self.hello(&read(&event.data)?),
            push::EVENT_TRIMMED => {
                let trimmed: Trimmed = read(&event.data)?;
                Err(Lost::StartOver(format!("the hub cannot continue: {}", trimmed.why)))
            }
            // A later hub may say more; what it must not do is leave anything out.
            _ => Ok(()),
        }
    }

    /// The hub's greeting: its key, community and epoch must be those that we know.
    fn hello(&mut self, hello: &Hello) -> Result<(), Lost> {
        let pinned = self.link.identity().hub_key.to_text();
        if hello.key != pinned {
            return Err(Lost::Lie("the hub greets with another signing key".to_owned()));
        }
        let known = [&self.view.community, &self.target().community];
        if known.into_iter().any(|known| !known.is_empty() && *known != hello.community) {
            return Err(Lost::Lie(format!("the hub serves community {:?}", hello.community)));
        }
        let target = self.target();
        if target.community.is_empty() {
            let mut view = View::new(&hello.community, hello.epoch);
            view.cursor = Some(hello.cursor.clone());
            *self.target_mut() = view;
            self.keep(|_| {
                Record::View { community: hello.community.clone(), epoch: hello.epoch }
            });
            return Ok(());
        }
        if target.epoch == hello.epoch {
            return Ok(());
        }
        Err(Lost::StartOver(format!("the log's epoch is {} now", hello.epoch)))
    }

    /// A frame: verified, fitted, judged entry by entry, then remembered.
    fn frame(&mut self, event: &sse::Event, read_ns: u64) -> Result<(), Lost> {
        let frame = push::verify(&event.data, &self.link.identity().hub_key)
            .map_err(|error| Lost::Lie(error.to_string()))?;
        let (lane, from, to) = (frame.lane, frame.from, frame.to);
        match self.target().fit(&frame) {
            Fit::Next => {}
            Fit::Old => {
                self.status.count(|c| c.replayed = c.replayed.saturating_add(1));
                return Ok(());
            }
            Fit::Gap { have } => return Err(Lost::Gap { lane, have, theirs: from }),
            Fit::Foreign => {
                let what = format!("a frame of {:?}, epoch {}", frame.community, frame.epoch);
                return Err(Lost::Lie(what));
            }
        }
        let objects = self.entries(frame, read_ns);
        let target = self.target_mut();
        target.advance(lane, to);
        target.cursor = event.id.clone().or_else(|| target.cursor.take());
        self.keep(cursor_record);
        self.gaps = 0;
        self.status.update(|state| state.cursor.clone_from(&event.id));
        self.status.count(|c| c.frames = c.frames.saturating_add(1));
        let now = Now { mono_ns: read_ns, ..Now::read() };
        self.guard.journal().write(now, Event::Frame { lane, from, to, objects });
        Ok(())
    }

    /// Judges and takes the entries of a frame; returns the identifiers of their objects.
    fn entries(&mut self, frame: Frame, read_ns: u64) -> Vec<stix::StixId> {
        let lane = frame.lane;
        let mut ids = Vec::with_capacity(frame.entries.len());
        for entry in frame.entries {
            match Object::parse(entry.object.get().as_bytes(), &stix::Limits::default()) {
                Ok(object) => {
                    ids.push(object.head().id.clone());
                    self.entry(lane, entry, &object, read_ns);
                }
                Err(error) => {
                    tracing::warn!(source = entry.source, %error, "object not readable");
                    self.status.count(|c| c.unreadable = c.unreadable.saturating_add(1));
                }
            }
        }
        self.status.count(|c| c.objects = c.objects.saturating_add(widen(ids.len())));
        ids
    }

    fn entry(&mut self, lane: Lane, entry: Entry, object: &Object, read_ns: u64) {
        let head = object.head();
        let asker = Asker { source: entry.source.as_str().into(), object: head.id.clone() };
        let gained = matches!(entry.event, EventKind::Accept | EventKind::Widen) && !head.revoked;
        let pattern = if gained && !entry.stale { pattern_of(object) } else { None };
        let index = gained
            && !entry.stale
            && self.guard.object(&asker.source, object, pattern.as_deref(), read_ns);
        let stale = entry.stale;
        let record = Record::Entry { lane, entry: Arc::new(entry.clone()) };
        let confidence = head.confidence.unwrap_or(CONFIDENCE_UNSTATED);
        let target = self.target_mut();
        target.apply(lane, entry, object);
        if let Some(pattern) = pattern.filter(|_| index) {
            target.index(lane, &asker, pattern, confidence);
        }
        if !gained && !stale && !target.holds(&asker) {
            let selector = head.lease.as_ref().map(|lease| &lease.selector);
            self.guard.withdraw(&asker, selector, read_ns);
        }
        if *head.kind == *"indicator" && !stale {
            self.indexer.dirty();
        }
        self.keep(|_| record);
    }

    /// A digest: what we hold must come to the same.
    fn digest(&mut self, digest: &Digest) -> Result<(), Lost> {
        match self.target_mut().compare(digest) {
            Agreement::Older => Ok(()),
            Agreement::Same => {
                let [community, addressed] = &mut self.agreed;
                *community |= digest.community.is_some();
                *addressed |= digest.addressed.is_some();
                self.complete();
                Ok(())
            }
            Agreement::Behind { lane, have, theirs } => Err(Lost::Gap { lane, have, theirs }),
            Agreement::Different { lane, ours, theirs } => Err(Lost::StartOver(format!(
                "the {lane:?} lane at {} has {} indicators here ({}) and {} at the hub ({})",
                ours.position, ours.active, ours.digest, theirs.active, theirs.digest
            ))),
        }
    }

    /// Both lanes agree: a fresh view replaces the old one, and what only the old one held goes.
    fn complete(&mut self) {
        if self.agreed != [true; 2] {
            return;
        }
        self.status.update(|state| state.complete = true);
        let Some(fresh) = self.fresh.take() else { return };
        let old = std::mem::replace(&mut self.view, fresh);
        let now_ns = datapath::clock::mono_ns();
        for (_, asker, _) in old.known() {
            if !self.view.holds(asker) {
                self.guard.withdraw(asker, None, now_ns);
            }
        }
        self.indexer.dirty();
        self.rewrite();
        let what = format!("resynchronised: {} indicators", self.view.len());
        self.guard.journal().write(Now::read(), Event::State { what });
    }

    /// Tells why the connection is given up, and decides from where to ask again.
    fn lost(&mut self, lost: &Lost) {
        tracing::info!(%lost, "stream of the hub lost");
        self.agreed = [false; 2];
        self.status.update(|state| {
            state.connected = false;
            state.complete = false;
        });
        self.status.count(|c| c.failures = c.failures.saturating_add(1));
        let now = Now::read();
        let journal = self.guard.journal().clone();
        match lost {
            Lost::Gap { lane, have, theirs } => {
                self.status.count(|c| c.gaps = c.gaps.saturating_add(1));
                journal.write(now, Event::Gap { lane: *lane, have: *have, from: *theirs });
                self.gaps = self.gaps.saturating_add(1);
                let scratch = self.gaps >= GAPS_MAX;
                if scratch {
                    self.start_over();
                }
                journal.write(now, Event::Resync { scratch, why: lost.to_string() });
            }
            Lost::StartOver(why) => {
                self.start_over();
                journal.write(now, Event::Resync { scratch: true, why: why.clone() });
            }
            Lost::Lie(_) => {
                self.status.count(|c| c.lies = c.lies.saturating_add(1));
                journal.write(now, Event::State { what: lost.to_string() });
            }
            Lost::Connect(_)
            | Lost::Refused { .. }
            | Lost::Broken(_)
            | Lost::Ended
            | Lost::Silent
            | Lost::Sse(_) => journal.write(now, Event::State { what: lost.to_string() }),
        }
    }

    /// From nothing. What is in force stays until the fresh view is whole.
    fn start_over(&mut self) {
        self.gaps = 0;
        self.status.count(|c| c.resyncs = c.resyncs.saturating_add(1));
        self.fresh = Some(View::default());
    }

    fn chores(&mut self) {
        let now = Now::read();
        let target = self.fresh.as_ref().map_or(&self.view, |fresh| fresh);
        if self.indexer.due(target.len()) {
            let (old, fresh) = (&self.view, self.fresh.as_ref());
            let views = std::iter::once(old).chain(fresh);
            self.guard.set_markings(markings(views.clone()));
            self.indexer.start(views, &self.status);
        }
        if self.indexer.prune_due() {
            let mut pruned = self.view.prune(now.wall);
            if let Some(fresh) = &mut self.fresh {
                pruned |= fresh.prune(now.wall);
            }
            if pruned {
                self.indexer.dirty();
            }
        }
        if self.keeper.wants_rewrite() && self.fresh.is_none() {
            self.rewrite();
        }
    }

    /// The view that frames are for: the fresh one while there is one.
    fn target(&self) -> &View {
        self.fresh.as_ref().unwrap_or(&self.view)
    }

    fn target_mut(&mut self) -> &mut View {
        self.fresh.as_mut().unwrap_or(&mut self.view)
    }

    /// Hands a record to the disk, unless it belongs to a view that is not whole yet.
    fn keep(&self, record: impl FnOnce(&View) -> Record) {
        if self.fresh.is_none() {
            self.keeper.append(record(&self.view));
        }
    }

    fn rewrite(&self) {
        let view = &self.view;
        let (community, epoch) = (view.community.clone(), view.epoch);
        let mut records = vec![Record::View { community, epoch }];
        let entry = |lane, entry: &Arc<Entry>| Record::Entry { lane, entry: Arc::clone(entry) };
        records.extend(view.known().map(|(lane, _, known)| entry(lane, &known.entry)));
        records.push(cursor_record(view));
        records.extend(self.guard.own_leases());
        self.keeper.rewrite(records);
    }
}

/// The pattern of an indicator, if it is one that can be detected with.
pub(super) fn pattern_of(object: &Object) -> Option<Arc<Pattern>> {
    let raw = object.head().pattern.as_ref()?;
    let stix = *raw.pattern_type == *"stix";
    stix.then(|| stix::pattern::parse(&raw.pattern).ok()).flatten().map(Arc::new)
}

/// Confidence that the index notes for indicators that state none.
pub(super) const CONFIDENCE_UNSTATED: u8 = 50;

/// The marking of each indicator that is detected with; unknown markings are the most restrictive.
fn markings<'a>(views: impl Iterator<Item = &'a View>) -> BTreeMap<Asker, Tlp> {
    let indexed = views.flat_map(View::known).filter(|(_, _, known)| known.index.is_some());
    indexed.map(|(_, asker, known)| (asker.clone(), known.marking)).collect()
}

fn cursor_record(view: &View) -> Record {
    let position = view.position();
    Record::Cursor {
        cursor: view.cursor.clone(),
        community: position.community,
        addressed: position.addressed,
    }
}

fn read<T: serde::de::DeserializeOwned>(data: &[u8]) -> Result<T, Lost> {
    serde_json::from_slice(data).map_err(|error| Lost::Lie(format!("an unreadable event: {error}")))
}

/// An error and its causes on one line: reqwest's own words say little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

fn widen(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Gaps in a row after which the cursor is no longer trusted.
const GAPS_MAX: u32 = 2;
const WHY_CHARS_MAX: usize = 500;
