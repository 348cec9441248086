//! The `ike` record.

use super::names;
use super::transaction::{Body, Message};
use super::v1::{Exchange1, Key, Offer};
use super::v2::Exchange2;
use crate::applayer::{AppProto, Transaction};
use crate::bytes::hex;
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Message {
    fn app(&self) -> AppProto {
        AppProto::Ike
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn parts(&self) -> &'static [Part] {
        Part::of(self.direction())
    }

    fn log(&self, record: &mut Object<'_>, options: Setting<'_>) {
        let extended = options.at("extended").flag().unwrap_or(false);
        record.object("ike", |object| {
            let header = &self.header;
            object.number("version_major", header.major());
            object.number("version_minor", header.version & 0x0f);
            object.text("init_spi", &hex(&header.init_spi));
            object.text("resp_spi", &hex(&header.resp_spi));
            object.number("message_id", header.message_id);
            object.number("exchange_type", header.exchange);
            match &self.body {
                Body::One(exchange) => {
                    let name = names::exchange_1(header.exchange);
                    if let Some(name) = name.filter(|_| extended) {
                        object.text("exchange_type_verbose", name);
                    }
                    version_1(object, exchange);
                }
                Body::Two(exchange) => version_2(object, exchange),
            }
        });
    }
}

fn version_1(object: &mut Object<'_>, exchange: &Exchange1) {
    offer(object, &exchange.chosen);
    if exchange.server_offers.len() > 1 {
        object.objects("server_proposals", &exchange.server_offers, offer);
    }
    let payloads = exchange.payloads.iter();
    object.texts(
        "payload",
        payloads.filter_map(|kind| names::payload_1(*kind)),
    );
    object.object("ikev1", |object| {
        if let Some(doi) = exchange.doi {
            object.number("doi", doi);
        }
        object.flag("encrypted_payloads", exchange.encrypted);
        if exchange.encrypted {
            return;
        }
        object.object("client", |object| {
            key(object, &exchange.client_key);
            if !exchange.client_offers.is_empty() {
                object.objects("proposals", &exchange.client_offers, offer);
            }
        });
        object.object("server", |object| key(object, &exchange.server_key));
        if !exchange.vendors.is_empty() {
            object.texts(
                "vendor_ids",
                exchange.vendors.iter().map(|vendor| hex(vendor)),
            );
        }
    });
}

/// The attributes of an offer; of those that are there twice the first.
fn offer(object: &mut Object<'_>, offer: &Offer) {
    for (at, attribute) in offer.iter().enumerate() {
        let mut before = offer.iter().take(at);
        if before.any(|earlier| earlier.kind == attribute.kind) {
            continue;
        }
        let (key, name) = names::attribute(attribute.kind, attribute.value);
        object.text(key, name.unwrap_or("Unknown"));
        object.number(&format!("{key}_raw"), attribute.value);
    }
}

fn key(object: &mut Object<'_>, key: &Key) {
    for (name, bytes) in [
        ("key_exchange_payload", &key.exchange),
        ("nonce_payload", &key.nonce),
    ] {
        if !bytes.is_empty() {
            object.text(name, &hex(bytes));
            object.number(&format!("{name}_length"), crate::bytes::len32(bytes.len()));
        }
    }
}

fn version_2(object: &mut Object<'_>, exchange: &Exchange2) {
    let named = |name: Option<&str>, number: u16, kind: &str| match name {
        Some(name) => name.to_owned(),
        None => format!("{kind}({number} / {number:#x})"),
    };
    if exchange.initiator {
        object.text("role", "initiator");
    } else {
        object.text("role", "responder");
        let chosen = &exchange.chosen;
        // without encryption
        let cipher = chosen.encryption.unwrap_or(11);
        for (key, name, number, kind) in [
            (
                "alg_enc",
                names::encryption(cipher),
                cipher,
                "IkeTransformEncType",
            ),
            (
                "alg_auth",
                names::integrity(chosen.integrity),
                chosen.integrity,
                "IkeTransformAuthType",
            ),
            (
                "alg_prf",
                names::prf(chosen.prf),
                chosen.prf,
                "IkeTransformPRFType",
            ),
            (
                "alg_dh",
                names::group(chosen.group),
                chosen.group,
                "IkeTransformDHType",
            ),
            (
                "alg_esn",
                names::sequence(chosen.sequence),
                chosen.sequence,
                "IkeTransformESNType",
            ),
        ] {
            object.text(key, &named(name, number, kind));
        }
    }
    let payloads = exchange.payloads.iter();
    let payloads =
        payloads.map(|kind| named(names::payload_2(*kind), u16::from(*kind), "IkePayloadType"));
    object.texts("payload", payloads);
    object.object("ikev2", |object| {
        let notifications = &exchange.notifications;
        // RFC 7296 section 3.10.1
        let errors = notifications.iter().filter(|kind| **kind < 16384).count();
        object.number("errors", crate::bytes::len32(errors));
        if !notifications.is_empty() {
            let names = notifications.iter();
            let names = names.map(|kind| named(names::notification(*kind), *kind, "NotifyType"));
            object.texts("notify", names);
        }
    });
}
