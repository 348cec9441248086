//! Plain lists: values, one per line.

use std::io;

use super::{Export, Folder, Options, of_kind};
use crate::live::Live;
use crate::value::{Kind, Value};

struct List;

pub(super) fn new() -> Box<dyn Export> {
    Box::new(List)
}

impl Export for List {
    fn write(&self, live: &Live, _: &Options, out: &mut dyn Folder) -> io::Result<()> {
        if !out.is_folder() {
            return out.file("shieldwall.txt", &mut |file| {
                live.entries
                    .keys()
                    .try_for_each(|value| writeln!(file, "{value}"))
            });
        }
        for kind in Kind::all().filter(|kind| of_kind(live, *kind).next().is_some()) {
            out.file(&format!("{kind}.txt"), &mut |file| {
                for (value, _) in of_kind(live, kind) {
                    writeln!(file, "{value}")?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn unsaid(&self, _: &Value) -> Option<&'static str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::written;
    use super::*;

    #[test]
    fn every_kind_has_a_file() {
        let files = written(&List);
        let names: Vec<&String> = files.keys().collect();
        assert_eq!(
            names,
            [
                "domain.txt",
                "ip-port.txt",
                "ip.txt",
                "ja3.txt",
                "ja4.txt",
                "md5.txt",
                "sha1.txt",
                "sha256.txt",
                "url.txt"
            ]
        );
        assert_eq!(
            files["ip.txt"],
            "192.0.2.1\n198.51.100.0/24\n198.51.100.7\n2001:db8::1\n2001:db8:1::/48\n"
        );
        assert_eq!(files["ip-port.txt"], "203.0.113.5:443\n");
    }
}
