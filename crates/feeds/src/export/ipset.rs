//! Sets for ipset, as commands for `ipset restore`. Entries end by themselves when the indicator does.
//! Each set is made beside the one in use and takes its place in one step.
//!
//! A port stands for TCP and UDP both: an indicator does not say which.

use std::io::{self, Write};

use ipnet::IpNet;

use super::{Export, Folder, Options, addresses, of_kind, seconds_left};
use crate::live::{Entry, Live};
use crate::value::{Kind, Value, shown};

/// Longest time of an entry that ipset takes, in seconds: not quite 25 days.
const TIMEOUT_S_MAX: u64 = 2_147_483;
/// Most entries that a set may have. The same in every export: sets of different bounds cannot be
/// swapped with `-exist`.
const ENTRIES_MAX: u32 = 16_777_216;

struct Ipset;

pub(super) fn new() -> Box<dyn Export> {
    Box::new(Ipset)
}

impl Export for Ipset {
    fn write(&self, live: &Live, options: &Options, out: &mut dyn Folder) -> io::Result<()> {
        out.file("shieldwall.ipset", &mut |file| {
            writeln!(
                file,
                "# load with: ipset restore -file FILE; use: iptables -m set --match-set shieldwall4 src"
            )?;
            for v4 in [true, false] {
                let nets = addresses(live).filter(|(net, _)| is_v4(net) == v4);
                let lines = nets.map(|(net, entry)| line(&shown(net), entry, options));
                set(file, "shieldwall", "hash:net", v4, &mut lines.into_iter())?;
                let ports = of_kind(live, Kind::Endpoint).filter_map(|(value, entry)| match value {
                    Value::Endpoint(net, port) if is_v4(net) == v4 => Some((net, port, entry)),
                    Value::Address(_)
                    | Value::Endpoint(..)
                    | Value::Domain(_)
                    | Value::Url(_)
                    | Value::Hash(..)
                    | Value::Ja3(_)
                    | Value::Ja4(_)
                    | Value::Email(_) => None,
                });
                let mut lines = ports.flat_map(|(net, port, entry)| {
                    let key = |protocol| format!("{},{protocol}:{port}", shown(*net));
                    ["tcp", "udp"].map(|protocol| line(&key(protocol), entry, options))
                });
                set(file, "shieldwall-ports", "hash:net,port", v4, &mut lines)?;
            }
            Ok(())
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

fn is_v4(net: &IpNet) -> bool {
    matches!(net, IpNet::V4(_))
}

/// An entry; 0 has no end.
fn line(key: &str, entry: &Entry, options: &Options) -> String {
    let seconds = seconds_left(entry, options.now, TIMEOUT_S_MAX).unwrap_or(0);
    format!("{key} timeout {seconds}")
}

fn set(
    file: &mut dyn Write,
    name: &str,
    kind: &str,
    v4: bool,
    entries: &mut dyn Iterator<Item = String>,
) -> io::Result<()> {
    let (number, family) = if v4 { (4, "inet") } else { (6, "inet6") };
    let name = format!("{name}{number}");
    let new = format!("{name}-new");
    let about = format!("{kind} family {family} maxelem {ENTRIES_MAX} timeout 0");
    writeln!(file, "create {name} {about} -exist")?;
    writeln!(file, "create {new} {about} -exist")?;
    writeln!(file, "flush {new}")?;
    for entry in entries {
        writeln!(file, "add {new} {entry} -exist")?;
    }
    writeln!(file, "swap {new} {name}")?;
    writeln!(file, "destroy {new}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::only_file;
    use super::*;

    #[test]
    fn entries_end_with_their_indicator() {
        let text = only_file(&Ipset);
        for line in [
            "create shieldwall4 hash:net family inet maxelem 16777216 timeout 0 -exist",
            "add shieldwall4-new 192.0.2.1 timeout 3600 -exist",
            "add shieldwall4-new 198.51.100.0/24 timeout 3600 -exist",
            "add shieldwall4-new 198.51.100.7 timeout 0 -exist",
            "add shieldwall6-new 2001:db8::1 timeout 0 -exist",
            "add shieldwall-ports4-new 203.0.113.5,tcp:443 timeout 3600 -exist",
            "add shieldwall-ports4-new 203.0.113.5,udp:443 timeout 3600 -exist",
            "swap shieldwall6-new shieldwall6",
            "destroy shieldwall-ports6-new",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "ipset reads a file")]
    fn ipset_takes_it_twice() {
        let name = "ipset_takes_it_twice";
        if !testkit::has_program("ipset") {
            return testkit::skip(name, "no ipset");
        }
        if let Err(why) = testkit::netns::available() {
            return testkit::skip(name, &why);
        }
        let net = testkit::netns::Net::new("ipset").unwrap();
        if let Err(why) = net.exec("ipset", &["create", "probe", "hash:net"]) {
            return testkit::skip(name, &format!("the kernel has no sets: {why}"));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sets");
        std::fs::write(&file, only_file(&Ipset)).unwrap();
        for _ in 0..2 {
            let file = file.to_str().unwrap();
            net.exec("ipset", &["restore", "-file", file]).unwrap();
        }
        let listed = net.exec("ipset", &["list", "shieldwall4"]).unwrap();
        assert!(listed.contains("198.51.100.0/24 timeout "), "{listed}");
        let ports = net.exec("ipset", &["list", "shieldwall-ports4"]).unwrap();
        assert!(ports.contains("203.0.113.5,tcp:443 timeout "), "{ports}");
        let all = net.exec("ipset", &["list", "-name"]).unwrap();
        assert!(!all.contains("-new"), "{all}");
    }
}
