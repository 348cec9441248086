//! Taking what the stream brings: greetings, frames and digests.

use std::sync::Arc;

use stix::{Object, StixId};
use taxii::push::{self, Digest, Entry, EventKind, Frame, Hello, Lane, Trimmed};

use super::follow::{Follower, Lost, cursor_record};
use super::known::Record;
use super::sse;
use super::view::{Agreement, Detectable, Fit, Known, MEMBERS_MAX, View};
use crate::clock::Now;
use crate::journal::Event;
use crate::leases::Asker;

impl Follower {
    pub(super) fn event(&mut self, event: &sse::Event, read_ns: u64) -> Result<(), Lost> {
        match event.name.as_str() {
            push::EVENT_FRAME => self.frame(event, read_ns),
            push::EVENT_DIGEST => self.digest(&read(&event.data)?),
            push::EVENT_HELLO => self.hello(&read(&event.data)?),
            push::EVENT_TRIMMED => {
                let trimmed: Trimmed = read(&event.data)?;
                Err(Lost::StartOver(format!(
                    "the hub cannot continue: {}",
                    trimmed.why
                )))
            }
            // A later hub may say more; what it must not do is leave anything out.
            _ => Ok(()),
        }
    }

    /// The hub's greeting: its key, community and epoch must be those that we know.
    fn hello(&mut self, hello: &Hello) -> Result<(), Lost> {
        let pinned = self.link.identity().hub_key.to_text();
        if hello.key != pinned {
            return Err(Lost::Lie(
                "the hub greets with another signing key".to_owned(),
            ));
        }
        let known = [&self.view.community, &self.target().community];
        if known
            .into_iter()
            .any(|known| !known.is_empty() && *known != hello.community)
        {
            return Err(Lost::Lie(format!(
                "the hub serves community {:?}",
                hello.community
            )));
        }
        let target = self.target();
        if target.community.is_empty() {
            let mut view = View::new(&hello.community, hello.epoch);
            view.cursor = Some(hello.cursor.clone());
            *self.target_mut() = view;
            self.keep(|_| Record::View {
                community: hello.community.clone(),
                epoch: hello.epoch,
            });
            return Ok(());
        }
        if target.epoch == hello.epoch {
            return Ok(());
        }
        Err(Lost::StartOver(format!(
            "the log's epoch is {} now",
            hello.epoch
        )))
    }

    /// A frame: verified, fitted, judged entry by entry, then remembered.
    fn frame(&mut self, event: &sse::Event, read_ns: u64) -> Result<(), Lost> {
        let frame = push::verify(&event.data, &self.link.identity().hub_key)
            .map_err(|error| Lost::Lie(error.to_string()))?;
        let (lane, from, to) = (frame.lane, frame.from, frame.to);
        match self.target().fit(&frame) {
            Fit::Next => {}
            Fit::Old => {
                self.status
                    .count(|c| c.replayed = c.replayed.saturating_add(1));
                return Ok(());
            }
            Fit::Gap { have } => {
                return Err(Lost::Gap {
                    lane,
                    have,
                    theirs: from,
                });
            }
            Fit::Foreign => {
                let what = format!("a frame of {:?}, epoch {}", frame.community, frame.epoch);
                return Err(Lost::Lie(what));
            }
        }
        let objects = self.entries(frame, read_ns);
        self.count_left_out();
        let target = self.target_mut();
        target.advance(lane, to);
        target.cursor = event.id.clone().or_else(|| target.cursor.take());
        self.keep(cursor_record);
        self.gaps = 0;
        self.status
            .update(|state| state.cursor.clone_from(&event.id));
        self.status.count(|c| c.frames = c.frames.saturating_add(1));
        let now = Now {
            mono_ns: read_ns,
            ..Now::read()
        };
        self.guard.journal().write(
            now,
            Event::Frame {
                lane,
                from,
                to,
                objects,
            },
        );
        Ok(())
    }

