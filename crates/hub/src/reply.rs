//! Answers: every error is a TAXII error message (TAXII 2.1 section 3.6.1) with a status that
//! says whose fault it is. Never a redirect, never a 200 with bad news inside.

use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use exchange::{ExchangeError, StoreError};
use serde::Serialize;
use std::time::Duration;
use taxii::media;
use taxii::message::ErrorMessage;

/// An error on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    title: &'static str,
    description: Option<String>,
    details: Details,
}

/// What a machine reads of an error, beside its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Details {
    #[default]
    None,
    /// Seconds to wait.
    RetryAfter(u64),
    /// Longest body that is accepted, in bytes.
    MaxContentLength(usize),
}

impl Problem {
    /// The client's fault; `description` says where and what mends it.
    pub(crate) fn client(
        status: StatusCode,
        title: &'static str,
        description: impl Into<String>,
    ) -> Self {
        Self {
            status,
            title,
            description: Some(description.into()),
            details: Details::None,
        }
    }

    pub(crate) fn bad_request(description: impl Into<String>) -> Self {
        Self::client(StatusCode::BAD_REQUEST, "bad request", description)
    }

    pub(crate) fn not_found() -> Self {
        let status = StatusCode::NOT_FOUND;
        Self {
            status,
            title: "no such resource, or not for you",
            description: None,
            details: Details::None,
        }
    }

    pub(crate) fn unauthenticated() -> Self {
        let mend = "show the certificate that enrolment gave, or send Authorization: Bearer TOKEN";
        Self::client(StatusCode::UNAUTHORIZED, "not enrolled", mend)
    }

    pub(crate) fn method_not_allowed(method: &Method) -> Self {
        let what = format!("{method} is not offered here");
        Self::client(StatusCode::METHOD_NOT_ALLOWED, "method not allowed", what)
    }

    /// Our fault: what happened goes to the log, not to the client.
    pub(crate) fn ours(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "request failed");
        let mend = "the fault is the hub's; try again later or tell its operator";
        Self::client(StatusCode::INTERNAL_SERVER_ERROR, "internal error", mend)
    }

    /// The store's fault. One that does not answer now is asked again later.
    pub(crate) fn store(error: &StoreError) -> Self {
        if !error.is_unavailable() {
            return Self::ours(error);
        }
        tracing::error!(%error, "the store does not answer");
        let mend = "the hub's store does not answer; try again in a moment";
        Self {
            details: Details::RetryAfter(STORE_RETRY_S),
            ..Self::client(StatusCode::SERVICE_UNAVAILABLE, "unavailable", mend)
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_temporary(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS
    }

    pub(crate) fn busy(description: impl Into<String>) -> Self {
        Self::wait(Duration::from_secs(1), description)
    }

    /// The same, once this has passed.
    pub(crate) fn wait(time: Duration, description: impl Into<String>) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let seconds = time.as_secs_f64().ceil().max(1.0);
        Self {
            details: Details::RetryAfter(Duration::from_secs_f64(seconds).as_secs()),
            ..Self::client(status, "too many requests", description)
        }
    }

    pub(crate) fn too_large(bytes_max: usize) -> Self {
        let what = format!("more than {bytes_max} bytes; send less at once");
        Self {
            details: Details::MaxContentLength(bytes_max),
            ..Self::client(StatusCode::PAYLOAD_TOO_LARGE, "body too large", what)
        }
    }
}

/// Seconds after which a store that did not answer is asked again.
const STORE_RETRY_S: u64 = 5;

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.description {
            Some(description) => write!(f, "{}: {description}", self.title),
            None => f.write_str(self.title),
        }
    }
}

impl From<ExchangeError> for Problem {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Busy => Self::busy(error.to_string()),
            ExchangeError::Stopped => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::client(
                    status,
                    "stopping",
                    "the hub is being stopped; try again later",
                )
            }
            ExchangeError::BeyondEnd => Self::bad_request(error.to_string()),
            ExchangeError::Store(error) => Self::store(&error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let message = ErrorMessage {
            title: self.title.to_owned(),
            description: self.description,
            http_status: Some(self.status.as_u16().to_string()),
            details: match self.details {
                Details::None | Details::RetryAfter(_) => None,
                Details::MaxContentLength(max) => {
                    Some(serde_json::json!({ "max_content_length": max }))
                }
            },
            ..ErrorMessage::default()
        };
        let mut response = taxii_json(self.status, &message);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            let basic = HeaderValue::from_static("Basic realm=\"Shieldwall\", charset=\"UTF-8\"");
            headers.append(header::WWW_AUTHENTICATE, basic);
        }
        if let Details::RetryAfter(seconds) = self.details {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A message in the TAXII media type.
pub(crate) fn taxii_json(status: StatusCode, message: &impl Serialize) -> Response {
    match serde_json::to_vec(message) {
        Ok(bytes) => taxii_bytes(status, bytes),
        Err(error) => {
            tracing::error!(%error, "a message cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Bytes that are a message in the TAXII media type already.
pub(crate) fn taxii_bytes(status: StatusCode, bytes: Vec<u8>) -> Response {
    (
        status,
        [(header::CONTENT_TYPE, media::TAXII)],
        Body::from(bytes),
    )
        .into_response()
}

/// A message of our own routes.
pub(crate) fn json(status: StatusCode, message: &impl Serialize) -> Response {
    let mut response = taxii_json(status, message);
    let plain = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
