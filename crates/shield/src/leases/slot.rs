//! One kernel key: who asks for it, and what the kernel holds.

use std::collections::BTreeMap;
use std::net::IpAddr;

use datapath::enforce::{Action, Hits, Key};
use packet::FiveTuple;

use super::{Asker, Claim, Origin};

/// One kernel key and those who ask for it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: Key,
    pub(super) claims: BTreeMap<Asker, Claim>,
    /// What the kernel holds: action and end.
    pub(super) kernel: Option<(Action, u64)>,
    pub(super) reason: Option<u32>,
    pub(super) installed_ns: u64,
    pub(super) serial: u64,
    pub(super) hits: Hits,
    pub(super) exempt: BTreeMap<SessionOrder, FiveTuple>,
}

impl Slot {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            claims: BTreeMap::new(),
            kernel: None,
            reason: None,
            installed_ns: 0,
            serial: u64::MAX,
            hits: Hits::default(),
            exempt: BTreeMap::new(),
        }
    }

    /// The strongest action among the live claims, of one origin if one is named, and the last end
    /// among those that ask for it.
    pub(super) fn strongest(&self, origin: Option<Origin>, now_ns: u64) -> Option<(Action, u64)> {
        let live = self.claims.values().filter(|claim| {
            claim.ends_ns > now_ns && origin.is_none_or(|origin| claim.origin == origin)
        });
        let strongest = live.max_by_key(|claim| (strength(&claim.action), claim.ends_ns))?;
        Some((strongest.action, strongest.ends_ns))
    }

    /// The end of the last claim.
    pub(super) fn ends_ns(&self) -> u64 {
        self.claims
            .values()
            .map(|claim| claim.ends_ns)
            .max()
            .unwrap_or(0)
    }
}

/// A session in an order.
pub(super) type SessionOrder = (IpAddr, u16, IpAddr, u16, u8);

pub(super) fn order(session: &FiveTuple) -> SessionOrder {
    let FiveTuple {
        src,
        src_port,
        dst,
        dst_port,
        proto,
    } = *session;
    (src, src_port, dst, dst_port, proto.number())
}

pub(super) fn strength(action: &Action) -> u8 {
    match action {
        Action::Monitor => 0,
        Action::RateLimit { .. } => 1,
        Action::Drop => 2,
    }
}
