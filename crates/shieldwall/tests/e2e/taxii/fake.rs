//! A server that answers as a test tells it to, over plain HTTP on loopback.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

/// A request: `GET /path?query`, its headers in lower case, its body.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// A parameter of the query, as it was sent.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.line.split_once('?')?;
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// An answer: status, headers beside the content type, body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(body: &Value) -> Self {
        Self::raw(200, &body.to_string())
    }

    pub(crate) fn raw(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        }
        .with("content-type", "application/taxii+json;version=2.1")
    }

    /// A header more, or another content type.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Script = dyn FnMut(usize, &Asked) -> Answer + Send;

/// The server.
pub(crate) struct Fake {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub(crate) const COLLECTION: &str = "91a7b528-80eb-42ed-a74d-c6fbd5a26116";

impl Fake {
    /// A server with one API root `/api/` and one collection, whose `objects/` and `status/` answer as
    /// `script` says, given how many requests there were to them before.
    pub(crate) fn start(script: impl FnMut(usize, &Asked) -> Answer + Send + 'static) -> Self {
        Self::with_roots(&["/api/"], script)
    }

    /// The same, with the API roots that discovery names.
    pub(crate) fn with_roots(
        roots: &[&str],
        mut script: impl FnMut(usize, &Asked) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, roots) = (Arc::clone(&asked), json!(roots));
        // Ends with the process; a test that is over asks no more.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                serve(stream, &roots, &log, &mut script).ok();
            }
        });
        Self { port, asked }
    }

    /// The address of its discovery.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/taxii2/", self.port)
    }

    /// The requests to `objects/` and `status/` so far, which are forgotten then.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn serve(
    mut stream: TcpStream,
    roots: &Value,
    log: &Mutex<Vec<Asked>>,
    script: &mut Script,
) -> std::io::Result<()> {
    let asked = read(&stream)?;
    let path = asked.line.split(['?', ' ']).nth(1).unwrap_or_default();
    let answer = match path {
        "/taxii2/" => Answer::json(&json!({"title": "fake", "api_roots": roots})),
        "/api/" => Answer::json(&json!({
            "title": "fake", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 2000,
        })),
        "/api/collections/" => Answer::json(&json!({"collections": [
            {"id": COLLECTION, "title": "Feed", "can_read": true, "can_write": true},
        ]})),
        _ => {
            let before = {
                let mut log = log.lock().unwrap();
                log.push(asked.clone());
                log.len() - 1
            };
            script(before, &asked)
        }
    };
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", answer.body.len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer.body)
}

fn read(stream: &TcpStream) -> std::io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut headers) = (String::new(), String::new());
    reader.read_line(&mut line)?;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or((&header, ""));
        headers.push_str(&format!("{}: {}\n", name.to_lowercase(), value.trim()));
    }
    let length = headers
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let line = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    Ok(Asked {
        line,
        headers,
        body,
    })
}

/// An indicator, byte for byte as it is to stay.
pub(crate) fn indicator(number: u32) -> String {
    version(number, "2026-01-01T00:00:00.000Z", "")
}

/// A version of it.
pub(crate) fn version(number: u32, modified: &str, more: &str) -> String {
    format!(
        r#"{{"type":"indicator", "spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-{number:012}","created":"2026-01-01T00:00:00.000Z","modified":"{modified}","pattern":"[ipv4-addr:value = '192.0.2.{number}']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],"x_odd" : 1.50{more}}}"#
    )
}

/// An envelope of indicators, with more in it.
pub(crate) fn envelope(numbers: &[u32], more: &str) -> String {
    let objects: Vec<String> = numbers.iter().map(|number| indicator(*number)).collect();
    format!("{{{more}\"objects\":[{}]}}", objects.join(","))
}

/// When an indicator was added: a day for each.
pub(crate) fn day(number: u32) -> String {
    format!("2026-02-{number:02}T00:00:00.000000Z")
}
