//! The console: one page for the operator, on loopback, live over Server-Sent Events.
//!
//! It shows the view of the partners that `console_partners` names and nothing else: every signal
//! passes the same policy function as a partner's own reading. It changes nothing.

mod board;
mod content;
pub(crate) mod feed;
mod guard;
mod rows;
mod session;
mod timing;
mod words;

pub(crate) use board::Board;

use crate::clock::now;
use crate::error::HubError;
use askama::Template;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::header::{self, HeaderMap};
use axum::http::{StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use board::Fragments;
use session::Sessions;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Live pages that may be open at the same time.
const LIVE_MAX: usize = 16;
/// The page is patched at most this often.
const PATCH_EVERY: Duration = Duration::from_millis(100);
/// Without news the page still hears from the hub this often, so that it sees a lost connection.
const HEARTBEAT: Duration = Duration::from_secs(5);
const COOKIE: &str = "shieldwall_console";
/// What the page loads: path, media type, content.
const ASSETS: &[(&str, &str, &str)] = &[
    (
        "console.css",
        "text/css; charset=utf-8",
        include_str!("../assets/console.css"),
    ),
    (
        "console.js",
        "text/javascript; charset=utf-8",
        include_str!("../assets/console.js"),
    ),
    (
        "icon.svg",
        "image/svg+xml",
        include_str!("../assets/icon.svg"),
    ),
];

/// The console of a running hub.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    board: Arc<Board>,
    sessions: Arc<Sessions>,
    viewers: Arc<Semaphore>,
    community: Arc<str>,
    shutdown: CancellationToken,
}

impl Console {
    pub(crate) fn new(
        board: Arc<Board>,
        address: SocketAddr,
        data: &Path,
        community: &str,
        shutdown: CancellationToken,
    ) -> Result<Self, HubError> {
        let sessions = Sessions::new(format!("http://{address}"), data.join("console.link"))?;
        Ok(Self {
            board,
            sessions: Arc::new(sessions),
            viewers: Arc::new(Semaphore::new(LIVE_MAX)),
            community: community.into(),
            shutdown,
        })
    }

    /// The link that opens the console once.
    pub(crate) fn link(&self) -> String {
        self.sessions.link()
    }

    /// The routes. Assets need no session; they are the same for everyone.
    pub(crate) fn router(self) -> Router {
        let guarded = Router::new()
            .route("/", get(page))
            .route("/live", get(live))
            .route_layer(middleware::from_fn_with_state(self.clone(), session_only));
        Router::new()
            .merge(guarded)
            .route("/open", get(open))
            .route("/assets/{name}", get(asset))
            .layer(middleware::from_fn(guard::loopback_host_only))
            .with_state(self)
    }
}

/// The page as first loaded.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    community: &'a str,
    view: String,
    now_ms: i64,
    summary: &'a str,
    timing: &'a str,
    shields: &'a str,
    signals: &'a str,
    leases: &'a str,
    refused: &'a str,
}

#[derive(Template)]
#[template(path = "opened.html")]
struct Opened;

#[derive(Template)]
#[template(path = "locked.html")]
struct Locked;

async fn page(State(console): State<Console>) -> Response {
    let fragments = console.board.fragments(now());
    let page = Page {
        community: &console.community,
        view: console.board.view(),
        now_ms: now_ms(),
        summary: &fragments.summary,
        timing: &fragments.timing,
        shields: &fragments.shields,
        signals: &fragments.signals,
        leases: &fragments.leases,
        refused: &fragments.refused,
    };
    html(StatusCode::OK, &page)
}

/// `?key=` of a one-time link.
#[derive(serde::Deserialize)]
struct Key {
    #[serde(default)]
    key: String,
}

