//! What is odd about a segment in each state of a connection.
//!
//! This says what records and rules call a segment; what a segment *proves* is judged apart from
//! it, by the module above.

use super::Tracker;
use super::side::{Side, is_after};
use super::state::TcpState;
use crate::decode::Tcp;
use crate::flow::Direction;
use crate::sensor::StreamTrouble as Event;

/// How lenient the connection is followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Segments count that a sensor on a lossy tap should look at, though the host may not have
    /// what they acknowledge; else only what the host would take.
    pub(crate) lenient: bool,
    /// The sensor sits in the path.
    pub(crate) inline: bool,
    /// One direction is enough (`stream.async-oneside`).
    pub(crate) one_side: bool,
    /// Most different SYN/ACKs that wait for the client's choice.
    pub(crate) syn_acks_max: u8,
    /// Most different SYNs that wait for their answer.
    pub(crate) syns_max: u8,
}

/// Most odd things about one segment.
pub(crate) const EVENTS_MAX: usize = 4;

/// What a segment is in its state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) events: [Option<Event>; EVENTS_MAX],
    /// It counts for the connection.
    pub(crate) taken: bool,
    /// The state behind it.
    pub(crate) next: TcpState,
}

impl Judged {
    fn add(&mut self, event: Event) {
        if let Some(place) = self.events.iter_mut().find(|place| place.is_none()) {
            *place = Some(event);
        }
    }

    fn reject(mut self, event: Event) -> Self {
        self.add(event);
        self.taken = false;
        self
    }
}

impl Tracker {
    /// Judges a segment before its numbers are taken over.
    pub(super) fn judge(&self, direction: Direction, tcp: &Tcp<'_>, rules: &Rules) -> Judged {
        let mut judged = Judged {
            taken: true,
            next: self.state,
            ..Judged::default()
        };
        let flags = tcp.flags;
        if !flags.ack() && tcp.ack != 0 {
            judged.add(Event::BrokenAck);
            if !flags.syn() && self.state != TcpState::None {
                judged.taken = false;
                return judged;
            }
        }
        if flags.rst() && tcp.payload_len > 0 && self.state != TcpState::None {
            judged.add(Event::RstWithData);
        }
        if flags.syn() && flags.fin() && self.state == TcpState::None {
            judged.add(Event::FinSyn);
        }
        if self.state == TcpState::Closed && self.goes_on_after_reset(direction, tcp) {
            judged.add(Event::SuspectedRstInject);
            return Self {
                state: self.before_reset,
                ..*self
            }
            .judge_data(direction, tcp, rules, judged);
        }
        let is_open = self.state.is_shutdown() || self.state == TcpState::Established;
        if is_open || self.state == TcpState::Closed {
            self.note_retransmission(direction, tcp, &mut judged);
        }
        match (flags.rst(), flags.syn(), flags.ack()) {
            (true, _, _) => self.judge_rst(direction, tcp, judged),
            (_, true, false) => self.judge_syn(direction, tcp, rules, judged),
            (_, true, true) => self.judge_syn_ack(direction, tcp, rules, judged),
            (_, false, _) => self.judge_data(direction, tcp, rules, judged),
        }
    }

    fn note_retransmission(&self, direction: Direction, tcp: &Tcp<'_>, judged: &mut Judged) {
        let (sender, receiver) = self.sides(direction);
        let end = tcp.seq.wrapping_add(tcp.payload_len);
        if tcp.payload_len == 0 || tcp.flags.syn() || is_keep_alive(sender, tcp) {
            return;
        }
        let acked = receiver.is(Side::ACKED) && !is_after(end, receiver.ack);
        if acked && is_after(receiver.ack, sender.base) {
            judged.add(Event::SpuriousRetransmission);
        }
        let half_open = matches!(
            self.state,
            TcpState::CloseWait | TcpState::FinWait1 | TcpState::FinWait2
        );
        if half_open && !is_after(end, sender.next) {
            judged.add(Event::Retransmission);
        }
    }

