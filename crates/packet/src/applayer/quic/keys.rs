//! The protection of Initial packets: keys that anyone can work out (RFC 9001 sections 5.2 to 5.4).

use aws_lc_rs::aead::quic::{AES_128, HeaderProtectionKey};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use super::header::{FACEBOOK, Packet, V1, V2};
use crate::flow::Direction;

/// Keys of both sides, from the identifier that the client chose for the server.
#[derive(Debug)]
pub(super) struct Keys {
    client: Side,
    server: Side,
}

#[derive(Debug)]
struct Side {
    aead: LessSafeKey,
    iv: [u8; 12],
    header: Header,
}

struct Header(HeaderProtectionKey);

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Header").finish_non_exhaustive()
    }
}

impl Keys {
    /// The keys of a version; `None` of one that is not known.
    pub(super) fn new(version: u32, destination: &[u8]) -> Option<Self> {
        let salt = Salt::new(HKDF_SHA256, salt(version)?);
        let initial = salt.extract(destination);
        Some(Self {
            client: Side::new(&initial, b"client in", version)?,
            server: Side::new(&initial, b"server in", version)?,
        })
    }

    /// Takes the protection off an Initial packet; its frames are left. `None` when it was protected
    /// with other keys, or is damaged.
    pub(super) fn open(&self, direction: Direction, packet: &Packet<'_>) -> Option<Vec<u8>> {
        let side = match direction {
            Direction::ToServer => &self.client,
            Direction::ToClient => &self.server,
        };
        side.open(packet.bytes, packet.number_at)
    }
}

impl Side {
    fn new(initial: &Prk, label: &[u8], version: u32) -> Option<Self> {
        let secret: [u8; 32] = expand(initial, label)?;
        let secret = Prk::new_less_safe(HKDF_SHA256, &secret);
        let [key, iv, header]: [&[u8]; 3] = if version == V2 {
            [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"]
        } else {
            [b"quic key", b"quic iv", b"quic hp"]
        };
        let key: [u8; 16] = expand(&secret, key)?;
        let header: [u8; 16] = expand(&secret, header)?;
        Some(Self {
            aead: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
            iv: expand(&secret, iv)?,
            header: Header(HeaderProtectionKey::new(&AES_128, &header).ok()?),
        })
    }

    fn open(&self, packet: &[u8], number_at: usize) -> Option<Vec<u8>> {
        let sample_at = number_at.checked_add(4)?;
        let sample = packet.get(sample_at..)?.get(..16)?;
        let [first_mask, number_mask @ ..] = self.header.0.new_mask(sample).ok()?;
        let (head, body) = packet.split_at_checked(number_at)?;
        let first = head.first()? ^ (first_mask & 0x0f);
        let number_len = usize::from(first & 3).checked_add(1)?;
        let (number, body) = body.split_at_checked(number_len)?;
        let masked = number.iter().zip(number_mask);
        let number: Vec<u8> = masked.map(|(byte, mask)| byte ^ mask).collect();
        let mut nonce = self.iv;
        for (place, byte) in nonce.iter_mut().rev().zip(number.iter().rev()) {
            *place ^= byte;
        }
        let mut header = head.to_vec();
        *header.first_mut()? = first;
        header.extend_from_slice(&number);
        let mut sealed = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self
            .aead
            .open_in_place(nonce, Aad::from(&header), &mut sealed);
        let len = opened.ok()?.len();
        sealed.truncate(len);
        Some(sealed)
    }
}

/// HKDF-Expand-Label (RFC 8446 section 7.1) without a context.
fn expand<const N: usize>(secret: &Prk, label: &[u8]) -> Option<[u8; N]> {
    struct Len(usize);
    impl KeyType for Len {
        fn len(&self) -> usize {
            self.0
        }
    }
    const PREFIX: &[u8] = b"tls13 ";
    let label_len = u8::try_from(PREFIX.len().checked_add(label.len())?).ok()?;
    let len = u16::try_from(N).ok()?.to_be_bytes();
    let info = [&len[..], &[label_len], PREFIX, label, &[0]];
    let mut out = [0; N];
    secret.expand(&info, Len(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

fn salt(version: u32) -> Option<&'static [u8]> {
    Some(match version {
        V1 | 0xff00_0021..=0xff00_0022 => &[
            0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
            0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
        ],
        V2 => &[
            0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26,
            0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
        ],
        // drafts 29 to 32
        0xff00_001d..=0xff00_0020 => &[
            0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61,
            0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99,
        ],
        // drafts 23 to 28
        FACEBOOK | 0xff00_0017..=0xff00_001c => &[
            0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4,
            0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02,
        ],
        _ => return None,
    })
}
