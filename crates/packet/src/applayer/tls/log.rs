//! The `tls` record.

use super::hello::Hello;
use crate::applayer::{AppProto, Transaction};
use crate::json::Object;
use crate::settings::Setting;

impl Transaction for Hello {
    fn app(&self) -> AppProto {
        AppProto::Tls
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn log(&self, record: &mut Object<'_>, _options: Setting<'_>) {
        record.object("tls", |object| tls(object, self));
    }
}

fn tls(object: &mut Object<'_>, hello: &Hello) {
    if let Some(name) = hello.sni() {
        object.bytes("sni", name);
    }
    object.text("version", version_name(hello.version));
    object.object("ja3", |object| {
        object.text("hash", hello.ja3_hash());
        object.text("string", hello.ja3());
    });
    object.text("ja4", hello.ja4());
    if !hello.alpn.is_empty() {
        object.texts("client_alpns", &hello.alpn);
    }
}

fn version_name(version: u16) -> &'static str {
    match version {
        0x0300 => "SSLv3",
        0x0301 => "TLSv1",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        0x0304 => "TLS 1.3",
        _ => "UNDETERMINED",
    }
}
