//! The `pop3` record.

use super::transaction::Exchange;
use crate::applayer::{AppProto, Transaction};
use crate::json::Object;
use crate::settings::Setting;

impl Transaction for Exchange {
    fn app(&self) -> AppProto {
        AppProto::Pop3
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("pop3", |object| {
            if let Some(request) = &self.request {
                object.object("request", |object| {
                    object.bytes("command", &request.command);
                    object.texts("args", &request.args);
                });
            }
            if let Some(response) = &self.response {
                object.object("response", |object| {
                    object.flag("success", response.is_success);
                    object.text("status", if response.is_success { "OK" } else { "ERR" });
                    object.bytes("header", &response.header);
                    object.texts("data", &response.data);
                });
            }
        });
    }
}
