//! QUIC: the datagrams that begin a connection.

use packet::AppProto;
use packet::applayer::quic::Datagram;

use super::Keyword;
use super::app::{self, Get};
use crate::rules::scene::{Buffer, Scene, Sides};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky("quic.version", "The version, as it is logged.", &VERSION),
    Keyword::sticky(
        "quic.sni",
        "The server name that the client asks for.",
        &SNI,
    ),
    Keyword::sticky(
        "quic.ua",
        "What a client of gQUIC says that it is.",
        &USER_AGENT,
    ),
    Keyword::sticky(
        "quic.cyu.hash",
        "CYU of a hello of gQUIC, its MD5.",
        &CYU_HASH,
    ),
    Keyword::sticky(
        "quic.cyu.string",
        "CYU of a hello of gQUIC, written out.",
        &CYU,
    ),
];

const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Quic], sides, get)
}

static VERSION: Buffer = buffer("quic.version", Sides::Both, |scene, values| {
    if let Some(datagram) = datagram(scene) {
        values.made(datagram.version.to_be_bytes().to_vec());
    }
});

static SNI: Buffer = buffer("quic.sni", Sides::Client, |scene, values| {
    values.maybe(datagram(scene).and_then(Datagram::server_name));
});

static USER_AGENT: Buffer = buffer("quic.ua", Sides::Client, |scene, values| {
    let hello = datagram(scene).and_then(|datagram| datagram.google.as_ref());
    values.maybe(hello.and_then(|hello| hello.user_agent.as_deref()));
});

pub(super) static CYU_HASH: Buffer = buffer("quic.cyu.hash", Sides::Client, |scene, values| {
    if let Some((_, hash)) = datagram(scene).and_then(Datagram::cyu) {
        values.made(hash.into_bytes());
    }
})
.multiple();

static CYU: Buffer = buffer("quic.cyu.string", Sides::Client, |scene, values| {
    if let Some((text, _)) = datagram(scene).and_then(Datagram::cyu) {
        values.made(text.into_bytes());
    }
})
.multiple();

fn datagram<'s>(scene: &Scene<'s>) -> Option<&'s Datagram> {
    scene.of()
}
