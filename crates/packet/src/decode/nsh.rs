//! Network Service Header (RFC 8300).

use super::Damage;
use super::layer::Layer;
use super::walk::{Step, Walk};

impl<'a> Walk<'a, '_> {
    pub(super) fn nsh(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Nsh)?;
        let (head, _) = data
            .split_first_chunk::<8>()
            .ok_or(Damage::NshHeaderTooSmall)?;
        let [version, len, kind, next, ..] = *head;
        if version >> 6 != 0 {
            return Err(Damage::NshUnsupportedVersion);
        }
        // section 2.2: in units of four bytes
        let header_len = usize::from(len & 0x3f).saturating_mul(4);
        if header_len > data.len() {
            return Err(Damage::NshBadHeaderLength);
        }
        match kind {
            0 | 15 => return Err(Damage::NshReservedType),
            1 if header_len != TYPE_1_LEN => return Err(Damage::NshBadHeaderLength),
            1 | 2 => {}
            _ => return Err(Damage::NshUnsupportedType),
        }
        let rest = data.get(header_len..).unwrap_or_default();
        match next {
            1 => self.ipv4(rest),
            2 => self.ipv6(rest),
            3 => self.ethernet(rest),
            5 => self.mpls(rest),
            _ => Err(Damage::NshUnknownPayload),
        }
    }
}

/// A header with context of fixed length.
const TYPE_1_LEN: usize = 24;
