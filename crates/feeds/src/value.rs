//! What an indicator looks for, in the one form that is compared.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use stix::canonical;
use stix::lease::Selector;
use stix::pattern::{HashKind, Term};

/// Longest value that is read, in bytes.
const VALUE_BYTES_MAX: usize = 8192;

/// What an indicator looks for, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// An address or a network.
    Address(IpNet),
    /// A port of an address that traffic goes to.
    Endpoint(IpNet, u16),
    /// A domain name.
    Domain(Box<str>),
    /// A URL.
    Url(Box<str>),
    /// A file's hash, in lower-case hexadecimal.
    Hash(HashKind, Box<str>),
    /// A TLS client's JA3 fingerprint.
    Ja3(Box<str>),
    /// A TLS client's JA4 fingerprint.
    Ja4(Box<str>),
    /// The address of a sender of mail.
    Email(Box<str>),
}

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An address or a network.
    Ip,
    /// An address and a port, `192.0.2.1:443`.
    Endpoint,
    /// A domain name.
    Domain,
    /// A URL.
    Url,
    /// A file's MD5.
    Md5,
    /// A file's SHA-1.
    Sha1,
    /// A file's SHA-256.
    Sha256,
    /// A JA3 fingerprint.
    Ja3,
    /// A JA4 fingerprint.
    Ja4,
    /// The address of a sender of mail.
    Email,
}

/// Kinds by their names.
const KINDS: [(Kind, &str); 10] = [
    (Kind::Ip, "ip"),
    (Kind::Endpoint, "ip-port"),
    (Kind::Domain, "domain"),
    (Kind::Url, "url"),
    (Kind::Md5, "md5"),
    (Kind::Sha1, "sha1"),
    (Kind::Sha256, "sha256"),
    (Kind::Ja3, "ja3"),
    (Kind::Ja4, "ja4"),
    (Kind::Email, "email"),
];

/// Other names of kinds, as tools in the field write them in a column of types.
const ALIASES: [(&str, Kind); 28] = [
    ("address", Kind::Ip),
    ("cidr", Kind::Ip),
    ("ip-dst", Kind::Ip),
    ("ip-src", Kind::Ip),
    ("ipv4", Kind::Ip),
    ("ipv4-addr", Kind::Ip),
    ("ipv6", Kind::Ip),
    ("ipv6-addr", Kind::Ip),
    ("range", Kind::Ip),
    ("ip:port", Kind::Endpoint),
    ("ip-dst|port", Kind::Endpoint),
    ("domain-name", Kind::Domain),
    ("fqdn", Kind::Domain),
    ("host", Kind::Domain),
    ("hostname", Kind::Domain),
    ("uri", Kind::Url),
    ("filehash-md5", Kind::Md5),
    ("md5_hash", Kind::Md5),
    ("filehash-sha1", Kind::Sha1),
    ("sha-1", Kind::Sha1),
    ("sha1_hash", Kind::Sha1),
    ("filehash-sha256", Kind::Sha256),
    ("sha-256", Kind::Sha256),
    ("sha256_hash", Kind::Sha256),
    ("ja3-fingerprint-md5", Kind::Ja3),
    ("ja3_md5", Kind::Ja3),
    ("email-addr", Kind::Email),
    ("email-src", Kind::Email),
];

impl Kind {
    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|(kind, _)| *kind)
    }

    /// Its name, as it is typed and written.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = KINDS.iter().find(|(kind, _)| *kind == self);
        known.map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let own = KINDS
            .iter()
            .find(|(_, name)| *name == lower)
            .map(|(kind, _)| *kind);
        let alias = || ALIASES.iter().find(|(name, _)| *name == lower);
        own.or_else(|| alias().map(|(_, kind)| *kind))
            .ok_or_else(|| {
                let names: Vec<&str> = KINDS.iter().map(|(_, name)| *name).collect();
                format!("not one of {}", names.join(", "))
            })
    }
}

/// Why a text is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a value of the kind that was asked for.
    #[error("{text:?} is not {wanted}")]
    NotA {
        /// What was written, shortened.
        text: String,
        /// What was expected.
        wanted: &'static str,
    },
    /// Of no kind that can be told from the text.
    #[error("{0:?} is of no kind that can be guessed")]
    NoKind(String),
}

impl ValueError {
    /// What would mend it.
    #[must_use]
    pub fn mend(&self) -> &'static str {
        match self {
            Self::NotA { .. } => "correct the value, or its type",
            Self::NoKind(_) => "correct the value, or name its type",
        }
    }
}

