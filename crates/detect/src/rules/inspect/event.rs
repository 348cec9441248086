//! Rules about what is wrong with messages.
//!
//! What was found in a transaction is asked of both its sides: of each with the next packet that
//! goes its way and brings the side further, until the side is complete and was looked at.

use std::collections::VecDeque;
use std::sync::Arc;

use packet::{AppProto, Direction, Flow, Part, Transaction};

use super::super::alert::Told;
use super::super::rule::Rule;
use super::super::set::DIRECTIONS;
use super::transaction::tell;
use super::{Inspector, Match, Moment, at};

/// Most transactions of a flow whose events are remembered; the oldest is forgotten.
pub(super) const TRANSACTIONS_MAX: usize = 64;
/// Most different events of a transaction that are remembered; further ones are not looked at.
pub(super) const EVENTS_MAX: usize = 32;
/// Most alerts about events that wait for a packet of their direction.
pub(super) const WAITING_MAX: usize = 1024;

/// What is remembered of the messages of a flow.
#[derive(Debug, Default)]
pub(super) struct Messages {
    transactions: VecDeque<Known>,
    /// Rules that matched, by direction.
    waiting: [Vec<Match>; 2],
    /// The side came further since its last packet.
    has_news: [bool; 2],
}

/// What is known of a transaction.
#[derive(Debug, Default)]
struct Known {
    id: u32,
    events: Vec<&'static str>,
    sides: [Side; 2],
}

/// How far a side of a transaction is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Side {
    #[default]
    Open,
    /// All of it is there.
    Whole,
    /// All of it was looked at, or it has no such side.
    Done,
}

impl Messages {
    fn transaction(&mut self, id: u32) -> Option<&mut Known> {
        if !self.transactions.iter().any(|known| known.id == id) {
            if self.transactions.len() >= TRANSACTIONS_MAX {
                self.transactions.pop_front();
            }
            self.transactions.push_back(Known {
                id,
                ..Known::default()
            });
        }
        self.transactions.iter_mut().find(|known| known.id == id)
    }

    /// What waits in a direction, if it is to be judged with this packet. What is complete was looked
    /// at with it.
    fn take(&mut self, moment: &Moment<'_>) -> Vec<Match> {
        let place = at(moment.direction);
        for known in &mut self.transactions {
            if let Some(side @ Side::Whole) = known.sides.get_mut(place) {
                *side = Side::Done;
            }
        }
        let news = self.has_news.get_mut(place).map(std::mem::take);
        if news == Some(true) || moment.inspect.is_none() {
            let waiting = self.waiting.get_mut(place);
            return waiting.map(std::mem::take).unwrap_or_default();
        }
        Vec::new()
    }

    /// A side of the flow came further.
    pub(super) fn news(&mut self, direction: Direction) {
        if let Some(news) = self.has_news.get_mut(at(direction)) {
            *news = true;
        }
    }

    /// A side of a transaction is complete.
    fn whole(&mut self, id: u32, direction: Direction) {
        let known = self.transaction(id);
        if let Some(side) = known.and_then(|known| known.sides.get_mut(at(direction)))
            && *side == Side::Open
        {
            *side = Side::Whole;
        }
    }

    /// A transaction is complete: what has no side in a direction is not asked there.
    fn complete(&mut self, id: u32, parts: &[Part]) {
        for direction in DIRECTIONS {
            let has_side = parts.iter().any(|part| part.direction() == direction);
            let place = at(direction);
            let known = self.transaction(id);
            let Some(side) = known.and_then(|known| known.sides.get_mut(place)) else {
                continue;
            };
            if *side == Side::Open && !has_side {
                *side = Side::Done;
                if let Some(waiting) = self.waiting.get_mut(place) {
                    waiting.retain(|found| !is_of(found, id));
                }
            }
        }
    }
}

fn is_of(found: &Match, id: u32) -> bool {
    let told = found.transaction.as_ref();
    told.is_some_and(|told| told.id == id)
}

