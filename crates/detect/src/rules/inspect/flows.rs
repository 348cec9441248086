//! What is known of flows. Most events are about the flow of the one before: that stands apart.

use hashbrown::HashMap;
use packet::FlowId;

use super::FlowState;

/// What is known of flows, by number.
#[derive(Debug)]
pub(super) struct Flows {
    /// The flow that was asked of last, and what is known of it.
    at: FlowId,
    here: Option<Box<FlowState>>,
    /// The others of which something is known.
    others: HashMap<FlowId, Box<FlowState>>,
}

impl Default for Flows {
    fn default() -> Self {
        Self {
            // no flow has this number
            at: FlowId(0),
            here: None,
            others: HashMap::new(),
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

    /// What is known of a flow, from now on something.
    pub(super) fn enter(&mut self, flow: FlowId) -> &mut FlowState {
        self.turn_to(flow).get_or_insert_default()
    }

    /// Takes out what is known of a flow.
    pub(super) fn remove(&mut self, flow: FlowId) -> Option<Box<FlowState>> {
        self.turn_to(flow).take()
    }

    /// Puts in what is known of a flow.
    pub(super) fn insert(&mut self, flow: FlowId, state: Box<FlowState>) {
        *self.turn_to(flow) = Some(state);
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut FlowState> {
        let others = self.others.values_mut().chain(&mut self.here);
        others.map(|state| &mut **state)
    }

    fn turn_to(&mut self, flow: FlowId) -> &mut Option<Box<FlowState>> {
        if self.at != flow {
            if let Some(state) = self.here.take() {
                self.others.insert(self.at, state);
            }
            self.here = self.others.remove(&flow);
            self.at = flow;
        }
        &mut self.here
    }
}
