//! What can be wrong with a frame: the named decoder events.

macro_rules! damages {
    ($($variant:ident => $name:literal,)*) => {
        /// A decoder event. Names are those of Suricata's `anomaly` records.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(
            missing_docs,
            reason = "each variant's name() says what it means in full"
        )]
        pub enum Damage {
            $($variant,)*
        }

        impl Damage {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The event's name, as logged.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("decoder.", $name),)*
                }
            }

            /// The event's counter, as logged.
            #[must_use]
            pub fn counter(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("decoder.event.", $name),)*
                }
            }
        }
    };
}

damages! {
    ArpInvalidHardwareSize => "arp.invalid_hardware_size",
    ArpInvalidPkt => "arp.invalid_pkt",
    ArpInvalidProtocolSize => "arp.invalid_protocol_size",
    ArpPktTooSmall => "arp.pkt_too_small",
    ArpUnsupportedHardware => "arp.unsupported_hardware",
    ArpUnsupportedOpcode => "arp.unsupported_opcode",
    ArpUnsupportedProtocol => "arp.unsupported_protocol",
    ChdlcPktTooSmall => "chdlc.pkt_too_small",
    DcePktTooSmall => "dce.pkt_too_small",
    ErspanHeaderTooSmall => "erspan.header_too_small",
    ErspanTooManyVlanLayers => "erspan.too_many_vlan_layers",
    ErspanUnsupportedVersion => "erspan.unsupported_version",
    EspPktTooSmall => "esp.pkt_too_small",
    EthernetPktTooSmall => "ethernet.pkt_too_small",
    EthernetUnknownEthertype => "ethernet.unknown_ethertype",
    GeneveUnknownPayloadType => "geneve.unknown_payload_type",
    GrePktTooSmall => "gre.pkt_too_small",
    GreVersion0Flags => "gre.version0_flags",
    GreVersion0HdrTooBig => "gre.version0_hdr_too_big",
    GreVersion0MalformedSreHdr => "gre.version0_malformed_sre_hdr",
    GreVersion0Recur => "gre.version0_recur",
    GreVersion1Chksum => "gre.version1_chksum",
    GreVersion1Flags => "gre.version1_flags",
    GreVersion1HdrTooBig => "gre.version1_hdr_too_big",
    GreVersion1MalformedSreHdr => "gre.version1_malformed_sre_hdr",
    GreVersion1NoKey => "gre.version1_no_key",
    GreVersion1Recur => "gre.version1_recur",
    GreVersion1Route => "gre.version1_route",
    GreVersion1Ssr => "gre.version1_ssr",
    GreVersion1WrongProtocol => "gre.version1_wrong_protocol",
    GreWrongVersion => "gre.wrong_version",
    Icmp4Ipv4TruncPkt => "icmpv4.ipv4_trunc_pkt",
    Icmp4Ipv4UnknownVer => "icmpv4.ipv4_unknown_ver",
    Icmp4PktTooSmall => "icmpv4.pkt_too_small",
    Icmp4UnknownCode => "icmpv4.unknown_code",
    Icmp4UnknownType => "icmpv4.unknown_type",
    Icmp6ExperimentationType => "icmpv6.experimentation_type",
    Icmp6Ipv6TruncPkt => "icmpv6.ipv6_trunc_pkt",
    Icmp6Ipv6UnknownVersion => "icmpv6.ipv6_unknown_version",
    Icmp6MldMessageWithInvalidHl => "icmpv6.mld_message_with_invalid_hl",
    Icmp6PktTooSmall => "icmpv6.pkt_too_small",
    Icmp6UnassignedType => "icmpv6.unassigned_type",
    Icmp6UnknownCode => "icmpv6.unknown_code",
    Icmp6UnknownType => "icmpv6.unknown_type",
    Ieee8021ahHeaderTooSmall => "ieee8021ah.header_too_small",
    IprawInvalidIpVersion => "ipraw.invalid_ip_version",
    Ipv4FragIgnored => "ipv4.frag_ignored",
    Ipv4FragOverlap => "ipv4.frag_overlap",
    Ipv4FragPktTooLarge => "ipv4.frag_pkt_too_large",
    Ipv4HlenTooSmall => "ipv4.hlen_too_small",
    Ipv4Icmp6 => "ipv4.icmpv6",
    Ipv4IplenSmallerThanHlen => "ipv4.iplen_smaller_than_hlen",
    Ipv4OptDuplicate => "ipv4.opt_duplicate",
    Ipv4OptEolRequired => "ipv4.opt_eol_required",
    Ipv4OptInvalid => "ipv4.opt_invalid",
    Ipv4OptInvalidLen => "ipv4.opt_invalid_len",
    Ipv4OptMalformed => "ipv4.opt_malformed",
    Ipv4OptPadRequired => "ipv4.opt_pad_required",
    Ipv4OptUnknown => "ipv4.opt_unknown",
    Ipv4PktTooSmall => "ipv4.pkt_too_small",
    Ipv4TruncPkt => "ipv4.trunc_pkt",
    Ipv4WrongIpVersion => "ipv4.wrong_ip_version",
    Ipv6DataAfterNoneHeader => "ipv6.data_after_none_header",
    Ipv6DstoptsOnlyPadding => "ipv6.dstopts_only_padding",
    Ipv6DstoptsUnknownOpt => "ipv6.dstopts_unknown_opt",
    Ipv6ExthdrAhResNotNull => "ipv6.exthdr_ah_res_not_null",
    Ipv6ExthdrDuplAh => "ipv6.exthdr_dupl_ah",
    Ipv6ExthdrDuplDh => "ipv6.exthdr_dupl_dh",
    Ipv6ExthdrDuplEh => "ipv6.exthdr_dupl_eh",
    Ipv6ExthdrDuplFh => "ipv6.exthdr_dupl_fh",
    Ipv6ExthdrDuplHh => "ipv6.exthdr_dupl_hh",
    Ipv6ExthdrDuplRh => "ipv6.exthdr_dupl_rh",
    Ipv6ExthdrInvalidOptlen => "ipv6.exthdr_invalid_optlen",
    Ipv6ExthdrTooMany => "ipv6.exthdr_too_many",
    Ipv6ExthdrUselessFh => "ipv6.exthdr_useless_fh",
    Ipv6FhNonZeroReservedField => "ipv6.fh_non_zero_reserved_field",
    Ipv6FragIgnored => "ipv6.frag_ignored",
    Ipv6FragInvalidLength => "ipv6.frag_invalid_length",
    Ipv6FragOverlap => "ipv6.frag_overlap",
    Ipv6FragPktTooLarge => "ipv6.frag_pkt_too_large",
    Ipv6HopoptsOnlyPadding => "ipv6.hopopts_only_padding",
    Ipv6HopoptsUnknownOpt => "ipv6.hopopts_unknown_opt",
    Ipv6Icmp4 => "ipv6.icmpv4",
    Ipv6Ipv4InIpv6TooSmall => "ipv6.ipv4_in_ipv6_too_small",
    Ipv6Ipv4InIpv6WrongVersion => "ipv6.ipv4_in_ipv6_wrong_version",
    Ipv6Ipv6InIpv6TooSmall => "ipv6.ipv6_in_ipv6_too_small",
    Ipv6Ipv6InIpv6WrongVersion => "ipv6.ipv6_in_ipv6_wrong_version",
    Ipv6PktTooSmall => "ipv6.pkt_too_small",
    Ipv6RhType0 => "ipv6.rh_type_0",
    Ipv6TruncExthdr => "ipv6.trunc_exthdr",
    Ipv6TruncPkt => "ipv6.trunc_pkt",
    Ipv6UnknownNextHeader => "ipv6.unknown_next_header",
    Ipv6WrongIpVersion => "ipv6.wrong_ip_version",
    Ipv6ZeroLenPadn => "ipv6.zero_len_padn",
    LinkTypeUnsupported => "link_type_unsupported",
    LtnullPktTooSmall => "ltnull.pkt_too_small",
    LtnullUnsupportedType => "ltnull.unsupported_type",
    MplsBadLabelImplicitNull => "mpls.bad_label_implicit_null",
    MplsBadLabelReserved => "mpls.bad_label_reserved",
    MplsBadLabelRouterAlert => "mpls.bad_label_router_alert",
    MplsHeaderTooSmall => "mpls.header_too_small",
    MplsPktTooSmall => "mpls.pkt_too_small",
    MplsTooManyLabels => "mpls.too_many_labels",
    MplsUnknownPayloadType => "mpls.unknown_payload_type",
    NshBadHeaderLength => "nsh.bad_header_length",
    NshHeaderTooSmall => "nsh.header_too_small",
    NshReservedType => "nsh.reserved_type",
    NshUnknownPayload => "nsh.unknown_payload",
    NshUnsupportedType => "nsh.unsupported_type",
    NshUnsupportedVersion => "nsh.unsupported_version",
    PppIp4PktTooSmall => "ppp.ip4_pkt_too_small",
    PppIp6PktTooSmall => "ppp.ip6_pkt_too_small",
    PppPktTooSmall => "ppp.pkt_too_small",
    PppUnsupProto => "ppp.unsup_proto",
    PppVjuPktTooSmall => "ppp.vju_pkt_too_small",
    PppWrongType => "ppp.wrong_type",
    PppoeMalformedTags => "pppoe.malformed_tags",
    PppoePktTooSmall => "pppoe.pkt_too_small",
    PppoeWrongCode => "pppoe.wrong_code",
    SctpPktTooSmall => "sctp.pkt_too_small",
    SllPktTooSmall => "sll.pkt_too_small",
    Sll2PktTooSmall => "sll2.pkt_too_small",
    TcpHlenTooSmall => "tcp.hlen_too_small",
    TcpInvalidOptlen => "tcp.invalid_optlen",
    TcpOptDuplicate => "tcp.opt_duplicate",
    TcpOptInvalidLen => "tcp.opt_invalid_len",
    TcpPktTooSmall => "tcp.pkt_too_small",
    TooManyLayers => "too_many_layers",
    UdpHlenInvalid => "udp.hlen_invalid",
    UdpHlenTooSmall => "udp.hlen_too_small",
    UdpLenInvalid => "udp.len_invalid",
    UdpPktTooSmall => "udp.pkt_too_small",
    VlanHeaderTooSmall => "vlan.header_too_small",
    VlanTooManyLayers => "vlan.too_many_layers",
    VlanUnknownType => "vlan.unknown_type",
    VntagHeaderTooSmall => "vntag.header_too_small",
    VntagUnknownType => "vntag.unknown_type",
    VxlanUnknownPayloadType => "vxlan.unknown_payload_type",
}

