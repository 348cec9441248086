//! Which of several sensors a packet goes to.

use std::net::IpAddr;

use crate::decode::decode;
use crate::frame::Frame;

/// A number that is the same for all packets between two hosts, whichever way they go: fragments,
/// data connections and ICMP errors included. Frames without a readable IP header have 0.
#[must_use]
pub fn lane(frame: &Frame<'_>) -> u64 {
    let ip = decode(frame.link, frame.data).ip;
    ip.map_or(0, |ip| mix(number(ip.src).wrapping_add(number(ip.dst))))
}

fn number(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => mix(u64::from(address.to_bits())),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
            let high = u64::try_from(bits >> 64).unwrap_or_default();
            mix(low) ^ mix(high.rotate_left(1))
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_have_one_lane_and_pairs_are_spread() {
        let pair = |a: u8, b: u8| {
            let address = |last| IpAddr::from([192, 0, 2, last]);
            mix(number(address(a)).wrapping_add(number(address(b))))
        };
        assert_eq!(pair(1, 2), pair(2, 1));
        let mut counts = [0_u32; 4];
        for last in 1..=200 {
            if let Some(count) = counts.get_mut(usize::try_from(pair(1, last) % 4).unwrap()) {
                *count = count.saturating_add(1);
            }
        }
        assert!(counts.iter().all(|count| *count > 25), "{counts:?}");
    }
}
