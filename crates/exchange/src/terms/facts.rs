//! Reading the terms of an object.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use stix::pattern::{self, Compared, Expression};
use stix::{Object, StixId, Timestamp, Tlp, canonical};

use super::{DayOf, Key, Kind, TERMS_MAX, Term, email, hash};

/// What an object can be found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) terms: Vec<Term>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) modified: Option<Timestamp>,
}

impl Facts {
    /// Of an object that this partner shared.
    pub(crate) fn of(object: &Object, source: &str) -> Self {
        let head = object.head();
        let mut terms = vec![
            Term::Any,
            Term::Text(Kind::Type, head.kind.clone()),
            Term::Text(Kind::Source, source.into()),
        ];
        let day = |of, at: Option<Timestamp>| at.map(|at| Term::Day(of, day_of(at)));
        terms.extend(day(DayOf::Created, head.created));
        terms.extend(day(DayOf::Modified, head.modified));
        terms.extend(head.markings.iter().map(marking));
        let first = terms.len();
        if let Some(raw) = &head.pattern {
            terms.extend(PatternTerms::of(&raw.pattern_type, &raw.pattern).indexed());
        }
        let values = first..terms.len();
        if let Some(lease) = &head.lease {
            terms.extend(enforced(lease.selector.term()));
        }
        for (key, value) in members(object.raw(), is_read) {
            let values = terms.get(values.clone()).unwrap_or_default();
            if &*key == "name" && value.as_str().is_some_and(|name| repeats(name, values)) {
                continue;
            }
            member(&head.kind, &key, &value, &mut terms);
        }
        terms.truncate(TERMS_MAX);
        Self {
            terms,
            created: head.created,
            modified: head.modified,
        }
    }

    /// The keys of its terms, in order.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.terms.iter().map(Term::key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// The day that a moment is on.
pub(crate) fn day_of(at: Timestamp) -> i32 {
    const DAY_US: i64 = 86_400_000_000;
    let day = at.as_micros().div_euclid(DAY_US);
    i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX })
}

/// A marking by what it says: a TLP label of either version has one name.
pub(crate) fn marking(id: &StixId) -> Term {
    let name = Tlp::from_marking(id).map_or(id.as_str(), |tlp| tlp.name());
    Term::Text(Kind::Marking, name.into())
}

/// A technique or a phase in the form that it is found by, whoever writes it.
pub(crate) fn technique(text: &str) -> Term {
    let text = match text.contains('/') {
        true => text.to_lowercase(),
        false => text.to_uppercase(),
    };
    Term::Text(Kind::Technique, text.into())
}

/// What a pattern can be found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatternTerms<'a> {
    language: &'a str,
    text: &'a str,
    /// The values that it names, each once.
    values: Vec<Term>,
}

impl<'a> PatternTerms<'a> {
    pub(crate) fn of(language: &'a str, text: &'a str) -> Self {
        let expression = (language == "stix").then(|| Expression::parse(text));
        let mut values: Vec<Term> = match &expression {
            Some(Ok(expression)) => expression.compared().iter().filter_map(compared).collect(),
            Some(Err(_)) | None => Vec::new(),
        };
        values.sort_unstable();
        values.dedup();
        Self {
            language,
            text,
            values,
        }
    }

    /// What tells it from other patterns; equal for patterns that say the same.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        if self.language == "stix"
            && let Ok(expression) = Expression::parse(self.text)
        {
            return expression.fingerprint();
        }
        let text = [self.language, self.text].join("\0");
        let digest = digest(&SHA256, text.as_bytes());
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }

    /// The one term that it and all that say the same have. Nearly every pattern names one value,
    /// which leads to it as well as a fingerprint that would have to be kept beside.
    pub(crate) fn common(&self) -> Term {
        match self.values.as_slice() {
            [only] => only.clone(),
            _ => Term::Pattern(self.fingerprint()),
        }
    }

    /// All its terms.
    fn indexed(self) -> impl Iterator<Item = Term> {
        let common = self.common();
        let values = self.values.into_iter();
        values.chain(Some(common).filter(|term| matches!(term, Term::Pattern(_))))
    }
}

/// A constant of a pattern; none where it describes no value of its own.
fn compared(compared: &Compared<'_>) -> Option<Term> {
    match compared.keys.last() {
        Some(&"type" | &"protocols") | None => None,
        Some(last) => {
            let hashes = compared.keys.contains(&"hashes");
            value(compared.object, last, hashes, compared.value)
        }
    }
}

