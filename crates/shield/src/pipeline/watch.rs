//! Which flows are benign sessions: from the sensor's events to the table of sessions.
//!
//! A flow is one once its client is proven and payload went both ways, unless somebody has something
//! against it by then.

use std::sync::Arc;

use detect::Verdict;
use hashbrown::HashMap;
use ipnet::IpNet;
use packet::{Event, FiveTuple, Flow, FlowId, Proto};

use crate::guard::Standings as _;
use crate::sessions::Sessions;

/// Most flows followed at a time: sessions, and those that a verdict was given on.
pub(super) const FLOWS_MAX: usize = 131_072;

/// Follows flows from when they are sessions to their end.
#[derive(Debug)]
pub(super) struct Watch {
    home: Vec<IpNet>,
    sessions: Arc<Sessions>,
    flows: HashMap<FlowId, State>,
    opened: u64,
    convicted: u64,
    flows_max_hit: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The table of sessions knows it.
    Open,
    Convicted,
    /// Only a model found something in it: it speaks for nobody, and says how often models are wrong.
    Accused,
}

impl Watch {
    pub(super) fn new(home: Vec<IpNet>, sessions: Arc<Sessions>) -> Self {
        Self {
            home,
            sessions,
            flows: HashMap::new(),
            opened: 0,
            convicted: 0,
            flows_max_hit: 0,
        }
    }

    /// Takes an event that no verdict of this moment stands against.
    pub(super) fn event(&mut self, event: &Event<'_>, mono_ns: u64) {
        match event {
            Event::Exchanged(flow) => self.open(flow, mono_ns),
            Event::Closed(flow, _) | Event::FlowEnd(flow, _) => self.ended(flow, mono_ns),
            Event::FlowStart(_)
            | Event::Attempt(..)
            | Event::File(..)
            | Event::FileData(..)
            | Event::AppFrame(..)
            | Event::Inspect(_)
            | Event::Proven(_)
            | Event::Progress(..)
            | Event::Stream(..)
            | Event::Transaction(..)
            | Event::Packet(_)
            | Event::Arp(_)
            | Event::Anomaly(..) => {}
        }
    }

    /// Takes out the flows that verdicts name an offender of.
    pub(super) fn convict_all(&mut self, verdicts: &[Verdict]) {
        let against = verdicts.iter().filter(|verdict| verdict.offender.is_some());
        for (flow, tuple) in against.filter_map(|verdict| verdict.flow.zip(verdict.tuple)) {
            self.hold_against(flow, &tuple);
        }
    }

    /// Takes out one flow whose ends are known.
    pub(super) fn hold_against(&mut self, flow: FlowId, tuple: &FiveTuple) {
        if self.convict(flow) {
            each_end(&self.home, tuple, |end| self.sessions.convicted(flow, end));
        }
    }

    /// Takes out one flow, which stays out to its end; true when it was an open session.
    pub(super) fn convict(&mut self, flow: FlowId) -> bool {
        let before = self.flows.get(&flow).copied();
        let known = before.is_some() || self.has_room();
        if known && before != Some(State::Convicted) {
            self.flows.insert(flow, State::Convicted);
            self.convicted = self.convicted.saturating_add(1);
        }
        before == Some(State::Open)
    }

    /// Takes out the flow that a model found something in. What others say of it counts for more.
    pub(super) fn accuse(&mut self, flow: FlowId, tuple: &FiveTuple) {
        let before = self.flows.get(&flow).copied();
        if before == Some(State::Convicted) || (before.is_none() && !self.has_room()) {
            return;
        }
        self.flows.insert(flow, State::Accused);
        if before == Some(State::Open) {
            each_end(&self.home, tuple, |end| self.sessions.convicted(flow, end));
        }
    }

    /// Whether a flow that is over was a session that nobody but a model has anything against, of a
    /// source with so many other benign sessions of late.
    pub(super) fn is_benign(&self, flow: &Flow, history_min: u32, mono_ns: u64) -> bool {
        let state = self.flows.get(&flow.id);
        if !is_session(flow) || matches!(state, None | Some(State::Convicted)) {
            return false;
        }
        // an open session stands in the table itself
        let own = u32::from(state == Some(&State::Open));
        let mut known = false;
        each_end(&self.home, &flow.tuple, |end| {
            let standing = self.sessions.standing(&IpNet::from(end.src), mono_ns);
            known |= standing.recent.saturating_sub(own) >= history_min;
        });
        known
    }

    pub(super) fn counters(&self) -> [(&'static str, u64); 5] {
        let evicted = self.sessions.evicted();
        let flows = u64::try_from(self.flows.len()).unwrap_or(u64::MAX);
        [
            ("sessions.opened", self.opened),
            ("sessions.convicted", self.convicted),
            ("sessions.flows_followed", flows),
            ("sessions.flows_max_hit", self.flows_max_hit),
            ("sessions.sources_evicted", evicted),
        ]
    }

    fn open(&mut self, flow: &Flow, mono_ns: u64) {
        if self.flows.contains_key(&flow.id) || !is_session(flow) || !self.has_room() {
            return;
        }
        self.flows.insert(flow.id, State::Open);
        self.opened = self.opened.saturating_add(1);
        each_end(&self.home, &flow.tuple, |end| {
            self.sessions.opened(flow.id, end, mono_ns)
        });
    }

    fn ended(&mut self, flow: &Flow, mono_ns: u64) {
        if self.flows.remove(&flow.id) == Some(State::Open) {
            each_end(&self.home, &flow.tuple, |end| {
                self.sessions.ended(flow.id, end, is_session(flow), mono_ns);
            });
        }
    }

    /// At the bound nothing is followed anew: a flow not followed is no session.
    fn has_room(&mut self) -> bool {
        let full = self.flows.len() >= FLOWS_MAX;
        self.flows_max_hit = self.flows_max_hit.saturating_add(full.into());
        !full
    }
}

/// TCP, the client at its address, payload both ways.
fn is_session(flow: &Flow) -> bool {
    flow.tuple.proto == Proto::Tcp
        && flow.client_proven
        && flow.to_server.payload_bytes > 0
        && flow.to_client.payload_bytes > 0
}

/// A session speaks for either end that is not one of ours, oriented as that end's packets are.
fn each_end(home: &[IpNet], tuple: &FiveTuple, mut each: impl FnMut(&FiveTuple)) {
    let is_home = |address| home.iter().any(|net: &IpNet| net.contains(&address));
    if !is_home(tuple.src) {
        each(tuple);
    }
    if !is_home(tuple.dst) {
        each(&tuple.reversed());
    }
}
