//! Digests, as bytes.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub(super) fn to_md5(input: &[u8], out: &mut Vec<u8>) {
    out.extend(Md5::digest(input));
}

pub(super) fn to_sha1(input: &[u8], out: &mut Vec<u8>) {
    out.extend(Sha1::digest(input));
}

pub(super) fn to_sha256(input: &[u8], out: &mut Vec<u8>) {
    out.extend(Sha256::digest(input));
}
