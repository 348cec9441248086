//! TCP segments (RFC 9293) and their options.

use super::{Damage, Damages, Payload};
use crate::bytes::{be16, be32, len32};

/// Most TCP options walked; the header has room for 40 bytes of them.
pub const TCP_OPTIONS_MAX: usize = 40;

/// A TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; has a meaning only with the ACK flag.
    pub ack: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Window, not scaled.
    pub window: u16,
    /// Where the urgent data ends; has a meaning only with the URG flag.
    pub urgent: u16,
    /// Options, as on the wire.
    pub options: &'a [u8],
    /// Captured payload.
    pub payload: &'a [u8],
    /// Length of the payload by the IP header, bytes; more than `payload.len()` when truncated.
    pub payload_len: u32,
}

/// The flags of a TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcpFlags(
    /// CWR, ECE, URG, ACK, PSH, RST, SYN, FIN from the highest bit down.
    pub u8,
);

#[expect(missing_docs, reason = "the flags of RFC 9293 section 3.1")]
impl TcpFlags {
    #[must_use]
    pub fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }
    #[must_use]
    pub fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }
    #[must_use]
    pub fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }
    #[must_use]
    pub fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }
    #[must_use]
    pub fn urg(self) -> bool {
        self.0 & 0x20 != 0
    }
    /// ACK without SYN, FIN or RST.
    #[must_use]
    pub fn is_plain_ack(self) -> bool {
        self.0 & 0x17 == 0x10
    }
}

/// The options of a SYN that tell something of its sender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Maximum segment size, bytes.
    pub mss: Option<u16>,
    /// Window scale, bits (RFC 7323 section 2).
    pub wscale: Option<u8>,
    /// Timestamp value TSval (RFC 7323 section 3).
    pub timestamp: Option<u32>,
    /// Timestamp echo reply TSecr.
    pub echo: Option<u32>,
    /// Hash of the kinds of the options in their order (FNV-1a, 32 bits): the layout tells
    /// operating systems apart.
    pub layout_hash: u32,
    /// Whether an option was cut short or of a wrong length.
    pub malformed: bool,
}

impl Tcp<'_> {
    /// Length in sequence space: payload, and one each for SYN and FIN.
    #[must_use]
    pub fn seq_len(&self) -> u32 {
        self.payload_len
            .wrapping_add(u32::from(self.flags.syn()))
            .wrapping_add(u32::from(self.flags.fin()))
    }

    /// The timestamps TSval and TSecr (RFC 7323 section 3), in the layout that nearly all segments have
    /// at once.
    #[must_use]
    pub fn timestamps(&self) -> Option<(u32, u32)> {
        match self.options {
            [1, 1, 8, 10, rest @ ..] if rest.len() == 8 => Some((be32(rest, 0)?, be32(rest, 4)?)),
            [] => None,
            _ => {
                let options = self.options();
                Some((options.timestamp?, options.echo?))
            }
        }
    }

    /// Reads the options.
    #[must_use]
    pub fn options(&self) -> TcpOptions {
        let mut options = TcpOptions {
            layout_hash: FNV_OFFSET,
            ..TcpOptions::default()
        };
        let mut rest = self.options;
        for _ in 0..TCP_OPTIONS_MAX {
            let Some((&kind, tail)) = rest.split_first() else {
                break;
            };
            options.layout_hash = (options.layout_hash ^ u32::from(kind)).wrapping_mul(FNV_PRIME);
            rest = match kind {
                0 => break,
                1 => tail,
                _ => match option_body(rest) {
                    Some((body, after)) => {
                        options.take(kind, body);
                        after
                    }
                    None => {
                        options.malformed = true;
                        break;
                    }
                },
            };
        }
        options
    }
}

impl TcpOptions {
    fn take(&mut self, kind: u8, body: &[u8]) {
        match (kind, body.len()) {
            (2, 2) => self.mss = be16(body, 0),
            (3, 1) => self.wscale = body.first().copied(),
            (8, 8) => (self.timestamp, self.echo) = (be32(body, 0), be32(body, 4)),
            (2 | 3 | 8, _) => self.malformed = true,
            _ => {}
        }
    }
}

pub(super) fn read<'a>(ip: Payload<'a>, damages: &mut Damages) -> Result<Tcp<'a>, Damage> {
    let data = ip.bytes;
    let (head, _) = data
        .split_first_chunk::<20>()
        .ok_or(Damage::TcpPktTooSmall)?;
    let [.., offset, flags, _, _, _, _, _, _] = *head;
    let header_len = usize::from(offset >> 4).saturating_mul(4);
    if header_len < head.len() {
        return Err(Damage::TcpInvalidOptlen);
    }
    let (header, payload) = data
        .split_at_checked(header_len)
        .ok_or(Damage::TcpHlenTooSmall)?;
    let segment = Tcp {
        src_port: be16(head, 0).unwrap_or(0),
        dst_port: be16(head, 2).unwrap_or(0),
        seq: be32(head, 4).unwrap_or(0),
        ack: be32(head, 8).unwrap_or(0),
        flags: TcpFlags(flags),
        window: be16(head, 14).unwrap_or(0),
        urgent: be16(head, 18).unwrap_or(0),
        options: header.get(head.len()..).unwrap_or_default(),
        payload,
        payload_len: ip.len.saturating_sub(len32(header_len)),
    };
    // none, or timestamps alone, as nearly all segments have them
    if !matches!(segment.options, [] | [1, 1, 8, 10, _, _, _, _, _, _, _, _]) {
        check_options(segment.options, damages);
    }
    Ok(segment)
}

/// Says what is wrong with the options: each but end (0) and no-operation (1) has a length that
/// counts kind and length too, and comes once.
fn check_options(options: &[u8], damages: &mut Damages) {
    let (mut rest, mut seen) = (options, 0_u64);
    for _ in 0..TCP_OPTIONS_MAX {
        let (kind, option) = match rest {
            [] | [0, ..] => return,
            [1, after @ ..] => {
                rest = after;
                continue;
            }
            [_] => return,
            [kind, len, ..] => match rest.get(..usize::from(*len)) {
                Some(option) if *len >= 2 => (*kind, option),
                _ => return damages.add(Damage::TcpOptInvalidLen),
            },
        };
        rest = rest.get(option.len()..).unwrap_or_default();
        let len = option.len();
        let is_sound = match kind {
            2 => len == 4,
            3 => len == 3,
            4 => len == 2,
            5 => len <= 34 && len.saturating_sub(2).is_multiple_of(8),
            8 => len == 10,
            19 => len == 18,
            29 => len >= 4,
            34 => len <= 18 && len.is_multiple_of(2),
            // fast open in its days as an experiment
            253 | 254 => len == 4 || len == 12,
            _ => continue,
        };
        // those that may come more than once have no bit
        let bit = match kind {
            19 | 29 => 0,
            253 | 254 => 1 << 34,
            _ => 1_u64 << (kind & 63),
        };
        if !is_sound {
            damages.add(Damage::TcpOptInvalidLen);
        } else if seen & bit != 0 {
            damages.add(Damage::TcpOptDuplicate);
        } else {
            seen |= bit;
        }
    }
}

/// The body of the option at the front of `rest`, and what follows it.
fn option_body(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = usize::from(*rest.get(1)?);
    let (option, after) = rest.split_at_checked(len)?;
    Some((option.get(2..)?, after))
}

const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;
