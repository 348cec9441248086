//! Another TAXII 2.1 server, as a client of it: what is asked, how long it is waited for, and what
//! an answer that is none means.
//!
//! Servers in the field do not keep to all of the standard. What is read liberally is safe to; the
//! rest is an error that names whose fault it is.

mod connect;
mod find;
mod page;
mod status;

use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode, Url,
    header::{self, HeaderMap},
};
use taxii::media;

use crate::{client::retry_after, outcome::Failure};

pub(crate) use find::{Found, Right, child};
pub(crate) use page::Page;
pub(crate) use status::Status;

/// Longest wait for an answer: some servers take minutes for a page.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(300);
/// Longest wait for a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(20);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How often a busy server is asked again.
const BUSY_MAX: usize = 100;
/// Longest text of a server that is repeated, in characters.
const TEXT_CHARS_MAX: usize = 300;

/// A TAXII 2.1 server, and who we are there.
pub(crate) struct Remote {
    client: Client,
    auth: connect::Auth,
    /// Where it was typed to be. Nothing is asked of another origin.
    pub(crate) url: Url,
}

/// An answer, whatever it says.
pub(crate) struct Answer {
    /// How it went.
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    /// What it says.
    pub(crate) body: Vec<u8>,
}

impl Remote {
    /// Asks for a resource; waits while the server asks for that.
    pub(crate) async fn get(&self, url: &Url) -> Result<Answer, Failure> {
        self.answer(url, || self.client.get(url.clone())).await
    }

    /// Adds objects to a collection; waits while the server asks for that.
    pub(crate) async fn post(&self, url: &Url, body: Bytes) -> Result<Answer, Failure> {
        let request = || {
            let post = self.client.post(url.clone()).body(body.clone());
            post.header(header::CONTENT_TYPE, media::TAXII)
        };
        self.answer(url, request).await
    }

    async fn answer(
        &self,
        url: &Url,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Answer, Failure> {
        for _ in 0..BUSY_MAX {
            let request = self
                .auth
                .show(request())
                .header(header::ACCEPT, media::TAXII);
            let sent = request.timeout(ANSWER_WAIT_MAX).send().await;
            let response = sent.map_err(|e| unreachable(url, e))?;
            match response.status() {
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    tokio::time::sleep(retry_after(&response)).await;
                }
                _ => return read(url, response).await,
            }
        }
        let busy = anyhow!("{url} has been busy {BUSY_MAX} times; run it again later");
        Err(Failure::System(busy))
    }
}

async fn read(url: &Url, mut response: Response) -> Result<Answer, Failure> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| unreachable(url, e))? {
        if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
            let what = anyhow!(
                "{url} answers with more than {ANSWER_BYTES_MAX} bytes; ask for less at once with --page"
            );
            return Err(Failure::System(what));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

fn unreachable(url: &Url, error: reqwest::Error) -> Failure {
    // The address without what was asked: cursors are long.
    let place = url.origin().ascii_serialization();
    Failure::system(format!("reach {place}"), error.without_url())
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// The answer, if it is good and of TAXII 2.1; `url` is what was asked.
    pub(crate) fn good(self, url: &Url) -> Result<Self, Failure> {
        let content_type = self.header("content-type").unwrap_or_default();
        let content_type = content_type.to_ascii_lowercase();
        let place = place(url);
        let old = content_type.contains("vnd.oasis")
            || content_type.replace([' ', '"'], "").contains("version=2.0");
        if old || self.status == StatusCode::NOT_ACCEPTABLE {
            return Err(Failure::Input(anyhow!(
                "{place} does not speak TAXII 2.1 ({}); name a server or an API root that does",
                match content_type.is_empty() {
                    true => self.status.to_string(),
                    false => plain(&content_type),
                }
            )));
        }
        if self.header("content-range").is_some() {
            return Err(Failure::Input(anyhow!(
                "{place} pages by Range, as TAXII 2.0 did; name an API root of TAXII 2.1"
            )));
        }
        if self.status.is_success() {
            return match content_type.is_empty() || content_type.contains("json") {
                true => Ok(self),
                // A page to log in at, or a proxy's.
                false => Err(Failure::Input(anyhow!(
                    "{place} answers with {}, which is no TAXII; see that the address is right and that \
                     the credentials are",
                    plain(&content_type)
                ))),
            };
        }
        Err(self.bad(&place))
    }

    fn bad(&self, place: &str) -> Failure {
        let said = self.said();
        let status = self.status;
        let error = match status.as_u16() {
            300..=399 => {
                let to = plain(self.header("location").unwrap_or("nowhere"));
                anyhow!("{place} sends us to {to}; name that address, if it is the server's")
            }
            401 => anyhow!(
                "{place} does not take our credentials (401); see --user, --secret-env, --secret-file and --cert{said}"
            ),
            403 => anyhow!("{place} does not let us (403){said}"),
            404 => anyhow!("{place} is not there, or not for us (404){said}"),
            _ => anyhow!("{place} answers {status}{said}"),
        };
        match status.is_client_error() || status.is_redirection() {
            true => Failure::Input(error),
            false => Failure::System(error),
        }
    }

    /// What the server says is wrong.
    pub(crate) fn said(&self) -> String {
        let error: taxii::message::ErrorMessage =
            serde_json::from_slice(&self.body).unwrap_or_default();
        let said = match (error.title.as_str(), error.description.as_deref()) {
            ("", None) => String::new(),
            (title, None) => title.to_owned(),
            (title, Some(more)) => format!("{title}: {more}"),
        };
        match said.is_empty() {
            true => String::new(),
            false => format!("; it says: {}", plain(&said)),
        }
    }
}

/// A URL without its query.
fn place(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

/// A text of a server as it may go to a terminal.
pub(crate) fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_control());
    kept.take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &'static str, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.into(),
        }
    }

    #[test]
    fn what_is_no_taxii_is_named() {
        let url = Url::parse("https://peer.example/api/?next=x").unwrap();
        let cases = [
            (200, "application/taxii+json;version=2.1", None),
            (200, "application/json", None),
            (
                200,
                "application/vnd.oasis.taxii+json; version=2.0",
                Some("TAXII 2.1"),
            ),
            (
                200,
                "application/taxii+json; version=2.0",
                Some("TAXII 2.1"),
            ),
            (406, "application/json", Some("TAXII 2.1")),
            (200, "text/html", Some("credentials")),
            (302, "text/html", Some("sends us to nowhere")),
            (401, "application/json", Some("--secret-env")),
            (
                404,
                "application/json",
                Some("it says: Gone: for \u{2d}ever"),
            ),
            (500, "application/json", Some("answers 500")),
        ];
        for (status, content_type, wrong) in cases {
            let body = "{\"title\":\"Gone\",\"description\":\"for \u{1b}-ever\"}";
            let body = body.replace('\u{1b}', "\\u001b");
            let read = answer(status, content_type, &body).good(&url);
            match (read, wrong) {
                (Ok(_), None) => {}
                (Err(Failure::Input(e) | Failure::System(e)), Some(part)) => {
                    let text = e.to_string();
                    assert!(text.contains(part), "{status} {content_type}: {text}");
                    assert!(text.contains("https://peer.example/api/"), "{text}");
                    assert!(!text.contains("next=x"), "{text}");
                }
                (read, _) => panic!("{status} {content_type}: {}", read.is_ok()),
            }
        }
    }
}
