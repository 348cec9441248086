//! What a sensor yields.

use crate::applayer::{AppFrame, AppProto, Transaction};
use crate::decode::{Arp, Damage, Decoded, Source};
use crate::file::{FileChunk, FileInfo};
use crate::flow::{Direction, FiveTuple, Flow};
use crate::frame::LinkType;

use super::{Refusal, StreamTrouble};

/// Everything that an inspection point yields, in the order in which it became known.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The packet that all events up to the next of these come from. Said only where some follow.
    Packet(&'a Packet<'a>),
    /// An ARP packet.
    Arp(&'a Arp),
    /// First packet of a flow (TCP: a SYN, or midstream).
    FlowStart(&'a Flow),
    /// TCP: what became of the client's SYN; once per flow.
    Attempt(&'a Flow, Outcome),
    /// TCP: the client acknowledged the server's sequence number: its path is proven. Once per
    /// flow; should a second, different SYN/ACK turn up later, `client_proven` of the flow falls
    /// back to false.
    Proven(&'a Flow),
    /// TCP: there was payload both ways, and the client's path is proven: a session. Once per flow,
    /// unless its proof falls back and comes again; behind what the packet at hand led to.
    Exchanged(&'a Flow),
    /// TCP: the connection is over, both sides having sent FIN or one a valid RST; with the
    /// direction of the FIN or RST that began it: `ToServer` when the client ended it. Once per flow;
    /// what comes late is still counted until [`Event::FlowEnd`].
    Closed(&'a Flow, Direction),
    /// The next bytes of a TCP stream in their order, or a hole in it; where
    /// [`Config::inspect`](crate::Config::inspect) asks for them.
    Stream(&'a Flow, Direction, StreamPiece<'a>),
    /// A part of a transaction is there, before all of it is; where
    /// [`Config::inspect`](crate::Config::inspect) asks for it.
    Progress(&'a Flow, &'a dyn Transaction, Part),
    /// An application-layer transaction; twice where [`Transaction::is_complete`] says so.
    Transaction(&'a Flow, &'a dyn Transaction),
    /// The next bytes of a file that a transaction carries.
    FileData(&'a Flow, &'a dyn Transaction, &'a FileChunk<'a>),
    /// A file is over.
    File(&'a Flow, &'a dyn Transaction, &'a FileInfo),
    /// A part of a message, where [`Config::frames`](crate::Config::frames) asks for them.
    AppFrame(&'a Flow, &'a AppFrame<'a>),
    /// Last event of a flow.
    FlowEnd(&'a Flow, EndReason),
    /// Something was wrong; with its flow, where there is one.
    Anomaly(Option<&'a Flow>, &'a Anomaly),
    /// All that a packet led to was told; where [`Config::inspect`](crate::Config::inspect) asks for
    /// it.
    Inspect(&'a Inspect<'a>),
}

/// A packet whose consequences are known.
#[derive(Debug, Clone, Copy)]
pub struct Inspect<'a> {
    /// The packet.
    pub packet: &'a Packet<'a>,
    /// Its flow as it is now, if it has one.
    pub flow: Option<&'a Flow>,
    /// Which way it goes in its flow; to the server without one.
    pub direction: Direction,
    /// Its ends, its sender first; none without an IP header.
    pub tuple: Option<FiveTuple>,
    /// The flow was established before the packet came (TCP), or is with it.
    pub established: bool,
    /// Its payload became part of a stream, now or earlier.
    pub in_stream: bool,
    /// Why it does not go on, where something else than rules says so.
    pub refused: Option<Refusal>,
    /// Rules do not look at it: a policy of exceptions says so, or its flow was dropped before.
    pub is_passed: bool,
    /// Its payload says nothing: it is encrypted, or a packet that is told of after this one.
    pub is_opaque: bool,
}

/// A piece of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamPiece<'a> {
    /// Bytes.
    Data(&'a [u8]),
    /// So many bytes that are missing.
    Gap(u64),
}

/// Which part of a transaction is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The first line of what the client sends, before its head is complete; its transaction is told
    /// of later under the same number.
    RequestLine,
    /// The head of what the client sends.
    RequestHead,
    /// More of what the client sends behind its head.
    RequestMore,
    /// All that the client sends.
    Request,
    /// The first line of what the server sends, likewise.
    ResponseLine,
    /// The head of what the server sends.
    ResponseHead,
    /// More of what the server sends behind its head.
    ResponseMore,
    /// All that the server sends.
    Response,
}

impl Part {
    /// Those of a transaction that is told of as a whole, in their order.
    pub const ALL: &'static [Self] = &[
        Self::RequestHead,
        Self::Request,
        Self::ResponseHead,
        Self::Response,
    ];

    /// Those of one side that is told of as a whole, in their order.
    #[must_use]
    pub fn of(direction: Direction) -> &'static [Self] {
        match direction {
            Direction::ToServer => &[Self::RequestHead, Self::Request],
            Direction::ToClient => &[Self::ResponseHead, Self::Response],
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::RequestLine | Self::RequestHead | Self::RequestMore | Self::Request => {
                Direction::ToServer
            }
            Self::ResponseLine | Self::ResponseHead | Self::ResponseMore | Self::Response => {
                Direction::ToClient
            }
        }
    }

    /// The head of what a side sends.
    #[must_use]
    pub fn head(direction: Direction) -> Self {
        match direction {
            Direction::ToServer => Self::RequestHead,
            Direction::ToClient => Self::ResponseHead,
        }
    }

    /// All of it.
    #[must_use]
    pub fn whole(direction: Direction) -> Self {
        match direction {
            Direction::ToServer => Self::Request,
            Direction::ToClient => Self::Response,
        }
    }

    /// More of what a side sends behind its head.
    #[must_use]
    pub fn more(direction: Direction) -> Self {
        match direction {
            Direction::ToServer => Self::RequestMore,
            Direction::ToClient => Self::ResponseMore,
        }
    }

    /// Whether all of a message is there.
    #[must_use]
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Request | Self::Response)
    }
}

/// A packet: a frame as it was captured, one that it carried, or one put together from fragments.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The link type of the frame.
    pub link: LinkType,
    /// Where it came from.
    pub source: Source,
    /// What it is.
    pub decoded: &'a Decoded<'a>,
    /// The packet around it.
    pub outer: Option<Outer>,
}

/// A packet around another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outer {
    /// Its ends.
    pub tuple: FiveTuple,
    /// Where it came from.
    pub source: Source,
    /// How many packets stand around it: 0 on the wire.
    pub depth: u8,
}

