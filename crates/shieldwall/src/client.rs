//! A partner's way to its hub, for commands that a person types.

use std::{path::Path, time::Duration};

use reqwest::{Client, Response, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};
use shield::identity::Identity;
use taxii::packs::Published;

use crate::{cli::Peer, outcome::Failure};

/// Longest wait for an answer (push streams have none).
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// Longest wait until a pack is published.
const PUBLISH_WAIT_MAX: Duration = Duration::from_secs(600);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Objects that are asked for in one page.
const PAGE: usize = 1000;
/// How often a busy server is asked again.
const BUSY_MAX: usize = 100;
/// Longest wait that a server is granted by its `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);

/// A page of objects.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    /// Whether more follow.
    #[serde(default)]
    pub(crate) more: bool,
    /// Where they follow.
    #[serde(default)]
    pub(crate) next: Option<String>,
    /// The objects, as they are.
    #[serde(default)]
    pub(crate) objects: Vec<Box<RawValue>>,
}

/// How long a busy server asks to wait, in seconds or until a date (RFC 9110 section 10.2.3); a
/// second when it does not say.
pub(crate) fn retry_after(response: &Response) -> Duration {
    let said = response.headers().get(header::RETRY_AFTER);
    let said = said.and_then(|value| value.to_str().ok()).map(str::trim);
    let wait = said.and_then(|text| match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => until(text),
    });
    wait.unwrap_or(Duration::from_secs(1)).min(RETRY_AFTER_MAX)
}

/// How long it is until a date; nothing where it is over.
fn until(text: &str) -> Option<Duration> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let date = parser.parse_timestamp(text).ok()?;
    let left = date.duration_since(jiff::Timestamp::now());
    Some(left.max(jiff::SignedDuration::ZERO).unsigned_abs())
}

/// An enrolled partner's connection to its hub.
pub(crate) struct HubClient {
    client: Client,
    hub: String,
    /// Who we are.
    pub(crate) identity: Identity,
}

/// What became of one object that was shared.
#[derive(Debug, Deserialize)]
pub(crate) struct ObjectOutcome {
    /// The object.
    pub(crate) id: String,
    /// `accepted`, `duplicate`, `conflict` or `refused`.
    pub(crate) outcome: String,
    /// Why not.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// What became of all objects that were shared.
#[derive(Debug, Deserialize)]
pub(crate) struct Shared {
    /// One for each object, in order.
    pub(crate) outcomes: Vec<ObjectOutcome>,
}

impl HubClient {
    /// Mutual TLS with the identity in `peer`.
    pub(crate) fn new(peer: &Peer) -> Result<Self, Failure> {
        let identity = load(&peer.identity)?;
        let tls = identity
            .client_config()
            .map_err(|e| Failure::input("use the identity", e))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            .build()
            .map_err(|e| Failure::system("set up TLS", e))?;
        let hub = peer.hub.clone().unwrap_or_else(|| identity.hub.clone());
        let hub = hub.trim_end_matches('/').to_owned();
        Ok(Self {
            client,
            hub,
            identity,
        })
    }

    /// Shares a bundle, an envelope or one object.
    pub(crate) async fn share(&self, document: Vec<u8>) -> Result<Shared, Failure> {
        let response = self.post(document.into()).await?;
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|e| Failure::system("read the hub's answer", e))
    }

