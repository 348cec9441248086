//! What every record about a flow begins with.

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
    object.number("ip_v", if tuple.src.is_ipv4() { 4u8 } else { 6 });
}

/// Addresses, and ports where the protocol has them.
pub fn write_ends(object: &mut Object<'_>, tuple: &FiveTuple) {
    let has_ports = matches!(tuple.proto, Proto::Tcp | Proto::Udp);
    object.text("src_ip", &address(tuple.src));
    if has_ports {
        object.number("src_port", tuple.src_port);
    }
    object.text("dest_ip", &address(tuple.dst));
    if has_ports {
        object.number("dest_port", tuple.dst_port);
    }
}

/// Addresses as Suricata writes them: IPv6 in full.
#[must_use]
pub fn address(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:04x}"));
            groups.join(":")
        }
    }
}

fn proto_name(proto: Proto) -> String {
    match proto {
        Proto::Tcp => "TCP".to_owned(),
        Proto::Udp => "UDP".to_owned(),
        Proto::Icmp => "ICMP".to_owned(),
        Proto::Icmp6 => "IPv6-ICMP".to_owned(),
        Proto::Other(number) => {
            let name = PROTO_NAMES.iter().find(|(known, _)| *known == number);
            name.map_or_else(|| format!("{number:03}"), |(_, name)| (*name).to_owned())
        }
    }
}

/// IANA's keywords of the protocols that are met; others are written by number, three digits.
const PROTO_NAMES: &[(u8, &str)] = &[
    (0, "HOPOPT"),
    (2, "IGMP"),
    (4, "IPv4"),
    (41, "IPv6"),
    (46, "RSVP"),
    (47, "GRE"),
    (50, "ESP"),
    (51, "AH"),
    (59, "IPv6-NoNxt"),
    (88, "EIGRP"),
    (89, "OSPFIGP"),
    (103, "PIM"),
    (112, "VRRP"),
    (115, "L2TP"),
    (132, "SCTP"),
    (136, "UDPLite"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_their_names() {
        for (number, name) in [(2, "IGMP"), (47, "GRE"), (132, "SCTP"), (99, "099")] {
            assert_eq!(proto_name(Proto::Other(number)), name);
        }
    }
}
