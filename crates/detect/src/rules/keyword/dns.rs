//! DNS, over UDP, TCP and HTTP/2, and multicast DNS.

use packet::dns::{Kind, Message, Name, RData, RECORD_TYPES, Record};
use packet::{AppProto, Direction, http2};

use super::app::{self, Get, table};
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::scene::{Buffer, Scene, Sides, Values};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky("dns.query", "A name that is asked for.", &QUERY),
    Keyword::sticky("dns_query", "A name that is asked for.", &QUERY),
    Keyword::call(
        "dns.opcode",
        "number",
        "The operation code.",
        |rule, arg| app::compare(rule, arg, &OPCODE, 0..=255, app::nameless),
    ),
    Keyword::call(
        "dns.rcode",
        "number|name",
        "The response code.",
        |rule, arg| app::compare(rule, arg, &RCODE, 0..=65_535, table(RESPONSE_CODES)),
    ),
    Keyword::call(
        "dns.rrtype",
        "number|name",
        "The type of a question or record.",
        rrtype,
    ),
    Keyword::sticky(
        "dns.query.name",
        "A name of the question section, of queries and responses.",
        &QUERIES,
    ),
    Keyword::sticky(
        "dns.queries.rrname",
        "A name of the question section, of queries and responses.",
        &QUERIES,
    ),
    Keyword::sticky("dns.answer.name", "A name of the answer section.", &ANSWERS),
    Keyword::sticky(
        "dns.answers.rrname",
        "A name of the answer section.",
        &ANSWERS,
    ),
    Keyword::sticky(
        "dns.authorities.rrname",
        "A name of the authority section.",
        &AUTHORITIES,
    ),
    Keyword::sticky(
        "dns.additionals.rrname",
        "A name of the additional section.",
        &ADDITIONALS,
    ),
    Keyword::sticky("dns.response.rrname", "Any name of a response.", &RESPONSE),
    Keyword::sticky(
        "mdns.queries.rrname",
        "A name of the question section of multicast DNS.",
        &MDNS_QUERIES,
    ),
    Keyword::sticky(
        "mdns.answers.rrname",
        "A name of the answer section of multicast DNS.",
        &MDNS_ANSWERS,
    ),
    Keyword::sticky(
        "mdns.authorities.rrname",
        "A name of the authority section of multicast DNS.",
        &MDNS_AUTHORITIES,
    ),
    Keyword::sticky(
        "mdns.additionals.rrname",
        "A name of the additional section of multicast DNS.",
        &MDNS_ADDITIONALS,
    ),
    Keyword::sticky(
        "mdns.response.rrname",
        "Any name of a response of multicast DNS.",
        &MDNS_RESPONSE,
    ),
];

const DNS: &[AppProto] = &[AppProto::Dns, AppProto::Doh2];
const MDNS: &[AppProto] = &[AppProto::Mdns];

const fn names(name: &'static str, apps: &[AppProto], sides: Sides, get: Get) -> Buffer {
    app::buffer(name, apps, sides, get).multiple()
}

static QUERY: Buffer = names("dns.query", DNS, Sides::Client, queries);
static QUERIES: Buffer = names("dns.queries.rrname", DNS, Sides::Both, queries);
static ANSWERS: Buffer = names("dns.answers.rrname", DNS, Sides::Both, answers);
static AUTHORITIES: Buffer = names("dns.authorities.rrname", DNS, Sides::Both, authorities);
static ADDITIONALS: Buffer = names("dns.additionals.rrname", DNS, Sides::Both, additionals);
static RESPONSE: Buffer = names("dns.response.rrname", DNS, Sides::Server, response);
static MDNS_QUERIES: Buffer = names("mdns.queries.rrname", MDNS, Sides::Both, queries);
static MDNS_ANSWERS: Buffer = names("mdns.answers.rrname", MDNS, Sides::Both, answers);
static MDNS_AUTHORITIES: Buffer = names("mdns.authorities.rrname", MDNS, Sides::Both, authorities);
static MDNS_ADDITIONALS: Buffer = names("mdns.additionals.rrname", MDNS, Sides::Both, additionals);
static MDNS_RESPONSE: Buffer = names("mdns.response.rrname", MDNS, Sides::Client, response);

static OPCODE: Buffer = app::buffer("dns.opcode", DNS, Sides::Both, |scene, values| {
    app::push(values, message(scene).map(Message::opcode));
});

