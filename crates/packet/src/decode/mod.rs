//! Frame -> headers and payload, without copying.
//!
//! [`decode`] walks link, network and transport headers and stops where the bytes stop making
//! sense: what it found so far stands in [`Decoded`], what was wrong stands in its [`Damages`].
//! Where a packet carries another one (GRE, VXLAN, IP in IP, ...), [`Decoded::inner`] says where;
//! [`decode_inner`] takes that one apart. Nothing here panics, allocates or loops beyond a named
//! bound.
//!
//! | module | what |
//! |---|---|
//! | [`link`] | link types, Ethernet and everything with an EtherType |
//! | [`ppp`], [`mpls`], [`nsh`], [`arp`] | what stands between a link and IP |
//! | [`ipv4`], [`ipv6`], [`extension`] | IP with its options and extension headers |
//! | [`transport`], [`tcp`], [`icmp`] | TCP, UDP, SCTP, ESP, ICMP |
//! | [`tunnel`], [`gre`], [`udp_tunnel`] | packets within packets |
//! | [`checksum`] | checksums |
//! | [`damage`], [`layer`] | the decoder events, and the layers of a packet |

mod arp;
mod checksum;
mod damage;
mod extension;
mod gre;
mod icmp;
mod ipv4;
mod ipv6;
mod layer;
mod link;
mod mpls;
mod nsh;
mod options;
mod ppp;
mod tcp;
mod transport;
mod tunnel;
mod udp_tunnel;
mod walk;

pub use arp::Arp;
pub(crate) use checksum::header_checksum;
pub use checksum::{Checksum, bad_checksum, checksum_holds, checksums_valid};
pub use damage::{DAMAGES_MAX, Damage, Damages};
pub use extension::EXT_HEADERS_MAX;
pub use icmp::{Icmp, Original};
pub(crate) use icmp::{TYPES4, TYPES6, pair as icmp_pair};
pub use layer::{Layer, Layers};
pub use link::{Ether, VLANS_MAX, Vlans};
pub use mpls::MPLS_LABELS_MAX;
pub use options::{Options, PORTS_MAX, Ports};
pub use tcp::{TCP_OPTIONS_MAX, Tcp, TcpFlags, TcpOptions};
pub use transport::{Transport, Udp};
pub use tunnel::{Inner, Source};

use std::net::IpAddr;

use crate::bytes::len32;
use crate::frame::LinkType;
use walk::Walk;

/// A decoded packet; borrows from it.
#[derive(Debug, Clone)]
pub struct Decoded<'a> {
    /// All of its bytes.
    pub data: &'a [u8],
    /// Ethernet addresses and type, where the link has them.
    pub ether: Option<Ether>,
    /// VLAN identifiers, outermost first.
    pub vlans: Vlans,
    /// The ARP packet, if it is one.
    pub arp: Option<Arp>,
    /// Where the IP header begins in `data`.
    pub ip_start: usize,
    /// The IP header.
    pub ip: Option<Ip<'a>>,
    /// What IP carries; [`Transport::Absent`] without IP, in fragments, in tunnels, and where the
    /// header is damaged.
    pub transport: Transport<'a>,
    /// The packet within this one.
    pub inner: Option<Inner<'a>>,
    /// How many packets stand around this one: 0 on the wire.
    pub depth: u8,
    /// What it is made of.
    pub layers: Layers,
    /// What was wrong.
    pub damages: Damages,
}

/// An IP header and what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// IPv4 type of service, or IPv6 traffic class.
    pub tos: u8,
    /// The protocol after all extension headers (IANA protocol number); 44 in IPv6 fragments.
    pub protocol: u8,
    /// Set when the packet is a fragment.
    pub fragment: Option<Fragment>,
    /// IPv4 options, or the IPv6 extension headers.
    pub options: &'a [u8],
    /// The whole header as captured, options or extension headers included.
    pub header: &'a [u8],
    /// The captured part of the payload, without link-layer padding.
    pub payload: &'a [u8],
    /// Length of the payload by the header, bytes; more than `payload.len()` when the packet is
    /// truncated.
    pub payload_len: u32,
}

impl Ip<'_> {
    /// Whether bytes that the header announces are missing from the frame.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.payload_len > len32(self.payload.len())
    }

    /// Whether there is an IPv6 fragment header, also that of a packet which is its only fragment.
    #[must_use]
    pub fn has_fragment_header(&self) -> bool {
        self.src.is_ipv6() && extension::has_fragment_header(self.header)
    }
}

