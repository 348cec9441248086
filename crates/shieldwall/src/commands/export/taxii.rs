//! Pushing what is in force, and what was taken back since, to a collection of another TAXII 2.1
//! server (sections 4.3 and 5.5).
//!
//! What the server has taken is remembered, so that a run that is repeated pushes nothing, and one
//! that was cut off goes on. To push an object twice does no harm: it is the same version.

use std::{collections::BTreeMap, time::Duration};

use anyhow::anyhow;
use bytes::Bytes;
use feeds::{
    Live,
    ledger::{Ledger, Line, Met},
};
use reqwest::StatusCode;
use serde_json::json;
use stix::{Object, Tlp};
use taxii::message::envelope;

use super::{
    super::state::{State, path_of},
    filter, gather, protected, report, set_apart,
};
use crate::{
    cli::Export,
    client::HubClient,
    outcome::{Failure, Outcome},
    remote::{Found, Remote, Right, Status, plain},
    text::say,
};

/// Bytes of one request, unless one object alone has more.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Bytes of an envelope beside its objects, and of a comma for each.
const AROUND_BYTES: usize = 64;
/// Longest wait for a server to decide on a request.
const STATUS_WAIT_MAX: Duration = Duration::from_secs(600);
/// First and longest wait between two looks at a status.
const STATUS_LOOK: Duration = Duration::from_millis(200);
const STATUS_LOOK_MAX: Duration = Duration::from_secs(5);

/// Said of objects that no server of others gets, whoever asks for it.
const RED: &str = "TLP:RED is for named people, never for a feed";
/// Said of objects that name the partners they are for.
const ADDRESSED: &str = "addressed to named partners (--include-restricted)";

pub(super) async fn push(args: &Export, to: &str, json: bool) -> Result<Outcome, Failure> {
    let hub = HubClient::new(&args.peer)?;
    let remote = Remote::new(to, &args.remote)?;
    let wanted = args.remote.collection.as_deref();
    let found = remote.find(wanted, Right::Write).await?;
    let usual = || path_of(&args.peer.identity, "pushed", super::TAXII, &found.name());
    let path = args.state.clone().unwrap_or_else(usual);
    let (state, ledger) = State::open(path, args.preview)?;
    let mut push = Push {
        remote: &remote,
        found,
        state,
        ledger,
        preview: args.preview,
        json,
        limit: args.remote.page(),
        counts: BTreeMap::new(),
    };
    let (mut live, ended, unsaid) = what(args, &hub, &push.ledger).await?;
    report(&live, &unsaid, json);
    let mut objects = std::mem::take(&mut live.objects);
    objects.extend(ended);
    let pending = push.pending(objects);
    let pushed = push.all(pending).await;
    let outcome = push.finish();
    pushed.map(|()| outcome)
}

