//! The `tls` record.

use super::handshake::{Chain, Handshake};
use super::hello::{Hello, is_grease};
use super::version;
use super::x509::Certificate;
use crate::applayer::{AppProto, Transaction};
use crate::bytes::base64;
use crate::json::Object;
use crate::sensor::Part;
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

    /// The record is that of the [`Handshake`].
    fn is_complete(&self) -> bool {
        false
    }

    fn log(&self, record: &mut Object<'_>, options: Setting<'_>) {
        let handshake = Handshake {
            client: Some(self.clone()),
            ..Handshake::default()
        };
        handshake.log(record, options);
    }
}

impl Transaction for Handshake {
    fn app(&self) -> AppProto {
        AppProto::Tls
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn parts(&self) -> &'static [Part] {
        match (self.untold.client, self.untold.server) {
            (true, true) => &[Part::Request, Part::Response],
            (true, false) => &[Part::Request],
            (false, true) => &[Part::Response],
            (false, false) => &[],
        }
    }

    /// Without a certificate there is little to tell: only where that is as it should be.
    fn is_logged(&self, options: Setting<'_>) -> bool {
        let has_certificate = self.server_chain.leaf.is_some();
        let is_basic = matches!(Fields::of(options), Fields::Basic);
        has_certificate || !is_basic && self.may_lack_certificate()
    }

    fn log(&self, record: &mut Object<'_>, options: Setting<'_>) {
        let fields = Fields::of(options);
        record.object("tls", |object| tls(object, self, &fields));
    }
}

/// Which fields are written.
#[derive(Debug)]
enum Fields<'a> {
    /// The certificate's names.
    Basic,
    /// What is of use to most.
    Extended,
    /// Those listed.
    Custom(Setting<'a>),
}

impl<'a> Fields<'a> {
    fn of(options: Setting<'a>) -> Self {
        let custom = options.at("custom");
        match (custom.is_set(), options.at("extended").flag()) {
            (true, _) => Self::Custom(custom),
            (false, Some(false)) => Self::Basic,
            (false, Some(true)) => Self::Extended,
            (false, None) if options.is_absent() => Self::Extended,
            (false, None) => Self::Basic,
        }
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Basic => BASIC.contains(&name),
            Self::Extended => BASIC.contains(&name) || EXTENDED.contains(&name),
            Self::Custom(list) => list.items().any(|item| item.text() == Some(name)),
        }
    }
}

const BASIC: &[&str] = &["subject", "issuer", "subjectaltname", "session_resumed"];
const EXTENDED: &[&str] = &[
    "serial",
    "fingerprint",
    "sni",
    "version",
    "not_before",
    "not_after",
    "ja3",
    "ja3s",
    "ja4",
    "client",
    "client_alpns",
    "server_alpns",
];

fn tls(object: &mut Object<'_>, handshake: &Handshake, fields: &Fields<'_>) {
    if let Some(leaf) = &handshake.server_chain.leaf {
        names(object, leaf, fields);
    }
    if handshake.resumed && fields.has("session_resumed") {
        object.flag("session_resumed", true);
    }
    if let Some(leaf) = &handshake.server_chain.leaf {
        numbers(object, leaf, fields);
    }
    let client = handshake.client.as_ref();
    if let Some(name) = client.and_then(Hello::sni).filter(|_| fields.has("sni")) {
        object.bytes("sni", name);
    }
    if fields.has("version") {
        object.text("version", &handshake.version_name());
    }
    if let Some(leaf) = &handshake.server_chain.leaf {
        dates(object, leaf, fields);
    }
    let is_raw = ["certificate", "chain"].map(|name| fields.has(name));
    raw(object, &handshake.server_chain, is_raw);
    fingerprints(object, handshake, fields);
    if let Some(hello) = client.filter(|_| fields.has("client_alpns"))
        && !hello.alpn.is_empty()
    {
        object.texts("client_alpns", &hello.alpn);
    }
    if let Some(hello) = handshake
        .server
        .as_ref()
        .filter(|_| fields.has("server_alpns"))
        && !hello.alpn.is_empty()
    {
        object.texts("server_alpns", &hello.alpn);
    }
    hellos(object, handshake, fields);
    if let Some(leaf) = &handshake.client_chain.leaf
        && fields.has("client")
    {
        object.object("client", |object| {
            object.text("subject", &leaf.subject);
            object.text("issuerdn", &leaf.issuer);
            numbers(object, leaf, &Fields::Extended);
            dates(object, leaf, &Fields::Extended);
            let is_raw = ["client_certificate", "client_chain"].map(|name| fields.has(name));
            raw(object, &handshake.client_chain, is_raw);
        });
    }
    if !matches!(
        handshake.from,
        AppProto::Unknown | AppProto::Failed | AppProto::Socks
    ) {
        object.text("from_proto", handshake.from.name());
    }
}

