//! Ingest: bytes of a partner become objects of the log, or each is refused with its reason.
//!
//! An answer is given when every accepted object is durable, never before.

use crate::app::Hub;
use crate::authn::Caller;
use crate::body::Body;
use crate::quota::Kind;
use crate::reply::{self, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use exchange::{Outcome, Registry as _, Submission};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use stix::{Limits, Object, bundle};

/// What became of one object of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ObjectOutcome {
    /// The identifier as sent, legal or not; empty when there was none.
    pub(crate) id: String,
    /// The version as sent.
    pub(crate) version: String,
    /// What became of it.
    pub(crate) outcome: Verdict,
    /// Where and why it was refused, and what mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// An object of a request, or why it was refused.
pub(crate) type Taken = Result<Object, Box<ObjectOutcome>>;

/// The four things that can become of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// Durable now.
    Accepted,
    /// This partner shared the very same version before.
    Duplicate,
    /// This partner shared other content under the same id and version before.
    Conflict,
    /// Not legal, or not to be shared here.
    Refused,
}

impl ObjectOutcome {
    /// Whether the sender need not send it again.
    pub(crate) fn is_success(&self) -> bool {
        matches!(self.outcome, Verdict::Accepted | Verdict::Duplicate)
    }
}

/// The answer of `POST /exchange/v1/objects`.
#[derive(Debug, Serialize)]
struct Report {
    accepted: usize,
    refused: usize,
    outcomes: Vec<ObjectOutcome>,
}

/// `POST /exchange/v1/objects`.
pub(crate) async fn post(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    body: Body,
) -> Result<Response, Problem> {
    let taken = hub.read(&caller, &body.bytes, &|_| None)?;
    let outcomes = hub.ingest(&caller.partner, taken).await?;
    let accepted = outcomes
        .iter()
        .filter(|outcome| outcome.is_success())
        .count();
    let refused = outcomes.len().saturating_sub(accepted);
    Ok(reply::json(
        StatusCode::OK,
        &Report {
            accepted,
            refused,
            outcomes,
        },
    ))
}

impl Hub {
    /// Reads a bundle, an envelope or one object, and takes it from the sender's quota: each object
    /// in the order of the document, or why it is refused. `refuses` says why an object is not taken
    /// where it was sent to, if it is not.
    pub(crate) fn read(
        &self,
        caller: &Caller,
        bytes: &[u8],
        refuses: &dyn Fn(&Object) -> Option<String>,
    ) -> Result<Vec<Taken>, Problem> {
        let taken = self.read_again(bytes, refuses)?;
        self.within(caller, Kind::Objects, taken.len())?;
        Ok(taken)
    }

    /// The same of what was taken from the quota before.
    pub(crate) fn read_again(
        &self,
        bytes: &[u8],
        refuses: &dyn Fn(&Object) -> Option<String>,
    ) -> Result<Vec<Taken>, Problem> {
        let parsed =
            bundle::parse_valid(bytes, &self.stix_limits()).map_err(|error| unreadable(&error))?;
        let mut named = None;
        let taken = parsed.into_iter().enumerate().map(|(index, result)| {
            let taken = result.map_err(|error| error.to_string());
            let taken = taken.and_then(|object| {
                let why = nested(&object).or_else(|| refuses(&object));
                why.map_or(Ok(object), Err)
            });
            taken.map_err(|reason| {
                let names = named.get_or_insert_with(|| Named::all(bytes));
                let name = names.get(index).cloned().unwrap_or_default();
                Box::new(name.refused(reason))
            })
        });
        Ok(taken.collect())
    }

    /// Makes objects durable; the outcomes stand in the order of what was taken.
    pub(crate) async fn ingest(
        &self,
        partner: &Arc<str>,
        taken: Vec<Taken>,
    ) -> Result<Vec<ObjectOutcome>, Problem> {
        let good = taken.iter().filter_map(|taken| taken.as_ref().ok());
        let decided = self.submit(partner, good.cloned().collect()).await?;
        let mut decided = decided.into_iter();
        let outcome = |taken: Taken| match taken {
            Ok(_) => decided.next(),
            Err(refused) => Some(*refused),
        };
        let outcomes: Vec<ObjectOutcome> = taken.into_iter().filter_map(outcome).collect();
        self.count(&outcomes);
        Ok(outcomes)
    }

