//! Request bodies: bounded in bytes, each and all together, and in time.

use crate::app::Hub;
use crate::authn::Caller;
use crate::quota::Kind;
use crate::reply::Problem;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a body may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);
/// And one with a pack in it.
const PACK_ARRIVAL_MAX: Duration = Duration::from_secs(600);
/// Bytes of a body that holds no objects: enrolment and rotation.
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// Room is given out in pieces of this many bytes.
const PIECE_BYTES: usize = 1024;

/// A whole request body of at most `body_bytes_max` bytes.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// A whole publication: a role and a pack of at most `pack_bytes_max` bytes.
#[derive(Debug)]
pub(crate) struct PackBody(pub(crate) Body);

/// A whole request body of a few kilobytes.
#[derive(Debug)]
pub(crate) struct SmallBody(pub(crate) Bytes);

/// The memory that all bodies together may take.
#[derive(Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let pieces = bytes_max.div_ceil(PIECE_BYTES).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(pieces)))
    }

    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(pieces).ok()
    }
}

impl FromRequest<Arc<Hub>> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        Self::take(request, hub, hub.config.limits.body_bytes_max, ARRIVAL_MAX).await
    }
}

impl FromRequest<Arc<Hub>> for PackBody {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        // A line with the role, and the role's form in that line.
        let beside = pack::tuf::METADATA_BYTES_MAX.saturating_add(SMALL_BYTES_MAX);
        let max = hub.config.limits.pack_bytes_max.saturating_add(beside);
        Body::take(request, hub, max, PACK_ARRIVAL_MAX)
            .await
            .map(Self)
    }
}

impl Body {
    async fn take(
        request: Request,
        hub: &Arc<Hub>,
        max: usize,
        within: Duration,
    ) -> Result<Self, Problem> {
        let caller = request.extensions().get::<Caller>().cloned();
        if let Some(caller) = &caller {
            // Whether there is anything left to take; what is taken is known afterwards.
            hub.within(caller, Kind::Bytes, 0)?;
        }
        let most = length(request.headers()).unwrap_or(max).min(max);
        let Some(room) = hub.room.take(most) else {
            count(hub);
            return Err(Problem::busy(
                "the hub is taking in as much as it can; send again",
            ));
        };
        let bytes = read(request, hub, max, within).await?;
        if let Some(caller) = &caller {
            hub.within(caller, Kind::Bytes, bytes.len())?;
        }
        Ok(Self { bytes, _room: room })
    }
}

impl FromRequest<Arc<Hub>> for SmallBody {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        read(request, hub, SMALL_BYTES_MAX, ARRIVAL_MAX)
            .await
            .map(Self)
    }
}

async fn read(request: Request, hub: &Hub, max: usize, within: Duration) -> Result<Bytes, Problem> {
    check_headers(request.headers(), max).inspect_err(|_| count(hub))?;
    let body = Limited::new(request.into_body(), max);
    match timeout(within, body.collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            count(hub);
            Err(Problem::too_large(max))
        }
        Ok(Err(error)) => Err(Problem::bad_request(format!("the body broke off: {error}"))),
        Err(_) => {
            let status = StatusCode::REQUEST_TIMEOUT;
            let what = format!("the body took more than {} s to arrive", within.as_secs());
            Err(Problem::client(status, "too slow", what))
        }
    }
}

/// Refuses by the headers what would be refused by its bytes, before they are sent.
fn check_headers(headers: &HeaderMap, max: usize) -> Result<(), Problem> {
    if length(headers).is_some_and(|length| length > max) {
        return Err(Problem::too_large(max));
    }
    match headers.get(header::CONTENT_ENCODING) {
        Some(coding) if coding != "identity" => {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Err(Problem::client(
                status,
                "encoded body",
                "send the body without Content-Encoding",
            ))
        }
        _ => Ok(()),
    }
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn count(hub: &Hub) {
    hub.counters.bodies_refused.fetch_add(1, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn headers_are_enough_to_refuse() {
        let with = |name: header::HeaderName, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            check_headers(&headers, 100).map_err(|problem| problem.status)
        };
        assert_eq!(
            with(header::CONTENT_LENGTH, "101"),
            Err(StatusCode::PAYLOAD_TOO_LARGE)
        );
        assert_eq!(with(header::CONTENT_LENGTH, "100"), Ok(()));
        assert_eq!(
            with(header::CONTENT_ENCODING, "gzip"),
            Err(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        );
        assert_eq!(with(header::CONTENT_ENCODING, "identity"), Ok(()));
    }

    #[test]
    fn room_is_bounded_and_given_back() {
        let room = Room::new(4096);
        let taken = room.take(3000).unwrap();
        assert!(room.take(1025).is_none());
        assert!(room.take(1024).is_some());
        drop(taken);
        assert!(room.take(4096).is_some());
    }
}
