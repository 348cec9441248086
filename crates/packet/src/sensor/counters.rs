//! What a sensor counts.

use std::sync::LazyLock;

use crate::applayer::{AppProto, PROTOCOLS};
use crate::decode::{Damage, Decoded, Layer, TcpFlags};
use crate::defrag;
use crate::flow::{Flow, FlowState, Proto, TcpState};

use super::exception::ExceptionCounters;
use super::visit::shown_state;

/// Declares the counters with the names that they are logged under.
macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident => $name:literal,)*) => {
        /// Counters of a [`Sensor`](super::Sensor); they only grow.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[$doc])* pub $field: u64,)*
            /// By application protocol.
            pub apps: AppCounters,
            /// Layers and decoder events.
            pub decode: DecodeCounters,
            /// Fragments.
            pub defrag: defrag::Counters,
            /// Policies of exceptions.
            pub exceptions: ExceptionCounters,
        }

        impl Counters {
            /// The counters by name, as `part.counter`, for logs.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                let mut named = vec![$(($name, self.$field),)*];
                self.apps.name(&mut named);
                named.extend(self.decode.named(self.bytes, self.packets));
                named.extend(defrag_named(&self.defrag));
                named.extend(self.exceptions.named());
                named
            }
        }
    };
}

counters! {
    /// Frames taken.
    packets => "decoder.pkts",
    /// Their captured bytes.
    bytes => "decoder.bytes",
    /// Packets that cannot be used, as their receiver would not either.
    damaged => "decoder.invalid",
    /// Frames without a readable IP header (ARP, LLDP, damaged).
    not_ip => "decoder.not_ip",
    /// Packets with a wrong checksum.
    bad_checksums => "decoder.bad_checksums",
    /// TCP segments not read for a wrong checksum.
    bad_tcp_checksums => "tcp.invalid_checksum",
    /// SYNs.
    tcp_syn => "tcp.syn",
    /// SYN/ACKs.
    tcp_synack => "tcp.synack",
    /// RSTs.
    tcp_rst => "tcp.rst",
    /// Segments with urgent data.
    tcp_urg => "tcp.urg",
    /// Urgent bytes taken out of streams.
    urgent_bytes => "tcp.urgent_oob_data",
    /// TCP connections followed.
    tcp_sessions => "tcp.sessions",
    /// Those taken up midstream.
    tcp_midstream_pickups => "tcp.midstream_pickups",
    /// TCP packets that belong to no flow and cannot start one (RST).
    strays => "tcp.strays",
    /// TCP segments that were not in the window or whose numbers were wrong.
    segments_invalid => "tcp.segments_invalid",
    /// Out-of-order segments kept.
    segments_buffered => "tcp.segments_buffered",
    /// Times that `segments_max`, `segment_bytes_max` or `stream_bytes_max` was reached.
    segments_max_hit => "tcp.segments_max_hit",
    /// Streams whose depth was reached.
    depth_reached => "tcp.stream_depth_reached",
    /// Gaps declared in streams.
    gaps => "tcp.reassembly_gap",
    /// Bytes missing in those gaps.
    gap_bytes => "tcp.reassembly_gap_bytes",
    /// Segments that overlap others.
    overlaps => "tcp.overlap",
    /// Those that say something else.
    overlaps_different => "tcp.overlap_diff_data",
    /// Files to be stored.
    files_stored => "file_store.files",
    /// Bodies followed no further because their limit was reached.
    bodies_max_hit => "app_layer.bodies_max_hit",
    /// Bodies decoded no further because they grew too much.
    decompression_max_hit => "app_layer.decompression_max_hit",
    /// Bytes kept at this time: out-of-order segments, heads, first bytes of flows whose protocol
    /// is not known yet.
    stream_bytes => "tcp.memuse",
    /// Flows started.
    flows => "flow.total",
    /// TCP flows started.
    flows_tcp => "flow.tcp",
    /// UDP flows started.
    flows_udp => "flow.udp",
    /// ICMP flows started.
    flows_icmpv4 => "flow.icmpv4",
    /// ICMPv6 flows started.
    flows_icmpv6 => "flow.icmpv6",
    /// Connections on the addresses and ports of one that was closed.
    tcp_reuse => "flow.tcp_reuse",
    /// Flows given up because `flows_max` was reached.
    flows_evicted => "flow.evicted",
    /// Times that `flows_max` was reached and timeouts became short.
    emergencies => "flow.emerg_mode_entered",
    /// Times that enough flows had left again.
    emergencies_over => "flow.emerg_mode_over",
    /// Flows that ended with one side heard, or in the handshake.
    ended_new => "flow.end.state.new",
    /// Flows that ended open.
    ended_established => "flow.end.state.established",
    /// Flows that ended closed.
    ended_closed => "flow.end.state.closed",
    /// Flows that ended bypassed.
    ended_bypassed => "flow.end.state.local_bypassed",
    /// Packets of flows that are bypassed.
    bypassed_packets => "flow_bypassed.local_pkts",
    /// Their captured bytes.
    bypassed_bytes => "flow_bypassed.local_bytes",
    /// TCP flows that ended without a connection.
    ended_none => "flow.end.tcp_state.none",
    /// Connections that ended with a SYN.
    ended_syn_sent => "flow.end.tcp_state.syn_sent",
    /// Connections that ended with a SYN/ACK.
    ended_syn_recv => "flow.end.tcp_state.syn_recv",
    /// Connections that ended open.
    ended_open => "flow.end.tcp_state.established",
    /// Connections that ended after the server's FIN.
    ended_fin_wait1 => "flow.end.tcp_state.fin_wait1",
    /// Connections that ended after the server's FIN was acknowledged.
    ended_fin_wait2 => "flow.end.tcp_state.fin_wait2",
    /// Connections that ended before the last acknowledgement.
    ended_time_wait => "flow.end.tcp_state.time_wait",
    /// Connections that ended before the last acknowledgement, the client having closed first.
    ended_last_ack => "flow.end.tcp_state.last_ack",
    /// Connections that ended after the client's FIN.
    ended_close_wait => "flow.end.tcp_state.close_wait",
    /// Connections that ended while both closed at once.
    ended_closing => "flow.end.tcp_state.closing",
    /// Connections that ended as they should.
    ended_tcp_closed => "flow.end.tcp_state.closed",
    /// Transactions emitted.
    transactions => "app_layer.transactions",
    /// Messages given up because `head_bytes_max` or `stream_bytes_max` was reached.
    heads_max_hit => "app_layer.heads_max_hit",
    /// Transactions given up because `pending_max` was reached.
    pending_max_hit => "app_layer.pending_max_hit",
    /// Frames told before they were complete because too many were open.
    frames_max_hit => "app_layer.frames_max_hit",
    /// Announced flows that were not noted because `EXPECTATIONS_MAX` was reached.
    expectations_max_hit => "app_layer.expectations_max_hit",
}

