//! Handshakes, honest and not. Sequence numbers start close to the wrap.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::decode::TcpFlags;

const CLIENT: u32 = 0xffff_fffe;
const SERVER: u32 = 0xffff_fff0;

#[test]
fn a_handshake_proves_both_sides() {
    let mut line = Line::new();
    assert!(line.client(SYN, CLIENT, 0, 0).accepted);
    let step = line.server(SYN | ACK, SERVER, CLIENT + 1, 0);
    assert_eq!(step.outcome, Some(Outcome::Accepted));
    assert!(line.flow.server_proven && !line.flow.client_proven);
    assert_eq!(line.flow.state, FlowState::New);
    let step = line.client(ACK, CLIENT + 1, SERVER + 1, 0);
    assert!(step.client_proven && line.flow.client_proven);
    assert_eq!(line.flow.state, FlowState::Established);
    let again = line.client(ACK, CLIENT + 1, SERVER + 1, 0);
    assert!(!again.client_proven, "proven once");
    assert_eq!(
        line.tracker.stream_start(Direction::ToServer),
        Some(CLIENT + 1)
    );
}

#[test]
fn a_wrong_acknowledgement_proves_nothing() {
    for ack in [
        SERVER,
        SERVER + 2,
        0,
        SERVER - 70_000,
        SERVER.wrapping_add(1 << 31),
    ] {
        let mut line = Line::answered();
        let step = line.client(ACK, CLIENT + 1, ack, 0);
        assert!(!step.client_proven && !line.flow.client_proven, "{ack:#x}");
        assert_eq!(line.flow.state, FlowState::New, "{ack:#x}");
    }
}

#[test]
fn a_wrong_sequence_number_proves_nothing() {
    for seq in [
        CLIENT.wrapping_add(1 << 21),
        CLIENT - 500,
        CLIENT.wrapping_add(1 << 31),
    ] {
        let mut line = Line::answered();
        line.client(ACK, seq, SERVER + 1, 0);
        assert!(!line.flow.client_proven, "{seq:#x}");
    }
}

#[test]
fn data_that_acknowledges_what_was_not_sent_is_not_accepted() {
    let mut line = Line::established();
    let step = line.client(ACK, CLIENT + 1, SERVER.wrapping_add(900), 10);
    assert!(!step.accepted);
    assert_eq!(step.trouble, Some(Trouble::AckOfUnsentData));
    let step = line.client(0, CLIENT + 1, 0, 10);
    assert_eq!(
        (step.accepted, step.trouble),
        (false, Some(Trouble::AckMissing))
    );
    assert!(line.client(ACK, CLIENT + 1, SERVER + 1, 10).accepted);
}

#[test]
fn numbers_run_on_past_a_packet_that_was_not_captured() {
    let mut line = Line::established();
    // the server's first 900 bytes were lost to us
    assert!(
        !line
            .client(ACK, CLIENT + 1, SERVER.wrapping_add(901), 10)
            .accepted
    );
    assert!(
        line.server(ACK, SERVER.wrapping_add(901), CLIENT.wrapping_add(11), 10)
            .accepted
    );
    assert!(
        line.client(ACK, CLIENT.wrapping_add(11), SERVER.wrapping_add(911), 10)
            .accepted
    );
}

#[test]
fn two_different_answers_to_one_syn_unprove() {
    let mut line = Line::new();
    line.client(SYN, CLIENT, 0, 0);
    line.server(SYN | ACK, 77, CLIENT + 1, 0);
    line.client(ACK, CLIENT + 1, 78, 0);
    assert!(
        line.flow.client_proven,
        "so it looks as long as the true server is silent"
    );
    let step = line.server(SYN | ACK, SERVER, CLIENT + 1, 0);
    assert_eq!(step.trouble, Some(Trouble::SynAckResentDifferentSeq));
    assert!(!line.flow.client_proven && !line.flow.server_proven);
    line.client(ACK, CLIENT + 1, 78, 0);
    line.client(ACK, CLIENT + 1, SERVER + 1, 0);
    assert!(!line.flow.client_proven, "and never again");
}

