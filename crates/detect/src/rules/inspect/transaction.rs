//! Rules that look into transactions.

use std::sync::Arc;

use packet::json::Object;
use packet::settings::Setting;
use packet::{AppProto, Direction, Flow, FlowId, Part, Transaction, http1};

use super::super::alert::Told;
use super::super::rule::Inspection;
use super::super::scene::{Scene, Stage, Values};
use super::super::set::{Points, RuleSet};
use super::candidates::Search;
use super::{Held, Inspector, Match, at, values_of};

/// A side of a transaction that is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'l> {
    pub(super) flow: &'l Flow,
    pub(super) transaction: &'l dyn Transaction,
    pub(super) direction: Direction,
    now_ns: u64,
}

impl<'l> Look<'l> {
    pub(super) fn new(
        flow: &'l Flow,
        transaction: &'l dyn Transaction,
        direction: Direction,
        now_ns: u64,
    ) -> Self {
        Self {
            flow,
            transaction,
            direction,
            now_ns,
        }
    }

    /// The protocol of the transaction: that of the flow as far as both are HTTP/2.
    pub(super) fn app(&self) -> AppProto {
        match (self.transaction.app(), self.flow.app) {
            (AppProto::Http2, AppProto::Doh2) => AppProto::Doh2,
            (app, _) => app,
        }
    }

    pub(super) fn scene(&self, rules: &'l RuleSet) -> Scene<'l> {
        Scene {
            packet: None,
            flow: Some(self.flow),
            direction: self.direction,
            tuple: Some(match self.direction {
                Direction::ToServer => self.flow.tuple,
                Direction::ToClient => self.flow.tuple.reversed(),
            }),
            established: true,
            payload: &[],
            transaction: Some(self.transaction),
            sets: &rules.sets,
            file: None,
            now_ns: self.now_ns,
        }
    }

    /// Where rules about it are looked for.
    pub(super) fn search(
        &self,
        rules: &'l RuleSet,
        points: Points<'l>,
        scene: &'l Scene<'l>,
    ) -> Search<'l> {
        Search {
            rules,
            points,
            scene,
            app: Some(self.app()),
            from: 0,
            with_ends: false,
        }
    }
}

impl Inspector {
    /// A part of a transaction is there.
    pub(super) fn part(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        part: Part,
        now_ns: u64,
    ) {
        let direction = part.direction();
        let look = Look::new(flow, transaction, direction, now_ns);
        match part {
            Part::RequestLine | Part::ResponseLine => self.look(&look, Stage::Line),
            Part::RequestHead | Part::ResponseHead => {
                self.look(&look, Stage::Line);
                self.look(&look, Stage::Head);
            }
            Part::RequestMore | Part::ResponseMore => self.look_at_more(&look),
            Part::Request | Part::Response => {
                self.look(&look, Stage::Body);
                self.look(&look, Stage::Message);
                self.files_of_whole(flow, transaction, direction, now_ns);
            }
        }
        self.retell(flow, transaction);
        self.note_live(flow, transaction, false);
        self.message(flow, transaction, &[part]);
        if part.is_whole() {
            self.hurry(flow.id, direction);
        }
    }

    /// Looks at a body that is not complete, if so much of it is new that it is worth it.
    fn look_at_more(&mut self, look: &Look<'_>) {
        let (transaction, direction) = (look.transaction, look.direction);
        if self
            .rules
            .of_transactions(look.app(), direction, Stage::Body)
            .is_none()
        {
            return;
        }
        if let Some(http) = transaction.downcast_ref::<http1::Transaction>() {
            let (len, id) = (http.body(direction).len(), transaction.id());
            let bodies = self.options.bodies;
            let Some(state) = self.flow(look.flow.id) else {
                return;
            };
            let Some(before) = state.bodies.get_mut(at(direction)) else {
                return;
            };
            let known = before.filter(|(known, _)| *known == id);
            let has_grown = bodies.has_grown(known.map_or(0, |(_, len)| len), len);
            let is_due = bodies.is_due(AppProto::Http, direction, len);
            if !has_grown || !(is_due || http.is_body_over(direction)) {
                return;
            }
            *before = Some((id, len));
        }
        self.look(look, Stage::Body);
    }

