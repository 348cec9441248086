//! The `dns` record: version 3 of Suricata's.

use std::net::IpAddr;

use super::message::{Kind, Message, RData, Record};
use crate::applayer::{AppProto, Transaction};
use crate::eve::address;
use crate::flow::Direction;
use crate::json::Object;
use crate::settings::Setting;

impl Transaction for Message {
    fn app(&self) -> AppProto {
        AppProto::Dns
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn direction(&self) -> Direction {
        match self.kind {
            Kind::Query => Direction::ToServer,
            Kind::Answer => Direction::ToClient,
        }
    }

    fn is_logged(&self, options: Setting<'_>) -> bool {
        let side = match self.kind {
            Kind::Query => "requests",
            Kind::Answer => "responses",
        };
        let types = options.at("types");
        let asked = || {
            self.questions
                .iter()
                .map(|question| rrtype_name(question.qtype))
        };
        let is_wanted = |name: &str| {
            let mut names = types.items().filter_map(Setting::text);
            names.any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        options.at(side).flag().unwrap_or(true)
            && (!types.is_set() || asked().any(|name| is_wanted(&name)))
    }

    fn log(&self, record: &mut Object<'_>, options: Setting<'_>) {
        record.object("dns", |object| dns(object, self, &Formats::of(options)));
    }
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

/// Version 3 of Suricata's DNS record.
fn dns(object: &mut Object<'_>, message: &Message, formats: &Formats) {
    let is_answer = message.kind == Kind::Answer;
    object.number("version", 3u8);
    object.text("type", if is_answer { "response" } else { "request" });
    object.number("tx_id", message.tx_id);
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
    let detailed = if formats.detailed {
        &message.answers[..]
    } else {
        &[]
    };
    for (key, records) in [
        ("answers", detailed),
        ("authorities", &message.authorities[..]),
        ("additionals", &message.additionals[..]),
    ] {
        if !records.is_empty() {
            object.objects(key, records, dns_record);
        }
    }
    if formats.grouped {
        dns_grouped(object, &message.answers);
    }
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
