//! The `nfs` record, with what is told of the remote procedure call beside it.

use super::names::{procedure_name, status_name};
use super::rpc::Credentials;
use super::transaction::Nfs;
use crate::applayer::{AppProto, Transaction};
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Nfs {
    fn app(&self) -> AppProto {
        AppProto::Nfs
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

    /// Asking for attributes is too frequent to be told.
    fn is_logged(&self, _: Setting<'_>) -> bool {
        self.version == 4 || self.procedure != GETATTR
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("rpc", |object| self.write_rpc(object));
        record.object("nfs", |object| self.write_nfs(object));
    }
}

impl Nfs {
    fn write_rpc(&self, object: &mut Object<'_>) {
        object.number("xid", self.xid);
        let status = if self.is_denied { "DENIED" } else { "ACCEPTED" };
        object.text("status", status);
        match &self.credentials {
            Credentials::Null => object.text("auth_type", "NULL"),
            Credentials::Unix(unix) => {
                object.text("auth_type", "UNIX");
                object.object("creds", |object| {
                    object.bytes("machine_name", &unix.machine);
                    object.number("uid", unix.uid);
                    object.number("gid", unix.gid);
                });
            }
            Credentials::Other(1) => object.text("auth_type", "UNIX"),
            Credentials::Other(2) => object.text("auth_type", "SHORT"),
            Credentials::Other(3) => object.text("auth_type", "DH"),
            Credentials::Other(6) => object.text("auth_type", "GSS"),
            Credentials::Other(kind) => object.display("auth_type", kind),
        }
    }

    fn write_nfs(&self, object: &mut Object<'_>) {
        object.number("version", self.version);
        object.text("procedure", &procedure_name(self.version, self.procedure));
        object.bytes("filename", &self.name);
        if !self.handle.is_empty() {
            object.text("hhash", &format!("{:08x}", crc32(&self.handle)));
        }
        object.number("id", self.tx_id.saturating_add(1));
        object.flag("file_tx", self.file.is_some());
        object.text("type", "response");
        object.text("status", &status_name(self.status));
        match self.procedure_kind() {
            Kind::Read => self.write_file(object, "read"),
            Kind::Write => self.write_file(object, "write"),
            Kind::Rename => object.object("rename", |object| {
                object.bytes("from", &self.name);
                object.bytes("to", self.new_name.as_deref().unwrap_or_default());
            }),
            Kind::Other => {}
        }
    }

    fn write_file(&self, object: &mut Object<'_>, key: &str) {
        object.object(key, |object| {
            object.flag("first", self.file.is_some());
            object.flag("last", self.file.is_some_and(|file| file.is_over));
            if let Some(file) = self.file {
                object.number("last_xid", file.last_xid);
                object.number("chunks", file.chunks);
            }
        });
    }

    fn procedure_kind(&self) -> Kind {
        match (self.version, self.procedure) {
            (2 | 3, 6) | (4, 25) => Kind::Read,
            (2, 8) | (3, 7) | (4, 38) => Kind::Write,
            (2, 11) | (3, 14) | (4, 29) => Kind::Rename,
            _ => Kind::Other,
        }
    }
}

/// What is told beyond the name.
enum Kind {
    Read,
    Write,
    Rename,
    Other,
}

/// The check sum of Ethernet (IEEE 802.3), by which Suricata tells handles apart.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = sum & 1 == 1;
            sum >>= 1;
            if carry {
                sum ^= 0xedb8_8320;
            }
        }
    }
    !sum
}

/// The procedure of versions 2 and 3 that asks for attributes.
const GETATTR: u32 = 1;

#[cfg(test)]
mod tests {
    #[test]
    fn check_sums() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }
}
