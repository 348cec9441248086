//! Rules that look into streams.

use std::sync::Arc;

use packet::{Direction, Flow, FlowId, StreamPiece, TcpState};

use super::super::scene::{Scene, Stage};
use super::super::set::RuleSet;
use super::{FlowState, Inspector, Match};
use crate::rules::inspect::packet::fits;

/// Most bytes of a stream that are looked at together.
pub(super) const STREAM_BYTES_MAX: usize = 64 << 10;
/// Bytes that are looked at again with those behind them, so that nothing hides on the border.
pub(super) const STREAM_OVERLAP: usize = 512;

/// Bytes that are looked at again where a stream is looked at with each packet.
const STREAM_INLINE: usize = 2560;

/// The bytes of one direction that are looked at together.
#[derive(Debug, Default)]
pub(super) struct Window {
    bytes: Vec<u8>,
    /// How many of them were looked at before.
    seen: usize,
    /// A message is complete: they are not waited for longer.
    due: bool,
}

impl Window {
    fn has_news(&self) -> bool {
        self.bytes.len() > self.seen
    }

    fn looked_at(&mut self, overlap: usize) {
        let keep = self.bytes.len().min(overlap);
        let drop = self.bytes.len().saturating_sub(keep);
        self.bytes.drain(..drop);
        self.seen = keep;
        self.due = false;
    }

    fn cut(&mut self) {
        self.bytes.clear();
        self.seen = 0;
    }

    /// They are not waited for longer.
    pub(super) fn hurry(&mut self) {
        self.due = true;
    }
}

impl Inspector {
    /// Takes a piece of a stream.
    pub(super) fn stream(
        &mut self,
        flow: &Flow,
        direction: Direction,
        piece: StreamPiece<'_>,
        now_ns: u64,
    ) {
        let rules = Arc::clone(&self.rules);
        if matches!(
            flow.tcp_state,
            Some(TcpState::None | TcpState::SynSent | TcpState::SynRecv)
        ) {
            // without a handshake, segments are looked at for themselves
            return;
        }
        if rules
            .of_streams(direction)
            .is_none_or(super::super::set::Point::is_empty)
        {
            return;
        }
        let at = usize::from(direction == Direction::ToClient);
        let Some(state) = self.flow(flow.id) else {
            return;
        };
        let Some(window) = state.streams.get_mut(at) else {
            return;
        };
        let is_full = match piece {
            StreamPiece::Data(data) => {
                window.bytes.extend_from_slice(data);
                window.bytes.len() >= STREAM_BYTES_MAX
            }
            StreamPiece::Gap(_) => true,
        };
        if is_full && let Some(mut state) = self.flows.remove(&flow.id) {
            self.window(&rules, flow, &mut state, direction, true, now_ns);
            if let (StreamPiece::Gap(_), Some(window)) = (piece, state.streams.get_mut(at)) {
                window.cut();
            }
            self.flows.insert(flow.id, state);
        }
    }

    /// Looks at what is new in a stream, if it is enough, or at all of it.
    pub(super) fn window(
        &mut self,
        rules: &RuleSet,
        flow: &Flow,
        state: &mut FlowState,
        direction: Direction,
        all: bool,
        now_ns: u64,
    ) {
        let at = usize::from(direction == Direction::ToClient);
        let Some(window) = state.streams.get_mut(at) else {
            return;
        };
        let news = window.bytes.len().saturating_sub(window.seen);
        let is_due = all || window.due || news >= self.options.stream_bytes_min;
        if !window.has_news() || !is_due {
            return;
        }
        let Some(point) = rules.of_streams(direction) else {
            return;
        };
        let tuple = match direction {
            Direction::ToServer => flow.tuple,
            Direction::ToClient => flow.tuple.reversed(),
        };
        let scene = Scene {
            packet: None,
            flow: Some(flow),
            direction,
            tuple: Some(tuple),
            established: true,
            payload: &window.bytes,
            transaction: None,
            sets: &rules.sets,
            file: None,
            now_ns,
        };
        let repeat = self.options.inline && self.options.stream_bytes_min == 0;
        let from = if repeat { 0 } else { window.seen };
        self.candidates(point, from, |_, each| each(scene.payload));
        let mut shown = None;
        let mut found = Vec::new();
        for number in std::mem::take(&mut self.candidates) {
            let Some(rule) = rules.rule(number).filter(|rule| fits(rule, &scene)) else {
                continue;
            };
            let of_payload = |inspection: &crate::rules::rule::Inspection| {
                inspection
                    .buffer
                    .is_none_or(|buffer| buffer.stage == Stage::Packet)
            };
            let Some((reason, caught)) = self.holds(rule, &scene, of_payload) else {
                continue;
            };
            if rule.is_mixed() {
                if !state.payload_matched.contains(&number) {
                    state.payload_matched.push(number);
                }
                continue;
            }
            let bytes = shown.get_or_insert_with(|| Arc::<[u8]>::from(scene.payload));
            found.push(Match {
                rule: number,
                transaction: None,
                stream: Some(Arc::clone(bytes)),
                reason,
                caught,
            });
        }
        if let Some(waiting) = state.waiting.get_mut(at) {
            waiting.append(&mut found);
        }
        if let Some(window) = state.streams.get_mut(at) {
            window.looked_at(if repeat {
                STREAM_INLINE
            } else {
                STREAM_OVERLAP
            });
        }
    }

    /// A rule that looks into payload and transactions: its payload matched.
    pub(super) fn note_payload(&mut self, flow: Option<&Flow>, number: u32) {
        let state = flow.and_then(|flow| self.flow(flow.id));
        if let Some(state) = state.filter(|state| !state.payload_matched.contains(&number)) {
            state.payload_matched.push(number);
        }
    }

    /// A message of a direction is complete.
    pub(super) fn hurry(&mut self, flow: FlowId, direction: Direction) {
        let at = usize::from(direction == Direction::ToClient);
        let state = self.flows.get_mut(&flow);
        if let Some(window) = state.and_then(|state| state.streams.get_mut(at)) {
            window.hurry();
        }
    }
}
