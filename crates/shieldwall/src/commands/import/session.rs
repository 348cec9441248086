//! One run of an import: pieces are judged against what the source told before, shared in batches,
//! and counted.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use feeds::{
    Author, Claim, Kind, Refused, Told, Written,
    ledger::{Ledger, Line, Met},
    protected::Protected,
    revocation,
};
use serde_json::json;
use stix::{Object, Timestamp, Tlp};
use taxii::message::envelope;
use tokio::sync::mpsc;

use super::{super::state::State, Piece};
use crate::{
    client::HubClient,
    outcome::{Failure, Outcome},
    text::{complain, say},
};

/// Objects of one batch.
const BATCH_OBJECTS_MAX: usize = 1000;
/// Bytes of one batch, unless one object alone has more.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Said of a version that is known with other bytes. Servers that parse what they store write it in
/// their own way, and what we shared comes back so.
const OTHER_WORDS: &str = "versions that are known, in other words";
/// Below this many, taking all back is no accident that matters.
const SYNC_FEW: usize = 10;

/// What is about to be shared.
struct Pending {
    object: Object,
    line: Line,
    change: Change,
    /// Where it stands in the source.
    place: String,
}

/// What a piece changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    New,
    Changed,
    Revoked,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Revoked => "revoked",
        }
    }
}

