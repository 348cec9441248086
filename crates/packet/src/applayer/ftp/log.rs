//! The `ftp` and `ftp_data` records.

use super::data::Transfer;
use super::transaction::{Exchange, Mode};
use crate::applayer::{AppProto, Transaction};
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Exchange {
    fn app(&self) -> AppProto {
        AppProto::Ftp
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("ftp", |object| {
            if let Some(command) = self.command {
                object.text("command", command);
                if !self.command_data.is_empty() {
                    object.bytes("command_data", &self.command_data);
                    object.flag("command_truncated", self.is_command_truncated);
                }
            }
            if !self.completion_codes.is_empty() {
                object.texts("completion_code", &self.completion_codes);
            }
            if !self.replies.is_empty() {
                object.texts("reply", &self.replies);
            }
            if let Some(port) = self.dynamic_port {
                object.number("dynamic_port", port);
            }
            if let Some(mode) = self.mode {
                object.text(
                    "mode",
                    match mode {
                        Mode::Active => "active",
                        Mode::Passive => "passive",
                    },
                );
            }
            object.text(
                "reply_received",
                if self.is_answered { "yes" } else { "no" },
            );
            object.flag("reply_truncated", self.is_reply_truncated);
        });
    }
}

impl Transaction for Transfer {
    fn app(&self) -> AppProto {
        AppProto::FtpData
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    /// All is known when the connection begins.
    fn parts(&self) -> &'static [Part] {
        &[]
    }

    fn record_type(&self) -> &'static str {
        "ftp_data"
    }

    fn output_type(&self) -> &'static str {
        "ftp"
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("ftp_data", |object| {
            if !self.filename.is_empty() {
                object.bytes("filename", &self.filename);
            }
            object.text("command", self.command);
        });
    }
}
