//! The `dns` record: versions 3 and 2 of Suricata's. That of multicast DNS is in `multicast`.

use std::net::IpAddr;

use super::message::{Kind, Message, RData, Record};
use super::multicast;
use super::name::Name;
use super::types::{rcode_name, rrtype_name};
use crate::applayer::{AppProto, Transaction};
use crate::bytes::{Cursor, hex};
use crate::eve::address;
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Message {
    fn app(&self) -> AppProto {
        if self.multicast {
            AppProto::Mdns
        } else {
            AppProto::Dns
        }
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn direction(&self) -> Direction {
        match self.kind {
            // answers too go to the group
            Kind::Answer if !self.multicast => Direction::ToClient,
            Kind::Query | Kind::Answer => Direction::ToServer,
        }
    }

    fn parts(&self) -> &'static [Part] {
        Part::of(self.direction())
    }

    /// Version 2 of the record has the client first, whoever speaks.
    fn direction_under(&self, options: Setting<'_>) -> Direction {
        if options.at("version").number() == Some(2) {
            return Direction::ToServer;
        }
        self.direction()
    }

    fn is_logged(&self, options: Setting<'_>) -> bool {
        let side = match self.kind {
            Kind::Query => "requests",
            Kind::Answer => "responses",
        };
        let types = options.at("types");
        let is_wanted = |name: &str| {
            let mut names = types.items().filter_map(Setting::text);
            names.any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let mut asked = self.questions.iter();
        options.at(side).flag().unwrap_or(true)
            && (!types.is_set() || asked.any(|question| is_wanted(&rrtype_name(question.qtype))))
    }

    fn log(&self, record: &mut Object<'_>, options: Setting<'_>) {
        if self.multicast {
            return record.object("mdns", |object| multicast::write(object, self));
        }
        let formats = Formats::of(options);
        record.object("dns", |object| match options.at("version").number() {
            Some(2) => version_2(object, self, &formats),
            Some(_) | None => version_3(object, self, &formats),
        });
    }
}

/// A message that another protocol carries; its answers are grouped, too, where that is wanted.
pub(in crate::applayer) fn log_carried(record: &mut Object<'_>, message: &Message, grouped: bool) {
    let formats = Formats {
        detailed: true,
        grouped,
    };
    record.object("dns", |object| version_3(object, message, &formats));
}

/// How answers are written.
struct Formats {
    detailed: bool,
    grouped: bool,
}

impl Formats {
    fn of(options: Setting<'_>) -> Self {
        let formats = options.at("formats");
        let has = |name| formats.items().any(|format| format.text() == Some(name));
        Self {
            detailed: !formats.is_set() || has("detailed"),
            grouped: !formats.is_set() || has("grouped"),
        }
    }
}

fn version_3(object: &mut Object<'_>, message: &Message, formats: &Formats) {
    object.number("version", 3u8);
    let is_answer = message.kind == Kind::Answer;
    object.text("type", if is_answer { "response" } else { "request" });
    object.number("tx_id", message.tx_id);
    object.number("id", message.id);
    flags(object, message);
    object.number("opcode", message.opcode());
    object.text("rcode", &rcode_name(message.rcode()));
    if !message.questions.is_empty() {
        object.objects("queries", &message.questions, |object, question| {
            name(object, "rrname", &question.name);
            object.text("rrtype", &rrtype_name(question.qtype));
        });
    }
    answers(object, message, formats);
    others(object, message);
}

fn version_2(object: &mut Object<'_>, message: &Message, formats: &Formats) {
    object.number("version", 2u8);
    let is_answer = message.kind == Kind::Answer;
    object.text("type", if is_answer { "answer" } else { "query" });
    object.number("id", message.id);
    if is_answer {
        flags(object, message);
        object.number("opcode", message.opcode());
    }
    if let Some(question) = message.questions.first() {
        name(object, "rrname", &question.name);
        object.text("rrtype", &rrtype_name(question.qtype));
    }
    if !is_answer {
        object.number("tx_id", message.tx_id);
        object.number("opcode", message.opcode());
        return;
    }
    object.text("rcode", &rcode_name(message.rcode()));
    answers(object, message, formats);
    others(object, message);
}

fn flags(object: &mut Object<'_>, message: &Message) {
    object.text("flags", &format!("{:x}", message.flags));
    for (bit, name) in [
        (15, "qr"),
        (10, "aa"),
        (9, "tc"),
        (8, "rd"),
        (7, "ra"),
        (6, "z"),
    ] {
        if message.flags >> bit & 1 == 1 {
            object.flag(name, true);
        }
    }
}

fn answers(object: &mut Object<'_>, message: &Message, formats: &Formats) {
    if message.answers.is_empty() {
        return;
    }
    if formats.detailed {
        records(object, "answers", &message.answers);
    }
    if formats.grouped {
        object.object("grouped", |object| grouped(object, &message.answers));
    }
}

fn others(object: &mut Object<'_>, message: &Message) {
    for (section, key, list) in [
        (2, "authorities", &message.authorities),
        (3, "additionals", &message.additionals),
    ] {
        // EDNS without options says nothing (RFC 6891 section 6.1)
        let told = list.iter().filter(|record| !is_bare_opt(record));
        if told.clone().next().is_some() && message.broken != Some(section) {
            records(object, key, told);
        }
    }
}

fn is_bare_opt(record: &Record) -> bool {
    matches!((record.rtype, &record.data), (OPT, RData::Other(bytes)) if bytes.is_empty())
}

fn records<'a>(object: &mut Object<'_>, key: &str, records: impl IntoIterator<Item = &'a Record>) {
    // each text of a TXT record is written as a record of its own
    let entries = records.into_iter().flat_map(|record| {
        let texts = if let RData::Txt(texts) = &record.data {
            texts.len()
        } else {
            1
        };
        (0..texts).map(move |text| (record, text))
    });
    object.objects(key, entries, |object, (record, text)| {
        name(object, "rrname", &record.name);
        object.text("rrtype", &rrtype_name(record.rtype));
        object.number("ttl", record.ttl);
        content(object, "rdata", record, text);
    });
}

