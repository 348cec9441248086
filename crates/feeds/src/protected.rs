//! Values that ought not to be in a list: networks that nobody attacks from over the Internet,
//! services that everybody uses, and what names a person. Shields protect themselves from the
//! former anyhow; people are told before they share, and other tools, which may protect nothing,
//! do not get them.

use ipnet::IpNet;
use stix::canonical;

use crate::value::Value;

/// Networks, and why to think twice.
const NETWORKS: [(&str, &str); 37] = [
    ("0.0.0.0/8", "is no address of a host (RFC 1122)"),
    ("10.0.0.0/8", PRIVATE),
    (
        "100.64.0.0/10",
        "is shared behind a carrier's translation (RFC 6598)",
    ),
    ("127.0.0.0/8", "is the machine itself (RFC 1122)"),
    ("169.254.0.0/16", "is of the link (RFC 3927)"),
    ("172.16.0.0/12", PRIVATE),
    ("192.168.0.0/16", PRIVATE),
    ("224.0.0.0/4", "is multicast (RFC 5771)"),
    ("240.0.0.0/4", "is reserved (RFC 1112)"),
    ("::/127", "is the machine itself (RFC 4291)"),
    ("fc00::/7", "is private (RFC 4193)"),
    ("fe80::/10", "is of the link (RFC 4291)"),
    ("ff00::/8", "is multicast (RFC 4291)"),
    ("1.0.0.1/32", RESOLVER),
    ("1.1.1.1/32", RESOLVER),
    ("4.2.2.1/32", RESOLVER),
    ("4.2.2.2/32", RESOLVER),
    ("8.8.4.4/32", RESOLVER),
    ("8.8.8.8/32", RESOLVER),
    ("9.9.9.9/32", RESOLVER),
    ("64.6.64.6/32", RESOLVER),
    ("64.6.65.6/32", RESOLVER),
    ("76.76.2.0/32", RESOLVER),
    ("76.76.10.0/32", RESOLVER),
    ("94.140.14.14/32", RESOLVER),
    ("94.140.15.15/32", RESOLVER),
    ("149.112.112.112/32", RESOLVER),
    ("185.228.168.9/32", RESOLVER),
    ("185.228.169.9/32", RESOLVER),
    ("208.67.220.220/32", RESOLVER),
    ("208.67.222.222/32", RESOLVER),
    ("2001:4860:4860::8844/128", RESOLVER),
    ("2001:4860:4860::8888/128", RESOLVER),
    ("2606:4700:4700::1001/128", RESOLVER),
    ("2606:4700:4700::1111/128", RESOLVER),
    ("2620:fe::9/128", RESOLVER),
    ("2620:fe::fe/128", RESOLVER),
];
const PRIVATE: &str = "is private (RFC 1918)";
const RESOLVER: &str = "is a public resolver";

/// Narrowest networks that are called wide: a /16, for IPv6 a /32.
const WIDE_V4: u8 = 16;
const WIDE_V6: u8 = 32;

/// What to warn of.
#[derive(Clone, Debug, Default)]
pub struct Protected {
    networks: Vec<(IpNet, &'static str)>,
}

impl Protected {
    /// The well-known ones, and the caller's `own` networks.
    #[must_use]
    pub fn new(own: &[IpNet]) -> Self {
        let own = own
            .iter()
            .map(|net| (canonical::network_of(*net), "is your own"));
        let known = NETWORKS
            .iter()
            .filter_map(|(net, why)| canonical::network(net).map(|net| (net, *why)));
        Self {
            networks: own.chain(known).collect(),
        }
    }

    /// Why to think twice before sharing a value; `None` where nothing is known against it.
    #[must_use]
    pub fn concern(&self, value: &Value) -> Option<String> {
        match value {
            Value::Email(_) => Some("may name a person".to_owned()),
            Value::Url(url) if authority(url).contains('@') => Some("holds a user name".to_owned()),
            Value::Address(_)
            | Value::Domain(_)
            | Value::Endpoint(..)
            | Value::Hash(..)
            | Value::Ja3(_)
            | Value::Ja4(_)
            | Value::Url(_) => self.harm(value),
        }
    }