    /// Whether the sender of a RST goes on with the connection: the RST was not its own.
    fn goes_on_after_reset(&self, direction: Direction, tcp: &Tcp<'_>) -> bool {
        let flags = tcp.flags;
        let (sender, receiver) = self.sides(direction);
        self.reset_by == Some(direction)
            && tcp.payload_len > 0
            && flags.ack()
            && receiver.has_sent_up_to(tcp.ack)
            && (!sender.is(Side::ACKED) || !is_after(sender.ack, tcp.ack))
            && !flags.rst()
            && !flags.syn()
    }

    fn judge_syn(
        &self,
        direction: Direction,
        tcp: &Tcp<'_>,
        rules: &Rules,
        mut judged: Judged,
    ) -> Judged {
        let (sender, _) = self.sides(direction);
        let differs = sender.is(Side::ISN) && sender.base != tcp.seq;
        let to_client = direction == Direction::ToClient;
        match self.state {
            TcpState::None => {
                judged.next = TcpState::SynSent;
                judged
            }
            // both open at once (RFC 9293 section 3.5)
            TcpState::SynSent if to_client => judged,
            TcpState::SynSent => {
                if differs && self.tries >= rules.syns_max {
                    judged.add(Event::SynFlood);
                }
                judged
            }
            TcpState::SynRecv if to_client => judged.reject(Event::SynToClientOnSynRecv),
            TcpState::SynRecv if differs => judged.reject(Event::SynResentDifferentSeqOnSynRecv),
            TcpState::SynRecv | TcpState::Closed => judged,
            TcpState::Established if to_client => judged.reject(Event::EstSynToClient),
            TcpState::Established => judged.reject(Event::EstSynResentDifferentSeq),
            TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::LastAck
            | TcpState::CloseWait
            | TcpState::Closing => judged.reject(Event::ShutdownSynResent),
        }
    }

    fn judge_syn_ack(
        &self,
        direction: Direction,
        tcp: &Tcp<'_>,
        rules: &Rules,
        mut judged: Judged,
    ) -> Judged {
        let (sender, receiver) = self.sides(direction);
        let to_server = direction == Direction::ToServer;
        let other_seq = sender.is(Side::ISN) && sender.base != tcp.seq;
        let other_ack = sender.is(Side::ACKED) && sender.ack != tcp.ack;
        match self.state {
            TcpState::None => {
                judged.next = TcpState::SynRecv;
                judged
            }
            TcpState::SynSent if to_server && !receiver.is(Side::ISN) => {
                judged.reject(Event::SynAckInWrongDirection)
            }
            TcpState::SynSent if to_server && !self.answers_syn(tcp.ack, receiver) => {
                judged.reject(Event::FourWaySynAckWrongAck)
            }
            TcpState::SynSent if to_server && other_seq => {
                judged.reject(Event::FourWaySynAckWrongSyn)
            }
            TcpState::SynSent => {
                if !self.answers_syn(tcp.ack, receiver) {
                    return judged.reject(Event::SynAckWrongAck);
                }
                let data = receiver.next.wrapping_sub(receiver.base).wrapping_sub(1);
                if data > 0 && tcp.ack == receiver.base.wrapping_add(1) {
                    judged.add(Event::SynAckIgnoredTfoData);
                }
                judged.next = TcpState::SynRecv;
                judged
            }
            TcpState::SynRecv if to_server => judged.reject(Event::SynAckToServerOnSynRecv),
            TcpState::SynRecv if other_ack => judged.reject(Event::SynAckResentDifferentAck),
            TcpState::SynRecv if other_seq && self.tries >= rules.syn_acks_max => {
                judged.reject(Event::SynAckFlood)
            }
            TcpState::SynRecv if other_seq => judged.reject(Event::SynAckResentDifferentSeq),
            TcpState::SynRecv | TcpState::Closed => judged,
            TcpState::Established if to_server => judged.reject(Event::EstSynAckToServer),
            TcpState::Established if other_ack => judged.reject(Event::EstSynAckResentDifferentAck),
            TcpState::Established if other_seq => judged.reject(Event::EstSynAckResentDifferentSeq),
            TcpState::Established => {
                judged.taken = false;
                judged
            }
            TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::LastAck
            | TcpState::CloseWait
            | TcpState::Closing => judged.reject(Event::ShutdownSynResent),
        }
    }

