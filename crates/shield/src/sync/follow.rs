//! Following the hub's stream: what is read is verified, fitted to what we have, judged, and only
//! then remembered. Whatever does not fit is a reason to ask again, from the cursor or from
//! nothing; meanwhile everything in force stays in force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use stix::Tlp;
use taxii::push::{Entry, Lane};
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, random};
use super::index::{Indexer, Item, Scope, held};
use super::known::{Keeper, Record};
use super::link::{CONNECT_WAIT_MAX, Link};
use super::sse::{self, Parser};
use super::status::Status;
use super::view::View;
use crate::clock::Now;
use crate::guard::Guard;
use crate::journal::Event;
use crate::leases::Asker;
use crate::rules::Partners;

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
    pub(super) view: View,
    /// What is being fetched from nothing, to replace `view` when it is whole.
    pub(super) fresh: Option<View>,
    /// Per lane, whether the last digest agreed.
    pub(super) agreed: [bool; 2],
    /// Gaps in a row without a frame between them.
    pub(super) gaps: u32,
    pub(super) indexer: Indexer,
    /// Rules that partners share; none where they are not looked for.
    pub(super) partners: Option<Arc<Partners>>,
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
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
        indexer: Indexer,
        partners: Option<Arc<Partners>>,
    ) -> Self {
        let mut follower = Self {
            link,
            guard,
            keeper,
            status,
            view,
            fresh: None,
            agreed: [false; 2],
            gaps: 0,
            indexer,
            partners,
        };
        follower.restore_index();
        follower
    }

    /// Detects at once with what an earlier run built.
    fn restore_index(&mut self) {
        let known = self.view.known();
        let what = match self.indexer.restore(known.clone(), &self.status) {
            Ok(false) => return,
            Ok(true) => {
                let markings = markings(known, &self.link.identity().partner);
                self.guard.set_markings(markings);
                let changed = self.indexer.changed().len();
                format!("the index of before is detected with; {changed} indicators changed since")
            }
            Err(error) => {
                tracing::warn!("{error}");
                error.to_string()
            }
        };
        self.guard
            .journal()
            .write(Now::read(), Event::State { what });
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
        let why = String::from_utf8_lossy(&answer)
            .chars()
            .take(WHY_CHARS_MAX)
            .collect();
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

    /// Tells why the connection is given up, and decides from where to ask again.
    fn lost(&mut self, lost: &Lost) {
        tracing::info!(%lost, "stream of the hub lost");
        self.agreed = [false; 2];
        self.status.update(|state| {
            state.connected = false;
            state.complete = false;
        });
        self.status
            .count(|c| c.failures = c.failures.saturating_add(1));
        let now = Now::read();
        let journal = self.guard.journal().clone();
        match lost {
            Lost::Gap { lane, have, theirs } => {
                self.status.count(|c| c.gaps = c.gaps.saturating_add(1));
                journal.write(
                    now,
                    Event::Gap {
                        lane: *lane,
                        have: *have,
                        from: *theirs,
                    },
                );
                self.gaps = self.gaps.saturating_add(1);
                let scratch = self.gaps >= GAPS_MAX;
                if scratch {
                    self.start_over();
                }
                journal.write(
                    now,
                    Event::Resync {
                        scratch,
                        why: lost.to_string(),
                    },
                );
            }
            Lost::StartOver(why) => {
                self.start_over();
                journal.write(
                    now,
                    Event::Resync {
                        scratch: true,
                        why: why.clone(),
                    },
                );
            }
            Lost::Lie(_) => {
                self.status.count(|c| c.lies = c.lies.saturating_add(1));
                journal.write(
                    now,
                    Event::State {
                        what: lost.to_string(),
                    },
                );
            }
            Lost::Connect(_)
            | Lost::Refused { .. }
            | Lost::Broken(_)
            | Lost::Ended
            | Lost::Silent
            | Lost::Sse(_) => journal.write(
                now,
                Event::State {
                    what: lost.to_string(),
                },
            ),
        }
    }

    /// From nothing. What is in force stays until the fresh view is whole.
    fn start_over(&mut self) {
        self.gaps = 0;
        self.status
            .count(|c| c.resyncs = c.resyncs.saturating_add(1));
        self.fresh = Some(View::default());
    }

    fn chores(&mut self) {
        if let Some(scope) = self.indexer.due(self.target().len()) {
            self.build_index(scope);
        }
        if self.indexer.prune_due() {
            self.prune();
        }
        if self.keeper.wants_rewrite() && self.fresh.is_none() {
            self.rewrite();
        }
    }

    fn build_index(&mut self, scope: Scope) {
        let views = views(&self.view, self.fresh.as_ref());
        let own = Arc::clone(&self.link.identity().partner);
        let (guard, indexer, status) = (&self.guard, &mut self.indexer, &self.status);
        match scope {
            Scope::Whole => {
                let items = views.flat_map(View::known);
                guard.set_markings(markings(items.clone(), &own));
                indexer.build_whole(items, status);
            }
            Scope::Changes => {
                let changed = indexer.changed().clone();
                let items = changed.keys();
                let items =
                    items.flat_map(|asker| views.clone().flat_map(|view| view.known_of(asker)));
                guard.set_markings_since(markings(items.clone(), &own));
                indexer.build_changes(items, status);
            }
        }
    }

    /// Forgets what has expired.
    fn prune(&mut self) {
        let mut gone = BTreeMap::<Asker, u64>::new();
        let pruned = self.view.prune();
        let fresh = self.fresh.as_mut().map(View::prune).unwrap_or_default();
        for asker in pruned.into_iter().chain(fresh) {
            let times = gone.entry(asker).or_default();
            *times = times.saturating_add(1);
        }
        for (asker, times) in &gone {
            let held = held(views(&self.view, self.fresh.as_ref()), asker);
            self.indexer.changes(asker, held.saturating_add(*times));
            self.tell_rules(asker);
        }
    }

    /// An indicator of the view that frames are for is about to change.
    pub(super) fn changes(&mut self, asker: &Asker) {
        let held = held(views(&self.view, self.fresh.as_ref()), asker);
        self.indexer.changes(asker, held);
    }

    /// The view that frames are for: the fresh one while there is one.
    pub(super) fn target(&self) -> &View {
        self.fresh.as_ref().unwrap_or(&self.view)
    }

    pub(super) fn target_mut(&mut self) -> &mut View {
        self.fresh.as_mut().unwrap_or(&mut self.view)
    }

    /// Hands a record to the disk, unless it belongs to a view that is not whole yet.
    pub(super) fn keep(&self, record: impl FnOnce(&View) -> Record) {
        if self.fresh.is_none() {
            self.keeper.append(record(&self.view));
        }
    }

    pub(super) fn rewrite(&self) {
        let view = &self.view;
        let (community, epoch) = (view.community.clone(), view.epoch);
        let mut records = vec![Record::View { community, epoch }];
        let entry = |lane, entry: &Arc<Entry>| Record::Entry {
            lane,
            entry: Arc::clone(entry),
        };
        records.extend(
            view.known()
                .map(|(lane, _, known)| entry(lane, &known.entry)),
        );
        records.push(cursor_record(view));
        records.extend(self.guard.own_leases());
        self.keeper.rewrite(records);
    }
}

