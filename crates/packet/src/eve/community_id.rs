//! Community ID, version 1: a flow's name that other sensors give it too
//! (<https://github.com/corelight/community-id-spec>).

use std::net::IpAddr;

use sha1::{Digest as _, Sha1};

use super::base64::base64;
use crate::flow::{FiveTuple, Proto};

/// The identifier of the flow between these ends; the lower one stands first.
pub(super) fn community_id(tuple: &FiveTuple, seed: u16) -> String {
    let has_ports = match tuple.proto {
        Proto::Tcp | Proto::Udp | Proto::Icmp | Proto::Icmp6 => true,
        Proto::Other(number) => number == SCTP,
    };
    let is_ordered = (tuple.src, tuple.src_port) <= (tuple.dst, tuple.dst_port);
    let tuple = if is_ordered { *tuple } else { tuple.reversed() };
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

const SCTP: u8 = 132;
