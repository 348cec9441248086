//! Sets for nftables, as commands for `nft -f`: a table of their own, which rules anywhere in the
//! family `inet` cannot read, so rules that use them go into the same table. Elements end by
//! themselves when the indicator does. Loading is one transaction.

use std::io::{self, Write};

use ipnet::IpNet;

use super::{Export, Folder, Options, addresses, disjoint, of_kind, seconds_left};
use crate::live::{Entry, Live};
use crate::value::{Kind, Value, shown};

/// Longest time of an element: a year.
const TIMEOUT_S_MAX: u64 = 365 * 24 * 60 * 60;
const TABLE: &str = "inet shieldwall_feed";

struct Nftables;

pub(super) fn new() -> Box<dyn Export> {
    Box::new(Nftables)
}

impl Export for Nftables {
    fn write(&self, live: &Live, options: &Options, out: &mut dyn Folder) -> io::Result<()> {
        let is_v4 = |net: &IpNet| matches!(net, IpNet::V4(_));
        let networks = disjoint(addresses(live));
        let (v4, v6): (Vec<_>, Vec<_>) = networks.into_iter().partition(|(net, _)| is_v4(net));
        let lines = |nets: Vec<(IpNet, &Entry)>| -> Vec<String> {
            let line = |(net, entry): (IpNet, &Entry)| element(&shown(net), entry, options);
            nets.into_iter().map(line).collect()
        };
        let endpoints = |v4: bool| -> Vec<String> {
            let endpoints = of_kind(live, Kind::Endpoint);
            let line = |(value, entry): (&Value, &Entry)| match value {
                Value::Endpoint(net, port) if is_v4(net) == v4 => Some(element(
                    &format!("{} . {port}", shown(*net)),
                    entry,
                    options,
                )),
                Value::Address(_)
                | Value::Endpoint(..)
                | Value::Domain(_)
                | Value::Url(_)
                | Value::Hash(..)
                | Value::Ja3(_)
                | Value::Ja4(_)
                | Value::Email(_) => None,
            };
            endpoints.filter_map(line).collect()
        };
        let sets = [
            ("addresses4", "ipv4_addr", lines(v4)),
            ("addresses6", "ipv6_addr", lines(v6)),
            ("endpoints4", "ipv4_addr . inet_service", endpoints(true)),
            ("endpoints6", "ipv6_addr . inet_service", endpoints(false)),
        ];
        out.file("shieldwall.nft", &mut |file| {
            writeln!(
                file,
                "# load with: nft -f FILE; use in table {TABLE}: ip saddr @addresses4 drop"
            )?;
            writeln!(file, "add table {TABLE}")?;
            sets.iter()
                .try_for_each(|(name, kind, elements)| set(file, name, kind, elements))
        })
    }

    fn unsaid(&self, value: &Value) -> Option<&'static str> {
        match value {
            Value::Address(_) | Value::Endpoint(..) => None,
            Value::Domain(_)
            | Value::Url(_)
            | Value::Hash(..)
            | Value::Ja3(_)
            | Value::Ja4(_)
            | Value::Email(_) => Some("a packet filter sees addresses and ports alone"),
        }
    }
}

fn element(key: &str, entry: &Entry, options: &Options) -> String {
    match seconds_left(entry, options.now, TIMEOUT_S_MAX) {
        Some(seconds) => format!("{key} timeout {seconds}s"),
        None => key.to_owned(),
    }
}

fn set(file: &mut dyn Write, name: &str, kind: &str, elements: &[String]) -> io::Result<()> {
    writeln!(
        file,
        "add set {TABLE} {name} {{ type {kind}; flags interval, timeout; }}"
    )?;
    writeln!(file, "flush set {TABLE} {name}")?;
    // One command for all would have nft hold it whole.
    for some in elements.chunks(1_000) {
        writeln!(file, "add element {TABLE} {name} {{")?;
        for element in some {
            writeln!(file, "  {element},")?;
        }
        writeln!(file, "}}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::only_file;
    use super::*;

    #[test]
    fn elements_end_with_their_indicator_and_do_not_overlap() {
        let text = only_file(&Nftables);
        assert!(
            text.contains("  192.0.2.1 timeout 3600s,\n  198.51.100.0/24 timeout 3600s,\n}"),
            "{text}"
        );
        assert!(
            text.contains("  2001:db8::1,\n  2001:db8:1::/48 timeout 3600s,\n}"),
            "{text}"
        );
        assert!(
            text.contains("  203.0.113.5 . 443 timeout 3600s,\n}"),
            "{text}"
        );
        assert!(!text.contains("198.51.100.7"));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "nft reads a file")]
    fn nft_takes_it() {
        let name = "nft_takes_it";
        if !testkit::has_program("nft") {
            return testkit::skip(name, "no nft");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sets.nft");
        let check = |text: &str| {
            std::fs::write(&file, text).unwrap();
            std::process::Command::new("nft")
                .args(["-c", "-f"])
                .arg(&file)
                .output()
                .unwrap()
        };
        if !check("add table inet shieldwall_probe\n").status.success() {
            return testkit::skip(name, "nft may not ask the kernel here");
        }
        let output = check(&only_file(&Nftables));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
