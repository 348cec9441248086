//! Request bodies: bounded in bytes and in time.

use crate::app::Hub;
use crate::reply::Problem;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::timeout;

/// How long a body may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

/// A whole request body of at most `body_bytes_max` bytes.
#[derive(Debug)]
pub(crate) struct Body(pub(crate) Bytes);

impl FromRequest<Arc<Hub>> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, Problem> {
        let max = hub.config.limits.body_bytes_max;
        check_headers(request.headers(), max).inspect_err(|_| count(hub))?;
        let body = Limited::new(request.into_body(), max);
        match timeout(ARRIVAL_MAX, body.collect()).await {
            Ok(Ok(whole)) => Ok(Self(whole.to_bytes())),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                count(hub);
                Err(too_large(max))
            }
            Ok(Err(error)) => Err(Problem::bad_request(format!("the body broke off: {error}"))),
            Err(_) => {
                let status = StatusCode::REQUEST_TIMEOUT;
                Err(Problem::client(status, "too slow", "the body took more than 60 s to arrive"))
            }
        }
    }
}

/// Refuses by the headers what would be refused by its bytes, before they are sent.
fn check_headers(headers: &HeaderMap, max: usize) -> Result<(), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.parse::<usize>().ok()).is_some_and(|length| length > max) {
        return Err(too_large(max));
    }
    match headers.get(header::CONTENT_ENCODING) {
        Some(coding) if coding != "identity" => {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Err(Problem::client(status, "encoded body", "send the body without Content-Encoding"))
        }
        _ => Ok(()),
    }
}

fn too_large(max: usize) -> Problem {
    let what = format!("more than {max} bytes (max_content_length); send fewer objects at once");
    Problem::client(StatusCode::PAYLOAD_TOO_LARGE, "body too large", what)
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
        assert_eq!(with(header::CONTENT_LENGTH, "101"), Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(with(header::CONTENT_LENGTH, "100"), Ok(()));
        assert_eq!(with(header::CONTENT_ENCODING, "gzip"), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        assert_eq!(with(header::CONTENT_ENCODING, "identity"), Ok(()));
    }
}
