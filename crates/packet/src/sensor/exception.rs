//! What is done where traffic cannot be looked at as it should: policies of exceptions, with the names
//! and the meaning that Suricata gives them in its guide, section "Exception Policies".

use super::visit::Visit;
use crate::flow::{FlowAction, FlowState};
use crate::settings::{Setting, Settings};

/// What is done with a packet or its flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ExceptionPolicy {
    #[default]
    /// Nothing: it is looked at as far as it can be.
    Ignore,
    /// The flow is only counted.
    Bypass,
    /// Inline: no packet of the flow goes on.
    DropFlow,
    /// Inline: the packet does not go on.
    DropPacket,
    /// Rules look at no packet of the flow.
    PassFlow,
    /// Rules do not look at the packet.
    PassPacket,
    /// Inline: no packet of the flow goes on. The sender should be told; nothing is sent from here.
    Reject,
    /// The same, for both sides.
    RejectBoth,
}

impl ExceptionPolicy {
    const ALL: [(Self, &str, &str); POLICIES] = [
        (Self::Ignore, "ignore", "ignore"),
        (Self::Bypass, "bypass", "bypass"),
        (Self::DropFlow, "drop-flow", "drop_flow"),
        (Self::DropPacket, "drop-packet", "drop_packet"),
        (Self::PassFlow, "pass-flow", "pass_flow"),
        (Self::PassPacket, "pass-packet", "pass_packet"),
        (Self::Reject, "reject", "reject"),
        (Self::RejectBoth, "rejectboth", "reject_both"),
    ];

    fn from_name(name: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|(_, known, _)| *known == name);
        known.map(|(policy, ..)| policy)
    }

    /// Its name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = Self::ALL.into_iter().find(|(known, ..)| *known == self);
        known.map_or("ignore", |(.., name)| name)
    }

    /// Whether a flow is followed whose beginning was not seen.
    pub(crate) fn follows(self) -> bool {
        matches!(self, Self::Ignore | Self::PassFlow)
    }

    fn is_drop(self) -> bool {
        matches!(self, Self::DropFlow | Self::DropPacket)
    }
}

const POLICIES: usize = 8;

/// Policies, by what leads to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// The beginning of the connection was not seen.
    pub midstream: ExceptionPolicy,
    /// There is no room for bytes that wait to be put together.
    pub reassembly: ExceptionPolicy,
    /// The parser of the application protocol gave up.
    pub app_error: ExceptionPolicy,
}

impl Exceptions {
    /// From the settings, whose `exception-policy` stands for all that are not set themselves. Where
    /// that says nothing, or `auto`, flows are dropped inline, and else nothing is done.
    #[must_use]
    pub fn from_settings(settings: &Settings, inline: bool) -> Self {
        let auto = match inline {
            true => ExceptionPolicy::DropFlow,
            false => ExceptionPolicy::Ignore,
        };
        let named = |setting: Setting<'_>| ExceptionPolicy::from_name(setting.text()?);
        let all = named(settings.at("exception-policy"));
        let of = |path: &str, auto: ExceptionPolicy| {
            let setting = settings.at(path);
            let of_all = all.filter(|policy| inline || !policy.is_drop());
            match setting.text() {
                Some("auto") => auto,
                Some(_) => named(setting).unwrap_or_default(),
                None if all.is_some() => of_all.unwrap_or_default(),
                None => auto,
            }
        };
        let picks_up = settings.at("stream.midstream").flag().unwrap_or(false);
        let midstream = if picks_up {
            ExceptionPolicy::Ignore
        } else {
            auto
        };
        Self {
            midstream: of("stream.midstream-policy", midstream),
            reassembly: of("stream.reassembly.memcap-policy", auto),
            app_error: of("app-layer.error-policy", auto),
        }
    }

    fn by_exception(self) -> [ExceptionPolicy; 3] {
        [self.midstream, self.reassembly, self.app_error]
    }
}

/// What led to a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Exception {
    Midstream,
    Reassembly,
    AppError,
}

