//! A response policy zone (draft-vixie-dnsop-dns-rpz): names, and addresses in answers, that a DNS
//! server is to deny. It is read by BIND, Unbound, Knot Resolver and PowerDNS Recursor.
//!
//! Names are relative, so that the zone may be called anything. A name stands for all below it, as in
//! a shield. The serial number is the time in seconds; what ends soon is not remembered longer.

use std::io::{self, Write};
use std::net::Ipv6Addr;

use ipnet::IpNet;

use super::{Export, Folder, Options, seconds_left};
use crate::live::{Entry, Live};
use crate::value::Value;

/// Longest that an answer made of a record is remembered, in seconds.
const TTL_S_MAX: u64 = 3600;
/// Longest name in the zone, so that the zone's own name has room after it: 255 octets are the whole
/// (RFC 1035 section 2.3.4), 64 are left for the zone and `*.` before it.
const NAME_BYTES_MAX: usize = 189;
/// In every network that holds the IPv4 inside IPv6.
const MAPPED: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);
/// What denies: the answer is that the name does not exist.
const DENY: &str = "CNAME .";

struct Rpz;

pub(super) fn new() -> Box<dyn Export> {
    Box::new(Rpz)
}

impl Export for Rpz {
    fn write(&self, live: &Live, options: &Options, out: &mut dyn Folder) -> io::Result<()> {
        let seconds = options.now.as_micros().div_euclid(1_000_000);
        // Serial numbers wrap around (RFC 1982).
        let serial = seconds.rem_euclid(1 << 32);
        out.file("shieldwall.rpz", &mut |file| {
            writeln!(
                file,
                "; a response policy zone; deny what is in it (policy given)"
            )?;
            writeln!(file, "$TTL {TTL_S_MAX}")?;
            writeln!(
                file,
                "@ IN SOA localhost. nobody.invalid. {serial} 3600 600 604800 60"
            )?;
            writeln!(file, "@ IN NS localhost.")?;
            live.entries
                .iter()
                .try_for_each(|(value, entry)| record(file, value, entry, options))
        })
    }

    fn unsaid(&self, value: &Value) -> Option<&'static str> {
        match value {
            // BIND keeps IPv4 as a part of IPv6 (RFC 4291 section 2.5.5.2).
            Value::Address(IpNet::V6(six)) if six.contains(&MAPPED) => {
                Some("the network holds all of IPv4")
            }
            Value::Address(_) => None,
            Value::Domain(name) if name.len() > NAME_BYTES_MAX => {
                Some("the name is too long for a zone of policies")
            }
            // `0.0.0.0.0.rpz-ip` would deny every answer.
            Value::Domain(name) if is_trigger(name) => {
                Some("the name has another meaning in a zone of policies")
            }
            Value::Domain(_) => None,
            Value::Endpoint(..)
            | Value::Url(_)
            | Value::Hash(..)
            | Value::Ja3(_)
            | Value::Ja4(_)
            | Value::Email(_) => Some("DNS sees names and addresses alone"),
        }
    }
}

fn record(file: &mut dyn Write, value: &Value, entry: &Entry, options: &Options) -> io::Result<()> {
    let ttl = seconds_left(entry, options.now, TTL_S_MAX).unwrap_or(TTL_S_MAX);
    match value {
        Value::Domain(name) => {
            writeln!(file, "{name} {ttl} IN {DENY}")?;
            writeln!(file, "*.{name} {ttl} IN {DENY}")
        }
        Value::Address(net) => writeln!(file, "{} {ttl} IN {DENY}", trigger(*net)),
        Value::Endpoint(..)
        | Value::Url(_)
        | Value::Hash(..)
        | Value::Ja3(_)
        | Value::Ja4(_)
        | Value::Email(_) => Ok(()),
    }
}

/// Whether a name is of those that a policy zone keeps for itself: `rpz-ip`, `rpz-nsdname` and others.
fn is_trigger(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.starts_with("rpz-")
}