impl Value {
    /// Reads a value of a kind. Defanged texts (`hxxp`, `[.]`, `(dot)`) are read as meant.
    ///
    /// # Errors
    /// [`ValueError::NotA`], when the text is no such value.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        let (read, wanted) = match text.len() <= VALUE_BYTES_MAX {
            true => read(kind, &refang(text)),
            false => (None, "short enough"),
        };
        read.ok_or_else(|| ValueError::NotA {
            text: shortened(text),
            wanted,
        })
    }

    /// Reads a value whose kind shows in its form. 32 hexadecimal digits are an MD5.
    ///
    /// # Errors
    /// [`ValueError::NoKind`], when it could be anything.
    pub fn guess(text: &str) -> Result<Self, ValueError> {
        const ORDER: [Kind; 9] = [
            Kind::Ip,
            Kind::Endpoint,
            Kind::Url,
            Kind::Md5,
            Kind::Sha1,
            Kind::Sha256,
            Kind::Ja4,
            Kind::Email,
            Kind::Domain,
        ];
        let text = text.trim();
        let refanged = match text.len() <= VALUE_BYTES_MAX {
            true => refang(text),
            false => String::new(),
        };
        let mut kinds = ORDER.iter();
        kinds
            .find_map(|kind| read(*kind, &refanged).0)
            .filter(|value| !matches!(value, Self::Domain(name) if !looks_registered(name)))
            .ok_or_else(|| ValueError::NoKind(shortened(text)))
    }

    /// What a term of a pattern looks for; `None` for traffic that is no [`Self::Address`] and
    /// no [`Self::Endpoint`].
    #[must_use]
    pub fn of_term(term: &Term) -> Option<Self> {
        Some(match term {
            Term::Address(net) => Self::Address(*net),
            Term::Domain(name) => Self::Domain(name.clone()),
            Term::Url(url) => Self::Url(url.clone()),
            Term::FileHash { algorithm, value } => Self::Hash(*algorithm, value.clone()),
            Term::Ja3(value) => Self::Ja3(value.clone()),
            Term::Ja4(value) => Self::Ja4(value.clone()),
            Term::Traffic {
                src: None,
                dst: Some(net),
                dst_port,
                protocol: None,
            } => match dst_port {
                Some(port) => Self::Endpoint(*net, *port),
                None => Self::Address(*net),
            },
            Term::Traffic {
                src: Some(net),
                dst: None,
                dst_port: None,
                protocol: None,
            } => Self::Address(*net),
            Term::Traffic { .. } => return None,
        })
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Address(_) => Kind::Ip,
            Self::Endpoint(..) => Kind::Endpoint,
            Self::Domain(_) => Kind::Domain,
            Self::Url(_) => Kind::Url,
            Self::Hash(HashKind::Md5, _) => Kind::Md5,
            Self::Hash(HashKind::Sha1, _) => Kind::Sha1,
            Self::Hash(HashKind::Sha256, _) => Kind::Sha256,
            Self::Ja3(_) => Kind::Ja3,
            Self::Ja4(_) => Kind::Ja4,
            Self::Email(_) => Kind::Email,
        }
    }

    /// The network that it names, if it does.
    #[must_use]
    pub fn network(&self) -> Option<IpNet> {
        match self {
            Self::Address(net) | Self::Endpoint(net, _) => Some(*net),
            Self::Domain(_)
            | Self::Url(_)
            | Self::Hash(..)
            | Self::Ja3(_)
            | Self::Ja4(_)
            | Self::Email(_) => None,
        }
    }

    /// The STIX pattern that looks for it.
    #[must_use]
    pub fn pattern(&self) -> String {
        match self {
            Self::Address(net) => format!("[{}:value = '{}']", family(*net), shown(*net)),
            Self::Endpoint(net, port) => format!(
                "[network-traffic:dst_ref.type = '{}' AND network-traffic:dst_ref.value = '{}' \
                 AND network-traffic:dst_port = {port}]",
                family(*net),
                shown(*net)
            ),
            Self::Domain(name) => format!("[domain-name:value = '{}']", quoted(name)),
            Self::Url(url) => format!("[url:value = '{}']", quoted(url)),
            Self::Hash(HashKind::Md5, value) => format!("[file:hashes.MD5 = '{value}']"),
            Self::Hash(kind, value) => format!("[file:hashes.'{}' = '{value}']", kind.name()),
            Self::Ja3(value) => {
                format!("[network-traffic:extensions.'tls-ext'.ja3 = '{value}']")
            }
            Self::Ja4(value) => {
                format!("[network-traffic:extensions.'tls-ext'.ja4 = '{value}']")
            }
            Self::Email(address) => {
                format!("[email-message:from_ref.value = '{}']", quoted(address))
            }
        }
    }

    /// The selector of a lease that matches it, where there is one. It is also what names the
    /// partners that an indicator is addressed to.
    #[must_use]
    pub fn selector(&self) -> Option<Selector> {
        match self {
            Self::Address(net) => Some(Selector::Source(*net)),
            Self::Endpoint(net, _) => Some(Selector::Destination(*net)),
            Self::Domain(name) => Some(Selector::Domain(name.clone())),
            Self::Url(url) => Some(Selector::Url(url.clone())),
            Self::Hash(HashKind::Sha256, value) => Some(Selector::Sha256(value.clone())),
            Self::Ja3(value) => Some(Selector::Ja3(value.clone())),
            Self::Ja4(value) => Some(Selector::Ja4(value.clone())),
            Self::Hash(..) | Self::Email(_) => None,
        }
    }
}