/// The content of a record; of TXT one of its texts.
pub(super) fn content(object: &mut Object<'_>, key: &str, record: &Record, text: usize) {
    if let Some(target) = target(record) {
        return name(object, key, target);
    }
    if let Some(text) = plain(record, text) {
        return object.bytes(key, &text);
    }
    match (record.rtype, &record.data) {
        (_, RData::Soa { .. }) => object.object("soa", |object| soa(object, record)),
        (_, RData::Srv { .. }) => object.object("srv", |object| srv(object, record)),
        (SSHFP, RData::Other(bytes)) if bytes.len() >= 2 => {
            object.object("sshfp", |object| sshfp(object, record));
        }
        (OPT, RData::Other(bytes)) => {
            let options = options(bytes);
            if !options.is_empty() {
                object.objects("opt", options, |object, (code, data)| {
                    object.number("code", code);
                    object.text("data", &hex(data));
                });
            }
        }
        _ => {}
    }
}

/// The name that a record's content is.
fn target(record: &Record) -> Option<&Name> {
    match &record.data {
        RData::Cname(name) | RData::Ns(name) | RData::Ptr(name) => Some(name),
        RData::Mx { exchange, .. } => Some(exchange),
        RData::A(_)
        | RData::Aaaa(_)
        | RData::Soa { .. }
        | RData::Srv { .. }
        | RData::Txt(_)
        | RData::Other(_) => None,
    }
}

