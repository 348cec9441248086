//! Command lines.

/// A command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Command<'a> {
    /// The verb, where it is one that Suricata logs.
    pub(super) name: Option<&'static str>,
    /// What stands behind it.
    pub(super) data: &'a [u8],
    /// AUTH (RFC 4217 section 4): TLS begins behind its reply.
    pub(super) is_auth: bool,
}

impl<'a> Command<'a> {
    /// Reads a line without its end. Verbs are known in any case, behind blanks and the signs that
    /// Telnet interrupts with (RFC 959 section 4.1.3, ABOR).
    pub(super) fn parse(line: &'a [u8]) -> Self {
        let start = line
            .iter()
            .position(|byte| *byte < TELNET && !byte.is_ascii_whitespace());
        let line = line.get(start.unwrap_or(line.len())..).unwrap_or_default();
        // the older verbs for directories (RFC 1123 section 4.1.3.1)
        let plain = line.strip_prefix(b"X").or(line.strip_prefix(b"x"));
        let plain = plain.filter(|plain| {
            ["CUP", "CWD", "MKD", "PWD", "RMD"]
                .iter()
                .any(|name| begins(plain, name))
        });
        let line = plain.unwrap_or(line);
        // whatever stands behind a known verb, Suricata takes the verb
        let name = NAMES.iter().find(|name| begins(line, name)).copied();
        let end = line.iter().position(|byte| *byte == b' ');
        let len = name.map_or(end.unwrap_or(line.len()), str::len);
        Self {
            name,
            data: line
                .get(len.saturating_add(1)..)
                .unwrap_or_default()
                .trim_ascii_end(),
            is_auth: begins(line, "AUTH ") || line.eq_ignore_ascii_case(b"AUTH"),
        }
    }

    /// Whether the command moves data over another connection; and whether that is a file.
    pub(super) fn transfer(self) -> Option<(&'static str, bool)> {
        match self.name? {
            name @ ("RETR" | "STOR" | "STOU" | "APPE") => Some((name, true)),
            name @ ("LIST" | "NLST" | "MLSD") => Some((name, false)),
            _ => None,
        }
    }
}

fn begins(line: &[u8], name: &str) -> bool {
    let begin = line.get(..name.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(name.as_bytes()))
}

const NAMES: &[&str] = &[
    "ABOR", "ACCT", "ALLO", "APPE", "CDUP", "CWD", "DELE", "EPRT", "EPSV", "HELP", "LIST", "MDTM",
    "MKD", "MLSD", "MODE", "NLST", "NOOP", "PASS", "PASV", "PORT", "PWD", "QUIT", "REIN", "REST",
    "RETR", "RMD", "RNFR", "RNTO", "SITE", "SIZE", "SMNT", "STAT", "STOR", "STOU", "STRU", "SYST",
    "TYPE", "USER",
];

/// Bytes from here on are Telnet commands (RFC 854).
const TELNET: u8 = 0xf0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        for (line, name, data) in [
            (&b"USER a"[..], Some("USER"), &b"a"[..]),
            (b"user  a b ", Some("USER"), b" a b"),
            (b"\xff\xf4\xff\xf2ABOR", Some("ABOR"), b""),
            (b"XPWD", Some("PWD"), b""),
            (b"TYPEEE", Some("TYPE"), b"E"),
            (b"FEAT", None, b""),
            (b"", None, b""),
        ] {
            let command = Command::parse(line);
            assert_eq!((command.name, command.data), (name, data));
        }
        assert!(Command::parse(b"AUTH TLS").is_auth);
        assert_eq!(Command::parse(b"RETR x").transfer(), Some(("RETR", true)));
        assert_eq!(Command::parse(b"LIST").transfer(), Some(("LIST", false)));
        assert_eq!(Command::parse(b"PWD").transfer(), None);
    }
}