/// What became of a TCP connection attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A SYN/ACK came.
    Accepted,
    /// A RST came that acknowledges the SYN.
    Refused,
    /// Nothing came in time.
    Unanswered,
}

/// Why a flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Both sides sent FIN.
    Fin,
    /// A valid RST.
    Reset,
    /// Idle too long.
    Timeout,
    /// The table was full.
    Evicted,
    /// A new connection on the same addresses and ports.
    Replaced,
    /// The capture is over.
    Shutdown,
}

/// Something was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anomaly {
    /// When, nanoseconds since the Unix epoch.
    pub ts_ns: u64,
    /// What.
    pub kind: AnomalyKind,
    /// The ends of the packet, its sender first, where its IP header could be read; ports are 0
    /// where they could not. None where the anomaly is one of messages, not of a packet.
    pub tuple: Option<FiveTuple>,
    /// The transaction that it was found in.
    pub tx_id: Option<u32>,
}

/// What was wrong, by layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnomalyKind {
    /// A damaged frame.
    Decode(Damage),
    /// Fragments of a packet that were given up: the rest did not come in time, or a bound was
    /// reached.
    Fragment,
    /// TCP.
    Stream(StreamTrouble),
    /// An application-layer parser's own event.
    AppLayer(AppProto, &'static str),
}

impl Packet<'static> {
    /// No packet: a flow's time is over.
    pub(crate) fn flow_timeout() -> Self {
        Self {
            link: LinkType::Ethernet,
            source: Source::FlowTimeout,
            decoded: &Decoded::NOTHING,
            outer: None,
        }
    }
}

impl Anomaly {
    /// The event's name, as logged.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            AnomalyKind::Decode(damage) => damage.name(),
            AnomalyKind::Fragment => "decoder.fragment_not_reassembled",
            AnomalyKind::Stream(trouble) => trouble.name(),
            AnomalyKind::AppLayer(_, name) => name,
        }
    }

    pub(crate) fn decode(damage: Damage, tuple: Option<FiveTuple>, ts_ns: u64) -> Self {
        Self {
            ts_ns,
            kind: AnomalyKind::Decode(damage),
            tuple,
            tx_id: None,
        }
    }

    pub(crate) fn fragment(tuple: Option<FiveTuple>, ts_ns: u64) -> Self {
        Self {
            ts_ns,
            kind: AnomalyKind::Fragment,
            tuple,
            tx_id: None,
        }
    }

    /// `tuple` names the sender of the segment first.
    pub(crate) fn stream(trouble: StreamTrouble, tuple: FiveTuple, ts_ns: u64) -> Self {
        Self {
            ts_ns,
            kind: AnomalyKind::Stream(trouble),
            tuple: Some(tuple),
            tx_id: None,
        }
    }
}
