//! One packet in one flow: counts, TCP state, streams, application layer.

use super::exception::{Exception, ExceptionPolicy, Refusal};
use super::session::{Acked, Heed, Session, Troubles};
use super::{Anomaly, Config, Counters, Event, Sink, StreamTrouble, URGENT_BYTES_MAX, Urgent};
use crate::applayer::{Context, Expectations};
use crate::bytes::len32;
use crate::decode::{Decoded, Ip, Tcp, Transport};
use crate::flow::entry::{Cold, Entry};
use crate::flow::tcp::Step;
use crate::flow::{Direction, FiveTuple, Flow, FlowAction, FlowState, Proto, TcpState};
use crate::frame::Frame;
use crate::ranges::Ranges;

/// What became of the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// It changed nothing: it does not keep the flow alive either.
    No,
    /// It starts a new connection on the flow's addresses and ports.
    NewConnection,
}

/// A segment that is not looked at.
struct Ignored;

/// A flow and what is needed to work on it.
pub(super) struct Visit<'a, 'out> {
    pub(super) config: &'a Config,
    pub(super) counters: &'a mut Counters,
    pub(super) expectations: &'a mut Expectations,
    /// Inline: the packet must not go on.
    pub(super) refused: &'a mut Option<Refusal>,
    /// Rules do not look at the packet.
    pub(super) passed: &'a mut bool,
    /// The payload became part of a stream.
    pub(super) in_stream: &'a mut bool,
    pub(super) ranges: &'a mut Ranges,
    pub(super) entry: &'a mut Entry,
    /// The ends by which the flow of the packet at hand is found, its sender first, and which way it
    /// goes.
    pub(super) ends: &'a FiveTuple,
    pub(super) sent: Direction,
    pub(super) ts_ns: u64,
    pub(super) out: &'a mut Sink<'out>,
}

impl Visit<'_, '_> {
    pub(super) fn packet(
        &mut self,
        frame: &Frame<'_>,
        decoded: &Decoded<'_>,
        direction: Direction,
    ) -> Taken {
        let Some(ip) = &decoded.ip else {
            return Taken::No;
        };
        if self.config.macs {
            self.note_macs(direction, decoded);
        }
        if self.entry.standing.action == Some(FlowAction::Drop) {
            let by_exception = self.entry.standing.by_exception;
            self.refuse(match by_exception {
                true => Refusal::Exception,
                false => Refusal::Flow,
            });
            self.count(direction, (self.frame_bytes(frame), ip.payload_len, ip.ttl));
            return Taken::Yes;
        }
        if self.entry.standing.state == FlowState::Bypassed {
            if let Transport::Tcp(tcp) = &decoded.transport
                && begins(tcp)
            {
                return Taken::NewConnection;
            }
            return self.bypassed(frame, direction, ip);
        }
        let count = |visit: &mut Self, payload_len: u32| {
            visit.count(direction, (visit.frame_bytes(frame), payload_len, ip.ttl));
        };
        match &decoded.transport {
            Transport::Tcp(tcp) => self.tcp(frame, direction, tcp, ip.ttl),
            Transport::Udp(udp) => {
                count(self, udp.payload_len);
                self.answered(direction);
                self.datagram(direction, udp.payload);
                Taken::Yes
            }
            Transport::Icmp4(icmp) | Transport::Icmp6(icmp) => {
                count(self, ip.payload_len);
                if self.ends.proto == Proto::Tcp {
                    return Taken::No;
                }
                if self.ends.proto == Proto::Udp {
                    // an error about it is no answer
                    self.entry.note_error(direction);
                    return Taken::Yes;
                }
                self.entry.note_icmp(direction, icmp.code);
                self.answered(direction);
                Taken::Yes
            }
            Transport::Unsound(_, _, payload_len) => {
                count(self, *payload_len);
                Taken::Yes
            }
            Transport::Absent | Transport::Esp(_) | Transport::Other(_) | Transport::Sctp(..) => {
                count(self, ip.payload_len);
                if self.config.field_flows && !matches!(decoded.transport, Transport::Sctp(..)) {
                    return Taken::Yes;
                }
                self.answered(direction);
                Taken::Yes
            }
        }
    }

