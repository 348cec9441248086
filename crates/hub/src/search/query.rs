//! URL parameters of a search.

use crate::reply::Problem;
use axum::extract::Query as UrlQuery;
use axum::http::Uri;
use exchange::search::{WANTED_MAX, WantedError};
use exchange::{Search, Wanted};
use stix::{StixId, Timestamp};

/// Longest value of a parameter, in bytes.
const VALUE_BYTES_MAX: usize = 8192;
/// Most parameters of one request.
const PARAMETERS_MAX: usize = 32;

/// What a request asks for.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) search: Search,
    /// Most results wanted in a page.
    pub(super) limit: Option<usize>,
    /// Cursor of the page before, as it was given.
    pub(super) next: Option<String>,
    /// Whether the other sources of each indicator are wanted.
    pub(super) sources: bool,
    /// The object whose relations are asked for.
    pub(super) id: Option<StixId>,
    /// What cursors are bound to: the conditions in one order.
    pub(super) filters: String,
}

/// Times that a request names, until both ends are known.
#[derive(Default)]
struct Times {
    created: [Option<Timestamp>; 2],
    modified: [Option<Timestamp>; 2],
}

impl Query {
    /// Reads the parameters of a search; it has at least one condition.
    pub(super) fn parse(uri: &Uri) -> Result<Self, Problem> {
        let query = Self::read(uri, Self::condition)?;
        let timed = query.search.added_after.or(query.search.added_before);
        match query.search.wanted.is_empty() && timed.is_none() {
            true => Err(Problem::bad_request(
                "a search names at least one condition, for example value=192.0.2.7",
            )),
            false => Ok(query),
        }
    }

    /// Reads the parameters of a request for the relations of one object.
    pub(super) fn parse_related(uri: &Uri) -> Result<(StixId, Self), Problem> {
        let mut query = Self::read(uri, |query, name, value, _| match name {
            "id" => {
                query.id = Some(id(name, value)?);
                Ok(true)
            }
            _ => Ok(false),
        })?;
        let id = query.id.take();
        let id = id.ok_or_else(|| Problem::bad_request("id: name an object by its identifier"))?;
        query.search.wanted = vec![Wanted::referring_to(&id)];
        Ok((id, query))
    }