    /// Looks at a side of a transaction.
    pub(super) fn look(&mut self, look: &Look<'_>, stage: Stage) {
        let rules = Arc::clone(&self.rules);
        let Some(points) = rules.of_transactions(look.app(), look.direction, stage) else {
            return;
        };
        let scene = look.scene(&rules);
        let numbers = self
            .finder
            .find(&look.search(&rules, points, &scene), |list, each| {
                let mut values = Values::default();
                values_of(list.buffer, &list.transforms, &scene, &mut values);
                values.iter().for_each(each);
            });
        for &number in &numbers {
            let Some(rule) = rules
                .rule(number)
                .filter(|rule| self.has_events(look.flow, look.transaction, rule))
            else {
                continue;
            };
            let of_transaction = |inspection: &Inspection| !inspection.is_of_packet();
            let Some(held) = self.holds(rule, &scene, of_transaction) else {
                continue;
            };
            if self.is_first(
                look.flow.id,
                (look.transaction.id(), look.direction, number),
            ) {
                self.found(look, number, held);
            }
        }
        self.finder.reuse(numbers);
    }

    /// A rule matched: it is judged with the next packet of its direction.
    pub(super) fn found(&mut self, look: &Look<'_>, rule: u32, held: Held) {
        let id = look.transaction.id();
        let Some(mut state) = self.take(look.flow.id) else {
            return;
        };
        let of_it = |found: &&Match| found.transaction.as_ref().is_some_and(|told| told.id == id);
        let waiting = state.waiting.get(at(look.direction));
        let mut known = waiting.into_iter().flatten().filter(of_it).peekable();
        let told = known.peek().and_then(|found| found.transaction.clone());
        if !known.any(|found| found.rule == rule) {
            let told = told.unwrap_or_else(|| Arc::new(tell(look.transaction)));
            let found = Match {
                transaction: Some(told),
                ..Match::of(rule, held)
            };
            self.wait(&mut state, look.direction, found);
        }
        self.keep(look.flow.id, state);
    }

    /// More is known of a transaction: what waits to be told of it tells that too.
    pub(super) fn retell(&mut self, flow: &Flow, transaction: &dyn Transaction) {
        let Some(state) = self.flows.get_mut(flow.id) else {
            return;
        };
        let mut told = None;
        for found in state.waiting.iter_mut().flatten() {
            if let Some(known) = &mut found.transaction
                && known.id == transaction.id()
            {
                let told = told.get_or_insert_with(|| Arc::new(tell(transaction)));
                *known = Arc::clone(told);
            }
        }
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
        if let Some(state) = self.flows.get_mut(flow) {
            state.matched.0.retain(|(known, ..)| *known != transaction);
        }
    }
}

/// Transactions that are under way.
#[derive(Debug, Default)]
pub(super) struct Live(Vec<Known>);

#[derive(Debug)]
struct Known {
    told: Arc<Told>,
    is_over: bool,
}

/// Most transactions of a flow that are known to be under way: more than one is as good as any more.
const LIVE_MAX: usize = 16;

impl Live {
    /// The only one.
    pub(super) fn only(&self) -> Option<&Arc<Told>> {
        match &*self.0 {
            [known] => Some(&known.told),
            _ => None,
        }
    }

    /// A packet was judged: what is over is not under way any more.
    pub(super) fn settle(&mut self) {
        self.0.retain(|known| !known.is_over);
    }
}

impl Inspector {
    /// Notes that a transaction is under way, if that is asked for.
    pub(super) fn note_live(&mut self, flow: &Flow, transaction: &dyn Transaction, is_over: bool) {
        if !self.options.guesses {
            return;
        }
        let Some(Live(live)) = self.flow(flow.id).map(|state| &mut state.live) else {
            return;
        };
        let known = Known {
            told: Arc::new(tell(transaction)),
            is_over,
        };
        live.retain(|live| live.told.id != known.told.id);
        if live.len() < LIVE_MAX {
            live.push(known);
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
