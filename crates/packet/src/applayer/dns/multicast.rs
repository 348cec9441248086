//! The `mdns` record of multicast DNS (RFC 6762).

use super::log::{content, name, options, srv};
use super::message::{Kind, Message, RData, Record};
use super::types::rrtype_name;
use crate::bytes::hex;
use crate::json::Object;

pub(super) fn write(object: &mut Object<'_>, message: &Message) {
    let is_answer = message.kind == Kind::Answer;
    object.text("type", if is_answer { "response" } else { "request" });
    object.number("id", message.id);
    let flags = [(10, "aa"), (9, "tc"), (8, "rd"), (7, "ra"), (6, "z")];
    let mut set = flags
        .iter()
        .filter(|(bit, _)| message.flags >> bit & 1 == 1);
    if let Some(first) = set.next() {
        object.texts(
            "flags",
            std::iter::once(first).chain(set).map(|(_, name)| name),
        );
    }
    object.number("opcode", message.opcode());
    object.number("rcode", message.rcode());
    if !message.questions.is_empty() {
        object.objects("queries", &message.questions, |object, question| {
            name(object, "rrname", &question.name);
            object.text("rrtype", &rrtype_name(question.qtype).to_ascii_lowercase());
        });
    }
    for (key, list) in [
        ("answers", &message.answers),
        ("authorities", &message.authorities),
        ("additionals", &message.additionals),
    ] {
        if !list.is_empty() {
            object.objects(key, list, record);
        }
    }
}

fn record(object: &mut Object<'_>, record: &Record) {
    const OPT: u16 = 41;
    const NSEC: u16 = 47;
    name(object, "rrname", &record.name);
    let kind = rrtype_name(record.rtype).to_ascii_lowercase();
    match (record.rtype, &record.data) {
        (_, RData::Txt(texts)) => object.texts("txt", texts),
        (_, RData::Srv { .. }) => object.object("srv", |object| srv(object, record)),
        (NSEC, RData::Other(bytes)) => object.bytes("nsec", bytes),
        (OPT, RData::Other(bytes)) => {
            object.objects("opt", options(bytes), |object, (code, data)| {
                object.number("code", code);
                object.text("data", &hex(data));
            });
        }
        _ => content(object, &kind, record, 0),
    }
}