    /// Counts a packet that needs no looking at.
    fn bypassed(&mut self, frame: &Frame<'_>, direction: Direction, ip: &Ip<'_>) -> Taken {
        let bytes = self.frame_bytes(frame);
        self.count(direction, (bytes, ip.payload_len, ip.ttl));
        let counters = &mut *self.counters;
        counters.bypassed_packets = counters.bypassed_packets.saturating_add(1);
        counters.bypassed_bytes = counters.bypassed_bytes.saturating_add(u64::from(bytes));
        Taken::Yes
    }

    fn note_macs(&mut self, direction: Direction, decoded: &Decoded<'_>) {
        let cold = self.entry.cold(self.tuple());
        let Some(ether) = &decoded.ether else { return };
        let macs = cold.flow.macs.get_or_insert_default();
        match direction {
            Direction::ToServer => macs.add(ether.src, ether.dst),
            Direction::ToClient => macs.add(ether.dst, ether.src),
        }
    }

    /// The flow is over: its parser yields what it still has.
    pub(super) fn end_session(&mut self) {
        self.with_session(|session, cx| session.end(cx));
    }

    /// The flow is over, and what its parser still has is told to nobody.
    pub(super) fn drop_session(&mut self) {
        let Some(session) = self
            .entry
            .cold
            .as_mut()
            .and_then(|cold| cold.session.take())
        else {
            return;
        };
        let kept = to_u64(session.charged());
        self.counters.stream_bytes = self.counters.stream_bytes.saturating_sub(kept);
    }

    /// Both sides sent FIN: with no byte missing, nothing more will come. After a RST the session
    /// stays as long as the flow: the host may never have got it.
    fn end_drained_session(&mut self) {
        let ends = [Direction::ToServer, Direction::ToClient]
            .map(|direction| self.entry.tcp.stream_end(direction));
        let session = self.entry.cold.as_ref();
        if session
            .and_then(|cold| cold.session.as_ref())
            .is_some_and(|session| session.is_drained(ends))
        {
            self.end_session();
        }
    }

    fn tcp(&mut self, frame: &Frame<'_>, direction: Direction, tcp: &Tcp<'_>, ttl: u8) -> Taken {
        if self.is_foreign(tcp) {
            return self.foreign(frame, direction, tcp, ttl);
        }
        if self.entry.is_ignored() {
            // the SYN for want of which it was not followed
            return Taken::NewConnection;
        }
        self.entry.tcp.note_way(direction, frame.way);
        let had_exchanged = self.entry.has_exchanged();
        let rules = self.config.stream.rules(self.config.inline);
        let standing = &self.entry.standing;
        if self.entry.tcp.expects(standing, direction, tcp, &rules) {
            self.entry.note_flags(direction, tcp.flags.0);
            self.count(direction, (self.frame_bytes(frame), tcp.payload_len, ttl));
            self.streams(direction, tcp, &Step::EXPECTED);
            self.exchanged(had_exchanged);
            return Taken::Yes;
        }
        let was_open = self.entry.standing.state != FlowState::Closed;
        let before = self.entry.tcp.state();
        let standing = &mut self.entry.standing;
        let step = self.entry.tcp.segment(standing, direction, tcp, &rules);
        if step.restart {
            return Taken::NewConnection;
        }
        if before.is_none() {
            self.counters.tcp_sessions = self.counters.tcp_sessions.saturating_add(1);
            let midstream = u64::from(!tcp.flags.syn() || tcp.flags.ack());
            let pickups = &mut self.counters.tcp_midstream_pickups;
            *pickups = pickups.saturating_add(midstream);
        }
        // what the host would not take is no payload
        let payload_len = if step.accepted { tcp.payload_len } else { 0 };
        self.entry.note_flags(direction, tcp.flags.0);
        self.count(direction, (self.frame_bytes(frame), payload_len, ttl));
        self.report(direction, &step);
        let is_invalid = !step.accepted && step.trouble.is_some();
        if is_invalid && self.config.stream.drop_invalid {
            self.refuse(Refusal::Stream);
        }
        let picked_up = before.is_none() && self.entry.standing.midstream;
        if picked_up && self.config.exceptions.midstream == ExceptionPolicy::PassFlow {
            self.except(Exception::Midstream);
        }
        self.streams(direction, tcp, &step);
        self.exchanged(had_exchanged);
        let is_over = self.entry.tcp.state() == Some(TcpState::Closed);
        if is_over && before != Some(TcpState::Closed) && !step.reset && self.config.stream.on_ack {
            // the last FIN is acknowledged, too
            self.end_drained_session();
        }
        if was_open && self.entry.standing.state == FlowState::Closed {
            if !step.reset && !self.config.stream.on_ack {
                self.end_drained_session();
            }
            let by = self.entry.tcp.closed_by(direction);
            self.show(|flow, out| out(Event::Closed(flow, by)));
        }
        if step.is_valid() {
            Taken::Yes
        } else {
            Taken::No
        }
    }

