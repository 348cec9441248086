//! What became of the packets that go through here.

use detect::rules::Outcome;
use packet::Refusal;

/// Packets of a path that goes through here, by what became of them.
#[derive(Debug, Default)]
pub(super) struct Passage {
    accepted: u64,
    blocked: u64,
    rejected: u64,
    /// By the names in [`REASONS`].
    reasons: [u64; 7],
    /// What rules made of the packet at hand.
    latest: Option<Outcome>,
}

/// Counters of packets that did not go on, as `part.counter`, by why. `None` are rules.
const REASONS: [(Option<Refusal>, &str); 7] = [
    (None, "ips.drop_reason.rules"),
    (Some(Refusal::Flow), "ips.drop_reason.flow_drop"),
    (Some(Refusal::Stream), "ips.drop_reason.stream_error"),
    (Some(Refusal::Midstream), "ips.drop_reason.stream_midstream"),
    (Some(Refusal::Reassembly), "ips.drop_reason.stream_memcap"),
    (Some(Refusal::AppError), "ips.drop_reason.applayer_error"),
    (
        Some(Refusal::Exception),
        "ips.drop_reason.exception_policy_flow_drop",
    ),
];

impl Passage {
    /// Rules judged the packet at hand, or one within it.
    pub(super) fn judged(&mut self, outcome: &Outcome) {
        let is_worse = self.latest.is_none_or(|before| !before.dropped);
        if is_worse && outcome.dropped {
            self.latest = Some(*outcome);
        }
    }

    /// Counts the packet at hand. `refused` is what the sensor says of it.
    pub(super) fn count(&mut self, refused: Option<Refusal>) {
        let latest = self.latest.take();
        let why = match latest {
            Some(outcome) => Some(outcome.refused),
            None => refused.map(Some),
        };
        let is_rejected = latest.is_some_and(|outcome| outcome.rejected.is_some());
        let counter = match (why, is_rejected) {
            (None, _) => &mut self.accepted,
            (Some(_), true) => &mut self.rejected,
            (Some(_), false) => &mut self.blocked,
        };
        *counter = counter.saturating_add(1);
        let reasons = REASONS.iter().zip(&mut self.reasons);
        for (_, count) in reasons.filter(|((reason, _), _)| Some(*reason) == why) {
            *count = count.saturating_add(1);
        }
    }

    /// The counters by name.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let whole = [
            ("ips.accepted", self.accepted),
            ("ips.blocked", self.blocked),
            ("ips.rejected", self.rejected),
        ];
        let reasons = REASONS.iter().zip(&self.reasons);
        whole
            .into_iter()
            .chain(reasons.map(|((_, name), count)| (*name, *count)))
    }
}
