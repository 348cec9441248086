//! A rule whose options are all there: what it is about, when it is looked at, and what it is looked up
//! by.

use std::sync::Arc;

use packet::Direction;

use super::super::diagnostic::Problem;
use super::super::header::Layer;
use super::super::rule::{Asked, Fast, Inspection, PayloadFrom, Rule, RuleId, Step, Subject};
use super::super::scene::{Sides, Stage};
use super::super::state::RuleKey;
use super::super::syntax::Piece;
use super::Builder;

impl Builder<'_, '_> {
    /// The rule, complete. `whole` is its text.
    pub(crate) fn build(mut self, whole: Piece<'_>) -> Result<Rule, Problem> {
        let Some(sid) = self.sid else {
            return Err(whole.wrong("no sid").mend("number the rule: sid:1000001;"));
        };
        let fast = [true, false]
            .into_iter()
            .filter_map(|of_packet| self.fast_pattern(of_packet));
        let fast = fast.map(|fast| self.settled(fast)).collect();
        self.inspections_without_steps(whole)?;
        let payload_placed = self.inspections.iter().any(|inspection| {
            inspection.buffer.is_none()
                && inspection
                    .steps
                    .iter()
                    .any(|step| matches!(step, Step::Content(content) if content.is_placed()))
        });
        let of_both_sides = self.header.of_both_sides;
        let stage = self.stage(whole)?;
        let layer = self.header.protocol.layer;
        let streams_only = self.payload_from.streams_only || layer == Layer::TcpStream;
        Ok(Rule {
            asked: self.asked(),
            app_events: self.app_events,
            store: self.store,
            digests: self.digests,
            id: RuleId {
                gid: self.gid.unwrap_or(1),
                sid,
                rev: self.rev.unwrap_or(0),
            },
            origin: None,
            about: self.about,
            apps: self.apps,
            // what both sides say is known with the answer
            sides: match of_both_sides {
                true => Sides::Server,
                false => self.sides,
            },
            stage,
            conditions: self.conditions,
            inspections: self.inspections,
            fast,
            effects: self.effects,
            filter: self.around.thresholds.filter(
                RuleKey {
                    gid: self.gid.unwrap_or(1),
                    sid,
                },
                self.threshold.or(self.detection_filter),
            ),
            silent: self.silent,
            needs_packet: (self.needs_packet || payload_placed || layer == Layer::TcpPacket)
                && !streams_only,
            payload_size: self.payload_size,
            needs_flow: self.needs_flow,
            payload_from: PayloadFrom {
                packets_only: self.payload_from.packets_only || layer == Layer::TcpPacket,
                streams_only,
            },
            bits_rank: self.bits_rank,
            header: self.header,
        })
    }

    /// When all is there that it looks at.
    fn stage(&self, whole: Piece<'_>) -> Result<Stage, Problem> {
        let of_both_sides = self.header.of_both_sides;
        let inspections = self.inspections.iter();
        // what a client said is there when its server answers
        let stages = inspections
            .filter(|inspection| inspection.side != Some(Direction::ToServer))
            .filter_map(|inspection| Some(inspection.buffer?.stage));
        let stage = stages.max().unwrap_or(match of_both_sides {
            true => Stage::Message,
            false => Stage::Packet,
        });
        let mut inspections = self.inspections.iter();
        let has_payload = inspections.any(|inspection| inspection.buffer.is_none());
        if of_both_sides && (has_payload || self.inspections.is_empty()) {
            let message =
                "a rule over both sides that asks something of packets, or nothing at all";
            return Err(whole
                .unsupported(format!("{message} is not supported"))
                .mend("look into buffers of both sides, or write -> for =>"));
        }
        if has_payload && !self.app_events.is_empty() {
            return Err(whole
                .unsupported("contents of the payload beside app-layer-event are not supported")
                .mend("look into a buffer of the protocol"));
        }
        let in_streams =
            self.payload_from.streams_only || self.header.protocol.layer == Layer::TcpStream;
        if self.needs_packet && self.payload_from.packets_only && in_streams {
            return Err(whole
                .wrong("something about packets in a rule about streams alone")
                .mend("take out what is asked of the packet's headers, or write tcp"));
        }
        if self.needs_packet && (stage != Stage::Packet || !self.app_events.is_empty()) {
            return Err(whole
                .wrong("packets and messages in one rule")
                .mend("take out what is asked of the packet's headers, or of messages"));
        }
        Ok(stage)
    }

