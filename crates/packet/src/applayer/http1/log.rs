//! The `http` record.

use std::borrow::Cow;

use super::head::Head;
use super::name::content_range;
use super::transaction::{Phase, Transaction, UNSEEN, split_port};
use crate::applayer::{AppProto, Transaction as AnyTransaction};
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
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

    fn parts(&self) -> &'static [Part] {
        &[]
    }

    fn log(&self, record: &mut Object<'_>, options: Setting<'_>) {
        record.number("tx_id", self.tx_id);
        record.object("http", |object| {
            basic(object, self);
            let extended = options.at("extended").flag();
            let is_extended = extended.unwrap_or(options.is_absent());
            if is_extended {
                more(object, self);
            }
            let dump = options.at("dump-all-headers").text().unwrap_or_default();
            let custom = options.at("custom");
            for (key, direction, all) in [
                ("request_headers", Direction::ToServer, "request"),
                ("response_headers", Direction::ToClient, "response"),
            ] {
                let Some(head) = self.head(direction) else {
                    continue;
                };
                if dump == "both" || dump == all {
                    headers(object, key, head.merged());
                } else if custom.is_set() {
                    headers(object, key, wanted(head, custom, is_extended));
                }
            }
        });
        if let Some(address) = forwarded_for(self, options.at("xff")) {
            record.text("xff", &address);
        }
    }

    fn log_as_carrier(&self, record: &mut Object<'_>) {
        record.object("http", |object| {
            basic(object, self);
            more(object, self);
        });
    }
}

/// The header fields that stand in a record of a carrier.
pub(super) const CARRIER_FIELDS: &[&[u8]] = &[
    b"content-range",
    b"content-type",
    b"host",
    b"location",
    b"referer",
    b"user-agent",
    b"x-forwarded-for",
];

/// What is always logged.
fn basic(object: &mut Object<'_>, http: &Transaction) {
    if let Some(name) = http.host_name() {
        object.bytes("hostname", &name);
        if let Some(port) = http.host().and_then(|host| split_port(host).1) {
            object.number("http_port", port);
        }
    }
    if http.request().is_none() {
        object.bytes("url", UNSEEN);
    } else if !http.target().is_empty() {
        object.bytes("url", http.target());
    }
    if let Some(value) = http.user_agent() {
        object.bytes("http_user_agent", value);
    }
    if let Some(value) = http.header(b"x-forwarded-for") {
        object.bytes("xff", value);
    }
    let kind = http
        .response()
        .and_then(|head| head.merged_header(b"content-type"));
    if let Some(value) = kind {
        let end = memchr::memchr(b';', &value).unwrap_or(value.len());
        object.bytes("http_content_type", value.get(..end).unwrap_or_default());
    }
    if let Some(value) = http.response_header(b"content-range") {
        object.object("content_range", |object| {
            object.bytes("raw", value);
            let [start, end, size] = content_range(value).unwrap_or_default();
            for (key, number) in [("start", start), ("end", end), ("size", size)] {
                if let Some(number) = number {
                    object.number(key, number);
                }
            }
        });
    }
}

/// What `extended: yes` adds.
fn more(object: &mut Object<'_>, http: &Transaction) {
    if let Some(value) = http.header(b"referer") {
        object.bytes("http_refer", value);
    }
    if !http.method().is_empty() {
        object.bytes("http_method", http.method());
    }
    if !http.version().is_empty() {
        object.bytes("protocol", http.version());
    }
    match http.status {
        Some(status) => object.number("status", status),
        None if !http.status_code().is_empty() => {
            object.bytes("status_string", http.status_code());
        }
        None => {}
    }
    if let Some(value) = http.response_header(b"location") {
        object.bytes("redirect", value);
    }
    object.number("length", http.response_len);
}

/// The address that a proxy says it speaks for, where that is asked for: the last in its header
/// field, the first behind a forward proxy.
fn forwarded_for(http: &Transaction, xff: Setting<'_>) -> Option<String> {
    let is_wanted = xff.at("enabled").flag()? && xff.at("mode").text() != Some("overwrite");
    let name = xff.at("header").text().unwrap_or("X-Forwarded-For");
    let value = http.header(name.as_bytes()).filter(|_| is_wanted)?;
    let mut addresses = value.split(|byte| *byte == b',');
    let address = match xff.at("deployment").text() {
        Some("forward") => addresses.next(),
        Some(_) | None => addresses.next_back(),
    };
    let address = std::str::from_utf8(address?).ok()?.trim();
    address.parse().ok().map(crate::eve::address)
}

/// Header fields that are asked for by name: `custom: [Accept-Encoding, ...]`. The referrer stands
/// in the extended record anyway.
fn wanted<'h>(
    head: &'h Head,
    custom: Setting<'_>,
    is_extended: bool,
) -> Vec<(&'h [u8], Cow<'h, [u8]>)> {
    let names = custom.items().filter_map(Setting::text);
    let names = names.filter_map(|wanted| {
        let mut known = CUSTOM.iter();
        known.find(|name| name.eq_ignore_ascii_case(wanted))
    });
    let names = names.filter(|name| !is_extended || **name != "Referer");
    let names: Vec<&&str> = names.collect();
    let mut fields = head.merged();
    fields.retain(|(name, _)| {
        let mut wanted = names.iter();
        wanted.any(|wanted| wanted.as_bytes().eq_ignore_ascii_case(name))
    });
    fields
}

fn headers(object: &mut Object<'_>, key: &str, fields: Vec<(&[u8], Cow<'_, [u8]>)>) {
    if fields.is_empty() {
        return;
    }
    object.objects(key, fields, |object, (name, value)| {
        header(object, "name", name);
        header(object, "value", &value);
    });
}

/// A part of a field up to its first NUL; what is no UTF-8 is left out, as Suricata leaves it out.
fn header(object: &mut Object<'_>, key: &str, part: &[u8]) {
    let end = memchr::memchr(0, part).unwrap_or(part.len());
    let part = part.get(..end).unwrap_or_default();
    if std::str::from_utf8(part).is_ok() {
        object.bytes(key, part);
    }
}

/// The fields that can be asked for by name.
const CUSTOM: &[&str] = &[
    "Accept",
    "Accept-Charset",
    "Accept-Datetime",
    "Accept-Encoding",
    "Accept-Language",
    "Age",
    "Allow",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Location",
    "Content-MD5",
    "Content-Range",
    "Content-Type",
    "Cookie",
    "Date",
    "DNT",
    "Expires",
    "From",
    "Last-Modified",
    "Link",
    "Location",
    "Max-Forwards",
    "Origin",
    "Pragma",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Range",
    "Referer",
    "Retry-After",
    "Server",
    "Set-Cookie",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Vary",
    "Via",
    "Warning",
    "WWW-Authenticate",
    "X-Authenticated-User",
    "X-Flash-Version",
    "X-Forwarded-Proto",
    "X-Requested-With",
];
