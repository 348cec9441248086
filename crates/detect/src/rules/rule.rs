//! A compiled rule.

use std::fmt::Debug;
use std::sync::Arc;

use packet::{Digests, Direction};
use stix::StixId;

use super::effect::Effect;
use super::header::{Apps, Header};
use super::keyword::events::AppEvent;
use super::keyword::number::Number;
use super::scene::{Buffer, Scene, Sides, Stage};
use super::state::{Filter, RuleKey};
use super::transform::Transform;
use super::walk::Walk;

/// What names a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId {
    /// Generator; 1 where none is named.
    pub gid: u32,
    /// Signature.
    pub sid: u32,
    /// Revision.
    pub rev: u32,
}

/// What a rule tells people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// `msg`.
    pub message: String,
    /// What its class says; empty without a class.
    pub category: String,
    /// 1 is the most urgent.
    pub priority: u32,
    /// `metadata`, in the order written.
    pub metadata: Vec<(String, String)>,
    /// URLs of `reference`.
    pub references: Vec<String>,
    /// Which side is the victim: `src_ip` or `dest_ip`.
    pub target: Option<&'static str>,
}

/// Who shared a rule that is not the operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The partner.
    pub source: Arc<str>,
    /// The object that holds the rule.
    pub object: StixId,
    /// How sure the partner is, 0 to 100.
    pub confidence: u8,
}

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub id: RuleId,
    /// Who shared it; none for the operator's own.
    pub origin: Option<Arc<Origin>>,
    /// What it tells people.
    pub about: About,
    pub(crate) header: Header,
    /// Protocols that it is about, by header and buffers; none named for any.
    pub(crate) apps: Apps,
    pub(crate) sides: Sides,
    /// When all that it looks at is there.
    pub(crate) stage: Stage,
    pub(crate) conditions: Vec<Box<dyn Condition>>,
    pub(crate) inspections: Vec<Inspection>,
    /// What it is looked up by: a content of its packet or stream, and one of its transaction, as far as
    /// it looks there.
    pub(crate) fast: Vec<Fast>,
    pub(crate) effects: Vec<Effect>,
    /// How often it alerts, and for whom not.
    pub(crate) filter: Filter,
    /// It matches without a word.
    pub(crate) silent: bool,
    /// It needs whole packets, also of TCP: something about the packet's own payload.
    pub(crate) needs_packet: bool,
    /// How many bytes of payload its packets have.
    pub(crate) payload_size: Option<Number>,
    /// It says nothing of packets without a flow.
    pub(crate) needs_flow: bool,
    pub(crate) payload_from: PayloadFrom,
    /// Of which packets it is asked.
    pub(crate) asked: Asked,
    /// Events of messages that it asks for.
    pub(crate) app_events: Vec<AppEvent>,
    /// Files that are stored when it matches.
    pub(crate) store: Option<Store>,
    /// What must be worked out of files for it.
    pub(crate) digests: Digests,
    /// Rules that set bits are looked at before those that ask for them.
    pub(crate) bits_rank: u8,
}

/// Of which packets a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    /// Of all.
    Packets,
    /// It says nothing but from where to where: of the first of each direction of a flow.
    Ends,
    /// It says nothing but the application protocol: of the first of each direction behind its
    /// detection.
    Protocol,
    /// It says nothing but what is wrong: of all, of damaged ones too, which may have no IP header.
    Damage,
}

/// Which files are stored when a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Store {
    /// Whose; none for that of the side that matched.
    pub(crate) sides: Option<Sides>,
    pub(crate) scope: StoreScope,
}

/// How far the storing of files goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum StoreScope {
    /// Those that matched.
    File,
    /// All of the transaction.
    Transaction,
    /// All of the flow that are yet to come.
    Flow,
}

/// Where payload is taken from, where a rule says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PayloadFrom {
    pub(crate) packets_only: bool,
    pub(crate) streams_only: bool,
}

impl Rule {
    /// What it does.
    #[must_use]
    pub fn action(&self) -> super::header::Action {
        self.header.action
    }

    /// The number by which state of it is kept.
    pub(crate) fn key(&self) -> RuleKey {
        RuleKey {
            gid: self.id.gid,
            sid: self.id.sid,
        }
    }

    /// Whether what it does with a packet is done with its flow: it says nothing of the packet itself.
    pub(crate) fn is_of_flow(&self) -> bool {
        let is_of_ends = self.asks_nothing() && self.sides == Sides::Both;
        match self.asked {
            Asked::Ends | Asked::Protocol => true,
            Asked::Packets => !self.apps.is_empty() || is_of_ends,
            Asked::Damage => false,
        }
    }

    /// Whether it says nothing but its header.
    pub(crate) fn asks_nothing(&self) -> bool {
        self.inspections.is_empty()
            && self.conditions.is_empty()
            && self.app_events.is_empty()
            && !self.needs_flow
    }

