//! The engine: holds the members of an object against the tables.

use std::borrow::Cow;

use crate::id;
use crate::time::Timestamp;
use crate::tree::{Json, Members, Path};

use super::custom::{self, Unknown};
use super::form::{Form, Level};
use super::report::Report;
use super::table::{Class, INTEGER_MAX, Kind, Precision, Property, Record, Rule, Target};
use super::vocabulary::Vocabulary;

/// Checks one object and gathers what is wrong with it.
pub(super) struct Checker<'c> {
    pub(super) report: &'c mut Report,
    /// Which class the object is of.
    pub(super) class: Class,
    /// What to say of properties that the tables do not know, at the top.
    pub(super) unknown: Unknown,
    /// The observables that stand beside this one inside an observed-data object.
    pub(super) beside: Option<&'c Members<'c>>,
}

/// One record of an object under a rule.
pub(super) struct Scope<'c, 'a> {
    pub(super) members: &'c Members<'a>,
    pub(super) path: &'c Path<'c>,
    report: &'c mut Report,
}

impl<'c, 'a> Scope<'c, 'a> {
    pub(super) fn new(
        members: &'c Members<'a>,
        path: &'c Path<'c>,
        report: &'c mut Report,
    ) -> Self {
        Self {
            members,
            path,
            report,
        }
    }

    /// A broken MUST at a property; at the record itself where `key` is empty.
    pub(super) fn error(
        &mut self,
        key: &str,
        rule: &'static str,
        what: impl Into<Cow<'static, str>>,
        mend: &'static str,
    ) {
        self.tell(Level::Must, key, rule, what.into(), mend);
    }

    /// A broken SHOULD.
    pub(super) fn warn(
        &mut self,
        key: &str,
        rule: &'static str,
        what: impl Into<Cow<'static, str>>,
        mend: &'static str,
    ) {
        self.tell(Level::Should, key, rule, what.into(), mend);
    }

    fn tell(
        &mut self,
        level: Level,
        key: &str,
        rule: &'static str,
        what: Cow<'static, str>,
        mend: &'static str,
    ) {
        match key.is_empty() {
            true => self.report.push(level, self.path, rule, what, mend),
            false => self
                .report
                .push(level, &self.path.key(key), rule, what, mend),
        }
    }

    fn time(&self, key: &str) -> Option<Timestamp> {
        let text = self.members.text(key)?;
        Timestamp::parse(text).ok()
    }

    fn hold(&mut self, record: &Record, rule: Rule) {
        let has = |name: &&&str| self.members.has(name);
        match rule {
            Rule::NotBefore(earlier, later) => self.order(record, earlier, later, false),
            Rule::After(earlier, later) => self.order(record, earlier, later, true),
            Rule::AnyOf(names) if names.iter().any(|name| self.members.has(name)) => {}
            Rule::AnyOf(names) => {
                let what = format!("needs at least one of {}", names.join(", "));
                self.error("", record.rule, what, "add one of them");
            }
            Rule::OneOf(names) if names.iter().filter(has).count() == 1 => {}
            Rule::OneOf(names) => {
                let what = format!("needs exactly one of {}", names.join(", "));
                self.error("", record.rule, what, "keep one of them");
            }
            Rule::Some => {
                let own = |property: &Property| self.members.has(property.name);
                if !record.properties.iter().any(own) && !self.members.has("extensions") {
                    let what = "needs at least one of its own properties";
                    self.error("", record.rule, what, "add one of them");
                }
            }
            Rule::Requires(name, others) => {
                if self.members.has(name)
                    && let Some(missing) = others.iter().find(|other| !self.members.has(other))
                {
                    let what = format!("is required beside {name}");
                    self.error(missing, record.rule, what, "add the property");
                }
            }
            Rule::Should(names) => {
                if let Some(missing) = names.iter().find(|name| !self.members.has(name)) {
                    self.warn(missing, record.rule, "should be there", "add the property");
                }
            }
            Rule::Own(check) => check(self),
        }
    }

