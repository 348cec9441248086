//! How TCP connections are followed and put together.

use std::net::IpAddr;

use crate::applayer::{AppProto, PROTOCOLS};
use crate::flow::tcp::Rules;
use crate::settings::{Setting, Settings};
use crate::stream::Policy;

/// Options of the stream engine. The default is for a shield: it looks at bytes as soon as they
/// come, follows connections from their midst, and takes no segment that the host would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// Connections whose beginning was not seen are followed, too.
    pub midstream: bool,
    /// One direction is enough to follow a connection.
    pub async_oneside: bool,
    /// Bytes are looked at when their receiver has acknowledged them; not when inline.
    pub on_ack: bool,
    /// Segments count that acknowledge what was not seen, as long as the other side was allowed to
    /// send it: captures lose packets.
    pub lenient: bool,
    /// Without a SYN, the side with the only well-known port is the server; else the first to send
    /// is the client.
    pub ports_tell: bool,
    /// Most bytes of a stream that are looked at.
    pub depth: u64,
    /// The same for single protocols.
    depths: Vec<(AppProto, u64)>,
    /// Inline, segments that are no part of their connection do not go on.
    pub drop_invalid: bool,
    /// What becomes of urgent bytes.
    pub urgent: Urgent,
    /// The same beyond [`URGENT_BYTES_MAX`] of them.
    pub urgent_beyond: Urgent,
    /// Most different SYN/ACKs of one handshake.
    pub synack_queued_max: u8,
    /// Most different SYNs of one handshake.
    pub syn_queued_max: u8,
    /// Whether flows are bypassed of which one side has reached its depth.
    pub bypass: bool,
    /// Protocols whose flows are bypassed when nothing that can be read follows.
    bypassed: Vec<AppProto>,
    /// How hosts read overlapping segments, by network.
    policies: Vec<(IpAddr, u8, Policy)>,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            midstream: true,
            async_oneside: false,
            on_ack: false,
            lenient: false,
            ports_tell: true,
            depth: u64::MAX,
            depths: Vec::new(),
            drop_invalid: true,
            urgent: Urgent::OutOfBand,
            urgent_beyond: Urgent::Drop,
            synack_queued_max: 5,
            syn_queued_max: 10,
            bypass: false,
            bypassed: Vec::new(),
            policies: Vec::new(),
        }
    }
}

/// What becomes of urgent bytes, of which hosts make what their programs ask for (RFC 6093).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgent {
    /// Segments with urgent data are not looked at.
    Drop,
    /// They are bytes like others.
    Inline,
    /// The byte is no part of the stream.
    OutOfBand,
    /// The byte is missing in the stream.
    Gap,
}

impl Urgent {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "drop" => Self::Drop,
            "inline" => Self::Inline,
            "oob" => Self::OutOfBand,
            "gap" => Self::Gap,
            _ => return None,
        })
    }
}

/// Most urgent bytes taken out of a stream.
pub const URGENT_BYTES_MAX: u32 = 65_536;

/// Most networks with a way of their own to read overlaps.
const POLICIES_MAX: usize = 1024;

