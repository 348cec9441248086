//! MQTT: the messages of an exchange, in either direction, belong to the side that began it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a keyword asks of one kind of message"
)]

use packet::AppProto;
use packet::applayer::mqtt::{Body, Connect, Exchange, Packet};

use super::app::{self, Get, nameless, table};
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::scene::{Buffer, Scene, Sides};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "mqtt.type",
        "number|CONNECT|PUBLISH|...",
        "The type of a message.",
        |rule, arg| app::compare(rule, arg, &TYPE, 0..=255, table(TYPES)),
    ),
    Keyword::call(
        "mqtt.protocol_version",
        "number",
        "The version of the protocol.",
        |rule, arg| app::compare(rule, arg, &VERSION, 0..=255, nameless),
    ),
    Keyword::call(
        "mqtt.qos",
        "0|1|2",
        "The quality of service of a message.",
        qos,
    ),
    Keyword::call(
        "mqtt.flags",
        "[!]dup|[!]retain[,...]|number",
        "The flags of a message.",
        |rule, arg| app::flags(rule, arg, &FLAGS, 0..=255, &[("dup", 8), ("retain", 1)]),
    ),
    Keyword::call(
        "mqtt.reason_code",
        "number",
        "The reason code of a message, or the code that CONNACK returns.",
        |rule, arg| app::compare(rule, arg, &REASON_CODE, 0..=255, nameless),
    ),
    Keyword::call(
        "mqtt.connect.flags",
        "[!]name[,[!]name...]|number",
        "The flags of CONNECT: username, password, will, will_retain, clean_session.",
        |rule, arg| app::flags(rule, arg, &CONNECT_FLAGS, 0..=255, CONNECT_FLAG_NAMES),
    ),
    Keyword::call(
        "mqtt.connack.session_present",
        "0|1",
        "The server remembers the client.",
        session_present,
    ),
    Keyword::sticky(
        "mqtt.connect.clientid",
        "The client's name for itself.",
        &CLIENT_ID,
    ),
    Keyword::sticky("mqtt.connect.username", "The user's name.", &USERNAME),
    Keyword::sticky("mqtt.connect.password", "The password.", &PASSWORD),
    Keyword::sticky(
        "mqtt.connect.protocol_string",
        "The protocol's name.",
        &PROTOCOL,
    ),
    Keyword::sticky(
        "mqtt.connect.willtopic",
        "The topic of the client's will.",
        &WILL_TOPIC,
    ),
    Keyword::sticky(
        "mqtt.connect.willmessage",
        "The client's will.",
        &WILL_MESSAGE,
    ),
    Keyword::sticky(
        "mqtt.publish.topic",
        "A topic that is published to.",
        &PUBLISH_TOPIC,
    ),
    Keyword::sticky(
        "mqtt.publish.message",
        "What is published.",
        &PUBLISH_MESSAGE,
    ),
    Keyword::sticky(
        "mqtt.subscribe.topic",
        "A topic that is subscribed to.",
        &SUBSCRIBE_TOPIC,
    ),
    Keyword::sticky(
        "mqtt.unsubscribe.topic",
        "A topic that is no longer subscribed to.",
        &UNSUBSCRIBE_TOPIC,
    ),
];

const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Mqtt], sides, get)
}

static TYPE: Buffer = buffer("mqtt.type", Sides::Both, |scene, values| {
    app::push(values, packets(scene).map(|packet| packet.kind));
});

static VERSION: Buffer = buffer("mqtt.protocol_version", Sides::Client, |scene, values| {
    app::push(
        values,
        scene.of::<Exchange>().map(|exchange| exchange.version),
    );
});

static QOS: Buffer = buffer("mqtt.qos", Sides::Client, |scene, values| {
    app::push(values, packets(scene).map(|packet| packet.qos));
});

static FLAGS: Buffer = buffer("mqtt.flags", Sides::Client, |scene, values| {
    let flags = |packet: &Packet| u8::from(packet.dup) << 3 | u8::from(packet.retain);
    app::push(values, packets(scene).map(flags));
});

static REASON_CODE: Buffer = buffer("mqtt.reason_code", Sides::Both, |scene, values| {
    let codes = packets(scene).flat_map(|packet| match &packet.body {
        Body::Connack { return_code, .. } => vec![*return_code],
        Body::Ack { reason_code, .. } | Body::Reason { reason_code, .. } => {
            reason_code.iter().copied().collect()
        }
        Body::Granted { codes, .. } => codes.clone().unwrap_or_default(),
        Body::Connect(_)
        | Body::Publish { .. }
        | Body::Subscribe { .. }
        | Body::Unsubscribe { .. }
        | Body::Ping
        | Body::Truncated(_)
        | Body::Nothing => Vec::new(),
    });
    app::push(values, codes);
});

