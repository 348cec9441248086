//! A hub that does as it is told, over real mutual TLS and plain HTTP/1.1.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use taxii::enrol::{EnrolRequest, EnrolResponse, Invitation, RotateRequest};
use taxii::push::{
    EVENT_DIGEST, EVENT_FRAME, EVENT_HELLO, EVENT_TRIMMED, Hello, PublicKey, Trimmed,
};

use crate::objects::{Log, Sent, base64, pair};

type Tls = StreamOwned<ServerConnection, TcpStream>;

pub(crate) struct FakeHub {
    address: SocketAddr,
    authority: Arc<Authority>,
    shared: Arc<Shared>,
    pushes: Receiver<Push>,
}

/// What the test and the threads of the hub share.
struct Shared {
    refusing: AtomicBool,
    post_status: AtomicU16,
    /// What posts are answered with instead of an outcome for each object.
    post_answer: Mutex<Option<&'static str>>,
    posts: Mutex<Vec<Vec<u8>>>,
    states: Mutex<Vec<Vec<u8>>>,
    enrolments: Mutex<Vec<Vec<u8>>>,
    open: Mutex<Vec<TcpStream>>,
}

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// One push stream of the shield: what the test sends on it.
pub(crate) struct Push {
    pub(crate) last_event_id: Option<String>,
    out: Sender<Vec<u8>>,
    stream: TcpStream,
}

impl FakeHub {
    pub(crate) fn start() -> Self {
        let authority = Arc::new(Authority::new());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let tls = Arc::new(authority.server());
        let shared = Arc::new(Shared {
            refusing: AtomicBool::new(false),
            post_status: AtomicU16::new(200),
            post_answer: Mutex::default(),
            posts: Mutex::default(),
            states: Mutex::default(),
            enrolments: Mutex::default(),
            open: Mutex::default(),
        });
        let (pushed, pushes) = channel();
        let (hub, ca) = (Arc::clone(&shared), Arc::clone(&authority));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { break };
                if hub.refusing.load(Ordering::SeqCst) {
                    continue;
                }
                hub.open.lock().unwrap().push(stream.try_clone().unwrap());
                let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
                let (hub, ca, pushed) = (Arc::clone(&hub), Arc::clone(&ca), pushed.clone());
                std::thread::spawn(move || {
                    serve(StreamOwned::new(connection, stream), &hub, &ca, &pushed)
                });
            }
        });
        Self {
            address,
            authority,
            shared,
            pushes,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn invitation(&self) -> Invitation {
        let mut ca_sha256 = [0; 32];
        ca_sha256.copy_from_slice(digest(&SHA256, &self.authority.certificate).as_ref());
        Invitation {
            hub: self.url(),
            token: [5; 32],
            ca_sha256,
        }
    }

    /// What `partner enrol` would have written.
    pub(crate) fn write_identity(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default()
            .signed_by(&key, &self.authority.issuer)
            .unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.join("ca.pem"), self.authority.pem()).unwrap();
        let hub_key = PublicKey::of(&pair()).unwrap().to_text();
        let partner =
            serde_json::json!({"partner": "alpha", "hub": self.url(), "hub_key": hub_key});
        std::fs::write(folder.join("partner.json"), partner.to_string()).unwrap();
    }

    pub(crate) fn next_push(&self) -> Push {
        self.pushes
            .recv_timeout(crate::PATIENCE)
            .expect("the shield opens a stream")
    }

    /// As if it were down: open connections break, new ones are closed at once.
    pub(crate) fn refuse_all(&self) {
        self.shared.refusing.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _gone = stream.shutdown(Shutdown::Both);
        }
        while self.pushes.try_recv().is_ok() {}
    }

    pub(crate) fn accept_all(&self) {
        self.shared.refusing.store(false, Ordering::SeqCst);
    }

    pub(crate) fn answer_posts_with(&self, status: u16) {
        self.shared.post_status.store(status, Ordering::SeqCst);
    }

    /// Answers posts with these words; `None`: with an outcome for each object.
    pub(crate) fn say_to_posts(&self, answer: Option<&'static str>) {
        *self.shared.post_answer.lock().unwrap() = answer;
    }

    pub(crate) fn posts(&self) -> Vec<Vec<u8>> {
        self.shared.posts.lock().unwrap().clone()
    }

    pub(crate) fn states(&self) -> Vec<Vec<u8>> {
        self.shared.states.lock().unwrap().clone()
    }

    pub(crate) fn enrolments(&self) -> Vec<Vec<u8>> {
        self.shared.enrolments.lock().unwrap().clone()
    }
}

impl Push {
    pub(crate) fn hello(&self, log: &Log) {
        self.event(EVENT_HELLO, &log.hello());
    }

    pub(crate) fn hello_with_other_key(&self, log: &Log) {
        let key = base64(&[9; 32]);
        self.event(EVENT_HELLO, &Hello { key, ..log.hello() });
    }

    pub(crate) fn hello_of_other_community(&self, log: &Log) {
        self.event(
            EVENT_HELLO,
            &Hello {
                community: "elsewhere".into(),
                ..log.hello()
            },
        );
    }

    pub(crate) fn frame(&self, sent: Sent) {
        self.raw(&format!(
            "id: {}\nevent: {EVENT_FRAME}\ndata: {}\n\n",
            sent.cursor, sent.data
        ));
    }