    async fn submit(
        &self,
        partner: &Arc<str>,
        objects: Vec<Object>,
    ) -> Result<Vec<ObjectOutcome>, Problem> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let submissions = self.submissions(partner, &objects).await?;
        let verdicts = self
            .exchange
            .submit(submissions)
            .await
            .map_err(Problem::from)?;
        Ok(objects
            .iter()
            .zip(verdicts)
            .map(|(object, outcome)| decided(object, outcome))
            .collect())
    }

    /// Each object with its reach: the one policy function decides who may see it.
    async fn submissions(
        &self,
        source: &Arc<str>,
        objects: &[Object],
    ) -> Result<Vec<Submission>, Problem> {
        let addresses = |object: &Object| {
            object
                .head()
                .lease
                .as_ref()
                .is_some_and(|lease| !lease.audience.is_empty())
        };
        let partners = match objects.iter().any(addresses) {
            false => Vec::new(),
            true => {
                let partners = self.exchange.store().partners().await;
                partners.map_err(|error| Problem::store(&error))?
            }
        };
        let enrolled = |name: &str| {
            partners
                .iter()
                .any(|partner| *partner.name == *name && partner.revoked.is_none())
        };
        let submission = |object: &Object| Submission {
            source: Arc::clone(source),
            reach: sharing::reach(source, object.head(), &enrolled, self.config.default_tlp),
            object: object.clone(),
        };
        Ok(objects.iter().map(submission).collect())
    }

    fn stix_limits(&self) -> Limits {
        let limits = &self.config.limits;
        Limits {
            bytes_max: limits.body_bytes_max,
            objects_max: limits.objects_max,
            ..Limits::default()
        }
    }

    fn count(&self, outcomes: &[ObjectOutcome]) {
        for outcome in outcomes {
            let counter = match outcome.outcome {
                Verdict::Accepted => &self.counters.objects_accepted,
                Verdict::Duplicate => continue,
                Verdict::Conflict | Verdict::Refused => &self.counters.objects_refused,
            };
            counter.fetch_add(1, Relaxed);
        }
    }
}

fn decided(object: &Object, outcome: Outcome) -> ObjectOutcome {
    let (outcome, reason) = match outcome {
        Outcome::Accepted { .. } => (Verdict::Accepted, None),
        Outcome::Duplicate => (Verdict::Duplicate, None),
        Outcome::Conflict => (Verdict::Conflict, Some(CONFLICT.to_owned())),
    };
    let (id, version) = (object.head().id.to_string(), object.version().to_string());
    ObjectOutcome {
        id,
        version,
        outcome,
        reason,
    }
}

/// Why a bundle is not taken as one of the objects: those who read would have to open it.
fn nested(object: &Object) -> Option<String> {
    let bundle = *object.head().kind == *"bundle";
    bundle.then(|| "$.type: a bundle is not an object; send its objects themselves".to_owned())
}

const CONFLICT: &str = "you shared other content under this id and version before, or deleted it; \
     give the object a new \"modified\" time";

fn unreadable(error: &bundle::BundleError) -> Problem {
    use bundle::BundleError;
    let status = match error {
        BundleError::TooLong { .. } | BundleError::TooMany { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BundleError::NotJson(_) => StatusCode::BAD_REQUEST,
        BundleError::Id | BundleError::Neither => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::client(
        status,
        "not a bundle, an envelope or an object",
        error.to_string(),
    )
}

/// How the sender named an object that could not be read; only looked for when one is refused.
#[derive(Clone, Debug, Default)]
struct Named {
    id: String,
    version: String,
}

impl Named {
    fn all(bytes: &[u8]) -> Vec<Self> {
        let document: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        match document
            .get("objects")
            .and_then(|objects| objects.as_array())
        {
            Some(objects) => objects.iter().map(Self::of).collect(),
            None => vec![Self::of(&document)],
        }
    }

    fn of(object: &serde_json::Value) -> Self {
        const NAME_CHARS_MAX: usize = 256;
        let text = |key: &str| {
            let text = object
                .get(key)
                .and_then(|value| value.as_str())
                .unwrap_or_default();
            text.chars().take(NAME_CHARS_MAX).collect::<String>()
        };
        let version = match text("modified") {
            none if none.is_empty() => text("created"),
            modified => modified,
        };
        Self {
            id: text("id"),
            version,
        }
    }

    fn refused(self, reason: String) -> ObjectOutcome {
        let Self { id, version } = self;
        ObjectOutcome {
            id,
            version,
            outcome: Verdict::Refused,
            reason: Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_objects_keep_the_name_they_came_with() {
        let named = Named::all(br#"{"objects":[{"id":"odd","created":"c"},7,{"id":3}]}"#);
        assert_eq!(
            (named[0].id.as_str(), named[0].version.as_str()),
            ("odd", "c")
        );
        assert_eq!((named[1].id.as_str(), named[2].id.as_str()), ("", ""));
        assert_eq!(Named::all(br#"{"type":"x","id":"one"}"#)[0].id, "one");
    }
}