impl fmt::Display for Value {
    /// The text that [`Value::parse`] reads; an address alone has no prefix length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(net) => f.write_str(&shown(*net)),
            Self::Endpoint(IpNet::V4(net), port) => {
                write!(f, "{}:{port}", shown(IpNet::V4(*net)))
            }
            Self::Endpoint(net, port) => write!(f, "[{}]:{port}", shown(*net)),
            Self::Domain(text)
            | Self::Url(text)
            | Self::Hash(_, text)
            | Self::Ja3(text)
            | Self::Ja4(text)
            | Self::Email(text) => f.write_str(text),
        }
    }
}

/// A text as it was before somebody made it unclickable.
fn refang(text: &str) -> String {
    const PAIRS: [(&str, &str); 8] = [
        ("[.]", "."),
        ("(.)", "."),
        ("{.}", "."),
        ("[dot]", "."),
        ("(dot)", "."),
        ("[:]", ":"),
        ("[://]", "://"),
        ("[@]", "@"),
    ];
    let mut plain = text.to_owned();
    for (fanged, meant) in PAIRS {
        if plain.contains(fanged) {
            plain = plain.replace(fanged, meant);
        }
    }
    // Only the scheme: a path may have hxxp in it.
    let scheme = plain.split_once(':').map(|(scheme, _)| scheme.to_owned());
    if let Some(scheme) = scheme {
        let mend = match scheme.to_ascii_lowercase().as_str() {
            "hxxp" | "h**p" | "meow" => Some("http"),
            "hxxps" | "h**ps" => Some("https"),
            "fxp" => Some("ftp"),
            _ => None,
        };
        if let (Some(mend), Some((_, rest))) = (mend, plain.split_once(':')) {
            plain = format!("{mend}:{rest}");
        }
    }
    plain
}

/// The value, and what was wanted.
fn read(kind: Kind, text: &str) -> (Option<Value>, &'static str) {
    let hash = |kind: HashKind| canonical::hash(kind, text).map(|text| Value::Hash(kind, text));
    match kind {
        Kind::Ip => (
            canonical::network(text).map(Value::Address),
            "an address or a network",
        ),
        Kind::Endpoint => (endpoint(text), "an address and a port"),
        Kind::Domain => (canonical::domain(text).map(Value::Domain), "a domain name"),
        Kind::Url => (
            canonical::url(text)
                .filter(|url| url.contains("://"))
                .map(Value::Url),
            "a URL with scheme and host",
        ),
        Kind::Md5 => (hash(HashKind::Md5), "an MD5"),
        Kind::Sha1 => (hash(HashKind::Sha1), "a SHA-1"),
        Kind::Sha256 => (hash(HashKind::Sha256), "a SHA-256"),
        Kind::Ja3 => (canonical::ja3(text).map(Value::Ja3), "a JA3 hash"),
        Kind::Ja4 => (canonical::ja4(text).map(Value::Ja4), "a JA4 fingerprint"),
        Kind::Email => (email(text), "an address of mail"),
    }
}

/// `192.0.2.1:443`, `192.0.2.1|443`, `[2001:db8::1]:443`, `2001:db8::1|443`.
fn endpoint(text: &str) -> Option<Value> {
    let (address, port) = match text.rsplit_once('|') {
        Some(pair) => pair,
        None => text.rsplit_once(':')?,
    };
    let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    // 2001:db8::1:443 is an address alone.
    if bare.is_none() && address.contains(':') && !text.contains('|') {
        return None;
    }
    let net = canonical::network(bare.unwrap_or(address))?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    Some(Value::Endpoint(net, port))
}

/// Longest address of mail (RFC 5321 section 4.5.3.1.3), in bytes.
const EMAIL_BYTES_MAX: usize = 254;

