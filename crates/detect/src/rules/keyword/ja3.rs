//! Fingerprints of TLS hellos, over TCP and QUIC.

use packet::AppProto;
use packet::applayer::quic::Datagram;
use packet::tls::{Handshake, Hello, ServerHello};

use super::Keyword;
use super::app::{self, Get};
use crate::rules::scene::{Buffer, Scene, Sides};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky("ja3.hash", "JA3 of the client's hello, its MD5.", &JA3_HASH),
    Keyword::sticky("ja3_hash", "JA3 of the client's hello, its MD5.", &JA3_HASH),
    Keyword::sticky(
        "ja3.string",
        "JA3 of the client's hello, written out.",
        &JA3,
    ),
    Keyword::sticky(
        "ja3_string",
        "JA3 of the client's hello, written out.",
        &JA3,
    ),
    Keyword::sticky(
        "ja3s.hash",
        "JA3S of the server's hello, its MD5.",
        &JA3S_HASH,
    ),
    Keyword::sticky(
        "ja3s.string",
        "JA3S of the server's hello, written out.",
        &JA3S,
    ),
    Keyword::sticky("ja4.hash", "JA4 of the client's hello.", &JA4),
    Keyword::sticky("ja4_hash", "JA4 of the client's hello.", &JA4),
];

const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Tls, AppProto::Quic], sides, get).in_head()
}

pub(super) static JA3_HASH: Buffer = buffer("ja3.hash", Sides::Client, |scene, values| {
    values.maybe(client(scene).map(|hello| hello.ja3_hash().as_bytes()));
});

static JA3: Buffer = buffer("ja3.string", Sides::Client, |scene, values| {
    values.maybe(client(scene).map(|hello| hello.ja3().as_bytes()));
});

pub(super) static JA3S_HASH: Buffer = buffer("ja3s.hash", Sides::Server, |scene, values| {
    values.maybe(server(scene).map(|hello| hello.ja3s_hash().as_bytes()));
});

static JA3S: Buffer = buffer("ja3s.string", Sides::Server, |scene, values| {
    values.maybe(server(scene).map(|hello| hello.ja3s().as_bytes()));
});

static JA4: Buffer = buffer("ja4.hash", Sides::Client, |scene, values| {
    values.maybe(client(scene).map(|hello| hello.ja4().as_bytes()));
});

fn client<'s>(scene: &Scene<'s>) -> Option<&'s Hello> {
    let of_tls = scene
        .of::<Handshake>()
        .and_then(|handshake| handshake.client.as_ref());
    of_tls.or_else(|| scene.of::<Datagram>()?.client.as_ref())
}

fn server<'s>(scene: &Scene<'s>) -> Option<&'s ServerHello> {
    let of_tls = scene
        .of::<Handshake>()
        .and_then(|handshake| handshake.server.as_ref());
    of_tls.or_else(|| scene.of::<Datagram>()?.server.as_ref())
}
