//! Observed data: which objects were seen, how often, and when (STIX 2.1 section 4.14).

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::condition::Condition;
use super::path::Scope;
use super::{MatchError, MatchLimits, Steps};
use crate::pattern::literal::Moment;

/// Observations, borrowed from JSON documents.
#[derive(Debug, Default)]
pub struct Observations<'v> {
    all: Vec<Observed<'v>>,
    /// By what references are resolved: one for each bundle, and for each `objects` dictionary.
    scopes: Vec<Scope<'v>>,
}

#[derive(Debug)]
struct Observed<'v> {
    /// The objects that were seen, each once.
    objects: Vec<Seen<'v>>,
    sighting: Sighting,
}

#[derive(Debug)]
struct Seen<'v> {
    object: &'v Value,
    scope: usize,
}

/// How often and when an observation was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) times: u64,
    pub(super) first: Moment,
    /// Not before `first`.
    pub(super) last: Moment,
}

impl<'v> Observations<'v> {
    /// Takes the observations of documents: bundles with `observed-data` and what they refer to by
    /// `object_refs`, or `observed-data` that hold their `objects` themselves.
    ///
    /// # Errors
    /// [`MatchError::Data`], when one is neither, or says not how often and when it was seen.
    pub fn read(documents: &'v [Value]) -> Result<Self, MatchError> {
        let mut observations = Self::default();
        for document in documents {
            observations.take(document)?;
        }
        Ok(observations)
    }

    /// How many observations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn take(&mut self, document: &'v Value) -> Result<(), MatchError> {
        let own = [document];
        let objects: Vec<&'v Value> = match (kind(document), document.get("objects")) {
            ("bundle", Some(Value::Array(objects))) => objects.iter().collect(),
            ("bundle", _) => {
                let mend = "name its objects in an array `objects`";
                return Err(MatchError::data("a bundle holds no objects", mend));
            }
            ("observed-data", _) => own.to_vec(),
            _ => {
                let mend = "give bundles, or observed-data with its own objects";
                let what = "an observation is neither a bundle nor observed-data";
                return Err(MatchError::data(what, mend));
            }
        };
        let named = objects.iter().filter_map(|object| {
            let id = object.get("id")?.as_str()?;
            Some((id, *object))
        });
        let scope = self.scopes.len();
        self.scopes.push(named.collect());
        for object in objects {
            if kind(object) == "observed-data" {
                let observed = self.observed(object, scope)?;
                self.all.push(observed);
            }
        }
        Ok(())
    }

    fn observed(&mut self, object: &'v Value, scope: usize) -> Result<Observed<'v>, MatchError> {
        let (refs, own) = (object.get("object_refs"), object.get("objects"));
        let mut seen = Vec::new();
        if let Some(refs) = refs.and_then(Value::as_array) {
            let ids: BTreeSet<&str> = refs.iter().filter_map(Value::as_str).collect();
            let named = self.scopes.get(scope);
            let found = ids
                .into_iter()
                .filter_map(|id| named.and_then(|named| named.get(id)));
            seen.extend(found.map(|object| Seen { object, scope }));
        }
        if let Some(own) = own.and_then(Value::as_object) {
            let scope = self.scopes.len();
            self.scopes.push(by_key(own));
            seen.extend(own.values().map(|object| Seen { object, scope }));
        }
        let has =
            |list: Option<&Value>| list.is_some_and(|list| list.is_array() || list.is_object());
        if !has(refs) && !has(own) {
            let mend = "name what was seen in object_refs";
            return Err(broken(object, "has neither object_refs nor objects", mend));
        }
        Ok(Observed {
            objects: seen,
            sighting: sighting(object)?,
        })
    }

    pub(super) fn check(&self, limits: &MatchLimits) -> Result<(), MatchError> {
        match self.all.len() > limits.observations_max {
            true => Err(MatchError::Bound {
                what: "observations (observations_max)",
                max: u64::try_from(limits.observations_max).unwrap_or(u64::MAX),
            }),
            false => Ok(()),
        }
    }

    /// The numbers of the observations with an object that fulfils a condition, in order.
    pub(super) fn fitting(
        &self,
        condition: &Condition,
        steps: &mut Steps,
    ) -> Result<Vec<usize>, MatchError> {
        let mut fitting = Vec::new();
        let nothing = Scope::new();
        for (number, observed) in self.all.iter().enumerate() {
            // All are looked at, so that broken data are told whatever stands before them.
            let mut fits = false;
            for seen in &observed.objects {
                steps.take(1)?;
                let scope = self.scopes.get(seen.scope).unwrap_or(&nothing);
                fits |= condition.holds(seen.object, scope, steps)?;
            }
            if fits {
                fitting.push(number);
            }
        }
        Ok(fitting)
    }

    pub(super) fn sightings(&self) -> Vec<Sighting> {
        self.all.iter().map(|observed| observed.sighting).collect()
    }
}

fn by_key(objects: &Map<String, Value>) -> HashMap<&str, &Value> {
    objects
        .iter()
        .map(|(key, object)| (key.as_str(), object))
        .collect()
}

/// The type of an object, empty where it has none.
pub(super) fn kind(object: &Value) -> &str {
    object.get("type").and_then(Value::as_str).unwrap_or("")
}

fn sighting(object: &Value) -> Result<Sighting, MatchError> {
    let times = object.get("number_observed").and_then(Value::as_u64);
    let times = times.filter(|times| *times > 0).ok_or_else(|| {
        let mend = "say how often it was seen, a whole number from 1";
        broken(object, "has no legal number_observed", mend)
    })?;
    let time = |key: &str| {
        let text = object.get(key).and_then(Value::as_str);
        text.and_then(Moment::parse).ok_or_else(|| {
            let what = format!("has no legal {key}");
            broken(object, &what, "say when it was seen, YYYY-MM-DDThh:mm:ssZ")
        })
    };
    let (first, last) = (time("first_observed")?, time("last_observed")?);
    let last = last.max(first);
    Ok(Sighting { times, first, last })
}

fn broken(object: &Value, what: &str, mend: &'static str) -> MatchError {
    let id = object.get("id").and_then(Value::as_str);
    let id: String = id.unwrap_or("without id").chars().take(80).collect();
    MatchError::data(format!("observed-data {id} {what}"), mend)
}
