//! What a server says became of objects that were added to it (TAXII 2.1 section 4.3).

use anyhow::anyhow;
use reqwest::Url;
use serde::Deserialize;
use stix::{Object, Timestamp};

use super::{Answer, Found, Remote, find::child, plain};
use crate::outcome::Failure;

/// A status, as far as it has to be read.
#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    #[serde(default)]
    id: Option<String>,
    status: String,
    #[serde(default)]
    failure_count: u64,
    #[serde(default)]
    successes: Vec<Detail>,
    #[serde(default)]
    failures: Vec<Detail>,
}

#[derive(Debug, Deserialize)]
struct Detail {
    id: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

impl Detail {
    /// Whether it is of this object. A version that is written as no time is not compared.
    fn is_of(&self, object: &Object) -> bool {
        let version = self.version.as_deref();
        let version = version.and_then(|text| Timestamp::parse(text).ok());
        self.id == object.head().id.as_str() && version.is_none_or(|at| at == object.version())
    }
}

impl Status {
    /// Reads a good answer.
    pub(crate) fn read(answer: &Answer, url: &Url) -> Result<Self, Failure> {
        serde_json::from_slice(&answer.body)
            .map_err(|e| Failure::system(format!("{url} answers with no status"), e))
    }

    /// Whether every object is decided on.
    pub(crate) fn is_complete(&self) -> bool {
        self.status.eq_ignore_ascii_case("complete")
    }

    /// What to ask for it by.
    pub(crate) fn id(&self) -> Result<&str, Failure> {
        let id = self.id.as_deref().filter(|id| !id.is_empty());
        id.ok_or_else(|| {
            let status = plain(&self.status);
            Failure::System(anyhow!(
                "the server answers that the request is {status:?}, and not how to ask again"
            ))
        })
    }

    /// Whether an object was taken, or why not; `None` where it is not said.
    pub(crate) fn of(&self, object: &Object) -> Option<Result<(), String>> {
        let failure = self.failures.iter().find(|detail| detail.is_of(object));
        if let Some(failure) = failure {
            let why = failure.message.as_deref().unwrap_or("it does not say why");
            return Some(Err(plain(why)));
        }
        let listed = u64::try_from(self.failures.len()).unwrap_or(u64::MAX);
        let all_listed = listed >= self.failure_count;
        let taken = self.successes.iter().any(|detail| detail.is_of(object));
        (all_listed || taken).then_some(Ok(()))
    }
}

impl Remote {
    /// Whether a collection holds this version of an object. What cannot be asked is taken for no.
    pub(crate) async fn holds(&self, found: &Found, object: &Object) -> bool {
        #[derive(Deserialize)]
        struct Versions {
            #[serde(default)]
            versions: Vec<String>,
        }
        if !found.can_read {
            return false;
        }
        let id = object.head().id.as_str();
        let url = child(&found.url, &["objects", id, "versions"]);
        let versions: Result<Versions, Failure> = self.read(&url).await;
        let is = |text: &String| Timestamp::parse(text).is_ok_and(|at| at == object.version());
        versions.is_ok_and(|found| found.versions.iter().any(is))
    }
}

#[cfg(test)]
mod tests {
    use stix::Limits;

    use super::*;

    fn object(modified: &str) -> Object {
        let raw = format!(
            r#"{{"type":"campaign","spec_version":"2.1","id":"campaign--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"c","created":"2026-01-01T00:00:00.000Z","modified":"{modified}"}}"#
        );
        Object::parse(raw.as_bytes(), &Limits::default()).unwrap()
    }

    fn of(status: &str) -> Option<Result<(), String>> {
        let status: Status = serde_json::from_str(status).unwrap();
        status.of(&object("2026-01-02T00:00:00.000Z"))
    }

    #[test]
    fn what_became_of_an_object_is_read_or_not_known() {
        let id = "campaign--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f";
        let detail = format!(r#"{{"id":"{id}","version":"2026-01-02T00:00:00Z","message":"no"}}"#);
        let other = format!(r#"{{"id":"{id}","version":"2026-01-01T00:00:00Z"}}"#);
        let cases = [
            (r#"{"status":"complete"}"#.to_owned(), Some(Ok(()))),
            (
                format!(r#"{{"status":"complete","failure_count":1,"failures":[{detail}]}}"#),
                Some(Err("no".to_owned())),
            ),
            (
                format!(r#"{{"status":"complete","failure_count":1,"failures":[{other}]}}"#),
                Some(Ok(())),
            ),
            (
                r#"{"status":"complete","failure_count":2}"#.to_owned(),
                None,
            ),
            (
                format!(r#"{{"status":"complete","failure_count":2,"successes":[{detail}]}}"#),
                Some(Ok(())),
            ),
        ];
        for (text, want) in cases {
            assert_eq!(of(&text), want, "{text}");
        }
        let pending: Status = serde_json::from_str(r#"{"status":"pending"}"#).unwrap();
        assert!(!pending.is_complete() && pending.id().is_err());
    }
}