    fn read(
        uri: &Uri,
        condition: fn(&mut Self, &str, &str, &mut Times) -> Result<bool, Problem>,
    ) -> Result<Self, Problem> {
        let UrlQuery(mut pairs) = UrlQuery::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Problem::bad_request(error.to_string()))?;
        if pairs.len() > PARAMETERS_MAX {
            let what = format!("more than {PARAMETERS_MAX} parameters");
            return Err(Problem::bad_request(what));
        }
        pairs.sort_unstable();
        let (mut query, mut times) = (Self::default(), Times::default());
        let mut before = "";
        for (name, value) in &pairs {
            if name == before && !matches!(name.as_str(), "label" | "technique") {
                let what = format!("{name}: it is given more than once");
                return Err(Problem::bad_request(what));
            }
            before = name;
            if value.len() > VALUE_BYTES_MAX {
                let what = format!("{name}: more than {VALUE_BYTES_MAX} bytes");
                return Err(Problem::bad_request(what));
            }
            if query.plain(name, value)? {
                continue;
            }
            if !condition(&mut query, name, value, &mut times)? {
                let shown: String = name.chars().take(80).collect();
                let what = format!("parameter {shown:?} is not supported");
                return Err(Problem::bad_request(what));
            }
            query.filters.push_str(&format!("{name}={value:?}&"));
        }
        query.dated(&times);
        if query.search.wanted.len() > WANTED_MAX {
            let what = format!("more than {WANTED_MAX} conditions");
            return Err(Problem::bad_request(what));
        }
        Ok(query)
    }

    /// Takes what is no condition; whether it is.
    fn plain(&mut self, name: &str, value: &str) -> Result<bool, Problem> {
        match name {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| *limit > 0);
                self.limit = Some(limit.ok_or_else(|| wrong(name, "a number above 0"))?);
            }
            "next" => self.next = Some(value.to_owned()),
            "sources" => {
                let wanted = value.parse();
                self.sources = wanted.map_err(|_| wrong(name, "true or false"))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes a condition; false when there is none of that name.
    fn condition(&mut self, name: &str, value: &str, times: &mut Times) -> Result<bool, Problem> {
        let refused = |error: WantedError| Problem::bad_request(format!("{name}: {error}"));
        let wanted = match name {
            "type" => Wanted::kind(value),
            "source" => Wanted::source(value),
            "label" => Wanted::label(value),
            "marking" => Wanted::marking(value),
            "technique" => Wanted::technique(value),
            "value" => Wanted::value(value).map_err(refused)?,
            "prefix" => Wanted::prefix(value).map_err(refused)?,
            "under" => Wanted::under(value).map_err(refused)?,
            "in" => Wanted::inside(value).map_err(refused)?,
            "covers" => Wanted::covering(value).map_err(refused)?,
            "pattern" => Wanted::pattern(value).map_err(refused)?,
            "refers_to" => Wanted::referring_to(&id(name, value)?),
            _ => return self.time(name, value, times),
        };
        self.search.wanted.push(wanted);
        Ok(true)
    }

    fn time(&mut self, name: &str, value: &str, times: &mut Times) -> Result<bool, Problem> {
        let [created_after, created_before] = &mut times.created;
        let [modified_after, modified_before] = &mut times.modified;
        let slot = match name {
            "added_after" => &mut self.search.added_after,
            "added_before" => &mut self.search.added_before,
            "created_after" => created_after,
            "created_before" => created_before,
            "modified_after" => modified_after,
            "modified_before" => modified_before,
            _ => return Ok(false),
        };
        let time = Timestamp::parse(value);
        *slot = Some(time.map_err(|_| wrong(name, "a time such as 2026-11-22T02:00:00Z"))?);
        Ok(true)
    }

    fn dated(&mut self, times: &Times) {
        let [after, before] = times.created;
        if after.or(before).is_some() {
            self.search.wanted.push(Wanted::created(after, before));
        }
        let [after, before] = times.modified;
        if after.or(before).is_some() {
            self.search.wanted.push(Wanted::modified(after, before));
        }
    }
}

fn id(name: &str, value: &str) -> Result<StixId, Problem> {
    let id = StixId::parse(value);
    id.map_err(|_| Problem::bad_request(format!("{name}: {}", WantedError::NotId)))
}

fn wrong(name: &str, wanted: &str) -> Problem {
    Problem::bad_request(format!("{name}: it is not {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Query, String> {
        let uri: Uri = format!("/exchange/v1/search?{text}").parse().unwrap();
        Query::parse(&uri).map_err(|problem| problem.to_string())
    }

    #[test]
    fn conditions_bind_a_cursor_and_the_rest_does_not() {
        let one = query("type=indicator&value=a.example&limit=5").unwrap();
        let other = query("value=a.example&next=x&type=indicator&sources=true").unwrap();
        assert_eq!(one.filters, other.filters);
        assert_eq!(one.search, other.search);
        assert_eq!((one.limit, other.sources), (Some(5), true));
        assert_ne!(query("value=b.example").unwrap().filters, one.filters);
        let two = query(
            "label=a&label=b&created_after=2026-01-01T00:00:00Z&created_before=2026-01-02T00:00:00Z",
        );
        assert_eq!(two.unwrap().search.wanted.len(), 3);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, said) in [
            ("", "at least one condition"),
            ("limit=5", "at least one condition"),
            ("colour=red", "\"colour\" is not supported"),
            ("type=a&type=b", "type: it is given more than once"),
            ("value=", "value: it is empty"),
            ("in=x", "in: it is not an address or a network"),
            ("under=192.0.2.1", "under: it is not a domain name"),
            ("pattern=x", "pattern: it is not a STIX pattern"),
            ("refers_to=x", "refers_to: it is not an identifier"),
            ("added_after=now", "added_after: it is not a time"),
            ("type=a&limit=0", "limit: it is not a number above 0"),
            ("type=a&sources=1", "sources: it is not true or false"),
        ] {
            let error = query(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