    /// Judges and takes the entries of a frame; returns the identifiers of their objects.
    fn entries(&mut self, frame: Frame, read_ns: u64) -> Vec<StixId> {
        let lane = frame.lane;
        let mut ids = Vec::with_capacity(frame.entries.len());
        for entry in frame.entries {
            if entry.event == EventKind::Erase {
                ids.extend(self.erase(lane, entry, read_ns));
                continue;
            }
            match Object::parse(entry.object.get().as_bytes(), &stix::Limits::default()) {
                Ok(object) => {
                    ids.push(object.head().id.clone());
                    self.entry(lane, entry, &object, read_ns);
                }
                Err(error) => {
                    tracing::warn!(source = entry.source, %error, "object not readable");
                    self.status
                        .count(|c| c.unreadable = c.unreadable.saturating_add(1));
                }
            }
        }
        self.status
            .count(|c| c.objects = c.objects.saturating_add(widen(ids.len())));
        ids
    }

    /// Lets go of a version that its source destroyed, on the disk, too; returns its identifier.
    fn erase(&mut self, lane: Lane, entry: Entry, read_ns: u64) -> Option<StixId> {
        let tombstone = match entry.tombstone() {
            Ok(tombstone) => tombstone,
            Err(error) => {
                tracing::warn!(source = entry.source, %error, "erasure not readable");
                self.status
                    .count(|c| c.unreadable = c.unreadable.saturating_add(1));
                return None;
            }
        };
        let asker = Asker {
            source: entry.source.as_str().into(),
            object: tombstone.id.clone(),
        };
        if !entry.stale {
            self.changes(&asker);
        }
        let target = self.target_mut();
        target.erase(lane, &entry, &tombstone);
        if !entry.stale && !target.holds(&asker) {
            self.guard.withdraw(&asker, None, read_ns);
        }
        if !entry.stale {
            self.tell_rules(&asker);
        }
        self.keep(|_| Record::Entry {
            lane,
            entry: Arc::new(entry),
        });
        self.keeper.want_rewrite();
        Some(tombstone.id)
    }

    fn entry(&mut self, lane: Lane, entry: Entry, object: &Object, read_ns: u64) {
        let head = object.head();
        let asker = Asker {
            source: entry.source.as_str().into(),
            object: head.id.clone(),
        };
        let gained = matches!(entry.event, EventKind::Accept | EventKind::Widen) && !head.revoked;
        let what = if gained && !entry.stale {
            self.detectable(&asker, object)
        } else {
            None
        };
        let pattern = what.as_ref().map(Detectable::pattern);
        let index = gained
            && !entry.stale
            && self
                .guard
                .object(&asker.source, object, pattern.as_deref(), read_ns);
        let stale = entry.stale;
        let record = Record::Entry {
            lane,
            entry: Arc::new(entry.clone()),
        };
        let confidence = head.confidence.unwrap_or(CONFIDENCE_UNSTATED);
        if *head.kind == *"indicator" && !stale {
            self.changes(&asker);
        }
        let target = self.target_mut();
        target.apply(lane, entry, object);
        if let Some(what) = what.filter(|_| index) {
            target.index(lane, &asker, what, confidence);
        }
        if !gained && !stale && !target.holds(&asker) {
            let selector = head.lease.as_ref().map(|lease| &lease.selector);
            self.guard.withdraw(&asker, selector, read_ns);
        }
        if *head.kind == *"indicator" && !stale {
            self.tell_rules(&asker);
        }
        self.keep(|_| record);
    }

