//! What a sensor counts.

/// Counters of a [`Sensor`](super::Sensor); they only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames taken.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Frames with at least one decoder event.
    pub damaged: u64,
    /// Frames without a readable IP header (ARP, LLDP, damaged).
    pub not_ip: u64,
    /// IP fragments: counted, not reassembled.
    pub fragments: u64,
    /// Packets dropped for a wrong checksum.
    pub bad_checksums: u64,
    /// TCP packets that belong to no flow and cannot start one (RST).
    pub strays: u64,
    /// Flows started.
    pub flows: u64,
    /// Flows given up because `flows_max` was reached.
    pub flows_evicted: u64,
    /// TCP segments that were not in the window or whose numbers were wrong.
    pub segments_invalid: u64,
    /// Out-of-order segments kept.
    pub segments_buffered: u64,
    /// Times that `segments_max`, `segment_bytes_max` or `stream_bytes_max` was reached.
    pub segments_max_hit: u64,
    /// Gaps declared in streams.
    pub gaps: u64,
    /// Bytes missing in those gaps.
    pub gap_bytes: u64,
    /// Messages given up because `head_bytes_max` or `stream_bytes_max` was reached.
    pub heads_max_hit: u64,
    /// Transactions given up because `pending_max` was reached.
    pub pending_max_hit: u64,
    /// Files to be stored.
    pub files_stored: u64,
    /// Bodies followed no further because their limit was reached.
    pub bodies_max_hit: u64,
    /// Bodies decoded no further because they grew too much.
    pub decompression_max_hit: u64,
    /// Transactions emitted.
    pub transactions: u64,
    /// Bytes kept at this time: out-of-order segments, heads, first bytes of flows whose protocol
    /// is not known yet.
    pub stream_bytes: u64,
}

impl Counters {
    /// The counters by name, as `part.counter`, for logs.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("decoder.pkts", self.packets),
            ("decoder.bytes", self.bytes),
            ("decoder.invalid", self.damaged),
            ("decoder.not_ip", self.not_ip),
            ("decoder.fragments_not_reassembled", self.fragments),
            ("decoder.bad_checksums", self.bad_checksums),
            ("flow.total", self.flows),
            ("flow.evicted", self.flows_evicted),
            ("tcp.strays", self.strays),
            ("tcp.segments_invalid", self.segments_invalid),
            ("tcp.segments_max_hit", self.segments_max_hit),
            ("tcp.reassembly_gap", self.gaps),
            ("tcp.reassembly_gap_bytes", self.gap_bytes),
            ("tcp.memuse", self.stream_bytes),
            ("app_layer.transactions", self.transactions),
            ("app_layer.heads_max_hit", self.heads_max_hit),
            ("app_layer.pending_max_hit", self.pending_max_hit),
            ("file_store.files", self.files_stored),
            ("app_layer.bodies_max_hit", self.bodies_max_hit),
            (
                "app_layer.decompression_max_hit",
                self.decompression_max_hit,
            ),
        ]
    }
}
