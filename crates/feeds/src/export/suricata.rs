//! Rules in Suricata's language: one or more for each value, or a few over lists of values.
//!
//! The number of a rule follows from what it looks for, so that it is the same in every export:
//! `sid_base` plus 30 bits of a digest. Of two that fall on one number the second takes the next.

use std::collections::BTreeSet;
use std::io::{self, Write};

use base64::Engine as _;
use ipnet::IpNet;
use sha2::{Digest as _, Sha256};
use stix::pattern::HashKind;

use super::{Export, Folder, Options, addresses, of_kind};
use crate::live::{Entry, Live};
use crate::value::{Kind, Value, shown};

/// A rule for each value.
struct Rules;
/// Rules over lists.
struct Datasets;

pub(super) fn rules() -> Box<dyn Export> {
    Box::new(Rules)
}

pub(super) fn datasets() -> Box<dyn Export> {
    Box::new(Datasets)
}

impl Export for Rules {
    fn write(&self, live: &Live, options: &Options, out: &mut dyn Folder) -> io::Result<()> {
        let mut rules: Vec<Rule> = live
            .entries
            .iter()
            .flat_map(|(value, entry)| of_value(value, entry))
            .collect();
        number(&mut rules, options.sid_base);
        out.file("shieldwall.rules", &mut |file| write(file, &rules))
    }

    fn unsaid(&self, value: &Value) -> Option<&'static str> {
        match value {
            Value::Hash(..) => {
                Some("digests of files need a list beside the rules: export suricata-datasets")
            }
            Value::Address(_)
            | Value::Endpoint(..)
            | Value::Domain(_)
            | Value::Url(_)
            | Value::Ja3(_)
            | Value::Ja4(_)
            | Value::Email(_) => not_seen(value),
        }
    }
}

impl Export for Datasets {
    fn write(&self, live: &Live, options: &Options, out: &mut dyn Folder) -> io::Result<()> {
        let mut rules = Vec::new();
        let single = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
        let networks = of_kind(live, Kind::Ip)
            .filter(|(value, _)| value.network().is_some_and(|net| !single(&net)));
        let one_by_one = [Kind::Endpoint, Kind::Url, Kind::Email];
        let others = one_by_one.iter().flat_map(|kind| of_kind(live, *kind));
        rules.extend(
            networks
                .chain(others)
                .flat_map(|(value, entry)| of_value(value, entry)),
        );
        let hosts: Vec<String> = addresses(live)
            .filter(|(net, _)| single(net))
            .map(|(net, _)| shown(net))
            .collect();
        list(out, &mut rules, &IP, hosts)?;
        for over in LISTS {
            let values = of_kind(live, over.kind).map(|(value, _)| match over.encoded {
                true => base64::engine::general_purpose::STANDARD.encode(value.to_string()),
                false => value.to_string(),
            });
            list(out, &mut rules, &over, values.collect())?;
        }
        number(&mut rules, options.sid_base);
        out.file("shieldwall.rules", &mut |file| write(file, &rules))
    }

    fn unsaid(&self, value: &Value) -> Option<&'static str> {
        not_seen(value)
    }
}

fn not_seen(value: &Value) -> Option<&'static str> {
    match value {
        Value::Url(url) if !url.starts_with("http://") => {
            Some("the path of an encrypted request cannot be seen")
        }
        Value::Address(_)
        | Value::Endpoint(..)
        | Value::Domain(_)
        | Value::Url(_)
        | Value::Hash(..)
        | Value::Ja3(_)
        | Value::Ja4(_)
        | Value::Email(_) => None,
    }
}

/// A rule without its number.
struct Rule {
    /// What it looks for: names the rule for ever.
    name: String,
    /// What stands before its options.
    head: String,
    /// Its options, without `msg`, `sid` and `rev`.
    options: String,
    sid: u32,
}

impl Rule {
    fn new(name: String, head: &str, options: String) -> Self {
        let head = head.to_owned();
        Self {
            name,
            head,
            options,
            sid: 0,
        }
    }
}

fn write(file: &mut dyn Write, rules: &[Rule]) -> io::Result<()> {
    for Rule {
        name,
        head,
        options,
        sid,
    } in rules
    {
        writeln!(
            file,
            "alert {head} (msg:\"shieldwall {}\"; {options}sid:{sid}; rev:1;)",
            escaped_text(name)
        )?;
    }
    Ok(())
}

/// Gives each rule its number.
fn number(rules: &mut [Rule], base: u32) {
    const BITS: u32 = 30;
    let mut taken = BTreeSet::new();
    let mask = (1_u32 << BITS).wrapping_sub(1);
    for rule in rules {
        let digest: [u8; 32] = Sha256::digest(rule.name.as_bytes()).into();
        let mut offset =
            u32::from_be_bytes(digest.first_chunk().copied().unwrap_or_default()) & mask;
        // Ends: there are fewer rules than numbers (`OBJECTS_MAX`).
        while !taken.insert(offset) {
            offset = offset.wrapping_add(1) & mask;
        }
        rule.sid = base.saturating_add(offset).max(1);
    }
}