    /// Says that the flow is a session from now on, where it was none before the packet at hand.
    fn exchanged(&mut self, before: bool) {
        if !before && self.entry.has_exchanged() {
            self.show(|flow, out| out(Event::Exchanged(flow)));
        }
    }

    /// Whether a segment belongs to a connection that is not followed, its SYN not having been seen.
    fn is_foreign(&self, tcp: &Tcp<'_>) -> bool {
        let options = &self.config.stream;
        let follows = self.config.exceptions.midstream.follows();
        let picks_up = follows && (options.midstream || options.async_oneside);
        let begins = begins(tcp);
        let reset = tcp.flags.rst() && options.lenient;
        self.entry.tcp.state().is_none() && !begins && (!picks_up || reset)
    }

    fn foreign(
        &mut self,
        frame: &Frame<'_>,
        direction: Direction,
        tcp: &Tcp<'_>,
        ttl: u8,
    ) -> Taken {
        self.count(direction, (self.frame_bytes(frame), 0, ttl));
        let trouble = match (tcp.flags.rst(), tcp.flags.fin()) {
            (true, _) => Some(StreamTrouble::RstButNoSession),
            (false, true) => Some(StreamTrouble::FinButNoSession),
            (false, false) => None,
        };
        if let Some(trouble) = trouble {
            self.trouble(direction, trouble);
            if self.config.stream.drop_invalid {
                self.refuse(Refusal::Stream);
            }
        } else {
            self.entry.ignore();
        }
        self.except(Exception::Midstream);
        Taken::Yes
    }

    fn report(&mut self, direction: Direction, step: &Step) {
        if step.trouble.is_some() {
            self.counters.segments_invalid = self.counters.segments_invalid.saturating_add(1);
        }
        for trouble in step.events.iter().flatten() {
            self.trouble(direction, *trouble);
        }
        if let Some(outcome) = step.outcome {
            self.show(|flow, out| out(Event::Attempt(flow, outcome)));
        }
        if step.client_proven {
            self.show(|flow, out| out(Event::Proven(flow)));
        }
    }

    /// What a segment means for the streams: the one that it acknowledges, and its own.
    fn streams(&mut self, direction: Direction, tcp: &Tcp<'_>, step: &Step) {
        let behind = direction.reversed();
        let acked = Acked {
            from: self.entry.tcp.stream_start(behind),
            to: self.entry.tcp.without_fin(behind, tcp.ack),
        };
        if step.ack_valid && self.missed_all(acked) {
            self.open_session();
        }
        let data = step.accepted && !tcp.payload.is_empty() && self.open_session();
        *self.in_stream = data;
        let (acks, reads) = self.heeds(|session, heed| {
            let acks = step.ack_valid && session.heeds_ack(behind, acked, heed);
            (acks, data && session.heeds_data(direction, heed))
        });
        let urgent = (reads || data && tcp.flags.urg()).then(|| self.urgent(direction, tcp));
        let payload = urgent.and_then(Result::ok);
        if !acks && payload.is_none() {
            return;
        }
        let start = self.entry.tcp.stream_start(direction);
        let seq = tcp.seq.wrapping_add(u32::from(tcp.flags.syn()));
        self.with_session_towards(direction, |session, cx| {
            let mut troubles = [Troubles::default(); 2];
            if acks {
                troubles[0] = session.acknowledged(cx, behind, acked);
            }
            if let Some(urgent) = payload {
                troubles[1] = session.segment(cx, direction, start, (seq, tcp.payload), urgent);
            }
            troubles
        });
        if self.entry.standing.state != FlowState::Closed && self.needs_no_more() {
            self.entry.standing.state = FlowState::Bypassed;
        }
    }

    /// Whether the settings say that the flow needs no more looking: its parser has read all that can
    /// be read, or one side was read to its depth.
    fn needs_no_more(&self) -> bool {
        let (cold, options) = (self.entry.cold.as_ref(), &self.config.stream);
        cold.is_some_and(|cold| match &cold.session {
            None => cold.is_done() && options.bypasses(cold.flow.app),
            Some(session) => options.bypass && session.is_at(options.depth_of(cold.flow.app)),
        })
    }

