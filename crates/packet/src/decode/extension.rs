//! IPv6 extension headers (RFC 8200 section 4).

use super::{Damage, Damages, Fragment};
use crate::bytes::{be16, be32};

/// Most IPv6 extension headers walked; a packet with more is not inspected.
pub const EXT_HEADERS_MAX: usize = 256;

/// Most options of one hop-by-hop or destination options header walked.
const OPTIONS_MAX: usize = 256;

/// What the chain of extension headers ends in.
#[derive(Debug)]
pub(super) struct Chain {
    /// The protocol behind it, or 44 when the payload is a fragment.
    pub(super) protocol: u8,
    /// Length of the headers, bytes.
    pub(super) len: usize,
    pub(super) fragment: Option<Fragment>,
    seen: Seen,
    /// The last header that the packet is named after while its protocol is not known.
    pub(super) named: u8,
    /// Where the number of the next header was read, from the start of the IP header.
    protocol_at: usize,
}

/// How often a header that may come once only was seen.
#[derive(Debug, Default)]
struct Seen {
    hop_by_hop: bool,
    routing: bool,
    fragment: bool,
    authentication: bool,
    destination: u8,
}

impl Chain {
    pub(super) fn new(first: u8) -> Self {
        Self {
            protocol: first,
            len: 0,
            fragment: None,
            seen: Seen::default(),
            named: 0,
            protocol_at: 6,
        }
    }

    /// Walks to the first header that is no extension.
    pub(super) fn walk(&mut self, body: &[u8], damages: &mut Damages) -> Result<(), Damage> {
        for _ in 0..EXT_HEADERS_MAX {
            let left = body.len().saturating_sub(self.len);
            let is_in_chain = self.len > 0 && self.protocol != 59 || self.protocol == 50;
            if is_in_chain && left < 2 {
                return self.truncated();
            }
            if !matches!(self.protocol, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140) {
                return Ok(());
            }
            let rest = body.get(self.len..).unwrap_or_default();
            let Some(&[next, units]) = rest.first_chunk::<2>() else {
                return self.truncated();
            };
            let len = match self.protocol {
                44 => 8,
                // the authentication header counts 4-byte units, less 2 (RFC 4302 section 2.2)
                51 => usize::from(units).saturating_add(2).saturating_mul(4),
                _ => usize::from(units).saturating_add(1).saturating_mul(8),
            };
            if matches!(self.protocol, 0 | 43 | 44 | 51 | 60) {
                self.named = self.protocol;
            }
            let Some(header) = rest.get(..len) else {
                return self.truncated();
            };
            self.header(header, rest.len(), damages);
            let kind = self.protocol;
            if kind == 44 && self.fragment.is_some() {
                // the fragment header is part of what defragmentation removes
                self.len = self.len.saturating_add(len);
                return Ok(());
            }
            self.protocol = next;
            self.protocol_at = self.len.saturating_add(HEADER_LEN);
            self.len = self.len.saturating_add(len);
        }
        Err(Damage::Ipv6ExthdrTooMany)
    }

    fn truncated(&mut self) -> Result<(), Damage> {
        self.protocol = self.named;
        Err(Damage::Ipv6TruncExthdr)
    }

    fn header(&mut self, header: &[u8], rest_len: usize, damages: &mut Damages) {
        match self.protocol {
            0 => {
                if std::mem::replace(&mut self.seen.hop_by_hop, true) {
                    damages.add(Damage::Ipv6ExthdrDuplHh);
                } else {
                    check_options(header, HOP_BY_HOP, damages);
                }
            }
            60 => {
                self.seen.destination = self.seen.destination.saturating_add(1);
                // once in front of a routing header, once in front of the upper layer
                if self.seen.destination > 2 {
                    damages.add(Damage::Ipv6ExthdrDuplDh);
                } else {
                    check_options(header, DESTINATION, damages);
                }
            }
            43 => {
                if std::mem::replace(&mut self.seen.routing, true) {
                    damages.add(Damage::Ipv6ExthdrDuplRh);
                } else if header.get(2) == Some(&0) {
                    // deprecated by RFC 5095
                    damages.add(Damage::Ipv6RhType0);
                }
            }
            44 => self.fragment(header, rest_len, damages),
            51 => {
                if std::mem::replace(&mut self.seen.authentication, true) {
                    damages.add(Damage::Ipv6ExthdrDuplAh);
                } else if be16(header, 2) != Some(0) {
                    damages.add(Damage::Ipv6ExthdrAhResNotNull);
                }
            }
            _ => {}
        }
    }