/// The rules that look for a value.
fn of_value(value: &Value, entry: &Entry) -> Vec<Rule> {
    let kind = value.kind();
    let rule = |what: &str, head: &str, options: String| {
        let options = format!("{options}metadata:indicator {}; ", entry.id);
        Rule::new(format!("{what} {value}"), head, options)
    };
    let buffer = |what: &str, head: &str, buffer: &str, text: &str, more: &str| {
        let options = format!(
            "{buffer}; content:\"{}\"; bsize:{}; {more}",
            escaped(text),
            text.len()
        );
        rule(what, head, options)
    };
    match value {
        Value::Address(net) => {
            let head = format!("ip any any <> {} any", shown(*net));
            vec![rule(kind.name(), &head, LIMIT.to_owned())]
        }
        Value::Endpoint(net, port) => {
            let head = |protocol| format!("{protocol} any any -> {} {port}", shown(*net));
            ["tcp", "udp"]
                .map(|protocol| {
                    rule(
                        &format!("{protocol} {kind}"),
                        &head(protocol),
                        LIMIT.to_owned(),
                    )
                })
                .into()
        }
        Value::Domain(name) => vec![
            buffer(
                "dns",
                "dns any any -> any any",
                "dns.query",
                name,
                "nocase; ",
            ),
            buffer("tls", "tls any any -> any any", "tls.sni", name, "nocase; "),
            buffer("http", "http any any -> any any", "http.host", name, ""),
        ],
        Value::Url(url) => of_url(url)
            .map(|(head, options)| rule("url", &head, options))
            .into_iter()
            .collect(),
        Value::Ja3(hash) => vec![buffer(
            "ja3",
            "tls any any -> any any",
            "ja3.hash",
            hash,
            "",
        )],
        Value::Ja4(hash) => vec![buffer(
            "ja4",
            "tls any any -> any any",
            "ja4.hash",
            hash,
            "",
        )],
        Value::Email(address) => {
            // Angle brackets and parameters stand around it.
            let options = format!("smtp.mail_from; content:\"{}\"; nocase; ", escaped(address));
            vec![rule("email", "smtp any any -> any any", options)]
        }
        Value::Hash(HashKind::Md5 | HashKind::Sha1 | HashKind::Sha256, _) => vec![],
    }
}

/// One alert an hour for each source: an address may be in every packet.
const LIMIT: &str = "threshold:type limit, track by_src, seconds 3600, count 1; ";

/// Header and options for `http://host[:port]/target`.
fn of_url(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("http://")?;
    let slash = rest.find('/')?;
    let (authority, target) = rest.split_at_checked(slash)?;
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let port_at = authority
        .rfind(':')
        .filter(|at| authority.get(*at..).is_some_and(|port| !port.contains(']')));
    let (host, port) = authority.split_at_checked(port_at.unwrap_or(authority.len()))?;
    let port = port.strip_prefix(':').unwrap_or("any");
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let options = format!(
        "flow:to_server; http.host; content:\"{}\"; bsize:{}; http.uri.raw; content:\"{}\"; bsize:{}; ",
        escaped(host),
        host.len(),
        escaped(target),
        target.len()
    );
    Some((format!("http any any -> any {port}"), options))
}

/// Values in a list, and the rules over it.
struct Over {
    kind: Kind,
    file: &'static str,
    /// Whether the list is of base64.
    encoded: bool,
    /// What stands before the options, and the options, `{}` for the list.
    rules: &'static [(&'static str, &'static str, &'static str)],
}

const IP: Over = Over {
    kind: Kind::Ip,
    file: "ip.lst",
    encoded: false,
    rules: &[
        (
            "from a listed address",
            "ip any any -> any any",
            "ip.src; dataset:isset,shieldwall-ip,type ip,load ip.lst; ",
        ),
        (
            "to a listed address",
            "ip any any -> any any",
            "ip.dst; dataset:isset,shieldwall-ip,type ip,load ip.lst; ",
        ),
    ],
};

