//! Records of application-layer transactions.

use std::net::IpAddr;

use packet::applayer::dns::{Kind, Message, RData, Record};
use packet::applayer::{http1, tls};
use packet::{Flow, Transaction};

use super::flow::write_vlan;
use super::json::Object;
use super::{address, write_flow_head};

/// HTTP comes twice and is logged when it is complete.
pub(super) fn is_logged(transaction: &Transaction<'_>) -> bool {
    is_last(transaction)
}

/// Whether nothing more will come of the transaction.
pub(super) fn is_last(transaction: &Transaction<'_>) -> bool {
    match transaction {
        Transaction::Http(http) => http.phase == http1::Phase::Complete,
        Transaction::Dns(_) | Transaction::Tls(_) => true,
    }
}

pub(super) fn write(
    object: &mut Object<'_>,
    flow: &Flow,
    transaction: &Transaction<'_>,
    tx_id: u32,
) {
    let forward = !matches!(transaction, Transaction::Dns(message) if message.kind == Kind::Answer);
    let app = transaction.app().name();
    write_flow_head(object, app, Some(flow.id), &flow.tuple, forward);
    write_vlan(object, flow);
    match transaction {
        Transaction::Dns(message) => object.object("dns", |object| {
            dns(object, message);
            object.number("tx_id", tx_id);
        }),
        Transaction::Http(_) => {
            object.number("tx_id", tx_id);
            write_fields(object, transaction);
        }
        Transaction::Tls(_) => write_fields(object, transaction),
    }
}

/// The protocol's own object, which alerts carry too.
pub(super) fn write_fields(object: &mut Object<'_>, transaction: &Transaction<'_>) {
    match transaction {
        Transaction::Dns(message) => object.object("dns", |object| dns(object, message)),
        Transaction::Http(http) => object.object("http", |object| self::http(object, http)),
        Transaction::Tls(hello) => object.object("tls", |object| tls(object, hello)),
    }
}

fn http(object: &mut Object<'_>, http: &http1::Transaction) {
    if let Some(host) = http.host() {
        let (name, port) = split_port(host);
        object.bytes("hostname", name);
        if let Some(port) = port {
            object.number("http_port", port);
        }
    }
    if !http.target().is_empty() {
        object.bytes("url", http.target());
    }
    for (field, key) in [
        (&b"user-agent"[..], "http_user_agent"),
        (b"referer", "http_refer"),
    ] {
        if let Some(value) = http.header(field) {
            object.bytes(key, value);
        }
    }
    let response = |field: &[u8]| http.response().and_then(|head| head.header(field));
    if let Some(value) = response(b"content-type") {
        let end = value.bytes.iter().position(|byte| *byte == b';');
        let kind = end
            .and_then(|end| value.bytes.get(..end))
            .unwrap_or(value.bytes);
        object.bytes("http_content_type", kind);
    }
    if !http.method().is_empty() {
        object.bytes("http_method", http.method());
    }
    if !http.version().is_empty() {
        object.bytes("protocol", http.version());
    }
    if let Some(status) = http.status {
        object.number("status", status);
    }
    if let Some(value) = response(b"location") {
        object.bytes("redirect", value.bytes);
    }
    object.number("length", http.response_len);
}

fn tls(object: &mut Object<'_>, hello: &tls::Hello) {
    if let Some(name) = hello.sni() {
        object.bytes("sni", name);
    }
    object.text("version", version_name(hello.version));
    object.object("ja3", |object| {
        object.text("hash", hello.ja3_hash());
        object.text("string", hello.ja3());
    });
    object.text("ja4", hello.ja4());
    if !hello.alpn.is_empty() {
        object.texts("client_alpns", &hello.alpn);
    }
}

/// Version 3 of Suricata's DNS record.
fn dns(object: &mut Object<'_>, message: &Message) {
    let is_answer = message.kind == Kind::Answer;
    object.number("version", 3u8);
    object.text("type", if is_answer { "response" } else { "request" });
    object.number("id", message.id);
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
    object.number("opcode", message.opcode());
    if is_answer {
        object.text("rcode", &rcode_name(message.rcode()));
    }
    if !message.questions.is_empty() {
        object.objects("queries", &message.questions, |object, question| {
            object.bytes("rrname", question.name.bytes());
            object.text("rrtype", &rrtype_name(question.qtype));
        });
    }
    if !is_answer {
        return;
    }
    for (key, records) in [
        ("answers", &message.answers),
        ("authorities", &message.authorities),
        ("additionals", &message.additionals),
    ] {
        if !records.is_empty() {
            object.objects(key, records, dns_record);
        }
    }
    dns_grouped(object, &message.answers);
}

