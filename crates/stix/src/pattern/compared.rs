//! The constants that a pattern names: what it can be found by.

use super::lexer::Constant;
use super::tree::{Comparison, Observation, Relation, Step, Test};

/// A string that a pattern wants a property to equal, or a network that it wants an address to be
/// in. What must not be there, and what is only described (`LIKE`, `MATCHES`), is not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared<'a> {
    /// The type of the object, for example `ipv4-addr`.
    pub object: &'a str,
    /// The keys of the path in order, without its indexes.
    pub keys: Vec<&'a str>,
    /// The string, as it stands in the pattern, without quotes and escapes.
    pub value: &'a str,
}

/// Every such constant, in the order of the text.
pub(super) fn of<'a>(observation: &'a Observation<'_>) -> Vec<Compared<'a>> {
    let mut found = Vec::new();
    observed(observation, &mut found);
    found
}

fn observed<'a>(observation: &'a Observation<'_>, found: &mut Vec<Compared<'a>>) {
    match observation {
        Observation::Test(comparison) => compared(comparison, found),
        Observation::Joined { parts, .. } => parts.iter().for_each(|part| observed(part, found)),
        Observation::Qualified { inner, .. } => observed(inner, found),
    }
}

fn compared<'a>(comparison: &'a Comparison<'_>, found: &mut Vec<Compared<'a>>) {
    match comparison {
        Comparison::Or(parts) | Comparison::And { parts, .. } => {
            parts.iter().for_each(|part| compared(part, found));
        }
        Comparison::Test(test) => tested(test, found),
    }
}

fn tested<'a>(test: &'a Test<'_>, found: &mut Vec<Compared<'a>>) {
    let wanted = match test.relation {
        Relation::Equal | Relation::In | Relation::Subset => test.not.is_none(),
        Relation::Unequal => test.not.is_some(),
        Relation::Less | Relation::AtMost | Relation::Greater | Relation::AtLeast => false,
        Relation::Like | Relation::Matches | Relation::Superset | Relation::Exists => false,
    };
    if !wanted {
        return;
    }
    let key = |step: &'a Step<'_>| match step {
        Step::Key(key) => Some(key.as_ref()),
        Step::Any | Step::Index(_) => None,
    };
    let keys: Vec<&str> = test.path.steps.iter().filter_map(key).collect();
    let texts = test.operands.iter();
    let texts = texts.filter(|operand| operand.constant == Constant::Text);
    found.extend(texts.map(|operand| Compared {
        object: test.path.object,
        keys: keys.clone(),
        value: &operand.value,
    }));
}

#[cfg(test)]
mod tests {
    use crate::pattern::Expression;

    fn values(pattern: &str) -> Vec<String> {
        let expression = Expression::parse(pattern).unwrap();
        let compared = expression.compared();
        let text = |one: &super::Compared<'_>| {
            format!("{}:{}={}", one.object, one.keys.join("."), one.value)
        };
        compared.iter().map(text).collect()
    }

    #[test]
    fn what_is_wanted_is_named_and_what_is_not_is_not() {
        let cases: [(&str, &[&str]); 6] = [
            (
                "[ipv4-addr:value = '192.0.2.1' OR domain-name:value IN ('a.example', 'b.example')]",
                &[
                    "ipv4-addr:value=192.0.2.1",
                    "domain-name:value=a.example",
                    "domain-name:value=b.example",
                ],
            ),
            (
                "[ipv4-addr:value ISSUBSET '192.0.2.0/24'] FOLLOWEDBY ([url:value = 'http://a/'] WITHIN 5 SECONDS)",
                &["ipv4-addr:value=192.0.2.0/24", "url:value=http://a/"],
            ),
            (
                "[file:hashes.'SHA-256' = 'aa' AND file:name = 'it\\'s']",
                &["file:hashes.SHA-256=aa", "file:name=it's"],
            ),
            (
                "[email-message:to_refs[*].value = 'a@b.example']",
                &["email-message:to_refs.value=a@b.example"],
            ),
            (
                "[ipv4-addr:value != '192.0.2.1' AND ipv4-addr:value NOT = '192.0.2.2']",
                &[],
            ),
            ("[file:name LIKE 'a%' AND file:size = 5]", &[]),
        ];
        for (pattern, want) in cases {
            assert_eq!(values(pattern), want, "{pattern}");
        }
    }
}
