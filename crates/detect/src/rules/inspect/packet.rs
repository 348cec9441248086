//! Rules that look at packets.

use std::sync::Arc;

use ::packet::{Direction, Inspect, Proto, Refusal, TcpState};

use super::super::header::Layer;
use super::super::rule::{Asked, Inspection};
use super::super::scene::{Scene, Values};
use super::super::set::{Carried, Gate, Points, RuleSet};
use super::candidates::Search;
use super::{Fate, Inspector, Match, Moment, Outcome, at, values_of};

impl Inspector {
    /// A packet is over: judges all that waits for it, and the rules about packets.
    pub(super) fn packet(&mut self, inspect: &Inspect<'_>, now_ns: u64) {
        self.outcome = Outcome::default();
        let moment = Moment {
            inspect: Some(inspect),
            flow: inspect.flow,
            direction: inspect.direction,
            now_ns,
        };
        if let Some(flow) = inspect.flow
            && flow.tuple.proto != Proto::Tcp
            && !self.rules.of_events.is_empty()
            && let Some(state) = self.flows.get_mut(flow.id)
        {
            state.messages.news(inspect.direction);
        }
        if self.is_settled(inspect) {
            self.events.clear();
            return;
        }
        let state = inspect.flow.and_then(|flow| self.flows.get(flow.id));
        if state.is_some_and(|state| state.memory.is_bypassed) {
            self.events.clear();
            return;
        }
        match state.and_then(|state| state.fate) {
            Some(Fate::Pass) => {
                self.outcome.passed = true;
                self.outcome.fate = Some(Fate::Pass);
            }
            Some(Fate::Drop) => {
                self.outcome = Outcome {
                    dropped: true,
                    refused: Some(Refusal::Flow),
                    fate: Some(Fate::Drop),
                    ..Outcome::default()
                };
            }
            None => {
                let rules = Arc::clone(&self.rules);
                let matches = self.of_packet(&rules, &moment, inspect);
                self.judge(&rules, &moment, matches);
                if inspect.refused.is_some() && !self.outcome.dropped {
                    self.outcome.dropped = true;
                    self.outcome.refused = inspect.refused;
                }
            }
        }
        self.events.clear();
    }

    /// Whether it is settled what becomes of a packet, whatever rules would say: its flow was dropped by
    /// one before, or a policy of exceptions says so.
    fn is_settled(&mut self, inspect: &Inspect<'_>) -> bool {
        if inspect.is_passed {
            self.outcome.refused = inspect.refused;
            self.outcome.dropped = inspect.refused.is_some();
            self.outcome.passed = inspect.refused.is_none();
        }
        inspect.is_passed
    }

    /// The rules that match in the packet itself. The payload of TCP is looked at as part of a stream,
    /// where there is one.
    fn of_packet(
        &mut self,
        rules: &RuleSet,
        moment: &Moment<'_>,
        inspect: &Inspect<'_>,
    ) -> Vec<Match> {
        let protocol = inspect.tuple.map(|tuple| tuple.proto.number());
        let carried = protocol.map_or(Carried::Other, Carried::of);
        let scene = moment.scene(&rules.sets);
        let direction = inspect
            .flow
            .map_or(Direction::ToServer, |_| scene.direction);
        let mut matches = Vec::new();
        let points = rules.of_packets(carried, direction);
        self.of_points(rules, points, &scene, inspect, &mut matches);
        let is_open = inspect.flow.is_some_and(|flow| {
            !matches!(
                flow.tcp_state,
                None | Some(TcpState::None | TcpState::SynSent | TcpState::SynRecv)
            )
        });
        let in_stream = inspect.in_stream && is_open;
        let is_alone = carried == Carried::Tcp
            && !in_stream
            && !inspect.is_opaque
            && !scene.payload.is_empty();
        if is_alone {
            let points = rules.of_streams(scene.direction);
            let known: Vec<u32> = matches.iter().map(|found| found.rule).collect();
            let mut alone = Vec::new();
            self.of_points(rules, points, &scene, inspect, &mut alone);
            // rules about packets and streams stand in both
            let is_of_packets = |number| {
                let rule = rules.rule(number);
                rule.is_some_and(|rule| !rule.payload_from.streams_only)
            };
            alone.retain(|found| !known.contains(&found.rule) && is_of_packets(found.rule));
            matches.append(&mut alone);
        }
        matches
    }

    /// Whether bytes of the stream are looked at with a packet.
    fn comes_with_stream(&mut self, inspect: &Inspect<'_>) -> bool {
        let window = inspect.flow.and_then(|flow| {
            let state = self.flows.get(flow.id)?;
            let window = state.streams.get(at(inspect.direction))?;
            Some(window.is_due(flow, self.options.stream_bytes_min))
        });
        window.unwrap_or(false)
    }

    fn of_points(
        &mut self,
        rules: &RuleSet,
        points: Points<'_>,
        scene: &Scene<'_>,
        inspect: &Inspect<'_>,
        matches: &mut Vec<Match>,
    ) {
        let is_opaque = inspect.is_opaque && !scene.payload.is_empty();
        // what must not be there is not asked of a packet that nothing comes with
        let is_empty = scene.payload.is_empty() && !self.comes_with_stream(inspect);
        let search = Search {
            rules,
            points,
            scene,
            app: scene.app(),
            from: 0,
            with_ends: scene.is_first() != Some(false),
        };
        let numbers = self.finder.find(&search, |list, each| {
            if list.is_payload() {
                return each(scene.payload);
            }
            let mut values = Values::default();
            values_of(list.buffer, &list.transforms, scene, &mut values);
            values.iter().for_each(each);
        });
        // matches are put in the order of the rules when they are judged
        for &number in &numbers {
            let Some((rule, gate)) = rules.rule(number).zip(rules.gates.get(number)) else {
                continue;
            };
            let is_bare = is_empty && rule.payload().is_some();
            if !takes(gate, inspect) || is_bare || is_opaque && rule.asks_payload() {
                continue;
            }
            if !rule.is_mixed() && !rule.may_hold(scene) {
                continue;
            }
            let Some(held) = self.holds(rule, scene, Inspection::is_of_packet) else {
                continue;
            };
            if rule.is_mixed() {
                self.note_payload(inspect.flow, number, held.notes);
                continue;
            }
            matches.push(Match::of(number, held));
        }
        self.finder.reuse(numbers);
    }
}

/// Whether a rule's protocol is that of the packet. Of one without a protocol, nothing is asked but
/// its damage and its ends.
fn takes(gate: &Gate, inspect: &Inspect<'_>) -> bool {
    let decoded = inspect.packet.decoded;
    let layer = gate.layer;
    let ends = inspect
        .tuple
        .map(|tuple| (tuple.proto.number(), tuple.src.is_ipv4()));
    let is_unknown = |protocol: u8| protocol == 0 && !decoded.damages.is_empty();
    match ends {
        _ if layer == Layer::Arp => decoded.arp.is_some(),
        Some((protocol, _)) if is_unknown(protocol) && gate.asked == Asked::Packets => false,
        Some((protocol, is_v4)) => layer.takes(protocol, if is_v4 { 4 } else { 6 }),
        None => gate.asked == Asked::Damage && matches!(layer, Layer::Ip(None) | Layer::Frame),
    }
}
