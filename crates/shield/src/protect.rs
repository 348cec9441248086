//! Whom nobody's word blocks, found by itself: this host's addresses, its gateways and resolvers,
//! and the hub.
//!
//! Each source is a pure reader of a text that the kernel or the administrator wrote. What cannot
//! be read is left out and named: a shield without resolvers in its list works, and the operator
//! should know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _};
use std::path::Path;

use ipnet::IpNet;

use crate::config::Config;
use crate::policy::Protected;

/// What is protected, and what could not be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The networks.
    pub protected: Protected,
    /// Sources that could not be read, for people.
    pub missing: Vec<String>,
}

/// The configured networks, home, and, unless switched off, those found on this host. Reads files under
/// `/proc` and `/etc` and resolves the hub's name: for the start and for slow refreshes only.
///
/// # Failure bias
/// Open for what cannot be read: it is left unprotected and named in [`Found::missing`]. An
/// operator who must rely on an address lists it.
#[must_use]
pub fn find(config: &Config) -> Found {
    let mut networks = config.protect.networks.clone();
    networks.extend(&config.home);
    let mut missing = Vec::new();
    if config.protect.automatic {
        for source in SOURCES {
            match std::fs::read_to_string(Path::new(source.path)) {
                Ok(text) => networks.extend((source.read)(&text).into_iter().map(IpNet::from)),
                Err(error) => missing.push(format!("{}: {error}", source.path)),
            }
        }
        match config.hub.as_ref().map(|hub| hub_addresses(&hub.url)) {
            Some(Ok(addresses)) => networks.extend(addresses.into_iter().map(IpNet::from)),
            Some(Err(error)) => missing.push(format!("the hub's addresses: {error}")),
            None => {}
        }
    }
    Found {
        protected: Protected::new(networks),
        missing,
    }
}

/// This host's own addresses, as far as the kernel's tables can be read.
#[must_use]
pub fn local_addresses() -> Vec<IpAddr> {
    let own = SOURCES.iter().filter(|source| source.local);
    let texts = own.filter_map(|s| Some((s.read)(&std::fs::read_to_string(s.path).ok()?)));
    texts.flatten().collect()
}

/// A file and how addresses are read from it.
struct Source {
    path: &'static str,
    /// Whether it names this host's own addresses.
    local: bool,
    read: fn(&str) -> Vec<IpAddr>,
}

/// `thread-self`, because a process may have threads in several network namespaces.
const SOURCES: &[Source] = &[
    Source {
        path: "/proc/thread-self/net/fib_trie",
        local: true,
        read: local_v4,
    },
    Source {
        path: "/proc/thread-self/net/if_inet6",
        local: true,
        read: local_v6,
    },
    Source {
        path: "/proc/thread-self/net/route",
        local: false,
        read: gateways_v4,
    },
    Source {
        path: "/proc/thread-self/net/ipv6_route",
        local: false,
        read: gateways_v6,
    },
    Source {
        path: "/etc/resolv.conf",
        local: false,
        read: resolvers,
    },
];

fn hub_addresses(url: &str) -> std::io::Result<Vec<IpAddr>> {
    let url = reqwest::Url::parse(url).map_err(std::io::Error::other)?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(443);
    Ok((host, port)
        .to_socket_addrs()?
        .map(|address| address.ip())
        .collect())
}

/// Local addresses in the kernel's routing trie: an address line, then `/32 host LOCAL`.
fn local_v4(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().zip(text.lines().skip(1));
    let local = lines.filter(|(_, next)| next.trim() == "/32 host LOCAL");
    let address = local.filter_map(|(line, _)| line.trim().strip_prefix("|-- ")?.parse().ok());
    address.collect()
}

/// First column of `if_inet6`: 32 hexadecimal digits.
fn local_v6(text: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| v6_hex(line.split_whitespace().next()?))
        .collect()
}

