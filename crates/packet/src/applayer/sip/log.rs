//! The `sip` record.

use super::message::{Message, Start};
use super::sdp::{Media, Sdp};
use crate::applayer::{AppProto, Transaction};
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Message {
    fn app(&self) -> AppProto {
        AppProto::Sip
    }

    fn id(&self) -> u32 {
        self.id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn parts(&self) -> &'static [Part] {
        Part::of(self.direction())
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("sip", |object| {
            let line = match &self.start {
                Start::Request {
                    method,
                    uri,
                    version,
                } => {
                    object.bytes("method", method);
                    object.bytes("uri", uri);
                    object.bytes("version", version);
                    "request_line"
                }
                Start::Response {
                    version,
                    code,
                    reason,
                } => {
                    object.bytes("version", version);
                    object.bytes("code", code);
                    object.bytes("reason", reason);
                    "response_line"
                }
            };
            if let Some(sdp) = &self.sdp {
                object.object("sdp", |object| write_sdp(object, sdp));
            }
            object.bytes(line, &self.line);
        });
    }
}

fn write_sdp(object: &mut Object<'_>, sdp: &Sdp) {
    optional(object, "origin", &sdp.origin);
    optional(object, "session_name", &sdp.session_name);
    optional(object, "session_info", &sdp.session.info);
    optional(object, "uri", &sdp.uri);
    optional(object, "email", &sdp.email);
    optional(object, "phone_number", &sdp.phone_number);
    optional(object, "connection_data", &sdp.session.connection_data);
    texts(object, "bandwidths", &sdp.session.bandwidths);
    if !sdp.times.is_empty() {
        object.objects("time_descriptions", &sdp.times, |object, (time, repeat)| {
            object.bytes("time", time);
            optional(object, "repeat_time", repeat);
        });
    }
    optional(object, "timezone", &sdp.timezone);
    optional(object, "encryption_key", &sdp.session.encryption_key);
    texts(object, "attributes", &sdp.session.attributes);
    if !sdp.media.is_empty() {
        object.objects("media_descriptions", &sdp.media, write_media);
    }
}

fn write_media(object: &mut Object<'_>, media: &Media) {
    object.bytes("media", &media.media);
    optional(object, "media_info", &media.info);
    texts(object, "bandwidths", &media.bandwidths);
    optional(object, "connection_data", &media.connection_data);
    optional(object, "encryption_key", &media.encryption_key);
    texts(object, "attributes", &media.attributes);
}

fn optional(object: &mut Object<'_>, key: &str, value: &Option<Vec<u8>>) {
    if let Some(value) = value {
        object.bytes(key, value);
    }
}

fn texts(object: &mut Object<'_>, key: &str, values: &[Vec<u8>]) {
    if !values.is_empty() {
        object.texts(key, values);
    }
}