const LISTS: [Over; 6] = [
    Over {
        kind: Kind::Domain,
        file: "domain.lst",
        encoded: true,
        rules: &[
            (
                "listed name asked for",
                "dns any any -> any any",
                "dns.query; to_lowercase; dataset:isset,shieldwall-domain,type string,load domain.lst; ",
            ),
            (
                "listed name in TLS",
                "tls any any -> any any",
                "tls.sni; to_lowercase; dataset:isset,shieldwall-domain,type string,load domain.lst; ",
            ),
            (
                "listed name in HTTP",
                "http any any -> any any",
                "http.host; dataset:isset,shieldwall-domain,type string,load domain.lst; ",
            ),
        ],
    },
    Over {
        kind: Kind::Ja3,
        file: "ja3.lst",
        encoded: true,
        rules: &[(
            "listed JA3",
            "tls any any -> any any",
            "ja3.hash; dataset:isset,shieldwall-ja3,type string,load ja3.lst; ",
        )],
    },
    Over {
        kind: Kind::Ja4,
        file: "ja4.lst",
        encoded: true,
        rules: &[(
            "listed JA4",
            "tls any any -> any any",
            "ja4.hash; dataset:isset,shieldwall-ja4,type string,load ja4.lst; ",
        )],
    },
    Over {
        kind: Kind::Md5,
        file: "md5.lst",
        encoded: false,
        rules: &[(
            "listed file (MD5)",
            "ip any any -> any any",
            "filemd5:md5.lst; ",
        )],
    },
    Over {
        kind: Kind::Sha1,
        file: "sha1.lst",
        encoded: false,
        rules: &[(
            "listed file (SHA-1)",
            "ip any any -> any any",
            "filesha1:sha1.lst; ",
        )],
    },
    Over {
        kind: Kind::Sha256,
        file: "sha256.lst",
        encoded: false,
        rules: &[(
            "listed file (SHA-256)",
            "ip any any -> any any",
            "filesha256:sha256.lst; ",
        )],
    },
];

/// Writes a list that has something in it, and adds the rules over it.
fn list(
    out: &mut dyn Folder,
    rules: &mut Vec<Rule>,
    over: &Over,
    values: Vec<String>,
) -> io::Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    for (name, head, options) in over.rules {
        rules.push(Rule::new((*name).to_owned(), head, (*options).to_owned()));
    }
    out.file(over.file, &mut |file| {
        values
            .iter()
            .try_for_each(|value| writeln!(file, "{value}"))
    })
}

/// A text between the quotes of `content`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b';' | b':' | b'|' | b'\\' => out.push_str(&format!("|{byte:02x}|")),
            0x20..=0x7e => out.push(char::from(byte)),
            _ => out.push_str(&format!("|{byte:02x}|")),
        }
    }
    out
}

/// A text between the quotes of `msg`.
fn escaped_text(text: &str) -> String {
    let plain = |c: char| match c {
        '"' | ';' | '\\' => '_',
        c if c.is_control() => '_',
        c => c,
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{only_file, written};
    use super::*;

    #[test]
    fn every_value_that_can_be_seen_has_rules() {
        let text = only_file(&Rules);
        for want in [
            "alert ip any any <> 192.0.2.1 any (msg:\"shieldwall ip 192.0.2.1\"; threshold",
            "alert tcp any any -> 203.0.113.5 443 (",
            "dns.query; content:\"evil.example\"; bsize:12; nocase; ",
            "alert http any any -> any 8080 (msg:\"shieldwall url http://evil.example:8080/a_b?c=%22d%22\"; flow:to_server; http.host; content:\"evil.example\"; bsize:12; http.uri.raw; content:\"/a|3b|b?c=%22d%22\"; bsize:14; ",
            "ja3.hash; content:\"0123456789abcdef0123456789abcdef\"; bsize:32; ",
        ] {
            assert!(text.contains(want), "{want}\n{text}");
        }
        assert!(!text.contains("https://"));
    }

    #[test]
    fn numbers_follow_from_what_is_looked_for() {
        let of = |text: &str| {
            let mut sids: Vec<u32> = text
                .lines()
                .map(|line| {
                    line.rsplit("sid:")
                        .next()
                        .unwrap()
                        .split(';')
                        .next()
                        .unwrap()
                        .parse()
                        .unwrap()
                })
                .collect();
            sids.sort_unstable();
            sids
        };
        let all = of(&only_file(&Rules));
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        let mut one = vec![Rule::new("ip 192.0.2.1".into(), "", String::new())];
        number(&mut one, 1_000);
        assert!(all.contains(&one[0].sid));
        let mut twins = vec![
            Rule::new("a".into(), "", String::new()),
            Rule::new("a".into(), "", String::new()),
        ];
        number(&mut twins, 1);
        assert_eq!(twins[0].sid + 1, twins[1].sid);
    }

    #[test]
    fn lists_have_values_as_their_type_wants_them() {
        let files = written(&Datasets);
        assert_eq!(files["domain.lst"], "ZXZpbC5leGFtcGxl\n");
        assert_eq!(files["ip.lst"], "192.0.2.1\n198.51.100.7\n2001:db8::1\n");
        assert_eq!(
            files["sha1.lst"],
            "0123456789abcdef0123456789abcdef01234567\n"
        );
        let rules = &files["shieldwall.rules"];
        assert!(rules.contains("<> 198.51.100.0/24 any"), "{rules}");
        assert!(
            rules.contains("dataset:isset,shieldwall-ip,type ip,load ip.lst;"),
            "{rules}"
        );
    }
}