    /// Whether a SYN/ACK's number acknowledges one of the SYNs seen.
    fn answers_syn(&self, ack: u32, receiver: &Side) -> bool {
        if !receiver.is(Side::ISN) {
            return true;
        }
        let acknowledged = ack.wrapping_sub(receiver.base);
        (1..=receiver.next.wrapping_sub(receiver.base)).contains(&acknowledged)
            || receiver.is(Side::OTHER_ISN) && ack == self.other_isn.wrapping_add(1)
    }

    fn judge_rst(&self, direction: Direction, tcp: &Tcp<'_>, mut judged: Judged) -> Judged {
        let (sender, receiver) = self.sides(direction);
        match self.state {
            TcpState::None => judged.reject(Event::RstButNoSession),
            TcpState::Closed => judged,
            TcpState::SynSent => {
                let answers = !tcp.flags.ack() || self.answers_syn(tcp.ack, receiver);
                judged.taken = direction == Direction::ToClient && tcp.seq == 0 && answers;
                if judged.taken {
                    judged.next = TcpState::Closed;
                }
                judged
            }
            // RFC 5961 section 3.2: exactly what comes next
            TcpState::SynRecv
            | TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::LastAck
            | TcpState::CloseWait
            | TcpState::Closing => {
                let expected = self.next_of_reset(direction);
                judged.taken = !sender.is(Side::SEEN) || tcp.seq == expected;
                let acks_sent = !tcp.flags.ack() || !self.acks_too_much(direction, tcp.ack);
                if judged.taken && !acks_sent {
                    return judged.reject(Event::RstInvalidAck);
                }
                if judged.taken {
                    judged.next = TcpState::Closed;
                }
                judged
            }
        }
    }

    /// The sequence number that a RST must have. A FIN counts in it from when it was acknowledged; the
    /// server's, if it closes first, at once; the second one never.
    fn next_of_reset(&self, direction: Direction) -> u32 {
        let (sender, receiver) = self.sides(direction);
        if !sender.is(Side::FIN) {
            return sender.next;
        }
        let is_first = match direction {
            Direction::ToServer => matches!(self.state, TcpState::CloseWait | TcpState::LastAck),
            Direction::ToClient => self.state != TcpState::LastAck,
        };
        let is_acked = receiver.is(Side::ACKED) && receiver.ack == sender.next;
        let counts = is_first && (is_acked || direction == Direction::ToClient);
        sender.next.wrapping_sub(u32::from(!counts))
    }

    fn judge_data(
        &self,
        direction: Direction,
        tcp: &Tcp<'_>,
        rules: &Rules,
        mut judged: Judged,
    ) -> Judged {
        match self.state {
            TcpState::None => {
                if tcp.flags.fin() {
                    return judged.reject(Event::FinButNoSession);
                }
                judged.next = TcpState::Established;
                judged
            }
            TcpState::SynSent => {
                if rules.one_side && direction == Direction::ToServer {
                    let (sender, _) = self.sides(direction);
                    if tcp.seq != sender.next {
                        return judged.reject(Event::AsyncWrongSeq);
                    }
                    judged.next = TcpState::Established;
                    return judged;
                }
                judged.taken = false;
                judged
            }
            TcpState::SynRecv => self.judge_third(direction, tcp, rules, judged),
            TcpState::Closed => judged,
            TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::LastAck
            | TcpState::CloseWait
            | TcpState::Closing => self.judge_open(direction, tcp, judged),
        }
    }

