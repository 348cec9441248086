//! Files that transactions carry.

use std::collections::HashSet;
use std::fmt;

use packet::{Digests, FileInfo, FileState};

use super::number::Number;
use super::{Arg, Keyword};
use crate::rules::builder::Builder;
use crate::rules::content::Content;
use crate::rules::diagnostic::Problem;
use crate::rules::header::Apps;
use crate::rules::rule::{Check, Step, Store, StoreScope};
use crate::rules::scene::{Buffer, FileScene, MAGIC_BYTES_MIN, Scene, Sides, Stage, Values};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky("file.data", "The bytes of a file.", &DATA),
    Keyword::sticky("file_data", "The bytes of a file.", &DATA),
    Keyword::sticky("file.name", "The name of a file.", &NAME),
    Keyword::sticky(
        "file.magic",
        "What a file is by its first bytes, in the words of libmagic.",
        &MAGIC,
    ),
    Keyword::call(
        "filename",
        "[!]\"bytes\"",
        "Bytes that must occur in the name of a file, in any case.",
        filename,
    ),
    Keyword::call(
        "fileext",
        "[!]\"extension\"",
        "What the name of a file ends with, behind a dot.",
        fileext,
    ),
    Keyword::call(
        "filemagic",
        "[!]\"bytes\"",
        "Bytes that must occur in what a file is by its first bytes, in any case.",
        filemagic,
    ),
    Keyword::call(
        "filemd5",
        "[!]FILE",
        "The MD5 of a file is in a list: a file with one in each line.",
        |rule, arg| listed(rule, arg, &MD5),
    ),
    Keyword::call(
        "filesha1",
        "[!]FILE",
        "The SHA-1 of a file is in a list.",
        |rule, arg| listed(rule, arg, &SHA1),
    ),
    Keyword::call(
        "filesha256",
        "[!]FILE",
        "The SHA-256 of a file is in a list.",
        |rule, arg| listed(rule, arg, &SHA256),
    ),
    Keyword::call("filesize", "number", "How many bytes a file has.", filesize),
    Keyword::call(
        "filestore",
        "[request|response|both][,file|tx|flow]",
        "Files are stored: those that matched, or all of the transaction or flow.",
        filestore,
    ),
];

const CARRIERS: Apps = {
    use packet::AppProto as App;
    Apps::of(&[
        App::Http,
        App::Http2,
        App::Doh2,
        App::Smtp,
        App::FtpData,
        App::Ftp,
        App::Smb,
        App::Nfs,
    ])
};

const fn buffer(name: &'static str, get: for<'s> fn(&Scene<'s>, &mut Values<'s>)) -> Buffer {
    Buffer {
        name,
        apps: CARRIERS,
        sides: Sides::Both,
        stage: Stage::File,
        multiple: true,
        get,
    }
}

static DATA: Buffer = buffer("file.data", |scene, values| {
    values.maybe(scene.file.and_then(|file| file.data));
});

static NAME: Buffer = buffer("file.name", |scene, values| {
    let name = scene.file.map(|file| file.info.name.as_slice());
    values.maybe(name.filter(|name| !name.is_empty()));
});

static MAGIC: Buffer = buffer("file.magic", |scene, values| {
    let file = scene.file;
    if let Some(file) = file.filter(|file| file.is_over || file.head.len() >= MAGIC_BYTES_MIN) {
        values.made(packet::magic::describe(file.head).into_bytes());
    }
});

/// A file itself: all that is asked of it must hold of one and the same.
pub(crate) static FILE: Buffer = Buffer {
    multiple: false,
    ..buffer("file", |scene, values| {
        if scene.file.is_some() {
            values.push(b"");
        }
    })
};

/// Asks whether bytes occur in a buffer, in any case.
fn occurs(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    at_end: bool,
) -> Result<(), Problem> {
    let (negated, text) = super::content::negated(arg.value()?);
    let text = text.part(text.text.trim_matches('"'));
    let bytes = super::content::bytes(text)?;
    let bytes = if at_end {
        [b".", &bytes[..]].concat()
    } else {
        bytes
    };
    let mut content = Content::new(bytes, negated);
    content.ignore_case();
    content.at_end = at_end;
    rule.ask_of(buffer, Step::Content(Box::new(content)), arg.name)
}

fn filename(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    occurs(rule, arg, &NAME, false)
}

fn fileext(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    occurs(rule, arg, &NAME, true)
}

fn filemagic(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    rule.digests.head = true;
    occurs(rule, arg, &MAGIC, false)
}

/// Asks something of a file itself.
fn ask(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    check: impl Check + 'static,
) -> Result<(), Problem> {
    rule.ask_of(&FILE, Step::Check(Box::new(check)), arg.name)
}

fn filesize(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let size = Number::parse(arg.value()?, 0..=u64::MAX)?;
    ask(rule, arg, FileSize(size))
}

/// How many bytes a file has: known when it is over. One that was cut has at least those that came.
#[derive(Debug)]
struct FileSize(Number);

