//! PPP (RFC 1661) and PPPoE (RFC 2516).

use super::Damage;
use super::layer::Layer;
use super::walk::{Step, Walk};
use crate::bytes::be16;

impl<'a> Walk<'a, '_> {
    /// Address and control field may be left out, and the protocol field be one byte (RFC 1661
    /// section 6.5 and 6.6).
    pub(super) fn ppp(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Ppp)?;
        if data.len() < 4 {
            return Err(Damage::PppPktTooSmall);
        }
        let rest = match data {
            [0xff, _, rest @ ..] => rest,
            _ => data,
        };
        let (protocol, rest) = ppp_protocol(rest).ok_or(Damage::PppPktTooSmall)?;
        let is_short = protocol <= 0xff && rest.len().saturating_add(1) == data.len();
        match self.ppp_payload(protocol, rest) {
            Err(Damage::PppWrongType) if is_short || protocol & 0xff01 == 1 => {
                Err(Damage::PppUnsupProto)
            }
            step => step,
        }
    }

    pub(super) fn pppoe_session(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Pppoe)?;
        let rest = data.get(6..).filter(|rest| rest.len() >= 2);
        let rest = rest.ok_or(Damage::PppoePktTooSmall)?;
        let (protocol, rest) = ppp_protocol(rest).ok_or(Damage::PppoePktTooSmall)?;
        self.ppp_payload(protocol, rest)
    }

    /// Section 5: a code, and tags as long as the header says.
    pub(super) fn pppoe_discovery(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Pppoe)?;
        let (head, rest) = data
            .split_first_chunk::<6>()
            .ok_or(Damage::PppoePktTooSmall)?;
        let [_, code, ..] = *head;
        if !matches!(code, 0x07 | 0x09 | 0x19 | 0x65 | 0xa7) {
            self.odd(Damage::PppoeWrongCode);
            return Ok(());
        }
        let len = usize::from(be16(head, 4).unwrap_or(0));
        if rest.len() < len {
            self.odd(Damage::PppoeMalformedTags);
        }
        Ok(())
    }

    fn ppp_payload(&mut self, protocol: u16, rest: &'a [u8]) -> Step {
        match protocol {
            IP if rest.len() < 20 => Err(Damage::PppIp4PktTooSmall),
            IP => self.ipv4(rest),
            IPV6 if rest.len() < 40 => Err(Damage::PppIp6PktTooSmall),
            IPV6 => self.ipv6(rest),
            VJ_UNCOMPRESSED if rest.len() < 20 => Err(Damage::PppVjuPktTooSmall),
            VJ_UNCOMPRESSED if rest.first().is_some_and(|byte| byte >> 4 == 4) => self.ipv4(rest),
            // control protocols of the link and of IP, compressed datagrams
            VJ_UNCOMPRESSED | 0x00fd | 0x8021 | 0x8057 | 0x80fd | 0xc021 | 0xc023 | 0xc025
            | 0xc223 => Ok(()),
            // OSI, XNS, DECnet, AppleTalk, IPX, VJ compressed, bridging, Stream, VINES, MPLS, and the
            // control protocols of some
            0x0023 | 0x0025 | 0x0027 | 0x0029 | 0x002b | 0x002d | 0x0031 | 0x0033 | 0x0035
            | 0x0281 | 0x8281 | 0x8023 | 0x8025 | 0x8027 | 0x8029 | 0x802b | 0x8033 | 0x8035 => {
                Err(Damage::PppUnsupProto)
            }
            _ => Err(Damage::PppWrongType),
        }
    }
}

fn ppp_protocol(data: &[u8]) -> Option<(u16, &[u8])> {
    let (&first, rest) = data.split_first()?;
    if first & 1 == 1 {
        return Some((u16::from(first), rest));
    }
    Some((be16(data, 0)?, data.get(2..)?))
}

const IP: u16 = 0x0021;
const VJ_UNCOMPRESSED: u16 = 0x002f;
const IPV6: u16 = 0x0057;
