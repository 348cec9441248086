//! Rules that look into transactions.

use std::sync::Arc;

use packet::json::Object;
use packet::settings::Setting;
use packet::{Direction, Flow, FlowId, Part, Transaction};

use super::super::alert::Told;
use super::super::rule::Inspection;
use super::super::scene::{FileScene, Scene, Stage, Values};
use super::packet::fits;
use super::{Inspector, Match, values_of};

impl Inspector {
    /// A part of a transaction is there.
    pub(super) fn part(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        part: Part,
        now_ns: u64,
    ) {
        let stage = if part.is_whole() {
            Stage::Message
        } else {
            Stage::Head
        };
        self.look(flow, transaction, (part.direction(), stage), None, now_ns);
        self.message(flow, transaction, &[part]);
        if part.is_whole() {
            self.hurry(flow.id, part.direction());
        }
    }

    /// Looks at a transaction, and a file that it carries.
    pub(super) fn look(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        (direction, stage): (Direction, Stage),
        file: Option<FileScene<'_>>,
        now_ns: u64,
    ) {
        let rules = Arc::clone(&self.rules);
        let Some(point) = rules.of_transactions(transaction.app(), direction, stage) else {
            return;
        };
        let scene = Scene {
            transaction: Some(transaction),
            file,
            ..Scene::of_flow(flow, direction, &rules.sets, now_ns)
        };
        let numbers = self.candidates(point, 0, |list, each| {
            let mut values = Values::default();
            values_of(list.buffer, &list.transforms, &scene, &mut values);
            values.iter().for_each(each);
        });
        let mut told = None;
        for &number in &numbers {
            let Some(rule) = rules
                .rule(number)
                .filter(|rule| fits(rule, &scene))
                .filter(|rule| self.has_events(flow, transaction, rule))
            else {
                continue;
            };
            let of_transaction = |inspection: &Inspection| !inspection.is_of_packet();
            let Some(reason) = self.holds(rule, &scene, of_transaction) else {
                continue;
            };
            if stage != Stage::File
                && !self.is_first(flow.id, (transaction.id(), direction, number))
            {
                continue;
            }
            let told = told.get_or_insert_with(|| Arc::new(tell(transaction)));
            let found = Match {
                rule: number,
                transaction: Some(Arc::clone(told)),
                stream: None,
                reason,
            };
            if let Some(mut state) = self.take(flow.id) {
                self.wait(&mut state, direction, found);
                self.keep(flow.id, state);
            }
        }
        self.candidates = numbers;
    }
}

/// The rules that matched a side of a transaction that is still under way: the parts of one that
/// grows are told again, and a rule matches once.
#[derive(Debug, Default)]
pub(super) struct Matched(Vec<(u32, Direction, u32)>);

/// Most matches of a flow that are remembered while their transactions are under way; beyond that
/// the oldest are forgotten, and their rules may match again.
pub(super) const MATCHED_MAX: usize = 256;

impl Inspector {
    /// Whether a rule did not match this side of the transaction before.
    fn is_first(&mut self, flow: FlowId, matched: (u32, Direction, u32)) -> bool {
        let Some(Matched(known)) = self.flow(flow).map(|state| &mut state.matched) else {
            return true;
        };
        if known.contains(&matched) {
            return false;
        }
        let is_full = known.len() >= MATCHED_MAX;
        if is_full {
            known.remove(0);
        }
        known.push(matched);
        if is_full {
            self.counters.matched_max_hit = self.counters.matched_max_hit.saturating_add(1);
        }
        true
    }

    /// No more parts of a transaction will come.
    pub(super) fn forget(&mut self, flow: FlowId, transaction: u32) {
        if let Some(state) = self.flows.get_mut(&flow) {
            state.matched.0.retain(|(known, ..)| *known != transaction);
        }
    }
}

/// What a record says of a transaction.
pub(super) fn tell(transaction: &dyn Transaction) -> Told {
    let mut fields = String::new();
    Object::write(&mut fields, |record| {
        transaction.log(record, Setting::NOTHING)
    });
    let inner = fields
        .strip_prefix('{')
        .and_then(|fields| fields.strip_suffix('}'));
    Told {
        id: transaction.id(),
        fields: inner.unwrap_or_default().to_owned(),
    }
}