impl Counters {
    /// Counts a TCP segment by its flags.
    pub(super) fn segment(&mut self, flags: TcpFlags) {
        if flags.urg() {
            add(&mut self.tcp_urg);
        }
        match (flags.rst(), flags.syn(), flags.ack()) {
            (true, _, _) => add(&mut self.tcp_rst),
            (_, true, false) => add(&mut self.tcp_syn),
            (_, true, true) => add(&mut self.tcp_synack),
            (_, false, _) => {}
        }
    }

    /// Counts a flow by how it ended.
    pub(super) fn flow_ended(&mut self, flow: &Flow) {
        match shown_state(flow) {
            FlowState::New => add(&mut self.ended_new),
            FlowState::Established => add(&mut self.ended_established),
            FlowState::Closed => add(&mut self.ended_closed),
            FlowState::Bypassed => add(&mut self.ended_bypassed),
        }
        if flow.tuple.proto != Proto::Tcp {
            return;
        }
        add(match flow.tcp_state.unwrap_or_default() {
            TcpState::None => &mut self.ended_none,
            TcpState::SynSent => &mut self.ended_syn_sent,
            TcpState::SynRecv => &mut self.ended_syn_recv,
            TcpState::Established => &mut self.ended_open,
            TcpState::FinWait1 => &mut self.ended_fin_wait1,
            TcpState::FinWait2 => &mut self.ended_fin_wait2,
            TcpState::TimeWait => &mut self.ended_time_wait,
            TcpState::LastAck => &mut self.ended_last_ack,
            TcpState::CloseWait => &mut self.ended_close_wait,
            TcpState::Closing => &mut self.ended_closing,
            TcpState::Closed => &mut self.ended_tcp_closed,
        });
    }
}

