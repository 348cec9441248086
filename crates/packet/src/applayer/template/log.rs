//! The `template` record.

use super::Exchange;
use crate::applayer::{AppProto, Transaction};
use crate::json::Object;
use crate::settings::Setting;

impl Transaction for Exchange {
    fn app(&self) -> AppProto {
        AppProto::Template
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn log(&self, record: &mut Object<'_>, _options: Setting<'_>) {
        record.number("tx_id", self.tx_id);
        record.object("template", |object| {
            object.bytes("request", &self.request);
            if let Some(response) = &self.response {
                object.bytes("response", response);
            }
        });
    }
}
