//! SMB.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a keyword asks of one kind of message"
)]

use packet::AppProto;
use packet::applayer::smb::{Command, Detail, Ntlm, Smb, TreeConnect};

use super::app::{self, Get};
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::scene::{Buffer, Scene, Sides};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky(
        "smb.share",
        "The share that is opened, other than pipes.",
        &SHARE,
    ),
    Keyword::sticky(
        "smb_share",
        "The share that is opened, other than pipes.",
        &SHARE,
    ),
    Keyword::sticky(
        "smb.named_pipe",
        "The share of pipes that is opened.",
        &PIPE,
    ),
    Keyword::sticky(
        "smb_named_pipe",
        "The share of pipes that is opened.",
        &PIPE,
    ),
    Keyword::sticky("smb.ntlmssp_user", "The user that NTLM names.", &USER),
    Keyword::sticky("smb.ntlmssp_domain", "The domain that NTLM names.", &DOMAIN),
    Keyword::call(
        "smb.version",
        "1|2",
        "The version; 2 stands for 3, too.",
        version,
    ),
];

const fn buffer(name: &'static str, sides: Sides, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Smb], sides, get)
}

static SHARE: Buffer = buffer("smb.share", Sides::Client, |scene, values| {
    let tree = tree(scene).filter(|tree| !tree.is_pipe);
    values.maybe(tree.map(|tree| tree.share.as_bytes()));
});
static PIPE: Buffer = buffer("smb.named_pipe", Sides::Client, |scene, values| {
    let tree = tree(scene).filter(|tree| tree.is_pipe);
    values.maybe(tree.map(|tree| tree.share.as_bytes()));
});
static USER: Buffer = buffer("smb.ntlmssp_user", Sides::Client, |scene, values| {
    values.maybe(ntlm(scene).map(|ntlm| ntlm.user.as_bytes()));
});
static DOMAIN: Buffer = buffer("smb.ntlmssp_domain", Sides::Client, |scene, values| {
    values.maybe(ntlm(scene).map(|ntlm| ntlm.domain.as_bytes()));
});
static VERSION: Buffer = buffer("smb.version", Sides::Both, |scene, values| {
    let version = scene.of::<Smb>().map(|smb| match smb.command {
        Command::V1(_) => 1_u8,
        Command::V2(_) => 2,
    });
    app::push(values, version);
});

fn detail<'s>(scene: &Scene<'s>) -> Option<&'s Detail> {
    Some(&scene.of::<Smb>()?.detail)
}

fn tree<'s>(scene: &Scene<'s>) -> Option<&'s TreeConnect> {
    match detail(scene)? {
        Detail::TreeConnect(tree) => Some(tree),
        _ => None,
    }
}

fn ntlm<'s>(scene: &Scene<'s>) -> Option<&'s Ntlm> {
    match detail(scene)? {
        Detail::SessionSetup(setup) => setup.ntlm.as_ref(),
        _ => None,
    }
}

fn version(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    app::word(rule, arg, &VERSION, &[("1", 1), ("2", 2)])
}
