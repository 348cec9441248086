//! TCP per flow: the handshake, what each side has proven, and which segments count (RFC 9293
//! section 3.10).
//!
//! *Proven* means: this side acknowledged a sequence number that the other side really sent in our
//! sight, and the segment that did so lay in the window. One who forges the source address cannot
//! know that number. What is not in the window or acknowledges what was never sent changes nothing
//! here: neither state nor proof nor stream. Two different SYN/ACKs to one SYN mean that somebody
//! forges; such a flow proves nothing any more.

mod judge;
mod side;
mod state;

use side::{Place, Side, place};

use judge::Judged;
pub(crate) use judge::{EVENTS_MAX, Rules};
pub(crate) use side::is_after;
pub use state::TcpState;

use super::{Direction, FlowState, Standing};
use crate::decode::Tcp;
use crate::frame::Way;
use crate::sensor::{EndReason, Outcome, StreamTrouble as Event};

/// What a segment means for its flow.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// The handshake was answered.
    pub(crate) outcome: Option<Outcome>,
    /// The client is proven by this segment.
    pub(crate) client_proven: bool,
    /// The segment's payload belongs to the stream.
    pub(crate) accepted: bool,
    /// The segment's acknowledgement holds.
    pub(crate) ack_valid: bool,
    /// A valid RST.
    pub(crate) reset: bool,
    /// A SYN on a closed flow: a new connection on the same ports.
    pub(crate) restart: bool,
    /// Why the segment does not count, or not in full.
    pub(crate) trouble: Option<Trouble>,
    /// What records say of it.
    pub(crate) events: [Option<Event>; EVENTS_MAX],
}

/// Why a segment proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A segment without an acknowledgement in a connection that has begun.
    AckMissing,
    /// An acknowledgement of data that the other side did not send in our sight.
    AckOfUnsentData,
    /// A segment outside the receiver's window.
    OutOfWindow,
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
    /// A segment older than one that came before it.
    TimestampOld,
}

impl Step {
    /// What the next segment of an open connection means: its bytes and its acknowledgement count, and
    /// there is nothing else to say.
    pub(crate) const EXPECTED: Self = Self {
        outcome: None,
        client_proven: false,
        accepted: true,
        ack_valid: true,
        reset: false,
        restart: false,
        trouble: None,
        events: [None; EVENTS_MAX],
    };

    /// Whether the segment changed anything.
    pub(crate) fn is_valid(&self) -> bool {
        self.accepted || self.ack_valid || self.reset
    }

    fn trouble(trouble: Trouble) -> Self {
        Self {
            trouble: Some(trouble),
            ..Self::default()
        }
    }
}

/// TSval and TSecr of a segment.
type Times = (u32, u32);

/// Both sides of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tracker {
    client: Side,
    server: Side,
    /// ISN of a second, different SYN that came before any SYN/ACK.
    other_isn: u32,
    state: TcpState,
    /// Different SYNs, or SYN/ACKs, after the first: of what is being answered.
    tries: u8,
    /// Who sent the RST that closed it, and the state before.
    reset_by: Option<Direction>,
    before_reset: TcpState,
}

impl Tracker {
    /// Takes one segment of `flow` if it is the expected one; what it means is [`Step::EXPECTED`].
    pub(crate) fn expects(
        &mut self,
        flow: &Standing,
        direction: Direction,
        tcp: &Tcp<'_>,
        rules: &Rules,
    ) -> bool {
        let times = self.times(tcp);
        let is_expected = self.takes_as_expected(flow, direction, (tcp, times));
        if is_expected {
            self.note_times(direction, (tcp, times), Order::EXPECTED, rules);
        }
        is_expected
    }