    /// What completes a handshake.
    fn judge_third(
        &self,
        direction: Direction,
        tcp: &Tcp<'_>,
        rules: &Rules,
        mut judged: Judged,
    ) -> Judged {
        let (sender, receiver) = self.sides(direction);
        if tcp.flags.fin() {
            // whatever it acknowledges
            let ahead = tcp.seq.wrapping_sub(sender.next);
            judged.taken = !sender.is(Side::SEEN) || ahead <= receiver.window_exact();
            if judged.taken {
                judged.next = closing_first(direction);
            }
            return judged;
        }
        if direction == Direction::ToClient && receiver.is(Side::SEEN) {
            if rules.inline && tcp.payload_len > 0 {
                return judged.reject(Event::AckDataInject);
            }
            // the client's acknowledgement was lost to us if the server goes on behind its SYN/ACK
            if tcp.payload_len == 0 || tcp.seq != sender.next {
                return judged.reject(Event::AckInWrongDirection);
            }
        } else {
            let right_seq = !sender.is(Side::SEEN) || tcp.seq == sender.next;
            let right_ack = !receiver.is(Side::SEEN)
                || !is_after(tcp.ack, receiver.next) && is_after(tcp.ack, receiver.base);
            match (right_seq, right_ack && tcp.flags.ack()) {
                (true, true) => {}
                (true, false) => return judged.reject(Event::RightSeqWrongAckEvasion),
                (false, true) if self.is_in_window(direction, tcp) => {}
                (false, _) => return judged.reject(Event::WrongSeqWrongAck),
            }
        }
        judged.next = TcpState::Established;
        judged
    }

    /// A segment of an open or closing connection.
    fn judge_open(&self, direction: Direction, tcp: &Tcp<'_>, mut judged: Judged) -> Judged {
        let (sender, receiver) = self.sides(direction);
        let names = Names::of(self.state, tcp.flags.fin());
        if tcp.flags.ack() && self.acks_too_much(direction, tcp.ack) {
            judged.add(Event::InvalidAck);
            return judged.reject(names.invalid_ack);
        }
        let end = tcp.seq.wrapping_add(tcp.payload_len);
        let is_old = receiver.is(Side::ACKED) && is_after(receiver.ack, tcp.seq);
        let is_over = is_old && !is_after(end, receiver.ack) && !is_keep_alive(sender, tcp);
        if is_over {
            if let Some(event) = names.before_last_ack
                && (tcp.payload_len == 0 || self.state == TcpState::CloseWait)
            {
                judged.add(event);
            }
            judged.taken = false;
        } else if self.is_late_fin(direction, tcp) {
            judged.taken = false;
            return judged;
        } else if !self.is_in_window(direction, tcp) || self.is_known_fin(direction, tcp) {
            return judged.reject(names.out_of_window);
        }
        judged.next = self.next_state(direction, tcp);
        judged
    }

    /// Whether a FIN that closes the second side stands on bytes that came before without it.
    fn is_late_fin(&self, direction: Direction, tcp: &Tcp<'_>) -> bool {
        let (sender, _) = self.sides(direction);
        let half_open = matches!(
            self.state,
            TcpState::CloseWait | TcpState::FinWait1 | TcpState::FinWait2
        );
        let is_second = tcp.flags.fin() && half_open && !sender.is(Side::FIN);
        is_second && sender.is(Side::SEEN) && is_after(sender.next, tcp.seq)
    }

    /// Whether the client's FIN comes again after it was acknowledged.
    fn is_known_fin(&self, direction: Direction, tcp: &Tcp<'_>) -> bool {
        let (sender, receiver) = self.sides(direction);
        let is_known = sender.is(Side::FIN) && receiver.is(Side::ACKED);
        let is_clients = self.state == TcpState::CloseWait && direction == Direction::ToServer;
        tcp.flags.fin() && is_clients && is_known && receiver.ack == sender.next
    }

    fn next_state(&self, direction: Direction, tcp: &Tcp<'_>) -> TcpState {
        let (sender, receiver) = self.sides(direction);
        let fin = tcp.flags.fin();
        let again = sender.is(Side::FIN);
        let acks_all = tcp.flags.ack() && tcp.ack == receiver.next;
        let to_server = direction == Direction::ToServer;
        let state = self.state;
        if state == TcpState::Established && fin {
            return closing_first(direction);
        }
        let first_fin = fin && !again;
        let last_ack = !fin && acks_all;
        match state {
            TcpState::FinWait1 if first_fin => TcpState::TimeWait,
            TcpState::FinWait1 if to_server && acks_all && tcp.seq == sender.next => {
                TcpState::FinWait2
            }
            TcpState::FinWait2 if first_fin => TcpState::TimeWait,
            TcpState::CloseWait if first_fin => TcpState::LastAck,
            TcpState::LastAck if to_server && last_ack && tcp.seq == sender.next => {
                TcpState::Closed
            }
            TcpState::TimeWait if last_ack => TcpState::Closed,
            TcpState::None
            | TcpState::SynSent
            | TcpState::SynRecv
            | TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::LastAck
            | TcpState::CloseWait
            | TcpState::Closing
            | TcpState::Closed => state,
        }
    }