static CONNECT_FLAGS: Buffer = buffer("mqtt.connect.flags", Sides::Client, |scene, values| {
    app::push(values, connects(scene).map(|connect| connect.flags));
});

static SESSION_PRESENT: Buffer = buffer(
    "mqtt.connack.session_present",
    Sides::Server,
    |scene, values| {
        let present = packets(scene).filter_map(|packet| match &packet.body {
            Body::Connack {
                session_present, ..
            } => Some(*session_present),
            _ => None,
        });
        app::push(values, present);
    },
);

static CLIENT_ID: Buffer = buffer("mqtt.connect.clientid", Sides::Client, |scene, values| {
    let names = connects(scene).map(|connect| &connect.client_id);
    names
        .filter(|name| !name.is_empty())
        .for_each(|name| values.push(name));
});
static USERNAME: Buffer = buffer("mqtt.connect.username", Sides::Client, |scene, values| {
    connects(scene).for_each(|connect| values.maybe(connect.username.as_deref()));
});
static PASSWORD: Buffer = buffer("mqtt.connect.password", Sides::Client, |scene, values| {
    connects(scene).for_each(|connect| values.maybe(connect.password.as_deref()));
});
static PROTOCOL: Buffer = buffer(
    "mqtt.connect.protocol_string",
    Sides::Client,
    |scene, values| {
        connects(scene).for_each(|connect| values.push(&connect.protocol));
    },
);
static WILL_TOPIC: Buffer = buffer("mqtt.connect.willtopic", Sides::Client, |scene, values| {
    let wills = connects(scene).filter_map(|connect| connect.will.as_ref());
    wills.for_each(|will| values.push(&will.topic));
});
static WILL_MESSAGE: Buffer = buffer(
    "mqtt.connect.willmessage",
    Sides::Client,
    |scene, values| {
        let wills = connects(scene).filter_map(|connect| connect.will.as_ref());
        wills.for_each(|will| values.push(&will.message));
    },
);

static PUBLISH_TOPIC: Buffer = buffer("mqtt.publish.topic", Sides::Both, |scene, values| {
    for packet in packets(scene) {
        if let Body::Publish { topic, .. } = &packet.body {
            values.push(topic);
        }
    }
});

static PUBLISH_MESSAGE: Buffer = buffer("mqtt.publish.message", Sides::Both, |scene, values| {
    for packet in packets(scene) {
        if let Body::Publish { message, .. } = &packet.body {
            values.push(message);
        }
    }
});

static SUBSCRIBE_TOPIC: Buffer = buffer("mqtt.subscribe.topic", Sides::Client, |scene, values| {
    for packet in packets(scene) {
        if let Body::Subscribe { topics, .. } = &packet.body {
            topics.iter().for_each(|(topic, _)| values.push(topic));
        }
    }
})
.multiple();

static UNSUBSCRIBE_TOPIC: Buffer =
    buffer("mqtt.unsubscribe.topic", Sides::Client, |scene, values| {
        for packet in packets(scene) {
            if let Body::Unsubscribe { topics, .. } = &packet.body {
                topics.iter().for_each(|topic| values.push(topic));
            }
        }
    })
    .multiple();

fn packets<'s>(scene: &Scene<'s>) -> impl Iterator<Item = &'s Packet> {
    let exchange = scene.of::<Exchange>().into_iter();
    exchange.flat_map(|exchange| &exchange.packets)
}

fn connects<'s>(scene: &Scene<'s>) -> impl Iterator<Item = &'s Connect> {
    packets(scene).filter_map(|packet| match &packet.body {
        Body::Connect(connect) => Some(&**connect),
        _ => None,
    })
}

fn qos(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    app::word(rule, arg, &QOS, &[("0", 0), ("1", 1), ("2", 2)])
}

fn session_present(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    app::word(rule, arg, &SESSION_PRESENT, &[("0", 0), ("1", 1)])
}

const CONNECT_FLAG_NAMES: &[(&str, u64)] = &[
    ("username", 0x80),
    ("password", 0x40),
    ("will_retain", 0x20),
    ("will", 0x04),
    ("clean_session", 0x02),
];

/// Types of messages (MQTT 5 section 2.1.2).
const TYPES: &[(&str, u64)] = &[
    ("unassigned", 0),
    ("connect", 1),
    ("connack", 2),
    ("publish", 3),
    ("puback", 4),
    ("pubrec", 5),
    ("pubrel", 6),
    ("pubcomp", 7),
    ("subscribe", 8),
    ("suback", 9),
    ("unsubscribe", 10),
    ("unsuback", 11),
    ("pingreq", 12),
    ("pingresp", 13),
    ("disconnect", 14),
    ("auth", 15),
];
