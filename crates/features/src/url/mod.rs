//! `url@1`: how a URL looks that somebody is led to.
//!
//! The scheme and a leading `www.` are left out: they say where a list comes from, and not what
//! the page is.

mod words;

use std::sync::LazyLock;

use crate::{
    Column, Extractor, Samples, Subject, Unfit,
    gram::{Grams, Hash},
    label::{self, Parts},
    text::{count, entropy, longest, share, tally},
};

/// The extractor.
pub(super) struct Url;

/// Ids of a URL at most.
const IDS_MAX: usize = 512;
/// Bytes that are looked at.
const LENGTH_MAX: usize = 2048;

const OWN: [(&str, &str); 40] = [
    ("host_length", "bytes of the host"),
    (
        "labels_below",
        "count of labels left of the registrable name",
    ),
    ("below_length", "bytes left of the registrable name"),
    ("below_entropy", "Shannon entropy of it, bits per byte"),
    ("below_digits", "share of digits in it"),
    ("below_hyphens", "count of hyphens in it"),
    ("below_longest", "bytes of its longest label"),
    ("suffix_length", "bytes of the public suffix"),
    ("suffix_labels", "count of its labels"),
    (
        "suffix_known",
        "1 where the suffix is in the public suffix list",
    ),
    (
        "suffix_private",
        "1 where anybody gets names under the suffix",
    ),
    ("address", "1 where the host is an IP address"),
    ("port", "1 where a port is named"),
    ("userinfo", "1 where something stands before an @"),
    ("international", "1 where a label is encoded (xn--)"),
    ("path_length", "bytes of the path"),
    ("path_depth", "count of segments"),
    ("path_longest", "bytes of the longest segment"),
    ("path_last", "bytes of the last segment"),
    ("path_digits", "share of digits in the path"),
    ("path_upper", "share of capital letters in the path"),
    (
        "path_signs",
        "count of signs other than / . - _ in the path",
    ),
    ("path_hyphens", "count of hyphens in the path"),
    ("path_entropy", "Shannon entropy of the path, bits per byte"),
    (
        "path_longest_run",
        "bytes of the longest run of letters and digits",
    ),
    (
        "path_double_slash",
        "1 where an empty segment is inside the path",
    ),
    ("path_folder", "1 where the path ends in a slash"),
    ("path_percent", "count of percent encodings"),
    ("path_at", "1 where an @ is in path, query or fragment"),
    ("file_page", "1 where it ends as a page of HTML"),
    (
        "file_program",
        "1 where it ends as a program of a server: php, asp, cgi",
    ),
    (
        "file_download",
        "1 where it ends as something to install or to unpack",
    ),
    ("file_document", "1 where it ends as a document or picture"),
    ("query_length", "bytes of the query"),
    ("query_parameters", "count of parameters"),
    ("fragment_length", "bytes of the fragment"),
    ("lures_host", "count of words in the host that lures use"),
    ("lures_path", "count of words in the path that lures use"),
    (
        "brands_registered",
        "count of brands that are the whole registered label",
    ),
    (
        "nested_address",
        "1 where another host name stands in the path or query",
    ),
];

const BRANDS: [(&str, &str); 4] = [
    (
        "brands_label",
        "count of brands inside the registered label, beside other text",
    ),
    (
        "brands_below",
        "count of brands left of the registrable name",
    ),
    ("brands_path", "count of brands in the path"),
    (
        "brands_near",
        "count of words of the host that are one or two edits from a brand",
    ),
];

static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let named = |(name, meaning): &(&'static str, &'static str)| Column { name, meaning };
    label::COLUMNS
        .iter()
        .chain(&OWN)
        .chain(&BRANDS)
        .map(named)
        .collect()
});

impl Extractor for Url {
    fn name(&self) -> &'static str {
        "url@1"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn ids_max(&self) -> usize {
        IDS_MAX
    }

