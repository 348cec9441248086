//! Addresses of a rule's header: `any`, addresses, prefixes, ranges, groups, negations, variables.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use super::ranges::Ranges;
use super::vars::{List, Term, Vars};
use crate::rules::diagnostic::Problem;
use crate::rules::syntax::Piece;

/// A set of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Addresses {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl Addresses {
    fn all() -> Self {
        Self {
            v4: Ranges::all(),
            v6: Ranges::all(),
        }
    }

    /// Reads a header field or the value of a variable.
    pub(crate) fn parse(text: Piece<'_>, vars: &Vars) -> Result<Self, Problem> {
        vars.addresses(text)
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.contains(address.to_bits()),
            IpAddr::V6(address) => self.v6.contains(address.to_bits()),
        }
    }

    /// Which share of all addresses they are: the greater of those of IPv4 and IPv6.
    pub(crate) fn share(&self) -> f64 {
        let v4 = self
            .v4
            .iter()
            .map(|(from, to)| f64::from(to.saturating_sub(from)) + 1.0);
        let v6 = self
            .v6
            .iter()
            .map(|(from, to)| to.saturating_sub(from) as f64 + 1.0);
        let v4 = v4.sum::<f64>() / 2_f64.powi(32);
        v4.max(v6.sum::<f64>() / 2_f64.powi(128))
    }

    /// The fewest prefixes that cover just them.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        let v4 = self.v4.iter().flat_map(|(from, to)| {
            let subnets = Ipv4Subnets::new(Ipv4Addr::from_bits(from), Ipv4Addr::from_bits(to), 0);
            subnets.map(IpNet::V4)
        });
        let v6 = self.v6.iter().flat_map(|(from, to)| {
            let subnets = Ipv6Subnets::new(Ipv6Addr::from_bits(from), Ipv6Addr::from_bits(to), 0);
            subnets.map(IpNet::V6)
        });
        v4.chain(v6)
    }
}

impl List for Addresses {
    const WHAT: &'static str = "addresses";

    fn any() -> Self {
        Self::all()
    }

    fn is_nothing(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    fn union(all: Vec<Self>) -> Self {
        let (v4, v6): (Vec<_>, Vec<_>) = all.into_iter().map(|one| (one.v4, one.v6)).unzip();
        Self {
            v4: Ranges::union(v4),
            v6: Ranges::union(v6),
        }
    }

    fn without(&self, other: &Self) -> Self {
        Self {
            v4: self.v4.without(&other.v4),
            v6: self.v6.without(&other.v6),
        }
    }

    fn term(text: Piece<'_>) -> Term<Self> {
        let of = |from: IpAddr, to: IpAddr| match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => Some(Self {
                v4: Ranges::of(vec![(from.to_bits(), to.to_bits())]),
                v6: Ranges::default(),
            }),
            (IpAddr::V6(from), IpAddr::V6(to)) => Some(Self {
                v4: Ranges::default(),
                v6: Ranges::of(vec![(from.to_bits(), to.to_bits())]),
            }),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        };
        let wrong = || {
            text.wrong(format!("{:?} is no address", text.text)).mend(
                "write an address, a prefix as 10.0.0.0/8, a range as 10.0.0.1-10.0.0.9, a variable as $HOME_NET, or any",
            )
        };
        if let Some((from, to)) = text.text.split_once('-') {
            let ends = from.trim().parse().ok().zip(to.trim().parse().ok());
            let ends = ends.filter(|(from, to)| from <= to);
            return ends.and_then(|(from, to)| of(from, to)).ok_or_else(wrong);
        }
        let (address, bits) = match text.text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_e| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => prefix_len(bits.trim(), width).ok_or_else(wrong)?,
        };
        let (from, to) = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX
                    .checked_shl(width.saturating_sub(bits))
                    .unwrap_or(0);
                let from = address.to_bits() & mask;
                (
                    Ipv4Addr::from_bits(from).into(),
                    Ipv4Addr::from_bits(from | !mask).into(),
                )
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX
                    .checked_shl(width.saturating_sub(bits))
                    .unwrap_or(0);
                let from = address.to_bits() & mask;
                (
                    Ipv6Addr::from_bits(from).into(),
                    Ipv6Addr::from_bits(from | !mask).into(),
                )
            }
        };
        of(from, to).ok_or_else(wrong)
    }
}

/// A prefix length: `24`, or a mask as `255.255.255.0`.
fn prefix_len(text: &str, width: u32) -> Option<u32> {
    if let Ok(mask) = text.parse::<Ipv4Addr>() {
        let mask = mask.to_bits();
        let is_mask = mask.leading_ones().saturating_add(mask.trailing_zeros()) >= 32;
        return is_mask.then(|| mask.leading_ones());
    }
    text.parse().ok().filter(|bits| *bits <= width)
}
