//! MQTT control packets (MQTT 5 section 3, MQTT 3.1.1 section 3).

use super::property::{Property, properties};
use crate::bytes::Cursor;

/// Most topics kept of one subscription; more make the message malformed.
pub const TOPICS_MAX: usize = 16_384;

/// A control packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Type from the fixed header, 0 to 15.
    pub kind: u8,
    /// The packet is sent again.
    pub dup: bool,
    /// Quality of service, 0 to 2.
    pub qos: u8,
    /// The server keeps the message for who subscribes later.
    pub retain: bool,
    /// What it says.
    pub body: Body,
    /// Bytes that it keeps, about.
    size: usize,
}

/// What a control packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// CONNECT.
    Connect(Box<Connect>),
    /// CONNACK.
    Connack {
        /// The server remembers the client.
        session_present: bool,
        /// 0 is yes.
        return_code: u8,
        /// Version 5.
        properties: Vec<Property>,
    },
    /// PUBLISH.
    Publish {
        /// Topic.
        topic: Vec<u8>,
        /// Identifier, where the quality of service is above 0.
        message_id: Option<u16>,
        /// The message.
        message: Vec<u8>,
        /// Version 5.
        properties: Vec<Property>,
    },
    /// PUBACK, PUBREC, PUBREL, PUBCOMP.
    Ack {
        /// Identifier of the PUBLISH.
        message_id: u16,
        /// Version 5.
        reason_code: Option<u8>,
        /// Version 5.
        properties: Vec<Property>,
    },
    /// SUBSCRIBE.
    Subscribe {
        /// Identifier.
        message_id: u16,
        /// Topic filters, each with the quality of service asked for.
        topics: Vec<(Vec<u8>, u8)>,
        /// Version 5.
        properties: Vec<Property>,
    },
    /// UNSUBSCRIBE.
    Unsubscribe {
        /// Identifier.
        message_id: u16,
        /// Topic filters.
        topics: Vec<Vec<u8>>,
        /// Version 5.
        properties: Vec<Property>,
    },
    /// SUBACK and UNSUBACK.
    Granted {
        /// Identifier of the request.
        message_id: u16,
        /// A code for each topic; none in an UNSUBACK before version 5.
        codes: Option<Vec<u8>>,
        /// Version 5.
        properties: Vec<Property>,
    },
    /// DISCONNECT and AUTH.
    Reason {
        /// Version 5.
        reason_code: Option<u8>,
        /// Version 5.
        properties: Vec<Property>,
    },
    /// PINGREQ and PINGRESP.
    Ping,
    /// Longer than what is read: so many bytes in all.
    Truncated(u64),
    /// Type 0, which no version knows, or what makes no sense.
    Nothing,
}

/// What CONNECT says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// `MQTT` or `MQIsdp`.
    pub protocol: Vec<u8>,
    /// 3, 4 or 5.
    pub version: u8,
    /// Flags as sent: user name, password, will retain, will quality of service (two bits), will,
    /// clean session.
    pub flags: u8,
    /// Name that the client gives itself.
    pub client_id: Vec<u8>,
    /// What the server publishes when the client is lost.
    pub will: Option<Will>,
    /// User name.
    pub username: Option<Vec<u8>>,
    /// Password.
    pub password: Option<Vec<u8>>,
    /// Version 5.
    pub properties: Vec<Property>,
}

/// What the server publishes when the client is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// Topic.
    pub topic: Vec<u8>,
    /// Message.
    pub message: Vec<u8>,
    /// Version 5.
    pub properties: Vec<Property>,
}