#[test]
fn a_forged_answer_in_front_of_the_true_one_does_not_hide_what_the_client_sends() {
    let mut line = Line::new();
    line.client(SYN, CLIENT, 0, 0);
    line.server(SYN | ACK, SERVER.wrapping_add(1 << 30), CLIENT + 1, 0);
    line.server(SYN | ACK, SERVER, CLIENT + 1, 0);
    let step = line.client(ACK, CLIENT + 1, SERVER + 1, 9);
    assert!(step.accepted && !step.client_proven);
}

#[test]
fn a_handshake_split_behind_a_stray_acknowledgement_is_followed() {
    let mut line = Line::new();
    line.client(SYN, CLIENT, 0, 0);
    line.server(ACK, 0, CLIENT + 1, 0);
    line.server(SYN, SERVER, 0, 0);
    line.client(SYN | ACK, CLIENT, SERVER + 1, 0);
    line.server(ACK, SERVER + 1, CLIENT + 1, 0);
    assert!(line.client(ACK, CLIENT + 1, SERVER + 1, 4).accepted);
    assert_eq!(line.tracker.state(), Some(TcpState::Established));
    assert_eq!(
        line.tracker.stream_start(Direction::ToServer),
        Some(CLIENT + 1)
    );
}

#[test]
fn who_ended_a_connection_is_who_sent_the_first_fin_or_the_reset() {
    const FIN: u8 = 1;
    const RST: u8 = 4;
    let both = |first: Direction| {
        let mut line = Line::answered();
        line.client(ACK, CLIENT + 1, SERVER + 1, 0);
        match first {
            Direction::ToServer => {
                line.client(FIN | ACK, CLIENT + 1, SERVER + 1, 0);
                line.server(FIN | ACK, SERVER + 1, CLIENT.wrapping_add(2), 0);
                line.tracker.closed_by(Direction::ToClient)
            }
            Direction::ToClient => {
                line.server(FIN | ACK, SERVER + 1, CLIENT + 1, 0);
                line.client(FIN | ACK, CLIENT + 1, SERVER + 2, 0);
                line.tracker.closed_by(Direction::ToServer)
            }
        }
    };
    for first in [Direction::ToServer, Direction::ToClient] {
        assert_eq!(both(first), first);
    }
    let mut line = Line::answered();
    line.client(ACK, CLIENT + 1, SERVER + 1, 0);
    line.client(RST, CLIENT + 1, 0, 0);
    assert_eq!(line.flow.state, FlowState::Closed);
    assert_eq!(
        line.tracker.closed_by(Direction::ToServer),
        Direction::ToServer
    );
}

#[test]
fn two_sides_that_both_come_in_from_the_network_prove_nothing() {
    for (server, proven) in [(Way::In, false), (Way::Out, true), (Way::Unknown, true)] {
        let mut line = Line::new();
        line.tracker.note_way(Direction::ToServer, Way::In);
        line.client(SYN, CLIENT, 0, 0);
        line.tracker.note_way(Direction::ToClient, server);
        line.server(SYN | ACK, SERVER, CLIENT + 1, 0);
        line.client(ACK, CLIENT + 1, SERVER + 1, 0);
        assert_eq!(line.flow.client_proven, proven, "{server:?}");
    }
}

#[test]
fn a_syn_ack_must_answer_the_syn() {
    let mut line = Line::new();
    line.client(SYN, CLIENT, 0, 0);
    let step = line.server(SYN | ACK, SERVER, CLIENT.wrapping_add(2), 0);
    assert_eq!(
        (step.outcome, step.trouble),
        (None, Some(Trouble::SynAckWrongAck))
    );
    line.client(ACK, CLIENT + 1, SERVER + 1, 0);
    assert!(!line.flow.client_proven);
}

#[test]
fn the_answer_chooses_between_two_syns() {
    for isn in [CLIENT, 5000] {
        let mut line = Line::new();
        line.client(SYN, CLIENT, 0, 0);
        let step = line.client(SYN, 5000, 0, 0);
        assert_eq!(step.trouble, Some(Trouble::SynResentDifferentSeq));
        let step = line.server(SYN | ACK, SERVER, isn.wrapping_add(1), 0);
        assert_eq!(step.outcome, Some(Outcome::Accepted));
        assert!(
            line.client(ACK, isn.wrapping_add(1), SERVER + 1, 0)
                .client_proven
        );
        assert_eq!(
            line.tracker.stream_start(Direction::ToServer),
            Some(isn.wrapping_add(1))
        );
    }
}

