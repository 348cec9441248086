//! The `modbus` record.

use super::function::{diagnostic, exception, function, interface};
use super::message::{Body, Flaw, Message};
use super::transaction::Exchange;
use crate::applayer::{AppProto, Transaction};
use crate::json::Object;
use crate::settings::Setting;

impl Transaction for Exchange {
    fn app(&self) -> AppProto {
        AppProto::Modbus
    }

    fn id(&self) -> u32 {
        self.id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("modbus", |object| {
            // numbered from 1, as all sensors of the field do here
            object.number("id", u64::from(self.id).saturating_add(1));
            if let Some(request) = &self.request {
                object.object("request", |object| message(object, request));
            }
            if let Some(response) = &self.response {
                object.object("response", |object| message(object, response));
            }
        });
    }
}

fn message(object: &mut Object<'_>, message: &Message) {
    let (name, access) = function(message.function);
    object.number("transaction_id", message.transaction_id);
    object.number("protocol_id", message.protocol_id);
    object.number("unit_id", message.unit_id);
    object.number("function_raw", message.function);
    object.text("function_code", name);
    object.text("access_type", access);
    object.text("category", message.category());
    object.text("error_flags", &flags(&message.flaws));
    body(object, &message.body);
}

fn body(object: &mut Object<'_>, body: &Body) {
    match body {
        Body::Nothing => {}
        Body::Data(data) => object.bytes("data", data),
        Body::Read(address, quantity) => read(object, *address, *quantity),
        Body::ReadData(data) => object.object("read", |object| object.bytes("data", data)),
        Body::Write(address, value) => object.object("write", |object| {
            object.number("address", *address);
            object.number("data", *value);
        }),
        Body::WriteMultiple(address, quantity, data) => write(object, *address, *quantity, data),
        Body::MaskWrite(address, and_mask, or_mask) => object.object("write", |object| {
            object.number("address", *address);
            object.number("and_mask", *and_mask);
            object.number("or_mask", *or_mask);
        }),
        Body::ReadWrite((address, quantity), (to, count, data)) => {
            read(object, *address, *quantity);
            write(object, *to, *count, data);
        }
        Body::Diagnostic(sub, data) => object.object("diagnostic", |object| {
            object.number("raw", *sub);
            object.text("code", diagnostic(*sub));
            object.bytes("data", data);
        }),
        Body::Interface(kind, data) => object.object("mei", |object| {
            object.number("raw", *kind);
            object.text("code", interface(*kind));
            object.bytes("data", data);
        }),
        Body::Exception(code) => object.object("exception", |object| {
            object.number("raw", *code);
            object.text("code", exception(*code));
        }),
    }
}

fn read(object: &mut Object<'_>, address: u16, quantity: u16) {
    object.object("read", |object| {
        object.number("address", address);
        object.number("quantity", quantity);
    });
}

fn write(object: &mut Object<'_>, address: u16, quantity: u16, data: &[u8]) {
    object.object("write", |object| {
        object.number("address", address);
        object.number("quantity", quantity);
        object.bytes("data", data);
    });
}

fn flags(flaws: &[Flaw]) -> String {
    let names: Vec<&str> = flaws
        .iter()
        .map(|flaw| match flaw {
            Flaw::DataValue => "DATA_VALUE",
            Flaw::DataLength => "DATA_LENGTH",
            Flaw::ExceptionCode => "EXC_CODE",
            Flaw::FunctionCode => "FUNC_CODE",
            Flaw::ProtocolId => "PROTO_ID",
        })
        .collect();
    if names.is_empty() {
        "NONE".to_owned()
    } else {
        names.join(" | ")
    }
}
