//! Community ID, version 1: a flow's name that other sensors give it too
//! (<https://github.com/corelight/community-id-spec>).

use std::net::IpAddr;

use sha1::{Digest as _, Sha1};

use crate::bytes::base64;
use crate::decode::{TYPES4, TYPES6, icmp_pair};
use crate::flow::{FiveTuple, Flow, Proto};

/// The identifier of the flow between these ends; the lower one stands first.
pub(super) fn community_id(flow: &Flow, seed: u16) -> String {
    let tuple = named(flow);
    let has_ports = match tuple.proto {
        Proto::Tcp | Proto::Udp | Proto::Icmp | Proto::Icmp6 => true,
        Proto::Other(number) => number == SCTP,
    };
    let is_ordered = (tuple.src, tuple.src_port) <= (tuple.dst, tuple.dst_port);
    let tuple = if is_ordered { tuple } else { tuple.reversed() };
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    for address in [tuple.src, tuple.dst] {
        match address {
            IpAddr::V4(address) => hash.update(address.octets()),
            IpAddr::V6(address) => hash.update(address.octets()),
        }
    }
    hash.update([tuple.proto.number(), 0]);
    if has_ports {
        hash.update(tuple.src_port.to_be_bytes());
        hash.update(tuple.dst_port.to_be_bytes());
    }
    format!("1:{}", base64(&hash.finalize()))
}

/// ICMP has its type, and the type that answers it, in place of ports.
fn named(flow: &Flow) -> FiveTuple {
    let Some([kind, _]) = flow.icmp else {
        return flow.tuple;
    };
    let types = if flow.tuple.proto == Proto::Icmp {
        TYPES4
    } else {
        TYPES6
    };
    let (src_port, dst_port) = icmp_pair(types, kind);
    FiveTuple {
        src_port,
        dst_port,
        ..flow.tuple
    }
}

const SCTP: u8 = 132;
