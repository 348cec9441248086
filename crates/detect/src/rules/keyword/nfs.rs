//! NFS.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a keyword asks of one kind of message"
)]

use packet::AppProto;
use packet::applayer::nfs::Nfs;

use super::number::Number;
use super::{Arg, Keyword, app};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::scene::{Buffer, Sides};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "nfs_procedure",
        "number",
        "The procedure that is called; both ends of a range are part of it.",
        |rule, arg| compare(rule, arg, &PROCEDURE),
    ),
    Keyword::call(
        "nfs.version",
        "number",
        "The version of NFS; both ends of a range are part of it.",
        |rule, arg| compare(rule, arg, &VERSION),
    ),
    Keyword::call(
        "nfs_version",
        "number",
        "The version of NFS; both ends of a range are part of it.",
        |rule, arg| compare(rule, arg, &VERSION),
    ),
];

static PROCEDURE: Buffer = app::buffer(
    "nfs_procedure",
    &[AppProto::Nfs],
    Sides::Client,
    |scene, values| {
        app::push(values, scene.of::<Nfs>().map(|call| call.procedure));
    },
);
static VERSION: Buffer = app::buffer(
    "nfs.version",
    &[AppProto::Nfs],
    Sides::Client,
    |scene, values| {
        app::push(values, scene.of::<Nfs>().map(|call| call.version));
    },
);

/// Unlike those of other keywords, ranges include their ends.
fn compare(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
) -> Result<(), Problem> {
    let number = match Number::parse(arg.value()?, 0..=app::U32_MAX)? {
        Number::Between(0, to) => Number::AtMost(to),
        Number::Between(from, to) => Number::Between(from.saturating_sub(1), to.saturating_add(1)),
        Number::Outside(0, to) => Number::Above(to),
        Number::Outside(from, to) => Number::Outside(from.saturating_sub(1), to.saturating_add(1)),
        other => other,
    };
    app::ask(rule, arg, buffer, number)
}
