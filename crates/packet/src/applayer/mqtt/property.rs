//! Properties of MQTT 5 (section 2.2.2).

use super::packet::variable_number;
use crate::bytes::Cursor;

/// Most properties kept of one message; more make it malformed.
pub const PROPERTIES_MAX: usize = 1024;

/// A property with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name: that of the specification in lower case, or the one that a user property has.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Value,
}

/// Value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number of one, two or four bytes or of variable length.
    Number(u32),
    /// Text or bytes.
    Bytes(Vec<u8>),
}

/// How a value is encoded.
#[derive(Debug, Clone, Copy)]
enum Form {
    Byte,
    Two,
    Four,
    Variable,
    Bytes,
    Pair,
}

/// MQTT 5 table 2-4.
const PROPERTIES: &[(u32, &str, Form)] = &[
    (0x01, "payload_format_indicator", Form::Byte),
    (0x02, "message_expiry_interval", Form::Four),
    (0x03, "content_type", Form::Bytes),
    (0x08, "response_topic", Form::Bytes),
    (0x09, "correlation_data", Form::Bytes),
    (0x0b, "subscription_identifier", Form::Variable),
    (0x11, "session_expiry_interval", Form::Four),
    (0x12, "assigned_client_identifier", Form::Bytes),
    (0x13, "server_keep_alive", Form::Two),
    (0x15, "authentication_method", Form::Bytes),
    (0x16, "authentication_data", Form::Bytes),
    (0x17, "request_problem_information", Form::Byte),
    (0x18, "will_delay_interval", Form::Four),
    (0x19, "request_response_information", Form::Byte),
    (0x1a, "response_information", Form::Bytes),
    (0x1c, "server_reference", Form::Bytes),
    (0x1f, "reason_string", Form::Bytes),
    (0x21, "receive_maximum", Form::Two),
    (0x22, "topic_alias_maximum", Form::Two),
    (0x23, "topic_alias", Form::Two),
    (0x24, "maximum_qos", Form::Byte),
    (0x25, "retain_available", Form::Byte),
    (0x26, "user_property", Form::Pair),
    (0x27, "maximum_packet_size", Form::Four),
    (0x28, "wildcard_subscription_available", Form::Byte),
    (0x29, "subscription_identifier_available", Form::Byte),
    (0x2a, "shared_subscription_available", Form::Byte),
];

/// Reads the length of the properties and them; `None` when they are malformed.
pub(super) fn properties(cursor: &mut Cursor<'_>) -> Option<Vec<Property>> {
    let len = variable_number(cursor)?;
    let mut cursor = Cursor::new(cursor.take(usize::try_from(len).ok()?)?);
    let mut properties = Vec::new();
    while !cursor.is_empty() {
        if properties.len() >= PROPERTIES_MAX {
            return None;
        }
        properties.push(property(&mut cursor)?);
    }
    Some(properties)
}

fn property(cursor: &mut Cursor<'_>) -> Option<Property> {
    let id = variable_number(cursor)?;
    let (_, name, form) = PROPERTIES.iter().find(|(known, ..)| *known == id)?;
    let name = name.as_bytes();
    let (name, value) = match form {
        Form::Byte => (name, Value::Number(cursor.u8()?.into())),
        Form::Two => (name, Value::Number(cursor.u16()?.into())),
        Form::Four => (name, Value::Number(cursor.u32()?)),
        Form::Variable => (name, Value::Number(variable_number(cursor)?)),
        Form::Bytes => (name, Value::Bytes(cursor.vec16()?.to_vec())),
        Form::Pair => (cursor.vec16()?, Value::Bytes(cursor.vec16()?.to_vec())),
    };
    Some(Property {
        name: name.to_vec(),
        value,
    })
}