/// One run.
pub(super) struct Session<'a> {
    author: Author,
    ledger: Ledger,
    state: State,
    protected: Protected,
    /// `None` in a preview.
    hub: Option<&'a HubClient>,
    /// Whether to write JSON.
    pub(super) json: bool,
    /// Whether to leave out what is warned of.
    pub(super) skip_protected: bool,
    /// Whether the source is a server that may write a version in other words than it was given.
    pub(super) relayed: bool,
    /// Things that this run met for the first time.
    pub(super) met: u64,
    now: Timestamp,
    pending: Vec<Pending>,
    pending_bytes: usize,
    counts: BTreeMap<&'static str, u64>,
    kinds: BTreeMap<Kind, u64>,
    passed_over: BTreeMap<&'static str, u64>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        author: Author,
        ledger: Ledger,
        state: State,
        protected: Protected,
        hub: Option<&'a HubClient>,
    ) -> Self {
        Self {
            author,
            ledger,
            state,
            protected,
            hub,
            json: false,
            skip_protected: false,
            relayed: false,
            met: 0,
            now: super::super::now(),
            pending: Vec::new(),
            pending_bytes: 0,
            counts: BTreeMap::new(),
            kinds: BTreeMap::new(),
            passed_over: BTreeMap::new(),
        }
    }

    /// Where it is remembered what the source told.
    pub(super) fn state(&self) -> &Path {
        self.state.path()
    }

    /// Takes a piece; shares a batch when one is full.
    pub(super) async fn take(&mut self, piece: Piece) -> Result<(), Failure> {
        let Piece { file, told } = piece;
        match told {
            Told::Claim(claim) => self.claim(&claim, file.as_ref()),
            Told::Object(object) => self.object(object),
            Told::Refused(refused) => self.refuse(&placed(file.as_ref(), &refused.place), &refused),
            Told::PassedOver(why) => self.pass_over(why),
        }
        let full = self.pending.len() >= BATCH_OBJECTS_MAX || self.pending_bytes >= BATCH_BYTES_MAX;
        match full {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    fn claim(&mut self, claim: &Claim, file: Option<&Arc<str>>) {
        let place = placed(file, &claim.place);
        let kind = self.kinds.entry(claim.value.kind()).or_default();
        *kind = kind.saturating_add(1);
        let known = match self.ledger.meet(&self.author.base_id(claim)) {
            Met::First(known) => known,
            Met::Again(_) => return self.count("repeated"),
            Met::NoRoom => return self.refuse(&place, &no_room(claim)),
        };
        if !self.author.can_address(claim) {
            let reason = format!("{} cannot be addressed to an audience", claim.value.kind());
            let mend = "leave out --audience, or this kind";
            let refused = Refused {
                place: claim.place.clone(),
                reason,
                mend: mend.into(),
            };
            return self.refuse(&place, &refused);
        }
        let concern = match claim.revoked {
            true => None,
            false => self.protected.concern(&claim.value),
        };
        if let Some(why) = &concern {
            self.warn(&place, claim, why);
            if self.skip_protected {
                return;
            }
        }
        match self.author.write(claim, known.as_ref(), self.now) {
            Ok(Written::New(object, line)) => self.share(Change::New, object, line, place),
            Ok(Written::Changed(object, line)) => self.share(Change::Changed, object, line, place),
            Ok(Written::Revoked(object, line)) => self.share(Change::Revoked, object, line, place),
            Ok(Written::Same) => self.count("unchanged"),
            Ok(Written::Over) => self.pass_over("over already"),
            Ok(Written::Withheld(why)) => self.pass_over(why),
            Err(error) => {
                let (reason, mend) = (error.to_string(), error.mend().to_owned());
                let place_of = claim.place.clone();
                self.refuse(
                    &place,
                    &Refused {
                        place: place_of,
                        reason,
                        mend: mend.into(),
                    },
                );
            }
        }
    }

    /// An object that is STIX already goes on as it is.
    fn object(&mut self, object: Object) {
        if object.head().tlp() == Some(Tlp::Red) {
            return self.pass_over("TLP:RED is for named people, never for a feed");
        }
        let (line, version) = (Line::of_foreign(&object), object.version());
        let place = object.head().id.to_string();
        let known = match self.ledger.meet(&object.head().id) {
            Met::First(known) => {
                self.met = self.met.saturating_add(1);
                known
            }
            // While a server's pages are read, a newer version may come.
            Met::Again(Some(known)) if known.modified < version => Some(known),
            Met::Again(_) => return self.count("repeated"),
            Met::NoRoom => {
                let most = feeds::ledger::ENTRIES_MAX;
                let why = format!("more than {most} things of one source");
                return self.say_refused(&place, &why, "split the source");
            }
        };
        let change = match (known, object.head().revoked) {
            (Some(known), _) if known.digest == line.digest => return self.count("unchanged"),
            (Some(known), _) if known.modified > version => {
                return self.pass_over("older than what was told before");
            }
            (Some(known), _) if self.relayed && known.modified == version => {
                return self.pass_over(OTHER_WORDS);
            }
            (None, true) => return self.pass_over("over already"),
            (Some(_), true) => Change::Revoked,
            (Some(_), false) => Change::Changed,
            (None, false) => Change::New,
        };
        self.ledger.told(&object.head().id, &line);
        self.share(change, object, line, place);
    }

    fn share(&mut self, change: Change, object: Object, line: Line, place: String) {
        if self.hub.is_none() {
            self.show(change, &object);
            return self.count(change.word());
        }
        self.pending_bytes = self.pending_bytes.saturating_add(object.raw().len());
        self.pending.push(Pending {
            object,
            line,
            change,
            place,
        });
    }

    /// Shares what waits.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        self.pending_bytes = 0;
        let mut batches = vec![std::mem::take(&mut self.pending)];
        while let Some(mut batch) = batches.pop() {
            let (Some(hub), false) = (self.hub, batch.is_empty()) else {
                continue;
            };
            let document = envelope(batch.iter().map(|pending| pending.object.raw()), None);
            match hub.share_patiently(document).await? {
                Some(shared) => self.told(&batch, &shared.outcomes)?,
                None if batch.len() > 1 => {
                    let rest = batch.split_off(batch.len() / 2);
                    batches.extend([rest, batch]);
                }
                None => self.too_large(&batch),
            }
        }
        Ok(())
    }

    /// What the hub said of a batch.
    fn told(
        &mut self,
        batch: &[Pending],
        outcomes: &[crate::client::ObjectOutcome],
    ) -> Result<(), Failure> {
        let mut taken = Vec::with_capacity(batch.len());
        for (pending, outcome) in batch.iter().zip(outcomes) {
            if matches!(outcome.outcome.as_str(), "accepted" | "duplicate") {
                taken.push(pending.line.clone());
                self.count(pending.change.word());
            } else if self.relayed && outcome.outcome == "conflict" {
                // The hub has this version from us. What a server makes of it is no news.
                taken.push(pending.line.clone());
                self.pass_over(OTHER_WORDS);
            } else {
                let reason = outcome.reason.as_deref().unwrap_or(&outcome.outcome);
                self.say_refused(&pending.place, &format!("the hub: {reason}"), "");
            }
        }
        if outcomes.len() < batch.len() {
            let what = anyhow::anyhow!(
                "it answered for {} of {} objects",
                outcomes.len(),
                batch.len()
            );
            return Err(Failure::System(what.context("read the hub's answer")));
        }
        self.state.remember(&taken)
    }

    fn too_large(&mut self, batch: &[Pending]) {
        for pending in batch {
            self.say_refused(&pending.place, "too large for the hub", "make it smaller");
        }
    }

    /// Takes back what the source no longer tells.
    pub(super) async fn sync(&mut self, force: bool) -> Result<(), Failure> {
        let (live, missing) = self.ledger.missing();
        let refused = self.counts.get("refused").copied().unwrap_or(0);
        let most = missing > SYNC_FEW && missing > live / 2;
        if missing == 0 {
            return Ok(());
        }
        if !force && (refused > 0 || most) {
            let why = match most {
                true => format!("{missing} of {live} are missing from the source"),
                false => format!("{refused} pieces of the source were refused"),
            };
            self.say_refused(
                "--sync",
                &why,
                "nothing is taken back; see that the source is whole, then add --force",
            );
            return Ok(());
        }
        let ledger = std::mem::take(&mut self.ledger);
        let mut reader = self
            .state
            .reader()
            .map_err(|e| Failure::system("read the state", e))?;
        let (to, mut lines) = mpsc::channel(super::WAITING_MAX);
        let reading = tokio::task::spawn_blocking(move || {
            ledger.each_missing(&mut reader, &mut |line| {
                let gone = |_| std::io::Error::other("stopped").into();
                to.blocking_send(line).map_err(gone)
            })
        });
        while let Some(line) = lines.recv().await {
            self.take_back(&line);
            if self.pending.len() >= BATCH_OBJECTS_MAX || self.pending_bytes >= BATCH_BYTES_MAX {
                self.flush().await?;
            }
        }
        let read = reading
            .await
            .map_err(|e| Failure::system("read the state", e))?;
        read.map_err(|e| Failure::system("read the state", e))?;
        self.flush().await
    }

    fn take_back(&mut self, line: &Line) {
        if line.id.kind() != "indicator" {
            return self.count("kept");
        }
        match revocation(line, self.now) {
            Ok((object, line)) => {
                let place = line.id.to_string();
                self.share(Change::Revoked, object, line, place);
            }
            Err(error) => self.say_refused(line.id.as_str(), &error.to_string(), error.mend()),
        }
    }

    /// Says how it went.
    pub(super) fn finish(&self) -> Outcome {
        let of = |word: &str| self.counts.get(word).copied().unwrap_or(0);
        let refused = of("refused");
        if self.json {
            let kinds: BTreeMap<&str, u64> = self
                .kinds
                .iter()
                .map(|(kind, n)| (kind.name(), *n))
                .collect();
            say(json!({
                "event": "summary", "preview": self.hub.is_none(), "source": &*self.author.source,
                "new": of("new"), "changed": of("changed"), "revoked": of("revoked"),
                "unchanged": of("unchanged"), "repeated": of("repeated"), "refused": refused,
                "warned": of("warned"), "passed_over": self.passed_over, "kinds": kinds,
            }));
        } else {
            let words = [
                "new",
                "changed",
                "revoked",
                "unchanged",
                "repeated",
                "refused",
                "warned",
            ];
            let parts: Vec<String> = words
                .iter()
                .map(|word| format!("{} {word}", of(word)))
                .collect();
            let would = if self.hub.is_none() { "preview: " } else { "" };
            say(format_args!("{would}{}", parts.join(", ")));
            let kinds: Vec<String> = self
                .kinds
                .iter()
                .map(|(kind, n)| format!("{n} {kind}"))
                .collect();
            if !kinds.is_empty() {
                say(format_args!("told: {}", kinds.join(", ")));
            }
            for (why, count) in &self.passed_over {
                say(format_args!("passed over: {count} {why}"));
            }
        }
        match refused {
            0 => Outcome::Done,
            _ => Outcome::No,
        }
    }

    fn count(&mut self, word: &'static str) {
        let count = self.counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }

    fn pass_over(&mut self, why: &'static str) {
        let count = self.passed_over.entry(why).or_default();
        *count = count.saturating_add(1);
    }

    fn refuse(&mut self, place: &str, refused: &Refused) {
        self.say_refused(place, &refused.reason, &refused.mend);
    }

    fn say_refused(&mut self, place: &str, reason: &str, mend: &str) {
        self.count("refused");
        if self.json {
            say(json!({"event": "refused", "place": place, "reason": reason, "mend": mend}));
        } else {
            let separator = if mend.is_empty() { "" } else { "; " };
            say(format_args!("refused {place}: {reason}{separator}{mend}"));
        }
    }

    fn warn(&mut self, place: &str, claim: &Claim, why: &str) {
        self.count("warned");
        let value = &claim.value;
        if self.json {
            let skipped = self.skip_protected;
            say(json!({
                "event": "warned", "place": place, "value": value.to_string(), "why": why, "skipped": skipped,
            }));
        } else {
            complain(format_args!("warning {place}: {value} {why}"));
        }
    }

    fn show(&self, change: Change, object: &Object) {
        let head = object.head();
        let pattern = head.pattern.as_ref().map_or("", |raw| &raw.pattern);
        if self.json {
            say(
                json!({"event": change.word(), "id": head.id, "pattern": pattern, "version": object.version()}),
            );
        } else {
            say(format_args!("{} {} {pattern}", change.word(), head.id)
                .to_string()
                .trim_end());
        }
    }
}

fn placed(file: Option<&Arc<str>>, place: &feeds::Place) -> String {
    match file {
        Some(file) => format!("{file}: {place}"),
        None => place.to_string(),
    }
}

fn no_room(claim: &Claim) -> Refused {
    Refused {
        place: claim.place.clone(),
        reason: format!(
            "more than {} things of one source",
            feeds::ledger::ENTRIES_MAX
        ),
        mend: "split the source".into(),
    }
}
