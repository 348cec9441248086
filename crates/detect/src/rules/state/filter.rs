//! What becomes of a rule's matches: its threshold, and whom it is suppressed for.

use std::sync::Arc;

use packet::FlowId;

use super::networks::Networks;
use super::threshold::Threshold;
use super::thresholds::{Ends, Judgement, RuleKey, Thresholds};

/// What a rule's own options and the file of global thresholds say about its matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `suppress` without addresses: the rule never alerts; all else goes on.
    pub silenced: bool,
    /// `suppress` with addresses.
    pub suppressed: Vec<Suppressed>,
    /// `threshold`, `detection_filter` or `rate_filter`: a rule has one.
    pub threshold: Option<Threshold>,
}

/// For whom a rule does not alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// Which end of a packet is looked at.
    pub side: Side,
    /// The addresses.
    pub networks: Arc<Networks>,
}

/// Which end of a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Its sender.
    Source,
    /// Its receiver.
    Destination,
    /// One of the two.
    Either,
}

impl Suppressed {
    fn covers(&self, Ends { src, dst }: Ends) -> bool {
        match self.side {
            Side::Source => self.networks.contains(src),
            Side::Destination => self.networks.contains(dst),
            Side::Either => self.networks.contains(src) || self.networks.contains(dst),
        }
    }
}

impl Filter {
    /// Whether every match is an alert, so that there is nothing to judge.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.silenced && self.suppressed.is_empty() && self.threshold.is_none()
    }

    /// What becomes of a match at `now_ns`. One that is suppressed for its addresses is not
    /// counted, and the rule's action is done.
    pub fn judge(
        &self,
        thresholds: &mut Thresholds,
        rule: RuleKey,
        ends: Ends,
        flow: Option<FlowId>,
        now_ns: u64,
    ) -> Judgement {
        if self
            .suppressed
            .iter()
            .any(|suppressed| suppressed.covers(ends))
        {
            return Judgement::Silent;
        }
        let judgement = match &self.threshold {
            Some(threshold) => thresholds.judge(rule, threshold, ends, flow, now_ns),
            None => Judgement::Alert,
        };
        if !self.silenced {
            return judgement;
        }
        match judgement {
            Judgement::Alert | Judgement::Silent => Judgement::Silent,
            Judgement::NoMatch => Judgement::NoMatch,
            Judgement::NewAction { action, .. } => Judgement::NewAction {
                action,
                alert: false,
            },
        }
    }
}
