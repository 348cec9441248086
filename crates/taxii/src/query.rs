//! URL parameters of TAXII 2.1 requests (sections 3.4 and 3.5): filters, limit and cursor.

use crate::property::PropertyFilter;
use stix::{StixId, Timestamp};

/// Most values in one `match` parameter.
pub const MATCH_VALUES_MAX: usize = 64;
/// Most parameters in one request.
pub const PARAMETERS_MAX: usize = 32;

/// Parameters of a request for objects, a manifest or versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only what was added after this moment.
    pub added_after: Option<Timestamp>,
    /// Most objects wanted in a page.
    pub limit: Option<usize>,
    /// Cursor of the page before, as it was given.
    pub next: Option<String>,
    /// Only these identifiers; empty means all.
    pub ids: Vec<StixId>,
    /// Only these types; empty means all.
    pub kinds: Vec<String>,
    /// Only these versions; empty means the last.
    pub versions: Vec<VersionMatch>,
    /// Only these specification versions; empty means all.
    pub spec_versions: Vec<String>,
    /// Only what passes all of these.
    pub properties: Vec<PropertyFilter>,
}

/// One value of `match[version]` (section 3.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VersionMatch {
    /// The latest version of each object that the asker may see.
    Last,
    /// The earliest.
    First,
    /// Every one.
    All,
    /// The one of this moment.
    At(Timestamp),
}

/// Why parameters are refused (400); the fault is the asker's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A parameter that this server does not know: ignoring a filter would send too much.
    #[error("parameter {0} is not supported")]
    Unknown(String),
    /// A parameter given twice.
    #[error("parameter {0} is given more than once; separate values by commas")]
    Repeated(String),
    /// A value that cannot be read.
    #[error("parameter {name}: {value:?} is not {wanted}")]
    Value {
        /// Which parameter.
        name: &'static str,
        /// What it said, shortened.
        value: String,
        /// What was expected.
        wanted: &'static str,
    },
    /// More than [`PARAMETERS_MAX`] parameters or [`MATCH_VALUES_MAX`] values.
    #[error("more than {PARAMETERS_MAX} parameters or {MATCH_VALUES_MAX} values in one")]
    TooMany,
}

impl Query {
    /// Reads decoded parameters in the order of the URL.
    ///
    /// # Errors
    /// [`QueryError`] names the first parameter that is wrong.
    pub fn parse<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, QueryError> {
        let mut query = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in parameters {
            if seen.len() >= PARAMETERS_MAX {
                return Err(QueryError::TooMany);
            }
            if seen.contains(&name) {
                return Err(QueryError::Repeated(shorten(name)));
            }
            seen.push(name);
            query.take(name, value)?;
        }
        Ok(query)
    }

    /// Reads the parameters of a deletion, for which there are but two (section 5.7).
    ///
    /// # Errors
    /// As [`Query::parse`]; any other parameter is refused.
    pub fn parse_deletion<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, QueryError> {
        let parameters: Vec<(&str, &str)> = parameters.into_iter().collect();
        let known = |name: &str| matches!(name, "match[version]" | "match[spec_version]");
        match parameters.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(QueryError::Unknown(shorten(name))),
            None => Self::parse(parameters),
        }
    }

    /// The filters in one canonical text, for binding cursors to them; limit and cursor are no
    /// part of it.
    pub fn filters(&self) -> String {
        let after = self.added_after.map(|after| after.as_micros().to_string());
        let versions: Vec<String> = self.versions.iter().map(|v| format!("{v:?}")).collect();
        let properties = self.properties.iter().map(|filter| format!("{filter:?}"));
        let properties: Vec<String> = properties.collect();
        format!(
            "after={} id={} type={} version={} spec={} properties={}",
            after.unwrap_or_default(),
            sorted(self.ids.iter().map(StixId::as_str)),
            sorted(self.kinds.iter().map(String::as_str)),
            sorted(versions.iter().map(String::as_str)),
            sorted(self.spec_versions.iter().map(String::as_str)),
            sorted(properties.iter().map(String::as_str)),
        )
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), QueryError> {
        match name {
            "added_after" => self.added_after = Some(timestamp("added_after", value)?),
            "limit" => self.limit = Some(limit(value)?),
            "next" => self.next = Some(value.into()),
            "match[id]" => {
                self.ids = each(value, |id| {
                    StixId::parse(id).map_err(|_| wrong("match[id]", id, "a STIX identifier"))
                })?;
            }
            "match[type]" => self.kinds = each(value, |kind| Ok(kind.into()))?,
            "match[version]" => self.versions = each(value, version)?,
            "match[spec_version]" => self.spec_versions = each(value, |spec| Ok(spec.into()))?,
            _ => self.take_property(name, value)?,
        }
        Ok(())
    }
}

