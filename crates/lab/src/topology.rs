//! Who sits where: namespaces, addresses and links.
//!
//! ```text
//!  attackers, bystanders --(br0)-- nat --+                       +-- gateway-a == server-a
//!  (shared IPv4, shared /64)             +------- internet ------+-- gateway-b == server-b
//!  customer of B ------------------------+     (and resolver)    |
//!                                   hub ===(links of their own)==+== both gateways
//! ```
//!
//! Shields sit on `wan0` of the gateways. The hub has links of its own, so that impairing them
//! touches what hub and shields say to each other and no packet of anyone else.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    guard::PREFIX,
    space::{Space, veth},
};

/// A place of the lab; each is a network namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// The router between all of them; has the resolver's address too.
    Internet,
    /// A router with one public IPv4 address and one /64 for all behind it.
    Nat,
    /// An attacker, by the way its packets look outside.
    Attacker(Attacker),
    /// Innocents behind the same address and in the same /64.
    Bystanders,
    /// A customer of partner B, elsewhere.
    Customer,
    /// A partner's gateway, where its shield sits.
    Gateway(Partner),
    /// A partner's server.
    Server(Partner),
    /// The hub.
    Hub,
}

/// The partners with a shield.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Partner {
    /// The one that is attacked.
    A,
    /// The one that is to be shielded.
    B,
}

/// How an attacker's packets look outside.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attacker {
    /// Behind the shared IPv4 address.
    SharedAddress,
    /// An IPv4 address of its own.
    OwnAddress,
    /// An IPv6 address in the /64 that bystanders use too.
    SharedPrefix,
}

impl Attacker {
    /// All of them, in the order of their turns.
    pub const ALL: [Self; 3] = [Self::SharedAddress, Self::OwnAddress, Self::SharedPrefix];

    /// The address that the victims see.
    pub(crate) fn seen_as(self) -> IpAddr {
        match self {
            Self::SharedAddress => NAT_PUBLIC.into(),
            Self::OwnAddress => ATTACKER_OWN.into(),
            Self::SharedPrefix => ATTACKER_SIX.into(),
        }
    }

    /// Its name in tables.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::SharedAddress => "shared-address",
            Self::OwnAddress => "own-address",
            Self::SharedPrefix => "shared-prefix",
        }
    }
}

impl Partner {
    pub(crate) const ALL: [Self; 2] = [Self::A, Self::B];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::A => "alpha",
            Self::B => "bravo",
        }
    }

    /// Its server's address of the family of another address.
    pub(crate) fn server_like(self, other: IpAddr) -> IpAddr {
        if other.is_ipv4() {
            self.server().into()
        } else {
            self.server_six().into()
        }
    }

    pub(crate) fn server(self) -> Ipv4Addr {
        match self {
            Self::A => Ipv4Addr::new(198, 51, 100, 10),
            Self::B => Ipv4Addr::new(203, 0, 113, 10),
        }
    }

    pub(crate) fn server_six(self) -> Ipv6Addr {
        match self {
            Self::A => Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, 0, 0x10),
            Self::B => Ipv6Addr::new(0x2001, 0xdb8, 0xb, 0, 0, 0, 0, 0x10),
        }
    }

    /// Its networks, as its configuration names them.
    pub(crate) fn networks(self) -> [&'static str; 2] {
        match self {
            Self::A => ["198.51.100.0/24", "2001:db8:a::/64"],
            Self::B => ["203.0.113.0/25", "2001:db8:b::/64"],
        }
    }

    fn gateway(self) -> &'static str {
        match self {
            Self::A => "198.51.100.1",
            Self::B => "203.0.113.1",
        }
    }

    fn gateway_six(self) -> &'static str {
        match self {
            Self::A => "2001:db8:a::1",
            Self::B => "2001:db8:b::1",
        }
    }

    /// The device of its link in the hub's namespace.
    pub(crate) fn hub_device(self) -> &'static str {
        match self {
            Self::A => "to-alpha",
            Self::B => "to-bravo",
        }
    }

    /// The gateway's address on its link to the hub.
    pub(crate) fn hub_side(self) -> &'static str {
        match self {
            Self::A => "203.0.113.201",
            Self::B => "203.0.113.202",
        }
    }
}

/// The interface that shields guard.
pub(crate) const UPLINK: &str = "wan0";
/// The hub's address.
pub(crate) const HUB: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 250);
/// A resolver on the internet.
pub(crate) const RESOLVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
/// A customer of B.
pub(crate) const CUSTOMER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 33);
/// The address that everyone behind the NAT router shares.
pub(crate) const NAT_PUBLIC: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);
/// The attacker with an address of its own.
pub(crate) const ATTACKER_OWN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
/// The attacker in the shared /64.
pub(crate) const ATTACKER_SIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 0x66);
/// The bystanders' addresses behind the NAT router.
pub(crate) const BYSTANDERS: [Ipv4Addr; 2] =
    [Ipv4Addr::new(10, 77, 0, 20), Ipv4Addr::new(10, 77, 0, 21)];
