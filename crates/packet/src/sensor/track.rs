//! One packet's way through flow, stream and application layer.

use super::visit::{Taken, Visit};
use super::{EndReason, Event, Outcome, Sensor, Sink, StreamOptions};
use crate::applayer::detection::speaks_reversed;
use crate::decode::{Decoded, Ip, Original, Tcp, Transport};
use crate::flow::{
    Direction, FiveTuple, Flow, FlowAction, FlowId, FlowState, Macs, Proto, SynTraits, spi_as_ports,
};
use crate::frame::Frame;

impl Sensor {
    /// Finds or starts the flow of a decoded packet and takes the packet into it. Returns the flow's
    /// place in the table, and which way the packet goes.
    pub(super) fn track(
        &mut self,
        frame: &Frame<'_>,
        decoded: &Decoded<'_>,
        out: &mut Sink<'_>,
    ) -> Option<(u32, Direction)> {
        let ip = decoded.ip.as_ref()?;
        if !self.config.field_flows && matches!(decoded.transport, Transport::Unsound(..)) {
            // its host will not take it: it is no part of a flow
            return None;
        }
        let (keyed, is_error) = match self.about(decoded) {
            About::Itself => (tuple_of(ip, &decoded.transport), false),
            About::Flow(tuple) => (tuple, true),
            About::Nothing => return None,
        };
        let scope = self.scope(decoded);
        if let Some((slot, direction)) = self.table.find_recent(&keyed, scope) {
            // other sensors know no directions of such flows
            let is_aimless = matches!(keyed.proto, Proto::Other(proto) if proto != SCTP);
            let direction = match self.config.field_flows && is_aimless {
                true => Direction::ToServer,
                false => direction,
            };
            if self.config.field_flows && self.table.is_expired(slot, self.now_ns) {
                self.end_flow(slot, EndReason::Timeout, out);
            } else {
                let (taken, direction) = self.visit(slot, direction, (frame, decoded, &keyed), out);
                if taken != Taken::NewConnection {
                    return Some((slot, direction));
                }
                self.counters.tcp_reuse = self.counters.tcp_reuse.saturating_add(1);
                self.end_flow(slot, EndReason::Replaced, out);
            }
        }
        if is_error {
            return None;
        }
        let tuple = keyed.shown();
        let Some(flow) = self.new_flow(tuple, frame, decoded) else {
            self.counters.strays = self.counters.strays.saturating_add(1);
            return None;
        };
        if self.table.is_full() {
            let entered = u64::from(self.table.enter_emergency());
            let counters = &mut self.counters;
            counters.emergencies = counters.emergencies.saturating_add(entered);
            if let Some(victim) = self.table.victim() {
                counters.flows_evicted = counters.flows_evicted.saturating_add(1);
                self.end_flow(victim, EndReason::Evicted, out);
            }
        }
        let from_client = flow.tuple == tuple;
        let client_first = match from_client {
            true => keyed,
            false => keyed.reversed(),
        };
        let slot = self.table.insert(&flow, &client_first)?;
        self.count_flow(flow.tuple.proto);
        out(Event::FlowStart(&flow));
        let direction = match from_client {
            true => Direction::ToServer,
            false => Direction::ToClient,
        };
        let (_, direction) = self.visit(slot, direction, (frame, decoded, &keyed), out);
        Some((slot, direction))
    }

    /// What flow a packet belongs to. Anybody can forge an ICMP error, so it is a packet of the flow
    /// that it is about only where flows are as for other sensors: of these errors, they count those
    /// that say that a destination cannot be reached, where they know the flow, and no other.
    fn about(&self, decoded: &Decoded<'_>) -> About {
        let Transport::Icmp4(icmp) = &decoded.transport else {
            return About::Itself;
        };
        if !self.config.field_flows || !icmp.is_error4() {
            return About::Itself;
        }
        let about = icmp.original4().filter(|_| icmp.kind == UNREACHABLE);
        let about = about.and_then(tuple_of_original);
        match about.filter(|about| self.table.find(about, self.scope(decoded)).is_some()) {
            Some(about) => About::Flow(about),
            None => About::Nothing,
        }
    }

