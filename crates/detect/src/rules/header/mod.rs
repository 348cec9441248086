//! A rule's header: what it does, to which protocol, from where to where.

mod address;
mod port;
mod protocol;
mod ranges;
mod vars;

pub(crate) use address::Addresses;
pub(crate) use port::Ports;
pub(crate) use protocol::{Apps, Hook, Layer, Protocol, apps};
pub use vars::{NESTED_MAX, TERMS_MAX, Vars};

use std::sync::Arc;

use packet::FiveTuple;

use super::diagnostic::Problem;
use super::syntax::{Piece, RuleText};

/// What a rule does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Let it go on and look no further.
    Pass,
    /// Drop, and say so.
    Drop,
    /// Drop, and tell who is named.
    Reject(RejectTarget),
    /// Say so.
    Alert,
}

/// Who is told of a rejected packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectTarget {
    /// Its sender.
    Source,
    /// Its receiver.
    Destination,
    /// Both.
    Both,
}

impl Action {
    fn parse(text: Piece<'_>) -> Result<Self, Problem> {
        Ok(match text.text {
            "alert" => Self::Alert,
            "pass" => Self::Pass,
            "drop" => Self::Drop,
            "reject" | "rejectsrc" => Self::Reject(RejectTarget::Source),
            "rejectdst" => Self::Reject(RejectTarget::Destination),
            "rejectboth" => Self::Reject(RejectTarget::Both),
            "config" => {
                let mend = "records are chosen in the settings of the outputs";
                return Err(text
                    .unsupported("config rules are not supported")
                    .mend(mend));
            }
            other if other == "accept" || other.contains(':') => {
                let mend = "write alert, drop, reject, rejectdst, rejectboth or pass";
                return Err(text
                    .unsupported("firewall rules are not supported")
                    .mend(mend));
            }
            other => {
                let message = format!("{other:?} is no action");
                return Err(text
                    .wrong(message)
                    .mend("write alert, drop, reject, rejectdst, rejectboth or pass"));
            }
        })
    }

    /// Whether the packet does not go on.
    #[must_use]
    pub fn drops(self) -> bool {
        matches!(self, Self::Drop | Self::Reject(_))
    }

    /// Its name in settings and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Drop => "drop",
            Self::Reject(_) => "reject",
            Self::Alert => "alert",
        }
    }

    /// The order in which rules are looked at: pass, drop, reject, alert.
    pub(crate) fn order(self) -> usize {
        match self {
            Self::Pass => 0,
            Self::Drop => 1,
            Self::Reject(_) => 2,
            Self::Alert => 3,
        }
    }
}

/// From where to where, and of which protocol.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) action: Action,
    pub(crate) protocol: Protocol,
    pub(crate) src: Arc<Addresses>,
    pub(crate) src_ports: Arc<Ports>,
    pub(crate) dst: Arc<Addresses>,
    pub(crate) dst_ports: Arc<Ports>,
    /// It matches both ways.
    pub(crate) both_ways: bool,
    /// It is over both sides of a transaction.
    pub(crate) of_both_sides: bool,
    /// Addresses are written as those that are left of others.
    pub(crate) negated: bool,
}

/// What headers share.
#[derive(Debug, Default)]
pub(crate) struct Sharing {
    addresses: vars::Shared<Addresses>,
    ports: vars::Shared<Ports>,
}

impl Header {
    pub(crate) fn parse(
        rule: &RuleText<'_>,
        vars: &Vars,
        sharing: &Sharing,
    ) -> Result<Self, Problem> {
        let (both_ways, of_both_sides) = match rule.direction.text {
            "->" => (false, false),
            "<>" => (true, false),
            "=>" => (false, true),
            other => {
                let message = format!("{other:?} is no direction");
                return Err(rule
                    .direction
                    .wrong(message)
                    .mend("write ->, <> or =>, and turn source and destination for <-"));
            }
        };
        Ok(Self {
            action: Action::parse(rule.action)?,
            protocol: Protocol::parse(rule.protocol)?,
            src: sharing.addresses.one(Addresses::parse(rule.src, vars)?),
            src_ports: sharing.ports.one(Ports::parse(rule.src_ports, vars)?),
            dst: sharing.addresses.one(Addresses::parse(rule.dst, vars)?),
            dst_ports: sharing.ports.one(Ports::parse(rule.dst_ports, vars)?),
            both_ways,
            of_both_sides,
            negated: [rule.src, rule.dst]
                .iter()
                .any(|field| vars.negates(field.text)),
        })
    }

    /// Whether it matches both ways, and these ends lie in both.
    pub(crate) fn goes_both_ways(&self, ends: Option<&FiveTuple>) -> bool {
        let has_ends = |ends: &FiveTuple| {
            let has_ports = self.has_any_ports()
                || self.src_ports.contains(ends.src_port) && self.dst_ports.contains(ends.dst_port);
            self.src.contains(ends.src) && self.dst.contains(ends.dst) && has_ports
        };
        let is_one_way = self.src == self.dst && self.src_ports == self.dst_ports;
        self.both_ways
            && !is_one_way
            && ends.is_some_and(|ends| has_ends(ends) && has_ends(&ends.reversed()))
    }

    /// Whether ports do not matter.
    pub(crate) fn has_any_ports(&self) -> bool {
        self.dst_ports.is_any() && self.src_ports.is_any()
    }
}
