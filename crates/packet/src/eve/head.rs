//! What every record about a flow begins with.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use crate::flow::{Direction, FiveTuple, FlowId, Proto};
use crate::json::Object;

/// What every record about a flow begins with. `direction` is its sender's.
pub fn write_flow_head(
    object: &mut Object<'_>,
    event_type: &str,
    flow: Option<FlowId>,
    tuple: &FiveTuple,
    direction: Direction,
) {
    write_ends_head(object, event_type, flow, tuple, direction);
    object.number("ip_v", if tuple.src.is_ipv4() { 4u8 } else { 6 });
}

/// The same without the version of IP.
pub(super) fn write_ends_head(
    object: &mut Object<'_>,
    event_type: &str,
    flow: Option<FlowId>,
    tuple: &FiveTuple,
    direction: Direction,
) {
    if let Some(FlowId(id)) = flow {
        object.number("flow_id", id);
    }
    object.text("event_type", event_type);
    let tuple = match direction {
        Direction::ToServer => *tuple,
        Direction::ToClient => tuple.reversed(),
    };
    write_ends(object, &tuple);
    object.text("proto", &proto_name(tuple.proto));
}

/// Addresses, and ports where the protocol has them.
pub fn write_ends(object: &mut Object<'_>, tuple: &FiveTuple) {
    let has_ports = matches!(tuple.proto, Proto::Tcp | Proto::Udp | Proto::Other(SCTP));
    object.display("src_ip", Address(tuple.src));
    if has_ports {
        object.number("src_port", tuple.src_port);
    }
    object.display("dest_ip", Address(tuple.dst));
    if has_ports {
        object.number("dest_port", tuple.dst_port);
    }
}

/// Addresses as Suricata writes them: IPv6 in full.
#[must_use]
pub fn address(address: IpAddr) -> String {
    Address(address).to_string()
}

/// Prints as [`address`] does.
struct Address(IpAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => {
                let [first, rest @ ..] = address.segments();
                write!(f, "{first:04x}")?;
                rest.iter().try_for_each(|group| write!(f, ":{group:04x}"))
            }
        }
    }
}

/// A MAC address with colons.
pub(super) fn mac(address: &[u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}

const SCTP: u8 = 132;

pub(super) fn proto_name(proto: Proto) -> Cow<'static, str> {
    match proto {
        Proto::Tcp => "TCP".into(),
        Proto::Udp => "UDP".into(),
        Proto::Icmp => "ICMP".into(),
        Proto::Icmp6 => "IPv6-ICMP".into(),
        Proto::Other(number) => {
            let name = PROTO_NAMES.iter().find(|(known, _)| *known == number);
            name.map_or_else(|| number.to_string().into(), |(_, name)| (*name).into())
        }
    }
}

/// IANA's keywords as Suricata writes them; others are written by number.
const PROTO_NAMES: &[(u8, &str)] = &[
    (0, "HOPOPT"),
    (2, "IGMP"),
    (3, "GGP"),
    (4, "IP-in-IP"),
    (5, "ST"),
    (7, "CBT"),
    (8, "EGP"),
    (9, "IGP"),
    (10, "BBN-RCC-MON"),
    (11, "NVP-II"),
    (12, "PUP"),
    (13, "ARGUS"),
    (14, "EMCON"),
    (15, "XNET"),
    (16, "CHAOS"),
    (18, "MUX"),
    (19, "DCN-MEAS"),
    (20, "HMP"),
    (21, "PRM"),
    (22, "XNS-IDP"),
    (23, "TRUNK-1"),
    (24, "TRUNK-2"),
    (25, "LEAF-1"),
    (26, "LEAF-2"),
    (27, "RDP"),
    (28, "IRTP"),
    (29, "ISO-TP4"),
    (30, "NETBLT"),
    (31, "MFE-NSP"),
    (32, "MERIT-INP"),
    (33, "DCCP"),
    (34, "3PC"),
    (35, "IDPR"),
    (36, "XTP"),
    (37, "DDP"),
    (38, "IDPR-CMTP"),
    (39, "TP++"),
    (40, "IL"),
    (41, "IPv6"),
    (42, "SDRP"),
    (43, "IPv6-Route"),
    (44, "IPv6-Frag"),
    (45, "IDRP"),
    (46, "RSVP"),
    (47, "GRE"),
    (48, "DSR"),
    (49, "BNA"),
    (50, "ESP"),
    (51, "AH"),
    (52, "I-NLSP"),
    (53, "SwIPe"),
    (54, "NARP"),
    (55, "MOBILE"),
    (56, "TLSP"),
    (57, "SKIP"),
    (59, "IPv6-NoNxt"),
    (60, "IPv6-Opts"),
    (61, "Any"),
    (62, "CFTP"),
    (63, "Any"),
    (64, "SAT-EXPAK"),
    (65, "KRYPTOLAN"),
    (66, "RVD"),
    (67, "IPPC"),
    (68, "Any"),
    (69, "SAT-MON"),
    (70, "VISA"),
    (71, "IPCU"),
    (72, "CPNX"),
    (73, "CPHB"),
    (74, "WSN"),
    (75, "PVP"),
    (76, "BR-SAT-MON"),
    (77, "SUN-ND"),
    (78, "WB-MON"),
    (79, "WB-EXPAK"),
    (80, "ISO-IP"),
    (81, "VMTP"),
    (82, "SECURE-VMTP"),
    (83, "VINES"),
    (84, "TTP"),
    (85, "NSFNET-IGP"),
    (86, "DGP"),
    (87, "TCF"),
    (88, "EIGRP"),
    (89, "OSPF"),
    (90, "Sprite-RPC"),
    (91, "LARP"),
    (92, "MTP"),
    (93, "AX.25"),
    (94, "OS"),
    (95, "MICP"),
    (96, "SCC-SP"),
    (97, "ETHERIP"),
    (98, "ENCAP"),
    (99, "Any"),
    (100, "GMTP"),
    (101, "IFMP"),
    (102, "PNNI"),
    (103, "PIM"),
    (104, "ARIS"),
    (105, "SCPS"),
    (106, "QNX"),
    (107, "A/N"),
    (108, "IPComp"),
    (109, "SNP"),
    (110, "Compaq-Peer"),
    (111, "IPX-in-IP"),
    (112, "VRRP"),
    (113, "PGM"),
    (114, "Any"),
    (115, "L2TP"),
    (116, "DDX"),
    (117, "IATP"),
    (118, "STP"),
    (119, "SRP"),
    (120, "UTI"),
    (121, "SMP"),
    (122, "SM"),
    (123, "PTP"),
    (124, "IS-IS"),
    (125, "FIRE"),
    (126, "CRTP"),
    (127, "CRUDP"),
    (128, "SSCOPMCE"),
    (129, "IPLT"),
    (130, "SPS"),
    (131, "PIPE"),
    (132, "SCTP"),
    (133, "FC"),
    (134, "RSVP-E2E-IGNORE"),
    (135, "Mobility"),
    (136, "UDPLite"),
    (137, "MPLS-in-IP"),
    (138, "manet"),
    (139, "HIP"),
    (140, "Shim6"),
    (141, "WESP"),
    (142, "ROHC"),
    (143, "Ethernet"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_their_names() {
        for (number, name) in [(2, "IGMP"), (47, "GRE"), (132, "SCTP"), (250, "250")] {
            assert_eq!(proto_name(Proto::Other(number)), name);
        }
    }
}
