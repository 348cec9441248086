//! What the settings say of fragments.

use std::net::IpAddr;

use super::Policy;
use crate::settings::{Setting, Settings};

/// Most networks with a policy or a timeout of their own.
const NETWORKS_MAX: usize = 4096;

/// Bounds, timeouts and policies of defragmentation.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most packets that wait for fragments.
    pub trackers_max: usize,
    /// Most fragments kept.
    pub fragments_max: u64,
    /// Most bytes kept.
    pub bytes_max: u64,
    /// How long fragments wait for the rest, nanoseconds.
    pub timeout_ns: u64,
    timeouts: Vec<(Network, u64)>,
    policies: Vec<(Network, Policy)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trackers_max: 65_535,
            fragments_max: 65_535,
            bytes_max: 32 << 20,
            timeout_ns: 60 * SECOND_NS,
            timeouts: Vec::new(),
            policies: Vec::new(),
        }
    }
}

impl Options {
    /// From `defrag` and `host-os-policy` of the settings; what they do not say is as in
    /// [`Options::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let (defrag, default) = (settings.at("defrag"), Self::default());
        let seconds = |setting: Setting<'_>| {
            let seconds = setting.at("timeout").number();
            seconds.map(|seconds| seconds.saturating_mul(SECOND_NS))
        };
        let trackers_max = defrag.at("trackers").number();
        let groups = defrag.at("host-config").items().flat_map(Setting::entries);
        let timeouts = groups.flat_map(|(_, group)| {
            let timeout_ns = seconds(group);
            let networks = group.at("address").items().filter_map(Network::read);
            networks.filter_map(move |network| Some((network, timeout_ns?)))
        });
        let systems = settings.at("host-os-policy").entries();
        let policies = systems.flat_map(|(name, networks)| {
            let policy = Policy::of_system(name);
            let networks = networks.items().flat_map(Network::read_all);
            networks.filter_map(move |network| Some((network, policy?)))
        });
        Self {
            trackers_max: trackers_max
                .and_then(|number| usize::try_from(number).ok())
                .unwrap_or(default.trackers_max),
            fragments_max: defrag
                .at("max-frags")
                .number()
                .unwrap_or(default.fragments_max),
            bytes_max: defrag.at("memcap").bytes().unwrap_or(default.bytes_max),
            timeout_ns: seconds(defrag).unwrap_or(default.timeout_ns),
            timeouts: narrowest_first(timeouts.take(NETWORKS_MAX).collect()),
            policies: narrowest_first(policies.take(NETWORKS_MAX).collect()),
        }
    }

    /// The policy of the host at an address.
    #[must_use]
    pub fn policy(&self, host: IpAddr) -> Policy {
        of(&self.policies, host).unwrap_or_default()
    }

    /// How long fragments to a host wait for the rest, nanoseconds.
    #[must_use]
    pub fn timeout_ns(&self, host: IpAddr) -> u64 {
        of(&self.timeouts, host).unwrap_or(self.timeout_ns)
    }
}

/// An address and the length of its prefix, bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// `192.168.0.0/24`, `::1`.
    fn read(setting: Setting<'_>) -> Option<Self> {
        Self::parse(setting.text()?)
    }

    /// Networks with commas between them.
    fn read_all(setting: Setting<'_>) -> impl Iterator<Item = Self> {
        let text = setting.text().unwrap_or_default();
        text.split(',').filter_map(Self::parse)
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = if prefix.is_empty() {
            bits
        } else {
            prefix.parse().ok()?
        };
        (prefix <= bits).then_some(Self { address, prefix })
    }

    fn holds(&self, host: IpAddr) -> bool {
        match (self.address, host) {
            (IpAddr::V4(network), IpAddr::V4(host)) => {
                let differ = network.to_bits() ^ host.to_bits();
                differ.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(host)) => {
                let differ = network.to_bits() ^ host.to_bits();
                differ.leading_zeros() >= self.prefix
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn narrowest_first<T>(mut networks: Vec<(Network, T)>) -> Vec<(Network, T)> {
    networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix));
    networks
}

fn of<T: Copy>(networks: &[(Network, T)], host: IpAddr) -> Option<T> {
    let found = networks.iter().find(|(network, _)| network.holds(host));
    found.map(|(_, value)| *value)
}

const SECOND_NS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_policies_and_timeouts_of_their_networks() {
        let yaml = "defrag:\n  memcap: 1mb\n  trackers: 7\n  timeout: 30\n  host-config:\n    - dmz:\n        \
            timeout: 10\n        address: [192.0.2.0/24, \"::1\"]\nhost-os-policy:\n  windows: [0.0.0.0/0]\n  \
            linux: [198.51.100.0/24, 2001:db8::/32]\n";
        let options = Options::from_settings(&Settings::parse(yaml).unwrap());
        let host = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!((options.trackers_max, options.bytes_max), (7, 1 << 20));
        assert_eq!(options.timeout_ns(host("192.0.2.9")), 10 * SECOND_NS);
        assert_eq!(options.timeout_ns(host("::1")), 10 * SECOND_NS);
        assert_eq!(options.timeout_ns(host("192.0.3.9")), 30 * SECOND_NS);
        assert_eq!(options.policy(host("198.51.100.7")), Policy::Linux);
        assert_eq!(options.policy(host("203.0.113.1")), Policy::Windows);
        assert_eq!(options.policy(host("2001:db8::1")), Policy::Linux);
        assert_eq!(options.policy(host("2001:db9::1")), Policy::Bsd);
    }
}