    fn order(&mut self, record: &Record, earlier: &str, later: &str, strictly: bool) {
        let Some((first, second)) = self.time(earlier).zip(self.time(later)) else {
            return;
        };
        let (wrong, how) = match strictly {
            true => (second <= first, "must be later than"),
            false => (second < first, "must not be earlier than"),
        };
        if wrong {
            let what = format!("{how} {earlier}");
            self.error(
                later,
                record.rule,
                what,
                "correct one of the two timestamps",
            );
        }
    }
}

impl Checker<'_> {
    /// Holds members against one record.
    pub(super) fn record(
        &mut self,
        record: &'static Record,
        members: &Members<'_>,
        path: &Path<'_>,
    ) {
        for (name, value) in members.iter() {
            let path = path.key(name);
            match record.properties.iter().find(|known| known.name == name) {
                Some(known) => self.value(record.rule, &known.kind, value, &path),
                None => custom::property(self.report, Unknown::Nested, name, value, &path),
            }
        }
        self.rest(record, members, path);
    }

    /// Holds the members of a whole object against its common properties and its own.
    pub(super) fn whole(
        &mut self,
        common: &'static Record,
        own: Option<&'static Record>,
        members: &Members<'_>,
        path: &Path<'_>,
    ) {
        let records = [Some(common), own];
        for (name, value) in members.iter() {
            let path = path.key(name);
            let known = records.into_iter().flatten().find_map(|record| {
                let property = record.properties.iter().find(|known| known.name == name)?;
                Some((record.rule, &property.kind))
            });
            match known {
                Some((rule, kind)) => self.value(rule, kind, value, &path),
                None => custom::property(self.report, self.unknown, name, value, &path),
            }
        }
        for record in records.into_iter().flatten() {
            self.rest(record, members, path);
        }
    }

    /// Required properties and rules over several.
    fn rest(&mut self, record: &'static Record, members: &Members<'_>, path: &Path<'_>) {
        let missing = |property: &&Property| property.required && !members.has(property.name);
        for property in record.properties.iter().filter(missing) {
            let what = "a required property is missing";
            let path = path.key(property.name);
            self.error(record.rule, &path, what, "add the property");
        }
        let mut scope = Scope::new(members, path, self.report);
        for rule in record.rules {
            scope.hold(record, *rule);
        }
    }

    pub(super) fn error(
        &mut self,
        rule: &'static str,
        path: &Path<'_>,
        what: impl Into<Cow<'static, str>>,
        mend: &'static str,
    ) {
        self.report.push(Level::Must, path, rule, what.into(), mend);
    }

    pub(super) fn warn(
        &mut self,
        rule: &'static str,
        path: &Path<'_>,
        what: impl Into<Cow<'static, str>>,
        mend: &'static str,
    ) {
        self.report
            .push(Level::Should, path, rule, what.into(), mend);
    }

    fn mistyped(&mut self, rule: &'static str, path: &Path<'_>, what: &'static str) {
        self.error(
            rule,
            path,
            what,
            "write the value in the type of the property",
        );
    }

    pub(super) fn value(
        &mut self,
        rule: &'static str,
        kind: &'static Kind,
        value: &Json<'_>,
        path: &Path<'_>,
    ) {
        match kind {
            Kind::Text => match value.as_str() {
                Some(_) => {}
                None => self.mistyped(rule, path, "must be a string"),
            },
            Kind::Form(form) => self.form(form, value, path),
            Kind::Boolean => match value.as_bool() {
                Some(_) => {}
                None => self.mistyped(rule, path, "must be true or false"),
            },
            Kind::Integer(min, max) => self.integer(rule, [*min, *max], value, path),
            Kind::Float(min, max) => self.float(rule, [*min, *max], value, path),
            Kind::Time(precision) => self.time(rule, *precision, value, path),
            Kind::Ref(target) => self.reference(rule, target, value, path),
            Kind::List(kind) => self.list(rule, kind, value, path),
            Kind::Dictionary(kind) => self.dictionary(rule, kind, value, path),
            Kind::TextOrTexts => match value.as_list() {
                Some(_) => self.list(rule, &Kind::Text, value, path),
                None if value.as_str().is_some() => {}
                None => self.mistyped(rule, path, "must be a string or a list of strings"),
            },
            Kind::TextOrInteger => match value.as_str() {
                Some(_) => {}
                None => self.integer(rule, [-INTEGER_MAX, INTEGER_MAX], value, path),
            },
            Kind::Any => match value {
                Json::Null => self.mistyped(rule, path, "must not be null"),
                Json::List(list) if list.is_empty() => self.empty_list(path),
                Json::Bool(_)
                | Json::Number(_)
                | Json::Text(_)
                | Json::List(_)
                | Json::Object(_) => {}
            },
            Kind::Hashes => super::hash::check(self, value, path),
            Kind::Hex => self.form(&super::form::HEX, value, path),
            Kind::Binary => self.form(&super::form::BINARY, value, path),
            Kind::Enum(vocabulary) => self.word(vocabulary, Level::Must, value, path),
            Kind::Open(vocabulary) => self.word(vocabulary, Level::Should, value, path),
            Kind::Record(record) => match value.as_object() {
                Some(members) => self.record(record, members, path),
                None => self.mistyped(rule, path, "must be an object"),
            },
            Kind::Elsewhere => {}
        }
    }

    fn form(&mut self, form: &'static Form, value: &Json<'_>, path: &Path<'_>) {
        match value.as_str() {
            None => self.mistyped(form.rule, path, "must be a string"),
            Some(text) if (form.test)(text) => {}
            Some(_) => {
                let what = Cow::Borrowed(form.what);
                self.report
                    .push(form.level, path, form.rule, what, form.mend);
            }
        }
    }

    fn integer(
        &mut self,
        rule: &'static str,
        [min, max]: [i64; 2],
        value: &Json<'_>,
        path: &Path<'_>,
    ) {
        let number = value.as_number();
        let whole = number.and_then(|number| {
            let signed = number.as_i64().map(i128::from);
            let unsigned = || number.as_u64().map(i128::from);
            signed.or_else(unsigned).or_else(|| whole_float(number))
        });
        match whole {
            Some(whole) if (i128::from(min)..=i128::from(max)).contains(&whole) => {}
            Some(_) => {
                let what = format!("must be an integer from {min} to {max}");
                self.error(rule, path, what, "write a number within the range");
            }
            None => self.mistyped(rule, path, "must be an integer"),
        }
    }

    fn float(
        &mut self,
        rule: &'static str,
        [min, max]: [f64; 2],
        value: &Json<'_>,
        path: &Path<'_>,
    ) {
        match value.as_number().and_then(serde_json::Number::as_f64) {
            Some(number) if (min..=max).contains(&number) => {}
            Some(_) => {
                let what = format!("must be a number from {min} to {max}");
                self.error(rule, path, what, "write a number within the range");
            }
            None => self.mistyped(rule, path, "must be a number"),
        }
    }

    fn time(
        &mut self,
        rule: &'static str,
        precision: Precision,
        value: &Json<'_>,
        path: &Path<'_>,
    ) {
        const MEND: &str = "write YYYY-MM-DDThh:mm:ss.sssZ";
        let Some(text) = value.as_str() else {
            return self.mistyped("STIX 2.1 section 2.16", path, "must be a timestamp");
        };
        if let Err(error) = Timestamp::parse(text) {
            let what = format!("not a timestamp: {error}");
            return self.error("STIX 2.1 section 2.16", path, what, MEND);
        }
        let digits = text
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len().saturating_sub("Z".len()));
        match precision {
            Precision::Millisecond if digits < 3 => {
                let what = "must be precise to the millisecond: three digits of fraction";
                self.error(rule, path, what, MEND);
            }
            Precision::Second if digits > 0 => {
                let what = "must be precise to the second: no fraction";
                self.error(rule, path, what, "write YYYY-MM-DDThh:mm:ssZ");
            }
            Precision::Any | Precision::Millisecond | Precision::Second => {}
        }
    }

    fn reference(
        &mut self,
        rule: &'static str,
        target: &'static Target,
        value: &Json<'_>,
        path: &Path<'_>,
    ) {
        const FORM: &str = "STIX 2.1 section 2.9";
        let Some(text) = value.as_str() else {
            return self.mistyped(FORM, path, "must be an identifier");
        };
        if self.beside.is_some_and(|beside| beside.has(text)) {
            return;
        }
        let kind = match id::split(text) {
            Ok((kind, _)) => kind,
            Err(error) => {
                let what = format!("not an identifier: {error}");
                let mend = "write type--UUID in lower case";
                // An observable's reference to nothing does no harm, and OASIS's own examples
                // have some: docs/spec/stix-validation.md.
                let kind = text.split_once("--").map(|(kind, _)| kind);
                match (self.class, kind.filter(|kind| id::is_kind(kind))) {
                    (Class::Observable, Some(kind)) => {
                        self.warn(FORM, path, what, mend);
                        kind
                    }
                    _ => return self.error(FORM, path, what, mend),
                }
            }
        };
        if !(target.allows)(kind) {
            let level = match target.must {
                true => Level::Must,
                false => Level::Should,
            };
            let what = format!("must refer to {}", target.what);
            let mend = "refer to an object of the type that the property asks for";
            self.report.push(level, path, rule, what.into(), mend);
        }
    }

    fn list(&mut self, rule: &'static str, kind: &'static Kind, value: &Json<'_>, path: &Path<'_>) {
        match value.as_list() {
            None => self.mistyped(rule, path, "must be a list"),
            Some([]) => self.empty_list(path),
            Some(list) => {
                for (index, value) in list.iter().enumerate() {
                    self.value(rule, kind, value, &path.index(index));
                }
            }
        }
    }

    fn empty_list(&mut self, path: &Path<'_>) {
        let what = "a list must have at least one element";
        self.error(
            "STIX 2.1 section 2.12",
            path,
            what,
            "leave the property out",
        );
    }

    fn dictionary(
        &mut self,
        rule: &'static str,
        kind: &'static Kind,
        value: &Json<'_>,
        path: &Path<'_>,
    ) {
        let Some(members) = value.as_object() else {
            return self.mistyped(rule, path, "must be a dictionary");
        };
        if members.is_empty() {
            let what = "a dictionary must have at least one entry";
            self.error("STIX 2.1 section 2.3", path, what, "leave the property out");
        }
        for (key, value) in members.iter() {
            let path = path.key(key);
            if !is_dictionary_key(key) {
                let what = "a dictionary's key must be 1 to 250 of a-z, A-Z, 0-9, '-' and '_'";
                self.error("STIX 2.1 section 2.3", &path, what, "rename the key");
            }
            self.value(rule, kind, value, &path);
        }
    }

    fn word(
        &mut self,
        vocabulary: &'static Vocabulary,
        level: Level,
        value: &Json<'_>,
        path: &Path<'_>,
    ) {
        match value.as_str() {
            None => self.mistyped(vocabulary.rule, path, "must be a string"),
            Some(word) if vocabulary.words.contains(&word) => {}
            Some(_) => {
                let what = match level {
                    Level::Must => format!("must be a word of {}", vocabulary.name),
                    Level::Should => format!("should be a word of {}", vocabulary.name),
                };
                let mend = "use a word of the vocabulary, where one fits";
                self.report
                    .push(level, path, vocabulary.rule, what.into(), mend);
            }
        }
    }
}

/// A number without a fraction that is written with one, such as `1.0`; as far away as can be where
/// it is beyond what a range may hold.
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole, and clamped to what fits"
)]
fn whole_float(number: &serde_json::Number) -> Option<i128> {
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    Some(float.clamp(-1e18, 1e18) as i128)
}

/// Section 2.3.
pub(super) fn is_dictionary_key(key: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(legal)
}

/// Longest key of a dictionary (section 2.3) and longest name of a property (section 3.1).
pub(super) const KEY_BYTES_MAX: usize = 250;