#[test]
fn refused_only_by_a_rst_that_knows_the_syn() {
    let mut line = Line::new();
    line.client(SYN, CLIENT, 0, 0);
    let step = line.server(RST | ACK, 0, CLIENT.wrapping_add(5), 0);
    assert_eq!(
        (step.outcome, step.trouble),
        (None, Some(Trouble::RstInvalid))
    );
    assert_eq!(line.server(RST, 0, 0, 0).trouble, Some(Trouble::RstInvalid));
    assert_eq!(line.flow.state, FlowState::New);
    let step = line.server(RST | ACK, 0, CLIENT + 1, 0);
    assert_eq!((step.outcome, step.reset), (Some(Outcome::Refused), true));
    assert_eq!(line.flow.state, FlowState::Closed);
    assert_eq!(line.tracker.close_reason(), EndReason::Reset);
    assert!(line.client(SYN, 9, 0, 0).restart);
}

#[test]
fn a_rst_out_of_place_closes_nothing() {
    let mut line = Line::established();
    for seq in [SERVER, SERVER + 2, SERVER.wrapping_add(1 << 20), 0] {
        let step = line.server(RST, seq, 0, 0);
        assert_eq!(step.trouble, Some(Trouble::RstInvalid), "{seq:#x}");
        assert_eq!(line.flow.state, FlowState::Established);
    }
    assert!(line.server(RST, SERVER + 1, 0, 0).reset);
    assert_eq!(line.flow.state, FlowState::Closed);
}

#[test]
fn midstream_proof_needs_data_in_our_sight() {
    let mut line = Line::new();
    line.flow.midstream = true;
    line.client(ACK, 1000, 700, 10);
    line.client(ACK, 1010, 700, 10);
    assert!(!line.flow.client_proven);
    line.server(ACK, 700, 1020, 100);
    assert!(
        line.flow.server_proven,
        "it acknowledged what the client sent in our sight"
    );
    line.client(ACK, 1020, 700, 0);
    assert!(
        !line.flow.client_proven,
        "that was known before the server spoke"
    );
    line.client(ACK, 1020, 801, 0);
    assert!(!line.flow.client_proven, "nobody sent that much");
    assert!(line.client(ACK, 1020, 750, 0).client_proven);
    assert_eq!(line.flow.state, FlowState::Established);
}

#[test]
fn a_stranger_does_not_pass_for_the_server() {
    let mut line = Line::new();
    line.client(SYN, CLIENT, 0, 0);
    let step = line.server(ACK, 4711, CLIENT - 9, 0);
    assert_eq!(step.trouble, Some(Trouble::AckOfUnsentData));
    let step = line.server(SYN | ACK, SERVER, CLIENT + 1, 0);
    assert_eq!(step.outcome, Some(Outcome::Accepted));
    assert!(line.client(ACK, CLIENT + 1, SERVER + 1, 0).client_proven);
}

#[test]
fn taken_up_at_the_answer() {
    let mut line = Line::new();
    line.flow.midstream = true;
    let step = line.server(SYN | ACK, SERVER, CLIENT + 1, 0);
    assert_eq!(step.outcome, Some(Outcome::Accepted));
    assert!(!line.flow.server_proven, "its SYN was not seen");
    assert!(
        line.server(ACK, SERVER + 1, 5000, 9).trouble.is_none(),
        "one direction alone is fine"
    );
    line.client(ACK, 77, SERVER + 1, 0);
    assert!(
        !line.flow.client_proven,
        "not where the server waits for it"
    );
    assert!(line.client(ACK, 5000, SERVER + 10, 0).client_proven);
}

#[test]
fn silence_is_told_from_answers() {
    let mut line = Line::new();
    line.client(SYN, CLIENT, 0, 0);
    line.client(SYN, CLIENT, 0, 0);
    assert!(line.tracker.is_unanswered(&line.flow));
    line.server(SYN | ACK, SERVER, CLIENT + 1, 0);
    assert!(!line.tracker.is_unanswered(&line.flow));
}

