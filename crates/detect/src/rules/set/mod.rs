//! A compiled set of rules, arranged for look-up. It is immutable, and replaced as a whole; one that
//! differs by a few rules shares what they have in common with the one that it is made of.

mod arrangement;
mod change;
mod gate;
mod guard;
mod origin;
mod point;

use std::cmp::Reverse;
use std::sync::Arc;

use packet::{AppProto, Digests, Direction};

use super::dataset::Datasets;
use super::rule::{Asked, Inspection, Rule};
use super::scene::{Sets, Stage};
use arrangement::Arrangement;
pub(crate) use arrangement::{Carried, DIRECTIONS};
pub(crate) use gate::{Gate, Gates, Passed};
pub(crate) use point::{List, Point};

/// Rules, and what leads to them.
#[derive(Debug, Default)]
pub struct RuleSet {
    /// By number; none for one that was taken out.
    rules: Vec<Option<Arc<Rule>>>,
    /// Numbers in the order in which rules are looked at.
    order: Vec<u32>,
    /// By number, the place in that order.
    ranks: Vec<u32>,
    /// The actions, those that are looked at first in front.
    action_order: Vec<String>,
    /// What is asked of them first.
    pub(crate) gates: Gates,
    pub(crate) sets: Arc<Sets>,
    /// Names of bits and numbers of flows.
    pub(crate) names: Vec<Box<str>>,
    /// Some are asked when the application protocol of a flow is known.
    pub(crate) asks_protocol: bool,
    /// About what is wrong with messages, and nothing else of them.
    pub(crate) of_events: Vec<u32>,
    /// Asked once more at the end of a flow.
    pub(crate) of_flow_end: Vec<u32>,
    /// Those that were compiled together, and how many they are.
    base: Arc<Arrangement>,
    base_len: usize,
    /// Those that came later.
    added: Arrangement,
}

/// The rules of a place: those that were compiled together, and those that came later.
pub(crate) type Points<'s> = [Option<&'s Point>; 2];

impl RuleSet {
    /// Arranges rules.
    pub(crate) fn arrange(mut rules: Vec<Rule>, sets: Datasets, action_order: &[String]) -> Self {
        rules.sort_by_key(|rule| rule.order(action_order));
        let gates = Gates::of(&rules);
        let mut set = Self {
            base_len: rules.len(),
            action_order: action_order.to_vec(),
            sets: Arc::new(Sets::new(sets)),
            base: Arc::new(Arrangement::of((0..).zip(&rules), &gates)),
            gates,
            ..Self::default()
        };
        for (number, rule) in (0..).zip(rules) {
            set.note(number, &rule);
            set.order.push(number);
            set.rules.push(Some(Arc::new(rule)));
        }
        set.rank();
        set
    }

    /// Notes what is asked of a rule apart from where it is arranged.
    fn note(&mut self, number: u32, rule: &Rule) {
        self.asks_protocol |= rule.asked == Asked::Protocol;
        if rule.is_of_events() {
            self.of_events.push(number);
        } else if rule.is_of_flow_end() && (rule.stage == Stage::Packet || rule.is_mixed()) {
            self.of_flow_end.push(number);
        }
    }

    /// Works out the places of the rules in their order.
    fn rank(&mut self) {
        self.ranks.clear();
        self.ranks.resize(self.rules.len(), u32::MAX);
        for (place, number) in (0..).zip(&self.order) {
            let rank = usize::try_from(*number).ok();
            if let Some(rank) = rank.and_then(|number| self.ranks.get_mut(number)) {
                *rank = place;
            }
        }
    }

    /// The rules, by number.
    fn numbered(&self) -> impl Iterator<Item = (u32, &Rule)> {
        let rules = (0..).zip(&self.rules);
        rules.filter_map(|(number, rule)| Some((number, rule.as_deref()?)))
    }

    /// What must be worked out of files for the rules.
    #[must_use]
    pub fn digests(&self) -> Digests {
        let wanted = self.numbered().map(|(_, rule)| rule.digests);
        wanted.fold(Digests::default(), Digests::or)
    }

    /// Whether a rule has files stored.
    #[must_use]
    pub fn stores(&self) -> bool {
        self.numbered().any(|(_, rule)| rule.store.is_some())
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Numbers of rules are smaller than this.
    pub(crate) fn numbers(&self) -> usize {
        self.rules.len()
    }

    /// A rule by its number in this set.
    #[must_use]
    pub fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.get(usize::try_from(number).ok()?)?.as_deref()
    }

    /// The place of a rule in the order in which they are looked at.
    pub(crate) fn rank_of(&self, number: u32) -> u32 {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        self.ranks.get(number).copied().unwrap_or(u32::MAX)
    }

    pub(crate) fn of_packets(&self, carried: Carried, direction: Direction) -> Points<'_> {
        [&*self.base, &self.added].map(|all| all.of_packets(carried, direction))
    }

    pub(crate) fn of_streams(&self, direction: Direction) -> Points<'_> {
        [&*self.base, &self.added].map(|all| all.of_streams(direction))
    }

    /// Whether there are rules about a side of transactions of a protocol.
    pub(crate) fn is_about(&self, app: AppProto, direction: Direction) -> bool {
        [
            Stage::Line,
            Stage::Head,
            Stage::Body,
            Stage::Message,
            Stage::File,
        ]
        .into_iter()
        .any(|stage| self.of_transactions(app, direction, stage).is_some())
    }

    pub(crate) fn of_transactions(
        &self,
        app: AppProto,
        direction: Direction,
        stage: Stage,
    ) -> Option<Points<'_>> {
        let place = (app, direction, stage);
        let points = [&*self.base, &self.added].map(|all| all.of_transactions(place));
        points.iter().any(Option::is_some).then_some(points)
    }
}

impl Rule {
    /// The order in which rules are looked at: by action, those that set bits before those that ask
    /// for them, the more urgent first.
    fn order(&self, actions: &[String]) -> (usize, Reverse<u8>, u32, u32) {
        let action = self.header.action;
        let named = actions.iter().position(|name| name == action.name());
        let place = named.unwrap_or_else(|| action.order());
        (
            place,
            Reverse(self.bits_rank),
            self.about.priority,
            self.id.sid,
        )
    }

    /// Whether it is about what is wrong with messages, and nothing else of them.
    fn is_of_events(&self) -> bool {
        self.stage == Stage::Packet && !self.app_events.is_empty()
    }

    /// Whether it looks into packets or streams beside parts of transactions.
    pub(crate) fn is_mixed(&self) -> bool {
        self.stage != Stage::Packet && self.inspections.iter().any(Inspection::is_of_packet)
    }

    /// Whether it looks into streams.
    pub(crate) fn is_of_streams(&self) -> bool {
        self.payload().is_some()
            && self.header.protocol.layer.has_streams()
            && !self.payload_from.packets_only
    }
}
