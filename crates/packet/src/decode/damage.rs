//! What can be wrong with a frame: the named decoder events.

/// A decoder event. Names follow those of Suricata's `anomaly` records where the meaning is the
/// same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each variant's name() says what it means in full"
)]
pub enum Damage {
    EthernetTooSmall,
    Icmp4TooSmall,
    Icmp6TooSmall,
    Ipv4HeaderTooSmall,
    Ipv4LengthBelowHeader,
    Ipv4OptionInvalid,
    Ipv4TooSmall,
    Ipv4Truncated,
    Ipv4WrongVersion,
    Ipv6ExtHeadersTooMany,
    Ipv6ExtHeaderTruncated,
    Ipv6TooSmall,
    Ipv6Truncated,
    Ipv6WrongVersion,
    LinkUnsupported,
    MplsTooManyLabels,
    MplsTooSmall,
    NullTooSmall,
    NullUnsupportedFamily,
    PppoeTooSmall,
    RawInvalidVersion,
    SllTooSmall,
    Sll2TooSmall,
    TcpHeaderTooSmall,
    TcpInvalidOptionLength,
    TcpTooSmall,
    UdpLengthInvalid,
    UdpTooSmall,
    VlanHeaderTooSmall,
    VlanTooManyLayers,
}

impl Damage {
    /// The event's name, as logged.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EthernetTooSmall => "decoder.ethernet.pkt_too_small",
            Self::Icmp4TooSmall => "decoder.icmpv4.pkt_too_small",
            Self::Icmp6TooSmall => "decoder.icmpv6.pkt_too_small",
            Self::Ipv4HeaderTooSmall => "decoder.ipv4.hlen_too_small",
            Self::Ipv4LengthBelowHeader => "decoder.ipv4.iplen_smaller_than_hlen",
            Self::Ipv4OptionInvalid => "decoder.ipv4.opt_malformed",
            Self::Ipv4TooSmall => "decoder.ipv4.pkt_too_small",
            Self::Ipv4Truncated => "decoder.ipv4.trunc_pkt",
            Self::Ipv4WrongVersion => "decoder.ipv4.wrong_ip_version",
            Self::Ipv6ExtHeadersTooMany => "decoder.ipv6.exthdr_too_many",
            Self::Ipv6ExtHeaderTruncated => "decoder.ipv6.trunc_exthdr",
            Self::Ipv6TooSmall => "decoder.ipv6.pkt_too_small",
            Self::Ipv6Truncated => "decoder.ipv6.trunc_pkt",
            Self::Ipv6WrongVersion => "decoder.ipv6.wrong_ip_version",
            Self::LinkUnsupported => "decoder.link_type_unsupported",
            Self::MplsTooManyLabels => "decoder.mpls.too_many_labels",
            Self::MplsTooSmall => "decoder.mpls.header_too_small",
            Self::NullTooSmall => "decoder.ltnull.pkt_too_small",
            Self::NullUnsupportedFamily => "decoder.ltnull.unsupported_type",
            Self::PppoeTooSmall => "decoder.pppoe.pkt_too_small",
            Self::RawInvalidVersion => "decoder.ipraw.invalid_ip_version",
            Self::SllTooSmall => "decoder.sll.pkt_too_small",
            Self::Sll2TooSmall => "decoder.sll2.pkt_too_small",
            Self::TcpHeaderTooSmall => "decoder.tcp.hlen_too_small",
            Self::TcpInvalidOptionLength => "decoder.tcp.opt_invalid_len",
            Self::TcpTooSmall => "decoder.tcp.pkt_too_small",
            Self::UdpLengthInvalid => "decoder.udp.len_invalid",
            Self::UdpTooSmall => "decoder.udp.pkt_too_small",
            Self::VlanHeaderTooSmall => "decoder.vlan.header_too_small",
            Self::VlanTooManyLayers => "decoder.vlan.too_many_layers",
        }
    }
}

/// Most decoder events kept of one frame; more are dropped.
pub const DAMAGES_MAX: usize = 4;

/// The decoder events of one frame, in the order found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damages {
    list: [Option<Damage>; DAMAGES_MAX],
}

impl Damages {
    /// The events, in the order found.
    pub fn iter(&self) -> impl Iterator<Item = Damage> + '_ {
        self.list.iter().flatten().copied()
    }

    /// Whether the frame was sound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.first().is_none_or(Option::is_none)
    }

    /// Whether `damage` is among them.
    #[must_use]
    pub fn contains(&self, damage: Damage) -> bool {
        self.list.contains(&Some(damage))
    }

    pub(super) fn add(&mut self, damage: Damage) {
        if let Some(free) = self.list.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(damage);
        }
    }
}