/// The bystanders' addresses in the shared /64.
pub(crate) const BYSTANDERS_SIX: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 0x20),
    Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 0x21),
];

/// The namespaces of one lab.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    prefix: String,
}

impl Topology {
    /// The lab of a folder: the folder's path decides the names, so that `down` finds them without
    /// any file.
    pub(crate) fn of(dir: &Path) -> Self {
        let mut hasher = DefaultHasher::new();
        std::path::absolute(dir)
            .unwrap_or_else(|_| dir.to_path_buf())
            .hash(&mut hasher);
        Self {
            prefix: format!("{PREFIX}{:06x}", hasher.finish() & 0x00FF_FFFF),
        }
    }

    pub(crate) fn space(&self, place: Place) -> Space {
        let label = match place {
            Place::Internet => "inet",
            Place::Nat => "nat",
            Place::Attacker(Attacker::SharedAddress) => "evil-nat",
            Place::Attacker(Attacker::OwnAddress) => "evil-own",
            Place::Attacker(Attacker::SharedPrefix) => "evil-six",
            Place::Bystanders => "bystanders",
            Place::Customer => "customer",
            Place::Gateway(Partner::A) => "gateway-a",
            Place::Gateway(Partner::B) => "gateway-b",
            Place::Server(Partner::A) => "server-a",
            Place::Server(Partner::B) => "server-b",
            Place::Hub => "hub",
        };
        Space::named(format!("{}-{label}", self.prefix))
    }

    /// All namespaces.
    pub(crate) fn spaces(&self) -> impl Iterator<Item = Space> {
        PLACES.into_iter().map(|place| self.space(place))
    }

    /// Makes namespaces, links, addresses and routes; hub links are `link`'s.
    pub(crate) fn create(&self) -> anyhow::Result<()> {
        self.spaces().try_for_each(|space| space.create())?;
        self.internet()?;
        self.nat()?;
        self.behind_nat()?;
        self.customer()?;
        Partner::ALL
            .into_iter()
            .try_for_each(|partner| self.partner(partner))?;
        self.space(Place::Hub)
            .ip(&format!("addr add {HUB}/32 dev lo"))
    }

    fn internet(&self) -> anyhow::Result<()> {
        self.space(Place::Internet).ip_lines(&format!(
            "addr add {ROUTER}/32 dev lo
             addr add {RESOLVER}/32 dev lo"
        ))
    }

    /// Joins a place to the internet by `wan0`, with a default route.
    fn uplink(&self, place: Place, device: &str, routes: &[&str]) -> anyhow::Result<()> {
        let (internet, space) = (self.space(Place::Internet), self.space(place));
        veth(&internet, device, &space, UPLINK)?;
        internet.ip(&format!("addr add fe80::1/64 dev {device} nodad"))?;
        space.ip_lines(&format!(
            "addr add fe80::2/64 dev {UPLINK} nodad
             route add {ROUTER} dev {UPLINK}
             route add default via {ROUTER} dev {UPLINK}
             -6 route add default via fe80::1 dev {UPLINK}"
        ))?;
        routes.iter().try_for_each(|network| {
            let via = if network.contains(':') {
                "via fe80::2"
            } else {
                ""
            };
            internet.ip(&format!("route add {network} {via} dev {device}"))
        })
    }

    fn nat(&self) -> anyhow::Result<()> {
        let nat = self.space(Place::Nat);
        nat.ip(&format!("addr add {NAT_PUBLIC}/32 dev lo"))?;
        let own = ATTACKER_OWN.to_string();
        let routes = [&NAT_PUBLIC.to_string(), "2001:db8:77::/64"];
        self.uplink(Place::Nat, "to-nat", &routes)?;
        let internet = self.space(Place::Internet);
        internet.ip(&format!("route add {own} via {NAT_PUBLIC} dev to-nat"))?;
        nat.ip_lines(&format!(
            "link add br0 type bridge
             link set br0 up
             addr add 10.77.0.1/24 dev br0
             addr add 2001:db8:77::1/64 dev br0 nodad
             route add {own} dev br0"
        ))?;
        nat.exec("nft", &["add", "table", "ip", "nat"])?;
        let chain = "add chain ip nat out { type nat hook postrouting priority 100 ; }";
        nat.exec("nft", &[chain])?;
        let rule = format!(
            "add rule ip nat out oifname {UPLINK} ip saddr 10.77.0.0/24 snat to {NAT_PUBLIC}"
        );
        nat.exec("nft", &[&rule]).map(drop)
    }

