//! What can be wrong with a TCP connection.

/// Declares the troubles with their names.
macro_rules! troubles {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// What can be wrong with a TCP connection, by the name that it is logged under.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum StreamTrouble {
            $($(#[$doc])* $variant,)*
        }

        impl StreamTrouble {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The event's name, as logged.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("stream.", $name),)*
                }
            }
        }
    };
}

troubles! {
    /// Bytes are missing and will not come any more.
    Gap => "reassembly_seq_gap",
    /// Two segments say different things about the same bytes.
    OverlapDifferentData => "reassembly_overlap_different_data",
    /// No more of this stream is looked at.
    DepthReached => "reassembly_depth_reached",
    /// A segment that lies before all that is looked at.
    BeforeBase => "reassembly_segment_before_base_seq",
    /// More urgent bytes than are taken out of a stream.
    UrgentLimitReached => "reassembly_urgent_oob_limit_reached",
    /// A RST without a connection.
    RstButNoSession => "rst_but_no_session",
    /// A FIN without a connection.
    FinButNoSession => "fin_but_no_session",
    /// An acknowledgement number without the flag that gives it a meaning.
    BrokenAck => "pkt_broken_ack",
    /// An acknowledgement of what the other side cannot have sent.
    InvalidAck => "pkt_invalid_ack",
    /// A TSval older than the one before (RFC 7323 section 5).
    InvalidTimestamp => "pkt_invalid_timestamp",
    /// A window update of a segment that is no part of the connection.
    BadWindowUpdate => "pkt_bad_window_update",
    /// Bytes again that were not acknowledged yet.
    Retransmission => "pkt_retransmission",
    /// Bytes again that were acknowledged.
    SpuriousRetransmission => "pkt_spurious_retransmission",
    /// SYN and FIN in one.
    FinSyn => "fin_syn",
    /// An acknowledgement from the server before the client's.
    AckInWrongDirection => "3whs_ack_in_wrong_dir",
    /// With one direction in sight: not what comes next.
    AsyncWrongSeq => "3whs_async_wrong_seq",
    /// The client's acknowledgement has the right place and a wrong number.
    RightSeqWrongAckEvasion => "3whs_right_seq_wrong_ack_evasion",
    /// The client's acknowledgement has a wrong place and a wrong number.
    WrongSeqWrongAck => "3whs_wrong_seq_wrong_ack",
    /// More different SYNs than are remembered.
    SynFlood => "3whs_syn_flood",
    /// More different SYN/ACKs than are remembered.
    SynAckFlood => "3whs_synack_flood",
    /// A SYN/ACK from the client.
    SynAckInWrongDirection => "3whs_synack_in_wrong_direction",
    /// A SYN/ACK that acknowledges no SYN that was seen.
    SynAckWrongAck => "3whs_synack_with_wrong_ack",
    /// A second SYN/ACK with another sequence number.
    SynAckResentDifferentSeq => "3whs_synack_resend_with_diff_seq",
    /// A second SYN/ACK with another acknowledgement.
    SynAckResentDifferentAck => "3whs_synack_resend_with_diff_ack",
    /// A SYN/ACK from the client in answer to one.
    SynAckToServerOnSynRecv => "3whs_synack_toserver_on_syn_recv",
    /// The server took the connection, not the data that came with the SYN (RFC 7413).
    SynAckIgnoredTfoData => "3whs_synack_tfo_data_ignored",
    /// A SYN from the server in answer to its own SYN/ACK.
    SynToClientOnSynRecv => "3whs_syn_toclient_on_syn_recv",
    /// A second SYN with another sequence number, after the answer.
    SynResentDifferentSeqOnSynRecv => "3whs_syn_resend_diff_seq_on_syn_recv",
    /// Data from the server before the handshake is complete.
    AckDataInject => "3whs_ack_data_inject",
    /// An acknowledgement of what was not sent, in an open connection.
    EstInvalidAck => "est_invalid_ack",
    /// A segment outside the receiver's window.
    EstOutOfWindow => "est_packet_out_of_window",
    /// A segment that was acknowledged before.
    EstBeforeLastAck => "est_pkt_before_last_ack",
    /// A SYN in an open connection.
    EstSynResent => "est_syn_resend",
    /// A SYN with another number in an open connection.
    EstSynResentDifferentSeq => "est_syn_resend_diff_seq",
    /// A SYN from the server in an open connection.
    EstSynToClient => "est_syn_toclient",
    /// A SYN/ACK in an open connection.
    EstSynAckResent => "est_synack_resend",
    /// A SYN/ACK with another number in an open connection.
    EstSynAckResentDifferentSeq => "est_synack_resend_with_diff_seq",
    /// A SYN/ACK with another acknowledgement in an open connection.
    EstSynAckResentDifferentAck => "est_synack_resend_with_diff_ack",
    /// A SYN/ACK from the client in an open connection.
    EstSynAckToServer => "est_synack_toserver",
    /// A FIN that acknowledges what was not sent.
    FinInvalidAck => "fin_invalid_ack",
    /// A FIN outside the receiver's window.
    FinOutOfWindow => "fin_out_of_window",
    /// A wrong acknowledgement after the server's FIN.
    Fin1InvalidAck => "fin1_invalid_ack",
    /// A wrong place after the server's FIN.
    Fin1AckWrongSeq => "fin1_ack_wrong_seq",
    /// A FIN in a wrong place after the server's FIN.
    Fin1FinWrongSeq => "fin1_fin_wrong_seq",
    /// A wrong acknowledgement after the server's FIN was acknowledged.
    Fin2InvalidAck => "fin2_invalid_ack",
    /// A wrong place after the server's FIN was acknowledged.
    Fin2AckWrongSeq => "fin2_ack_wrong_seq",
    /// A FIN in a wrong place after the server's FIN was acknowledged.
    Fin2FinWrongSeq => "fin2_fin_wrong_seq",
    /// A wrong acknowledgement after the client's FIN.
    CloseWaitInvalidAck => "closewait_invalid_ack",
    /// Out of the window after the client's FIN.
    CloseWaitAckOutOfWindow => "closewait_ack_out_of_window",
    /// A FIN out of the window after the client's FIN.
    CloseWaitFinOutOfWindow => "closewait_fin_out_of_window",
    /// A segment that was acknowledged before, after the client's FIN.
    CloseWaitBeforeLastAck => "closewait_pkt_before_last_ack",
    /// A wrong acknowledgement when both close at once.
    ClosingInvalidAck => "closing_invalid_ack",
    /// A wrong place when both close at once.
    ClosingAckWrongSeq => "closing_ack_wrong_seq",
    /// A wrong last acknowledgement.
    LastAckInvalidAck => "lastack_invalid_ack",
    /// A last acknowledgement in a wrong place.
    LastAckAckWrongSeq => "lastack_ack_wrong_seq",
    /// A wrong acknowledgement after both FINs.
    TimeWaitInvalidAck => "timewait_invalid_ack",
    /// A wrong place after both FINs.
    TimeWaitAckWrongSeq => "timewait_ack_wrong_seq",
    /// A SYN or SYN/ACK in a connection that is closing.
    ShutdownSynResent => "shutdown_syn_resend",
    /// A RST that the receiver would not accept.
    RstInvalidAck => "rst_invalid_ack",
    /// A RST with data, which tells why at best.
    RstWithData => "rst_with_data",
    /// Both sides open at once: a SYN/ACK that acknowledges another SYN.
    FourWaySynAckWrongAck => "4whs_synack_with_wrong_ack",
    /// Both sides open at once: a SYN/ACK with another number than the SYN.
    FourWaySynAckWrongSyn => "4whs_synack_with_wrong_syn",
    /// Both sides open at once: not what comes next.
    FourWayWrongSeq => "4whs_wrong_seq",
    /// Both sides open at once: a wrong acknowledgement.
    FourWayInvalidAck => "4whs_invalid_ack",
    /// A connection goes on after a RST: its host has not taken the RST for real.
    SuspectedRstInject => "suspected_rst_inject",
}
