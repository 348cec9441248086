//! The `enip` record.

use super::cip::{ATTRIBUTE, CLASS, Cip, INSTANCE, Segment, Status};
use super::message::{Content, Identity, Message};
use super::names::{
    cip_status_name, class_name, command_name, device_type_name, extended_status_name,
    service_name, status_name,
};
use super::transaction::Exchange;
use super::vendors::vendor_name;
use crate::applayer::{AppProto, Transaction};
use crate::bytes::hex;
use crate::json::Object;
use crate::settings::Setting;

impl Transaction for Exchange {
    fn app(&self) -> AppProto {
        AppProto::Enip
    }

    fn id(&self) -> u32 {
        self.id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("enip", |object| {
            if let Some(request) = &self.request {
                object.object("request", |object| message(object, request));
            }
            if let Some(response) = &self.response {
                object.object("response", |object| message(object, response));
            }
        });
    }
}

/// A name, or the number that has none.
fn named(name: Option<&str>, number: impl Into<u64>) -> String {
    name.map_or_else(|| format!("unknown-{}", number.into()), str::to_owned)
}

fn message(object: &mut Object<'_>, message: &Message) {
    object.text(
        "command",
        &named(command_name(message.command), message.command),
    );
    object.text(
        "status",
        &named(status_name(message.status), message.status),
    );
    match &message.content {
        Content::Nothing => {}
        Content::Session(version, options) => object.object("register_session", |object| {
            object.number("protocol_version", *version);
            object.number("options", *options);
        }),
        Content::Service(version, capabilities, name) => {
            object.object("list_services", |object| {
                object.number("protocol_version", *version);
                object.number("capabilities", *capabilities);
                object.bytes("service_name", name);
            });
        }
        Content::Identity(found) => object.object("identity", |object| identity(object, found)),
        Content::Cip(found) => object.object("cip", |object| cip(object, found)),
    }
}

fn identity(object: &mut Object<'_>, identity: &Identity) {
    object.number("protocol_version", identity.protocol_version);
    let (major, minor) = identity.revision;
    object.text("revision", &format!("{major}.{minor}"));
    let vendor = named(vendor_name(identity.vendor), identity.vendor);
    object.text("vendor_id", &vendor);
    let kind = identity.device_type;
    object.text("device_type", &named(device_type_name(kind), kind));
    object.number("product_code", identity.product_code);
    object.number("status", identity.status);
    object.number("serial", identity.serial);
    object.bytes("product_name", &identity.product_name);
    object.number("state", identity.state);
}

fn cip(object: &mut Object<'_>, message: &Cip) {
    object.text(
        "service",
        &named(service_name(message.service), message.service),
    );
    if let Some(status) = &message.status {
        write_status(object, status);
    }
    if !message.path.is_empty() {
        object.objects("path", &message.path, segment);
    }
    if let Some(class) = message.class() {
        object.text("class_name", &named(class_name(class), class));
    }
    if !message.multiple.is_empty() {
        object.objects("multiple", &message.multiple, cip);
    }
}

fn write_status(object: &mut Object<'_>, status: &Status) {
    let name = cip_status_name(status.general);
    object.text("status", &named(name, status.general));
    if status.extended.is_empty() {
        return;
    }
    // as it is logged in the field, one octet for each word
    let shown = status.extended.len().div_ceil(2);
    let shown = status.extended.get(..shown).unwrap_or_default();
    object.text("status_extended", &hex(shown));
    let first = status.extended.first_chunk().copied();
    let meaning = first.and_then(|word| extended_status_name(u16::from_le_bytes(word)));
    if let Some(meaning) = meaning {
        object.text("status_extended_meaning", meaning);
    }
}

fn segment(object: &mut Object<'_>, segment: &Segment) {
    match segment {
        Segment::Number(kind, value) => {
            let name = match *kind {
                CLASS => Some("class"),
                INSTANCE => Some("instance"),
                ATTRIBUTE => Some("attribute"),
                _ => None,
            };
            object.text("segment_type", &named(name, *kind));
            object.number("value", *value);
        }
        Segment::Port(port) => {
            object.text("segment_type", "port");
            object.number("value", *port);
        }
        Segment::Symbol(name) => {
            object.text("segment_type", "symbol");
            object.bytes("name", name);
        }
    }
}
