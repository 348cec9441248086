//! MPLS (RFC 3032).

use super::Damage;
use super::layer::Layer;
use super::walk::{Step, Walk};
use crate::bytes::be32;

/// Most MPLS labels read; a frame with more is not inspected.
pub const MPLS_LABELS_MAX: usize = 64;

impl<'a> Walk<'a, '_> {
    /// Labels up to the bottom of the stack. Most do not say what follows, so the first four bits
    /// must, as routers do it too; zero there is the control word of a pseudowire (RFC 4385).
    pub(super) fn mpls(&mut self, data: &'a [u8]) -> Step {
        self.enter(Layer::Mpls)?;
        let mut rest = data;
        for _ in 0..MPLS_LABELS_MAX {
            let shim = be32(rest, 0).ok_or(Damage::MplsHeaderTooSmall)?;
            rest = rest.get(4..).unwrap_or_default();
            if shim & 0x0000_0100 != 0 {
                return self.below_label(shim >> 12, rest);
            }
        }
        Err(Damage::MplsTooManyLabels)
    }

    fn below_label(&mut self, label: u32, rest: &'a [u8]) -> Step {
        match label {
            // RFC 3032 section 2.1: explicit nulls say the version
            0 => return self.ipv4(rest),
            2 => return self.ipv6(rest),
            1 => {
                self.odd(Damage::MplsBadLabelRouterAlert);
                return Ok(());
            }
            3 => {
                self.odd(Damage::MplsBadLabelImplicitNull);
                return Ok(());
            }
            4..=14 => {
                self.odd(Damage::MplsBadLabelReserved);
                return Ok(());
            }
            _ => {}
        }
        let [first, _, _, _, ..] = rest else {
            return Err(Damage::MplsPktTooSmall);
        };
        match first >> 4 {
            4 => self.ipv4(rest),
            6 => self.ipv6(rest),
            0 => self.ethernet(rest.get(4..).unwrap_or_default()),
            _ => {
                self.odd(Damage::MplsUnknownPayloadType);
                Ok(())
            }
        }
    }
}