#[test]
fn fins_close() {
    let mut line = Line::established();
    line.client(FIN | ACK, CLIENT + 1, SERVER + 1, 0);
    assert_eq!(line.flow.state, FlowState::Established);
    line.server(FIN | ACK, SERVER + 1, CLIENT.wrapping_add(2), 0);
    assert_eq!(line.flow.state, FlowState::Closed);
    assert_eq!(line.tracker.close_reason(), EndReason::Fin);
    let end = CLIENT.wrapping_add(2);
    assert_eq!(
        line.tracker.without_fin(Direction::ToServer, end),
        end.wrapping_sub(1)
    );
}

#[test]
fn fast_open_data_counts_from_behind_the_syn() {
    let mut line = Line::new();
    line.client(SYN, CLIENT, 0, 20);
    assert_eq!(
        line.server(SYN | ACK, SERVER, CLIENT.wrapping_add(21), 0)
            .outcome,
        Some(Outcome::Accepted)
    );
    assert!(
        line.client(ACK, CLIENT.wrapping_add(21), SERVER + 1, 5)
            .client_proven
    );
}

/// RFC 7323 section 5: what is older than the time that the other side has echoed is dropped by it,
/// and not read here. A late time that nobody echoed blinds nobody.
#[test]
fn segments_from_the_past_are_not_taken() {
    for (lenient, echoed, taken) in [
        (false, 100, true),
        (false, 9000, false),
        (true, 100, false),
        (true, 9000, false),
    ] {
        let rules = Rules {
            lenient,
            ..Rules::default()
        };
        let mut line = Line::new();
        line.timed(Direction::ToServer, &rules, (SYN, CLIENT, 0, 0), (100, 0));
        line.timed(
            Direction::ToClient,
            &rules,
            (SYN | ACK, SERVER, CLIENT + 1, 0),
            (7, 100),
        );
        line.timed(
            Direction::ToServer,
            &rules,
            (ACK, CLIENT + 1, SERVER + 1, 0),
            (101, 7),
        );
        // of 10 bytes, with a late time: did it arrive?
        let late = (ACK, CLIENT + 1, SERVER + 1, 10);
        assert!(
            line.timed(Direction::ToServer, &rules, late, (9000, 7))
                .accepted
        );
        let answer = (ACK, SERVER + 1, CLIENT.wrapping_add(11), 10);
        line.timed(Direction::ToClient, &rules, answer, (8, echoed));
        let next = (ACK, CLIENT.wrapping_add(11), SERVER.wrapping_add(11), 10);
        let step = line.timed(Direction::ToServer, &rules, next, (102, 8));
        assert_eq!(step.accepted, taken, "{lenient} {echoed}");
        let old = (ACK, CLIENT.wrapping_add(11), SERVER.wrapping_add(11), 10);
        let step = line.timed(Direction::ToServer, &rules, old, (98, 8));
        assert!(!step.accepted, "older than anything that was sent");
        assert_eq!(step.events[0], Some(Event::InvalidTimestamp));
    }
}

/// RFC 7323 section 5.2: half way round is after; and an echo of what was never sent, by a server
/// that wants its client unread, says nothing. A first time of 0 is no time.
#[test]
fn odd_times_blind_nobody() {
    const HALF: u32 = 1 << 31;
    for (first, answered, echo, next) in [
        (100, 100, 100, 100 + HALF),
        (100, 100, 90_000_000, 101),
        (100, 90_000_000, 100, 101),
        (0, 0, 0, 0x9000_0000),
    ] {
        let rules = Rules::default();
        let mut line = Line::new();
        line.timed(Direction::ToServer, &rules, (SYN, CLIENT, 0, 0), (first, 0));
        let answer = (SYN | ACK, SERVER, CLIENT + 1, 0);
        line.timed(Direction::ToClient, &rules, answer, (7, answered));
        let third = (ACK, CLIENT + 1, SERVER + 1, 0);
        line.timed(Direction::ToServer, &rules, third, (first, 7));
        let ack = (ACK, SERVER + 1, CLIENT + 1, 0);
        line.timed(Direction::ToClient, &rules, ack, (8, echo));
        let data = (ACK, CLIENT + 1, SERVER + 1, 10);
        let step = line.timed(Direction::ToServer, &rules, data, (next, 8));
        assert!(step.accepted, "{first} {answered} {echo} {next}");
    }
}

