//! DHCP.

use packet::AppProto;
use packet::applayer::dhcp::Message;

use super::Keyword;
use super::app::{self, Get, nameless};
use crate::rules::scene::{Buffer, Scene, Sides, Values};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "dhcp.leasetime",
        "seconds",
        "How long the address is lent.",
        |rule, arg| app::compare(rule, arg, &LEASE_TIME, 0..=u64::MAX, nameless),
    ),
    Keyword::call(
        "dhcp.renewal_time",
        "seconds",
        "When the client asks its server again.",
        |rule, arg| app::compare(rule, arg, &RENEWAL_TIME, 0..=u64::MAX, nameless),
    ),
    Keyword::call(
        "dhcp.rebinding_time",
        "seconds",
        "When the client asks any server.",
        |rule, arg| app::compare(rule, arg, &REBINDING_TIME, 0..=u64::MAX, nameless),
    ),
];

const fn buffer(name: &'static str, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Dhcp], Sides::Both, get)
}

static LEASE_TIME: Buffer = buffer("dhcp.leasetime", |scene, values| option(scene, values, 51));
static RENEWAL_TIME: Buffer = buffer("dhcp.renewal_time", |scene, values| {
    option(scene, values, 58);
});
static REBINDING_TIME: Buffer = buffer("dhcp.rebinding_time", |scene, values| {
    option(scene, values, 59);
});

/// An option that is a time (RFC 2132 sections 9.2, 9.11, 9.12).
fn option(scene: &Scene<'_>, values: &mut Values<'_>, code: u8) {
    let bytes = scene
        .of::<Message>()
        .and_then(|message| message.option(code));
    let seconds = bytes.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    app::push(values, seconds.map(u32::from_be_bytes));
}
