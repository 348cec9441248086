//! What is in force among objects, merged by value.

use std::collections::BTreeMap;
use std::fmt;

use stix::{Object, StixId, Timestamp, Tlp, pattern};

use crate::value::{Kind, Value};

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only these kinds; empty: all.
    pub kinds: Vec<Kind>,
    /// Only indicators that are at least so sure; one that does not say is not.
    pub confidence_min: Option<u8>,
    /// Whether TLP:RED, TLP:AMBER+STRICT and markings that are not known may leave.
    pub restricted: bool,
    /// Now.
    pub now: Timestamp,
}

/// A value to look for, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How sure its surest source is.
    pub confidence: Option<u8>,
    /// From when on it holds.
    pub from: Option<Timestamp>,
    /// Until when it holds at the longest; `None` has no end.
    pub until: Option<Timestamp>,
    /// The mildest marking of those who say it: a fact is as public as its most public source.
    pub tlp: Tlp,
    /// An indicator that says it.
    pub id: StixId,
    /// The name of that indicator.
    pub name: Box<str>,
}

/// What was left out, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Marked TLP:RED or TLP:AMBER+STRICT, or with a marking that is not known.
    pub restricted: usize,
    /// Taken back, over, or not begun.
    pub over: usize,
    /// Not sure enough.
    pub unsure: usize,
    /// Of other kinds than were asked for.
    pub other_kinds: usize,
    /// In another language, or more than a list of values can say.
    pub not_values: usize,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (
                self.restricted,
                "restricted by their marking (--include-restricted)",
            ),
            (self.over, "taken back or not in force now"),
            (self.unsure, "less sure than asked for"),
            (self.other_kinds, "of other kinds"),
            (self.not_values, "whose pattern is no list of values"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, why)| format!("{count} {why}"))
            .collect();
        match parts.is_empty() {
            true => f.write_str("none"),
            false => f.write_str(&parts.join(", ")),
        }
    }
}

/// Why an object is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Out {
    Restricted,
    Over,
    Unsure,
    OtherKinds,
    NotValues,
}

/// Gathers objects; the newest version of each counts, whatever the order.
#[derive(Debug)]
pub struct Gather {
    filter: Filter,
    keep_objects: bool,
    newest: BTreeMap<StixId, (Timestamp, Result<Kept, Out>)>,
}

/// What is kept of an object that is in force.
#[derive(Debug)]
struct Kept {
    values: Vec<Value>,
    entry: Entry,
    object: Option<Object>,
}

/// What is in force.
#[derive(Debug, Default)]
pub struct Live {
    /// The values, in their order.
    pub entries: BTreeMap<Value, Entry>,
    /// The objects that say it, by identifier; empty when they were not to be kept.
    pub objects: Vec<Object>,
    /// What was left out.
    pub left_out: LeftOut,
}

/// Most objects that one export gathers.
pub const OBJECTS_MAX: usize = 5_000_000;

impl Gather {
    /// Gathers what `filter` lets through; `keep_objects` also the objects themselves.
    #[must_use]
    pub fn new(filter: Filter, keep_objects: bool) -> Self {
        Self {
            filter,
            keep_objects,
            newest: BTreeMap::new(),
        }
    }

    /// Takes one object; what is no indicator is ignored. False when there is no room for more
    /// ([`OBJECTS_MAX`]).
    #[must_use]
    pub fn take(&mut self, object: &Object) -> bool {
        let head = object.head();
        if &*head.kind != "indicator" {
            return true;
        }
        let version = object.version();
        match self.newest.get(&head.id) {
            Some((newest, _)) if *newest >= version => return true,
            None if self.newest.len() >= OBJECTS_MAX => return false,
            Some(_) | None => {}
        }
        let judged = self.judge(object);
        self.newest.insert(head.id.clone(), (version, judged));
        true
    }