    fn behind_nat(&self) -> anyhow::Result<()> {
        let bystanders = BYSTANDERS.map(|address| format!("{address}/24"));
        let bystanders_six = BYSTANDERS_SIX.map(|address| format!("{address}/64"));
        let all = [bystanders, bystanders_six].concat();
        let own = format!("{ATTACKER_OWN}/32");
        let six = format!("{ATTACKER_SIX}/64");
        self.host(Place::Bystanders, "to-bystand", &all)?;
        self.host(
            Place::Attacker(Attacker::SharedAddress),
            "to-evil-nat",
            &["10.77.0.66/24".to_owned()],
        )?;
        self.host(Place::Attacker(Attacker::OwnAddress), "to-evil-own", &[own])?;
        self.host(
            Place::Attacker(Attacker::SharedPrefix),
            "to-evil-six",
            &[six],
        )
    }

    /// A host on the NAT router's bridge.
    fn host(&self, place: Place, device: &str, addresses: &[String]) -> anyhow::Result<()> {
        let (nat, host) = (self.space(Place::Nat), self.space(place));
        veth(&nat, device, &host, "eth0")?;
        nat.ip(&format!("link set {device} master br0"))?;
        addresses.iter().try_for_each(|address| {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            host.ip(&format!("addr add {address} dev eth0 {nodad}"))
        })?;
        if addresses.iter().any(|address| !address.contains(':')) {
            host.ip("route add default via 10.77.0.1 dev eth0 onlink")?;
        }
        if addresses.iter().any(|address| address.contains(':')) {
            host.ip("-6 route add default via 2001:db8:77::1 dev eth0")?;
        }
        Ok(())
    }

    fn customer(&self) -> anyhow::Result<()> {
        let customer = self.space(Place::Customer);
        customer.ip(&format!("addr add {CUSTOMER}/32 dev lo"))?;
        self.uplink(Place::Customer, "to-customer", &[&CUSTOMER.to_string()])?;
        customer.ip(&format!(
            "route change default via {ROUTER} dev {UPLINK} src {CUSTOMER}"
        ))
    }

    fn partner(&self, partner: Partner) -> anyhow::Result<()> {
        let gateway = self.space(Place::Gateway(partner));
        let server = self.space(Place::Server(partner));
        let (inside, inside_six) = (partner.gateway(), partner.gateway_six());
        veth(&gateway, "lan0", &server, "eth0")?;
        let bits = partner.networks()[0].split('/').nth(1).unwrap_or("24");
        gateway.ip_lines(&format!(
            "addr add {inside}/{bits} dev lan0
             addr add {inside_six}/64 dev lan0 nodad"
        ))?;
        server.ip_lines(&format!(
            "addr add {}/{bits} dev eth0
             addr add {}/64 dev eth0 nodad
             route add default via {inside}
             -6 route add default via {inside_six}",
            partner.server(),
            partner.server_six()
        ))?;
        let device = match partner {
            Partner::A => "to-a",
            Partner::B => "to-b",
        };
        self.uplink(Place::Gateway(partner), device, &[])?;
        let internet = self.space(Place::Internet);
        let [network, network_six] = partner.networks();
        internet.ip_lines(&format!(
            "route add {inside} dev {device}
             route add {network} via {inside} dev {device}
             route add {network_six} via fe80::2 dev {device}"
        ))?;
        gateway.ip(&format!(
            "route change default via {ROUTER} dev {UPLINK} src {inside}"
        ))
    }
}

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

const PLACES: [Place; 12] = [
    Place::Internet,
    Place::Nat,
    Place::Attacker(Attacker::SharedAddress),
    Place::Attacker(Attacker::OwnAddress),
    Place::Attacker(Attacker::SharedPrefix),
    Place::Bystanders,
    Place::Customer,
    Place::Gateway(Partner::A),
    Place::Gateway(Partner::B),
    Place::Server(Partner::A),
    Place::Server(Partner::B),
    Place::Hub,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_folders_are_two_labs_and_names_fit_devices() {
        let (one, two) = (
            Topology::of(Path::new("/run/one")),
            Topology::of(Path::new("/run/two")),
        );
        assert_ne!(one.space(Place::Hub), two.space(Place::Hub));
        assert!(one.spaces().all(|space| space.name().starts_with(PREFIX)));
        // IFNAMSIZ is 16 with the final zero.
        assert!(
            Partner::ALL
                .iter()
                .all(|partner| partner.hub_device().len() < 16)
        );
    }

    #[test]
    fn every_address_is_one_that_the_guard_passes() {
        for attacker in Attacker::ALL {
            crate::guard::address_of_a_lab(attacker.seen_as()).unwrap();
            for partner in Partner::ALL {
                let server = partner.server_like(attacker.seen_as());
                crate::guard::address_of_a_lab(server).unwrap();
            }
        }
    }
}