    /// Its place among the inspections that ask anything.
    fn settled(&self, fast: Fast) -> Fast {
        let before = self.inspections.get(..fast.inspection).unwrap_or_default();
        let kept = before.iter().filter(|inspection| inspection.asks());
        Fast {
            inspection: kept.count(),
            ..fast
        }
    }

    /// Of which packets it is asked.
    fn asked(&self) -> Asked {
        if !self.inspections.is_empty() || !self.apps.is_empty() || !self.app_events.is_empty() {
            return Asked::Packets;
        }
        let mut subjects = self.conditions.iter().map(|condition| condition.subject());
        let subject = subjects.next().unwrap_or(Subject::Ends);
        match subject {
            _ if subjects.any(|other| other != subject) => Asked::Packets,
            Subject::Ends
                if !self.needs_flow && self.sides == Sides::Both && !self.header.negated =>
            {
                Asked::Ends
            }
            // what is asked of the state of a flow is asked of all its packets
            Subject::Protocol if self.needs_flow => Asked::Packets,
            Subject::Protocol => Asked::Protocol,
            Subject::Damage => Asked::Damage,
            Subject::Ends | Subject::Packet | Subject::Payload => Asked::Packets,
        }
    }

    fn inspections_without_steps(&mut self, whole: Piece<'_>) -> Result<(), Problem> {
        let absent = self.absent.and_then(|place| self.inspections.get(place));
        if absent.is_some_and(|inspection| inspection.steps.len() > 1) {
            return Err(whole
                .wrong("something is asked of a buffer that must not be there")
                .mend("take out absent, or write absent:or_else"));
        }
        self.inspections.retain(Inspection::asks);
        if self.current.buffer.is_some() && self.current.place.is_none() {
            let name = self.current.buffer.map_or("", |buffer| buffer.name);
            return Err(Problem::wrong(
                self.current.at.clone(),
                format!("nothing is asked of {name}"),
            )
            .mend("write a content behind it"));
        }
        Ok(())
    }

    /// The content that was named, else the longest of those that must be there; of packets and
    /// streams, or of transactions.
    fn fast_pattern(&self, of_packet: bool) -> Option<Fast> {
        let content_at = |inspection: usize, step: usize| {
            let of = self.inspections.get(inspection)?;
            // a buffer that either side has is looked up by that of the server
            let is_of_client = of.side == Some(Direction::ToServer)
                && of.buffer.is_some_and(|buffer| buffer.sides == Sides::Both);
            if of.is_of_packet() != of_packet || is_of_client {
                return None;
            }
            match of.steps.get(step)? {
                Step::Content(content) if !content.is_negated() && !of.or_absent => Some(content),
                Step::Content(_) | Step::Find(_) | Step::Check(_) => None,
            }
        };
        let named = self
            .fast
            .filter(|(_, _, decoded)| !decoded)
            .map(|(inspection, step, _)| (inspection, step));
        let named = named.filter(|(inspection, step)| content_at(*inspection, *step).is_some());
        let all = self.inspections.iter().enumerate();
        let all = all.flat_map(|(number, inspection)| {
            (0..inspection.steps.len()).map(move |step| (number, step))
        });
        let longest = || {
            all.filter_map(|(inspection, step)| {
                let content = content_at(inspection, step)?;
                Some((content.bytes().len(), std::cmp::Reverse((inspection, step))))
            })
            .max()
            .map(|(_, std::cmp::Reverse(at))| at)
        };
        let (inspection, step) = named.or_else(longest)?;
        let content = content_at(inspection, step)?;
        Some(Fast {
            inspection,
            bytes: Arc::from(content.bytes()),
            nocase: content.is_nocase(),
            within: content.place_end(),
        })
    }
}

impl Inspection {
    /// Whether it asks anything.
    fn asks(&self) -> bool {
        !self.steps.is_empty() || self.or_absent
    }
}