    /// Whether bytes are acknowledged of a flow whose data was not seen at all: a gap like any other.
    fn missed_all(&self, acked: Acked) -> bool {
        let cold = self.entry.cold.as_ref();
        let is_fresh = cold.is_none_or(|cold| cold.session.is_none() && !cold.unread);
        is_fresh && !self.config.stream.on_ack && acked.is_some()
    }

    /// What the session heeds of what came: acknowledgement and data. Nothing where there is none.
    fn heeds(&self, does: impl FnOnce(&Session, &Heed) -> (bool, bool)) -> (bool, bool) {
        let Some(cold) = &self.entry.cold else {
            return (false, false);
        };
        let Some(session) = &cold.session else {
            return (false, false);
        };
        let options = &self.config.stream;
        let heed = Heed {
            depth: options.depth_of(cold.flow.app),
            patient: options.on_ack,
        };
        does(session, &heed)
    }

    /// Where in the payload the urgent byte stands, if it is to be left out: the last one for other
    /// sensors, for hosts the one before the place that the header names.
    fn urgent(&mut self, direction: Direction, tcp: &Tcp<'_>) -> Result<Option<usize>, Ignored> {
        if !tcp.flags.urg() {
            return Ok(None);
        }
        let options = &self.config.stream;
        let streams = self.entry.cold.as_ref().map(|cold| cold.flow.streams);
        let facts = streams.and_then(|streams| streams.get(direction.at()).copied());
        let is_beyond = facts.is_some_and(|facts| facts.urgent_bytes >= URGENT_BYTES_MAX);
        let policy = match is_beyond && options.urgent == Urgent::OutOfBand {
            true => options.urgent_beyond,
            false => options.urgent,
        };
        let at = match options.lenient {
            true => tcp.payload.len().checked_sub(1),
            false => usize::from(tcp.urgent).checked_sub(1),
        };
        if is_beyond {
            self.trouble(direction, StreamTrouble::UrgentLimitReached);
        }
        match policy {
            Urgent::Drop => Err(Ignored),
            Urgent::Inline => Ok(None),
            Urgent::OutOfBand | Urgent::Gap => Ok(at.filter(|at| *at < tcp.payload.len())),
        }
    }

    fn datagram(&mut self, direction: Direction, payload: &[u8]) {
        if payload.is_empty() && !self.config.field_flows {
            return;
        }
        if self.open_session() {
            self.with_session(|session, cx| session.datagram(cx, direction, payload));
        }
    }

    /// Opens the session with the first data; whether there is one.
    fn open_session(&mut self) -> bool {
        if let Some(cold) = &self.entry.cold
            && (cold.session.is_some() || cold.unread)
        {
            return cold.session.is_some();
        }
        let tuple = self.tuple();
        let policy = |host| self.config.stream.policy_of(host);
        let session = Session::new([policy(tuple.dst), policy(tuple.src)]);
        self.entry.cold(tuple).session = Some(session);
        true
    }

    fn with_session(&mut self, work: impl FnOnce(&mut Session, &mut Context<'_, '_>)) {
        self.with_session_towards(Direction::ToServer, |session, cx| {
            work(session, cx);
            [Troubles::default(); 2]
        });
    }

    /// Runs `work` on the session, where there is one, keeps the account of its memory and closes
    /// it when nobody reads on or the memory for all flows is used up. `direction` is that of the
    /// packet.
    fn with_session_towards(
        &mut self,
        direction: Direction,
        work: impl FnOnce(&mut Session, &mut Context<'_, '_>) -> [Troubles; 2],
    ) {
        // the part for data is taken out while it is worked on
        let Some(mut cold) = self.entry.cold.take_if(|cold| cold.session.is_some()) else {
            return;
        };
        let (had_error, was_starved) = (cold.flow.app_error, cold.starved);
        let troubles = self.run(&mut cold, work);
        let has_error = cold.flow.app_error && !had_error;
        let is_starved = cold.starved && !was_starved;
        self.entry.cold = Some(cold);
        if has_error {
            self.except(Exception::AppError);
        }
        if is_starved {
            self.except(Exception::Reassembly);
        }
        for troubles in troubles {
            if troubles.differs {
                self.refuse(Refusal::Stream);
            }
            for trouble in troubles.iter() {
                self.trouble(direction, trouble);
            }
        }
    }

