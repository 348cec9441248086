//! What a key becomes: 128 bits that nobody without the index's secret can foresee.
//!
//! A name, URL, fingerprint, digest or IPv6 address is hashed by SipHash-1-3 (Aumasson and
//! Bernstein 2012) to 128 bits. An IPv4 address is permuted, so that no two become the same.

use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;

use siphasher::sip128::SipHasher13;

/// Length of the secret.
pub(super) const SECRET_BYTES: usize = 16;

/// A key, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hash {
    /// Places a key: its line is in the first bits, its places in the filter come from all.
    pub(super) high: u64,
    /// What is kept of a key.
    pub(super) low: u64,
}

/// Hashes keys under one secret.
#[derive(Clone, Debug)]
pub(super) struct Hasher {
    secret: [u8; SECRET_BYTES],
    sip: SipHasher13,
    rounds: [u32; 2],
}

impl Hasher {
    pub(super) fn new(secret: [u8; SECRET_BYTES]) -> Self {
        let sip = SipHasher13::new_with_key(&secret);
        let rounds = sip.hash(b"permutation of IPv4 addresses").h1;
        let half = |shift: u32| u32::try_from((rounds >> shift) & u64::from(u32::MAX)).unwrap_or(0);
        Self {
            secret,
            sip,
            rounds: [half(0), half(32)],
        }
    }

    /// Under a secret that the standard library drew from the system for this process.
    pub(super) fn drawn() -> Self {
        let state = RandomState::new();
        let (first, second) = (state.hash_one(1_u64), state.hash_one(2_u64));
        let secret = (u128::from(first) << 64) | u128::from(second);
        Self::new(secret.to_le_bytes())
    }

    pub(super) fn secret(&self) -> [u8; SECRET_BYTES] {
        self.secret
    }

    pub(super) fn bytes(&self, key: &[u8]) -> Hash {
        let hash = self.sip.hash(key);
        Hash {
            high: hash.h1,
            low: hash.h2,
        }
    }

    /// Both halves are the permuted address: the first places it, the second tells it from all others.
    pub(super) fn ipv4(&self, address: Ipv4Addr) -> Hash {
        let [first, second] = self.rounds;
        let permuted = permuted(permuted(address.to_bits() ^ first) ^ second);
        Hash {
            high: u64::from(permuted) << 32,
            low: u64::from(permuted),
        }
    }
}

/// In which of so many equal parts of all 64-bit numbers one lies; greater numbers are in later parts.
pub(super) fn part(number: u64, parts: u64) -> u64 {
    let product = u128::from(number).saturating_mul(u128::from(parts));
    u64::try_from(product >> 64).unwrap_or(0)
}

/// Mixes 32 bits so that every bit depends on every other: a permutation (the finalizer of
/// MurmurHash3). Between secret additions it spreads listed ranges; that addresses which were
/// chosen with care meet in one line costs time there and nothing else.
fn permuted(mut bits: u32) -> u32 {
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b);
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35);
    bits ^ (bits >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_addresses_stay_different() {
        let hasher = Hasher::drawn();
        let mut seen: Vec<_> = (0..200_000_u32)
            .map(|number| hasher.ipv4(Ipv4Addr::from_bits(number.wrapping_mul(21_473))))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 200_000);
    }

    #[test]
    fn parts_are_in_order_and_equal() {
        let of_three = |number| part(number, 3);
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(of_three), [0, 1, 2]);
        assert_eq!(part(u64::MAX, u64::MAX), u64::MAX - 1);
        assert_eq!(part(u64::MAX, 0), 0);
    }

    #[test]
    fn hashes_depend_on_the_secret_alone() {
        let one = Hasher::new([1; SECRET_BYTES]);
        let same = Hasher::new(one.secret());
        let other = Hasher::new([2; SECRET_BYTES]);
        assert_eq!(one.bytes(b"evil.example"), same.bytes(b"evil.example"));
        assert_ne!(one.bytes(b"evil.example"), other.bytes(b"evil.example"));
        let address = Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(one.ipv4(address), same.ipv4(address));
        assert_ne!(one.ipv4(address), other.ipv4(address));
        assert_ne!(Hasher::drawn().secret(), Hasher::drawn().secret());
    }
}