    /// Whether it is asked once more when a flow ends that was not looked at to its end: it says
    /// nothing of packets, yet is asked of each.
    pub(crate) fn is_of_flow_end(&self) -> bool {
        let is_of_ends = self.header.negated && self.sides == Sides::Both;
        self.asks_nothing() && (!self.apps.is_empty() || is_of_ends)
    }

    /// Whether it asks anything of the payload.
    pub(crate) fn asks_payload(&self) -> bool {
        let mut subjects = self.conditions.iter().map(|condition| condition.subject());
        self.payload().is_some() || subjects.any(|subject| subject == Subject::Payload)
    }

    /// Whether it asks nothing of transactions.
    pub(crate) fn looks_into_packets(&self) -> bool {
        self.app_events.is_empty() && self.inspections.iter().all(Inspection::is_of_packet)
    }

    /// Whether the packet alone does not rule it out.
    pub(crate) fn may_hold(&self, scene: &Scene<'_>) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.all(|condition| condition.at_once(scene) != Some(false))
    }

    /// What it looks at in packets' payload or streams.
    pub(crate) fn payload(&self) -> Option<&Inspection> {
        self.inspections
            .iter()
            .find(|inspection| inspection.buffer.is_none())
    }
}

/// The literal that a rule is looked up by.
#[derive(Debug, Clone)]
pub(crate) struct Fast {
    /// Which inspection.
    pub(crate) inspection: usize,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) nocase: bool,
    /// It stands in so many first bytes of the buffer.
    pub(crate) within: Option<usize>,
}

/// What is asked of a buffer.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// Which; none for payload.
    pub(crate) buffer: Option<&'static Buffer>,
    /// Whose, in a rule over both sides of a transaction.
    pub(crate) side: Option<Direction>,
    pub(crate) transforms: Vec<Transform>,
    pub(crate) steps: Vec<Step>,
    /// Asked of what `base64_decode` made of it.
    pub(crate) decoded: Vec<Step>,
    /// It holds where the buffer is not there.
    pub(crate) or_absent: bool,
}

impl Inspection {
    /// Whether it looks into a packet or a stream, not into a transaction.
    pub(crate) fn is_of_packet(&self) -> bool {
        self.buffer
            .is_none_or(|buffer| buffer.stage == Stage::Packet)
    }
}

/// One thing that is asked of a buffer's bytes.
#[derive(Debug)]
pub(crate) enum Step {
    /// A literal.
    Content(Box<super::content::Content>),
    /// Something that can be found in several places.
    Find(Box<dyn Find>),
    /// Something that holds or does not.
    Check(Box<dyn Check>),
}

/// Something that can be found in several places of a buffer.
pub(crate) trait Find: Debug + Send + Sync {
    /// The next place at or behind `from`: where it ends, and from where to look for another.
    fn next(&self, walk: &mut Walk<'_, '_>, from: usize) -> Option<Found>;

    /// From where it is looked for first.
    fn first(&self, walk: &Walk<'_, '_>) -> Option<usize>;

    /// It must not be found.
    fn is_negated(&self) -> bool;

    /// It looks behind the match before it.
    fn is_relative(&self) -> bool;
}

/// A place where something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Where to look for another.
    pub(crate) again: usize,
}

/// What a look at a few bytes counts for.
const READS_FEW: usize = 16;

/// Something that holds of a buffer or does not; it may move the place behind which later steps
/// look, and set variables.
pub(crate) trait Check: Debug + Send + Sync {
    /// Whether it holds.
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool;

    /// How many bytes of a buffer of `len` it reads, about: what it takes off the walk's budget.
    fn reads(&self, _len: usize) -> usize {
        READS_FEW
    }

    /// It looks behind the match before it.
    fn is_relative(&self) -> bool {
        false
    }
}

impl Step {
    /// Whether it looks behind the match before it.
    pub(crate) fn is_relative(&self) -> bool {
        match self {
            Self::Content(content) => content.is_relative(),
            Self::Find(find) => find.is_relative(),
            Self::Check(check) => check.is_relative(),
        }
    }
}

/// Something that holds of a packet or its flow, whatever the buffers say.
pub(crate) trait Condition: Debug + Send + Sync {
    /// Whether it holds.
    fn holds(&self, scene: &Scene<'_>, memory: &mut super::memory::Memory<'_>) -> bool;

    /// Whether it holds, where the packet alone tells: that is asked before anything is noted of it.
    fn at_once(&self, _scene: &Scene<'_>) -> Option<bool> {
        None
    }

    /// What it is about: a rule that is about one of these alone is asked seldom.
    fn subject(&self) -> Subject {
        Subject::Packet
    }
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// From where to where a flow goes, and in which protocol of IP.
    Ends,
    /// The application protocol of a flow.
    Protocol,
    /// Damage of a packet.
    Damage,
    /// The payload of a packet.
    Payload,
    /// Anything else about a packet.
    Packet,
}