/// The value of a property of an observable of this type.
fn value(object: &str, key: &str, hashes: bool, text: &str) -> Option<Term> {
    let net = || canonical::network(text).map(Term::Net);
    let domain = || canonical::domain(text).map(|name| Term::Text(Kind::Domain, name));
    let url = || canonical::url(text).map(|url| Term::Text(Kind::Url, url));
    let known = match (object, key) {
        _ if hashes => hash(text),
        ("ipv4-addr" | "ipv6-addr", "value") => net(),
        ("domain-name", "value") => domain(),
        ("url", "value") | ("artifact", "url") => url(),
        ("email-addr" | "email-message", "value") => email(text),
        ("network-traffic", "value") => net().or_else(domain),
        _ => None,
    };
    known.or_else(|| other(text))
}

fn other(text: &str) -> Option<Term> {
    let text = text.trim();
    (!text.is_empty()).then(|| Term::Text(Kind::Other, text.to_lowercase().into()))
}

/// What a lease is for.
fn enforced(term: pattern::Term) -> Vec<Term> {
    let text = |kind, text| vec![Term::Text(kind, text)];
    match term {
        pattern::Term::Address(net) => vec![Term::Net(net)],
        pattern::Term::Domain(name) => text(Kind::Domain, name),
        pattern::Term::Url(url) => text(Kind::Url, url),
        pattern::Term::FileHash { value, .. } => text(Kind::Hash, value),
        pattern::Term::Ja3(value) | pattern::Term::Ja4(value) => text(Kind::Other, value),
        pattern::Term::Traffic { src, dst, .. } => {
            src.into_iter().chain(dst).map(Term::Net).collect()
        }
    }
}

/// Whether the name of an indicator holds a value of its pattern, as most do: it is found by that value,
/// and a row of the index for each such name would lead nowhere else.
fn repeats(name: &str, values: &[Term]) -> bool {
    let name = name.to_lowercase();
    values.iter().any(|value| match value {
        Term::Text(_, text) => name.contains(&**text),
        Term::Net(net) if net.prefix_len() == net.max_prefix_len() => {
            name.contains(&net.addr().to_string())
        }
        Term::Net(net) => name.contains(&net.to_string()),
        Term::Any | Term::Day(..) | Term::Refers(_) | Term::Pattern(_) => false,
    })
}

/// Whether a property says something that objects are found by.
fn is_read(key: &str) -> bool {
    match key {
        "labels" | "external_references" | "kill_chain_phases" => true,
        "name" | "aliases" | "value" | "hashes" | "key" | "command_line" | "url" => true,
        "path" | "account_login" | "user_id" | "serial_number" => true,
        _ => is_reference(key),
    }
}

fn is_reference(key: &str) -> bool {
    (key.ends_with("_ref") || key.ends_with("_refs")) && key != "object_marking_refs"
}

fn member(kind: &str, key: &str, value: &Value, terms: &mut Vec<Term>) {
    match key {
        "labels" => terms.extend(texts(value).map(|label| Term::Text(Kind::Label, label.into()))),
        "external_references" => list(value).for_each(|one| external(one, terms)),
        "kill_chain_phases" => terms.extend(list(value).filter_map(phase)),
        "hashes" => {
            let digests = value.as_object().into_iter().flat_map(|all| all.values());
            let digests = digests.filter_map(Value::as_str);
            terms.extend(digests.filter_map(|text| self::value(kind, key, true, text)));
        }
        _ if is_reference(key) => {
            let ids = texts(value).filter_map(|text| StixId::parse(text).ok());
            terms.extend(ids.map(Term::Refers));
        }
        _ => terms.extend(texts(value).filter_map(|text| self::value(kind, key, false, text))),
    }
}

/// A reference to another catalogue: of a technique also that of which it is a part.
fn external(reference: &Value, terms: &mut Vec<Term>) {
    let Some(id) = reference.get("external_id").and_then(Value::as_str) else {
        return;
    };
    let Some(whole) = of_technique(id) else {
        terms.extend(other(id));
        return;
    };
    terms.push(technique(id));
    if whole.len() < id.len() {
        terms.push(technique(whole));
    }
}

