//! The `dnp3` record: one for each fragment.

use super::layout::{Point, Value};
use super::object::{Object, points};
use super::transaction::{Fragment, UNSOLICITED_RESPONSE};
use crate::applayer::{AppProto, Transaction};
use crate::bytes::base64;
use crate::flow::Direction;
use crate::json;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Fragment {
    fn app(&self) -> AppProto {
        AppProto::Dnp3
    }

    fn id(&self) -> u32 {
        self.id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    /// Responses have indications, whoever sends them.
    fn parts(&self) -> &'static [Part] {
        Part::of(match self.iin {
            Some(_) => Direction::ToClient,
            None => Direction::ToServer,
        })
    }

    fn log(&self, record: &mut json::Object<'_>, _: Setting<'_>) {
        record.object("dnp3", |object| {
            let kind = match (self.iin, self.function_code) {
                (None, _) => "request",
                (Some(_), UNSOLICITED_RESPONSE) => "unsolicited_response",
                (Some(_), _) => "response",
            };
            object.text("type", kind);
            object.object("control", |object| {
                let bit = |bit: u8| self.link.control & bit != 0;
                object.flag("dir", bit(0x80));
                object.flag("pri", bit(0x40));
                object.flag("fcb", bit(0x20));
                object.flag("fcv", bit(0x10));
                object.number("function_code", self.link.control & 0x0f);
            });
            object.number("src", self.link.src);
            object.number("dst", self.link.dst);
            object.object("application", |object| self.application(object));
            if let Some(iin) = self.iin {
                object.object("iin", |object| indications(object, iin));
            }
        });
    }
}

impl Fragment {
    fn application(&self, object: &mut json::Object<'_>) {
        object.object("control", |object| {
            let bit = |bit: u8| self.control & bit != 0;
            object.flag("fir", bit(0x80));
            object.flag("fin", bit(0x40));
            object.flag("con", bit(0x20));
            object.flag("uns", bit(0x10));
            object.number("sequence", self.control & 0x0f);
        });
        object.number("function_code", self.function_code);
        if !self.objects.is_empty() {
            object.objects("objects", &self.objects, |object, header| {
                write_object(object, header, &self.data);
            });
        }
        object.flag("complete", self.complete);
    }
}

fn write_object(object: &mut json::Object<'_>, header: &Object, data: &[u8]) {
    object.number("group", header.group);
    object.number("variation", header.variation);
    object.number("qualifier", header.qualifier);
    object.number("prefix_code", header.prefix_code());
    object.number("range_code", header.range_code());
    object.number("start", header.start);
    object.number("stop", header.stop);
    object.number("count", header.count);
    let mut found = Vec::new();
    points(header, data, &mut |point| found.push(point));
    if !found.is_empty() {
        object.objects("points", &found, write_point);
    }
}

fn write_point(object: &mut json::Object<'_>, point: &Point<'_>) {
    object.number("prefix", point.prefix);
    object.number("index", point.index);
    if let Some(size) = point.size {
        object.number("size", size);
    }
    for (name, value) in &point.fields {
        match value {
            Value::Number(number) => object.number(name, *number),
            Value::Float(number) => object.float(name, *number),
            Value::Text(text) => object.bytes(name, text),
            Value::Data(data) => object.text(name, &base64(data)),
        }
    }
}

/// Internal indications that are set (IEEE 1815 section 4.2.2.6).
fn indications(object: &mut json::Object<'_>, iin: u16) {
    const NAMES: [&str; 16] = [
        "device_restart",
        "device_trouble",
        "local_control",
        "need_time",
        "class_3_events",
        "class_2_events",
        "class_1_events",
        "all_stations",
        "reserved_1",
        "reserved_2",
        "config_corrupt",
        "already_executing",
        "event_buffer_overflow",
        "parameter_error",
        "object_unknown",
        "no_func_code_support",
    ];
    if iin == 0 {
        return;
    }
    let bits = (0..16_u32).rev().zip(NAMES);
    let set = bits.filter(|(bit, _)| iin.checked_shr(*bit).is_some_and(|rest| rest & 1 == 1));
    object.texts("indicators", set.map(|(_, name)| name));
}