    /// What is in force.
    #[must_use]
    pub fn finish(self) -> Live {
        let mut live = Live::default();
        for (_, (_, judged)) in self.newest {
            match judged {
                Ok(kept) => {
                    live.objects.extend(kept.object);
                    for value in kept.values {
                        live.merge(value, &kept.entry);
                    }
                }
                Err(out) => live.left_out.count(out),
            }
        }
        live
    }

    fn judge(&self, object: &Object) -> Result<Kept, Out> {
        let head = object.head();
        if !head.in_force(self.filter.now) {
            return Err(Out::Over);
        }
        if !self.filter.restricted && is_restricted(object) {
            return Err(Out::Restricted);
        }
        let wanted = self.filter.confidence_min;
        if wanted.is_some_and(|min| head.confidence.is_none_or(|confidence| confidence < min)) {
            return Err(Out::Unsure);
        }
        let all = values(object).unwrap_or_default();
        if all.is_empty() && !(self.keep_objects && self.filter.kinds.is_empty()) {
            return Err(Out::NotValues);
        }
        let kinds = &self.filter.kinds;
        let wanted = |value: &Value| kinds.is_empty() || kinds.contains(&value.kind());
        let (count, values) = (
            all.len(),
            all.into_iter().filter(wanted).collect::<Vec<_>>(),
        );
        if count > 0 && values.is_empty() {
            return Err(Out::OtherKinds);
        }
        Ok(Kept {
            values,
            entry: Entry {
                confidence: head.confidence,
                from: head.valid_from,
                until: head.valid_until,
                tlp: head.tlp().unwrap_or(Tlp::Amber),
                id: head.id.clone(),
                name: head.name.clone().unwrap_or_default(),
            },
            object: self.keep_objects.then(|| object.clone()),
        })
    }
}

/// Whether an object's marking keeps it out of what programs pass on.
#[must_use]
pub fn is_restricted(object: &Object) -> bool {
    let head = object.head();
    head.unknown_markings() || head.granular_markings || head.tlp() >= Some(Tlp::AmberStrict)
}

/// The values that an indicator looks for; `None` where its pattern is no list of values: a shield
/// that looked for a part of it would look for something else.
#[must_use]
pub fn values(object: &Object) -> Option<Vec<Value>> {
    let raw = object.head().pattern.as_ref()?;
    if &*raw.pattern_type != "stix" {
        return None;
    }
    let pattern = pattern::parse(&raw.pattern).ok()?;
    let values: Option<Vec<Value>> = pattern.terms.iter().map(Value::of_term).collect();
    // All addresses at once are no value.
    values.filter(|values| {
        let whole = |value: &Value| value.network().is_some_and(|net| net.prefix_len() == 0);
        !values.iter().any(whole)
    })
}

impl Live {
    fn merge(&mut self, value: Value, from: &Entry) {
        use std::collections::btree_map::Entry as Slot;
        match self.entries.entry(value) {
            Slot::Vacant(slot) => {
                slot.insert(from.clone());
            }
            Slot::Occupied(mut slot) => {
                let entry = slot.get_mut();
                entry.confidence = entry.confidence.max(from.confidence);
                entry.tlp = entry.tlp.min(from.tlp);
                entry.from = entry.from.min(from.from);
                entry.until = match (entry.until, from.until) {
                    (Some(one), Some(other)) => Some(one.max(other)),
                    (None, _) | (_, None) => None,
                };
            }
        }
    }

    /// How many values there are of each kind.
    #[must_use]
    pub fn kinds(&self) -> BTreeMap<Kind, usize> {
        let mut kinds = BTreeMap::new();
        for value in self.entries.keys() {
            let count: &mut usize = kinds.entry(value.kind()).or_default();
            *count = count.saturating_add(1);
        }
        kinds
    }
}