    /// Why who blocks a value may harm the innocent; `None` where nothing is known against it.
    #[must_use]
    pub fn harm(&self, value: &Value) -> Option<String> {
        match value {
            Value::Address(net) | Value::Endpoint(net, _) => self.network(*net),
            Value::Url(url) => self.url(url),
            Value::Domain(name) => name_concern(name),
            Value::Hash(_, digest) if EMPTY.contains(&&**digest) => {
                Some("is the digest of nothing: every empty file has it".to_owned())
            }
            Value::Email(_) | Value::Hash(..) | Value::Ja3(_) | Value::Ja4(_) => None,
        }
    }

    fn network(&self, net: IpNet) -> Option<String> {
        let touches = |known: &IpNet| known.contains(&net) || net.contains(known);
        let wide = match net {
            IpNet::V4(net) => net.prefix_len() < WIDE_V4,
            IpNet::V6(net) => net.prefix_len() < WIDE_V6,
        };
        let mut known = self.networks.iter();
        match known.find(|(known, _)| touches(known)) {
            Some((known, why)) if known.contains(&net) => Some((*why).to_owned()),
            Some((known, why)) => Some(format!("holds {known}, which {why}")),
            None if wide => Some("is a very wide network".to_owned()),
            None => None,
        }
    }

    fn url(&self, url: &str) -> Option<String> {
        let authority = authority(url);
        let place = authority.rsplit('@').next().unwrap_or_default();
        let host = match place.strip_prefix('[') {
            Some(six) => six.split(']').next().unwrap_or_default(),
            None => place.split(':').next().unwrap_or_default(),
        };
        match canonical::network(host) {
            Some(net) => self
                .network(net)
                .map(|why| format!("names {host}, which {why}")),
            None => name_concern(host),
        }
    }
}

/// User, host and port of a URL (RFC 3986 section 3.2); empty where it has none.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn name_concern(name: &str) -> Option<String> {
    const LOCAL: [&str; 7] = [
        "local",
        "localhost",
        "internal",
        "lan",
        "home.arpa",
        "localdomain",
        "corp",
    ];
    let local = LOCAL.iter().any(|zone| {
        let rest = name.strip_suffix(zone);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    if local {
        return Some("is a name of a private network".to_owned());
    }
    (!name.contains('.')).then(|| "is a whole top-level domain".to_owned())
}

/// MD5, SHA-1 and SHA-256 of no bytes.
const EMPTY: [&str; 3] = [
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Kind;

    #[test]
    fn the_table_is_legal() {
        assert_eq!(Protected::new(&[]).networks.len(), NETWORKS.len());
    }

    #[test]
    fn what_many_use_and_what_is_ones_own_is_warned_of() {
        let protected = Protected::new(&["198.51.100.0/24".parse().unwrap()]);
        let cases = [
            ("10.1.2.3", Some("is private (RFC 1918)")),
            ("198.51.100.7", Some("is your own")),
            (
                "198.51.0.0/16",
                Some("holds 198.51.100.0/24, which is your own"),
            ),
            ("8.8.8.8", Some("is a public resolver")),
            (
                "8.8.8.0/24",
                Some("holds 8.8.8.8/32, which is a public resolver"),
            ),
            ("11.0.0.0/9", Some("is a very wide network")),
            ("203.0.113.9", None),
            ("evil.example", None),
            ("printer.local", Some("is a name of a private network")),
            (
                "http://192.168.0.1/a",
                Some("names 192.168.0.1, which is private (RFC 1918)"),
            ),
            (
                "http://user:secret@evil.example/",
                Some("holds a user name"),
            ),
            (
                "https://[::1]:8/",
                Some("names ::1, which is the machine itself (RFC 4291)"),
            ),
            ("http://evil.example/?a=b@c", None),
            (
                "d41d8cd98f00b204e9800998ecf8427e",
                Some("is the digest of nothing: every empty file has it"),
            ),
        ];
        for (text, want) in cases {
            let value = Value::guess(text).unwrap();
            assert_eq!(protected.concern(&value).as_deref(), want, "{text}");
        }
        let user = Value::guess("http://user:secret@127.0.0.1/").unwrap();
        let why = "names 127.0.0.1, which is the machine itself (RFC 1122)";
        assert_eq!(protected.harm(&user).as_deref(), Some(why));
        let someone = Value::guess("someone@evil.example").unwrap();
        assert!(protected.concern(&someone).is_some() && protected.harm(&someone).is_none());
        let com = Value::parse(Kind::Domain, "com").unwrap();
        assert_eq!(
            protected.concern(&com).as_deref(),
            Some("is a whole top-level domain")
        );
    }
}