impl Query {
    fn take_property(&mut self, name: &str, value: &str) -> Result<(), QueryError> {
        let inner = name
            .strip_prefix("match[")
            .and_then(|rest| rest.strip_suffix(']'));
        let filter = inner.and_then(|inner| PropertyFilter::parse(inner, value));
        let filter = filter.ok_or_else(|| QueryError::Unknown(shorten(name)))?;
        if value.split(',').count() > MATCH_VALUES_MAX {
            return Err(QueryError::TooMany);
        }
        self.properties
            .push(filter.map_err(|wanted| QueryError::Value {
                name: "match[…-gte], match[…-lte]",
                value: shorten(value),
                wanted,
            })?);
        Ok(())
    }
}

fn each<T>(
    value: &str,
    read: impl Fn(&str) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    if value.split(',').count() > MATCH_VALUES_MAX {
        return Err(QueryError::TooMany);
    }
    value.split(',').map(|one| read(one.trim())).collect()
}

fn version(value: &str) -> Result<VersionMatch, QueryError> {
    Ok(match value {
        "last" => VersionMatch::Last,
        "first" => VersionMatch::First,
        "all" => VersionMatch::All,
        moment => VersionMatch::At(timestamp("match[version]", moment)?),
    })
}

fn limit(value: &str) -> Result<usize, QueryError> {
    match value.parse() {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(wrong("limit", value, "a number above 0")),
    }
}

fn timestamp(name: &'static str, value: &str) -> Result<Timestamp, QueryError> {
    Timestamp::parse(value).map_err(|_| wrong(name, value, "a time like 2026-01-31T12:00:00.000Z"))
}

fn wrong(name: &'static str, value: &str, wanted: &'static str) -> QueryError {
    QueryError::Value {
        name,
        value: shorten(value),
        wanted,
    }
}

fn shorten(value: &str) -> String {
    value.chars().take(64).collect()
}

fn sorted<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let mut values: Vec<&str> = values.collect();
    values.sort_unstable();
    values.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "indicator--00000000-0000-4000-8000-000000000001";

    #[test]
    fn every_parameter_is_read() {
        let query = Query::parse([
            ("added_after", "2026-01-31T12:00:00Z"),
            ("limit", "25"),
            ("next", "abc"),
            ("match[id]", ID),
            ("match[type]", "indicator,sighting"),
            ("match[version]", "first,2026-01-31T12:00:00.000Z"),
            ("match[spec_version]", "2.1"),
        ])
        .unwrap();
        let noon = Timestamp::parse("2026-01-31T12:00:00Z").unwrap();
        assert_eq!(query.added_after, Some(noon));
        assert_eq!(
            (query.limit, query.next.as_deref()),
            (Some(25), Some("abc"))
        );
        assert_eq!(query.ids[0].as_str(), ID);
        assert_eq!(query.kinds, ["indicator", "sighting"]);
        assert_eq!(
            query.versions,
            [VersionMatch::First, VersionMatch::At(noon)]
        );
        assert_eq!(query.spec_versions, ["2.1"]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        let error = |name, value| Query::parse([(name, value)]).unwrap_err().to_string();
        assert!(error("limit", "0").contains("limit"));
        assert!(error("limit", "-1").contains("limit"));
        assert!(error("match[id]", "x").contains("match[id]"));
        assert!(error("added_after", "yesterday").contains("added_after"));
        assert!(error("match[colour]", "red").contains("match[colour]"));
        let twice = Query::parse([("limit", "1"), ("limit", "2")]).unwrap_err();
        assert_eq!(twice, QueryError::Repeated("limit".into()));
        let many = "a,".repeat(MATCH_VALUES_MAX);
        assert_eq!(
            Query::parse([("match[type]", &*many)]),
            Err(QueryError::TooMany)
        );
    }

    #[test]
    fn a_deletion_takes_versions_alone() {
        let query = Query::parse_deletion([("match[version]", "all")]).unwrap();
        assert_eq!(query.versions, [VersionMatch::All]);
        for name in ["limit", "next", "added_after", "match[id]", "match[type]"] {
            let refused = Query::parse_deletion([(name, "x")]);
            assert_eq!(refused, Err(QueryError::Unknown(name.into())));
        }
    }

    #[test]
    fn filters_do_not_depend_on_order_nor_on_limit_and_cursor() {
        let one = Query::parse([("match[type]", "a,b"), ("limit", "3")]).unwrap();
        let two = Query::parse([("next", "x"), ("match[type]", "b,a")]).unwrap();
        let other = Query::parse([("match[type]", "a")]).unwrap();
        assert_eq!(one.filters(), two.filters());
        assert_ne!(one.filters(), other.filters());
        let named = |name| Query::parse([("match[name]", name)]).unwrap().filters();
        assert_ne!(named("a"), named("b"));
    }
}