impl Exception {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Midstream, "tcp.midstream"),
        (Self::Reassembly, "tcp.reassembly"),
        (Self::AppError, "app_layer.error"),
    ];

    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Self::Midstream => Refusal::Midstream,
            Self::Reassembly => Refusal::Reassembly,
            Self::AppError => Refusal::AppError,
        }
    }

    pub(crate) fn policy(self, policies: &Exceptions) -> ExceptionPolicy {
        match self {
            Self::Midstream => policies.midstream,
            Self::Reassembly => policies.reassembly,
            Self::AppError => policies.app_error,
        }
    }
}

/// How often policies were applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExceptionCounters {
    policies: Exceptions,
    counts: [[u64; POLICIES]; 3],
}

impl ExceptionCounters {
    pub(super) fn new(policies: Exceptions) -> Self {
        Self {
            policies,
            counts: Default::default(),
        }
    }

    pub(super) fn count(&mut self, exception: Exception, policy: ExceptionPolicy) {
        let row = Exception::ALL.iter().zip(&mut self.counts);
        let row = row.filter(|((known, _), _)| *known == exception);
        let counts = row.flat_map(|(_, row)| ExceptionPolicy::ALL.into_iter().zip(row));
        for (_, count) in counts.filter(|((known, ..), _)| *known == policy) {
            *count = count.saturating_add(1);
        }
    }

    /// The counts by name, of the exceptions that lead to anything.
    pub(super) fn named(&self) -> Vec<(&'static str, u64)> {
        let policies = self.policies.by_exception();
        let rows = Exception::ALL.iter().zip(policies).zip(&self.counts);
        let rows = rows.filter(|((_, policy), _)| *policy != ExceptionPolicy::Ignore);
        rows.flat_map(|(((exception, _), _), row)| {
            let names = NAMES.iter().filter(move |(known, ..)| known == exception);
            names.zip(row.iter().skip(1))
        })
        .map(|((_, name), count)| (*name, *count))
        .collect()
    }
}

/// Names of the counters: of each exception, those of all policies that do anything, in their order.
const NAMES: [(Exception, &str); 21] = [
    (
        Exception::Midstream,
        "exception_policy.tcp.midstream.bypass",
    ),
    (
        Exception::Midstream,
        "exception_policy.tcp.midstream.drop_flow",
    ),
    (
        Exception::Midstream,
        "exception_policy.tcp.midstream.drop_packet",
    ),
    (
        Exception::Midstream,
        "exception_policy.tcp.midstream.pass_flow",
    ),
    (
        Exception::Midstream,
        "exception_policy.tcp.midstream.pass_packet",
    ),
    (
        Exception::Midstream,
        "exception_policy.tcp.midstream.reject",
    ),
    (
        Exception::Midstream,
        "exception_policy.tcp.midstream.reject_both",
    ),
    (
        Exception::Reassembly,
        "exception_policy.tcp.reassembly.bypass",
    ),
    (
        Exception::Reassembly,
        "exception_policy.tcp.reassembly.drop_flow",
    ),
    (
        Exception::Reassembly,
        "exception_policy.tcp.reassembly.drop_packet",
    ),
    (
        Exception::Reassembly,
        "exception_policy.tcp.reassembly.pass_flow",
    ),
    (
        Exception::Reassembly,
        "exception_policy.tcp.reassembly.pass_packet",
    ),
    (
        Exception::Reassembly,
        "exception_policy.tcp.reassembly.reject",
    ),
    (
        Exception::Reassembly,
        "exception_policy.tcp.reassembly.reject_both",
    ),
    (
        Exception::AppError,
        "exception_policy.app_layer.error.bypass",
    ),
    (
        Exception::AppError,
        "exception_policy.app_layer.error.drop_flow",
    ),
    (
        Exception::AppError,
        "exception_policy.app_layer.error.drop_packet",
    ),
    (
        Exception::AppError,
        "exception_policy.app_layer.error.pass_flow",
    ),
    (
        Exception::AppError,
        "exception_policy.app_layer.error.pass_packet",
    ),
    (
        Exception::AppError,
        "exception_policy.app_layer.error.reject",
    ),
    (
        Exception::AppError,
        "exception_policy.app_layer.error.reject_both",
    ),
];

