//! The `http` record of HTTP/2.

use super::frame::{error_name, setting_name};
use super::transaction::{Entry, Message, Transaction};
use crate::applayer::{AppProto, Transaction as AnyTransaction};
use crate::flow::Direction;
use crate::json::Object;
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

    fn record_type(&self) -> &'static str {
        "http"
    }

    fn is_logged(&self, _options: Setting<'_>) -> bool {
        [&self.request, &self.response].into_iter().any(has_content)
    }

    fn log(&self, record: &mut Object<'_>, _options: Setting<'_>) {
        record.object("http", |object| {
            object.text("version", "2");
            headers(object, "request_headers", &self.request.headers);
            headers(object, "response_headers", &self.response.headers);
            for (key, value) in [
                ("http_method", self.method()),
                ("url", self.target()),
                ("http_user_agent", self.request.header(b"user-agent")),
            ] {
                if let Some(value) = value {
                    object.bytes(key, value);
                }
            }
            if let Some(status) = self.status() {
                object.number("status", status);
            }
            let length = self.response.header(b"content-length");
            let length = length.or_else(|| self.request.header(b"content-length"));
            if let Some(length) = length.and_then(number) {
                object.number("length", length);
            }
            object.object("http2", |object| {
                object.number("stream_id", self.stream_id);
                for (key, direction) in [
                    ("request", Direction::ToServer),
                    ("response", Direction::ToClient),
                ] {
                    let message = self.message(direction);
                    if has_details(message) {
                        object.object(key, |object| details(object, self.stream_id, message));
                    }
                }
            });
        });
    }
}

fn headers(object: &mut Object<'_>, key: &str, headers: &[Entry]) {
    if headers.is_empty() {
        return;
    }
    object.objects(key, headers, |object, entry| {
        match entry.table_size_update {
            Some(size) => object.number("table_size_update", size),
            None => {
                object.bytes("name", &entry.name);
                object.bytes("value", &entry.value);
            }
        }
    });
}

fn has_content(message: &Message) -> bool {
    !message.headers.is_empty() || has_details(message)
}

fn has_details(message: &Message) -> bool {
    !message.settings.is_empty() || message.error_code.is_some() || message.priority.is_some()
}

fn details(object: &mut Object<'_>, stream: u32, message: &Message) {
    if !message.settings.is_empty() {
        object.objects("settings", &message.settings, |object, (id, value)| {
            object.text("settings_id", &setting_name(*id));
            object.number("settings_value", *value);
        });
    }
    if let Some(code) = message.error_code {
        let name = error_name(code);
        // of streams as it is, of the connection in capitals
        let name = if stream == 0 {
            name.to_uppercase()
        } else {
            name
        };
        object.text("error_code", &name);
    }
    if let Some(priority) = message.priority {
        object.number("priority", priority);
    }
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
