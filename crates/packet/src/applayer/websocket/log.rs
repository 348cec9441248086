//! The `websocket` record.

use super::frame::Frame;
use crate::applayer::{AppProto, Transaction};
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Frame {
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

    fn parts(&self) -> &'static [Part] {
        Part::of(self.sent)
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("websocket", |object| {
            object.flag("fin", self.is_final());
            if let Some(mask) = self.mask {
                object.number("mask", mask);
            }
            object.text("opcode", &self.opcode_name());
        });
    }
}