    /// Removes a flow and says its last words.
    pub(super) fn end_flow(&mut self, slot: u32, reason: EndReason, out: &mut Sink<'_>) {
        let was_emergency = self.table.in_emergency();
        let was_expired = self.table.is_expired(slot, self.now_ns);
        let Some((mut entry, tuple)) = self.table.remove(slot) else {
            return;
        };
        if was_emergency {
            let over = u64::from(!self.table.in_emergency());
            let counters = &mut self.counters;
            counters.emergencies_over = counters.emergencies_over.saturating_add(over);
        }
        let ts_ns = entry.last_ns;
        // what did not go on is no transaction of anybody
        let is_dropped = entry.standing.action == Some(FlowAction::Drop);
        let (config, counters) = (&self.config, &mut self.counters);
        let ranges = &mut self.ranges;
        let mut visit = Visit {
            config,
            counters,
            expectations: &mut self.expectations,
            refused: &mut self.refused,
            passed: &mut self.passed,
            in_stream: &mut self.in_stream,
            ranges,
            entry: &mut entry,
            ends: &tuple,
            sent: Direction::ToServer,
            ts_ns,
            out,
        };
        if is_dropped {
            visit.drop_session();
        } else {
            visit.end_session();
        }
        let is_unanswered = entry.tcp.is_unanswered(&entry.standing);
        let flow = Flow {
            in_emergency: was_emergency,
            ..entry.view(tuple)
        };
        let is_late = reason == EndReason::Timeout || was_expired;
        if is_late && is_unanswered {
            out(Event::Attempt(&flow, Outcome::Unanswered));
        }
        let reason = match flow.state {
            FlowState::Closed if !matches!(reason, EndReason::Shutdown | EndReason::Replaced) => {
                entry.tcp.close_reason()
            }
            FlowState::Closed if !self.config.stream.lenient => entry.tcp.close_reason(),
            FlowState::New | FlowState::Established | FlowState::Closed | FlowState::Bypassed => {
                reason
            }
        };
        self.counters.flow_ended(&flow);
        out(Event::FlowEnd(&flow, reason));
    }

    /// Takes a packet into its flow. Returns what became of it, and which way it goes.
    fn visit(
        &mut self,
        slot: u32,
        mut direction: Direction,
        (frame, decoded, packet): (&Frame<'_>, &Decoded<'_>, &FiveTuple),
        out: &mut Sink<'_>,
    ) -> (Taken, Direction) {
        if self.is_reversed(slot, direction, decoded) {
            self.table.reverse(slot);
            direction = direction.reversed();
        }
        let Some(entry) = self.table.get_mut(slot) else {
            return (Taken::No, direction);
        };
        self.was_established = entry.is_established();
        let (config, counters) = (&self.config, &mut self.counters);
        let ranges = &mut self.ranges;
        let seen_ns = entry.last_ns;
        let taken = Visit {
            config,
            counters,
            expectations: &mut self.expectations,
            refused: &mut self.refused,
            passed: &mut self.passed,
            in_stream: &mut self.in_stream,
            ranges,
            entry,
            ends: packet,
            sent: direction,
            ts_ns: frame.ts_ns,
            out,
        }
        .packet(frame, decoded, direction);
        if taken == Taken::Yes {
            self.table.touch(slot);
        } else if !self.config.field_flows
            && let Some(entry) = self.table.get_mut(slot)
        {
            // else it would keep alive its flow, and with it all that stand behind it in their list
            entry.last_ns = seen_ns;
        }
        (taken, direction)
    }

    /// Whether the first data of a flow shows that who was taken for the client is the server: for
    /// flows whose beginning was not seen, nothing else tells.
    fn is_reversed(&self, slot: u32, direction: Direction, decoded: &Decoded<'_>) -> bool {
        let Some(entry) = self.table.get(slot).filter(|entry| entry.cold.is_none()) else {
            return false;
        };
        let (payload, unsure) = match &decoded.transport {
            Transport::Tcp(tcp) => (tcp.payload, entry.standing.midstream),
            Transport::Udp(udp) => (udp.payload, entry.packets(direction.reversed()) == 0),
            Transport::Absent
            | Transport::Esp(_)
            | Transport::Icmp4(_)
            | Transport::Icmp6(_)
            | Transport::Other(_)
            | Transport::Sctp(..)
            | Transport::Unsound(..) => return false,
        };
        let is_followed = self.config.stream.midstream || entry.proto() != Proto::Tcp;
        unsure
            && is_followed
            && !payload.is_empty()
            && speaks_reversed(&self.config, &self.table.tuple(entry), direction, payload)
    }

