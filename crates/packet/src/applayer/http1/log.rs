//! The `http` record.

use super::transaction::{Phase, Transaction};
use crate::applayer::{AppProto, Transaction as AnyTransaction};
use crate::json::Object;
use crate::settings::Setting;

impl AnyTransaction for Transaction {
    fn app(&self) -> AppProto {
        AppProto::Http
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn is_complete(&self) -> bool {
        self.phase == Phase::Complete
    }

    fn log(&self, record: &mut Object<'_>, _options: Setting<'_>) {
        record.number("tx_id", self.tx_id);
        record.object("http", |object| http(object, self));
    }
}

fn http(object: &mut Object<'_>, http: &Transaction) {
    if let Some(host) = http.host() {
        let (name, port) = split_port(host);
        object.bytes("hostname", name);
        if let Some(port) = port {
            object.number("http_port", port);
        }
    }
    if !http.target().is_empty() {
        object.bytes("url", http.target());
    }
    for (field, key) in [
        (&b"user-agent"[..], "http_user_agent"),
        (b"referer", "http_refer"),
    ] {
        if let Some(value) = http.header(field) {
            object.bytes(key, value);
        }
    }
    let response = |field: &[u8]| http.response().and_then(|head| head.header(field));
    if let Some(value) = response(b"content-type") {
        let end = value.bytes.iter().position(|byte| *byte == b';');
        let kind = end
            .and_then(|end| value.bytes.get(..end))
            .unwrap_or(value.bytes);
        object.bytes("http_content_type", kind);
    }
    if !http.method().is_empty() {
        object.bytes("http_method", http.method());
    }
    if !http.version().is_empty() {
        object.bytes("protocol", http.version());
    }
    if let Some(status) = http.status {
        object.number("status", status);
    }
    if let Some(value) = response(b"location") {
        object.bytes("redirect", value.bytes);
    }
    object.number("length", http.response_len);
}

fn split_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let colon = host.iter().rposition(|byte| *byte == b':');
    let split = colon.and_then(|colon| host.split_at_checked(colon));
    let port = split.and_then(|(_, port)| std::str::from_utf8(port.get(1..)?).ok()?.parse().ok());
    match split {
        Some((name, _)) if port.is_some() => (name, port),
        Some(_) | None => (host, None),
    }
}