static RCODE: Buffer = app::buffer("dns.rcode", DNS, Sides::Both, |scene, values| {
    app::push(values, message(scene).map(Message::rcode));
});

static RRTYPE: Buffer = app::buffer("dns.rrtype", DNS, Sides::Both, |scene, values| {
    let message = message(scene).into_iter();
    app::push(values, message.flat_map(types));
});

/// The message of the side that is looked at.
fn message<'s>(scene: &Scene<'s>) -> Option<&'s Message> {
    let carrier = || {
        let stream = scene.of::<http2::Transaction>()?;
        match scene.direction {
            Direction::ToServer => stream.request.dns.as_deref(),
            Direction::ToClient => stream.response.dns.as_deref(),
        }
    };
    scene.of::<Message>().or_else(carrier)
}

fn queries<'s>(scene: &Scene<'s>, values: &mut Values<'s>) {
    for question in message(scene).iter().flat_map(|message| &message.questions) {
        push(&question.name, values);
    }
}

fn answers<'s>(scene: &Scene<'s>, values: &mut Values<'s>) {
    owners(answering(scene).map(|message| &*message.answers), values);
}

fn authorities<'s>(scene: &Scene<'s>, values: &mut Values<'s>) {
    owners(
        answering(scene).map(|message| &*message.authorities),
        values,
    );
}

fn additionals<'s>(scene: &Scene<'s>, values: &mut Values<'s>) {
    owners(
        answering(scene).map(|message| &*message.additionals),
        values,
    );
}

/// A message whose records are looked into: a response, or any of multicast DNS, where who asks says
/// what it knows.
fn answering<'s>(scene: &Scene<'s>) -> Option<&'s Message> {
    message(scene).filter(|message| message.kind == Kind::Answer || message.multicast)
}

/// Whose records they are.
fn owners<'s>(records: Option<&'s [Record]>, values: &mut Values<'s>) {
    for record in records.unwrap_or_default() {
        push(&record.name, values);
    }
}

/// The name of the root is empty, and none to look into.
fn push<'s>(name: &'s Name, values: &mut Values<'s>) {
    values.maybe(Some(name.bytes()).filter(|name| !name.is_empty()));
}

/// Every name of a response: whose records they are, and the names that records point to.
fn response<'s>(scene: &Scene<'s>, values: &mut Values<'s>) {
    let Some(message) = message(scene).filter(|message| message.kind == Kind::Answer) else {
        return;
    };
    for question in &message.questions {
        push(&question.name, values);
    }
    let sections = [&message.answers, &message.authorities, &message.additionals];
    for record in sections.into_iter().flatten() {
        push(&record.name, values);
        if let Some(name) = target(&record.data) {
            push(name, values);
        }
    }
}

/// The name that a record points to.
fn target(data: &RData) -> Option<&Name> {
    match data {
        RData::Cname(name) | RData::Ns(name) | RData::Ptr(name) => Some(name),
        RData::Mx { exchange, .. } => Some(exchange),
        RData::Soa { mname, .. } => Some(mname),
        RData::A(_) | RData::Aaaa(_) | RData::Srv { .. } | RData::Txt(_) | RData::Other(_) => None,
    }
}

/// Types of what is asked, or of what is answered.
fn types(message: &Message) -> Vec<u16> {
    match message.kind {
        Kind::Query => message
            .questions
            .iter()
            .map(|question| question.qtype)
            .collect(),
        Kind::Answer => message.answers.iter().map(|record| record.rtype).collect(),
    }
}

fn rrtype(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let number = |name: &str| {
        let mut types = RECORD_TYPES.iter();
        let found = types.find(|(_, known)| known.eq_ignore_ascii_case(name));
        found.map(|(number, _)| u64::from(*number))
    };
    app::compare(rule, arg, &RRTYPE, 0..=65_535, number)
}

/// Response codes by name (RFC 6895 section 2.3).
const RESPONSE_CODES: &[(&str, u64)] = &[
    ("noerror", 0),
    ("formerr", 1),
    ("servfail", 2),
    ("nxdomain", 3),
    ("notimp", 4),
    ("refused", 5),
    ("yxdomain", 6),
    ("yxrrset", 7),
    ("nxrrset", 8),
    ("notauth", 9),
    ("notzone", 10),
    ("badvers", 16),
    ("badkey", 17),
    ("badtime", 18),
    ("badmode", 19),
    ("badname", 20),
    ("badalg", 21),
    ("badtrunc", 22),
];