fn email(text: &str) -> Option<Value> {
    let (user, host) = text.rsplit_once('@')?;
    let host = canonical::domain(host)?;
    let plain =
        |c: char| c.is_ascii_graphic() && !matches!(c, '@' | '"' | '(' | ')' | '<' | '>' | ',');
    let good = !user.is_empty() && text.len() <= EMAIL_BYTES_MAX && user.chars().all(plain);
    good.then(|| Value::Email(format!("{user}@{host}").into()))
}

/// Whether a name could be one of the Internet: two labels, the last no number.
fn looks_registered(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, last)| last.len() > 1 && last.bytes().any(|b| b.is_ascii_alphabetic()))
}

fn family(net: IpNet) -> &'static str {
    match net {
        IpNet::V4(_) => "ipv4-addr",
        IpNet::V6(_) => "ipv6-addr",
    }
}

/// A network as people write it: an address alone without its prefix length.
pub(crate) fn shown(net: IpNet) -> String {
    match net.prefix_len() == net.max_prefix_len() {
        true => net.addr().to_string(),
        false => net.to_string(),
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// A text short enough to be quoted in a message.
pub(crate) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 120;
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds_are_guessed_from_the_form() {
        let cases = [
            ("192.0.2.1", "ip 192.0.2.1"),
            ("192.0.2.1/24", "ip 192.0.2.0/24"),
            ("2001:DB8::1", "ip 2001:db8::1"),
            ("192[.]0[.]2[.]1:443", "ip-port 192.0.2.1:443"),
            ("[2001:db8::1]:443", "ip-port [2001:db8::1]:443"),
            ("Evil[.]Example.", "domain evil.example"),
            (
                "hxxps://evil[.]example/a?b#c",
                "url https://evil.example/a?b",
            ),
            (
                "hxxp[:]//evil(dot)example/hxxp",
                "url http://evil.example/hxxp",
            ),
            (
                "D41D8CD98F00B204E9800998ECF8427E",
                "md5 d41d8cd98f00b204e9800998ecf8427e",
            ),
            ("someone@Evil.example", "email someone@evil.example"),
            (
                "t13d1516h2_8daaf6152771_b186095e22b6",
                "ja4 t13d1516h2_8daaf6152771_b186095e22b6",
            ),
        ];
        for (text, want) in cases {
            let value = Value::guess(text).unwrap();
            assert_eq!(format!("{} {value}", value.kind()), want, "{text}");
        }
        for bad in [
            "",
            "word",
            "1.2.3",
            "192.0.2.256",
            "a b.example",
            "-",
            "x.1",
            "[]",
        ] {
            assert!(Value::guess(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_refused_with_what_was_wanted() {
        let error = Value::parse(Kind::Ip, "evil.example").unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"evil.example\" is not an address or a network"
        );
        let long = "a".repeat(VALUE_BYTES_MAX + 1);
        assert!(Value::parse(Kind::Domain, &long).is_err());
        assert!(Value::guess(&long).is_err());
    }

    #[test]
    fn every_kind_reads_its_own_name() {
        for kind in Kind::all() {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("IPv4".parse(), Ok(Kind::Ip));
        assert!("asn".parse::<Kind>().is_err());
    }

    /// What a pattern says comes back as the same value, for what a shield can enforce.
    fn round_trips(value: &Value) {
        let terms = stix::pattern::parse(&value.pattern()).map(|pattern| pattern.terms);
        if let Value::Email(_) = value {
            return;
        }
        let terms = terms.unwrap();
        assert_eq!(
            terms.iter().filter_map(Value::of_term).collect::<Vec<_>>(),
            std::slice::from_ref(value)
        );
        assert_eq!(
            Value::parse(value.kind(), &value.to_string()).as_ref(),
            Ok(value)
        );
    }

    proptest! {
        #[test]
        fn patterns_say_what_was_meant(address: [u8; 4], prefix in 0u8..=32, port in 1u16.., path in "[ -~]{0,20}") {
            let net: IpNet = format!("{}/{prefix}", std::net::Ipv4Addr::from(address)).parse().unwrap();
            round_trips(&Value::Address(net.trunc()));
            round_trips(&Value::Endpoint(net.trunc(), port));
            if let Ok(url) = Value::parse(Kind::Url, &format!("http://evil.example/{path}")) {
                round_trips(&url);
            }
        }

        #[test]
        fn nothing_that_is_typed_panics(text in "\\PC{0,60}") {
            for kind in Kind::all() {
                if let Ok(value) = Value::parse(kind, &text) {
                    round_trips(&value);
                }
            }
            drop(Value::guess(&text));
        }
    }
}
