//! Command lines and reply codes.

/// A command of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// HELO, EHLO or LHLO with the client's name.
    Hello(&'a [u8]),
    /// MAIL FROM.
    MailFrom(&'a [u8]),
    /// RCPT TO.
    RcptTo(&'a [u8]),
    /// DATA.
    Data,
    /// BDAT: so many bytes follow, the last of the mail or not (RFC 3030 section 2).
    Bdat(u64, bool),
    /// RSET.
    Reset,
    /// STARTTLS (RFC 3207).
    StartTls,
    /// QUIT or NOOP.
    Idle,
    /// Any other, or a line of an authentication.
    Other,
}

impl<'a> Command<'a> {
    /// Reads a line without its end. Verbs are known in any case, behind blanks too.
    pub(super) fn parse(line: &'a [u8]) -> Self {
        let line = line.trim_ascii_start();
        let end = line.iter().position(u8::is_ascii_whitespace);
        let (verb, rest) = line
            .split_at_checked(end.unwrap_or(line.len()))
            .unwrap_or((line, &[]));
        match verb.to_ascii_uppercase().as_slice() {
            b"HELO" | b"EHLO" | b"LHLO" => Self::Hello(word(rest)),
            b"MAIL" => path(rest, b"FROM:").map_or(Self::Other, Self::MailFrom),
            b"RCPT" => path(rest, b"TO:").map_or(Self::Other, Self::RcptTo),
            b"DATA" => Self::Data,
            b"BDAT" => bdat(rest),
            b"RSET" => Self::Reset,
            b"STARTTLS" => Self::StartTls,
            b"QUIT" | b"NOOP" => Self::Idle,
            _ => Self::Other,
        }
    }
}

fn bdat(rest: &[u8]) -> Command<'_> {
    let mut words = rest
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let size = words.next().and_then(|size| std::str::from_utf8(size).ok());
    match size.and_then(|size| size.parse().ok()) {
        Some(size) => {
            let is_last = words.any(|word| word.eq_ignore_ascii_case(b"LAST"));
            Command::Bdat(size, is_last)
        }
        None => Command::Other,
    }
}

/// What stands behind `FROM:` or `TO:`, up to the parameters.
fn path<'a>(rest: &'a [u8], keyword: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = rest.trim_ascii_start().split_at_checked(keyword.len())?;
    found.eq_ignore_ascii_case(keyword).then(|| word(value))
}

fn word(rest: &[u8]) -> &[u8] {
    let rest = rest.trim_ascii_start();
    rest.split(|byte| *byte == b' ').next().unwrap_or_default()
}

/// The code of a reply line and whether it is the last line of its reply; `None` when it is not
/// one that a server sends.
pub(super) fn reply(line: &[u8]) -> Option<(u16, bool)> {
    let (code, behind) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(code).ok()?.parse().ok()?;
    CODES
        .contains(&code)
        .then_some((code, behind.first() != Some(&b'-')))
}

/// Codes of RFC 5321 section 4.2 and of the extensions in use.
const CODES: [u16; 39] = [
    211, 214, 220, 221, 235, 250, 251, 252, 334, 354, 401, 402, 421, 435, 450, 451, 452, 454, 455,
    500, 501, 502, 503, 504, 511, 521, 522, 525, 530, 534, 535, 541, 543, 550, 551, 552, 553, 554,
    555,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        for (line, command) in [
            (&b"EHLO  a b"[..], Command::Hello(b"a")),
            (b"helo", Command::Hello(b"")),
            (b"mail from: <a@b> SIZE=1", Command::MailFrom(b"<a@b>")),
            (b"RCPT TO:<c@d>  ", Command::RcptTo(b"<c@d>")),
            (b"RCPT <c@d>", Command::Other),
            (b"  data", Command::Data),
            (b"BDAT 10 last", Command::Bdat(10, true)),
            (b"BDAT 10", Command::Bdat(10, false)),
            (b"BDAT -1", Command::Other),
            (b"staRttLs", Command::StartTls),
            (b"", Command::Other),
            (b"\0\xff", Command::Other),
        ] {
            assert_eq!(Command::parse(line), command);
        }
    }

    #[test]
    fn replies() {
        assert_eq!(reply(b"250-SIZE"), Some((250, false)));
        assert_eq!(reply(b"354"), Some((354, true)));
        assert_eq!(reply(b"472 x"), None);
        assert_eq!(reply(b"+50 x"), None);
        assert_eq!(reply(b"25"), None);
    }
}
