//! LDAP.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a keyword asks of one kind of message"
)]

use packet::AppProto;
use packet::applayer::ldap::{Attribute, CODES, Ldap, Operation, Outcome};

use super::Keyword;
use super::app::{self, Get, nameless, table};
use crate::rules::scene::{Buffer, Scene, Sides, Values};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "ldap.request.operation",
        "number|name",
        "The operation that is asked for, as bind_request.",
        |rule, arg| app::compare(rule, arg, &REQUEST, 0..=255, table(OPERATIONS)),
    ),
    Keyword::call(
        "ldap.responses.operation",
        "number|name[,any|all|index]",
        "The operation of a response, as search_result_entry.",
        |rule, arg| app::compare_some(rule, arg, &RESPONSES, 0..=255, table(OPERATIONS)),
    ),
    Keyword::call(
        "ldap.responses.count",
        "number",
        "How many responses there are.",
        |rule, arg| app::compare(rule, arg, &COUNT, 0..=app::U32_MAX, nameless),
    ),
    Keyword::call(
        "ldap.responses.result_code",
        "number|name[,any|all|index]",
        "How the request fared, as success.",
        |rule, arg| app::compare_some(rule, arg, &RESULT_CODES, 0..=app::U32_MAX, code),
    ),
    Keyword::sticky(
        "ldap.request.dn",
        "The entry that a request is about.",
        &REQUEST_DN,
    ),
    Keyword::sticky(
        "ldap.responses.dn",
        "The entry that a response is about.",
        &RESPONSE_DN,
    ),
    Keyword::sticky(
        "ldap.responses.message",
        "What a response says to people.",
        &MESSAGE,
    ),
    Keyword::sticky(
        "ldap.request.attribute_type",
        "The type of an attribute in a request.",
        &REQUEST_ATTRIBUTE,
    ),
    Keyword::sticky(
        "ldap.responses.attribute_type",
        "The type of an attribute in a response.",
        &RESPONSE_ATTRIBUTE,
    ),
];

const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Ldap], sides, get)
}

static REQUEST: Buffer = buffer("ldap.request.operation", Sides::Client, |scene, values| {
    app::push(values, request(scene).map(number));
});

static RESPONSES: Buffer = buffer(
    "ldap.responses.operation",
    Sides::Server,
    |scene, values| {
        app::push_all(values, responses(scene).map(number));
    },
);

static COUNT: Buffer = buffer("ldap.responses.count", Sides::Server, |scene, values| {
    let count = scene.of::<Ldap>().map(|ldap| ldap.responses.len());
    app::push(values, count.and_then(|count| u64::try_from(count).ok()));
});

static RESULT_CODES: Buffer = buffer(
    "ldap.responses.result_code",
    Sides::Server,
    |scene, values| {
        let codes = responses(scene)
            .map(|response| outcome(response).map_or(app::NOTHING, |outcome| outcome.code.into()));
        app::push_all(values, codes);
    },
);

static REQUEST_DN: Buffer = buffer("ldap.request.dn", Sides::Client, |scene, values| {
    values.maybe(request(scene).and_then(entry));
});

static RESPONSE_DN: Buffer = buffer("ldap.responses.dn", Sides::Server, |scene, values| {
    let names = responses(scene).filter_map(entry);
    names.for_each(|name| values.push(name));
})
.multiple();

static MESSAGE: Buffer = buffer("ldap.responses.message", Sides::Server, |scene, values| {
    let outcomes = responses(scene).filter_map(outcome);
    let texts = outcomes.map(|outcome| &outcome.message);
    texts.for_each(|text| values.push(text));
})
.multiple();

static REQUEST_ATTRIBUTE: Buffer = buffer(
    "ldap.request.attribute_type",
    Sides::Client,
    |scene, values| {
        request(scene)
            .into_iter()
            .for_each(|operation| attribute_types(operation, values));
    },
)
.multiple();

static RESPONSE_ATTRIBUTE: Buffer = buffer(
    "ldap.responses.attribute_type",
    Sides::Server,
    |scene, values| {
        responses(scene).for_each(|operation| attribute_types(operation, values));
    },
)
.multiple();

fn request<'s>(scene: &Scene<'s>) -> Option<&'s Operation> {
    Some(&scene.of::<Ldap>()?.request.as_ref()?.operation)
}

fn responses<'s>(scene: &Scene<'s>) -> impl Iterator<Item = &'s Operation> {
    let ldap = scene.of::<Ldap>().into_iter();
    ldap.flat_map(|ldap| &ldap.responses)
        .map(|response| &response.operation)
}

fn outcome(response: &Operation) -> Option<&Outcome> {
    match response {
        Operation::BindResponse(outcome, _)
        | Operation::SearchDone(outcome)
        | Operation::ModifyResponse(outcome)
        | Operation::AddResponse(outcome)
        | Operation::DeleteResponse(outcome)
        | Operation::RenameResponse(outcome)
        | Operation::CompareResponse(outcome)
        | Operation::ExtendedResponse(outcome, ..) => Some(outcome),
        _ => None,
    }
}

/// The entry that an operation is about.
fn entry(operation: &Operation) -> Option<&[u8]> {
    match operation {
        Operation::Bind { name, .. } => Some(name),
        Operation::Search(search) => Some(&search.base),
        Operation::Entry(entry, _)
        | Operation::Modify(entry, _)
        | Operation::Add(entry, _)
        | Operation::Delete(entry)
        | Operation::Rename { entry, .. }
        | Operation::Compare { entry, .. } => Some(entry),
        response => outcome(response).map(|outcome| &*outcome.matched),
    }
}

fn attribute_types<'s>(operation: &'s Operation, values: &mut Values<'s>) {
    let mut list = |attributes: &'s [Attribute]| {
        attributes
            .iter()
            .for_each(|attribute| values.push(&attribute.kind));
    };
    match operation {
        Operation::Entry(_, attributes) | Operation::Add(_, attributes) => list(attributes),
        Operation::Search(search) => {
            search.attributes.iter().for_each(|kind| values.push(kind));
        }
        Operation::Modify(_, changes) => {
            changes
                .iter()
                .for_each(|change| values.push(&change.attribute.kind));
        }
        Operation::Compare { attribute, .. } => values.push(attribute),
        _ => {}
    }
}

fn number(operation: &Operation) -> u64 {
    table(OPERATIONS)(operation.name()).unwrap_or(u64::MAX)
}

fn code(name: &str) -> Option<u64> {
    let found = CODES
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(name));
    found.map(|(code, _)| u64::from(*code))
}

/// Operations by the number of their tag (RFC 4511 section 4.2 to 4.14).
const OPERATIONS: &[(&str, u64)] = &[
    ("bind_request", 0),
    ("bind_response", 1),
    ("unbind_request", 2),
    ("search_request", 3),
    ("search_result_entry", 4),
    ("search_result_done", 5),
    ("modify_request", 6),
    ("modify_response", 7),
    ("add_request", 8),
    ("add_response", 9),
    ("del_request", 10),
    ("del_response", 11),
    ("mod_dn_request", 12),
    ("mod_dn_response", 13),
    ("compare_request", 14),
    ("compare_response", 15),
    ("abandon_request", 16),
    ("search_result_reference", 19),
    ("extended_request", 23),
    ("extended_response", 24),
    ("intermediate_response", 25),
];