/// The name that stands for addresses in answers: prefix length and address backwards.
fn trigger(net: IpNet) -> String {
    let mut labels = vec![net.prefix_len().to_string()];
    match net {
        IpNet::V4(four) => {
            let octets = four.network().octets();
            labels.extend(octets.iter().rev().map(u8::to_string));
        }
        IpNet::V6(six) => labels.extend(words(six.network())),
    }
    labels.push("rpz-ip".to_owned());
    labels.join(".")
}

/// The words of an address backwards, its longest row of zeros as `zz`. Servers refuse any other form
/// of the same address.
fn words(address: Ipv6Addr) -> Vec<String> {
    let words = address.segments();
    let mut longest = 0..0;
    let mut from = 0;
    for (index, word) in words.iter().enumerate() {
        let after = index.saturating_add(1);
        if *word != 0 {
            from = after;
        } else if after.saturating_sub(from) > longest.len() {
            longest = from..after;
        }
    }
    if longest.len() < 2 {
        longest = 0..0;
    }
    let mut labels: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        match longest.contains(&index) {
            true if index == longest.start => labels.push("zz".to_owned()),
            true => {}
            false => labels.push(format!("{word:x}")),
        }
    }
    labels.reverse();
    labels
}

#[cfg(test)]
mod tests {
    use super::super::tests::only_file;
    use super::*;

    #[test]
    fn names_and_addresses_are_denied_for_as_long_as_they_hold() {
        let text = only_file(&Rpz);
        for line in [
            "@ IN SOA localhost. nobody.invalid. 1793577600 3600 600 604800 60",
            "evil.example 3600 IN CNAME .",
            "*.evil.example 3600 IN CNAME .",
            "32.1.2.0.192.rpz-ip 3600 IN CNAME .",
            "24.0.100.51.198.rpz-ip 3600 IN CNAME .",
            "128.1.zz.db8.2001.rpz-ip 3600 IN CNAME .",
            "48.zz.1.db8.2001.rpz-ip 3600 IN CNAME .",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        assert_eq!(text.lines().count(), 4 + 2 + 5);
    }

    #[test]
    fn names_that_would_mean_something_else_are_left_out() {
        let long = format!("{}.example", vec!["a".repeat(63); 3].join("."));
        for (name, said) in [
            ("evil.example", true),
            ("rpz-ip.example", true),
            ("0.0.0.0.0.rpz-ip", false),
            ("evil.example.rpz-nsdname", false),
            ("rpz-passthru", false),
            (&long, false),
        ] {
            assert_eq!(
                Rpz.unsaid(&Value::Domain(name.into())).is_none(),
                said,
                "{name}"
            );
        }
        for (net, said) in [("::/16", false), ("1::/16", true), ("::1:0:0/96", true)] {
            let value = Value::Address(net.parse().unwrap());
            assert_eq!(Rpz.unsaid(&value).is_none(), said, "{net}");
        }
    }

    #[test]
    fn addresses_have_the_one_form_that_servers_take() {
        for (net, want) in [
            ("::/16", "16.zz.rpz-ip"),
            ("2001:db8::1/128", "128.1.zz.db8.2001.rpz-ip"),
            (
                "2001:db8:0:1:1:1:1:1/128",
                "128.1.1.1.1.1.0.db8.2001.rpz-ip",
            ),
            ("2001:0:0:1::1/128", "128.1.zz.1.0.0.2001.rpz-ip"),
            ("1::/16", "16.zz.1.rpz-ip"),
            ("2001:0:0:1:1:0:0:1/128", "128.1.0.0.1.1.zz.2001.rpz-ip"),
        ] {
            assert_eq!(trigger(net.parse().unwrap()), want);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "named-checkzone reads a file")]
    fn named_checkzone_takes_it() {
        let name = "named_checkzone_takes_it";
        if !testkit::has_program("named-checkzone") {
            return testkit::skip(name, "no named-checkzone");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.rpz");
        std::fs::write(&file, only_file(&Rpz)).unwrap();
        let output = std::process::Command::new("named-checkzone")
            .arg("policy.example")
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("loaded serial 1793577600"), "{said}");
    }
}
