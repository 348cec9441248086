//! What a value is to the interpreter behind the application, and its tokens.

/// The language that an attack speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQL.
    Sql,
    /// HTML and scripts in it.
    Markup,
    /// A shell.
    Shell,
    /// Names of files.
    Path,
    /// Expressions of templates and loggers.
    Template,
    /// None of these: only what is around it can be changed.
    Other,
    /// A harmless value: everything may be tried.
    Prose,
}

/// Signs of a dialect, the first that fits; lower case.
const SIGNS: [(Dialect, &[&str]); 5] = [
    (
        Dialect::Shell,
        &[
            "${ifs}",
            "$ifs",
            ";cat ",
            "|cat ",
            ";id",
            "|id",
            "`id`",
            "$(id",
            "; cat ",
            "| cat ",
            "/bin/sh",
            "/bin/cat",
            "/bin/bash",
            ";ls",
            "|ls",
            "&& ",
            "ping -",
            "wget ",
            "curl ",
        ],
    ),
    (
        Dialect::Markup,
        &[
            "<script",
            "javascript:",
            "<img",
            "<svg",
            "<iframe",
            "<body",
            "<a ",
            "<div",
            "<style",
            "<input",
            "<object",
            "<link",
            "<meta",
            "onerror",
            "onload",
            "onmouse",
            "onfocus",
            "alert(",
        ],
    ),
    (
        Dialect::Sql,
        &[
            "select",
            "union",
            " or ",
            " and ",
            "order by",
            "group by",
            "having",
            "sleep(",
            "waitfor",
            "benchmark(",
            "insert into",
            "drop table",
            "'or",
            "'--",
            "' --",
            "'#",
            "')--",
            "exec(",
            "||",
            "\" or",
            "rlike",
            "convert(",
        ],
    ),
    (
        Dialect::Path,
        &["../", "..\\", "/etc/", "boot.ini", "file://"],
    ),
    (Dialect::Template, &["${", "{{", "<%", "#{", "{%"]),
];

impl Dialect {
    /// The dialect of an attack, by its most telling words.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).to_ascii_lowercase();
        let has = |(_, signs): &&(Self, &[&str])| signs.iter().any(|sign| text.contains(sign));
        SIGNS
            .iter()
            .find(has)
            .map_or(Self::Other, |(dialect, _)| *dialect)
    }
}

/// Words of SQL whose case means nothing: keywords and functions, no names of tables.
const SQL: [&str; 64] = [
    "select",
    "union",
    "all",
    "from",
    "where",
    "and",
    "or",
    "not",
    "null",
    "order",
    "group",
    "by",
    "having",
    "limit",
    "insert",
    "into",
    "values",
    "update",
    "set",
    "delete",
    "drop",
    "table",
    "like",
    "between",
    "in",
    "is",
    "as",
    "case",
    "when",
    "then",
    "else",
    "end",
    "exec",
    "execute",
    "declare",
    "cast",
    "convert",
    "char",
    "chr",
    "concat",
    "sleep",
    "benchmark",
    "waitfor",
    "delay",
    "exists",
    "distinct",
    "count",
    "substring",
    "substr",
    "ascii",
    "length",
    "database",
    "version",
    "user",
    "load_file",
    "outfile",
    "rlike",
    "regexp",
    "if",
    "elt",
    "row",
    "md5",
    "extractvalue",
    "updatexml",
];

/// Programs that attacks on shells start.
pub(super) const COMMANDS: [&str; 24] = [
    "cat", "ls", "id", "whoami", "uname", "wget", "curl", "ping", "nslookup", "nc", "bash", "sh",
    "python", "perl", "php", "echo", "sleep", "touch", "rm", "chmod", "ifconfig", "netstat", "ps",
    "dir",
];

/// Functions that proofs of scripts call.
pub(super) const CALLS: [&str; 7] = [
    "alert", "confirm", "prompt", "eval", "fetch", "print", "atob",
];

/// Whether a token is a keyword or function of SQL.
pub(super) fn is_sql(token: &[u8]) -> bool {
    is_one(token, &SQL)
}

/// Whether a token is one of some words, in any case.
pub(super) fn is_one(token: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|word| token.eq_ignore_ascii_case(word.as_bytes()))
}

/// Words (with what is beyond ASCII), runs of spaces, and single signs.
pub(super) fn tokens(text: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.first() {
        let kind = kind(*first);
        let length = match kind {
            Kind::Sign => 1,
            Kind::Word | Kind::Space => rest
                .iter()
                .take_while(|byte| self::kind(**byte) == kind)
                .count(),
        };
        let (token, after) = rest.split_at(length.min(rest.len()));
        all.push(token);
        rest = after;
    }
    all
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Space,
    Sign,
}

const fn kind(byte: u8) -> Kind {
    match byte {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Kind::Space,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80.. => Kind::Word,
        _ => Kind::Sign,
    }
}

/// Whether a token is a run of spaces.
pub(super) fn is_space(token: &[u8]) -> bool {
    token.first().is_some_and(|byte| kind(*byte) == Kind::Space)
}

/// Whether a token is a word or number.
pub(super) fn is_word(token: &[u8]) -> bool {
    token.first().is_some_and(|byte| kind(*byte) == Kind::Word)
}

/// A decimal number of up to nine digits, or a hexadecimal one as SQL writes it.
pub(super) fn number(token: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(token).ok()?;
    match text.strip_prefix("0x") {
        Some(digits) if digits.len() <= 8 => u64::from_str_radix(digits, 16).ok(),
        None if text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()
        }
        Some(_) | None => None,
    }
}

/// The token at an index, nothing beyond both ends.
pub(super) fn at<'a>(tokens: &[&'a [u8]], index: Option<usize>) -> &'a [u8] {
    index
        .and_then(|index| tokens.get(index))
        .copied()
        .unwrap_or_default()
}

/// Rewrites tokens one by one; `None` leaves one as it is. It sees the tokens before and after.
pub(super) fn map(
    text: &[u8],
    mut write: impl FnMut(&[u8], &[u8], &[u8]) -> Option<Vec<u8>>,
) -> Vec<u8> {
    let tokens = tokens(text);
    let mut out = Vec::with_capacity(text.len());
    for (index, token) in tokens.iter().enumerate() {
        let before = at(&tokens, index.checked_sub(1));
        let after = at(&tokens, index.checked_add(1));
        match write(before, token, after) {
            Some(written) => out.extend(written),
            None => out.extend_from_slice(token),
        }
    }
    out
}

/// Replaces all of one text by another, from the left.
pub(super) fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match rest.strip_prefix(from).filter(|_| !from.is_empty()) {
            Some(left) => {
                out.extend_from_slice(to);
                rest = left;
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// Repeats a change until nothing changes, a few times at most.
pub(super) fn settled(text: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut now = text.to_vec();
    for _ in 0..16 {
        let next = change(&now);
        if next == now {
            break;
        }
        now = next;
    }
    now
}
