//! Prefixes, and traffic between ends: few, and held apart from single addresses.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use packet::FiveTuple;
use stix::lease::Proto;

use super::prefix::Prefixes;
use super::{End, PREFIX4_MIN, PREFIX6_MIN, Refusal};
use crate::verdict::of_packet;

/// A prefix, or traffic, and who named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Net {
    pub(super) owner: u32,
    pub(super) matches: Matches,
}

/// What is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matches {
    /// Either end of a flow.
    End(IpNet),
    /// All of these traits at once. It is found under its source, or under its destination when it
    /// has none.
    Traffic {
        src: Option<IpNet>,
        dst: Option<IpNet>,
        dst_port: Option<u16>,
        protocol: Option<Proto>,
    },
}

/// Bytes of a [`Net`] in a snapshot: owner, kind, protocol, port, and both ends as length and
/// address.
pub(super) const NET_BYTES: usize = 44;

impl Matches {
    /// Checks that it names a part of the Internet that is small enough.
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        let net = self.anchor().ok_or(Refusal::NoAddress)?;
        let wide = match net {
            IpNet::V4(net) => net.prefix_len() < PREFIX4_MIN,
            IpNet::V6(net) => net.prefix_len() < PREFIX6_MIN,
        };
        if wide {
            Err(Refusal::TooWide(net))
        } else {
            Ok(self)
        }
    }

    fn anchor(&self) -> Option<IpNet> {
        match self {
            Self::End(net) => Some(canonical(*net)),
            Self::Traffic { src, dst, .. } => src.or(*dst).map(canonical),
        }
    }

    /// Whether traffic that was found at an end has all the traits.
    fn holds(&self, found_at: End, flow: &FiveTuple) -> bool {
        let Self::Traffic {
            src,
            dst,
            dst_port,
            protocol,
        } = self
        else {
            return true;
        };
        let anchor = match src {
            Some(_) => End::Source,
            None => End::Destination,
        };
        let inside = |net: IpNet, address: IpAddr| canonical(net).contains(&address.to_canonical());
        anchor == found_at
            && src.is_none_or(|net| inside(net, flow.src))
            && dst.is_none_or(|net| inside(net, flow.dst))
            && dst_port.is_none_or(|port| port == flow.dst_port)
            && protocol.is_none_or(|protocol| Some(protocol) == of_packet(flow.proto))
    }
}

impl Net {
    pub(super) fn to_bytes(self) -> [u8; NET_BYTES] {
        let (kind, src, dst, port, protocol) = match self.matches {
            Matches::End(net) => (0, Some(net), None, None, None),
            Matches::Traffic {
                src,
                dst,
                dst_port,
                protocol,
            } => (1, src, dst, dst_port, protocol),
        };
        let protocol = protocol.map_or(0, Proto::number);
        let (has_port, port) = (u8::from(port.is_some()), port.unwrap_or(0));
        let mut out = [0; NET_BYTES];
        let owner = self.owner.to_le_bytes();
        let port = port.to_le_bytes();
        let fields = owner.into_iter().chain([kind, protocol, has_port, 0]);
        let fields = fields.chain(port).chain(end(src)).chain(end(dst));
        for (to, from) in out.iter_mut().zip(fields) {
            *to = from;
        }
        out
    }

    /// None when they are not what [`Net::to_bytes`] gives.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (owner, rest) = bytes.split_first_chunk()?;
        let ([kind, protocol, has_port, _], rest) = rest.split_first_chunk()?;
        let (port, rest) = rest.split_first_chunk()?;
        let (src, rest) = rest.split_first_chunk::<END_BYTES>()?;
        let (dst, _) = rest.split_first_chunk::<END_BYTES>()?;
        let (src, dst) = (read_end(src)?, read_end(dst)?);
        let matches = match kind {
            0 => Matches::End(src?),
            1 => Matches::Traffic {
                src,
                dst,
                dst_port: (*has_port == 1).then_some(u16::from_le_bytes(*port)),
                protocol: match protocol {
                    0 => None,
                    number => Some(Proto::from_number(*number)?),
                },
            },
            _ => return None,
        };
        Some(Self {
            owner: u32::from_le_bytes(*owner),
            matches: matches.checked().ok()?,
        })
    }
}

/// Length and address of an end.
const END_BYTES: usize = 17;
/// Where the lengths of IPv4 prefixes begin; 0: there is no such end.
const IPV4_LENGTHS: u8 = 200;
const IPV6_LENGTHS: u8 = 1;

fn end(net: Option<IpNet>) -> [u8; END_BYTES] {
    let (length, address) = match net {
        None => (0, Ipv6Addr::UNSPECIFIED),
        Some(IpNet::V4(net)) => (
            net.prefix_len().saturating_add(IPV4_LENGTHS),
            net.addr().to_ipv6_mapped(),
        ),
        Some(IpNet::V6(net)) => (net.prefix_len().saturating_add(IPV6_LENGTHS), net.addr()),
    };
    let mut out = [0; END_BYTES];
    let fields = std::iter::once(length).chain(address.octets());
    for (to, from) in out.iter_mut().zip(fields) {
        *to = from;
    }
    out
}

