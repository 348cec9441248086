//! Rules that look into streams.

use std::sync::Arc;

use packet::{Direction, Flow, FlowId, StreamPiece, TcpState};

use super::super::note::Note;
use super::super::rule::Inspection;
use super::super::scene::Scene;
use super::super::set::{Point, RuleSet};
use super::candidates::Search;
use super::{FlowState, Inspector, Match, at, takes_flow};

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
    /// Bytes that are kept.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn has_news(&self) -> bool {
        self.bytes.len() > self.seen
    }

    /// Whether what is new is looked at with the packet at hand.
    pub(super) fn is_due(&self, flow: &Flow, bytes_min: usize) -> bool {
        let news = self.bytes.len().saturating_sub(self.seen);
        // what a side sent is not waited for longer once one of them closes
        let is_closing = flow.tcp_state.is_some_and(TcpState::is_closing);
        news > 0 && (self.due || is_closing || news >= bytes_min)
    }

    fn looked_at(&mut self, overlap: usize) {
        let keep = self.bytes.len().min(overlap);
        let drop = self.bytes.len().saturating_sub(keep);
        self.bytes.drain(..drop);
        self.seen = keep;
        self.due = false;
    }

    /// Bytes are missing: what follows does not belong to what was before.
    fn cut(&mut self) -> Vec<u8> {
        self.seen = 0;
        std::mem::take(&mut self.bytes)
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
        if matches!(
            flow.tcp_state,
            Some(TcpState::None | TcpState::SynSent | TcpState::SynRecv)
        ) {
            // without a handshake, segments are looked at for themselves
            return;
        }
        let points = self.rules.of_streams(direction);
        if points.into_iter().flatten().all(Point::is_empty) {
            return;
        }
        let Some(mut state) = self.take(flow.id) else {
            return;
        };
        if let Some(window) = state.streams.get_mut(at(direction)) {
            let is_full = match piece {
                StreamPiece::Data(data) => {
                    window.bytes.extend_from_slice(data);
                    window.bytes.len() >= STREAM_BYTES_MAX
                }
                StreamPiece::Gap(_) => true,
            };
            let is_over = self.charge(&mut state);
            let hit = &mut self.counters.window_bytes_max_hit;
            *hit = hit.saturating_add(u64::from(is_over));
            if is_full || is_over {
                let rules = Arc::clone(&self.rules);
                self.window(&rules, flow, &mut state, direction, true, now_ns);
            }
        }
        if let StreamPiece::Gap(missing) = piece {
            state.note_gap(direction, missing);
        }
        self.keep(flow.id, state);
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
        let Some(window) = state.streams.get_mut(at(direction)) else {
            return;
        };
        let is_due = window.is_due(flow, self.options.stream_bytes_min);
        if !(is_due || all && window.has_news()) {
            return;
        }
        let scene = Scene {
            payload: &window.bytes,
            ..Scene::of_flow(flow, direction, &rules.sets, now_ns)
        };
        let repeat = self.options.inline && self.options.stream_bytes_min == 0;
        let from = if repeat { 0 } else { window.seen };
        let search = Search {
            rules,
            points: rules.of_streams(direction),
            scene: &scene,
            app: scene.app(),
            from,
            with_ends: false,
        };
        let numbers = self.finder.find(&search, |_, each| each(scene.payload));
        let mut shown: [Option<Arc<[u8]>>; 2] = [None, None];
        let mut found = Vec::new();
        for &number in &numbers {
            let Some(rule) = rules.rule(number).filter(|rule| takes_flow(rule, flow)) else {
                continue;
            };
            let Some(held) = self.holds(rule, &scene, Inspection::is_of_packet) else {
                continue;
            };
            if rule.is_mixed() {
                note(&mut state.payload_matched, number, held.notes);
                continue;
            }
            let reason = held.reason;
            // bytes that were shown before are shown again only where the match begins there
            let begins = reason.map_or(0, |reason| reason.offset);
            let is_new = usize::try_from(begins).is_ok_and(|begins| begins >= from);
            let skipped = if is_new { from } else { 0 };
            let reason = reason.map(|reason| reason.behind(skipped));
            let bytes = shown.get_mut(usize::from(is_new)).map(|shown| {
                let bytes = scene.payload.get(skipped..).unwrap_or_default();
                Arc::clone(shown.get_or_insert_with(|| Arc::from(bytes)))
            });
            found.push(Match {
                stream: bytes,
                reason,
                ..Match::of(number, held)
            });
        }
        self.finder.reuse(numbers);
        for found in found {
            self.wait(state, direction, found);
        }
        if let Some(window) = state.streams.get_mut(at(direction)) {
            window.looked_at(if repeat {
                STREAM_INLINE
            } else {
                STREAM_OVERLAP
            });
        }
    }

    /// A rule that looks into payload and transactions: its payload matched.
    pub(super) fn note_payload(&mut self, flow: Option<&Flow>, number: u32, notes: Vec<Note>) {
        if let Some(state) = flow.and_then(|flow| self.flow(flow.id)) {
            note(&mut state.payload_matched, number, notes);
        }
    }

    /// A message of a direction is complete.
    pub(super) fn hurry(&mut self, flow: FlowId, direction: Direction) {
        let state = self.flows.get_mut(flow);
        if let Some(window) = state.and_then(|state| state.streams.get_mut(at(direction))) {
            window.hurry();
        }
    }
}

impl FlowState {
    /// Bytes are missing in a stream: what matched before them, and waits, is shown with what follows.
    fn note_gap(&mut self, direction: Direction, missing: u64) {
        let place = at(direction);
        let before = self.streams.get_mut(place).map(Window::cut);
        let waits = self
            .waiting
            .get(place)
            .is_some_and(|waiting| !waiting.is_empty());
        let Some(gaps) = self.gaps.get_mut(place) else {
            return;
        };
        if waits && gaps.len() < GAPS_BYTES_MAX {
            gaps.extend(before.unwrap_or_default());
            gaps.extend(format!("[{missing} bytes missing]").into_bytes());
            for found in self.waiting.iter_mut().flatten() {
                found.before_gap = true;
            }
        }
    }

    /// What matched before and behind a gap is shown together.
    pub(super) fn join_gaps(&mut self, direction: Direction, matches: &mut [Match]) {
        let gaps = self.gaps.get_mut(at(direction)).map(std::mem::take);
        let Some(mut shown) = gaps.filter(|gaps| !gaps.is_empty()) else {
            return;
        };
        let behind = matches
            .iter()
            .find(|found| !found.before_gap && found.stream.is_some());
        let behind = behind.and_then(|found| found.stream.as_deref());
        shown.extend_from_slice(behind.unwrap_or_default());
        let shown: Arc<[u8]> = shown.into();
        for found in matches.iter_mut().filter(|found| found.stream.is_some()) {
            found.stream = Some(Arc::clone(&shown));
        }
    }
}

/// Bytes before gaps that are shown with what follows; beyond that, no more are added.
const GAPS_BYTES_MAX: usize = 64 << 10;

/// Notes a rule once, with what it noted last.
fn note(rules: &mut Vec<(u32, Vec<Note>)>, number: u32, notes: Vec<Note>) {
    match rules.iter_mut().find(|(known, _)| *known == number) {
        Some((_, known)) => *known = notes,
        None => rules.push((number, notes)),
    }
}
