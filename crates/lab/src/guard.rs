//! No attack leaves the lab.
//!
//! Targets must be loopback or documentation addresses (RFC 5737, RFC 3849: never routed on the
//! internet), and whoever sends to the latter must sit in a network namespace that a lab made.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use anyhow::{Context as _, bail};

/// What the names of all namespaces of labs begin with.
pub(crate) const PREFIX: &str = "swl";

/// Passes a target that an attack or a probe may be sent to from this process.
///
/// # Errors
///
/// For an address outside loopback and the lab, and for an address of the lab when this process is
/// not inside one of a lab's namespaces.
pub fn target(address: IpAddr) -> anyhow::Result<()> {
    if address.is_loopback() {
        return Ok(());
    }
    address_of_a_lab(address)?;
    if !inside_a_lab()? {
        bail!("refused: {address} is an address of the lab, and this process is not inside one");
    }
    Ok(())
}

/// Passes an address that only a lab has.
///
/// # Errors
///
/// For any other address.
pub fn address_of_a_lab(address: IpAddr) -> anyhow::Result<()> {
    let documentation = match address {
        IpAddr::V4(address) => V4
            .iter()
            .any(|network| address.octets().starts_with(network)),
        IpAddr::V6(address) => V6 == (address.segments()[0], address.segments()[1]),
    };
    if documentation || address.is_loopback() {
        return Ok(());
    }
    bail!("refused: {address} is outside the lab; no attack leaves the lab")
}

/// The /24s of RFC 5737.
const V4: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];
/// The /32 of RFC 3849.
const V6: (u16, u16) = (0x2001, 0x0db8);

/// Whether this thread's network namespace is one that a lab made.
fn inside_a_lab() -> anyhow::Result<bool> {
    let own = identity(Path::new("/proc/thread-self/ns/net"))?;
    let Ok(entries) = fs::read_dir("/run/netns") else {
        return Ok(false);
    };
    for entry in entries {
        let entry = entry?;
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // A namespace that goes away meanwhile is not the one we sit in.
        if ours && identity(&entry.path()).is_ok_and(|other| other == own) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn identity(path: &Path) -> anyhow::Result<(u64, u64)> {
    let data = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    Ok((data.dev(), data.ino()))
}

/// The unspecified address of the family of another.
pub(crate) fn any_like(address: IpAddr) -> IpAddr {
    if address.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_documentation_addresses_pass() {
        for inside in [
            "127.0.0.1",
            "::1",
            "192.0.2.7",
            "198.51.100.1",
            "203.0.113.9",
            "2001:db8::1",
        ] {
            address_of_a_lab(inside.parse().unwrap()).unwrap();
        }
        for outside in [
            "192.0.3.7",
            "10.0.0.1",
            "8.8.8.8",
            "2001:db9::1",
            "2606:4700::1",
            "0.0.0.0",
        ] {
            let error = address_of_a_lab(outside.parse().unwrap()).unwrap_err();
            assert!(
                error.to_string().contains("no attack leaves the lab"),
                "{error}"
            );
        }
    }

    #[test]
    fn outside_a_namespace_of_a_lab_its_addresses_are_refused() {
        target("127.0.0.1".parse().unwrap()).unwrap();
        let error = target("192.0.2.7".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("not inside"), "{error}");
    }
}