/// None when it cannot be read; none within when there is no such end.
fn read_end([length, address @ ..]: &[u8; END_BYTES]) -> Option<Option<IpNet>> {
    let address = Ipv6Addr::from_octets(*address);
    let net = match *length {
        0 => return Some(None),
        length if length >= IPV4_LENGTHS => {
            let address = address.to_ipv4_mapped()?;
            IpNet::new(address.into(), length.saturating_sub(IPV4_LENGTHS))
        }
        length => IpNet::new(address.into(), length.saturating_sub(IPV6_LENGTHS)),
    };
    net.ok().map(Some)
}

/// Prefixes and traffic, to be looked up.
#[derive(Debug, Default)]
pub(super) struct Nets {
    marks: Vec<Mark>,
    v4: Prefixes<u32>,
    v6: Prefixes<u128>,
}

/// One under one prefix; the marks of a prefix form a list.
#[derive(Clone, Copy, Debug)]
struct Mark {
    net: Net,
    next: u32,
}

/// End of a list.
const NONE: u32 = u32::MAX;

impl Nets {
    pub(super) fn push(&mut self, net: Net) {
        let Ok(at) = u32::try_from(self.marks.len()) else {
            return;
        };
        let head = match net.matches.anchor() {
            Some(IpNet::V4(net)) => self.v4.slot(net.addr().to_bits(), net.prefix_len(), NONE),
            Some(IpNet::V6(net)) => self.v6.slot(net.addr().to_bits(), net.prefix_len(), NONE),
            None => return,
        };
        let next = std::mem::replace(head, at);
        self.marks.push(Mark { net, next });
    }

    /// Calls `each` with length and owner of every prefix that holds `address`, longest first.
    pub(super) fn address(&self, address: IpAddr, mut each: impl FnMut(u8, u32)) {
        self.covering(address, |len, net| {
            if let Matches::End(_) = net.matches {
                each(len, net.owner);
            }
        });
    }

    /// The same for an end of a flow, traffic among it.
    pub(super) fn end(&self, end: End, flow: &FiveTuple, mut each: impl FnMut(u8, u32)) {
        let address = match end {
            End::Source => flow.src,
            End::Destination => flow.dst,
        };
        self.covering(address, |len, net| {
            if net.matches.holds(end, flow) {
                each(len, net.owner);
            }
        });
    }

    pub(super) fn shrink(&mut self) {
        self.marks.shrink_to_fit();
        self.v4.shrink();
        self.v6.shrink();
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let marks = self.marks.capacity().saturating_mul(size_of::<Mark>());
        let prefixes = self.v4.bytes().saturating_add(self.v6.bytes());
        marks.saturating_add(prefixes)
    }

    /// The lists only ever link backwards, so they end.
    fn covering(&self, address: IpAddr, mut each: impl FnMut(u8, &Net)) {
        let chain = |len, head: u32| {
            let mut next = head;
            let mark = |at: u32| self.marks.get(usize::try_from(at).ok()?);
            while let Some(mark) = mark(next) {
                each(len, &mark.net);
                next = mark.next;
            }
        };
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.covering(address.to_bits(), chain),
            IpAddr::V6(address) => self.v6.covering(address.to_bits(), chain),
        }
    }
}

/// An IPv4-mapped IPv6 prefix as the IPv4 prefix that it is.
pub(super) fn canonical(net: IpNet) -> IpNet {
    let mapped = match net {
        IpNet::V6(net) => net
            .addr()
            .to_ipv4_mapped()
            .zip(net.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped
        .and_then(|(address, len)| IpNet::new(IpAddr::V4(address), len).ok())
        .unwrap_or(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let traffic = |src, dst, dst_port, protocol| Matches::Traffic {
            src,
            dst,
            dst_port,
            protocol,
        };
        for matches in [
            Matches::End(net("192.0.2.0/24")),
            Matches::End(net("10.0.0.0/8")),
            Matches::End(net("2001:db8::/32")),
            Matches::End(net("::ffff:192.0.2.0/120")),
            traffic(Some(net("192.0.2.1/32")), None, Some(0), Some(Proto::Icmp6)),
            traffic(None, Some(net("2001:db8::1/128")), None, None),
            traffic(
                Some(net("192.0.2.0/24")),
                Some(net("0.0.0.0/0")),
                Some(65_535),
                Some(Proto::Tcp),
            ),
        ] {
            let net = Net { owner: 7, matches };
            assert_eq!(Net::from_bytes(&net.to_bytes()), Some(net), "{net:?}");
        }
    }

    #[test]
    fn damaged_records_name_no_large_part_of_the_internet() {
        let matches = Matches::End("192.0.2.0/24".parse().unwrap());
        let mut bytes = Net { owner: 7, matches }.to_bytes();
        assert_eq!(bytes[10], IPV4_LENGTHS + 24);
        bytes[10] = IPV4_LENGTHS + 7;
        assert_eq!(Net::from_bytes(&bytes), None);
        bytes[10] = IPV4_LENGTHS + 33;
        assert_eq!(Net::from_bytes(&bytes), None);
        bytes[10] = 0;
        assert_eq!(Net::from_bytes(&bytes), None);
    }
}