fn dns_record(object: &mut Object<'_>, record: &Record) {
    object.bytes("rrname", record.name.bytes());
    object.text("rrtype", &rrtype_name(record.rtype));
    object.number("ttl", record.ttl);
    if let Some(text) = rdata(&record.data) {
        object.bytes("rdata", &text);
    }
    if let RData::Soa {
        mname,
        rname,
        serial,
    } = &record.data
    {
        object.object("soa", |object| {
            object.bytes("mname", mname.bytes());
            object.bytes("rname", rname.bytes());
            object.number("serial", *serial);
        });
    }
    if let RData::Srv {
        priority,
        weight,
        port,
        target,
    } = &record.data
    {
        object.object("srv", |object| {
            object.number("priority", *priority);
            object.number("weight", *weight);
            object.number("port", *port);
            object.bytes("name", target.bytes());
        });
    }
}

/// The answers' content by type, as Suricata groups it.
fn dns_grouped(object: &mut Object<'_>, answers: &[Record]) {
    const GROUPED: [(u16, &str); 7] = [
        (1, "A"),
        (28, "AAAA"),
        (5, "CNAME"),
        (15, "MX"),
        (2, "NS"),
        (12, "PTR"),
        (16, "TXT"),
    ];
    let of = |rtype: u16| {
        let records = answers.iter().filter(move |record| record.rtype == rtype);
        records.filter_map(|record| rdata(&record.data))
    };
    if !GROUPED.iter().any(|(rtype, _)| of(*rtype).next().is_some()) {
        return;
    }
    object.object("grouped", |object| {
        for (rtype, name) in GROUPED {
            if of(rtype).next().is_some() {
                object.texts(name, of(rtype));
            }
        }
    });
}

fn rdata(data: &RData) -> Option<Vec<u8>> {
    match data {
        RData::A(v4) => Some(v4.to_string().into_bytes()),
        RData::Aaaa(v6) => Some(address(IpAddr::V6(*v6)).into_bytes()),
        RData::Cname(name) | RData::Ns(name) | RData::Ptr(name) => Some(name.bytes().to_vec()),
        RData::Mx { exchange, .. } => Some(exchange.bytes().to_vec()),
        RData::Txt(texts) => Some(texts.concat()),
        RData::Other(bytes) => Some(bytes.to_vec()).filter(|bytes| !bytes.is_empty()),
        RData::Soa { .. } | RData::Srv { .. } => None,
    }
}

fn split_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let colon = host.iter().rposition(|byte| *byte == b':');
    let split = colon.and_then(|colon| host.split_at_checked(colon));
    let port = split.and_then(|(_, port)| std::str::from_utf8(port.get(1..)?).ok()?.parse().ok());
    match split {
        Some((name, _)) if port.is_some() => (name, port),
        Some(_) | None => (host, None),
    }
}

/// IANA's names of the types that are met; others are written by number.
fn rrtype_name(rtype: u16) -> String {
    const NAMES: &[(u16, &str)] = &[
        (1, "A"),
        (2, "NS"),
        (5, "CNAME"),
        (6, "SOA"),
        (10, "NULL"),
        (12, "PTR"),
        (13, "HINFO"),
        (15, "MX"),
        (16, "TXT"),
        (28, "AAAA"),
        (33, "SRV"),
        (35, "NAPTR"),
        (39, "DNAME"),
        (41, "OPT"),
        (43, "DS"),
        (44, "SSHFP"),
        (46, "RRSIG"),
        (47, "NSEC"),
        (48, "DNSKEY"),
        (50, "NSEC3"),
        (52, "TLSA"),
        (64, "SVCB"),
        (65, "HTTPS"),
        (99, "SPF"),
        (251, "IXFR"),
        (252, "AXFR"),
        (255, "ANY"),
        (257, "CAA"),
    ];
    let name = NAMES.iter().find(|(number, _)| *number == rtype);
    name.map_or_else(|| rtype.to_string(), |(_, name)| (*name).to_owned())
}

fn rcode_name(rcode: u8) -> String {
    const NAMES: [&str; 11] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
        "NXRRSET", "NOTAUTH", "NOTZONE",
    ];
    let name = NAMES.get(usize::from(rcode));
    name.map_or_else(|| rcode.to_string(), |name| (*name).to_owned())
}

fn version_name(version: u16) -> &'static str {
    match version {
        0x0300 => "SSLv3",
        0x0301 => "TLSv1",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        0x0304 => "TLS 1.3",
        _ => "UNDETERMINED",
    }
}
