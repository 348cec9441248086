//! Push: `GET /exchange/v1/push`, Server-Sent Events that follow the caller's view.
//!
//! A frame is made and signed once per lane and batch, by whichever stream needs it first; every
//! stream sends those same bytes after its own cursor.

mod signer;
mod streams;

pub(crate) use signer::{Signer, event_kind};
pub(crate) use streams::Streams;

use crate::app::Hub;
use crate::authn::Caller;
use crate::reply::Problem;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{self, HeaderMap};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use exchange::{Delivery, EitherStore, ExchangeError, LaneDigest, LiveSet, Position};
use futures_util::Stream;
use serde::Serialize;
use sharing::Audience;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use stix::Timestamp;
use streams::Stream as Open;
use taxii::ActiveSet;
use taxii::active::Change;
use taxii::cursor::{self, CursorError};
use taxii::push::{self, Hello, Trimmed};

/// A stream without news sends a comment this often, so that both ends see a lost connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After a lost connection a browser's reader waits this long, milliseconds.
const RETRY_MS: u64 = 500;

type Subscription = exchange::Subscription<EitherStore>;
type Event = Result<Bytes, Infallible>;

/// `?cursor=`, for clients that cannot set `Last-Event-ID`.
#[derive(serde::Deserialize)]
pub(crate) struct From {
    cursor: Option<String>,
}

/// `GET /exchange/v1/push`.
pub(crate) async fn get(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    from: Result<Query<From>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(from) = from.map_err(|error| Problem::bad_request(error.body_text()))?;
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok());
    let cursor = last
        .map(str::to_owned)
        .or(from.cursor)
        .filter(|cursor| !cursor.is_empty());
    let view = View::of(&hub, &caller);
    let position = match cursor.as_deref().map(|cursor| view.read(cursor)) {
        None => Position::default(),
        Some(Ok(position)) => position,
        Some(Err(error)) => return Ok(trimmed(&hub, &error)),
    };
    let audience = Audience::Partner(Arc::clone(&caller.partner));
    let subscription = match hub.exchange.subscribe(&audience, position).await {
        Err(ExchangeError::BeyondEnd) => return Ok(trimmed(&hub, &CursorError::Trimmed)),
        other => other.map_err(Problem::from)?,
    };
    let open = hub.streams.open(&caller, &hub.counters).ok_or_else(|| {
        hub.counters.push_refused.fetch_add(1, Relaxed);
        Problem::busy("too many push streams of this partner are open")
    })?;
    Ok(event_stream(Body::from_stream(follow(
        view,
        subscription,
        open,
    ))))
}

/// One partner's view, as its cursors are bound to it.
struct View {
    hub: Arc<Hub>,
    name: String,
}

impl View {
    fn of(hub: &Arc<Hub>, caller: &Caller) -> Self {
        Self {
            hub: Arc::clone(hub),
            name: format!("push/{}", caller.partner),
        }
    }

    fn read(&self, text: &str) -> Result<Position, CursorError> {
        let epoch = exchange::Log::epoch(self.hub.exchange.store());
        let at = cursor::decode(text, &self.name, "", epoch, &self.hub.cursor_key)?;
        Ok(Position {
            community: at.community,
            addressed: at.addressed,
        })
    }

    fn write(&self, at: Position) -> String {
        let epoch = exchange::Log::epoch(self.hub.exchange.store());
        let at = taxii::Position {
            community: at.community,
            addressed: at.addressed,
        };
        cursor::encode(at, &self.name, "", epoch, &self.hub.cursor_key)
    }
}

fn follow(
    view: View,
    mut subscription: Subscription,
    open: Open,
) -> impl Stream<Item = Event> + Send {
    async_stream::stream! {
        yield Ok(hello(&view, subscription.position()));
        loop {
            let delivery = tokio::select! {
                () = open.ended() => break,
                () = tokio::time::sleep(KEEP_ALIVE) => {
                    yield Ok(Bytes::from_static(b": keep-alive\n\n"));
                    continue;
                }
                delivery = subscription.next() => delivery,
            };
            match delivery {
                Ok(Delivery::Batch(batch)) => {
                    let Some(frame) = view.hub.signer.frame(&batch) else { break };
                    let id = format!("id: {}\n", view.write(subscription.position()));
                    yield Ok(Bytes::from(id));
                    yield Ok(frame);
                }
                Ok(Delivery::Digest(digest)) => yield Ok(summed(&digest)),
                Err(error) => {
                    tracing::debug!(%error, "push stream ends");
                    break;
                }
            }
        }
    }
}

fn hello(view: &View, at: Position) -> Bytes {
    let hello = Hello {
        community: view.hub.config.community.clone(),
        epoch: exchange::Log::epoch(view.hub.exchange.store()),
        key: view.hub.signer.public_text().to_owned(),
        cursor: view.write(at),
    };
    let retry = format!("retry: {RETRY_MS}\n");
    Bytes::from(retry + &event(push::EVENT_HELLO, &hello))
}

fn summed(lane: &LaneDigest) -> Bytes {
    let digest = push::LaneDigest {
        position: lane.position,
        active: lane.active,
        digest: crate::tls::peer::hex(&lane.digest),
    };
    let (community, addressed) = match lane.lane {
        exchange::Lane::Community => (Some(digest), None),
        exchange::Lane::Addressed => (None, Some(digest)),
    };
    let digest = push::Digest {
        at: lane.at,
        community,
        addressed,
    };
    Bytes::from(event(push::EVENT_DIGEST, &digest))
}

/// The explicit error for a cursor that cannot be continued: one event, and the end.
fn trimmed(hub: &Hub, error: &CursorError) -> Response {
    let epoch = exchange::Log::epoch(hub.exchange.store());
    let trimmed = Trimmed {
        why: error.to_string(),
        epoch,
    };
    event_stream(Body::from(event(push::EVENT_TRIMMED, &trimmed)))
}

fn event(name: &str, data: &impl Serialize) -> String {
    let mut text = format!("event: {name}\n");
    match serde_json::to_string(data) {
        Ok(json) => text.push_str(&format!("data: {json}\n\n")),
        Err(error) => tracing::error!(%error, "an event cannot be written"),
    }
    text
}

fn event_stream(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

/// The live set of a lane, with the very code that shields run.
#[derive(Debug, Default)]
pub(crate) struct Live(ActiveSet);

impl Live {
    /// An empty set, as the exchange asks for it.
    pub(crate) fn empty() -> Box<dyn LiveSet> {
        Box::<Self>::default()
    }
}

impl LiveSet for Live {
    fn apply(&mut self, entry: &exchange::Entry) {
        self.0.apply(&Change {
            event: event_kind(entry.event),
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
