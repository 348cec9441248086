//! The words that the tables of STIX 2.1 are written in: types, properties, kinds of values, rules.

use super::check::Scope;
use super::form::Form;
use super::vocabulary::Vocabulary;

/// One type of object that STIX 2.1 defines.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: &'static str,
    pub(super) class: Class,
    pub(super) record: Record,
    /// The predefined extensions that it may carry (section 6).
    pub(super) extensions: &'static [(&'static str, &'static Record)],
    /// The properties that its deterministic identifier is made of (section 2.9 and its own).
    pub(super) contributing: &'static [&'static str],
}

/// Which of the common properties of section 3.2 an object has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A domain object.
    Domain,
    /// A relationship object.
    Relationship,
    /// A cyber-observable object.
    Observable,
    /// A meta object with versions: a language content or an extension definition.
    Meta,
    /// A marking definition, which has no versions.
    Marking,
}

/// Properties that stand together in one JSON object.
#[derive(Debug)]
pub(super) struct Record {
    /// `STIX 2.1 section N`, where the properties are defined.
    pub(super) rule: &'static str,
    pub(super) properties: &'static [Property],
    pub(super) rules: &'static [Rule],
}

/// One property.
#[derive(Debug)]
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// A property that must be there.
pub(super) const fn req(name: &'static str, kind: Kind) -> Property {
    Property {
        name,
        kind,
        required: true,
    }
}

/// A property that may be there.
pub(super) const fn opt(name: &'static str, kind: Kind) -> Property {
    Property {
        name,
        kind,
        required: false,
    }
}

/// What a value may be (section 2).
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A string of some form.
    Form(&'static Form),
    /// `true` or `false`.
    Boolean,
    /// A whole number, from the first to the second.
    Integer(i64, i64),
    /// A number, from the first to the second.
    Float(f64, f64),
    /// A timestamp, to this precision.
    Time(Precision),
    /// The identifier of another object.
    Ref(&'static Target),
    /// A list with at least one element.
    List(&'static Self),
    /// A dictionary with at least one entry.
    Dictionary(&'static Self),
    /// A string, or a list of strings.
    TextOrTexts,
    /// A string or a whole number.
    TextOrInteger,
    /// Any value that section 2 knows.
    Any,
    /// Digests by algorithm.
    Hashes,
    /// Pairs of hexadecimal digits.
    Hex,
    /// Base64.
    Binary,
    /// One word of a closed vocabulary.
    Enum(&'static Vocabulary),
    /// A word, one of an open vocabulary if it can be.
    Open(&'static Vocabulary),
    /// An object with properties of its own.
    Record(&'static Record),
    /// `type` and `id`, `extensions`, `spec_version`, embedded observables: checked in their rooms.
    Elsewhere,
}

/// How finely a timestamp is written (section 3.2, and the property's own).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// Any.
    Any,
    /// Three digits of fraction at least.
    Millisecond,
    /// No fraction.
    Second,
}

/// Any whole number that section 2.10 allows.
pub(super) const INTEGER: Kind = Kind::Integer(-INTEGER_MAX, INTEGER_MAX);
/// Any whole number that is not negative.
pub(super) const COUNT: Kind = Kind::Integer(0, INTEGER_MAX);
/// 2^53 - 1, the largest whole number that every reader of JSON keeps.
pub(super) const INTEGER_MAX: i64 = 9_007_199_254_740_991;
/// Any number.
pub(super) const NUMBER: Kind = Kind::Float(f64::MIN, f64::MAX);
/// A timestamp.
pub(super) const TIME: Kind = Kind::Time(Precision::Any);
/// A list of strings.
pub(super) const TEXTS: Kind = Kind::List(&Kind::Text);

/// What an identifier may refer to.
#[derive(Debug)]
pub(super) struct Target {
    /// The type before `--` is one of those; types that STIX 2.1 does not define are not asked.
    pub(super) allows: fn(&str) -> bool,
    /// In words, after "must refer to".
    pub(super) what: &'static str,
    /// Whether another type breaks a MUST.
    pub(super) must: bool,
}

/// A rule over several properties of one record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// The second timestamp is not earlier than the first.
    NotBefore(&'static str, &'static str),
    /// The second timestamp is later than the first.
    After(&'static str, &'static str),
    /// At least one is there.
    AnyOf(&'static [&'static str]),
    /// Exactly one is there.
    OneOf(&'static [&'static str]),
    /// At least one property of the record's own is there.
    Some,
    /// Where the first is, all of the others are.
    Requires(&'static str, &'static [&'static str]),
    /// All of them should be there.
    Should(&'static [&'static str]),
    /// What needs words of its own.
    Own(fn(&mut Scope<'_, '_>)),
}

/// The type that STIX 2.1 defines under a name.
pub(super) fn find(name: &str) -> Option<&'static Type> {
    let rooms: [&'static [Type]; 4] = [
        &super::sdo::TYPES,
        &super::sco::TYPES,
        &super::sro::TYPES,
        &super::meta::TYPES,
    ];
    rooms.into_iter().flatten().find(|known| known.name == name)
}

/// The class of a type that STIX 2.1 defines.
pub(super) fn class(name: &str) -> Option<Class> {
    find(name).map(|known| known.class)
}

/// Whether a type is a cyber-observable one, or one that STIX 2.1 does not define.
pub(super) fn is_observable_or_custom(name: &str) -> bool {
    name != "bundle" && class(name).is_none_or(|class| class == Class::Observable)
}

/// Whether a type is a domain object's, or one that STIX 2.1 does not define.
pub(super) fn is_domain_or_custom(name: &str) -> bool {
    name != "bundle" && class(name).is_none_or(|class| class == Class::Domain)
}

/// Any object at all.
pub(super) const ANY: Target = Target {
    allows: |name| name != "bundle",
    what: "an object, not to a bundle",
    must: true,
};
