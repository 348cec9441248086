//! What comes of a rule that matched.

use std::sync::Arc;

use packet::{Direction, FlowId};

use super::header::Action;
use super::rule::Rule;
use super::set::RuleSet;

/// A rule matched.
#[derive(Debug, Clone)]
pub struct Alert {
    /// The set that the rule is of.
    pub rules: Arc<RuleSet>,
    /// Its number in the set.
    pub number: u32,
    /// What is done: what the rule says, or what a rate filter makes of it.
    pub action: Action,
    /// It is not told: it stands for what was done.
    pub silent: bool,
    /// The transaction that it matched in.
    pub transaction: Option<Arc<Told>>,
    /// It matched in the packet or the stream, while this was the only transaction under way.
    pub guessed: bool,
    /// The files of that side of it that are passing by, as a record lists them.
    pub files: String,
    /// What rules say of what matched: members of `context`, as written.
    pub context: String,
    /// Why.
    pub reason: Option<Reason>,
    /// The bytes of the stream that it matched in; none where it was a packet.
    pub stream: Option<Arc<[u8]>>,
    /// Which way the packet goes that it came with.
    pub direction: Direction,
    /// The flow.
    pub flow: Option<FlowId>,
}

impl Alert {
    /// The rule.
    #[must_use]
    pub fn rule(&self) -> Option<&Rule> {
        self.rules.rule(self.number)
    }
}

/// What a record says of a transaction: kept as text, for the transaction is gone when the packet is
/// judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its number in its flow.
    pub id: u32,
    /// Fields of the record, as written.
    pub fields: String,
}

/// Which bytes of which buffer matched first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// The buffer; `payload` for packets and streams.
    pub buffer: &'static str,
    /// Where in it, bytes.
    pub offset: u32,
    /// How many bytes.
    pub len: u32,
}

impl Reason {
    /// The same where so many bytes before are not shown.
    pub(crate) fn behind(self, skipped: usize) -> Self {
        let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
        Self {
            offset: self.offset.saturating_sub(skipped),
            ..self
        }
    }
}