    /// A digest: what we hold must come to the same.
    fn digest(&mut self, digest: &Digest) -> Result<(), Lost> {
        match self.target_mut().compare(digest) {
            Agreement::Older => Ok(()),
            Agreement::Same | Agreement::Partial => {
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

    /// Counts what the view left out at its bounds, and says so when that begins.
    fn count_left_out(&self) {
        let (known, members) = (self.target().full, self.target().left_out());
        let before = self.status.counters().members_left_out;
        self.status.count(|c| {
            c.known_left_out = known;
            c.members_left_out = members;
        });
        if members == 0 || before > 0 {
            return;
        }
        let what = format!(
            "a lane has more than {MEMBERS_MAX} indicators: whether all of it is here cannot be told"
        );
        tracing::warn!("{what}");
        self.guard
            .journal()
            .write(Now::read(), Event::State { what });
    }

    /// Both lanes agree, as far as that can be told: a fresh view replaces the old one, and what only
    /// the old one held goes. Whole is only what nothing was left out of.
    fn complete(&mut self) {
        if self.agreed != [true; 2] {
            return;
        }
        let whole = self.target().left_out() == 0;
        self.status.update(|state| state.complete = whole);
        let Some(fresh) = self.fresh.take() else {
            return;
        };
        let old = std::mem::replace(&mut self.view, fresh);
        let now_ns = datapath::clock::mono_ns();
        for (_, asker, _) in old.known() {
            if !self.view.holds(asker) {
                self.guard.withdraw(asker, None, now_ns);
            }
        }
        self.indexer.anew();
        self.keep_rules();
        self.rewrite();
        let what = format!("resynchronised: {} indicators", self.view.len());
        self.guard
            .journal()
            .write(Now::read(), Event::State { what });
    }

    /// What to detect with; a pattern that we cannot is refused by name.
    fn detectable(&self, asker: &Asker, object: &Object) -> Option<Detectable> {
        match detectable(object, self.partners.is_some())? {
            Ok(what) => Some(what),
            Err(why) => {
                self.guard.undetectable(asker, why);
                None
            }
        }
    }

    /// Tells the thread of rules what the views say of an indicator, the fresh one first.
    pub(super) fn tell_rules(&self, asker: &Asker) {
        let Some(partners) = &self.partners else {
            return;
        };
        let views = [self.target(), &self.view].into_iter();
        let mut known = views.flat_map(|view| view.known_of(asker));
        match known.find_map(|(_, _, known)| known.rules()) {
            None => partners.remove(asker),
            Some((text, confidence)) => {
                if let Err(why) = partners.set(asker, text, confidence) {
                    self.guard.undetectable(asker, why);
                }
            }
        }
    }

    /// Tells the thread of rules that those are gone that the view in force does not hold.
    fn keep_rules(&self) {
        if let Some(partners) = &self.partners {
            let has_rules = |known: &Known| known.rules().is_some();
            partners.retain(|asker| {
                let mut known = self.view.known_of(asker);
                known.any(|(_, _, known)| has_rules(known))
            });
        }
    }
}

/// What an indicator is detected with, or why it cannot be. `takes_rules`: whether partners' rules are
/// looked for here.
pub(super) fn detectable(object: &Object, takes_rules: bool) -> Option<Result<Detectable, String>> {
    let raw = object.head().pattern.as_ref()?;
    Some(match &*raw.pattern_type {
        "stix" => stix::pattern::parse(&raw.pattern)
            .map(|pattern| Detectable::Pattern(Arc::new(pattern)))
            .map_err(|error| error.to_string()),
        "suricata" if takes_rules => Ok(Detectable::Rules((&*raw.pattern).into())),
        "suricata" => {
            Err("rules of partners are not looked for here ([rules] partners)".to_owned())
        }
        other => Err(format!("pattern type \"{other}\" is not supported")),
    })
}

fn read<T: serde::de::DeserializeOwned>(data: &[u8]) -> Result<T, Lost> {
    serde_json::from_slice(data).map_err(|error| Lost::Lie(format!("an unreadable event: {error}")))
}

fn widen(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Confidence that the index notes for indicators that state none.
pub(super) const CONFIDENCE_UNSTATED: u8 = 50;
