//! How `tough` gets files: from the hub, as ourselves.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Client, StatusCode};
use tough::{Transport, TransportError, TransportErrorKind, TransportStream, async_trait};
use url::Url;

use crate::identity::{Identity, IdentityError};

/// Longest wait for a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest wait for the next bytes of a file.
const READ_WAIT_MAX: Duration = Duration::from_secs(30);

/// The hub over mutual TLS.
#[derive(Clone, Debug)]
pub(super) struct Hub(Client);

impl Hub {
    /// With the certificate of this moment.
    pub(super) fn new(identity: &Identity) -> Result<Self, IdentityError> {
        Client::builder()
            .tls_backend_preconfigured(identity.client_config()?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_WAIT_MAX)
            .read_timeout(READ_WAIT_MAX)
            .build()
            .map(Self)
            .map_err(|error| IdentityError::Hub(Box::new(error)))
    }
}

#[async_trait]
impl Transport for Hub {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        let failed = |url: &Url, error: reqwest::Error| {
            TransportError::new_with_cause(TransportErrorKind::Other, url, error.without_url())
        };
        let answer = self.0.get(url.clone()).send().await;
        let answer = answer.map_err(|error| failed(&url, error))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                return Err(TransportError::new(TransportErrorKind::FileNotFound, &url));
            }
            status => {
                let why = format!("the hub answered {status}");
                return Err(TransportError::new_with_cause(
                    TransportErrorKind::Other,
                    &url,
                    why,
                ));
            }
        }
        let pieces = answer.bytes_stream();
        Ok(Box::pin(pieces.map(move |piece| {
            piece.map_err(|error| failed(&url, error))
        })))
    }
}