/// The technique that an identifier of ATT&CK or ATLAS names, without the part after its point;
/// none of what is no such identifier.
fn of_technique(id: &str) -> Option<&str> {
    let start = id
        .get(..4)
        .filter(|start| start.eq_ignore_ascii_case("aml."));
    let bare = id.get(start.map_or(0, str::len)..)?;
    let number = bare.strip_prefix(['T', 't'])?;
    let (number, part) = number.split_once('.').unwrap_or((number, "000"));
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let length = id.len().checked_sub(bare.len())?.checked_add(5)?;
    (digits(number, 4) && digits(part, 3)).then(|| id.get(..length))?
}

fn phase(phase: &Value) -> Option<Term> {
    let text = |key| phase.get(key).and_then(Value::as_str);
    let (chain, name) = (text("kill_chain_name")?, text("phase_name")?);
    Some(technique(&format!("{chain}/{name}")))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text, or each text of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_str()
        .into_iter()
        .chain(list(value).filter_map(Value::as_str))
}

/// What tells a pattern in its language (`pattern_type`) from others: equal for patterns that say the
/// same, as far as that is known of the language.
#[must_use]
pub fn fingerprint(language: &str, pattern: &str) -> [u8; 32] {
    PatternTerms::of(language, pattern).fingerprint()
}

/// The objects that an object refers to, each with the property that does; markings apart.
pub fn references(raw: &[u8]) -> Vec<(String, StixId)> {
    let mut found = Vec::new();
    for (key, value) in members(raw, is_reference) {
        let ids = texts(&value).filter_map(|text| StixId::parse(text).ok());
        found.extend(ids.map(|id| (key.to_string(), id)));
    }
    found
}

/// The properties of an object that are wanted; the others are passed over unread.
fn members(raw: &[u8], wanted: impl Fn(&str) -> bool) -> Vec<(Box<str>, Value)> {
    let mut reader = serde_json::Deserializer::from_slice(raw);
    let read = serde::Deserializer::deserialize_map(&mut reader, Members(&wanted));
    read.unwrap_or_default()
}