impl StreamOptions {
    /// From `stream`, `host-os-policy` and the protocols' `stream-depth` and `encryption-handling`. Other than by default,
    /// connections are followed from their SYN alone, bytes are looked at when they are
    /// acknowledged unless streams are read inline, and no deeper than 1 MiB.
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let stream = settings.at("stream");
        let flag = |name, default| stream.at(name).flag().unwrap_or(default);
        let urgent = |name| Urgent::from_name(stream.at(name).text()?);
        let small = |name, default| {
            let number = stream.at(name).number();
            number.map_or(default, |number| u8::try_from(number).unwrap_or(u8::MAX))
        };
        Self {
            midstream: flag("midstream", false),
            async_oneside: flag("async-oneside", false),
            on_ack: !flag("inline", false),
            lenient: true,
            ports_tell: false,
            depth: depth(stream.at("reassembly.depth")).unwrap_or(1 << 20),
            depths: depths(settings),
            drop_invalid: flag("drop-invalid", true),
            urgent: urgent("reassembly.urgent.policy").unwrap_or(Urgent::OutOfBand),
            urgent_beyond: urgent("reassembly.urgent.oob-limit-policy").unwrap_or(Urgent::Drop),
            synack_queued_max: small("max-synack-queued", 5),
            syn_queued_max: small("max-syn-queued", 10),
            bypass: flag("bypass", false),
            bypassed: bypassed(settings),
            policies: policies(settings.at("host-os-policy")),
        }
    }

    /// Most bytes looked at of a stream of that protocol.
    #[must_use]
    pub(crate) fn depth_of(&self, app: AppProto) -> u64 {
        // what carries the messages decides
        let app = if app == AppProto::Doh2 {
            AppProto::Http2
        } else {
            app
        };
        let own = self.depths.iter().find(|(known, _)| *known == app);
        own.map_or(self.depth, |(_, depth)| *depth)
    }

    /// Whether a flow of a protocol is bypassed when nothing that can be read follows.
    #[must_use]
    pub(crate) fn bypasses(&self, app: AppProto) -> bool {
        self.bypassed.contains(&app)
    }

    /// How a host reads overlapping segments: the longest network that it is in says it.
    #[must_use]
    pub(crate) fn policy_of(&self, host: IpAddr) -> Policy {
        let networks = self.policies.iter();
        networks
            .filter(|(network, bits, _)| contains(*network, *bits, host))
            .max_by_key(|(_, bits, _)| *bits)
            .map_or(Policy::First, |(_, _, policy)| *policy)
    }

    pub(crate) fn rules(&self, inline: bool) -> Rules {
        Rules {
            inline,
            lenient: self.lenient,
            one_side: self.async_oneside,
            syn_acks_max: self.synack_queued_max,
            syns_max: self.syn_queued_max,
        }
    }
}

/// A depth in bytes; 0 means all.
fn depth(setting: Setting<'_>) -> Option<u64> {
    let depth = setting.bytes()?;
    Some(if depth == 0 { u64::MAX } else { depth })
}

fn depths(settings: &Settings) -> Vec<(AppProto, u64)> {
    let protocols = settings.at("app-layer.protocols");
    let own = PROTOCOLS.iter().filter_map(|known| {
        let own = depth(protocols.at(known.name).at("stream-depth"));
        // files over SMB are read to their end
        let default = (known.app == AppProto::Smb).then_some(u64::MAX);
        Some((known.app, own.or(default)?))
    });
    own.collect()
}

fn bypassed(settings: &Settings) -> Vec<AppProto> {
    let protocols = settings.at("app-layer.protocols");
    let handling = |name| protocols.at(name).at("encryption-handling").text();
    let bypassed = PROTOCOLS
        .iter()
        .filter(|known| handling(known.name) == Some("bypass"));
    bypassed.map(|known| known.app).collect()
}

fn policies(hosts: Setting<'_>) -> Vec<(IpAddr, u8, Policy)> {
    let by_name = hosts
        .entries()
        .filter_map(|(name, networks)| Some((Policy::from_name(name)?, networks)));
    by_name
        .flat_map(|(policy, networks)| {
            networks.items().filter_map(move |network| {
                let (address, bits) = network_of(network.text()?)?;
                Some((address, bits, policy))
            })
        })
        .take(POLICIES_MAX)
        .collect()
}

fn network_of(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.trim().parse().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.trim().parse().ok()?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    Some((address, bits.unwrap_or(whole).min(whole)))
}

fn contains(network: IpAddr, bits: u8, host: IpAddr) -> bool {
    let (network, host, width) = match (network, host) {
        (IpAddr::V4(network), IpAddr::V4(host)) => (
            u128::from(network.to_bits()),
            u128::from(host.to_bits()),
            32_u8,
        ),
        (IpAddr::V6(network), IpAddr::V6(host)) => (network.to_bits(), host.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let free = u32::from(width.saturating_sub(bits));
    (network ^ host).checked_shr(free).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_network_says_how_a_host_reads() {
        let yaml = "host-os-policy:\n  windows: [0.0.0.0/0]\n  linux: [192.0.2.0/24, \"::1\"]\n  \
            bsd: 192.0.2.7\nstream:\n  reassembly:\n    depth: 0\n";
        let options = StreamOptions::from_settings(&Settings::parse(yaml).unwrap());
        let policy = |host: &str| options.policy_of(host.parse().unwrap());
        assert_eq!(policy("198.51.100.1"), Policy::Bsd);
        assert_eq!(policy("192.0.2.1"), Policy::Linux);
        assert_eq!(policy("192.0.2.7"), Policy::Bsd);
        assert_eq!(policy("::1"), Policy::Linux);
        assert_eq!(policy("::2"), Policy::First);
        assert_eq!(options.depth_of(AppProto::Http), u64::MAX);
    }
}
