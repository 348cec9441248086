//! A frame of WebSocket, and its record.

use crate::applayer::{AppProto, Transaction};
use crate::flow::Direction;
use crate::json::Object;
use crate::settings::Setting;

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub(super) tx_id: u32,
    pub(super) first_ts_ns: u64,
    pub(super) direction: Direction,
    /// It is the last one of its message.
    pub fin: bool,
    /// What it is, 0 to 15.
    pub opcode: u8,
    /// What its payload was masked with.
    pub mask: Option<u32>,
    /// Its payload without the mask, as far as it is taken.
    pub payload: Vec<u8>,
}

impl Transaction for Message {
    fn app(&self) -> AppProto {
        AppProto::Websocket
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

    fn log(&self, record: &mut Object<'_>, _options: Setting<'_>) {
        record.object("websocket", |object| {
            object.flag("fin", self.fin);
            if let Some(mask) = self.mask {
                object.number("mask", mask);
            }
            object.text("opcode", opcode_name(self.opcode));
        });
    }
}

/// Names of RFC 6455 section 11.8.
fn opcode_name(opcode: u8) -> &'static str {
    match opcode {
        0 => "continuation",
        1 => "text",
        2 => "binary",
        8 => "close",
        9 => "ping",
        10 => "pong",
        _ => "unknown",
    }
}
