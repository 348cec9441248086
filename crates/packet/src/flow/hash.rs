//! SipHash-1-3 over whole 64-bit words (Aumasson and Bernstein 2012): senders choose addresses and
//! ports, so the table's hash is keyed.

/// Hashes `words` under `seed`.
#[inline]
pub(super) fn sip13(seed: [u64; 2], words: &[u64]) -> u64 {
    let [k0, k1] = seed;
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    for &word in words {
        absorb(&mut v, word);
    }
    // the last block holds the length in bytes, modulo 256, in its top byte
    let bytes = u64::try_from(words.len()).unwrap_or(0).wrapping_mul(8);
    absorb(&mut v, bytes << 56);
    v[2] ^= 0xff;
    round(&mut v);
    round(&mut v);
    round(&mut v);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[inline]
fn absorb(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    round(v);
    v[0] ^= word;
}

#[inline]
fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use super::*;

    /// The standard library's default hasher is SipHash-1-3 with key zero.
    #[test]
    fn agrees_with_the_standard_library() {
        for words in [&[][..], &[1], &[1, 2, 3], &[u64::MAX; 6]] {
            let mut theirs = DefaultHasher::new();
            words.iter().for_each(|word| theirs.write_u64(word.to_le()));
            assert_eq!(sip13([0, 0], words), theirs.finish(), "{words:?}");
        }
    }

    #[test]
    fn the_seed_matters() {
        assert_ne!(sip13([0, 0], &[7]), sip13([0, 1], &[7]));
        assert_ne!(sip13([0, 0], &[7]), sip13([1, 0], &[7]));
    }
}