    /// Takes what nearly every segment is: the next one of an open, proven connection, in the window,
    /// with an acknowledgement of what was sent. Nothing about it needs judging, whatever the rules.
    /// (Header prediction: Jacobson 1990, "4BSD TCP header prediction".)
    fn takes_as_expected(
        &mut self,
        flow: &Standing,
        direction: Direction,
        (tcp, times): (&Tcp<'_>, Option<Times>),
    ) -> bool {
        let is_proven = match direction {
            Direction::ToServer => flow.client_proven,
            Direction::ToClient => flow.server_proven,
        };
        let is_open = self.state == TcpState::Established && flow.state == FlowState::Established;
        let is_plain = is_open && is_proven && tcp.flags.is_plain_ack();
        if !is_plain || self.is_replayed(direction, (tcp, times)) {
            return false;
        }
        let (sender, receiver) = self.pair(direction);
        let end = tcp.seq.wrapping_add(tcp.payload_len);
        let ahead = end.wrapping_sub(receiver.ack);
        let acked = tcp.ack.wrapping_sub(sender.ack);
        let is_expected = sender.is_known()
            && receiver.is_known()
            && tcp.seq == sender.next
            && !is_after(receiver.ack, tcp.seq)
            && ahead <= receiver.window_exact()
            && !is_after(sender.ack, receiver.next)
            && acked <= receiver.next.wrapping_sub(sender.ack);
        if is_expected {
            sender.next = end;
            sender.go_on(tcp);
            self.reset_by = None;
        }
        is_expected
    }

    /// Follows one segment of `flow`, whatever it is, and updates the flow's state and proofs: judges
    /// it, then takes over what it says.
    pub(crate) fn segment(
        &mut self,
        flow: &mut Standing,
        direction: Direction,
        tcp: &Tcp<'_>,
        rules: &Rules,
    ) -> Step {
        let times = self.times(tcp);
        if self.is_replayed(direction, (tcp, times)) && (rules.lenient || !tcp.flags.rst()) {
            return Step {
                events: [Some(Event::InvalidTimestamp), None, None, None],
                ..Step::trouble(Trouble::TimestampOld)
            };
        }
        let judged = self.judge(direction, tcp, rules);
        let order = self.order(direction, tcp);
        let step = self.judged(flow, direction, tcp, (judged, rules));
        if step.ack_valid || step.accepted {
            self.note_times(direction, (tcp, self.times(tcp)), order, rules);
        }
        step
    }

    /// Takes over what a segment says, as it was judged.
    fn judged(
        &mut self,
        flow: &mut Standing,
        direction: Direction,
        tcp: &Tcp<'_>,
        (judged, rules): (Judged, &Rules),
    ) -> Step {
        let mut step = match (tcp.flags.rst(), tcp.flags.syn(), tcp.flags.ack()) {
            (true, _, _) => self.rst(flow, direction, tcp),
            (false, true, false) => self.syn(flow, direction, tcp, rules),
            (false, true, true) => self.syn_ack(flow, direction, tcp),
            (false, false, _) => self.data(flow, direction, tcp),
        };
        if self.has_conflict() {
            (flow.client_proven, flow.server_proven) = (false, false);
        }
        step.events = judged.events;
        if rules.lenient && !tcp.flags.rst() && !step.restart {
            step.accepted = judged.taken;
            step.ack_valid |= judged.taken && tcp.flags.ack();
        }
        if tcp.flags.rst() && judged.next == TcpState::Closed && self.state != TcpState::Closed {
            (self.reset_by, self.before_reset) = (Some(direction), self.state);
        } else if judged.next != TcpState::Closed {
            self.reset_by = None;
        }
        self.state = judged.next;
        step
    }

    /// Whether a segment comes from the past, by its timestamp: its receiver drops it, all but a RST, and
    /// so the bytes in it are not those that the receiver reads in their place.
    fn is_replayed(&self, direction: Direction, (tcp, times): (&Tcp<'_>, Option<Times>)) -> bool {
        let sender = self.sender(direction);
        let is_old = |(timestamp, _)| sender.is_before_last(timestamp);
        !tcp.flags.syn() && times.is_some_and(is_old)
    }

    /// The times of a segment, where both sides agreed on them.
    fn times(&self, tcp: &Tcp<'_>) -> Option<Times> {
        let is_timed = self.client.is(Side::TIMED) && self.server.is(Side::TIMED);
        is_timed.then(|| tcp.timestamps())?
    }

    /// Notes what times count from here on. A host takes the time of what arrives in order (RFC 7323
    /// section 4.3), and says it in its echo: only that is sure to have arrived. Had we believed the
    /// sender instead, a segment with a late time that never gets there would blind us to all that
    /// follows. Other sensors believe it, of what comes in order.
    fn note_times(
        &mut self,
        direction: Direction,
        (tcp, times): (&Tcp<'_>, Option<Times>),
        order: Order,
        rules: &Rules,
    ) {
        let Some((timestamp, echo)) = times else {
            return;
        };
        let (sender, receiver) = self.pair(direction);
        sender.saw_time(timestamp);
        if rules.lenient {
            if order.is_next {
                sender.note_time(timestamp);
            }
        } else if tcp.flags.ack() && order.in_window && receiver.proves(tcp.ack) {
            receiver.note_echo(echo);
        }
    }

    fn order(&self, direction: Direction, tcp: &Tcp<'_>) -> Order {
        let sender = self.sender(direction);
        let receiver = self.sender(direction.reversed());
        Order {
            is_next: tcp.seq == sender.next,
            in_window: place(sender, receiver, tcp.seq) == Place::Window,
        }
    }

    /// Where the connection is; none where there is none.
    pub(crate) fn state(&self) -> Option<TcpState> {
        (self.state != TcpState::None).then_some(self.state)
    }

    /// How far the sequence numbers of the client and the server have come.
    pub(crate) fn sequence(&self) -> [u32; 2] {
        [&self.client, &self.server].map(|side| side.next.wrapping_sub(side.base))
    }

    /// Client and server change places.
    pub(crate) fn reverse(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
    }

    /// Notes which way a segment went. A connection through or to this place goes in on one side and
    /// out on the other: when both sides come in from the network, somebody on it speaks for one of
    /// them, and the connection proves nothing.
    pub(crate) fn note_way(&mut self, direction: Direction, way: Way) {
        let mark = match way {
            Way::Unknown => return,
            Way::In => Side::CAME_IN,
            Way::Out => Side::WENT_OUT,
        };
        let (sender, receiver) = self.pair(direction);
        sender.mark(mark);
        if receiver.is(mark) {
            sender.mark(Side::CONFLICT);
        }
    }

    /// Sequence number of the first byte of the direction's stream, where the handshake told it.
    pub(crate) fn stream_start(&self, direction: Direction) -> Option<u32> {
        let sender = self.sender(direction);
        sender.is(Side::ISN).then(|| sender.base.wrapping_add(1))
    }

    /// Sequence number behind the last byte that the direction's sender has sent.
    pub(crate) fn stream_end(&self, direction: Direction) -> u32 {
        let sender = self.sender(direction);
        self.without_fin(direction, sender.next)
    }

    /// `ack` of the direction's bytes, without the number that its sender's FIN takes.
    pub(crate) fn without_fin(&self, direction: Direction, ack: u32) -> u32 {
        let sender = self.sender(direction);
        let covers_fin = sender.is(Side::FIN) && ack == sender.next;
        ack.wrapping_sub(u32::from(covers_fin))
    }

    /// Whether nothing at all came in answer to a SYN.
    pub(crate) fn is_unanswered(&self, flow: &Standing) -> bool {
        flow.state == FlowState::New && self.client.is(Side::ISN) && !self.server.is(Side::SEEN)
    }

    /// Why a closed connection closed.
    pub(crate) fn close_reason(&self) -> EndReason {
        if self.client.is(Side::FIN) && self.server.is(Side::FIN) {
            EndReason::Fin
        } else {
            EndReason::Reset
        }
    }

    /// Whether a SYN begins a new connection on the ports of one that is over. Where captures are read
    /// as other sensors read them, one with the number of the old one is that one's.
    fn is_new(&self, flow: &Standing, direction: Direction, tcp: &Tcp<'_>, rules: &Rules) -> bool {
        if !rules.lenient {
            return flow.state == FlowState::Closed;
        }
        let sender = self.sender(direction);
        let is_over = matches!(
            self.state,
            TcpState::CloseWait | TcpState::LastAck | TcpState::Closed
        );
        is_over && !(sender.is(Side::ISN) && sender.base == tcp.seq)
    }

    fn syn(&mut self, flow: &Standing, direction: Direction, tcp: &Tcp<'_>, rules: &Rules) -> Step {
        if !tcp.flags.fin() && self.is_new(flow, direction, tcp, rules) {
            return Step {
                restart: true,
                ..Step::default()
            };
        }
        let answered = self.sender(direction.reversed()).is(Side::SEEN);
        let is_opening = self.state == TcpState::SynSent;
        let sender = self.sender_mut(direction);
        // a stray acknowledgement before it says nothing of where it starts
        if !sender.is(Side::SEEN) || is_opening && !sender.is(Side::ISN) {
            sender.start(tcp);
            return Step {
                accepted: true,
                ..Step::default()
            };
        }
        if sender.base == tcp.seq && sender.is(Side::ISN) {
            return Step {
                accepted: true,
                ..Step::default()
            };
        }
        if flow.state == FlowState::New && direction == Direction::ToServer && !answered {
            sender.mark(Side::OTHER_ISN);
            self.other_isn = tcp.seq;
            self.tries = self.tries.saturating_add(1);
        }
        Step::trouble(Trouble::SynResentDifferentSeq)
    }

    fn syn_ack(&mut self, flow: &mut Standing, direction: Direction, tcp: &Tcp<'_>) -> Step {
        if !self.accept_syn_ack_number(direction, tcp.ack) {
            return Step::trouble(Trouble::SynAckWrongAck);
        }
        let (sender, receiver) = self.pair(direction);
        if sender.is(Side::ISN) {
            if sender.base == tcp.seq {
                return Step {
                    ack_valid: true,
                    ..Step::default()
                };
            }
            if flow.state != FlowState::Closed {
                sender.mark(Side::CONFLICT);
            }
            self.tries = self.tries.saturating_add(1);
            return Step::trouble(Trouble::SynAckResentDifferentSeq);
        }
        if sender.is(Side::SEEN) {
            return Step::trouble(Trouble::SynAckLate);
        }
        sender.start(tcp);
        sender.acknowledge(tcp.ack);
        if let Some((_, echo)) = tcp.timestamps() {
            receiver.start_time(echo);
        }
        flow.server_proven |= receiver.is(Side::ISN);
        self.tries = 0;
        let outcome = (direction == Direction::ToClient).then_some(Outcome::Accepted);
        Step {
            outcome,
            accepted: true,
            ack_valid: true,
            ..Step::default()
        }
    }

    /// Whether a SYN/ACK acknowledges a SYN that was seen (with TCP Fast Open, its data too); if it
    /// is the second of two different SYNs, that one counts from here on.
    fn accept_syn_ack_number(&mut self, direction: Direction, ack: u32) -> bool {
        let other_isn = self.other_isn;
        let (sender, receiver) = self.pair(direction);
        if !receiver.is(Side::SEEN) {
            return true;
        }
        if !receiver.is(Side::ISN) {
            return ack == receiver.next || ack == receiver.base;
        }
        let answered = sender.is(Side::SEEN);
        if receiver.is(Side::OTHER_ISN) && !answered && ack == other_isn.wrapping_add(1) {
            (receiver.base, receiver.next) = (other_isn, ack);
            return true;
        }
        let acknowledged = ack.wrapping_sub(receiver.base);
        (1..=receiver.next.wrapping_sub(receiver.base)).contains(&acknowledged)
    }

    fn data(&mut self, flow: &mut Standing, direction: Direction, tcp: &Tcp<'_>) -> Step {
        let (sender, receiver) = self.pair(direction);
        // before a SYN is answered, only who knows its number counts: else it is the peer of an
        // older connection, or a forger
        let is_first = !sender.is(Side::SEEN);
        if is_first && receiver.is(Side::ISN) && !(tcp.flags.ack() && receiver.proves(tcp.ack)) {
            return Step::trouble(Trouble::AckOfUnsentData);
        }
        let known = if is_first {
            Side::taken_up(tcp.seq)
        } else {
            *sender
        };
        let place = place(&known, receiver, tcp.seq);
        if place == Place::Outside {
            return Step::trouble(Trouble::OutOfWindow);
        }
        *sender = known;
        // the numbers count even where the payload does not: else a lost packet would lock both
        // sides out for good
        sender.send(tcp);
        let mut step = judge_ack(receiver, tcp);
        if step.ack_valid {
            let proof = place == Place::Window && receiver.proves(tcp.ack);
            sender.acknowledge(tcp.ack);
            self.advance(flow, direction, proof, &mut step);
        } else if tcp.flags.ack() && !receiver.is(Side::SEEN) {
            // nothing to judge it by, but it tells where this side waits for the other
            sender.acknowledge(tcp.ack);
        }
        self.close_after_both_fins(flow);
        step
    }

    /// Applies a valid acknowledgement to the flow.
    fn advance(&self, flow: &mut Standing, direction: Direction, proof: bool, step: &mut Step) {
        let both_seen = self.client.is(Side::SEEN) && self.server.is(Side::SEEN);
        if flow.state == FlowState::New && both_seen && (proof || flow.midstream) {
            flow.state = FlowState::Established;
        }
        if !proof || self.has_conflict() {
            return;
        }
        match direction {
            Direction::ToServer => {
                step.client_proven = !flow.client_proven;
                flow.client_proven = true;
            }
            Direction::ToClient => flow.server_proven = true,
        }
    }

    fn close_after_both_fins(&self, flow: &mut Standing) {
        if self.client.is(Side::FIN) && self.server.is(Side::FIN) {
            flow.state = FlowState::Closed;
        }
    }

    /// RFC 9293 section 3.10.7 with RFC 5961 section 3.2: a RST counts when it has exactly the
    /// sequence number that the receiver expects next; in answer to a SYN, when it acknowledges
    /// that SYN.
    fn rst(&mut self, flow: &mut Standing, direction: Direction, tcp: &Tcp<'_>) -> Step {
        let other_isn = self.other_isn;
        let (sender, receiver) = self.pair(direction);
        let answers_syn = !sender.is(Side::SEEN)
            && receiver.is(Side::ISN)
            && tcp.flags.ack()
            && (receiver.sent_exactly(tcp.ack)
                || receiver.is(Side::OTHER_ISN) && tcp.ack == other_isn.wrapping_add(1));
        let expected = sender.is(Side::SEEN) && tcp.seq == sender.next
            || receiver.is(Side::ACKED) && tcp.seq == receiver.ack;
        if !answers_syn && !expected {
            return Step::trouble(Trouble::RstInvalid);
        }
        let refused =
            answers_syn && direction == Direction::ToClient && flow.state == FlowState::New;
        flow.state = FlowState::Closed;
        Step {
            outcome: refused.then_some(Outcome::Refused),
            reset: true,
            ..Step::default()
        }
    }

    /// Who began to close a connection that a segment of this direction has closed: the other side,
    /// if it had sent its FIN before.
    pub(crate) fn closed_by(&self, direction: Direction) -> Direction {
        match self.sender(direction.reversed()).is(Side::FIN) {
            true => direction.reversed(),
            false => direction,
        }
    }

    fn has_conflict(&self) -> bool {
        self.client.is(Side::CONFLICT) || self.server.is(Side::CONFLICT)
    }

    fn sender(&self, direction: Direction) -> &Side {
        match direction {
            Direction::ToServer => &self.client,
            Direction::ToClient => &self.server,
        }
    }

    fn sender_mut(&mut self, direction: Direction) -> &mut Side {
        self.pair(direction).0
    }

    /// Sender and receiver.
    fn pair(&mut self, direction: Direction) -> (&mut Side, &mut Side) {
        match direction {
            Direction::ToServer => (&mut self.client, &mut self.server),
            Direction::ToClient => (&mut self.server, &mut self.client),
        }
    }
}

/// How a segment stands to what its receiver waits for.
#[derive(Debug, Clone, Copy)]
struct Order {
    /// It is what comes next.
    is_next: bool,
    in_window: bool,
}

impl Order {
    const EXPECTED: Self = Self {
        is_next: true,
        in_window: true,
    };
}

/// RFC 9293 section 3.10.7.4, fifth check: a host drops a segment that acknowledges nothing, or
/// what it did not send. Midstream nobody knows what it sent before.
fn judge_ack(receiver: &Side, tcp: &Tcp<'_>) -> Step {
    if !receiver.is(Side::SEEN) {
        return Step {
            accepted: true,
            ..Step::default()
        };
    }
    if !tcp.flags.ack() {
        return Step::trouble(Trouble::AckMissing);
    }
    if receiver.has_sent_up_to(tcp.ack) {
        return Step {
            accepted: true,
            ack_valid: true,
            ..Step::default()
        };
    }
    // of two different SYN/ACKs nobody knows which one the client took: what it sends is looked at
    let accepted = !receiver.is(Side::ISN) || receiver.is(Side::CONFLICT);
    Step {
        accepted,
        ..Step::trouble(Trouble::AckOfUnsentData)
    }
}

#[cfg(test)]
mod tests;
