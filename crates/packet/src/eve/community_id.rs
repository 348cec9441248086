//! Community ID, version 1: a flow's name that other sensors give it too
//! (<https://github.com/corelight/community-id-spec>).

use std::net::IpAddr;

use sha1::{Digest as _, Sha1};

use super::base64::base64;
use crate::flow::{FiveTuple, Proto};

/// The identifier of the flow between these ends.
pub(super) fn community_id(tuple: &FiveTuple, seed: u16) -> String {
    let (tuple, has_ports) = ordered(tuple);
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

/// The lower end first, but for ICMP that has no answer; and whether there are ports.
fn ordered(tuple: &FiveTuple) -> (FiveTuple, bool) {
    let (has_ports, is_one_way) = match tuple.proto {
        Proto::Tcp | Proto::Udp | Proto::Other(SCTP) => (true, false),
        Proto::Icmp | Proto::Icmp6 => (true, !has_answer(tuple)),
        Proto::Other(_) => (false, false),
    };
    let is_ordered = (tuple.src, tuple.src_port) <= (tuple.dst, tuple.dst_port);
    if is_one_way || is_ordered {
        (*tuple, has_ports)
    } else {
        (tuple.reversed(), has_ports)
    }
}

/// Types with an answer stand as ports in pairs; 0 is echo reply in IPv4 only.
fn has_answer(tuple: &FiveTuple) -> bool {
    match tuple.proto {
        Proto::Icmp => matches!(tuple.src_port, 0 | 8..=10 | 13..=18),
        _ => tuple.dst_port != 0,
    }
}

const SCTP: u8 = 132;
