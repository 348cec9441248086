//! The warm connection to the hub: one client for the stream, the signals and the reports, so that
//! over HTTP/2 all three share a connection that pings keep alive.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use futures_util::StreamExt as _;
use reqwest::{Client, Response};

use crate::identity::{Identity, IdentityError};

/// Longest wait for a connection.
pub(super) const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest wait for an answer to a POST.
pub(super) const ANSWER_WAIT_MAX: Duration = Duration::from_secs(20);
/// Pause between pings of an HTTP/2 connection.
pub(super) const PING_PAUSE: Duration = Duration::from_secs(5);
/// Longest wait for the answer to a ping; beyond it the hub is taken for dead.
pub(super) const PING_WAIT_MAX: Duration = Duration::from_secs(5);
/// Longest answer that is read, in bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Clients of one hub under one identity. A rotated certificate is taken up by [`Link::refresh`].
#[derive(Debug)]
pub(super) struct Link {
    identity: Identity,
    url: String,
    client: ArcSwap<Client>,
    certificate: PathBuf,
    certified: ArcSwap<Option<SystemTime>>,
}

impl Link {
    /// A link to the hub at `url`.
    ///
    /// # Errors
    /// The identity cannot be used.
    pub(super) fn new(identity: Identity, url: &str) -> Result<Self, IdentityError> {
        let certificate = identity.folder.join("cert.pem");
        let client = ArcSwap::from_pointee(client(&identity)?);
        let certified = ArcSwap::from_pointee(modified(&certificate));
        Ok(Self {
            identity,
            url: url.to_owned(),
            client,
            certificate,
            certified,
        })
    }

    /// Who we are.
    #[must_use]
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When our certificate was written.
    pub(crate) fn certified(&self) -> Option<SystemTime> {
        modified(&self.certificate)
    }

    /// A client; cheap.
    #[must_use]
    pub(super) fn client(&self) -> Arc<Client> {
        self.client.load_full()
    }

    /// The full address of a route of the hub.
    #[must_use]
    pub(super) fn url(&self, route: &str) -> String {
        format!("{}{route}", self.url)
    }

    /// Takes up a certificate that was rotated since. Reads files: for reconnects only.
    pub(super) fn refresh(&self) {
        let modified = modified(&self.certificate);
        if modified == **self.certified.load() {
            return;
        }
        match client(&self.identity) {
            Ok(client) => {
                self.client.store(Arc::new(client));
                self.certified.store(Arc::new(modified));
            }
            Err(error) => tracing::warn!(%error, "rotated identity not usable"),
        }
    }
}

/// Reads an answer whole, up to [`ANSWER_BYTES_MAX`].
pub(super) async fn read_answer(response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| error.to_string())?;
        if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
            return Err(format!("an answer of more than {ANSWER_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn client(identity: &Identity) -> Result<Client, IdentityError> {
    Client::builder()
        .tls_backend_preconfigured(identity.client_config()?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_WAIT_MAX)
        .tcp_nodelay(true)
        .tcp_keepalive(PING_PAUSE)
        .pool_idle_timeout(None)
        .http2_keep_alive_interval(PING_PAUSE)
        .http2_keep_alive_timeout(PING_WAIT_MAX)
        .http2_keep_alive_while_idle(true)
        .http2_initial_stream_window_size(WINDOW_BYTES)
        .http2_initial_connection_window_size(WINDOW_BYTES)
        .build()
        .map_err(|error| IdentityError::Hub(Box::new(error)))
}

fn modified(path: &std::path::Path) -> Option<SystemTime> {
    std::fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .ok()
}

/// What the hub may send ahead of our reading, in bytes: a catch-up is not slowed by round trips.
const WINDOW_BYTES: u32 = 8 << 20;
