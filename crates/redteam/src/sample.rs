//! One thing that a model judges, in a form that mutations can change.

use features::{Request, Row, RowError, Subject};

use crate::web::Web;

/// A sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// A request with one value that is attacked.
    Web(Box<Web>),
    /// A URL.
    Url(String),
    /// A name that is looked up.
    Domain(String),
}

impl Sample {
    /// What a line may be as a sample: of a request one for each value that may be the attacked
    /// one, of anything else one. `malicious`: its language matters, since changes must keep it.
    ///
    /// # Errors
    /// [`RowError`] says what is wrong with the line.
    pub fn read(line: &[u8], malicious: bool) -> Result<Vec<Self>, RowError> {
        let row = Row::read(line)?;
        Ok(row.with(|subject| match subject {
            Subject::Request(request) => {
                let all = Web::of(request, malicious).into_iter();
                all.filter(|web| web.wire().is_some())
                    .map(|web| Self::Web(Box::new(web)))
                    .collect()
            }
            // as it is written after any change, so that a change is all that differs
            Subject::Url(url) => match crate::phishing::parsed(url) {
                Some(url) => vec![Self::Url(url.to_string())],
                None => vec![Self::Url((*url).to_owned())],
            },
            Subject::Domain(name) => vec![Self::Domain(name.to_ascii_lowercase())],
            // behaviour over many transactions has no mutations here
            Subject::DnsWindow(_) | Subject::Contacts(_) => Vec::new(),
        }))
    }

    /// Shows it as models see it; `None` where it cannot be written.
    pub fn show<T>(&self, see: impl FnOnce(&Subject<'_>) -> T) -> Option<T> {
        match self {
            Self::Web(web) => {
                let wire = web.wire()?;
                let headers: Vec<(&[u8], &[u8])> = wire
                    .headers
                    .iter()
                    .map(|(name, value)| (name.as_slice(), value.as_slice()))
                    .collect();
                Some(see(&Subject::Request(Request {
                    method: &wire.method,
                    target: &wire.target,
                    headers: &headers,
                    body: &wire.body,
                })))
            }
            Self::Url(url) => Some(see(&Subject::Url(url))),
            Self::Domain(name) => Some(see(&Subject::Domain(name))),
        }
    }

    /// As a line of JSON that `shieldwall score` takes; what is no UTF-8 of it is replaced.
    #[must_use]
    pub fn line(&self) -> Option<serde_json::Value> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(match self {
            Self::Web(web) => {
                let wire = web.wire()?;
                let headers = wire.headers.iter();
                let headers = headers.map(|(name, value)| (text(name), text(value).into()));
                serde_json::json!({
                    "method": text(&wire.method),
                    "uri": text(&wire.target),
                    "headers": headers.collect::<serde_json::Map<_, _>>(),
                    "body": text(&wire.body),
                })
            }
            Self::Url(url) => serde_json::json!({"url": url}),
            Self::Domain(name) => serde_json::json!({"domain": name}),
        })
    }
}