/// Hosts take the last of two timestamp options, and so do we.
#[test]
fn of_two_timestamps_the_last_counts() {
    let one = |value: u8| [1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, 9];
    let both = [one(5), one(6)].concat();
    for (options, value) in [(&one(5)[..], 5), (&both, 6)] {
        let segment = Tcp {
            options,
            ..tcp(ACK, 1, 1, 0)
        };
        assert_eq!(segment.timestamps(), Some((value, 9)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// What is taken as expected leaves what a full judgement leaves, whatever came before.
    #[test]
    fn the_short_way_ends_where_the_long_way_does(
        lenient in any::<bool>(),
        segments in vec((any::<bool>(), odd_flags(), near(), near(), lens(), windows()), 1..40),
    ) {
        let rules = Rules { lenient, ..Rules::default() };
        let (mut short, mut long) = (Line::established(), Line::established());
        for (to_server, flags, seq, ack, len, window) in segments {
            let way = if to_server { Direction::ToServer } else { Direction::ToClient };
            let (own, peer) = short.tracker.pair(way);
            let seq = own.next.wrapping_add_signed(seq);
            let ack = peer.next.wrapping_add_signed(ack);
            let segment = Tcp { window, ..tcp(flags, seq, ack, len) };
            let is_expected = short.tracker.expects(&short.flow, way, &segment, &rules);
            let quick = match is_expected {
                true => Step::EXPECTED,
                false => short.tracker.segment(&mut short.flow, way, &segment, &rules),
            };
            let slow = long.tracker.segment(&mut long.flow, way, &segment, &rules);
            prop_assert_eq!(quick, slow);
            prop_assert_eq!(short.tracker, long.tracker);
            prop_assert_eq!(short.flow, long.flow);
        }
    }
}

/// Mostly plain acknowledgements.
fn odd_flags() -> impl Strategy<Value = u8> {
    prop_oneof![20 => Just(ACK), 5 => Just(ACK | 8), 1 => any::<u8>()]
}

/// Mostly where the other side expects it.
fn near() -> impl Strategy<Value = i32> {
    prop_oneof![10 => Just(0), 3 => -3000..3000_i32, 1 => any::<i32>()]
}

fn lens() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), 0..1500_u32]
}

fn windows() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0), Just(1000), any::<u16>()]
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

fn tcp(flags: u8, seq: u32, ack: u32, len: u32) -> Tcp<'static> {
    Tcp {
        src_port: 1,
        dst_port: 2,
        seq,
        ack,
        flags: TcpFlags(flags),
        window: 1000,
        urgent: 0,
        options: &[],
        payload: &[],
        payload_len: len,
    }
}

/// A connection on the wire.
struct Line {
    flow: Standing,
    tracker: Tracker,
}

impl Line {
    fn new() -> Self {
        Self {
            flow: Standing::default(),
            tracker: Tracker::default(),
        }
    }

    /// SYN and SYN/ACK.
    fn answered() -> Self {
        let mut line = Self::new();
        line.client(SYN, CLIENT, 0, 0);
        line.server(SYN | ACK, SERVER, CLIENT + 1, 0);
        line
    }

    fn established() -> Self {
        let mut line = Self::answered();
        line.client(ACK, CLIENT + 1, SERVER + 1, 0);
        line
    }

    fn client(&mut self, flags: u8, seq: u32, ack: u32, len: u32) -> Step {
        self.segment(Direction::ToServer, flags, seq, ack, len)
    }

    fn server(&mut self, flags: u8, seq: u32, ack: u32, len: u32) -> Step {
        self.segment(Direction::ToClient, flags, seq, ack, len)
    }

    /// A segment with timestamps.
    fn timed(
        &mut self,
        way: Direction,
        rules: &Rules,
        (flags, seq, ack, len): (u8, u32, u32, u32),
        (value, echo): (u32, u32),
    ) -> Step {
        let times = [value.to_be_bytes(), echo.to_be_bytes()].concat();
        let options = [&[1, 1, 8, 10][..], &times].concat();
        let segment = Tcp {
            options: &options,
            ..tcp(flags, seq, ack, len)
        };
        self.tracker.segment(&mut self.flow, way, &segment, rules)
    }

    fn segment(&mut self, way: Direction, flags: u8, seq: u32, ack: u32, len: u32) -> Step {
        let segment = tcp(flags, seq, ack, len);
        let rules = Rules::default();
        self.tracker.segment(&mut self.flow, way, &segment, &rules)
    }
}