/// Content that is written as text.
fn plain(record: &Record, text: usize) -> Option<Vec<u8>> {
    match (record.rtype, &record.data) {
        (_, RData::A(v4)) => Some(v4.to_string().into_bytes()),
        (_, RData::Aaaa(v6)) => Some(address(IpAddr::V6(*v6)).into_bytes()),
        (_, RData::Txt(texts)) => texts.get(text).map(|text| text.to_vec()),
        // neither address nor name, as in the deletions of RFC 2136 section 2.5
        (A | AAAA | NS | CNAME | PTR | MX, RData::Other(_)) => Some(Vec::new()),
        (NULL, RData::Other(bytes)) => Some(bytes.to_vec()),
        _ => None,
    }
}

fn soa(object: &mut Object<'_>, record: &Record) {
    if let RData::Soa {
        mname,
        rname,
        serial,
        refresh,
        retry,
        expire,
        minimum,
    } = &record.data
    {
        name(object, "mname", mname);
        name(object, "rname", rname);
        object.number("serial", *serial);
        object.number("refresh", *refresh);
        object.number("retry", *retry);
        object.number("expire", *expire);
        object.number("minimum", *minimum);
    }
}

pub(super) fn srv(object: &mut Object<'_>, record: &Record) {
    if let RData::Srv {
        priority,
        weight,
        port,
        target,
    } = &record.data
    {
        object.number("priority", *priority);
        object.number("weight", *weight);
        object.number("port", *port);
        name(object, "name", target);
    }
}

/// RFC 4255 section 3.1.
fn sshfp(object: &mut Object<'_>, record: &Record) {
    if let RData::Other(bytes) = &record.data
        && let [algorithm, kind, digest @ ..] = &**bytes
    {
        let pairs = digest.iter().map(|byte| format!("{byte:02x}"));
        object.text("fingerprint", &pairs.collect::<Vec<_>>().join(":"));
        object.number("algo", *algorithm);
        object.number("type", *kind);
    }
}

/// The options of EDNS (RFC 6891 section 6.1.2).
pub(super) fn options(bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut cursor = Cursor::new(bytes);
    let mut options = Vec::new();
    while let Some(code) = cursor.u16()
        && let Some(data) = cursor.vec16()
    {
        options.push((code, data));
    }
    options
}

/// The answers' content by type.
fn grouped(object: &mut Object<'_>, answers: &[Record]) {
    const TEXTS: [(u16, &str); 8] = [
        (A, "A"),
        (AAAA, "AAAA"),
        (CNAME, "CNAME"),
        (MX, "MX"),
        (NS, "NS"),
        (NULL, "NULL"),
        (PTR, "PTR"),
        (TXT, "TXT"),
    ];
    let of = |rtype: u16| answers.iter().filter(move |record| record.rtype == rtype);
    for (rtype, key) in TEXTS {
        if of(rtype).next().is_none() {
            continue;
        }
        let texts = of(rtype).flat_map(|record| match (target(record), &record.data) {
            (Some(name), _) => vec![name.bytes().to_vec()],
            (None, RData::Txt(texts)) => texts.iter().map(|text| text.to_vec()).collect(),
            (None, _) => plain(record, 0).into_iter().collect(),
        });
        object.texts(key, texts);
    }
    let is_soa = |record: &&Record| matches!(record.data, RData::Soa { .. });
    let is_srv = |record: &&Record| matches!(record.data, RData::Srv { .. });
    if answers.iter().any(|record| is_soa(&record)) {
        object.objects("SOA", answers.iter().filter(is_soa), soa);
    }
    if answers.iter().any(|record| is_srv(&record)) {
        object.objects("SRV", answers.iter().filter(is_srv), srv);
    }
    if of(SSHFP).next().is_some() {
        object.objects("SSHFP", of(SSHFP), sshfp);
    }
}

/// A name, and whether some of it is missing.
pub(super) fn name(object: &mut Object<'_>, key: &str, name: &Name) {
    object.bytes(key, name.bytes());
    if name.cut().is_some() {
        object.flag(&format!("{key}_truncated"), true);
    }
}

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const NULL: u16 = 10;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const OPT: u16 = 41;
const SSHFP: u16 = 44;