    /// A fragment header that says "whole packet" (RFC 6946 atomic fragment) is no fragment.
    fn fragment(&mut self, header: &[u8], rest_len: usize, damages: &mut Damages) {
        let (Some(word), Some(id)) = (be16(header, 2), be32(header, 4)) else {
            return;
        };
        if header.get(1).is_some_and(|reserved| *reserved != 0) {
            damages.add(Damage::Ipv6FhNonZeroReservedField);
        }
        if std::mem::replace(&mut self.seen.fragment, true) {
            damages.add(Damage::Ipv6ExthdrDuplFh);
            return;
        }
        let (offset, more) = (u32::from(word & 0xfff8), word & 1 == 1);
        if !more && offset == 0 {
            damages.add(Damage::Ipv6ExthdrUselessFh);
            return;
        }
        if more && !rest_len.saturating_sub(header.len()).is_multiple_of(8) {
            damages.add(Damage::Ipv6FragInvalidLength);
        }
        self.fragment = Some(Fragment {
            id,
            offset,
            more,
            protocol: header.first().copied().unwrap_or(59),
            protocol_at: self.protocol_at,
        });
    }
}

/// What is wrong where an option is not known, and where all options so far are padding.
type OptionDamages = [Damage; 2];

const HOP_BY_HOP: OptionDamages = [
    Damage::Ipv6HopoptsUnknownOpt,
    Damage::Ipv6HopoptsOnlyPadding,
];
const DESTINATION: OptionDamages = [
    Damage::Ipv6DstoptsUnknownOpt,
    Damage::Ipv6DstoptsOnlyPadding,
];

/// Options are of type, length and value, but for the lone padding byte (RFC 8200 section 4.2).
fn check_options(header: &[u8], [unknown, only_padding]: OptionDamages, damages: &mut Damages) {
    let (mut rest, mut has_options) = (header.get(2..).unwrap_or_default(), false);
    for _ in 0..OPTIONS_MAX {
        let (kind, len) = match rest {
            [] | [_] => break,
            [0, after @ ..] => {
                rest = after;
                continue;
            }
            [kind, len, ..] => (*kind, usize::from(*len)),
        };
        // router alert, jumbo payload, home address
        let len_min = match kind {
            0x05 => 4,
            0xc2 => 6,
            0xc9 => 18,
            _ => 2,
        };
        let after = rest.get(len.saturating_add(2)..);
        let Some(after) = after.filter(|_| rest.len() >= len_min) else {
            damages.add(Damage::Ipv6ExthdrInvalidOptlen);
            return;
        };
        match kind {
            1 if len == 0 => damages.add(Damage::Ipv6ZeroLenPadn),
            1 | 0xc2 => {}
            0x05 | 0xc9 => has_options = true,
            _ => {
                has_options = true;
                damages.add(unknown);
            }
        }
        rest = after;
    }
    if !has_options {
        damages.add(only_padding);
    }
}

/// Whether there is a fragment header among the extension headers of an IPv6 header.
pub(super) fn has_fragment_header(header: &[u8]) -> bool {
    let mut kind = header.get(6).copied().unwrap_or(59);
    let mut rest = header.get(HEADER_LEN..).unwrap_or_default();
    for _ in 0..EXT_HEADERS_MAX {
        let &[next, units, ..] = rest else {
            return false;
        };
        let units = usize::from(units);
        let len = match kind {
            44 => return true,
            51 => units.saturating_add(2).saturating_mul(4),
            _ => units.saturating_add(1).saturating_mul(8),
        };
        kind = next;
        rest = rest.get(len..).unwrap_or_default();
    }
    false
}

const HEADER_LEN: usize = 40;