    fn count_flow(&mut self, proto: Proto) {
        let counters = &mut self.counters;
        counters.flows = counters.flows.saturating_add(1);
        let of_proto = match proto {
            Proto::Tcp => &mut counters.flows_tcp,
            Proto::Udp => &mut counters.flows_udp,
            Proto::Icmp => &mut counters.flows_icmpv4,
            Proto::Icmp6 => &mut counters.flows_icmpv6,
            Proto::Other(_) => return,
        };
        *of_proto = of_proto.saturating_add(1);
    }

    /// A flow whose first packet this is; `None` when the packet cannot start one.
    fn new_flow(
        &mut self,
        tuple: FiveTuple,
        frame: &Frame<'_>,
        decoded: &Decoded<'_>,
    ) -> Option<Flow> {
        let start = Start::of(&tuple, decoded, &self.config.stream)?;
        self.flows_started = self.flows_started.saturating_add(1);
        let after = self.config.flow_ids_after;
        let id = FlowId(after.saturating_add(self.flows_started));
        let tuple = match start.by_server {
            true => tuple.reversed(),
            false => tuple,
        };
        Some(Flow {
            midstream: start.midstream,
            syn: start.syn,
            scope: self.scope(decoded),
            macs: self.config.macs.then(Macs::default),
            ..Flow::new(id, tuple, decoded.vlans, frame.ts_ns)
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
    fn of(tuple: &FiveTuple, decoded: &Decoded<'_>, options: &StreamOptions) -> Option<Self> {
        let by_server = options.ports_tell && looks_like_server(tuple);
        let Transport::Tcp(tcp) = &decoded.transport else {
            return Some(Self {
                by_server,
                midstream: false,
                syn: None,
            });
        };
        match (tcp.flags.rst(), tcp.flags.syn(), tcp.flags.ack()) {
            (true, _, _) if !options.lenient => None,
            (true, _, _) => Some(Self {
                by_server: false,
                midstream: true,
                syn: None,
            }),
            (false, true, false) => {
                let syn = decoded.ip.map(|ip| syn_traits(&ip, tcp));
                Some(Self {
                    by_server: false,
                    midstream: false,
                    syn,
                })
            }
            (false, true, true) => Some(Self {
                by_server: options.midstream || options.async_oneside,
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
    let (src_port, dst_port) = if let Transport::Esp(spi) = transport {
        spi_as_ports(*spi, (ip.src, ip.dst))
    } else {
        transport.ports()
    };
    let proto = Proto::from_number(ip.protocol);
    FiveTuple {
        src: ip.src,
        src_port,
        dst: ip.dst,
        dst_port,
        proto,
    }
}

/// What flow a packet belongs to.
enum About {
    Itself,
    /// The one between these ends.
    Flow(FiveTuple),
    Nothing,
}

/// From the receiver of the packet that an ICMP error is about to its sender: the error goes that way.
fn tuple_of_original(original: Original) -> Option<FiveTuple> {
    matches!(original.protocol, 6 | 17).then(|| FiveTuple {
        src: original.dst,
        src_port: original.ports.1,
        dst: original.src,
        dst_port: original.ports.0,
        proto: Proto::from_number(original.protocol),
    })
}

/// The type of ICMP messages that a destination cannot be reached (RFC 792).
const UNREACHABLE: u8 = 3;

/// The protocol number of SCTP.
const SCTP: u8 = 132;

/// Ports below this are assigned to services (RFC 6335 section 6: system ports).
const WELL_KNOWN_PORTS: u16 = 1024;
const NFS_PORT: u16 = 2049;