impl Check for FileSize {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let file = walk.scene.file.map(|file| file.info);
        file.is_some_and(|file| match (file.state, self.0) {
            (FileState::Unknown, _) => false,
            (FileState::Closed, size)
            | (
                FileState::Truncated | FileState::Error,
                size @ (Number::Above(_) | Number::AtLeast(_)),
            ) => size.holds(file.size),
            (FileState::Truncated | FileState::Error, _) => false,
        })
    }
}

/// A kind of digest.
struct Kind {
    name: &'static str,
    /// Length in hexadecimal.
    len: usize,
    of: fn(&FileInfo) -> Option<&String>,
    digests: Digests,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const NONE: Digests = Digests {
    md5: false,
    sha1: false,
    sha256: false,
    head: false,
};
static MD5: Kind = Kind {
    name: "MD5",
    len: 32,
    of: |file| file.md5.as_ref(),
    digests: Digests { md5: true, ..NONE },
};
static SHA1: Kind = Kind {
    name: "SHA-1",
    len: 40,
    of: |file| file.sha1.as_ref(),
    digests: Digests { sha1: true, ..NONE },
};
static SHA256: Kind = Kind {
    name: "SHA-256",
    len: 64,
    of: |file| file.sha256.as_ref(),
    digests: Digests {
        sha256: true,
        ..NONE
    },
};

fn listed(rule: &mut Builder<'_, '_>, arg: Arg<'_>, kind: &'static Kind) -> Result<(), Problem> {
    let (negated, name) = super::content::negated(arg.value()?);
    let bytes = (rule.around.files)(name.text).ok_or_else(|| {
        name.wrong(format!("the file {:?} cannot be read", name.text))
            .mend("name a file beside the rules, or make it readable")
    })?;
    let list = digests(&bytes, kind, name)?;
    rule.digests = rule.digests.or(kind.digests);
    ask(
        rule,
        arg,
        Listed {
            kind,
            list,
            negated,
        },
    )
}

/// The digests of a list: in lower case, one in each line, whatever stands behind it there; lines
/// that begin with `#` are comments.
fn digests(bytes: &[u8], kind: &Kind, at: Piece<'_>) -> Result<HashSet<Box<[u8]>>, Problem> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.map(|(number, line)| (number, line.trim_ascii()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"));
    let digest = |(number, line): (usize, &[u8])| {
        let digits = line
            .get(..kind.len)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let behind = line.get(kind.len);
        let digits = digits.filter(|_| !behind.is_some_and(u8::is_ascii_alphanumeric));
        digits
            .map(|digits| digits.to_ascii_lowercase().into())
            .ok_or_else(|| {
                let line = number.saturating_add(1);
                at.wrong(format!("line {line} of {:?} is no {}", at.text, kind.name))
                    .mend("write one digest in hexadecimal in each line")
            })
    };
    lines.map(digest).collect()
}

/// A digest of a file is in a list.
#[derive(Debug)]
struct Listed {
    kind: &'static Kind,
    list: HashSet<Box<[u8]>>,
    negated: bool,
}

impl Check for Listed {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let digest = walk.scene.file.and_then(|file| (self.kind.of)(file.info));
        digest.is_some_and(|digest| self.list.contains(digest.as_bytes()) != self.negated)
    }
}

fn filestore(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let mut store = Store {
        sides: None,
        scope: StoreScope::File,
    };
    for word in arg.value.iter().flat_map(|value| value.split(',')) {
        match word.text {
            "request" | "to_server" => store.sides = Some(Sides::Client),
            "response" | "to_client" => store.sides = Some(Sides::Server),
            "both" => store.sides = Some(Sides::Both),
            "file" => store.scope = StoreScope::File,
            "tx" => store.scope = StoreScope::Transaction,
            "ssn" | "flow" => store.scope = StoreScope::Flow,
            other => {
                return Err(word
                    .wrong(format!("{other:?} is no word that filestore knows"))
                    .mend("write request, response or both, and file, tx or flow"));
            }
        }
    }
    rule.store = Some(store);
    rule.digests.sha256 = true;
    ask(rule, arg, IsThere)
}

/// There is a file.
#[derive(Debug)]
struct IsThere;

impl Check for IsThere {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        walk.scene
            .file
            .is_some_and(|file: FileScene<'_>| file.info.size > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_digests() {
        let at = Piece { text: "x", at: 0 };
        let text = b"# known\n\n00112233445566778899AABBCCDDEEFF  a.exe\r\n\
            ffeeddccbbaa99887766554433221100\n";
        let list = digests(text, &MD5, at).unwrap();
        assert_eq!(list.len(), 2);
        assert!(list.contains(&b"00112233445566778899aabbccddeeff"[..]));
        for wrong in [&b"zz\n"[..], b"00112233445566778899aabbccddeef\n"] {
            assert!(digests(wrong, &MD5, at).is_err());
        }
        assert!(digests(text, &SHA1, at).is_err());
    }
}