    fn run(
        &mut self,
        cold: &mut Cold,
        work: impl FnOnce(&mut Session, &mut Context<'_, '_>) -> [Troubles; 2],
    ) -> [Troubles; 2] {
        self.entry.refresh_cold(cold);
        let Some(session) = &mut cold.session else {
            return [Troubles::default(); 2];
        };
        let troubles = work(
            session,
            &mut Context {
                config: self.config,
                ts_ns: self.ts_ns,
                now_ns: self.ts_ns,
                flow: &mut cold.flow,
                counters: self.counters,
                expectations: self.expectations,
                ranges: self.ranges,
                out: self.out,
                is_end: false,
                successor: None,
                frames: None,
            },
        );
        let (now, before) = session.recharge();
        let kept = self.counters.stream_bytes.saturating_sub(to_u64(before));
        let over_budget = kept.saturating_add(to_u64(now)) > to_u64(self.config.stream_bytes_max);
        let hit = &mut self.counters.heads_max_hit;
        *hit = hit.saturating_add(u64::from(over_budget));
        let is_encrypted = session.is_encrypted(&cold.flow);
        // who looks into streams reads on where no parser does, as long as there is something to read
        let is_over = session.is_over() && (is_encrypted || !self.config.inspect);
        if is_over || over_budget {
            self.counters.stream_bytes = kept;
            cold.session = None;
            cold.unread = true;
            cold.starved = over_budget;
            cold.flow.is_encrypted = is_encrypted && !over_budget;
        } else {
            self.counters.stream_bytes = kept.saturating_add(to_u64(now));
        }
        troubles
    }

    /// Shows the flow as it is now.
    fn show(&mut self, tell: impl FnOnce(&Flow, &mut Sink<'_>)) {
        let Self {
            entry,
            out,
            ends,
            sent,
            ..
        } = self;
        entry.show(|_| tuple_of(ends, *sent), |flow| tell(flow, out));
    }

    fn trouble(&mut self, direction: Direction, trouble: StreamTrouble) {
        let tuple = match direction {
            Direction::ToServer => self.tuple(),
            Direction::ToClient => self.tuple().reversed(),
        };
        let anomaly = Anomaly::stream(trouble, tuple, self.ts_ns);
        self.show(|flow, out| out(Event::Anomaly(Some(flow), &anomaly)));
    }

    fn frame_bytes(&self, frame: &Frame<'_>) -> u32 {
        match self.config.field_flows {
            true => len32(frame.data.len()),
            false => frame.wire_len,
        }
    }

    /// The flow's ends, client first.
    fn tuple(&self) -> FiveTuple {
        tuple_of(self.ends, self.sent)
    }

    /// Counts frame bytes, payload bytes and TTL of a packet.
    fn count(&mut self, direction: Direction, packet: (u32, u32, u8)) {
        self.entry.last_ns = self.ts_ns;
        let tuple = || tuple_of(self.ends, self.sent);
        self.entry.count(direction, tuple, packet);
    }

    /// Protocols without a handshake are established once the other side than the first was heard.
    fn answered(&mut self, direction: Direction) {
        if self.entry.has_spoken(direction.reversed()) {
            self.entry.standing.state = FlowState::Established;
        }
    }
}

/// A flow's ends, client first, by those of a packet that goes some way.
fn tuple_of(packet: &FiveTuple, direction: Direction) -> FiveTuple {
    match direction {
        Direction::ToServer => packet.shown(),
        Direction::ToClient => packet.reversed().shown(),
    }
}

/// Whether a segment asks for a new connection.
fn begins(tcp: &Tcp<'_>) -> bool {
    tcp.flags.syn() && !tcp.flags.ack() && !tcp.flags.rst()
}

/// Where a flow is, as records have it: TCP by its connection.
pub(crate) fn shown_state(flow: &Flow) -> FlowState {
    match flow.tcp_state {
        _ if flow.state == FlowState::Bypassed => flow.state,
        None => flow.state,
        Some(TcpState::None | TcpState::SynSent | TcpState::SynRecv) => FlowState::New,
        Some(TcpState::LastAck | TcpState::TimeWait | TcpState::Closed) => FlowState::Closed,
        Some(_) => FlowState::Established,
    }
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
