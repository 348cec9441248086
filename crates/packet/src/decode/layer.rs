//! Which layers a packet was made of, for the counters and the bound on nesting.

use super::Damage;

macro_rules! layers {
    ($($variant:ident => $name:literal,)*) => {
        /// A layer that the decoder knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each variant's name() says what it means")]
        pub enum Layer {
            $($variant,)*
        }

        impl Layer {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The layer's counter, as logged.
            #[must_use]
            pub fn counter(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

layers! {
    Ethernet => "decoder.ethernet",
    Arp => "decoder.arp",
    UnknownEthertype => "decoder.unknown_ethertype",
    Chdlc => "decoder.chdlc",
    Raw => "decoder.raw",
    Null => "decoder.null",
    Sll => "decoder.sll",
    Sll2 => "decoder.sll2",
    Vlan => "decoder.vlan",
    VlanQinq => "decoder.vlan_qinq",
    VlanQinqinq => "decoder.vlan_qinqinq",
    Vntag => "decoder.vntag",
    Ieee8021ah => "decoder.ieee8021ah",
    Vxlan => "decoder.vxlan",
    Geneve => "decoder.geneve",
    Ipv4 => "decoder.ipv4",
    Ipv6 => "decoder.ipv6",
    Tcp => "decoder.tcp",
    Udp => "decoder.udp",
    Sctp => "decoder.sctp",
    Esp => "decoder.esp",
    Icmp4 => "decoder.icmpv4",
    Icmp6 => "decoder.icmpv6",
    Ppp => "decoder.ppp",
    Pppoe => "decoder.pppoe",
    Gre => "decoder.gre",
    Mpls => "decoder.mpls",
    Erspan => "decoder.erspan",
    Nsh => "decoder.nsh",
    Teredo => "decoder.teredo",
    Ipv4InIpv4 => "decoder.ipv4_in_ipv4",
    Ipv6InIpv4 => "decoder.ipv6_in_ipv4",
    Ipv4InIpv6 => "decoder.ipv4_in_ipv6",
    Ipv6InIpv6 => "decoder.ipv6_in_ipv6",
}

/// Room for what one packet has beside its nested layers: a transport and a tunnel or two.
const ROOM: usize = 24;

/// The layers of one packet, outermost first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Layers {
    list: [Option<Layer>; ROOM],
    count: u8,
    /// Layers of the packets around this one.
    outer: u8,
}

impl Layers {
    /// None.
    pub const NONE: Self = Self {
        list: [None; ROOM],
        count: 0,
        outer: 0,
    };

    /// Those of a packet within a packet that had `outer` layers.
    pub(super) fn within(outer: u8) -> Self {
        Self {
            outer,
            ..Self::default()
        }
    }

    /// The layers, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = Layer> + '_ {
        self.list.iter().map_while(|layer| *layer)
    }

    /// How many there are, those of the packets around this one included.
    #[must_use]
    pub fn depth(&self) -> u8 {
        self.outer.saturating_add(self.count)
    }

    /// Notes a layer that can hold others.
    pub(super) fn enter(&mut self, layer: Layer, layers_max: u8) -> Result<(), Damage> {
        if self.depth() >= layers_max {
            return Err(Damage::TooManyLayers);
        }
        self.note(layer);
        Ok(())
    }

    /// Notes a layer that ends the packet.
    pub(super) fn note(&mut self, layer: Layer) {
        if let Some(free) = self.list.get_mut(usize::from(self.count)) {
            *free = Some(layer);
        }
        self.count = self.count.saturating_add(1);
    }
}
