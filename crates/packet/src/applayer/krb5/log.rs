//! The `krb5` record.

use super::message::Krb5;
use super::names::{encryption_name, is_weak};
use crate::applayer::{AppProto, Transaction};
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Krb5 {
    fn app(&self) -> AppProto {
        AppProto::Krb5
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
        Part::of(match self.kind.is_request() {
            true => Direction::ToServer,
            false => Direction::ToClient,
        })
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("krb5", |object| {
            object.text("msg_type", self.kind.name());
            if let Some(error) = self.error {
                let failed = self.failed.map_or("UNKNOWN", |failed| failed.name());
                object.text("failed_request", failed);
                object.text("error_code", &error.name());
            }
            for (key, value) in [
                ("cname", &self.cname),
                ("realm", &self.realm),
                ("sname", &self.sname),
            ] {
                object.bytes(key, value.as_deref().unwrap_or(b"<empty>"));
            }
            match self.encryption {
                Some(number) => object.text("encryption", &encryption_name(number)),
                None => object.text("encryption", "<none>"),
            }
            object.flag("weak_encryption", self.encryption.is_some_and(is_weak));
            if let Some(number) = self.ticket_encryption {
                object.text("ticket_encryption", &encryption_name(number));
                object.flag("ticket_weak_encryption", is_weak(number));
            }
        });
    }
}
