//! What a sensor counts.

use crate::decode::{Damage, Decoded, Layer};
use crate::defrag;

/// Counters of a [`Sensor`](super::Sensor); they only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames taken.
    pub packets: u64,
    /// Their captured bytes.
    pub bytes: u64,
    /// Packets that cannot be used, as their receiver would not either.
    pub damaged: u64,
    /// Frames without a readable IP header (ARP, LLDP, damaged).
    pub not_ip: u64,
    /// Packets with a wrong checksum.
    pub bad_checksums: u64,
    /// TCP segments not read for a wrong checksum.
    pub bad_tcp_checksums: u64,
    /// Layers and decoder events.
    pub decode: DecodeCounters,
    /// Fragments.
    pub defrag: defrag::Counters,
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
        let mut named = vec![
            ("decoder.pkts", self.packets),
            ("decoder.bytes", self.bytes),
            ("decoder.invalid", self.damaged),
            ("decoder.not_ip", self.not_ip),
            ("decoder.bad_checksums", self.bad_checksums),
            ("tcp.invalid_checksum", self.bad_tcp_checksums),
            ("defrag.ipv4.fragments", self.defrag.ipv4_fragments),
            ("defrag.ipv4.reassembled", self.defrag.ipv4_reassembled),
            ("defrag.ipv6.fragments", self.defrag.ipv6_fragments),
            ("defrag.ipv6.reassembled", self.defrag.ipv6_reassembled),
            ("defrag.mgr.tracker_timeout", self.defrag.timeouts),
            ("defrag.max_trackers_reached", self.defrag.trackers_max_hit),
            ("defrag.max_frags_reached", self.defrag.fragments_max_hit),
            ("defrag.memcap_reached", self.defrag.bytes_max_hit),
            ("defrag.memuse", self.defrag.bytes),
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
        ];
        named.extend(self.decode.named(self.bytes, self.packets));
        named
    }
}

/// What packets were made of, and what was wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeCounters {
    layers: [u64; Layer::ALL.len()],
    damages: [u64; Damage::ALL.len()],
    /// The longest frame, captured bytes.
    size_max: u64,
}

impl Default for DecodeCounters {
    fn default() -> Self {
        Self {
            layers: [0; Layer::ALL.len()],
            damages: [0; Damage::ALL.len()],
            size_max: 0,
        }
    }
}

impl DecodeCounters {
    /// How often a decoder event was met.
    #[must_use]
    pub fn damage(&self, damage: Damage) -> u64 {
        self.damages.get(damage as usize).copied().unwrap_or(0)
    }

    /// How often a layer was met.
    #[must_use]
    pub fn layer(&self, layer: Layer) -> u64 {
        self.layers.get(layer as usize).copied().unwrap_or(0)
    }

    pub(super) fn count(&mut self, decoded: &Decoded<'_>) {
        for layer in decoded.layers.iter() {
            if let Some(counter) = self.layers.get_mut(layer as usize) {
                *counter = counter.saturating_add(1);
            }
        }
        for damage in decoded.damages.iter() {
            if let Some(counter) = self.damages.get_mut(damage as usize) {
                *counter = counter.saturating_add(1);
            }
        }
    }

    pub(super) fn size(&mut self, len: u32) {
        self.size_max = self.size_max.max(u64::from(len));
    }

    fn named(&self, bytes: u64, packets: u64) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let average = bytes.checked_div(packets).unwrap_or(0);
        let sizes = [
            ("decoder.avg_pkt_size", average),
            ("decoder.max_pkt_size", self.size_max),
        ];
        let layers = Layer::ALL.iter();
        let layers = layers.map(|layer| (layer.counter(), self.layer(*layer)));
        let damages = Damage::ALL.iter();
        let damages = damages.map(|damage| {
            let name = match damage {
                Damage::TooManyLayers => damage.name(),
                _ => damage.counter(),
            };
            (name, self.damage(*damage))
        });
        sizes.into_iter().chain(layers).chain(damages)
    }
}