impl LeftOut {
    fn count(&mut self, out: Out) {
        let count = match out {
            Out::Restricted => &mut self.restricted,
            Out::Over => &mut self.over,
            Out::Unsure => &mut self.unsure,
            Out::OtherKinds => &mut self.other_kinds,
            Out::NotValues => &mut self.not_values,
        };
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use stix::Limits;

    pub(crate) fn indicator(name: &str, pattern: &str, more: &str) -> Object {
        let id = StixId::v5("indicator", name);
        let raw = format!(
            r#"{{"type":"indicator","spec_version":"2.1","id":"{id}","created":"2026-11-01T00:00:00.000Z","modified":"2026-11-01T00:00:00.000Z","name":"{name}","pattern":{},"pattern_type":"stix","valid_from":"2026-11-01T00:00:00Z"{more}}}"#,
            serde_json::Value::from(pattern)
        );
        Object::parse(raw.as_bytes(), &Limits::default()).unwrap()
    }

    pub(crate) fn now() -> Timestamp {
        Timestamp::parse("2026-11-02T00:00:00Z").unwrap()
    }

    pub(crate) fn filter() -> Filter {
        Filter {
            kinds: vec![],
            confidence_min: None,
            restricted: false,
            now: now(),
        }
    }

    pub(crate) fn live(objects: &[Object]) -> Live {
        let mut gather = Gather::new(filter(), true);
        for object in objects {
            assert!(gather.take(object));
        }
        gather.finish()
    }

    fn marked(name: &str, tlp: Tlp) -> Object {
        let more = format!(r#","object_marking_refs":["{}"]"#, tlp.marking_id());
        indicator(name, "[ipv4-addr:value = '192.0.2.1']", &more)
    }

    #[test]
    fn what_is_restricted_over_or_unsure_is_left_out_and_counted() {
        let marking = StixId::v5("marking-definition", "ours");
        let objects = [
            marked("green", Tlp::Green),
            marked("strict", Tlp::AmberStrict),
            marked("red", Tlp::Red),
            indicator(
                "odd",
                "[ipv4-addr:value = '192.0.2.2']",
                &format!(r#","object_marking_refs":["{marking}"]"#),
            ),
            indicator(
                "revoked",
                "[ipv4-addr:value = '192.0.2.3']",
                r#","revoked":true"#,
            ),
            indicator(
                "over",
                "[ipv4-addr:value = '192.0.2.4']",
                r#","valid_until":"2026-11-01T12:00:00Z""#,
            ),
            indicator("and", "[file:size = 5 AND file:name = 'a']", ""),
            indicator("all", "[ipv4-addr:value = '0.0.0.0/0']", ""),
        ];
        let mut gather = Gather::new(filter(), false);
        for object in &objects {
            assert!(gather.take(object));
        }
        let live = gather.finish();
        let values: Vec<String> = live.entries.keys().map(ToString::to_string).collect();
        assert_eq!(values, ["192.0.2.1"]);
        let want = LeftOut {
            restricted: 3,
            over: 2,
            not_values: 2,
            ..LeftOut::default()
        };
        assert_eq!(live.left_out, want);
    }

    #[test]
    fn the_newest_version_counts_in_any_order() {
        let old = indicator("a", "[ipv4-addr:value = '192.0.2.1']", "");
        let text = String::from_utf8(old.raw().to_vec()).unwrap();
        let text = text.replace(
            r#""modified":"2026-11-01"#,
            r#""revoked":true,"modified":"2026-11-02"#,
        );
        let new = Object::parse(text.as_bytes(), &Limits::default()).unwrap();
        for order in [[&old, &new], [&new, &old]] {
            assert!(live(&order.map(Clone::clone)).entries.is_empty());
        }
    }

    #[test]
    fn one_value_of_several_sources_is_one_entry() {
        let objects = [
            indicator(
                "a",
                "[ipv4-addr:value = '192.0.2.1' OR domain-name:value = 'evil.example']",
                r#","confidence":80,"valid_until":"2026-12-01T00:00:00Z""#,
            ),
            indicator(
                "b",
                "[ipv4-addr:value = '192.0.2.1']",
                r#","confidence":20"#,
            ),
        ];
        let live = live(&objects);
        assert_eq!(live.entries.len(), 2);
        let entry = live.entries.first_key_value().unwrap().1;
        assert_eq!((entry.confidence, entry.until), (Some(80), None));
        assert_eq!(live.objects.len(), 2);
    }
}