/// The view in force, and the one that is being fetched to replace it.
fn views<'v>(view: &'v View, fresh: Option<&'v View>) -> impl Iterator<Item = &'v View> + Clone {
    std::iter::once(view).chain(fresh)
}

/// The marking of each indicator that is detected with; unknown markings are the most restrictive.
/// What another partner addressed to us is for us: nothing that rests on it is told to others, who
/// would learn of it.
fn markings<'a>(items: impl Iterator<Item = Item<'a>>, own: &str) -> BTreeMap<Asker, Tlp> {
    let indexed = items.filter(|(_, _, known)| known.index.is_some());
    indexed
        .map(|(lane, asker, known)| {
            let for_us = lane == Lane::Addressed && *asker.source != *own;
            let marking = if for_us { Tlp::Red } else { known.marking };
            (asker.clone(), marking)
        })
        .collect()
}

pub(super) fn cursor_record(view: &View) -> Record {
    let position = view.position();
    Record::Cursor {
        cursor: view.cursor.clone(),
        community: position.community,
        addressed: position.addressed,
    }
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

/// Gaps in a row after which the cursor is no longer trusted.
const GAPS_MAX: u32 = 2;
const WHY_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stix::{Object, StixId, Timestamp};
    use taxii::push::EventKind;

    use super::super::view::Detectable;
    use super::*;

    /// Takes an indicator of `source` marked GREEN and detects with it.
    fn take(view: &mut View, lane: Lane, source: &str) -> Asker {
        let id = StixId::v5("indicator", source);
        let at = Timestamp::EPOCH.to_string();
        let raw = json!({
            "type": "indicator", "spec_version": "2.1", "id": id, "created": at, "modified": at,
            "pattern": "[url:value = 'http://evil.example/a']", "pattern_type": "stix",
            "valid_from": at,
            "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
        });
        let raw = serde_json::value::RawValue::from_string(raw.to_string()).unwrap();
        let object = Object::parse(raw.get().as_bytes(), &stix::Limits::default()).unwrap();
        assert_eq!(object.head().tlp(), Some(Tlp::Green));
        let raw_pattern = &object.head().pattern.as_ref().unwrap().pattern;
        let pattern = stix::pattern::parse(raw_pattern).unwrap();
        let entry = Entry {
            event: EventKind::Accept,
            source: source.to_owned(),
            date_added: Timestamp::EPOCH,
            stale: false,
            object: raw,
        };
        view.apply(lane, entry, &object);
        let asker = Asker {
            source: source.into(),
            object: id,
        };
        view.index(lane, &asker, Detectable::Pattern(Arc::new(pattern)), 50);
        asker
    }

    #[test]
    fn what_rests_on_an_object_addressed_to_us_is_withheld() {
        let mut view = View::new("default", 1);
        let shared = take(&mut view, Lane::Community, "bravo");
        let for_us = take(&mut view, Lane::Addressed, "charlie");
        let own = take(&mut view, Lane::Addressed, "alpha");
        let markings = markings(view.known(), "alpha");
        assert_eq!(markings[&shared], Tlp::Green);
        assert_eq!(markings[&for_us], Tlp::Red, "others would learn of it");
        assert_eq!(markings[&own], Tlp::Green, "we addressed it to others");
    }
}