/// Why a packet does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It is no part of its connection, or says something else about bytes that were seen before.
    Stream,
    /// Its flow was dropped before, by a rule.
    Flow,
    /// Its flow was dropped before, by a policy.
    Exception,
    /// The policy of connections whose beginning was not seen.
    Midstream,
    /// The policy of bytes for which there is no room.
    Reassembly,
    /// The policy of parsers that gave up.
    AppError,
}

impl Refusal {
    /// Its name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream error",
            Self::Flow => "flow drop",
            Self::Exception => "exception policy flow drop",
            Self::Midstream => "stream midstream",
            Self::Reassembly => "stream memcap",
            Self::AppError => "applayer error",
        }
    }
}

impl Visit<'_, '_> {
    /// Inline: the packet does not go on.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if self.config.inline {
            *self.refused = Some(refusal);
        }
    }

    /// Does with the packet and its flow what the policy of an exception says.
    pub(super) fn except(&mut self, exception: Exception) {
        use ExceptionPolicy::{
            Bypass, DropFlow, DropPacket, Ignore, PassFlow, PassPacket, Reject, RejectBoth,
        };
        let policy = exception.policy(&self.config.exceptions);
        if policy == Ignore {
            return;
        }
        self.counters.exceptions.count(exception, policy);
        let standing = &mut self.entry.standing;
        let action = match policy {
            Ignore | DropPacket | PassPacket => None,
            Bypass => {
                standing.state = FlowState::Bypassed;
                Some(FlowAction::Pass)
            }
            PassFlow => Some(FlowAction::Pass),
            DropFlow => Some(FlowAction::Drop),
            Reject | RejectBoth if self.config.inline => Some(FlowAction::Drop),
            // there is nobody to be told where the packet goes on
            Reject | RejectBoth => return,
        };
        if action.is_some() {
            standing.action = action;
            standing.by_exception = true;
        }
        *self.passed = true;
        if !matches!(policy, Bypass | PassFlow | PassPacket) {
            self.refuse(exception.refusal());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policies(yaml: &str, inline: bool) -> [ExceptionPolicy; 3] {
        Exceptions::from_settings(&Settings::parse(yaml).unwrap(), inline).by_exception()
    }

    #[test]
    fn one_setting_stands_for_all_that_are_not_set() {
        use ExceptionPolicy::{Bypass, DropFlow, Ignore, PassFlow};
        assert_eq!(policies("a: 1", false), [Ignore; 3]);
        assert_eq!(policies("a: 1", true), [DropFlow; 3]);
        assert_eq!(policies("exception-policy: ignore", true), [Ignore; 3]);
        assert_eq!(policies("exception-policy: drop-flow", false), [Ignore; 3]);
        let yaml = "exception-policy: bypass\nstream: {midstream-policy: pass-flow}";
        assert_eq!(policies(yaml, false), [PassFlow, Bypass, Bypass]);
        let followed = policies("stream: {midstream: yes}", true);
        assert_eq!(followed, [Ignore, DropFlow, DropFlow]);
    }

    #[test]
    fn only_policies_that_do_something_are_counted() {
        let mut counters = ExceptionCounters::new(Exceptions {
            midstream: ExceptionPolicy::PassFlow,
            ..Exceptions::default()
        });
        counters.count(Exception::Midstream, ExceptionPolicy::PassFlow);
        let named = counters.named();
        assert_eq!(named.len(), 7);
        let name = "exception_policy.tcp.midstream.pass_flow";
        assert!(named.contains(&(name, 1)));
        assert_eq!(named.iter().map(|(_, count)| count).sum::<u64>(), 1);
    }
}