type Unsaid = Vec<(usize, &'static str)>;

/// What is in force, the revocations of what was pushed before, and what is left out.
async fn what(
    args: &Export,
    hub: &HubClient,
    ledger: &Ledger,
) -> Result<(Live, Vec<Object>, Unsaid), Failure> {
    let wanted = filter(&args.wanted, super::super::now());
    let restricted = wanted.restricted;
    let mut ended: BTreeMap<stix::StixId, Object> = BTreeMap::new();
    let mut live = gather(hub, wanted, true, &mut |object| {
        let head = object.head();
        let theirs = head.revoked && ledger.holds(&head.id);
        let newer = |one: &Object| one.version() < object.version();
        if theirs && ended.get(&head.id).is_none_or(newer) {
            ended.insert(head.id.clone(), object.clone());
        }
    })
    .await?;
    // A revocation goes where the object went, unless it may not.
    ended.retain(|_, object| restricted || !feeds::live::is_restricted(object));
    ended.retain(|_, object| !is_red(object));
    let mut unsaid = set_apart(&mut live, &|_| None, protected(args).as_ref());
    leave(&mut live, &mut unsaid, RED, is_red);
    if !restricted {
        leave(&mut live, &mut unsaid, ADDRESSED, is_addressed);
    }
    Ok((live, ended.into_values().collect(), unsaid))
}

/// Leaves out what must not go, and says how many and why.
fn leave(live: &mut Live, unsaid: &mut Unsaid, why: &'static str, must: fn(&Object) -> bool) {
    let before = live.objects.len();
    live.objects.retain(|object| !must(object));
    let left = before.saturating_sub(live.objects.len());
    unsaid.extend((left > 0).then_some((left, why)));
}

fn is_red(object: &Object) -> bool {
    object.head().tlp() == Some(Tlp::Red)
}

/// Whether an object names whom it is for: they may keep it, and not pass it on.
fn is_addressed(object: &Object) -> bool {
    let lease = object.head().lease.as_ref();
    lease.is_some_and(|lease| !lease.audience.is_empty())
}

/// An object on its way, and what is remembered of it when it is there.
struct Pending {
    object: Object,
    line: Line,
    word: &'static str,
}

/// One run.
struct Push<'a> {
    remote: &'a Remote,
    found: Found,
    state: State,
    ledger: Ledger,
    preview: bool,
    json: bool,
    limit: usize,
    counts: BTreeMap<&'static str, u64>,
}