/// Turns a one-time link into a session. Not a redirect: the strict cookie would not come along
/// on one that began at another site.
async fn open(State(console): State<Console>, Query(key): Query<Key>) -> Response {
    match console.sessions.open(&key.key) {
        Ok(Some(cookie)) => {
            let set = format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict");
            ([(header::SET_COOKIE, set)], html(StatusCode::OK, &Opened)).into_response()
        }
        Ok(None) => html(StatusCode::FORBIDDEN, &Locked),
        Err(error) => {
            tracing::error!(%error, "console session");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn asset(uri: Uri) -> Response {
    let name = uri.path().trim_start_matches("/assets/");
    match ASSETS.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, content)) => ([(header::CONTENT_TYPE, *kind)], *content).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn live(State(console): State<Console>) -> Response {
    let Ok(slot) = Arc::clone(&console.viewers).try_acquire_owned() else {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "too many consoles are open",
        )
            .into_response();
    };
    let body = Body::from_stream(patches(console, slot));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// All fragments once, then each one whenever it has changed.
fn patches(
    console: Console,
    slot: OwnedSemaphorePermit,
) -> impl futures_util::Stream<Item = Result<Bytes, std::convert::Infallible>> {
    async_stream::stream! {
        let _slot = slot;
        let mut changes = console.board.changes();
        let mut shown = Fragments::default();
        loop {
            let fresh = console.board.fragments(now());
            let text = changed(&shown, &fresh);
            shown = fresh;
            yield Ok(Bytes::from(text));
            tokio::select! {
                () = console.shutdown.cancelled() => break,
                () = tokio::time::sleep(HEARTBEAT) => {}
                news = changes.changed() => {
                    if news.is_err() {
                        break;
                    }
                    tokio::time::sleep(PATCH_EVERY).await;
                }
            }
        }
    }
}

fn changed(shown: &Fragments, fresh: &Fragments) -> String {
    let mut text = format!("event: now\ndata: {}\n\n", now_ms());
    for ((name, new), (_, old)) in fresh.named().into_iter().zip(shown.named()) {
        if new != old {
            event(&mut text, name, new);
        }
    }
    text
}

/// One SSE event; each line of the data is a field of its own. Lines end at a line feed and at a
/// carriage return (HTML standard, 9.2.6), and what partners write may hold either.
fn event(text: &mut String, name: &str, data: &str) {
    text.push_str(&format!("event: {name}\n"));
    for line in data.split(['\n', '\r']) {
        text.push_str(&format!("data: {line}\n"));
    }
    text.push('\n');
}

async fn session_only(State(console): State<Console>, request: Request, next: Next) -> Response {
    let known = cookies(request.headers()).any(|cookie| console.sessions.knows(cookie));
    if known {
        next.run(request).await
    } else {
        html(StatusCode::FORBIDDEN, &Locked)
    }
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|v| v.to_str().ok());
    values
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(name, value)| (name == COOKIE).then_some(value))
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "template");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn now_ms() -> i64 {
    now().as_micros().div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn events_carry_each_line_and_only_changes() {
        let old = Fragments {
            signals: "a\nb".to_owned(),
            ..Fragments::default()
        };
        let new = Fragments {
            leases: "c".to_owned(),
            ..old.clone()
        };
        let text = changed(&old, &new);
        assert!(text.contains("event: leases\ndata: c\n\n"), "{text}");
        assert!(!text.contains("event: signals"));
        let text = changed(&Fragments::default(), &old);
        assert!(
            text.contains("event: signals\ndata: a\ndata: b\n\n"),
            "{text}"
        );
    }

    #[test]
    fn a_carriage_return_in_the_data_begins_no_event() {
        let mut text = String::new();
        event(
            &mut text,
            "signals",
            "x\r\revent: leases\rdata: none\r\n</td>",
        );
        assert!(!text.contains('\r'), "{text:?}");
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("event: signals"));
        assert_eq!(lines.next_back(), Some(""));
        assert!(lines.all(|line| line.starts_with("data: ")), "{text:?}");
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=1; shieldwall_console=x; b=2"),
        );
        assert_eq!(cookies(&headers).collect::<Vec<_>>(), ["x"]);
    }
}