    /// Whether an acknowledgement is beyond all that its receiver was allowed to send.
    fn acks_too_much(&self, direction: Direction, ack: u32) -> bool {
        let (sender, receiver) = self.sides(direction);
        if !receiver.is(Side::SEEN) || !sender.is(Side::ACKED) {
            return false;
        }
        let allowed = sender.ack.wrapping_add(sender.window_exact());
        is_after(ack, receiver.next) && is_after(ack, allowed)
    }

    fn is_in_window(&self, direction: Direction, tcp: &Tcp<'_>) -> bool {
        let (sender, receiver) = self.sides(direction);
        if !receiver.is(Side::ACKED) || !sender.is(Side::ISN) {
            return true;
        }
        let end = tcp.seq.wrapping_add(tcp.payload_len);
        let limit = receiver.ack.wrapping_add(receiver.window_exact());
        // a probe of a closed window is one byte beyond it
        let probe = tcp.payload_len == 1 && receiver.window_exact() == 0;
        !is_after(end, limit) || !is_after(end, sender.next) || probe
    }

    fn sides(&self, direction: Direction) -> (&Side, &Side) {
        match direction {
            Direction::ToServer => (&self.client, &self.server),
            Direction::ToClient => (&self.server, &self.client),
        }
    }
}

fn closing_first(direction: Direction) -> TcpState {
    match direction {
        Direction::ToServer => TcpState::CloseWait,
        Direction::ToClient => TcpState::FinWait1,
    }
}

/// RFC 9293 section 3.8.4: an old byte, or none, right before the next.
fn is_keep_alive(sender: &Side, tcp: &Tcp<'_>) -> bool {
    sender.is(Side::SEEN) && tcp.payload_len <= 1 && tcp.seq.wrapping_add(1) == sender.next
}

/// What the same mistakes are called in a state.
struct Names {
    invalid_ack: Event,
    out_of_window: Event,
    before_last_ack: Option<Event>,
}

impl Names {
    fn of(state: TcpState, fin: bool) -> Self {
        let names = |invalid_ack, out_of_window, before_last_ack| Self {
            invalid_ack,
            out_of_window,
            before_last_ack,
        };
        match (state, fin) {
            (TcpState::CloseWait, true) => names(
                Event::CloseWaitInvalidAck,
                Event::CloseWaitFinOutOfWindow,
                Some(Event::CloseWaitBeforeLastAck),
            ),
            (TcpState::CloseWait, false) => names(
                Event::CloseWaitInvalidAck,
                Event::CloseWaitAckOutOfWindow,
                Some(Event::CloseWaitBeforeLastAck),
            ),
            (TcpState::FinWait1, true) => {
                names(Event::Fin1InvalidAck, Event::Fin1FinWrongSeq, None)
            }
            (TcpState::FinWait1, false) => {
                names(Event::Fin1InvalidAck, Event::Fin1AckWrongSeq, None)
            }
            (TcpState::FinWait2, true) => {
                names(Event::Fin2InvalidAck, Event::Fin2FinWrongSeq, None)
            }
            (TcpState::FinWait2, false) => {
                names(Event::Fin2InvalidAck, Event::Fin2AckWrongSeq, None)
            }
            (TcpState::Closing, _) => {
                names(Event::ClosingInvalidAck, Event::ClosingAckWrongSeq, None)
            }
            (TcpState::LastAck, _) => {
                names(Event::LastAckInvalidAck, Event::LastAckAckWrongSeq, None)
            }
            (TcpState::TimeWait, _) => {
                names(Event::TimeWaitInvalidAck, Event::TimeWaitAckWrongSeq, None)
            }
            (_, true) => names(Event::FinInvalidAck, Event::FinOutOfWindow, None),
            (_, false) => names(
                Event::EstInvalidAck,
                Event::EstOutOfWindow,
                Some(Event::EstBeforeLastAck),
            ),
        }
    }
}
