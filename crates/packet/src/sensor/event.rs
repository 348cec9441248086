//! What a sensor yields.

use crate::applayer::{AppProto, Transaction};
use crate::decode::Damage;
use crate::file::{FileChunk, FileInfo};
use crate::flow::{Direction, FiveTuple, Flow};

/// Everything that an inspection point yields, in the order in which it became known.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// First packet of a flow (TCP: a SYN, or midstream).
    FlowStart(&'a Flow),
    /// TCP: what became of the client's SYN; once per flow.
    Attempt(&'a Flow, Outcome),
    /// TCP: the client acknowledged the server's sequence number: its path is proven. Once per
    /// flow; should a second, different SYN/ACK turn up later, `client_proven` of the flow falls
    /// back to false.
    Proven(&'a Flow),
    /// TCP: the connection is over, both sides having sent FIN or one a valid RST; with the
    /// direction of the FIN or RST that began it: `ToServer` when the client ended it. Once per flow;
    /// what comes late is still counted until [`Event::FlowEnd`].
    Closed(&'a Flow, Direction),
    /// An application-layer transaction; twice where [`Transaction::is_complete`] says so.
    Transaction(&'a Flow, &'a dyn Transaction),
    /// The next bytes of a file that a transaction carries.
    FileData(&'a Flow, &'a dyn Transaction, &'a FileChunk<'a>),
    /// A file is over.
    File(&'a Flow, &'a dyn Transaction, &'a FileInfo),
    /// Last event of a flow.
    FlowEnd(&'a Flow, EndReason),
    /// Something was wrong; with its flow, where there is one.
    Anomaly(Option<&'a Flow>, &'a Anomaly),
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
    /// The ends of a packet that belongs to no flow, where its IP header could be read; ports are 0
    /// where they could not.
    pub tuple: Option<FiveTuple>,
    /// The transaction that it was found in.
    pub tx_id: Option<u32>,
}

/// What was wrong, by layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnomalyKind {
    /// A damaged frame.
    Decode(Damage),
    /// An IP fragment, which is not reassembled.
    Fragment,
    /// TCP.
    Stream(StreamTrouble),
    /// An application-layer parser's own event.
    AppLayer(AppProto, &'static str),
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

    pub(crate) fn stream(trouble: StreamTrouble, ts_ns: u64) -> Self {
        Self {
            ts_ns,
            kind: AnomalyKind::Stream(trouble),
            tuple: None,
            tx_id: None,
        }
    }
}

/// What can be wrong with a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamTrouble {
    /// A segment without an acknowledgement in a connection that has begun.
    AckMissing,
    /// An acknowledgement of data that the other side did not send in our sight.
    AckOfUnsentData,
    /// Bytes are missing and will not come any more.
    Gap,
    /// A segment outside the receiver's window.
    OutOfWindow,
    /// Two segments say different things about the same bytes.
    OverlapDifferentData,
    /// A RST that the receiver would not accept.
    RstInvalid,
    /// A SYN/ACK in the midst of a connection.
    SynAckLate,
    /// A second SYN/ACK with another sequence number.
    SynAckResentDifferentSeq,
    /// A SYN/ACK that acknowledges no SYN that was seen.
    SynAckWrongAck,
    /// A second SYN with another sequence number.
    SynResentDifferentSeq,
}

impl StreamTrouble {
    /// The event's name, as logged.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AckMissing => "stream.pkt_without_ack",
            Self::AckOfUnsentData => "stream.pkt_invalid_ack",
            Self::Gap => "stream.reassembly_seq_gap",
            Self::OutOfWindow => "stream.est_packet_out_of_window",
            Self::OverlapDifferentData => "stream.reassembly_overlap_different_data",
            Self::RstInvalid => "stream.rst_invalid_seq",
            Self::SynAckLate => "stream.est_synack_resend",
            Self::SynAckResentDifferentSeq => "stream.3whs_synack_resend_with_diff_seq",
            Self::SynAckWrongAck => "stream.3whs_synack_with_wrong_ack",
            Self::SynResentDifferentSeq => "stream.3whs_syn_resend_diff_seq",
        }
    }
}