fn names(object: &mut Object<'_>, leaf: &Certificate, fields: &Fields<'_>) {
    if fields.has("subject") {
        object.text("subject", &leaf.subject);
    }
    if fields.has("issuer") {
        object.text("issuerdn", &leaf.issuer);
    }
    if fields.has("subjectaltname") && !leaf.alternative_names.is_empty() {
        object.texts("subjectaltname", &leaf.alternative_names);
    }
}

fn numbers(object: &mut Object<'_>, leaf: &Certificate, fields: &Fields<'_>) {
    if fields.has("serial") {
        object.text("serial", &leaf.serial);
    }
    if fields.has("fingerprint") {
        object.text("fingerprint", &leaf.fingerprint);
    }
}

fn dates(object: &mut Object<'_>, leaf: &Certificate, fields: &Fields<'_>) {
    if fields.has("not_before") {
        object.display("notbefore", leaf.not_before);
    }
    if fields.has("not_after") {
        object.display("notafter", leaf.not_after);
    }
}

fn raw(object: &mut Object<'_>, chain: &Chain, [certificate, whole]: [bool; 2]) {
    if let Some(first) = chain.raw.first().filter(|_| certificate) {
        object.text("certificate", &base64(first));
    }
    if whole && !chain.raw.is_empty() {
        object.texts("chain", chain.raw.iter().map(|der| base64(der)));
    }
}

fn fingerprints(object: &mut Object<'_>, handshake: &Handshake, fields: &Fields<'_>) {
    let options = &handshake.fingerprints;
    let client = handshake.client.as_ref();
    if let Some(hello) = client.filter(|_| options.ja3 && fields.has("ja3")) {
        object.object("ja3", |object| {
            object.text("hash", hello.ja3_hash());
            object.text("string", hello.ja3());
        });
    }
    let server = handshake.server.as_ref();
    if let Some(hello) = server.filter(|_| options.ja3 && fields.has("ja3s")) {
        object.object("ja3s", |object| {
            object.text("hash", hello.ja3s_hash());
            object.text("string", hello.ja3s());
        });
    }
    if let Some(hello) = client.filter(|_| options.ja4 && fields.has("ja4")) {
        object.text("ja4", hello.ja4());
    }
}

fn hellos(object: &mut Object<'_>, handshake: &Handshake, fields: &Fields<'_>) {
    fn plain(list: &[u16]) -> Vec<u16> {
        let list = list.iter().copied();
        list.filter(|value| !is_grease(*value)).collect()
    }
    let lists = |object: &mut Object<'_>, key: &str, list: &[u16]| {
        let list = plain(list);
        if !list.is_empty() {
            object.numbers(key, list);
        }
    };
    let client = handshake.client.as_ref();
    if let Some(hello) = client.filter(|_| fields.has("client_handshake")) {
        object.object("client_handshake", |object| {
            if let Some(name) = version::known_name(hello.version) {
                object.text("version", name);
            }
            lists(object, "ciphers", &hello.ciphers);
            lists(object, "exts", &hello.extensions);
            lists(object, "sig_algs", &hello.signature_algorithms);
        });
    }
    let server = handshake.server.as_ref();
    if let Some(hello) = server.filter(|_| fields.has("server_handshake")) {
        object.object("server_handshake", |object| {
            if let Some(name) = version::known_name(hello.legacy_version) {
                object.text("version", name);
            }
            object.number("cipher", hello.cipher);
            lists(object, "exts", &hello.extensions);
        });
    }
}
