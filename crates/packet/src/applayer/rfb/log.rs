//! The `rfb` record.

use super::transaction::{Framebuffer, Session};
use crate::applayer::{AppProto, Transaction};
use crate::bytes::{be16, hex};
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Session {
    fn app(&self) -> AppProto {
        AppProto::Rfb
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn parts(&self) -> &'static [Part] {
        Part::ALL
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("rfb", |object| rfb(object, self));
    }
}

fn rfb(object: &mut Object<'_>, session: &Session) {
    for (key, version) in [
        ("server_protocol_version", &session.server_version),
        ("client_protocol_version", &session.client_version),
    ] {
        if let Some([major, minor]) = version {
            object.object(key, |object| {
                object.bytes("major", major);
                object.bytes("minor", minor);
            });
        }
    }
    object.object("authentication", |object| authentication(object, session));
    if let Some(reason) = &session.failure_reason {
        object.bytes("server_security_failure_reason", reason);
    }
    if let Some(shared) = session.shared {
        object.flag("screen_shared", shared);
    }
    if let Some(screen) = &session.framebuffer {
        object.object("framebuffer", |object| framebuffer(object, screen));
    }
}

fn authentication(object: &mut Object<'_>, session: &Session) {
    if let Some(security_type) = session.security_type {
        object.number("security_type", security_type);
    }
    if session.challenge.is_some() || session.response.is_some() {
        object.object("vnc", |object| {
            for (key, bytes) in [
                ("challenge", &session.challenge),
                ("response", &session.response),
            ] {
                if let Some(bytes) = bytes {
                    object.text(key, &hex(bytes));
                }
            }
        });
    }
    // how it failed is told by what is missing, as Suricata does
    if session.security_result == Some(0) {
        object.text("security_result", "OK");
    }
}

fn framebuffer(object: &mut Object<'_>, screen: &Framebuffer) {
    object.number("width", screen.width);
    object.number("height", screen.height);
    object.bytes("name", &screen.name);
    let format = &screen.pixel_format;
    object.object("pixel_format", |object| {
        let byte = |at: usize| format.get(at).copied().unwrap_or(0);
        let word = |at: usize| be16(format, at).unwrap_or(0);
        object.number("bits_per_pixel", byte(0));
        object.number("depth", byte(1));
        object.flag("big_endian", byte(2) != 0);
        object.flag("true_color", byte(3) != 0);
        object.number("red_max", word(4));
        object.number("green_max", word(6));
        object.number("blue_max", word(8));
        object.number("red_shift", byte(10));
        object.number("green_shift", byte(11));
        object.number("blue_shift", byte(12));
    });
}