/// Most decoder events kept of one packet; more are dropped.
pub const DAMAGES_MAX: usize = 15;

/// The decoder events of one packet, in the order found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damages {
    list: [Option<Damage>; DAMAGES_MAX],
    /// One of them makes the packet unusable: its receiver would drop it too.
    invalid: bool,
}

impl Damages {
    /// None.
    pub const NONE: Self = Self {
        list: [None; DAMAGES_MAX],
        invalid: false,
    };

    /// The events, in the order found.
    pub fn iter(&self) -> impl Iterator<Item = Damage> + '_ {
        self.list.iter().map_while(|damage| *damage)
    }

    /// Whether the packet was sound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.first().is_none_or(Option::is_none)
    }

    /// Whether the packet cannot be used: decoding ended at the last event.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.invalid
    }

    /// Whether `damage` is among them.
    #[must_use]
    pub fn contains(&self, damage: Damage) -> bool {
        self.list.contains(&Some(damage))
    }

    /// Notes an event; what comes after the one that made the packet unusable is a consequence of it.
    pub(crate) fn add(&mut self, damage: Damage) {
        if self.invalid {
            return;
        }
        if let Some(free) = self.list.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(damage);
        }
    }

    pub(super) fn invalidate(&mut self) {
        self.invalid = true;
    }

    pub(super) fn add_invalid(&mut self, damage: Damage) {
        if self.invalid {
            return;
        }
        // what made the packet unusable is not to be lost among what is merely odd
        let free = self.list.iter().position(Option::is_none);
        let at = free.unwrap_or(DAMAGES_MAX.saturating_sub(1));
        if let Some(slot) = self.list.get_mut(at) {
            *slot = Some(damage);
        }
        self.invalid = true;
    }
}