pub(super) const CONNECT: u8 = 1;
pub(super) const CONNACK: u8 = 2;
pub(super) const PUBLISH: u8 = 3;
pub(super) const PUBACK: u8 = 4;
pub(super) const PUBREC: u8 = 5;
pub(super) const PUBREL: u8 = 6;
pub(super) const PUBCOMP: u8 = 7;
pub(super) const SUBSCRIBE: u8 = 8;
pub(super) const SUBACK: u8 = 9;
pub(super) const UNSUBSCRIBE: u8 = 10;
pub(super) const UNSUBACK: u8 = 11;
pub(super) const PINGREQ: u8 = 12;
pub(super) const PINGRESP: u8 = 13;
pub(super) const DISCONNECT: u8 = 14;

impl Packet {
    /// A packet with the first byte of its fixed header.
    pub(super) fn new(first: u8, body: Body) -> Self {
        Self {
            kind: first >> 4,
            dup: first & 8 != 0,
            qos: first >> 1 & 3,
            retain: first & 1 != 0,
            body,
            size: PACKET_BYTES,
        }
    }

    /// Reads what stands behind the fixed header; `None` when it makes no sense.
    pub(super) fn parse(first: u8, data: &[u8], version: u8) -> Option<Self> {
        let mut packet = Self::new(first, Body::Nothing);
        if packet.qos > 2 {
            return None;
        }
        let mut cursor = Cursor::new(data);
        packet.body = match packet.kind {
            CONNECT => Body::Connect(Box::new(connect(&mut cursor)?)),
            CONNACK => Body::Connack {
                session_present: cursor.u8()? & 1 != 0,
                return_code: cursor.u8()?,
                properties: properties_of(&mut cursor, version)?,
            },
            PUBLISH => publish(&mut cursor, packet.qos, version)?,
            PUBACK | PUBREC | PUBREL | PUBCOMP => {
                let message_id = cursor.u16()?;
                let (reason_code, properties) = reason(&mut cursor, version)?;
                Body::Ack {
                    message_id,
                    reason_code,
                    properties,
                }
            }
            SUBSCRIBE | UNSUBSCRIBE => topics(&mut cursor, packet.kind, version)?,
            SUBACK | UNSUBACK => {
                let message_id = cursor.u16()?;
                let properties = properties_of(&mut cursor, version)?;
                let codes = data.get(cursor.position()..).unwrap_or_default();
                let has_codes = packet.kind == SUBACK || version >= 5;
                Body::Granted {
                    message_id,
                    codes: has_codes.then(|| codes.to_vec()),
                    properties,
                }
            }
            PINGREQ | PINGRESP => Body::Ping,
            0 => Body::Nothing,
            // as it is logged in the field, a code without the length of its properties is none
            DISCONNECT if data.len() < 2 => Body::Reason {
                reason_code: (version >= 5).then_some(0),
                properties: Vec::new(),
            },
            _ => {
                let (reason_code, properties) = reason(&mut cursor, version)?;
                Body::Reason {
                    reason_code,
                    properties,
                }
            }
        };
        let parts = packet.parts().saturating_mul(PART_BYTES);
        packet.size = parts
            .saturating_add(data.len())
            .saturating_add(PACKET_BYTES);
        Some(packet)
    }

    /// Identifier that says which exchange it belongs to.
    #[must_use]
    pub fn message_id(&self) -> Option<u16> {
        match &self.body {
            Body::Publish { message_id, .. } => *message_id,
            Body::Ack { message_id, .. }
            | Body::Subscribe { message_id, .. }
            | Body::Unsubscribe { message_id, .. }
            | Body::Granted { message_id, .. } => Some(*message_id),
            Body::Connect(_)
            | Body::Connack { .. }
            | Body::Reason { .. }
            | Body::Ping
            | Body::Truncated(_)
            | Body::Nothing => None,
        }
    }

