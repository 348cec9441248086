//! SSH: banners and proposals.

use packet::applayer::ssh::{Peer, Session};
use packet::{AppProto, Direction};

use super::app::{self, Get};
use super::{Arg, Keyword, content};
use crate::rules::builder::Builder;
use crate::rules::content::Content;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides, Values};
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky(
        "ssh.proto",
        "The version of the protocol in a banner.",
        &PROTO,
    ),
    Keyword::sticky(
        "ssh_proto",
        "The version of the protocol in a banner.",
        &PROTO,
    ),
    Keyword::sticky("ssh.software", "The software in a banner.", &SOFTWARE),
    Keyword::sticky("ssh_software", "The software in a banner.", &SOFTWARE),
    Keyword::call(
        "ssh.protoversion",
        "version|2_compat",
        "The version of the protocol in a banner; 2_compat: one that speaks version 2.",
        protoversion,
    ),
    Keyword::call(
        "ssh.softwareversion",
        "\"bytes\"",
        "Bytes that must occur in the software of a banner, whatever their case.",
        softwareversion,
    ),
    Keyword::sticky("ssh.hassh", "HASSH of the client, its MD5.", &HASSH),
    Keyword::sticky("ssh-hassh", "HASSH of the client, its MD5.", &HASSH),
    Keyword::sticky(
        "ssh.hassh.string",
        "HASSH of the client, written out.",
        &STRING,
    ),
    Keyword::sticky(
        "ssh-hassh-string",
        "HASSH of the client, written out.",
        &STRING,
    ),
    Keyword::sticky(
        "ssh.hassh.server",
        "HASSH of the server, its MD5.",
        &HASSH_SERVER,
    ),
    Keyword::sticky(
        "ssh-hassh-server",
        "HASSH of the server, its MD5.",
        &HASSH_SERVER,
    ),
    Keyword::sticky(
        "ssh.hassh.server.string",
        "HASSH of the server, written out.",
        &SERVER_STRING,
    ),
    Keyword::sticky(
        "ssh-hassh-server-string",
        "HASSH of the server, written out.",
        &SERVER_STRING,
    ),
];

fn protoversion(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let version = arg.unquoted()?;
    let is_number = !version.text.is_empty() && version.text.split('.').all(is_digits);
    if !is_number && version.text != "2_compat" {
        return Err(version
            .wrong(format!("{:?} is no version of SSH", version.text))
            .mend("write a version as 2.0 or 1.99, or 2_compat"));
    }
    let version = version.text.as_bytes().to_vec();
    let asked = Step::Check(Box::new(Version(version)));
    rule.ask_of(&PROTO, asked, arg.name)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The version of a banner.
#[derive(Debug)]
struct Version(Vec<u8>);

impl Check for Version {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        match &*self.0 {
            b"2_compat" => {
                walk.bytes == b"2" || walk.bytes.starts_with(b"2.") || walk.bytes == b"1.99"
            }
            version => walk.bytes == version,
        }
    }
}

fn softwareversion(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let mut content = Content::new(content::bytes(arg.unquoted()?)?, false);
    content.ignore_case();
    rule.ask_of(&SOFTWARE, Step::Content(Box::new(content)), arg.name)
}

const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Ssh], sides, get)
}

static PROTO: Buffer = buffer("ssh.proto", Sides::Both, |scene, values| {
    let peer = peer(scene).filter(|peer| !peer.protocol.is_empty());
    values.maybe(peer.map(|peer| &*peer.protocol));
})
.in_head();

static SOFTWARE: Buffer = buffer("ssh.software", Sides::Both, |scene, values| {
    let peer = peer(scene).filter(|peer| !peer.software.is_empty());
    values.maybe(peer.map(|peer| &*peer.software));
})
.in_head();

pub(super) static HASSH: Buffer = buffer("ssh.hassh", Sides::Client, hash);
pub(super) static HASSH_SERVER: Buffer = buffer("ssh.hassh.server", Sides::Server, hash);
static STRING: Buffer = buffer("ssh.hassh.string", Sides::Client, string);
static SERVER_STRING: Buffer = buffer("ssh.hassh.server.string", Sides::Server, string);

fn peer<'s>(scene: &Scene<'s>) -> Option<&'s Peer> {
    let session = scene.of::<Session>()?;
    Some(match scene.direction {
        Direction::ToServer => &session.client,
        Direction::ToClient => &session.server,
    })
}

fn hash<'s>(scene: &Scene<'s>, values: &mut Values<'s>) {
    if let Some(hash) = peer(scene).and_then(Peer::hassh_hash) {
        values.made(hash.into_bytes());
    }
}

fn string<'s>(scene: &Scene<'s>, values: &mut Values<'s>) {
    values.maybe(
        peer(scene)
            .and_then(|peer| peer.hassh.as_deref())
            .map(str::as_bytes),
    );
}