    fn extract(&self, subject: &Subject<'_>, samples: &mut Samples) -> Result<(), Unfit> {
        let Subject::Url(url) = subject else {
            let (extractor, given) = (self.name(), subject.kind());
            return Err(Unfit {
                extractor,
                wants: "a URL",
                given,
            });
        };
        let url: String = url.chars().take(LENGTH_MAX).collect();
        let pieces = Pieces::of(&url);
        let host = pieces.host.to_ascii_lowercase();
        let host = host.strip_prefix("www.").unwrap_or(&host);
        // the digits of an address are no name that somebody chose
        let parts = label::parts(if is_address(host) { "" } else { host });
        let mut numbers = label::look(parts.label.as_bytes()).to_vec();
        hosting(&pieces, host, &parts, &mut numbers);
        leading(&pieces, &mut numbers);
        meaning(&pieces, host, &parts, &mut numbers);
        let mut grams = Grams::new(IDS_MAX);
        spell(&pieces, host, &parts, &mut grams);
        samples.push(b"url", url.as_bytes(), &numbers, grams.ids(), IDS_MAX);
        Ok(())
    }
}

/// A URL taken apart as a person reads it; nothing is refused.
struct Pieces<'a> {
    userinfo: bool,
    host: &'a str,
    port: bool,
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

impl<'a> Pieces<'a> {
    fn of(url: &'a str) -> Self {
        let url = url.trim();
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((_, host)) => (true, host),
            None => (false, authority),
        };
        let (host, port) = match host.rsplit_once(':') {
            Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                (name, true)
            }
            Some(_) | None => (host, false),
        };
        Self {
            userinfo,
            host: host.trim_matches('.'),
            port,
            path,
            query,
            fragment,
        }
    }
}

const fn flag(holds: bool) -> f32 {
    if holds { 1.0 } else { 0.0 }
}

fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']'])
        .parse::<std::net::IpAddr>()
        .is_ok()
}

fn hosting(pieces: &Pieces<'_>, host: &str, parts: &Parts<'_>, numbers: &mut Vec<f32>) {
    let below = parts.below.as_bytes();
    numbers.extend([
        count(host.len()),
        count(
            parts
                .below
                .split('.')
                .filter(|label| !label.is_empty())
                .count(),
        ),
        count(below.len()),
        entropy(below),
        share(tally(below, |byte| byte.is_ascii_digit()), below.len()),
        count(tally(below, |byte| byte == b'-')),
        count(longest(below, |byte| byte != b'.')),
        count(parts.suffix.len()),
        count(parts.suffix.split('.').count()),
        flag(parts.known),
        flag(parts.private),
        flag(is_address(host)),
        flag(pieces.port),
        flag(pieces.userinfo),
        flag(host.contains("xn--")),
    ]);
}

fn leading(pieces: &Pieces<'_>, numbers: &mut Vec<f32>) {
    let path = pieces.path.as_bytes();
    let segments: Vec<&str> = pieces
        .path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let last = segments.last().copied().unwrap_or_default();
    let ending = last
        .rsplit_once('.')
        .map_or(String::new(), |(_, ending)| ending.to_ascii_lowercase());
    let ends = |endings: &[&str]| flag(endings.contains(&ending.as_str()));
    let all = [pieces.path, pieces.query, pieces.fragment];
    numbers.extend([
        count(path.len()),
        count(segments.len()),
        count(
            segments
                .iter()
                .map(|segment| segment.len())
                .max()
                .unwrap_or(0),
        ),
        count(last.len()),
        share(tally(path, |byte| byte.is_ascii_digit()), path.len()),
        share(tally(path, |byte| byte.is_ascii_uppercase()), path.len()),
        count(tally(path, |byte| {
            !byte.is_ascii_alphanumeric() && !b"/.-_".contains(&byte)
        })),
        count(tally(path, |byte| byte == b'-')),
        entropy(path),
        count(longest(path, |byte| byte.is_ascii_alphanumeric())),
        flag(pieces.path.contains("//")),
        flag(path.len() > 1 && path.ends_with(b"/")),
        count(tally(path, |byte| byte == b'%')),
        flag(
            all.iter()
                .any(|text| text.contains('@') || text.contains("%40")),
        ),
        ends(&["html", "htm", "xhtml", "shtml"]),
        ends(&["php", "asp", "aspx", "jsp", "cgi", "do", "cfm"]),
        ends(&[
            "exe", "zip", "rar", "apk", "dmg", "msi", "js", "iso", "bat", "scr", "gz", "7z", "jar",
        ]),
        ends(&[
            "pdf", "doc", "docx", "xls", "png", "jpg", "jpeg", "gif", "txt", "xml", "css", "ppt",
        ]),
        count(pieces.query.len()),
        count(
            pieces
                .query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .count(),
        ),
        count(pieces.fragment.len()),
    ]);
}