    /// As [`Self::share`], but waits while the hub asks for it; `None` when it is too much in one
    /// piece.
    pub(crate) async fn share_patiently(
        &self,
        document: Vec<u8>,
    ) -> Result<Option<Shared>, Failure> {
        let document = bytes::Bytes::from(document);
        for _ in 0..BUSY_MAX {
            let response = self.post(document.clone()).await?;
            match response.status() {
                StatusCode::PAYLOAD_TOO_LARGE => return Ok(None),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    tokio::time::sleep(retry_after(&response)).await;
                }
                _ => {
                    let body = self.body(response).await?;
                    let shared = serde_json::from_slice(&body);
                    return shared
                        .map(Some)
                        .map_err(|e| Failure::system("read the hub's answer", e));
                }
            }
        }
        let busy = anyhow::anyhow!("{} has been busy {BUSY_MAX} times", self.hub);
        Err(Failure::System(
            busy.context("share with the hub; run it again later"),
        ))
    }

    async fn post(&self, document: bytes::Bytes) -> Result<Response, Failure> {
        let request = self
            .client
            .post(format!("{}/exchange/v1/objects", self.hub))
            .header(header::CONTENT_TYPE, "application/json")
            .timeout(ANSWER_WAIT_MAX)
            .body(document);
        request.send().await.map_err(|e| self.unreachable(e))
    }

    /// A page of the objects that this partner may see, behind `next`.
    pub(crate) async fn page(&self, collection: &str, next: Option<&str>) -> Result<Page, Failure> {
        let mut path = format!("/taxii2/api/collections/{collection}/objects/?limit={PAGE}");
        if let Some(next) = next {
            path.push_str("&next=");
            path.push_str(next);
        }
        let body = self.get(&path).await?;
        serde_json::from_slice(&body).map_err(|e| Failure::system("read the hub's answer", e))
    }

    /// The collections that this partner may see.
    pub(crate) async fn collections(&self) -> Result<Vec<String>, Failure> {
        let collections = self.get("/taxii2/api/collections/").await?;
        let collections: Collections = serde_json::from_slice(&collections)
            .map_err(|e| Failure::system("read the hub's answer", e))?;
        Ok(collections
            .collections
            .into_iter()
            .map(|one| one.id)
            .collect())
    }

    /// The push stream behind `cursor`.
    pub(crate) async fn push(&self, cursor: Option<&str>) -> Result<Response, Failure> {
        let mut request = self.client.get(format!("{}/exchange/v1/push", self.hub));
        if let Some(cursor) = cursor {
            request = request.header("Last-Event-ID", cursor);
        }
        let response = request.send().await.map_err(|e| self.unreachable(e))?;
        self.checked(response).await
    }

    /// The newest version of one of our own objects, as the hub has it.
    pub(crate) async fn own_object(&self, id: &str) -> Result<Map<String, Value>, Failure> {
        let unreadable = |e| Failure::system("read the hub's answer", e);
        let author = sharing::scrub::author_id(&self.identity.partner);
        for collection in self.collections().await? {
            let path = format!("/taxii2/api/collections/{collection}/objects/{id}/");
            let envelope = self.get(&path).await?;
            let envelope: Envelope = serde_json::from_slice(&envelope).map_err(unreadable)?;
            let ours = |object: &Map<String, Value>| {
                object.get("created_by_ref").and_then(Value::as_str) == Some(author.as_str())
            };
            if let Some(object) = envelope.objects.into_iter().find(ours) {
                return Ok(object);
            }
        }
        Err(Failure::Input(anyhow::anyhow!(
            "{id}: the hub has no object of ours with this id"
        )))
    }

    /// Our own role in a repository of packs; none when we publish nothing there.
    pub(crate) async fn pack_role(&self, repository: &str) -> Result<Option<Vec<u8>>, Failure> {
        let url = format!("{}/exchange/v1/packs/{repository}/role", self.hub);
        let request = self.client.get(url).timeout(ANSWER_WAIT_MAX);
        let response = request.send().await.map_err(|e| self.unreachable(e))?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            _ => self.body(response).await.map(Some),
        }
    }

    /// Publishes in a repository of packs.
    pub(crate) async fn publish(
        &self,
        repository: &str,
        publication: Vec<u8>,
    ) -> Result<Published, Failure> {
        let request = self
            .client
            .post(format!("{}/exchange/v1/packs/{repository}", self.hub))
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .timeout(PUBLISH_WAIT_MAX)
            .body(publication);
        let response = request.send().await.map_err(|e| self.unreachable(e))?;
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|e| Failure::system("read the hub's answer", e))
    }

    /// The hub's address.
    pub(crate) fn url(&self) -> &str {
        &self.hub
    }

    /// What one of the exchange's own routes answers to these parameters.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        route: &str,
        parameters: &[(&str, String)],
    ) -> Result<T, Failure> {
        let pairs = parameters.iter();
        let pairs = pairs.map(|(name, value)| format!("{name}={}", percent(value)));
        let pairs: Vec<String> = pairs.collect();
        let path = format!("/exchange/v1/{route}?{}", pairs.join("&"));
        let body = self.get(&path).await?;
        serde_json::from_slice(&body).map_err(|e| Failure::system("read the hub's answer", e))
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let response = self
            .client
            .get(format!("{}{path}", self.hub))
            .header(header::ACCEPT, "application/taxii+json;version=2.1")
            .timeout(ANSWER_WAIT_MAX)
            .send()
            .await
            .map_err(|e| self.unreachable(e))?;
        self.body(response).await
    }

    /// The body of a good answer.
    async fn body(&self, response: Response) -> Result<Vec<u8>, Failure> {
        let response = self.checked(response).await?;
        self.read(response).await
    }

    /// A good answer; a bad one is the hub's word on what we did.
    async fn checked(&self, response: Response) -> Result<Response, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let why = self.read(response).await?;
        let why = String::from_utf8_lossy(&why);
        let error = anyhow::anyhow!("the hub answered {status}: {}", why.trim());
        Err(if status.is_client_error() {
            Failure::Input(error)
        } else {
            Failure::System(error)
        })
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(e))? {
            if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                let what = anyhow::anyhow!("more than {ANSWER_BYTES_MAX} bytes");
                return Err(Failure::System(
                    what.context("the hub's answer is too long"),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        Failure::system(format!("reach the hub at {}", self.hub), error)
    }
}

/// A value of a parameter (RFC 3986 section 2.1).
fn percent(value: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match plain(byte) {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[derive(Deserialize)]
struct Collections {
    #[serde(default)]
    collections: Vec<Collection>,
}

#[derive(Deserialize)]
struct Collection {
    id: String,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    objects: Vec<Map<String, Value>>,
}

fn load(folder: &Path) -> Result<Identity, Failure> {
    Identity::load(folder).map_err(|e| Failure::input("load the identity", e))
}