struct Members<'a>(&'a dyn Fn(&str) -> bool);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Vec<(Box<str>, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(key) = members.next_key_seed(Wanted(self.0))? {
            match key {
                Some(key) => found.push((key, members.next_value()?)),
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// A key, if it is wanted.
struct Wanted<'a>(&'a dyn Fn(&str) -> bool);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Option<Box<str>>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Wanted<'_> {
    type Value = Option<Box<str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok((self.0)(key).then(|| key.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stix::Limits;

    fn terms(kind: &str, rest: &str) -> Vec<String> {
        let id = StixId::v5(kind, "x");
        let raw = format!(
            r#"{{"type":"{kind}","spec_version":"2.1","id":"{id}","created":"2026-01-02T00:00:00Z","modified":"2026-01-02T00:00:00Z"{rest}}}"#
        );
        let object = Object::parse(raw.as_bytes(), &Limits::default()).unwrap();
        let name = |term: &Term| match term {
            Term::Net(net) => net.to_string(),
            Term::Text(kind, text) => format!("{kind:?} {text}"),
            Term::Refers(id) => format!("-> {id}"),
            Term::Day(of, day) => format!("{of:?} {day}"),
            Term::Pattern(_) => "Pattern".to_owned(),
            Term::Any => "Any".to_owned(),
        };
        let always = ["Any", "Created 20455", "Modified 20455"];
        let facts = Facts::of(&object, "alpha");
        let names = facts.terms.iter().map(name);
        names
            .filter(|name| !always.contains(&name.as_str()))
            .skip(2)
            .collect()
    }

    fn indicator(pattern: &str, rest: &str) -> Vec<String> {
        let rest = format!(
            r#","pattern":"{pattern}","pattern_type":"stix","valid_from":"2026-01-02T00:00:00Z"{rest}"#
        );
        terms("indicator", &rest)
    }

    #[test]
    fn a_pattern_gives_its_values_and_its_fingerprint_where_it_needs_one() {
        let one = indicator("[ipv4-addr:value = '192.0.2.0/24']", "");
        assert_eq!(one, ["192.0.2.0/24"]);
        let two = indicator(
            "[url:value = 'HTTP://a.example' OR file:hashes.md5 = 'D41D8CD98F00B204E9800998ECF8427E']",
            "",
        );
        let md5 = "Hash d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(two, ["Url http://a.example/", md5, "Pattern"]);
        assert_eq!(indicator("[process:pid = 5]", ""), ["Pattern"]);
        let traffic = "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:protocols[*] = 'tcp']";
        assert_eq!(indicator(traffic, ""), ["192.0.2.1/32"]);
    }

    #[test]
    fn a_name_is_a_term_unless_it_holds_a_value_of_the_pattern() {
        for (pattern, name, found) in [
            (
                "[ipv4-addr:value = '192.0.2.1']",
                "Scanner 192.0.2.1",
                false,
            ),
            (
                "[ipv4-addr:value = '192.0.2.0/24']",
                "Scanner 192.0.2.1",
                true,
            ),
            (
                "[domain-name:value = 'A.example']",
                "a.EXAMPLE is bad",
                false,
            ),
            (
                "[domain-name:value = 'A.example']",
                "Operation Winter",
                true,
            ),
        ] {
            let terms = indicator(pattern, &format!(r#","name":"{name}""#));
            let name = format!("Other {}", name.to_lowercase());
            assert_eq!(terms.contains(&name), found, "{terms:?}");
        }
    }

    #[test]
    fn labels_techniques_phases_markings_and_references_are_terms() {
        let id = StixId::v5("identity", "a");
        let rest = format!(
            r#","created_by_ref":"{id}","object_marking_refs":["{}"],"labels":["scan"],
            "external_references":[{{"source_name":"mitre-attack","external_id":"T1059.001"}},
              {{"source_name":"mitre-atlas","external_id":"AML.T0043"}},{{"source_name":"cve","external_id":"CVE-2026-1"}}],
            "kill_chain_phases":[{{"kill_chain_name":"mitre-attack","phase_name":"Execution"}}]"#,
            Tlp::Green.marking_id()
        );
        let found = indicator("[domain-name:value = 'A.example']", &rest);
        let want = [
            "Marking TLP:GREEN",
            "Domain a.example",
            &format!("-> {id}"),
            "Label scan",
            "Technique T1059.001",
            "Technique T1059",
            "Technique AML.T0043",
            "Other cve-2026-1",
            "Technique mitre-attack/execution",
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn names_and_values_of_other_types_are_terms() {
        let malware = terms(
            "malware",
            r#","name":"Evil","aliases":["Bad One"],"is_family":true"#,
        );
        assert_eq!(malware, ["Other evil", "Other bad one"]);
        assert_eq!(
            terms("email-addr", r#","value":"A@b.example""#),
            ["Email a@b.example"]
        );
        let file = terms(
            "file",
            r#","name":"a.exe","hashes":{"MD5":"d41d8cd98f00b204e9800998ecf8427e"}"#,
        );
        assert_eq!(
            file,
            ["Other a.exe", "Hash d41d8cd98f00b204e9800998ecf8427e"]
        );
    }

    #[test]
    fn patterns_that_say_the_same_have_one_common_term_and_fingerprint() {
        let same = [
            (
                "[ipv4-addr:value = '192.0.2.1']",
                "[ipv4-addr:value=='192.0.2.1/32']",
            ),
            (
                "[domain-name:value = 'a.example' OR domain-name:value = 'B.example']",
                "[domain-name:value IN ('b.example', 'A.EXAMPLE')]",
            ),
        ];
        for (one, other) in same {
            let (one, other) = (
                PatternTerms::of("stix", one),
                PatternTerms::of("stix", other),
            );
            assert_eq!(one.common(), other.common());
            assert_eq!(one.fingerprint(), other.fingerprint());
        }
        let rule = PatternTerms::of("suricata", "alert tcp any any -> any any (sid:1;)");
        assert_eq!(rule.common(), Term::Pattern(rule.fingerprint()));
        assert_ne!(
            rule.fingerprint(),
            PatternTerms::of("snort", rule.text).fingerprint()
        );
    }

    #[test]
    fn techniques_are_told_from_other_identifiers() {
        for (id, whole) in [
            ("T1059", Some("T1059")),
            ("t1059.001", Some("t1059")),
            ("AML.T0043.002", Some("AML.T0043")),
            ("TA0002", None),
            ("T105", None),
            ("T1059.1", None),
            ("CVE-2026-1", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(of_technique(id), whole, "{id}");
        }
    }
}
