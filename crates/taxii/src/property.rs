//! Filters on properties of objects: the optional ones of the TAXII 2.1 interoperability document
//! (section 3.13.2) whose meaning is plain. Tier 1 compares a property, tier 2 looks for a value in a
//! list, calculations compare numbers and times. Tier 3 and relationships are not offered.

use serde_json::Value;
use stix::Timestamp;

/// Properties that are compared as they stand: text, whole numbers, truth.
const SCALARS: [&str; 22] = [
    "account_type",
    "confidence",
    "context",
    "data_type",
    "dst_port",
    "encryption_algorithm",
    "identity_class",
    "name",
    "number",
    "opinion",
    "pattern",
    "pattern_type",
    "primary_motivation",
    "region",
    "relationship_type",
    "resource_level",
    "result",
    "revoked",
    "src_port",
    "sophistication",
    "subject",
    "value",
];

/// Properties that are lists of text.
const LISTS: [&str; 17] = [
    "aliases",
    "architecture_execution_envs",
    "capabilities",
    "implementation_languages",
    "indicator_types",
    "infrastructure_types",
    "labels",
    "malware_types",
    "personal_motivations",
    "protocols",
    "report_types",
    "roles",
    "secondary_motivations",
    "sectors",
    "threat_actor_types",
    "threat_actor_roles",
    "tool_types",
];

/// Properties with an order: numbers.
const NUMBERS: [&str; 4] = ["confidence", "dst_port", "number", "src_port"];

/// Properties with an order: times.
const TIMES: [&str; 8] = [
    "created",
    "modified",
    "valid_from",
    "valid_until",
    "first_seen",
    "last_seen",
    "first_observed",
    "last_observed",
];

/// One filter: all of a request must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyFilter {
    property: &'static str,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// Any of these.
    Equals(Vec<String>),
    Number(Order, i64),
    Time(Order, Timestamp),
}

/// Both include the bound itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    AtLeast,
    AtMost,
}

impl PropertyFilter {
    /// Reads what stands between the brackets of `match[…]`, and its values. None for a property
    /// that is not filtered by; `Err` says what the value should be.
    pub(crate) fn parse(name: &str, value: &str) -> Option<Result<Self, &'static str>> {
        if let Some(property) = of(&SCALARS, name).or_else(|| of(&LISTS, name)) {
            let values = value.split(',').map(|value| value.trim().to_owned());
            let test = Test::Equals(values.collect());
            return Some(Ok(Self { property, test }));
        }
        let (order, name) = match name.strip_suffix("-gte") {
            Some(name) => (Order::AtLeast, name),
            None => (Order::AtMost, name.strip_suffix("-lte")?),
        };
        let with = |property, test: Option<Test>, wanted| match test {
            Some(test) => Ok(Self { property, test }),
            None => Err(wanted),
        };
        if let Some(property) = of(&NUMBERS, name) {
            let number = value.parse().ok().map(|bound| Test::Number(order, bound));
            return Some(with(property, number, "one whole number"));
        }
        let property = of(&TIMES, name)?;
        let time = Timestamp::parse(value).ok();
        let time = time.map(|bound| Test::Time(order, bound));
        Some(with(
            property,
            time,
            "one time like 2026-01-31T12:00:00.000Z",
        ))
    }

    /// Whether an object passes. One without the property does not; but absent, `revoked` is false.
    pub fn admits(&self, object: &Value) -> bool {
        let value = object.get(self.property);
        match (&self.test, value) {
            (Test::Equals(wanted), Some(value)) => wanted.iter().any(|one| equals(value, one)),
            (Test::Equals(wanted), None) => {
                self.property == "revoked" && wanted.iter().any(|one| one == "false")
            }
            (Test::Number(order, bound), Some(value)) => value
                .as_i64()
                .is_some_and(|value| order.holds(&value, bound)),
            (Test::Time(order, bound), Some(value)) => value
                .as_str()
                .and_then(|text| Timestamp::parse(text).ok())
                .is_some_and(|value| order.holds(&value, bound)),
            (Test::Number(..) | Test::Time(..), None) => false,
        }
    }
}

impl Order {
    fn holds<T: Ord>(self, value: &T, bound: &T) -> bool {
        match self {
            Self::AtLeast => value >= bound,
            Self::AtMost => value <= bound,
        }
    }
}

fn equals(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Number(number) => {
            number.as_i64().is_some() && number.as_i64() == wanted.parse().ok()
        }
        Value::Bool(truth) => wanted.parse() == Ok(*truth),
        Value::Array(items) => items.iter().any(|item| item.as_str() == Some(wanted)),
        Value::Null | Value::Object(_) => false,
    }
}

fn of(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.iter().copied().find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn admits(name: &str, value: &str) -> bool {
        let object = json!({
            "type": "indicator", "name": "a name", "confidence": 70, "labels": ["x", "y"],
            "valid_until": "2026-03-01T00:00:00Z", "pattern": {"odd": 1},
        });
        let filter = PropertyFilter::parse(name, value).unwrap().unwrap();
        filter.admits(&object)
    }

    #[test]
    fn equality_by_the_kind_of_the_property() {
        assert!(admits("name", "another,a name"));
        assert!(!admits("name", "a nam"));
        assert!(admits("confidence", "70"));
        assert!(!admits("confidence", "7"));
        assert!(admits("labels", "z,y"));
        assert!(!admits("labels", "x y"));
        assert!(!admits("pattern", "1"), "not what it should be");
        assert!(!admits("value", "x"), "absent");
        assert!(admits("revoked", "false"));
        assert!(!admits("revoked", "true"));
    }

    #[test]
    fn order_includes_its_bound() {
        for (name, value, expected) in [
            ("confidence-gte", "70", true),
            ("confidence-gte", "71", false),
            ("confidence-lte", "70", true),
            ("confidence-lte", "69", false),
            ("valid_until-gte", "2026-03-01T00:00:00Z", true),
            ("valid_until-lte", "2026-02-28T23:59:59.999999Z", false),
            ("modified-gte", "2026-01-01T00:00:00Z", false),
        ] {
            assert_eq!(admits(name, value), expected, "{name} {value}");
        }
    }

    #[test]
    fn what_is_not_offered_is_not_read() {
        for name in ["colour", "tlp", "relationships-all", "name-gte", "-gte", ""] {
            assert_eq!(PropertyFilter::parse(name, "x"), None, "{name}");
        }
        assert!(
            PropertyFilter::parse("confidence-gte", "1,2")
                .unwrap()
                .is_err()
        );
        assert!(
            PropertyFilter::parse("modified-lte", "now")
                .unwrap()
                .is_err()
        );
    }
}