/// Column `Gateway` of `route`: a 32-bit word in host order, in hexadecimal.
fn gateways_v4(text: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let word = u32::from_str_radix(line.split_whitespace().nth(2)?, 16).ok()?;
        (word != 0).then(|| IpAddr::from(Ipv4Addr::from(word.to_ne_bytes())))
    };
    text.lines().skip(1).filter_map(gateway).collect()
}

/// Column 5 of `ipv6_route`: the next hop, in hexadecimal.
fn gateways_v6(text: &str) -> Vec<IpAddr> {
    let hops = text
        .lines()
        .filter_map(|line| v6_hex(line.split_whitespace().nth(4)?));
    hops.filter(|hop| !hop.is_unspecified()).collect()
}

/// `nameserver` lines of resolv.conf(5); a scope after `%` is cut.
fn resolvers(text: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let named = words.next() == Some("nameserver");
        let address = words.next().filter(|_| named)?;
        address.split('%').next()?.parse().ok()
    };
    text.lines().filter_map(address).collect()
}

fn v6_hex(text: &str) -> Option<IpAddr> {
    let whole = text.len() == 32;
    let bits = u128::from_str_radix(text, 16).ok().filter(|_| whole)?;
    Some(IpAddr::from(Ipv6Addr::from(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_kernels_tables_are_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     \
                    |-- 10.2.0.7\n        /32 host LOCAL\n     |-- 10.2.0.255\n        /32 link BROADCAST\n";
        assert_eq!(local_v4(trie), ips(&["10.2.0.7"]));
        let inet6 = "fe80000000000000020000fffe000001 02 40 20 80 eth0\n";
        assert_eq!(local_v6(inet6), ips(&["fe80::200:ff:fe00:1"]));
        let route = "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t0100020A\t0003\neth0\t0000020A\t00000000\t0001\n";
        let first = u32::from_str_radix("0100020A", 16).unwrap().to_ne_bytes();
        assert_eq!(
            gateways_v4(route),
            vec![IpAddr::from(Ipv4Addr::from(first))]
        );
        let zero = "0".repeat(32);
        let hop = "20010db8000000000000000000000001";
        let route6 = format!(
            "{zero} 00 {zero} 00 {hop} 400 1 0 3 eth0\n{zero} 00 {zero} 00 {zero} 400 1 0 3 lo\n"
        );
        assert_eq!(gateways_v6(&route6), ips(&["2001:db8::1"]));
    }

    #[test]
    fn resolvers_are_read_and_noise_is_not() {
        let text = "# nameserver 192.0.2.1\nsearch example.org\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver\n";
        assert_eq!(resolvers(text), ips(&["192.0.2.53", "fe80::1"]));
    }

    #[test]
    fn hostile_text_yields_nothing() {
        for read in SOURCES.iter().map(|source| source.read) {
            assert_eq!(
                read("\u{0}|-- /32 host LOCAL\nzz zz zz zz zz\n\n"),
                ips(&[])
            );
        }
    }

    #[test]
    fn home_is_protected() {
        let text = "name = \"s\"\ndata = \"d\"\n[home]\nnetworks = [\"198.51.100.0/24\"]\n";
        let config = crate::config::parse(text, Path::new("s.toml")).unwrap();
        let ours = "198.51.100.7/32".parse().unwrap();
        assert!(find(&config).protected.touched_by(&ours).is_some());
    }

    #[test]
    fn this_hosts_loopback_is_found_and_merged_with_what_is_configured() {
        let text = "name = \"s\"\ndata = \"d\"\n[protect]\nnetworks = [\"10.2.0.0/24\", \"10.2.0.0/25\"]\n";
        let config = crate::config::parse(text, Path::new("s.toml")).unwrap();
        let found = find(&config);
        assert!(
            found
                .protected
                .touched_by(&"10.2.0.9/32".parse().unwrap())
                .is_some()
        );
        assert!(
            found
                .protected
                .touched_by(&"127.0.0.1/32".parse().unwrap())
                .is_some()
        );
        assert!(
            found
                .protected
                .touched_by(&"192.0.2.9/32".parse().unwrap())
                .is_none()
        );
    }
}
