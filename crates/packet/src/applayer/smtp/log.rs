//! The `smtp` record: `smtp` with what the commands say, `email` with what the mail says.

use md5::{Digest as _, Md5};

use super::transaction::{Email, Mail};
use crate::applayer::{AppProto, Transaction};
use crate::bytes::hex;
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Mail {
    fn app(&self) -> AppProto {
        AppProto::Smtp
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn parts(&self) -> &'static [Part] {
        Part::of(Direction::ToServer)
    }

    fn log(&self, record: &mut Object<'_>, options: Setting<'_>) {
        record.number("tx_id", self.tx_id);
        self.write(record, options);
    }

    fn log_as_carrier(&self, record: &mut Object<'_>) {
        self.write(record, Setting::NOTHING);
    }
}

impl Mail {
    fn write(&self, record: &mut Object<'_>, options: Setting<'_>) {
        record.object("smtp", |object| {
            for (key, value) in [("helo", &self.helo), ("mail_from", &self.mail_from)] {
                if let Some(value) = value {
                    object.bytes(key, before_nul(value));
                }
            }
            if !self.rcpt_to.is_empty() {
                object.texts("rcpt_to", self.rcpt_to.iter().map(|to| before_nul(to)));
            }
        });
        if let Some(email) = &self.email {
            record.object("email", |object| write(object, email, options));
        }
    }
}

fn write(object: &mut Object<'_>, email: &Email, options: Setting<'_>) {
    if let Some(from) = email.header("from") {
        object.bytes("from", from);
    }
    for key in ["to", "cc"] {
        addresses(object, key, email);
    }
    // it is taken apart as it passes: whatever it holds, that never fails
    object.text("status", "PARSE_DONE");
    if !email.attachments.is_empty() {
        object.texts("attachment", &email.attachments);
    }
    if !email.urls.is_empty() {
        object.texts("url", email.urls.iter().rev());
    }
    let custom = options.at("custom");
    for (name, key) in CUSTOM {
        if custom.items().any(|item| item.text() == Some(name)) {
            field(object, name, key, email);
        }
    }
    let digests = options.at("md5");
    for digest in digests.items().filter_map(Setting::text) {
        match (digest, email.header("subject"), &email.body_md5) {
            ("subject", Some(subject), _) => {
                object.text("subject_md5", &hex(&Md5::digest(subject)));
            }
            ("body", _, Some(body)) => object.text("body_md5", body),
            _ => {}
        }
    }
}

fn field(object: &mut Object<'_>, name: &str, key: &str, email: &Email) {
    match name {
        "bcc" => addresses(object, key, email),
        "received" => {
            if email.header(name).is_some() {
                object.texts(key, email.headers(name));
            }
        }
        _ => {
            if let Some(value) = email.header(name) {
                object.bytes(key, value);
            }
        }
    }
}

fn addresses(object: &mut Object<'_>, key: &str, email: &Email) {
    let found = email.addresses(key);
    if !found.is_empty() {
        object.texts(key, found);
    }
}

/// Suricata ends these where a C string ends.
fn before_nul(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The headers that `custom` can ask for, and their keys.
const CUSTOM: [(&str, &str); 16] = [
    ("reply-to", "reply_to"),
    ("bcc", "bcc"),
    ("message-id", "message_id"),
    ("subject", "subject"),
    ("x-mailer", "x_mailer"),
    ("user-agent", "user_agent"),
    ("received", "received"),
    ("x-originating-ip", "x_originating_ip"),
    ("in-reply-to", "in_reply_to"),
    ("references", "references"),
    ("importance", "importance"),
    ("priority", "priority"),
    ("sensitivity", "sensitivity"),
    ("organization", "organization"),
    ("content-md5", "content_md5"),
    ("date", "date"),
];
