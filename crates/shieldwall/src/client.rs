//! A partner's way to its hub, for commands that a person types.

use std::{path::Path, time::Duration};

use reqwest::{Client, Response, header};
use serde::Deserialize;
use serde_json::{Map, Value};
use shield::identity::Identity;

use crate::{cli::Peer, outcome::Failure};

/// Longest wait for an answer (push streams have none).
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

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
        let response = self
            .client
            .post(format!("{}/exchange/v1/objects", self.hub))
            .header(header::CONTENT_TYPE, "application/json")
            .timeout(ANSWER_WAIT_MAX)
            .body(document)
            .send()
            .await
            .map_err(|e| self.unreachable(e))?;
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|e| Failure::system("read the hub's answer", e))
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
        let collections = self.get("/taxii2/api/collections/").await?;
        let collections: Collections = serde_json::from_slice(&collections).map_err(unreadable)?;
        let author = sharing::scrub::author_id(&self.identity.partner);
        for Collection { id: collection } in collections.collections {
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
