//! A hub on loopback in a folder of its own, partners enrolled at it, and objects to share.

use hub::{Config, Handle};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, Identity, Response};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use stix::{StixId, Tlp};
use taxii::enrol::{EnrolRequest, EnrolResponse, Invitation, token_text};
use taxii::push::PublicKey;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) struct World {
    pub(crate) hub: Handle,
    pub(crate) folder: TempDir,
    stop: CancellationToken,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// A hub with more lines in its `hub.toml`.
    pub(crate) async fn with(more: &str) -> Self {
        Self::on(tempfile::tempdir().unwrap(), more).await
    }

    /// A hub over a data folder that may have been used before.
    pub(crate) async fn on(folder: TempDir, more: &str) -> Self {
        let data = folder.path().join("data");
        let text = format!("data = {data:?}\nlisten = \"127.0.0.1:0\"\n{more}");
        let stop = CancellationToken::new();
        let hub = hub::run(Config::from_toml(&text).unwrap(), stop.clone())
            .await
            .unwrap();
        Self { hub, folder, stop }
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.hub.tls_addr())
    }

    /// Stops the hub; the folder stays.
    pub(crate) async fn stop(self) -> TempDir {
        self.stop.cancel();
        self.hub.stopped().await;
        self.folder
    }

    /// A client that trusts this hub's authority and shows nothing.
    pub(crate) fn stranger(&self) -> Client {
        client(&self.data().join("ca.pem"), None)
    }

    pub(crate) async fn partner(&self, name: &str) -> Partner {
        let invitation = self.hub.admin().invite(name, "agency", None).await.unwrap();
        let invitation: Invitation = invitation.parse().unwrap();
        let key = KeyPair::generate().unwrap();
        let request = EnrolRequest {
            token: token_text(&invitation.token),
            csr_pem: csr(&key),
        };
        let response = self.enrol(&request).await;
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        let enrolled: EnrolResponse = response.json().await.unwrap();
        assert_eq!(enrolled.partner, name);
        let pem = format!("{}{}", key.serialize_pem(), enrolled.certificate_pem);
        Partner {
            client: client(&self.data().join("ca.pem"), Some(&pem)),
            hub_key: PublicKey::from_text(&enrolled.hub_key).unwrap(),
            base: self.url(""),
            pem,
        }
    }

    /// A partner that enrolled at this data folder earlier.
    pub(crate) fn known(&self, earlier: &Partner, pem: &str) -> Partner {
        Partner {
            client: client(&self.data().join("ca.pem"), Some(pem)),
            hub_key: earlier.hub_key,
            base: self.url(""),
            pem: pem.to_owned(),
        }
    }

    pub(crate) async fn enrol(&self, request: &EnrolRequest) -> Response {
        let url = self.url("/exchange/v1/enrol");
        self.stranger()
            .post(url)
            .json(request)
            .send()
            .await
            .unwrap()
    }
}

pub(crate) fn csr(key: &KeyPair) -> String {
    CertificateParams::default()
        .serialize_request(key)
        .unwrap()
        .pem()
        .unwrap()
}

pub(crate) fn client(ca: &Path, identity: Option<&str>) -> Client {
    let ca = Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
    let mut builder = Client::builder()
        .tls_certs_only([ca])
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5));
    if let Some(pem) = identity {
        builder = builder.identity(Identity::from_pem(pem.as_bytes()).unwrap());
    }
    builder.build().unwrap()
}

/// A client for plain HTTP.
pub(crate) fn client_of_nobody() -> Client {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// An enrolled partner.
pub(crate) struct Partner {
    pub(crate) client: Client,
    pub(crate) hub_key: PublicKey,
    /// Private key and certificate.
    pub(crate) pem: String,
    base: String,
}

impl Partner {
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .unwrap()
    }

    /// Any request, with a body of a media type.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        body: String,
    ) -> Response {
        let url = format!("{}{path}", self.base);
        let request = self.client.request(method.parse().unwrap(), url);
        let request = request.header("content-type", media_type).body(body);
        request.send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.client
            .post(format!("{}{path}", self.base))
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// Shares objects and expects them all to be accepted.
    pub(crate) async fn share(&self, objects: &[Value]) {
        let answer = self
            .post("/exchange/v1/objects", &json!({ "objects": objects }))
            .await;
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["accepted"], objects.len(), "{answer}");
    }

    pub(crate) async fn follow(&self, cursor: Option<&str>) -> Events {
        let mut request = self.client.get(format!("{}/exchange/v1/push", self.base));
        if let Some(cursor) = cursor {
            request = request.header("Last-Event-ID", cursor);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events {
            response,
            buffer: String::new(),
        }
    }
}

/// A reader of Server-Sent Events.
pub(crate) struct Events {
    response: Response,
    buffer: String,
}

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Events {
    pub(crate) fn over(response: Response) -> Self {
        Self {
            response,
            buffer: String::new(),
        }
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        tokio::time::timeout(Duration::from_secs(20), self.read())
            .await
            .expect("an event in 20 s")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let text: String = self.buffer.drain(..end + 2).collect();
                let event = parse(&text);
                if !event.name.is_empty() {
                    return Some(event);
                }
                continue;
            }
            let chunk = self.response.chunk().await.ok()??;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event of this name.
    pub(crate) async fn next_named(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.name == name {
                return event;
            }
        }
    }
}

fn parse(text: &str) -> Event {
    let field = |name: &str| {
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        lines.collect::<Vec<_>>().join("\n")
    };
    Event {
        name: field("event"),
        id: field("id"),
        data: field("data"),
    }
}

/// An indicator for an address, with a lease of a minute.
pub(crate) fn indicator(name: &str, address: &str, tlp: Tlp, audience: &[&str]) -> Value {
    let mut indicator = json!({
        "type": "indicator",
        "spec_version": "2.1",
        "id": StixId::v5("indicator", name),
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "name": name,
        "pattern": format!("[ipv4-addr:value = '{address}']"),
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2099-01-01T00:00:00Z",
        "object_marking_refs": [tlp.marking_id()],
        "extensions": { stix::lease::EXTENSION_ID: {
            "extension_type": "property-extension",
            "selector": { "source": format!("{address}/32") },
            "service": { "protocol": "tcp", "port": 80 },
            "action": "drop",
            "ttl_s": 60,
            "evidence": "path-proven",
            "detector": "scan-trw@1",
        } },
    });
    if !audience.is_empty() {
        indicator["extensions"][stix::lease::EXTENSION_ID]["audience"] = json!(audience);
    }
    indicator
}
