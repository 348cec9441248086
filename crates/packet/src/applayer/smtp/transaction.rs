//! What a mail and the commands around it say.

/// One mail on its way, and who sends it to whom; or commands without a mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    /// Number within the flow.
    pub tx_id: u32,
    /// Time of the first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// The client's name for itself (HELO, EHLO), of this or an earlier mail of the connection.
    pub helo: Option<Vec<u8>>,
    /// MAIL FROM, as sent, parameters left out.
    pub mail_from: Option<Vec<u8>>,
    /// Each RCPT TO, likewise.
    pub rcpt_to: Vec<Vec<u8>>,
    /// The mail itself, from DATA or BDAT on, where mails are taken apart.
    pub email: Option<Email>,
}

/// What a mail says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Email {
    /// Its own headers in their order, not those of its parts.
    pub headers: Vec<Header>,
    /// Names of its parts.
    pub attachments: Vec<Vec<u8>>,
    /// URLs in its texts, in their order.
    pub urls: Vec<Vec<u8>>,
    /// MD5 of all lines behind the headers, lower-case hexadecimal, where asked for.
    pub body_md5: Option<String>,
}

/// A header of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name, lower case.
    pub name: Vec<u8>,
    /// Its value, unfolded.
    pub value: Vec<u8>,
}

impl Email {
    /// The value of the first header with that name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers(name).next()
    }

    /// The values of all headers with that name, given in lower case.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = self
            .headers
            .iter()
            .filter(move |header| header.name == name.as_bytes());
        named.map(|header| header.value.as_slice())
    }

    /// The addresses of the first header with that name.
    #[must_use]
    pub fn addresses(&self, name: &str) -> Vec<&[u8]> {
        self.header(name).map(split_addresses).unwrap_or_default()
    }
}

/// Splits a list of addresses at its commas, except those in quotes; a comma in front of an address
/// is a part of it, as Suricata has it.
fn split_addresses(list: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = list.trim_ascii();
    while !rest.is_empty() {
        let mut quoted = false;
        let comma = rest.iter().enumerate().position(|(at, byte)| {
            quoted ^= *byte == b'"';
            *byte == b',' && !quoted && at > 0
        });
        let (address, behind) = match comma.and_then(|comma| rest.split_at_checked(comma)) {
            Some((address, behind)) => (address, behind.get(1..).unwrap_or_default()),
            None => (rest, &[][..]),
        };
        found.push(address.trim_ascii());
        rest = behind.trim_ascii_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_at_commas_outside_of_quotes() {
        let split = |list: &'static str| -> Vec<String> {
            let found = split_addresses(list.as_bytes());
            let texts = found.into_iter().map(String::from_utf8_lossy);
            texts.map(Into::into).collect()
        };
        assert_eq!(split("c <c@d>, e@f"), ["c <c@d>", "e@f"]);
        assert_eq!(split("a,,b, \"x, y\" <z>"), ["a", ",b", "\"x, y\" <z>"]);
        assert_eq!(split(","), [","]);
        assert!(split("  ").is_empty());
    }
}