fn meaning(pieces: &Pieces<'_>, host: &str, parts: &Parts<'_>, numbers: &mut Vec<f32>) {
    let rest = [pieces.path, "?", pieces.query, "#", pieces.fragment]
        .concat()
        .to_ascii_lowercase();
    let lures = |text: &str| {
        count(
            words::LURES
                .iter()
                .filter(|word| text.contains(*word))
                .count(),
        )
    };
    let brands = |text: &str| {
        count(
            words::BRANDS
                .iter()
                .filter(|brand| text.contains(*brand))
                .count(),
        )
    };
    let is_brand = words::BRANDS.contains(&parts.label);
    let nested = rest.split(['/', '?', '&', '=', '#']).any(|piece| {
        let name = piece.split_once("://").map_or(piece, |(_, name)| name);
        name.contains('.')
            && label::parts(name).known
            && !name.ends_with(".html")
            && psl::domain(name.as_bytes()).is_some()
            && ["com", "org", "net", "io"]
                .iter()
                .any(|suffix| name.ends_with(suffix))
    });
    let near = host
        .split(['.', '-'])
        .filter(|word| word.len() >= 5 && !words::BRANDS.contains(word))
        .filter(|word| {
            let plain: Vec<u8> = word.bytes().map(words::unlike).collect();
            words::BRANDS
                .iter()
                .filter(|brand| brand.len() >= 5)
                .any(|brand| {
                    plain == brand.as_bytes()
                        || crate::text::edits(
                            &plain,
                            brand.as_bytes(),
                            if brand.len() > 7 { 2 } else { 1 },
                        )
                        .is_some()
                })
        });
    numbers.extend([lures(host), lures(&rest), flag(is_brand), flag(nested)]);
    numbers.extend([
        if is_brand { 0.0 } else { brands(parts.label) },
        brands(parts.below),
        brands(&rest),
        count(near.count()),
    ]);
}

/// Characters of the host, its words, its suffix; characters, words and shape of the path.
fn spell(pieces: &Pieces<'_>, host: &str, parts: &Parts<'_>, grams: &mut Grams) {
    grams.add(Hash::of(b'x').bytes(parts.suffix.as_bytes()));
    let top = parts.suffix.rsplit('.').next().unwrap_or_default();
    grams.add(Hash::of(b'y').bytes(top.as_bytes()));
    for (kind, text) in [(b'c', parts.label), (b'b', parts.below)] {
        let ended = ["^", text, "$"].concat();
        for length in 3..=5 {
            ended
                .as_bytes()
                .windows(length)
                .for_each(|characters| grams.add(Hash::of(kind).bytes(characters)));
        }
    }
    for word in host
        .split(|byte: char| !byte.is_ascii_alphabetic())
        .filter(|word| word.len() > 1)
    {
        grams.add(Hash::of(b'w').bytes(word.as_bytes()));
    }
    let rest = [pieces.path, "?", pieces.query, "#", pieces.fragment].concat();
    let shape = |segment: &str| {
        let mut last = 0;
        segment.bytes().fold(Hash::of(b'h'), |hash, byte| {
            let class = match byte {
                b'0'..=b'9' => b'0',
                b'a'..=b'z' => b'a',
                b'A'..=b'Z' => b'A',
                _ => byte,
            };
            if std::mem::replace(&mut last, class) == class {
                hash
            } else {
                hash.byte(class)
            }
        })
    };
    for segment in pieces.path.split('/') {
        grams.add(shape(segment));
        grams.add(Hash::of(b'z').number(u64::try_from(segment.len()).unwrap_or(u64::MAX)));
    }
    for word in rest
        .split(|byte: char| !byte.is_ascii_alphanumeric())
        .filter(|word| word.len() > 1)
    {
        grams.add(Hash::of(b'p').bytes(word.to_ascii_lowercase().as_bytes()));
    }
    let lower = rest.to_ascii_lowercase();
    for length in 3..=4 {
        lower
            .as_bytes()
            .windows(length)
            .for_each(|characters| grams.add(Hash::of(b'q').bytes(characters)));
    }
}

#[cfg(test)]
mod tests;