    /// Bytes that it keeps, about.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Topics and properties, each of which has an allocation of its own.
    fn parts(&self) -> usize {
        let (topics, properties) = match &self.body {
            Body::Connect(connect) => {
                let will = connect.will.as_ref();
                let will = will.map_or(0, |will| will.properties.len());
                (will, &connect.properties)
            }
            Body::Subscribe {
                topics, properties, ..
            } => (topics.len(), properties),
            Body::Unsubscribe {
                topics, properties, ..
            } => (topics.len(), properties),
            Body::Connack { properties, .. }
            | Body::Publish { properties, .. }
            | Body::Ack { properties, .. }
            | Body::Granted { properties, .. }
            | Body::Reason { properties, .. } => (0, properties),
            Body::Ping | Body::Truncated(_) | Body::Nothing => return 0,
        };
        topics.saturating_add(properties.len())
    }
}

/// A number of one to four bytes, seven bits each, the lowest first (MQTT 5 section 1.5.5).
pub(super) fn variable_number(cursor: &mut Cursor<'_>) -> Option<u32> {
    let mut number = 0_u32;
    for shift in [0_u32, 7, 14, 21] {
        let byte = u32::from(cursor.u8()?);
        number |= (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn connect(cursor: &mut Cursor<'_>) -> Option<Connect> {
    let protocol = cursor.vec16()?.to_vec();
    let version = cursor.u8()?;
    let flags = cursor.u8()?;
    cursor.u16()?; // keep alive
    let properties = properties_of(cursor, version)?;
    let client_id = cursor.vec16()?.to_vec();
    let will = if flags & 0x04 != 0 {
        Some(Will {
            properties: properties_of(cursor, version)?,
            topic: cursor.vec16()?.to_vec(),
            message: cursor.vec16()?.to_vec(),
        })
    } else {
        None
    };
    let mut text = |bit: u8| {
        if flags & bit == 0 {
            return Some(None);
        }
        cursor.vec16().map(|text| Some(text.to_vec()))
    };
    let (username, password) = (text(0x80)?, text(0x40)?);
    Some(Connect {
        protocol,
        version,
        flags,
        client_id,
        will,
        username,
        password,
        properties,
    })
}

fn publish(cursor: &mut Cursor<'_>, qos: u8, version: u8) -> Option<Body> {
    let topic = cursor.vec16()?.to_vec();
    let message_id = if qos > 0 { Some(cursor.u16()?) } else { None };
    let properties = properties_of(cursor, version)?;
    Some(Body::Publish {
        topic,
        message_id,
        message: cursor.rest().to_vec(),
        properties,
    })
}

fn topics(cursor: &mut Cursor<'_>, kind: u8, version: u8) -> Option<Body> {
    let message_id = cursor.u16()?;
    let properties = properties_of(cursor, version)?;
    let (mut subscribed, mut unsubscribed) = (Vec::new(), Vec::new());
    while !cursor.is_empty() {
        if subscribed.len().max(unsubscribed.len()) >= TOPICS_MAX {
            return None;
        }
        let topic = cursor.vec16()?.to_vec();
        if kind == SUBSCRIBE {
            subscribed.push((topic, cursor.u8()?));
        } else {
            unsubscribed.push(topic);
        }
    }
    Some(if kind == SUBSCRIBE {
        Body::Subscribe {
            message_id,
            topics: subscribed,
            properties,
        }
    } else {
        Body::Unsubscribe {
            message_id,
            topics: unsubscribed,
            properties,
        }
    })
}

/// Reason code and properties, which version 5 has and may leave out: the code is 0 then.
fn reason(cursor: &mut Cursor<'_>, version: u8) -> Option<(Option<u8>, Vec<Property>)> {
    if version < 5 {
        return Some((None, Vec::new()));
    }
    let code = cursor.u8().unwrap_or(0);
    let properties = if cursor.is_empty() {
        Vec::new()
    } else {
        properties(cursor)?
    };
    Some((Some(code), properties))
}

fn properties_of(cursor: &mut Cursor<'_>, version: u8) -> Option<Vec<Property>> {
    if version < 5 {
        return Some(Vec::new());
    }
    properties(cursor)
}

/// What a packet takes beside its texts, about.
const PACKET_BYTES: usize = 128;
/// What a topic or a property takes beside its text, about.
const PART_BYTES: usize = 64;
