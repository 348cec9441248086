//! FTP: commands, replies and data connections.

use std::net::{IpAddr, Ipv4Addr};

use packet::AppProto;
use packet::applayer::ftp::{Exchange, Mode, Transfer};

use super::app::{self, Get, nameless, table};
use super::number::Number;
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;

use crate::rules::scene::{Buffer, Scene, Sides, Values};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky("ftp.command", "The verb of a command.", &COMMAND),
    Keyword::sticky(
        "ftp.command_data",
        "What stands behind the verb, with a zero byte at its end.",
        &COMMAND_DATA,
    ),
    Keyword::sticky("ftp.reply", "A line of a reply, without its code.", &REPLY),
    Keyword::sticky("ftp.completion_code", "The code of a reply.", &CODE),
    Keyword::call(
        "ftp.mode",
        "active|passive",
        "How the data connection is opened.",
        mode,
    ),
    Keyword::call(
        "ftp.dynamic_port",
        "number",
        "The port that was agreed for data.",
        |rule, arg| app::compare(rule, arg, &PORT, 0..=65_535, nameless),
    ),
    Keyword::call(
        "ftp.reply_received",
        "yes|no",
        "Whether the command has its reply.",
        reply_received,
    ),
    Keyword::call(
        "ftpbounce",
        "",
        "A command PORT names another host than the client.",
        bounce,
    ),
    Keyword::call(
        "ftpdata_command",
        "stor|retr|...",
        "The command that a data connection is for.",
        data_command,
    ),
];

const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Ftp], sides, get)
}

static COMMAND: Buffer = buffer("ftp.command", Sides::Client, |scene, values| {
    let command = exchange(scene).and_then(|exchange| exchange.command);
    values.maybe(command.map(str::as_bytes));
});

static COMMAND_DATA: Buffer = buffer("ftp.command_data", Sides::Client, |scene, values| {
    if let Some(exchange) = exchange(scene).filter(|exchange| !exchange.command_data.is_empty()) {
        // Suricata keeps it as a C string, whose end is part of the buffer
        let mut data = exchange.command_data.clone();
        data.push(0);
        values.made(data);
    }
});

static REPLY: Buffer = buffer("ftp.reply", Sides::Server, |scene, values| {
    let lines = answered(scene)
        .into_iter()
        .flat_map(|exchange| &exchange.replies);
    lines.for_each(|line| values.push(line));
})
.multiple();

static CODE: Buffer = buffer("ftp.completion_code", Sides::Server, |scene, values| {
    let exchange = answered(scene).into_iter();
    let codes = exchange.flat_map(|exchange| &exchange.completion_codes);
    codes.for_each(|code| values.push(code));
})
.multiple();

static MODE: Buffer = buffer("ftp.mode", Sides::Both, |scene, values| {
    let agreed = exchange(scene).filter(|exchange| port(exchange).is_some());
    let mode = agreed.and_then(|exchange| exchange.mode);
    app::push(values, mode.map(|mode| mode as u8));
});

static PORT: Buffer = buffer("ftp.dynamic_port", Sides::Both, |scene, values| {
    app::push(values, exchange(scene).and_then(port));
});

static REPLY_RECEIVED: Buffer = buffer("ftp.reply_received", Sides::Server, |scene, values| {
    app::push(values, answered(scene).map(|exchange| exchange.is_answered));
});

static BOUNCE: Buffer = buffer("ftpbounce", Sides::Client, |scene, values| {
    let exchange = exchange(scene).filter(|exchange| exchange.command == Some("PORT"));
    let named = exchange.and_then(|exchange| address(&exchange.command_data));
    let client = scene.tuple.map(|tuple| tuple.src);
    let is_other = named.zip(client).map(|(named, client)| named != client);
    app::push(values, is_other);
});

static DATA_COMMAND: Buffer = app::buffer(
    "ftpdata_command",
    &[AppProto::FtpData],
    Sides::Both,
    |scene: &Scene<'_>, values: &mut Values<'_>| {
        let transfer = scene.of::<Transfer>();
        let number = transfer.and_then(|transfer| table(TRANSFERS)(transfer.command));
        app::push(values, number);
    },
);

const TRANSFERS: &[(&str, u64)] = &[
    ("stor", 1),
    ("retr", 2),
    ("list", 3),
    ("nlst", 4),
    ("appe", 5),
    ("stou", 6),
    ("mlsd", 7),
];

fn exchange<'s>(scene: &Scene<'s>) -> Option<&'s Exchange> {
    scene.of()
}

/// One that a command began: greetings are not looked into.
fn answered<'s>(scene: &Scene<'s>) -> Option<&'s Exchange> {
    exchange(scene).filter(|exchange| exchange.is_asked)
}

/// The port that was agreed for data, once it is.
fn port(exchange: &Exchange) -> Option<u16> {
    let port = exchange.dynamic_port.filter(|port| *port > 0);
    port.filter(|_| exchange.is_answered)
}

/// The address that PORT names (RFC 959 section 4.1.2).
fn address(data: &[u8]) -> Option<IpAddr> {
    let mut parts = data.split(|byte| *byte == b',');
    let mut next = || {
        std::str::from_utf8(parts.next()?.trim_ascii())
            .ok()?
            .parse()
            .ok()
    };
    let [a, b, c, d] = [next()?, next()?, next()?, next()?];
    Some(Ipv4Addr::new(a, b, c, d).into())
}

fn mode(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    const MODES: &[(&str, u64)] = &[
        ("active", Mode::Active as u64),
        ("passive", Mode::Passive as u64),
    ];
    app::word(rule, arg, &MODE, MODES)
}

fn reply_received(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    app::word(rule, arg, &REPLY_RECEIVED, app::BOOLEANS)
}

fn bounce(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    app::ask(rule, arg, &BOUNCE, Number::Is(1))
}

fn data_command(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    app::word(rule, arg, &DATA_COMMAND, TRANSFERS)
}