impl Push<'_> {
    /// What the server does not have yet.
    fn pending(&mut self, objects: Vec<Object>) -> Vec<Pending> {
        let mut pending = Vec::new();
        for object in objects {
            let line = Line::of_foreign(&object);
            let word = match self.ledger.meet(&object.head().id) {
                Met::First(Some(known)) if known.digest == line.digest => "unchanged",
                Met::First(_) if object.head().revoked => "revoked",
                Met::First(Some(_)) => "changed",
                Met::First(None) => "new",
                Met::Again(_) => "unchanged",
                Met::NoRoom => {
                    self.refused(
                        &object,
                        "more objects than are remembered; name fewer kinds",
                    );
                    continue;
                }
            };
            match word {
                "unchanged" => self.count(word),
                _ => pending.push(Pending { object, line, word }),
            }
        }
        pending
    }

    async fn all(&mut self, pending: Vec<Pending>) -> Result<(), Failure> {
        if self.preview {
            for one in &pending {
                self.count(one.word);
                let (word, id) = (one.word, &one.object.head().id);
                match self.json {
                    true => say(json!({"event": word, "id": id, "version": one.object.version()})),
                    false => say(format_args!("{word} {id}")),
                }
            }
            return Ok(());
        }
        let most = self.found.body_bytes_max.unwrap_or(BATCH_BYTES_MAX);
        let most = most.min(BATCH_BYTES_MAX).saturating_sub(AROUND_BYTES);
        let (mut batch, mut bytes) = (Vec::new(), 0_usize);
        for one in pending {
            let length = one.object.raw().len().saturating_add(1);
            let full = batch.len() >= self.limit || bytes.saturating_add(length) > most;
            if full && !batch.is_empty() {
                self.batch(std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes = bytes.saturating_add(length);
            batch.push(one);
        }
        self.batch(batch).await
    }

    /// Pushes a batch; halves what is refused as a whole, until each object has its answer.
    async fn batch(&mut self, batch: Vec<Pending>) -> Result<(), Failure> {
        let mut batches = vec![batch];
        while let Some(mut batch) = batches.pop() {
            if batch.is_empty() {
                continue;
            }
            let why = match self.send(&batch).await? {
                Sent::Decided(status) => match self.judge(batch, &status).await? {
                    undecided if undecided.is_empty() => continue,
                    undecided => {
                        batch = undecided;
                        "it does not say what became of it".to_owned()
                    }
                },
                Sent::Refused(why) => why,
            };
            match batch.as_slice() {
                [] => {}
                [one] => self.refused(&one.object, &why),
                _ => {
                    let rest = batch.split_off(batch.len() / 2);
                    batches.extend([rest, batch]);
                }
            }
        }
        Ok(())
    }

    /// Adds a batch, and waits until it is decided on.
    async fn send(&self, batch: &[Pending]) -> Result<Sent, Failure> {
        let body = envelope(batch.iter().map(|one| one.object.raw()), None);
        let url = crate::remote::child(&self.found.url, &["objects"]);
        let answer = self.remote.post(&url, Bytes::from(body)).await?;
        let whole = matches!(
            answer.status,
            StatusCode::BAD_REQUEST
                | StatusCode::CONFLICT
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNPROCESSABLE_ENTITY
        );
        if whole {
            let why = format!("it answers {}{}", answer.status, answer.said());
            return Ok(Sent::Refused(why));
        }
        let mut status = Status::read(&answer.good(&url)?, &url)?;
        let (mut waited, mut look) = (Duration::ZERO, STATUS_LOOK);
        while !status.is_complete() {
            let url = crate::remote::child(&self.found.root, &["status", status.id()?]);
            if waited >= STATUS_WAIT_MAX {
                return Err(Failure::System(anyhow!(
                    "{url} is pending for {} s; run it again later",
                    waited.as_secs()
                )));
            }
            tokio::time::sleep(look).await;
            waited = waited.saturating_add(look);
            look = look.saturating_mul(2).min(STATUS_LOOK_MAX);
            status = Status::read(&self.remote.get(&url).await?.good(&url)?, &url)?;
        }
        Ok(Sent::Decided(status))
    }

    /// Remembers what was taken, names what was refused, and gives what nothing is said of.
    async fn judge(
        &mut self,
        batch: Vec<Pending>,
        status: &Status,
    ) -> Result<Vec<Pending>, Failure> {
        let (mut taken, mut undecided) = (Vec::new(), Vec::new());
        for one in batch {
            match status.of(&one.object) {
                Some(Ok(())) => {
                    self.count(one.word);
                    taken.push(one.line);
                }
                // Some servers call it a failure that they have it already.
                Some(Err(_)) if self.remote.holds(&self.found, &one.object).await => {
                    self.count("unchanged");
                    taken.push(one.line);
                }
                Some(Err(why)) => self.refused(&one.object, &why),
                None => undecided.push(one),
            }
        }
        self.state.remember(&taken)?;
        Ok(undecided)
    }

    fn refused(&mut self, object: &Object, why: &str) {
        self.count("refused");
        let (id, why) = (&object.head().id, plain(why));
        match self.json {
            true => say(json!({"event": "refused", "id": id, "reason": why})),
            false => say(format_args!("refused {id}: {why}")),
        }
    }

    fn count(&mut self, word: &'static str) {
        let count = self.counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }

    /// Says how it went.
    fn finish(&self) -> Outcome {
        let of = |word: &str| self.counts.get(word).copied().unwrap_or(0);
        let words = ["new", "changed", "revoked", "unchanged", "refused"];
        if self.json {
            let mut summary: serde_json::Map<_, _> = words
                .iter()
                .map(|word| ((*word).to_owned(), json!(of(word))))
                .collect();
            summary.insert("event".to_owned(), json!("summary"));
            summary.insert("preview".to_owned(), json!(self.preview));
            say(serde_json::Value::Object(summary));
        } else {
            let parts: Vec<String> = words
                .iter()
                .map(|word| format!("{} {word}", of(word)))
                .collect();
            let would = if self.preview { "preview: " } else { "" };
            say(format_args!("{would}{}", parts.join(", ")));
        }
        match of("refused") {
            0 => Outcome::Done,
            _ => Outcome::No,
        }
    }
}

/// What came of a request.
enum Sent {
    /// The server says of objects what became of them.
    Decided(Status),
    /// It takes none of it; why.
    Refused(String),
}
