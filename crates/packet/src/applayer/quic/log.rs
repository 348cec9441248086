//! The `quic` record.

use super::transaction::Datagram;
use crate::applayer::tls::hello::{GREASE, is_grease};
use crate::applayer::{AppProto, Transaction};
use crate::flow::Direction;
use crate::json::Object;
use crate::sensor::Part;
use crate::settings::Setting;

impl Transaction for Datagram {
    fn app(&self) -> AppProto {
        AppProto::Quic
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
        Part::of(self.direction())
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("quic", |object| quic(object, self));
    }
}

fn quic(object: &mut Object<'_>, datagram: &Datagram) {
    object.text("version", &datagram.version_name());
    if let Some(name) = datagram.server_name() {
        object.bytes("sni", name);
    }
    google(object, datagram);
    let options = &datagram.fingerprints;
    if let Some(hello) = &datagram.client {
        if options.ja3 {
            object.object("ja3", |object| {
                object.text("hash", hello.ja3_hash());
                object.text("string", hello.ja3());
            });
        }
        if options.ja4 {
            object.text("ja4", hello.ja4());
        }
    }
    if let Some(hello) = datagram.server.as_ref().filter(|_| options.ja3) {
        object.object("ja3s", |object| {
            object.text("hash", hello.ja3s_hash());
            object.text("string", hello.ja3s());
        });
    }
    extensions(object, datagram);
}

fn google(object: &mut Object<'_>, datagram: &Datagram) {
    let Some(hello) = &datagram.google else {
        return;
    };
    if let Some(agent) = &hello.user_agent {
        object.bytes("ua", agent);
    }
    if let Some(cyu) = datagram.cyu() {
        object.objects("cyu", [cyu], |object, (text, hash)| {
            object.text("hash", &hash);
            object.text("string", &text);
        });
    }
}

fn extensions(object: &mut Object<'_>, datagram: &Datagram) {
    let (kinds, names, alpn, versions, algorithms) = match (&datagram.client, &datagram.server) {
        (Some(hello), _) => (
            &hello.extensions[..],
            hello.sni(),
            &hello.alpn[..],
            &hello.versions[..],
            &hello.signature_algorithms[..],
        ),
        (None, Some(hello)) => (
            &hello.extensions[..],
            None,
            &hello.alpn[..],
            &[hello.version][..],
            &[][..],
        ),
        (None, None) => return,
    };
    if kinds.is_empty() {
        return;
    }
    object.objects("extensions", kinds, |object, kind| {
        if let Some(name) = extension_name(*kind) {
            object.text("name", name);
        }
        object.number("type", if is_grease(*kind) { GREASE } else { *kind });
        let values: Vec<Vec<u8>> = match kind {
            0 => names.iter().map(|name| name.to_vec()).collect(),
            13 => algorithms
                .iter()
                .map(|number| number.to_string().into())
                .collect(),
            16 => alpn.iter().map(|name| name.to_vec()).collect(),
            43 => versions
                .iter()
                .map(|version| version_name(*version).into())
                .collect(),
            _ => Vec::new(),
        };
        if !values.is_empty() {
            object.texts("values", values);
        }
    });
}

fn version_name(version: u16) -> String {
    let known = match version {
        0x0300 => "Ssl30",
        0x0301 => "Tls10",
        0x0302 => "Tls11",
        0x0303 => "Tls12",
        0x0304 => "Tls13",
        0x7f12 => "Tls13Draft18",
        0x7f13 => "Tls13Draft19",
        0x7f14 => "Tls13Draft20",
        0x7f15 => "Tls13Draft21",
        0x7f16 => "Tls13Draft22",
        0x7f17 => "Tls13Draft23",
        _ => return format!("TlsVersion({version} / {version:#x})"),
    };
    known.to_owned()
}

/// IANA's registry of TLS extensions, as far as it is in use.
fn extension_name(kind: u16) -> Option<&'static str> {
    Some(match kind {
        0 => "server_name",
        1 => "max_fragment_length",
        2 => "client_certificate_url",
        3 => "trusted_ca_keys",
        4 => "truncated_hmac",
        5 => "status_request",
        6 => "user_mapping",
        7 => "client_authz",
        8 => "server_authz",
        9 => "cert_type",
        10 => "supported_groups",
        11 => "ec_point_formats",
        12 => "srp",
        13 => "signature_algorithms",
        14 => "use_srtp",
        15 => "heartbeat",
        16 => "alpn",
        17 => "status_request_v2",
        18 => "signed_certificate_timestamp",
        19 => "client_certificate_type",
        20 => "server_certificate_type",
        21 => "padding",
        22 => "encrypt_then_mac",
        23 => "extended_master_secret",
        24 => "token_binding",
        25 => "cached_info",
        27 => "compress_certificate",
        28 => "record_size_limit",
        34 => "delegated_credentials",
        35 => "session_ticket",
        41 => "pre_shared_key",
        42 => "early_data",
        43 => "supported_versions",
        44 => "cookie",
        45 => "psk_key_exchange_modes",
        47 => "certificate_authorities",
        48 => "oid_filters",
        49 => "post_handshake_auth",
        50 => "signature_algorithms_cert",
        51 => "key_share",
        57 => "quic_transport_parameters",
        0x3374 => "next_protocol_negotiation",
        0xff01 => "renegotiation_info",
        0xffce => "encrypted_server_name",
        _ => return None,
    })
}