/// What IP carries, without the header: small enough to be handed on in registers.
#[derive(Debug, Clone, Copy)]
struct Payload<'a> {
    protocol: u8,
    bytes: &'a [u8],
    /// Its length by the header.
    len: u32,
}

impl<'a> Payload<'a> {
    fn of(ip: &Ip<'a>) -> Self {
        Self {
            protocol: ip.protocol,
            bytes: ip.payload,
            len: ip.payload_len,
        }
    }
}

/// Where a fragment belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Identification.
    pub id: u32,
    /// Offset of the payload in the whole, bytes.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
    /// The protocol of the whole, as this fragment has it.
    pub protocol: u8,
    /// Where in the IP header the number stands that names what the fragment header is followed by:
    /// the next-header field in front of an IPv6 fragment header; 9 in IPv4.
    pub protocol_at: usize,
}

/// Decodes one frame of the given link type, tunnels at their usual ports.
#[must_use]
pub fn decode(link: LinkType, data: &[u8]) -> Decoded<'_> {
    decode_with(&Options::default(), link, data)
}

/// Decodes one frame of the given link type.
#[must_use]
pub fn decode_with<'a>(options: &Options, link: LinkType, data: &'a [u8]) -> Decoded<'a> {
    let mut decoded = Decoded::new(data, Layers::NONE);
    walk(options, &mut decoded, |walk| walk.link(link, data));
    decoded
}

/// Decodes the packet within a packet.
#[must_use]
pub fn decode_inner<'a>(options: &Options, outer: &Decoded<'_>, inner: &Inner<'a>) -> Decoded<'a> {
    let layers = Layers::within(outer.layers.depth());
    let mut decoded = Decoded::new(inner.data, layers);
    decoded.depth = outer.depth.saturating_add(1);
    walk(options, &mut decoded, |walk| {
        walk.start(inner.start, inner.data)
    });
    if let Some(layer) = inner.counts {
        decoded.layers.note(layer);
    }
    decoded
}

impl<'a> Decoded<'a> {
    /// What the transport carries, where it is one that is read. Others, and fragments, carry nothing.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        let ip = self.ip.map_or(&[][..], |ip| ip.payload);
        let behind = |len: usize| ip.get(len..).unwrap_or_default();
        match &self.transport {
            Transport::Tcp(tcp) => tcp.payload,
            Transport::Udp(udp) => udp.payload,
            Transport::Icmp4(_) | Transport::Icmp6(_) | Transport::Esp(_) => behind(8),
            Transport::Sctp(..) => behind(12),
            Transport::Unsound(.., len) => {
                let len = usize::try_from(*len).unwrap_or(usize::MAX);
                behind(ip.len().saturating_sub(len))
            }
            Transport::Absent | Transport::Other(_) => &[],
        }
    }

    /// Whether there is a link or a network layer that makes sense, whatever it carries.
    #[must_use]
    pub fn has_network(&self) -> bool {
        let is_cut = self.ip.is_some_and(|ip| ip.is_truncated());
        !self.damages.is_invalid() || self.ether.is_some() || self.ip.is_some() && !is_cut
    }
}

/// Decodes a packet put together from fragments.
#[must_use]
pub fn decode_whole<'a>(options: &Options, front: &Front, data: &'a [u8]) -> Decoded<'a> {
    let mut whole = Decoded::new(data, Layers::within(front.layers));
    whole.vlans = front.vlans;
    whole.depth = front.depth;
    let packet = data.get(front.ip_start..).unwrap_or_default();
    walk(options, &mut whole, |walk| walk.ip(packet));
    whole
}

/// What stood in front of the IP header of a packet's first fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Front {
    vlans: Vlans,
    depth: u8,
    layers: u8,
    ip_start: usize,
}

impl Front {
    /// Of a fragment.
    #[must_use]
    pub fn of(fragment: &Decoded<'_>) -> Self {
        Self {
            vlans: fragment.vlans,
            depth: fragment.depth,
            layers: fragment.layers.depth(),
            ip_start: fragment.ip_start,
        }
    }
}

/// Walks through a packet into `decoded`.
fn walk<'a>(
    options: &Options,
    decoded: &mut Decoded<'a>,
    way: impl FnOnce(&mut Walk<'a, '_>) -> walk::Step,
) {
    if let Err(damage) = way(&mut Walk { options, decoded }) {
        decoded.damages.add_invalid(damage);
        decoded.inner = None;
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
