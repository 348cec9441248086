//! One packet in one flow: counts, TCP state, streams, application layer.

use super::session::Session;
use super::{Anomaly, Config, Counters, Event, Sink, StreamTrouble};
use crate::applayer::{Context, Expectations};
use crate::decode::{Decoded, Tcp, Transport};
use crate::flow::table::Entry;
use crate::flow::tcp::Step;
use crate::flow::{Direction, FlowState};
use crate::frame::Frame;

/// What became of the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// It changed nothing: it does not keep the flow alive either.
    No,
    /// It starts a new connection on the flow's addresses and ports.
    NewConnection,
}

/// A flow and what is needed to work on it.
pub(super) struct Visit<'a, 'out> {
    pub(super) config: &'a Config,
    pub(super) counters: &'a mut Counters,
    pub(super) expectations: &'a mut Expectations,
    pub(super) entry: &'a mut Entry,
    pub(super) ts_ns: u64,
    pub(super) out: &'a mut Sink<'out>,
}

impl Visit<'_, '_> {
    pub(super) fn packet(&mut self, frame: &Frame<'_>, decoded: &Decoded<'_>) -> Taken {
        let Some(ip) = &decoded.ip else {
            return Taken::No;
        };
        let (src_port, _) = decoded.transport.ports();
        let direction = self.entry.flow.direction(ip.src, src_port);
        match &decoded.transport {
            Transport::Tcp(tcp) => self.tcp(frame, direction, tcp),
            Transport::Udp(udp) => {
                self.count(frame, direction, udp.payload_len);
                self.answered(direction);
                self.datagram(direction, udp.payload);
                Taken::Yes
            }
            Transport::Absent | Transport::Icmp4(_) | Transport::Icmp6(_) | Transport::Other(_) => {
                self.count(frame, direction, ip.payload_len);
                self.answered(direction);
                Taken::Yes
            }
        }
    }

    /// The flow is over: its parser yields what it still has.
    pub(super) fn end_session(&mut self) {
        self.with_session(|session, cx| {
            session.end(cx);
            None
        });
    }

    /// Both sides sent FIN: with no byte missing, nothing more will come. After a RST the session
    /// stays as long as the flow: the host may never have got it.
    fn end_drained_session(&mut self) {
        let ends = [Direction::ToServer, Direction::ToClient]
            .map(|direction| self.entry.tcp.stream_end(direction));
        if self
            .entry
            .session
            .as_ref()
            .is_some_and(|session| session.is_drained(ends))
        {
            self.end_session();
        }
    }

    fn tcp(&mut self, frame: &Frame<'_>, direction: Direction, tcp: &Tcp<'_>) -> Taken {
        let was_open = self.entry.flow.state != FlowState::Closed;
        self.entry.tcp.note_way(direction, frame.way);
        let step = self.entry.tcp.segment(&mut self.entry.flow, direction, tcp);
        if step.restart {
            return Taken::NewConnection;
        }
        // what the host would not take is no payload
        let payload_len = if step.accepted { tcp.payload_len } else { 0 };
        self.count(frame, direction, payload_len);
        self.report(&step);
        if step.accepted && !tcp.payload.is_empty() {
            self.payload(direction, tcp);
        }
        if step.ack_valid {
            let (behind, ack) = (direction.reversed(), tcp.ack);
            let ack = self.entry.tcp.without_fin(behind, ack);
            self.with_session(|session, cx| session.acknowledged(cx, behind, ack));
        }
        if was_open && self.entry.flow.state == FlowState::Closed {
            if !step.reset {
                self.end_drained_session();
            }
            let by = self.entry.tcp.closed_by(direction);
            (self.out)(Event::Closed(&self.entry.flow, by));
        }
        if step.is_valid() {
            Taken::Yes
        } else {
            Taken::No
        }
    }

    fn report(&mut self, step: &Step) {
        if let Some(trouble) = step.trouble {
            self.counters.segments_invalid = self.counters.segments_invalid.saturating_add(1);
            self.trouble(trouble);
        }
        if let Some(outcome) = step.outcome {
            (self.out)(Event::Attempt(&self.entry.flow, outcome));
        }
        if step.client_proven {
            (self.out)(Event::Proven(&self.entry.flow));
        }
    }

    fn payload(&mut self, direction: Direction, tcp: &Tcp<'_>) {
        let start = self.entry.tcp.stream_start(direction);
        let seq = tcp.seq.wrapping_add(u32::from(tcp.flags.syn()));
        self.open_session();
        self.with_session(|session, cx| session.segment(cx, direction, start, (seq, tcp.payload)));
    }

    fn datagram(&mut self, direction: Direction, payload: &[u8]) {
        if payload.is_empty() {
            return;
        }
        self.open_session();
        self.with_session(|session, cx| {
            session.datagram(cx, direction, payload);
            None
        });
    }

    fn open_session(&mut self) {
        if self.entry.session.is_none() && !self.entry.unread {
            self.entry.session = Some(Box::new(Session::new()));
        }
    }

    /// Runs `work` on the session, where there is one, keeps the account of its memory and closes
    /// it when nobody reads on or the memory for all flows is used up.
    fn with_session(
        &mut self,
        work: impl FnOnce(&mut Session, &mut Context<'_, '_>) -> Option<StreamTrouble>,
    ) {
        let Entry {
            flow,
            session: place,
            ..
        } = &mut *self.entry;
        let Some(session) = place else { return };
        let trouble = work(
            session,
            &mut Context {
                config: self.config,
                ts_ns: self.ts_ns,
                now_ns: self.ts_ns,
                flow,
                counters: self.counters,
                expectations: self.expectations,
                out: self.out,
            },
        );
        let (now, before) = session.recharge();
        let kept = self.counters.stream_bytes.saturating_sub(to_u64(before));
        let over_budget = kept.saturating_add(to_u64(now)) > to_u64(self.config.stream_bytes_max);
        if over_budget {
            self.counters.heads_max_hit = self.counters.heads_max_hit.saturating_add(1);
        }
        if session.is_over() || over_budget {
            self.counters.stream_bytes = kept;
            self.entry.session = None;
            self.entry.unread = true;
        } else {
            self.counters.stream_bytes = kept.saturating_add(to_u64(now));
        }
        if let Some(trouble) = trouble {
            self.trouble(trouble);
        }
    }

    fn trouble(&mut self, trouble: StreamTrouble) {
        let anomaly = Anomaly::stream(trouble, self.ts_ns);
        (self.out)(Event::Anomaly(Some(&self.entry.flow), &anomaly));
    }

    fn count(&mut self, frame: &Frame<'_>, direction: Direction, payload_len: u32) {
        self.entry.flow.last_ns = self.ts_ns;
        let counts = self.entry.flow.counts_mut(direction);
        counts.packets = counts.packets.saturating_add(1);
        counts.bytes = counts.bytes.saturating_add(u64::from(frame.wire_len));
        counts.payload_bytes = counts.payload_bytes.saturating_add(u64::from(payload_len));
    }

    /// Protocols without a handshake are established once the other side than the first was heard.
    fn answered(&mut self, direction: Direction) {
        let flow = &mut self.entry.flow;
        if flow.counts(direction.reversed()).packets > 0 {
            flow.state = FlowState::Established;
        }
    }
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
