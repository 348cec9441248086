//! The `http` record of HTTP/2, and the `dns` record of DNS over it.

use super::frame::{error_name, setting_name};
use super::transaction::{Entry, Message, Transaction};
use crate::applayer::{AppProto, Transaction as AnyTransaction, dns};
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl AnyTransaction for Transaction {
    fn app(&self) -> AppProto {
        AppProto::Http2
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn parts(&self) -> &'static [Part] {
        if let Some(sender) = self.sender {
            return Part::of(sender);
        }
        match (self.complete, self.request.over, self.response.over) {
            (false, ..) | (true, true, true) => &[],
            (true, true, false) => &[Part::Response],
            (true, false, true) => &[Part::Request],
            (true, false, false) => &[Part::Request, Part::Response],
        }
    }

    fn record_type(&self) -> &'static str {
        match self.dns() {
            Some(_) => "dns",
            None => "http",
        }
    }

    fn output_type(&self) -> &'static str {
        match self.over_doh {
            true => "doh2",
            false => "http2",
        }
    }

    fn is_logged(&self, _options: Setting<'_>) -> bool {
        [&self.request, &self.response].into_iter().any(has_content)
    }

    fn log(&self, record: &mut Object<'_>, _options: Setting<'_>) {
        record.object("http", |object| write(object, self));
        if let Some(message) = self.dns() {
            dns::log_carried(record, message, true);
        }
    }

    fn log_as_carrier(&self, record: &mut Object<'_>) {
        record.object("http", |object| write(object, self));
        if let Some(message) = self.dns() {
            dns::log_carried(record, message, false);
        }
    }
}

fn write(object: &mut Object<'_>, tx: &Transaction) {
    object.text("version", "2");
    headers(object, "request_headers", &tx.request);
    headers(object, "response_headers", &tx.response);
    for (key, value) in [
        ("hostname", tx.last_header(b"host")),
        ("http_method", tx.method()),
        ("url", tx.target()),
        ("http_user_agent", tx.last_header(b"user-agent")),
    ] {
        if let Some(value) = value {
            object.bytes(key, value);
        }
    }
    if let Some(status) = tx.status() {
        object.number("status", status);
    }
    let lengths = [&tx.response, &tx.request].into_iter();
    let mut lengths = lengths.filter_map(|message| message.last_header(b"content-length"));
    if let Some(length) = lengths.find_map(number) {
        object.number("length", length);
    }
    object.object("http2", |object| {
        object.number("stream_id", tx.stream_id);
        for (key, direction) in [
            ("request", Direction::ToServer),
            ("response", Direction::ToClient),
        ] {
            let message = tx.message(direction);
            if has_details(message) {
                object.object(key, |object| details(object, message));
            }
        }
    });
}

fn headers(object: &mut Object<'_>, key: &str, message: &Message) {
    if !message.has_headers {
        return;
    }
    object.objects(key, &message.headers, |object, entry: &Entry| {
        match (entry.damage, entry.table_size_update) {
            (Some(why), _) => object.text("error", why),
            (None, Some(size)) => object.number("table_size_update", size),
            (None, None) => {
                object.bytes("name", &entry.name);
                object.bytes("value", &entry.value);
            }
        }
    });
}

fn has_content(message: &Message) -> bool {
    message.has_headers || has_details(message)
}

fn has_details(message: &Message) -> bool {
    message.settings.is_some() || !message.errors.is_empty() || !message.priorities.is_empty()
}

fn details(object: &mut Object<'_>, message: &Message) {
    if let Some(settings) = &message.settings {
        object.objects("settings", settings, |object, (id, value)| {
            object.text("settings_id", setting_name(*id).unwrap_or_default());
            object.number("settings_value", *value);
        });
    }
    if let Some(priority) = message.priorities.first() {
        object.number("priority", *priority);
    }
    if let Some(code) = message.errors.first() {
        let name = error_name(*code);
        // of streams as it is, of the connection in capitals
        let name = match message.goes_away {
            true => name.to_uppercase(),
            false => name,
        };
        object.text("error_code", &name);
    }
    if message.priorities.len() > 1 {
        object.text("has_multiple", "priority");
    } else if message.errors.len() > 1 {
        object.text("has_multiple", "error_code");
    }
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
