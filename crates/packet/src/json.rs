//! JSON objects written straight into a buffer: always valid UTF-8, whatever bytes came off the wire.

use std::fmt::{Display, Write as _};

/// An object being written; close it by dropping the borrow after [`Object::write`].
#[derive(Debug)]
pub struct Object<'o> {
    out: &'o mut String,
    empty: bool,
}

impl<'o> Object<'o> {
    /// Writes `{...}` with what `fill` puts in.
    pub fn write(out: &'o mut String, fill: impl FnOnce(&mut Object<'_>)) {
        out.push('{');
        let mut object = Object { out, empty: true };
        fill(&mut object);
        object.out.push('}');
    }

    /// Text.
    pub fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        quote(self.out, value.as_bytes());
    }

    /// Bytes as text: UTF-8 stands as it is, in anything else each byte beyond ASCII becomes
    /// `\xNN`, as Suricata writes it.
    pub fn bytes(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        quote(self.out, value);
    }

    /// Bytes in Base64 (RFC 4648).
    pub fn base64(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        self.out.push('"');
        self.out.push_str(&crate::bytes::base64(value));
        self.out.push('"');
    }

    /// The text of an address, a digest or anything else that prints without quotes in it.
    pub fn display(&mut self, key: &str, value: impl Display) {
        self.key(key);
        self.out.push('"');
        push(self.out, value);
        self.out.push('"');
    }

    /// A number.
    pub fn number(&mut self, key: &str, value: impl Into<u64>) {
        self.key(key);
        self.out.push_str(itoa::Buffer::new().format(value.into()));
    }

    /// A number of floating point, without a point where it is whole; what is no number becomes
    /// `null`.
    pub fn float(&mut self, key: &str, value: f64) {
        self.key(key);
        if value.is_finite() {
            push(self.out, value);
        } else {
            self.out.push_str("null");
        }
    }

    /// True or false.
    pub fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        push(self.out, value);
    }

    /// A value that is JSON already.
    pub fn json(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push_str(value);
    }

    /// Fields that were written before, as [`Object::write`] writes them, without the braces.
    pub fn written(&mut self, fields: &str) {
        if !fields.is_empty() {
            if !std::mem::replace(&mut self.empty, false) {
                self.out.push(',');
            }
            self.out.push_str(fields);
        }
    }

    /// An object within this one.
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        Object::write(self.out, fill);
    }

    /// A list of objects, one for each item.
    pub fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Object<'_>, T),
    ) {
        self.list(key, items, |out, item| {
            Object::write(out, |object| fill(object, item))
        });
    }

    /// A list of texts.
    pub fn texts<T: AsRef<[u8]>>(&mut self, key: &str, items: impl IntoIterator<Item = T>) {
        self.list(key, items, |out, item| quote(out, item.as_ref()));
    }

    /// A list of numbers.
    pub fn numbers<T: Into<u64>>(&mut self, key: &str, items: impl IntoIterator<Item = T>) {
        self.list(key, items, |out, item| {
            out.push_str(itoa::Buffer::new().format(item.into()));
        });
    }

    fn list<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut String, T),
    ) {
        self.key(key);
        self.out.push('[');
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            write(self.out, item);
        }
        self.out.push(']');
    }

    fn key(&mut self, key: &str) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(',');
        }
        quote(self.out, key.as_bytes());
        self.out.push(':');
    }
}

fn quote(out: &mut String, value: &[u8]) {
    out.push('"');
    match std::str::from_utf8(value) {
        Ok(text) => quote_text(out, text),
        Err(_) => value.iter().for_each(|byte| escape_byte(out, *byte)),
    }
    out.push('"');
}

/// What needs no escape is copied run by run: almost everything.
fn quote_text(out: &mut String, mut text: &str) {
    let is_special = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\' | 0x7f);
    while let Some(at) = text.as_bytes().iter().position(is_special) {
        // these are ASCII, and so no part of a longer character
        let (plain, rest) = text.split_at_checked(at).unwrap_or((text, ""));
        out.push_str(plain);
        let mut rest = rest.chars();
        rest.by_ref().take(1).for_each(|c| escape(out, c));
        text = rest.as_str();
    }
    out.push_str(text);
}

/// RFC 8259 section 7.
fn escape(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if u32::from(c) < 0x20 || c == '\u{7f}' => {
            push(out, format_args!("\\u{:04x}", u32::from(c)))
        }
        c => out.push(c),
    }
}

fn escape_byte(out: &mut String, byte: u8) {
    if byte.is_ascii() {
        escape(out, char::from(byte));
    } else {
        push(out, format_args!("\\\\x{byte:02x}"));
    }
}

/// Writing to a `String` cannot fail.
fn push(out: &mut String, value: impl Display) {
    let written = write!(out, "{value}");
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &[u8]) -> serde_json::Value {
        let mut out = String::new();
        Object::write(&mut out, |object| object.bytes("k", value));
        serde_json::from_str::<serde_json::Value>(&out).unwrap()["k"].clone()
    }

    #[test]
    fn hostile_bytes_stay_one_valid_string() {
        assert_eq!(
            one(b"a\"},{\"b\":\"\\\r\n\0\x1f\x7f"),
            "a\"},{\"b\":\"\\\r\n\0\u{1f}\u{7f}"
        );
        assert_eq!(one("\u{e9}\u{1f600}".as_bytes()), "\u{e9}\u{1f600}");
        assert_eq!(one(b"a\xff\xc3\x28"), "a\\xff\\xc3(");
        for byte in 0..=255u8 {
            assert!(one(&[byte]).is_string());
            assert!(one(&[b'"', byte, b'\\', 0xfe]).is_string());
        }
    }

    #[test]
    fn objects_and_lists_nest() {
        let mut out = String::new();
        Object::write(&mut out, |object| {
            object.number("n", 7u32);
            object.flag("f", true);
            object.texts("t", ["a", "b"]);
            object.numbers::<u16>("empty", []);
            object.objects("o", [1u8, 2], |object, item| object.number("i", item));
        });
        assert_eq!(
            out,
            r#"{"n":7,"f":true,"t":["a","b"],"empty":[],"o":[{"i":1},{"i":2}]}"#
        );
    }
}
