//! What is known of flows. Most events are about the flow of the one before: that stands apart.

use hashbrown::HashMap;
use packet::FlowId;

use super::FlowState;
use super::event::Messages;
use super::transaction::Matched;

/// What is known of flows, by number.
#[derive(Debug)]
pub(super) struct Flows {
    /// The flow that was asked of last, and what is known of it.
    at: FlowId,
    here: Option<Box<FlowState>>,
    /// The others of which something is known.
    others: HashMap<FlowId, Box<FlowState>>,
    /// Counts the sets of rules.
    age: u32,
}

impl Default for Flows {
    fn default() -> Self {
        Self {
            // no flow has this number
            at: FlowId(0),
            here: None,
            others: HashMap::new(),
            age: 0,
        }
    }
}

impl Flows {
    /// Of how many flows something is known.
    pub(super) fn len(&self) -> usize {
        let here = usize::from(self.here.is_some());
        self.others.len().saturating_add(here)
    }

    pub(super) fn get(&mut self, flow: FlowId) -> Option<&FlowState> {
        self.turn_to(flow).as_deref()
    }

    pub(super) fn get_mut(&mut self, flow: FlowId) -> Option<&mut FlowState> {
        self.turn_to(flow).as_deref_mut()
    }

    /// The same without turning to it.
    pub(super) fn peek(&self, flow: FlowId) -> Option<&FlowState> {
        if self.at == flow {
            return self.here.as_deref();
        }
        self.others.get(&flow).map(|state| &**state)
    }

    /// Nothing yet of a flow.
    pub(super) fn fresh(&self) -> Box<FlowState> {
        Box::new(FlowState {
            age: self.age,
            ..FlowState::default()
        })
    }

    /// What is known of a flow, from now on something.
    pub(super) fn enter(&mut self, flow: FlowId) -> &mut FlowState {
        if self.turn_to(flow).is_none() {
            self.here = Some(self.fresh());
        }
        self.here.get_or_insert_default()
    }

    /// Takes out what is known of a flow.
    pub(super) fn remove(&mut self, flow: FlowId) -> Option<Box<FlowState>> {
        self.turn_to(flow).take()
    }

    /// Puts in what is known of a flow.
    pub(super) fn insert(&mut self, flow: FlowId, mut state: Box<FlowState>) {
        state.update(self.age);
        *self.turn_to(flow) = Some(state);
    }

    /// There are other rules: what flows remember of the ones before is forgotten, of each when it is
    /// asked of next.
    pub(super) fn outdate(&mut self) {
        self.age = self.age.wrapping_add(1);
        if let Some(state) = &mut self.here {
            state.update(self.age);
        }
    }

    fn turn_to(&mut self, flow: FlowId) -> &mut Option<Box<FlowState>> {
        if self.at != flow {
            if let Some(state) = self.here.take() {
                self.others.insert(self.at, state);
            }
            self.here = self.others.remove(&flow);
            self.at = flow;
            if let Some(state) = &mut self.here {
                state.update(self.age);
            }
        }
        &mut self.here
    }
}

impl FlowState {
    /// Forgets what waits to be judged by rules that are no more.
    fn update(&mut self, age: u32) {
        if self.age != age {
            self.age = age;
            self.waiting = Default::default();
            self.messages = Messages::default();
            self.payload_matched.clear();
            self.matched = Matched::default();
            for carrier in &mut self.files.carriers {
                carrier.rules.clear();
            }
        }
    }
}