impl Inspector {
    /// Something is wrong with a message of a flow.
    pub(super) fn app_event(
        &mut self,
        flow: &Flow,
        (app, name): (AppProto, &'static str),
        id: u32,
        now_ns: u64,
    ) {
        let rules = Arc::clone(&self.rules);
        if rules.of_events.is_empty() {
            return;
        }
        let Some(messages) = self.flow(flow.id).map(|state| &mut state.messages) else {
            return;
        };
        let Some(known) = messages.transaction(id) else {
            return;
        };
        if known.events.contains(&name) || known.events.len() >= EVENTS_MAX {
            return;
        }
        known.events.push(name);
        let (events, sides) = (known.events.clone(), known.sides);
        let flow = Flow { app, ..*flow };
        let told = Arc::new(Told {
            id,
            fields: String::new(),
        });
        for (direction, side) in DIRECTIONS.into_iter().zip(sides) {
            if side == Side::Done {
                continue;
            }
            let moment = Moment {
                inspect: None,
                flow: Some(&flow),
                direction,
                now_ns,
            };
            let (scene, finder) = (moment.scene(&rules.sets), &mut self.finder);
            let of_rules = rules.of_events.iter().filter_map(|number| {
                let rule = rules.rule(*number)?;
                let is_new = rule.app_events.iter().any(|event| event.is(app, name));
                let holds =
                    is_new && has_all(rule, app, &events) && finder.fits(&rules, *number, &scene);
                holds.then(|| Match {
                    transaction: Some(Arc::clone(&told)),
                    ..Match::of_nothing(*number)
                })
            });
            let state = self.flows.get_mut(flow.id);
            if let Some(waiting) =
                state.and_then(|state| state.messages.waiting.get_mut(at(direction)))
            {
                let room = WAITING_MAX.saturating_sub(waiting.len());
                waiting.extend(of_rules.take(room));
            }
        }
    }

    /// Whether all events that a rule about messages asks for were found in a transaction.
    pub(super) fn has_events(
        &self,
        flow: &Flow,
        transaction: &dyn Transaction,
        rule: &Rule,
    ) -> bool {
        if rule.app_events.is_empty() {
            return true;
        }
        let messages = self.flows.peek(flow.id).map(|state| &state.messages);
        let known = messages.and_then(|messages| {
            let mut all = messages.transactions.iter();
            all.find(|known| known.id == transaction.id())
        });
        known.is_some_and(|known| has_all(rule, transaction.app(), &known.events))
    }

    /// A side of the flow comes further.
    pub(super) fn news(&mut self, flow: &Flow, direction: Direction) {
        if self.rules.of_events.is_empty() {
            return;
        }
        if let Some(state) = self.flow(flow.id) {
            state.messages.news(direction);
        }
    }

    /// A part of a transaction is there, or all of it: its last parts.
    pub(super) fn message(&mut self, flow: &Flow, transaction: &dyn Transaction, parts: &[Part]) {
        if self.rules.of_events.is_empty() {
            return;
        }
        let Some(messages) = self.flow(flow.id).map(|state| &mut state.messages) else {
            return;
        };
        let id = transaction.id();
        for part in parts.iter().filter(|part| part.is_whole()) {
            messages.whole(id, part.direction());
        }
        let mut told = None;
        for found in messages.waiting.iter_mut().flatten() {
            if is_of(found, id) {
                let told = told.get_or_insert_with(|| Arc::new(tell(transaction)));
                found.transaction = Some(Arc::clone(told));
            }
        }
    }

    /// A transaction is over.
    pub(super) fn message_end(&mut self, flow: &Flow, transaction: &dyn Transaction) {
        self.message(flow, transaction, &[]);
        if transaction.is_complete()
            && let Some(state) = self.flows.get_mut(flow.id)
        {
            let parts = transaction.parts();
            state.messages.complete(transaction.id(), parts);
        }
    }

    /// What waits for this packet.
    pub(super) fn of_messages(&mut self, moment: &Moment<'_>) -> Vec<Match> {
        if self.rules.of_events.is_empty() {
            return Vec::new();
        }
        let state = moment.flow.and_then(|flow| self.flows.get_mut(flow.id));
        state
            .map(|state| state.messages.take(moment))
            .unwrap_or_default()
    }
}

fn has_all(rule: &Rule, app: AppProto, events: &[&'static str]) -> bool {
    rule.app_events
        .iter()
        .all(|asked| events.iter().any(|event| asked.is(app, event)))
}
