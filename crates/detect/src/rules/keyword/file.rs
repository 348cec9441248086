//! Files that transactions carry.

use super::number::Number;
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::content::Content;
use crate::rules::diagnostic::Problem;
use crate::rules::header::Apps;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Sides, Stage};
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky("file.data", "The bytes of a file.", &DATA),
    Keyword::sticky("file_data", "The bytes of a file.", &DATA),
    Keyword::sticky("file.name", "The name of a file.", &NAME),
    Keyword::call(
        "filename",
        "\"bytes\"",
        "Bytes that must occur in the name of a file.",
        filename,
    ),
    Keyword::call(
        "fileext",
        "\"extension\"",
        "What the name of a file ends with, behind a dot.",
        fileext,
    ),
    Keyword::call("filesize", "number", "How many bytes a file has.", filesize),
];

const CARRIERS: Apps = {
    use packet::AppProto as App;
    Apps::of(&[
        App::Http,
        App::Http2,
        App::Smtp,
        App::FtpData,
        App::Ftp,
        App::Smb,
        App::Nfs,
    ])
};

static DATA: Buffer = Buffer {
    name: "file.data",
    apps: CARRIERS,
    sides: Sides::Both,
    stage: Stage::File,
    multiple: false,
    get: |scene, values| values.maybe(scene.file.map(|file| file.data)),
};

static NAME: Buffer = Buffer {
    name: "file.name",
    apps: CARRIERS,
    sides: Sides::Both,
    stage: Stage::File,
    multiple: false,
    get: |scene, values| values.maybe(scene.file.map(|file| file.name)),
};

fn filename(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let (negated, quoted) = super::content::negated(arg.value()?);
    let text = quoted.part(quoted.text.trim_matches('"'));
    let mut content = Content::new(super::content::bytes(text)?, negated);
    content.ignore_case();
    rule.ask_of(&NAME, Step::Content(Box::new(content)), arg.name)
}

fn fileext(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let (negated, quoted) = super::content::negated(arg.value()?);
    let text = quoted.part(quoted.text.trim_matches('"'));
    let extension = [b".", &super::content::bytes(text)?[..]].concat();
    let mut content = Content::new(extension, negated);
    content.ignore_case();
    content.at_end = true;
    rule.ask_of(&NAME, Step::Content(Box::new(content)), arg.name)
}

fn filesize(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let size = Number::parse(arg.value()?, 0..=u64::MAX)?;
    rule.ask_of(&NAME, Step::Check(Box::new(FileSize(size))), arg.name)
}

/// How many bytes a file has: known when it is over.
#[derive(Debug)]
struct FileSize(Number);

impl Check for FileSize {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let info = walk.scene.file.and_then(|file| file.info);
        info.is_some_and(|info| self.0.holds(info.size))
    }
}