fn defrag_named(defrag: &defrag::Counters) -> [(&'static str, u64); 9] {
    [
        ("defrag.ipv4.fragments", defrag.ipv4_fragments),
        ("defrag.ipv4.reassembled", defrag.ipv4_reassembled),
        ("defrag.ipv6.fragments", defrag.ipv6_fragments),
        ("defrag.ipv6.reassembled", defrag.ipv6_reassembled),
        ("defrag.mgr.tracker_timeout", defrag.timeouts),
        ("defrag.max_trackers_reached", defrag.trackers_max_hit),
        ("defrag.max_frags_reached", defrag.fragments_max_hit),
        ("defrag.memcap_reached", defrag.bytes_max_hit),
        ("defrag.memuse", defrag.bytes),
    ]
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
            let is_layer_bound = *damage == Damage::TooManyLayers;
            let name = if is_layer_bound {
                damage.name()
            } else {
                damage.counter()
            };
            (name, self.damage(*damage))
        });
        sizes.into_iter().chain(layers).chain(damages)
    }
}

/// Room for this many protocols.
const APPS_MAX: usize = 64;

/// What is counted of each application protocol, over TCP and over other transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppCounters {
    counts: [[[u32; 2]; APPS_MAX]; 3],
}

impl Default for AppCounters {
    fn default() -> Self {
        Self {
            counts: [[[0; 2]; APPS_MAX]; 3],
        }
    }
}

impl AppCounters {
    /// A flow whose protocol is known now.
    pub(crate) fn flow(&mut self, flow: &Flow) {
        self.add(0, flow);
    }

    /// A transaction that begins.
    pub(crate) fn transaction(&mut self, flow: &Flow) {
        self.add(1, flow);
    }

    /// A parser that gave up.
    pub(crate) fn error(&mut self, flow: &Flow) {
        self.add(2, flow);
    }

    fn add(&mut self, what: usize, flow: &Flow) {
        let known = PROTOCOLS.iter().position(|known| known.app == flow.app);
        let other = || OTHERS.iter().position(|(_, app)| *app == flow.app);
        let at = known.or_else(|| other()?.checked_add(PROTOCOLS.len()));
        let transport = usize::from(flow.tuple.proto != Proto::Tcp);
        let count = at.and_then(|at| self.counts.get_mut(what)?.get_mut(at)?.get_mut(transport));
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
    }

    fn name(&self, named: &mut Vec<(&'static str, u64)>) {
        for name in NAMES.iter() {
            let count = self
                .counts
                .get(name.what)
                .and_then(|counts| counts.get(name.app))
                .map_or(0, |[tcp, udp]| match name.transport {
                    Transports::Tcp => u64::from(*tcp),
                    Transports::Udp => u64::from(*udp),
                    Transports::Any => u64::from(*tcp).saturating_add(u64::from(*udp)),
                });
            named.push((name.text.as_str(), count));
        }
    }
}

/// The name of one counter of a protocol.
struct Name {
    text: String,
    what: usize,
    app: usize,
    transport: Transports,
}

#[derive(Clone, Copy)]
enum Transports {
    Tcp,
    Udp,
    Any,
}

/// A protocol that is spoken over both transports is counted apart for each.
static NAMES: LazyLock<Vec<Name>> = LazyLock::new(|| {
    let mut names = Vec::new();
    let protocols = PROTOCOLS.iter().map(|known| (known.name, known.app));
    let all = protocols.chain(OTHERS.iter().copied()).enumerate();
    for (app, (name, proto)) in all {
        let transports: &[(Transports, &str)] = match is_over_both(proto) {
            true => &[(Transports::Tcp, "_tcp"), (Transports::Udp, "_udp")],
            false => &[(Transports::Any, "")],
        };
        for &(transport, suffix) in transports {
            for (what, prefix, counter) in [
                (0, "app_layer.flow", ""),
                (1, "app_layer.tx", ""),
                (2, "app_layer.error", ".parser"),
            ] {
                if what > 0 && proto == AppProto::Failed {
                    continue;
                }
                names.push(Name {
                    text: format!("{prefix}.{name}{suffix}{counter}"),
                    what,
                    app,
                    transport,
                });
            }
        }
    }
    names
});

/// What is counted and has no line in the table.
const OTHERS: [(&str, AppProto); 2] = [("failed", AppProto::Failed), ("doh2", AppProto::Doh2)];

fn is_over_both(app: AppProto) -> bool {
    matches!(
        app,
        AppProto::Failed
            | AppProto::Dns
            | AppProto::Dcerpc
            | AppProto::Enip
            | AppProto::Krb5
            | AppProto::Ldap
            | AppProto::Nfs
            | AppProto::Sip
    )
}

fn add(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