    pub(crate) fn digests(&self, log: &mut Log) {
        log.digests()
            .iter()
            .for_each(|digest| self.event(EVENT_DIGEST, digest));
    }

    pub(crate) fn trimmed(&self) {
        self.event(
            EVENT_TRIMMED,
            &Trimmed {
                why: "test".into(),
                epoch: 1,
            },
        );
    }

    /// Breaks the connection after what was sent has left.
    pub(crate) fn cut(self) {
        std::thread::sleep(Duration::from_millis(50));
        let _gone = self.stream.shutdown(Shutdown::Both);
    }

    pub(crate) fn raw(&self, text: &str) {
        self.out.send(text.as_bytes().to_vec()).unwrap();
    }

    fn event(&self, name: &str, data: &impl serde::Serialize) {
        let data = serde_json::to_string(data).unwrap();
        self.raw(&format!("event: {name}\ndata: {data}\n\n"));
    }
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::from_ca_cert_der(&certificate, key).unwrap();
        Self {
            certificate,
            issuer,
        }
    }

    fn pem(&self) -> String {
        let text = base64(&self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    fn server(&self) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let clients =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                .allow_unauthenticated()
                .build()
                .unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(
                vec![certificate.der().clone(), self.certificate.clone()],
                key,
            )
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }

    fn issue(&self, csr_pem: &str) -> Vec<u8> {
        let request = CertificateSigningRequestParams::from_pem(csr_pem).unwrap();
        let params = CertificateParams::default();
        let certificate = params.signed_by(&request.public_key, &self.issuer).unwrap();
        let answer = EnrolResponse {
            partner: "alpha".into(),
            certificate_pem: certificate.pem(),
            ca_pem: self.pem(),
            hub_key: PublicKey::of(&pair()).unwrap().to_text(),
        };
        serde_json::to_vec(&answer).unwrap()
    }
}

/// One connection: requests in a row, until one of them is a push stream.
fn serve(tls: Tls, hub: &Shared, ca: &Authority, pushed: &Sender<Push>) {
    let mut reader = BufReader::new(tls);
    while let Some(request) = read_request(&mut reader) {
        let known = reader.get_ref().conn.peer_certificates().is_some();
        match request.route.as_str() {
            "POST /exchange/v1/enrol" => {
                let body: EnrolRequest = serde_json::from_slice(&request.body).unwrap();
                hub.enrolments.lock().unwrap().push(request.body);
                answer(&mut reader, 200, &ca.issue(&body.csr_pem));
            }
            _ if !known => answer(&mut reader, 401, b"no certificate"),
            "POST /exchange/v1/rotate" => {
                let body: RotateRequest = serde_json::from_slice(&request.body).unwrap();
                answer(&mut reader, 200, &ca.issue(&body.csr_pem));
            }
            "POST /exchange/v1/objects" => {
                let said = *hub.post_answer.lock().unwrap();
                let said = said.map_or_else(|| outcomes(&request.body), str::to_owned);
                hub.posts.lock().unwrap().push(request.body);
                let status = hub.post_status.load(Ordering::SeqCst);
                answer(&mut reader, status, said.as_bytes());
            }
            "POST /exchange/v1/state" => {
                hub.states.lock().unwrap().push(request.body);
                answer(&mut reader, 204, b"");
            }
            "GET /exchange/v1/push" => {
                push(reader.into_inner(), request.last_event_id, pushed);
                return;
            }
            route => panic!("unknown route {route}"),
        }
    }
}

/// An answer that takes every object of an envelope.
fn outcomes(envelope: &[u8]) -> String {
    let envelope: serde_json::Value = serde_json::from_slice(envelope).unwrap();
    let objects = envelope["objects"].as_array().unwrap();
    let outcomes: Vec<_> = objects
        .iter()
        .map(|object| serde_json::json!({"id": object["id"], "outcome": "accepted"}))
        .collect();
    serde_json::json!({"accepted": outcomes.len(), "refused": 0, "outcomes": outcomes}).to_string()
}

fn push(mut tls: Tls, last_event_id: Option<String>, pushed: &Sender<Push>) {
    let (out, events) = channel::<Vec<u8>>();
    let stream = tls.get_ref().try_clone().unwrap();
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    if tls.write_all(head).and_then(|()| tls.flush()).is_err() {
        return;
    }
    if pushed
        .send(Push {
            last_event_id,
            out,
            stream,
        })
        .is_err()
    {
        return;
    }
    while let Ok(event) = events.recv() {
        if tls.write_all(&event).and_then(|()| tls.flush()).is_err() {
            return;
        }
    }
}

struct Request {
    route: String,
    last_event_id: Option<String>,
    body: Vec<u8>,
}

fn read_request(reader: &mut BufReader<Tls>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let route = line.rsplit_once(' ')?.0.to_owned();
    let (mut length, mut last_event_id) = (0, None);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "last-event-id" => last_event_id = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        route,
        last_event_id,
        body,
    })
}

fn answer(reader: &mut BufReader<Tls>, status: u16, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let tls = reader.get_mut();
    let _gone = tls
        .write_all(head.as_bytes())
        .and_then(|()| tls.write_all(body))
        .and_then(|()| tls.flush());
}
