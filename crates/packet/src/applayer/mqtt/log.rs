//! The `mqtt` record: an object for each message of the exchange, named by its type.

use super::packet::{Body, Connect, Packet, SUBACK};
use super::property::{Property, Value};
use super::transaction::Exchange;
use crate::applayer::{AppProto, Transaction};
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Exchange {
    fn app(&self) -> AppProto {
        AppProto::Mqtt
    }

    fn id(&self) -> u32 {
        self.id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    /// All belongs to who began it.
    fn parts(&self) -> &'static [Part] {
        Part::of(self.direction)
    }

    fn log(&self, record: &mut Object<'_>, options: Setting<'_>) {
        let format = Format {
            passwords: options.at("passwords").flag().unwrap_or(true),
            text_max: match options.at("string-log-limit").bytes() {
                Some(0) => usize::MAX,
                Some(max) => usize::try_from(max).unwrap_or(usize::MAX),
                None => TEXT_MAX,
            },
        };
        record.object("mqtt", |object| {
            for packet in &self.packets {
                if let Some(name) = NAMES
                    .get(usize::from(packet.kind))
                    .filter(|n| !n.is_empty())
                {
                    object.object(name, |object| format.packet(object, packet));
                }
            }
        });
    }
}

/// Longest text logged unless the record type's `string-log-limit` says otherwise, bytes.
const TEXT_MAX: usize = 1024;

const NAMES: [&str; 16] = [
    "",
    "connect",
    "connack",
    "publish",
    "puback",
    "pubrec",
    "pubrel",
    "pubcomp",
    "subscribe",
    "suback",
    "unsubscribe",
    "unsuback",
    "pingreq",
    "pingresp",
    "disconnect",
    "auth",
];

struct Format {
    passwords: bool,
    text_max: usize,
}

impl Format {
    fn packet(&self, object: &mut Object<'_>, packet: &Packet) {
        object.number("qos", packet.qos);
        object.flag("retain", packet.retain);
        object.flag("dup", packet.dup);
        match &packet.body {
            Body::Connect(connect) => self.connect(object, connect),
            Body::Connack {
                session_present,
                return_code,
                properties,
            } => {
                object.flag("session_present", *session_present);
                object.number("return_code", *return_code);
                self.properties(object, properties);
            }
            Body::Publish {
                topic,
                message_id,
                message,
                properties,
            } => {
                self.text(object, "topic", topic);
                if let Some(id) = message_id {
                    object.number("message_id", *id);
                }
                self.text(object, "message", message);
                self.properties(object, properties);
            }
            Body::Ack {
                message_id,
                reason_code,
                properties,
            } => {
                object.number("message_id", *message_id);
                self.reason(object, *reason_code, properties);
            }
            Body::Subscribe { .. } | Body::Unsubscribe { .. } => self.topics(object, &packet.body),
            Body::Granted {
                message_id,
                codes,
                properties,
            } => {
                object.number("message_id", *message_id);
                if let Some(codes) = codes {
                    let is_suback = packet.kind == SUBACK;
                    let name = if is_suback {
                        "qos_granted"
                    } else {
                        "reason_codes"
                    };
                    object.numbers(name, codes.iter().copied());
                }
                self.properties(object, properties);
            }
            Body::Reason {
                reason_code,
                properties,
            } => self.reason(object, *reason_code, properties),
            Body::Truncated(len) => {
                object.flag("truncated", true);
                object.number("skipped_length", *len);
            }
            Body::Ping | Body::Nothing => {}
        }
    }

    fn connect(&self, object: &mut Object<'_>, connect: &Connect) {
        self.text(object, "protocol_string", &connect.protocol);
        object.number("protocol_version", connect.version);
        self.text(object, "client_id", &connect.client_id);
        object.object("flags", |object| {
            for (name, bit) in [
                ("username", 0x80),
                ("password", 0x40),
                ("will_retain", 0x20),
                ("will", 0x04),
                ("clean_session", 0x02),
            ] {
                object.flag(name, connect.flags & bit != 0);
            }
        });
        if let Some(username) = &connect.username {
            self.text(object, "username", username);
        }
        if let Some(password) = connect.password.as_ref().filter(|_| self.passwords) {
            self.text(object, "password", password);
        }
        if let Some(will) = &connect.will {
            object.object("will", |object| {
                self.text(object, "topic", &will.topic);
                self.text(object, "message", &will.message);
                self.properties(object, &will.properties);
            });
        }
        self.properties(object, &connect.properties);
    }

    fn topics(&self, object: &mut Object<'_>, body: &Body) {
        match body {
            Body::Subscribe {
                message_id,
                topics,
                properties,
            } => {
                object.number("message_id", *message_id);
                object.objects("topics", topics, |object, (topic, qos)| {
                    self.text(object, "topic", topic);
                    object.number("qos", *qos);
                });
                self.properties(object, properties);
            }
            Body::Unsubscribe {
                message_id,
                topics,
                properties,
            } => {
                object.number("message_id", *message_id);
                object.texts("topics", topics.iter().map(|topic| self.cut(topic)));
                self.properties(object, properties);
            }
            Body::Connect(_)
            | Body::Connack { .. }
            | Body::Publish { .. }
            | Body::Ack { .. }
            | Body::Granted { .. }
            | Body::Reason { .. }
            | Body::Ping
            | Body::Truncated(_)
            | Body::Nothing => {}
        }
    }

    fn reason(&self, object: &mut Object<'_>, code: Option<u8>, properties: &[Property]) {
        if let Some(code) = code {
            object.number("reason_code", code);
        }
        self.properties(object, properties);
    }

    fn properties(&self, object: &mut Object<'_>, properties: &[Property]) {
        if properties.is_empty() {
            return;
        }
        object.object("properties", |object| {
            for property in properties {
                let name = String::from_utf8_lossy(&property.name);
                match &property.value {
                    Value::Number(number) => object.number(&name, *number),
                    Value::Bytes(bytes) => self.text(object, &name, bytes),
                }
            }
        });
    }

    fn text(&self, object: &mut Object<'_>, key: &str, text: &[u8]) {
        object.bytes(key, &self.cut(text));
    }

    /// A text, of which no more than the limit is shown.
    fn cut(&self, text: &[u8]) -> Vec<u8> {
        let Some((shown, rest)) = text
            .split_at_checked(self.text_max)
            .filter(|(_, rest)| !rest.is_empty())
        else {
            return text.to_vec();
        };
        let mut cut = shown.to_vec();
        let note = format!("[truncated {} additional bytes]", rest.len());
        cut.extend_from_slice(note.as_bytes());
        cut
    }
}
