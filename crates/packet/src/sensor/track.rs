//! One packet's way through flow, stream and application layer.

use super::visit::{Taken, Visit};
use super::{EndReason, Event, Outcome, Sensor, Sink};
use crate::applayer::AppProto;
use crate::decode::{Decoded, Ip, Tcp, Transport};
use crate::flow::key::Key;
use crate::flow::{Counts, FiveTuple, Flow, FlowId, FlowState, Proto, SynTraits};
use crate::frame::Frame;

impl Sensor {
    /// Finds or starts the flow of a decoded packet and takes the packet into it.
    pub(super) fn track(&mut self, frame: &Frame<'_>, decoded: &Decoded<'_>, out: &mut Sink<'_>) {
        let Some(ip) = &decoded.ip else { return };
        let tuple = tuple_of(ip, &decoded.transport);
        if let Some(slot) = self.table.find(&Key::new(&tuple, &decoded.vlans)) {
            if self.visit(slot, frame, decoded, out) != Taken::NewConnection {
                return;
            }
            self.end_flow(slot, EndReason::Replaced, out);
        }
        let Some(flow) = self.new_flow(tuple, frame, decoded) else {
            self.counters.strays = self.counters.strays.saturating_add(1);
            return;
        };
        if let Some(victim) = self.table.victim().filter(|_| self.table.is_full()) {
            self.counters.flows_evicted = self.counters.flows_evicted.saturating_add(1);
            self.end_flow(victim, EndReason::Evicted, out);
        }
        if let Some(slot) = self.table.insert(flow) {
            self.counters.flows = self.counters.flows.saturating_add(1);
            out(Event::FlowStart(&flow));
            self.visit(slot, frame, decoded, out);
        }
    }

    /// Removes a flow and says its last words.
    pub(super) fn end_flow(&mut self, slot: u32, reason: EndReason, out: &mut Sink<'_>) {
        let Some(mut entry) = self.table.remove(slot) else {
            return;
        };
        let ts_ns = entry.flow.last_ns;
        let (config, counters) = (&self.config, &mut self.counters);
        Visit {
            config,
            counters,
            entry: &mut entry,
            ts_ns,
            out,
        }
        .end_session();
        if reason == EndReason::Timeout && entry.tcp.is_unanswered(&entry.flow) {
            out(Event::Attempt(&entry.flow, Outcome::Unanswered));
        }
        let reason = match entry.flow.state {
            FlowState::Closed => entry.tcp.close_reason(),
            FlowState::New | FlowState::Established => reason,
        };
        out(Event::FlowEnd(&entry.flow, reason));
    }

    /// Takes a packet into its flow.
    fn visit(
        &mut self,
        slot: u32,
        frame: &Frame<'_>,
        decoded: &Decoded<'_>,
        out: &mut Sink<'_>,
    ) -> Taken {
        let Some(entry) = self.table.get_mut(slot) else {
            return Taken::No;
        };
        let (config, counters) = (&self.config, &mut self.counters);
        let taken = Visit {
            config,
            counters,
            entry,
            ts_ns: frame.ts_ns,
            out,
        }
        .packet(frame, decoded);
        if taken == Taken::Yes {
            self.table.touch(slot);
        }
        taken
    }

    /// A flow whose first packet this is; `None` when the packet cannot start one.
    fn new_flow(
        &mut self,
        tuple: FiveTuple,
        frame: &Frame<'_>,
        decoded: &Decoded<'_>,
    ) -> Option<Flow> {
        let start = Start::of(&tuple, decoded)?;
        self.flows_started = self.flows_started.saturating_add(1);
        Some(Flow {
            id: FlowId(
                self.config
                    .flow_ids_after
                    .saturating_add(self.flows_started),
            ),
            tuple: if start.by_server {
                tuple.reversed()
            } else {
                tuple
            },
            vlan: decoded.vlans,
            start_ns: frame.ts_ns,
            last_ns: frame.ts_ns,
            to_server: Counts::default(),
            to_client: Counts::default(),
            state: FlowState::New,
            client_proven: false,
            server_proven: false,
            midstream: start.midstream,
            syn: start.syn,
            app: AppProto::Unknown,
            transactions: 0,
            files: 0,
        })
    }
}

/// How a flow begins.
struct Start {
    /// Its first packet comes from the server.
    by_server: bool,
    midstream: bool,
    syn: Option<SynTraits>,
}

impl Start {
    fn of(tuple: &FiveTuple, decoded: &Decoded<'_>) -> Option<Self> {
        let by_server = looks_like_server(tuple);
        let Transport::Tcp(tcp) = &decoded.transport else {
            return Some(Self {
                by_server,
                midstream: false,
                syn: None,
            });
        };
        match (tcp.flags.rst(), tcp.flags.syn(), tcp.flags.ack()) {
            (true, _, _) => None,
            (false, true, false) => {
                let syn = decoded.ip.map(|ip| syn_traits(&ip, tcp));
                Some(Self {
                    by_server: false,
                    midstream: false,
                    syn,
                })
            }
            (false, true, true) => Some(Self {
                by_server: true,
                midstream: true,
                syn: None,
            }),
            (false, false, _) => Some(Self {
                by_server,
                midstream: true,
                syn: None,
            }),
        }
    }
}

/// Without a SYN, the side with the only well-known port is the server; else the first to send is
/// the client. Clients of NFS send from well-known ports.
fn looks_like_server(tuple: &FiveTuple) -> bool {
    let is_unknown = |port: u16| port >= WELL_KNOWN_PORTS && port != NFS_PORT;
    tuple.src_port < WELL_KNOWN_PORTS && is_unknown(tuple.dst_port)
}

fn syn_traits(ip: &Ip<'_>, tcp: &Tcp<'_>) -> SynTraits {
    let options = tcp.options();
    SynTraits {
        ttl: ip.ttl,
        window: tcp.window,
        mss: options.mss,
        wscale: options.wscale,
        timestamp: options.timestamp,
        options_hash: options.layout_hash,
    }
}

/// The tuple as the packet has it: its sender first.
pub(super) fn tuple_of(ip: &Ip<'_>, transport: &Transport<'_>) -> FiveTuple {
    let (src_port, dst_port) = transport.ports();
    let proto = Proto::from_number(ip.protocol);
    FiveTuple {
        src: ip.src,
        src_port,
        dst: ip.dst,
        dst_port,
        proto,
    }
}

/// Ports below this are assigned to services (RFC 6335 section 6: system ports).
const WELL_KNOWN_PORTS: u16 = 1024;
const NFS_PORT: u16 = 2049;
