//! Which flows are benign sessions: from the sensor's events to the table of sessions.
//!
//! A proven flow is a candidate until payload went both ways.
//!
//! What speaks against a flow is a sign against its client, and a verdict of our own names the client:
//! what that takes from it, [`crate::sessions`] says.

use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::Arc;

use detect::Verdict;
use hashbrown::{DefaultHashBuilder, HashMap};
use ipnet::IpNet;
use packet::{Event, FiveTuple, Flow, FlowId, Proto, http1, tls};
use stix::lease::EvidenceClass;

use crate::sessions::{Session, Sessions};

/// Most flows followed at a time: proven ones, and those that a verdict was given on.
pub(super) const FLOWS_MAX: usize = 131_072;

/// Follows flows from proof to end.
#[derive(Debug)]
pub(super) struct Watch {
    home: Vec<IpNet>,
    sessions: Arc<Sessions>,
    hasher: DefaultHashBuilder,
    now_ns: u64,
    flows: HashMap<FlowId, Followed>,
    opened: u64,
    convicted: u64,
    flows_max_hit: u64,
}

#[derive(Clone, Copy, Debug)]
struct Followed {
    state: State,
    /// Whether its client proved its path.
    is_proven: bool,
    /// A hash of what its client shows of its software; 0: nothing yet.
    client: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its client is proven; payload did not go both ways so far.
    Candidate,
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
            hasher: DefaultHashBuilder::default(),
            now_ns: 0,
            flows: HashMap::new(),
            opened: 0,
            convicted: 0,
            flows_max_hit: 0,
        }
    }

    /// Takes an event that no verdict of this moment stands against.
    pub(super) fn event(&mut self, event: &Event<'_>, mono_ns: u64) {
        match event {
            Event::Proven(flow) => self.proven(flow),
            Event::Exchanged(flow) => self.open(flow, mono_ns),
            Event::Closed(flow, _) | Event::FlowEnd(flow, _) => self.ended(flow, mono_ns),
            Event::FlowStart(_)
            | Event::Attempt(..)
            | Event::File(..)
            | Event::FileData(..)
            | Event::AppFrame(..)
            | Event::Inspect(_)
            | Event::Progress(..)
            | Event::Stream(..)
            | Event::Transaction(..)
            | Event::Packet(_)
            | Event::Arp(_)
            | Event::Anomaly(..) => {}
        }
    }

    /// Learns what time it is, and what a client shows of its software; before anything is held
    /// against its flow. `mono_ns` is CLOCK_MONOTONIC.
    pub(super) fn meet(&mut self, event: &Event<'_>, mono_ns: u64) {
        self.now_ns = mono_ns;
        let Event::Transaction(flow, transaction) = event else {
            return;
        };
        let known = self.flows.get_mut(&flow.id);
        let Some(known) = known.filter(|known| known.client == 0) else {
            return;
        };
        if let Some(http) = transaction.downcast_ref::<http1::Transaction>() {
            known.client = short(&self.hasher, &http.user_agent());
        } else if let Some(hello) = transaction.downcast_ref::<tls::Hello>() {
            known.client = short(&self.hasher, &hello.ja4());
        }
        if known.client != 0 && known.state == State::Open {
            self.tell_open(flow, mono_ns);
        }
    }

    /// Takes out the flows that verdicts name an offender of, and what sure ones accuse.
    pub(super) fn convict_all(&mut self, verdicts: &[Verdict]) {
        for verdict in verdicts {
            if verdict.offender.is_some()
                && let Some((flow, tuple)) = verdict.flow.zip(verdict.tuple)
            {
                self.hold_against(flow, &tuple);
            }
            self.name(verdict);
        }
    }

    /// Takes what a verdict of our own on a proven path names for what it is. A partner's word, or what
    /// anybody could have forged, does not change what an address was.
    pub(super) fn name(&self, verdict: &Verdict) {
        let own = verdict.reasons.iter().all(|reason| reason.source.is_none());
        if let Some(offender) = verdict.offender
            && own
            && verdict.evidence >= EvidenceClass::PathProven
        {
            self.sessions.named(offender, self.now_ns);
        }
        if let Some((far, tuple)) = verdict.far_end.zip(verdict.tuple) {
            self.sessions.disown(far, served(&self.hasher, &tuple));
        }
    }

    /// Takes out one flow whose ends are known.
    pub(super) fn hold_against(&mut self, flow: FlowId, tuple: &FiveTuple) {
        self.sign(flow, tuple);
        if self.convict(flow) {
            each_end(&self.home, tuple, |end, _| {
                self.sessions.convicted(flow, end)
            });
        }
    }

    /// Takes out one flow, which stays out to its end; true when it was an open session.
    pub(super) fn convict(&mut self, flow: FlowId) -> bool {
        let before = self.flows.get(&flow).copied();
        let is_new = before.is_none_or(|before| before.state != State::Convicted);
        if is_new && (before.is_some() || self.has_room()) {
            self.set(flow, State::Convicted);
            self.convicted = self.convicted.saturating_add(1);
        }
        before.is_some_and(|before| before.state == State::Open)
    }

    /// Takes out the flow that a model found something in. What others say of it counts for more.
    pub(super) fn accuse(&mut self, flow: FlowId, tuple: &FiveTuple) {
        self.sign(flow, tuple);
        let before = self.state(flow);
        if before == Some(State::Convicted) || (before.is_none() && !self.has_room()) {
            return;
        }
        self.set(flow, State::Accused);
        if before == Some(State::Open) {
            each_end(&self.home, tuple, |end, _| {
                self.sessions.convicted(flow, end)
            });
        }
    }

    /// Forgets what speaks against a source.
    pub(super) fn forgive(&self, source: IpAddr) {
        self.sessions.forgive(source);
    }

    /// Without a proven path anybody can speak in another's name, and fill the table of sources.
    fn sign(&self, flow: FlowId, tuple: &FiveTuple) {
        let known = self.flows.get(&flow).filter(|known| known.is_proven);
        if let Some(known) = known.filter(|_| !is_home(&self.home, tuple.src)) {
            self.sessions.sign(tuple.src, known.client, self.now_ns);
        }
    }

    /// Whether a flow that is over was a session that nobody but a model has anything against, of a
    /// source with so many other benign sessions of late.
    pub(super) fn is_benign(&self, flow: &Flow, history_min: u32, mono_ns: u64) -> bool {
        let state = self.state(flow.id);
        if !is_session(flow) || matches!(state, None | Some(State::Convicted)) {
            return false;
        }
        // an open session stands in the table itself
        let own = u32::from(state == Some(State::Open));
        let mut known = false;
        each_end(&self.home, &flow.tuple, |end, _| {
            let history = self.sessions.history(end.src, mono_ns);
            known |= history.saturating_sub(own) >= history_min;
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

    fn proven(&mut self, flow: &Flow) {
        if flow.client_proven && !self.flows.contains_key(&flow.id) && self.has_room() {
            let followed = Followed {
                state: State::Candidate,
                is_proven: true,
                client: 0,
            };
            self.flows.insert(flow.id, followed);
        }
    }

    fn open(&mut self, flow: &Flow, mono_ns: u64) {
        if self.state(flow.id) == Some(State::Candidate) && is_session(flow) {
            self.set(flow.id, State::Open);
            self.opened = self.opened.saturating_add(1);
            self.tell_open(flow, mono_ns);
        }
    }

    /// Tells the table of an open session, with what is known by now.
    fn tell_open(&self, flow: &Flow, mono_ns: u64) {
        let of = |served| self.session(flow, served, mono_ns);
        each_end(&self.home, &flow.tuple, |end, served| {
            self.sessions.opened(flow.id, end, of(served), mono_ns);
        });
    }

    fn ended(&mut self, flow: &Flow, mono_ns: u64) {
        let benign = match self.state(flow.id) {
            Some(State::Candidate | State::Open) => is_session(flow),
            Some(State::Convicted | State::Accused) | None => {
                self.flows.remove(&flow.id);
                return;
            }
        };
        if benign || self.state(flow.id) == Some(State::Open) {
            let of = |served| self.session(flow, served, mono_ns);
            each_end(&self.home, &flow.tuple, |end, served| {
                self.sessions
                    .ended(flow.id, end, of(served), benign, mono_ns);
            });
        }
        self.flows.remove(&flow.id);
    }

    /// What is known of a session, for the client's address or for that of the server.
    fn session(&self, flow: &Flow, end: End, mono_ns: u64) -> Session {
        let age_ns = flow.last_ns.saturating_sub(flow.start_ns);
        let client = self.flows.get(&flow.id).map_or(0, |known| known.client);
        Session {
            began_ns: mono_ns.saturating_sub(age_ns),
            who: match end {
                End::Client => client,
                End::Server => served(&self.hasher, &flow.tuple),
            },
        }
    }

    fn state(&self, flow: FlowId) -> Option<State> {
        self.flows.get(&flow).map(|known| known.state)
    }

    fn set(&mut self, flow: FlowId, state: State) {
        let new = Followed {
            state,
            is_proven: false,
            client: 0,
        };
        self.flows.entry(flow).or_insert(new).state = state;
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

/// Which end of a flow an address is.
#[derive(Clone, Copy, Debug)]
enum End {
    Client,
    Server,
}

/// A session speaks for either end that is not one of ours, oriented as that end's packets are.
fn each_end(home: &[IpNet], tuple: &FiveTuple, mut each: impl FnMut(&FiveTuple, End)) {
    if !is_home(home, tuple.src) {
        each(tuple, End::Client);
    }
    if !is_home(home, tuple.dst) {
        each(&tuple.reversed(), End::Server);
    }
}

fn is_home(home: &[IpNet], address: IpAddr) -> bool {
    home.iter().any(|net| net.contains(&address))
}

/// Whom a server serves, and at which port.
fn served(hasher: &DefaultHashBuilder, tuple: &FiveTuple) -> u32 {
    short(hasher, &(tuple.src.to_canonical(), tuple.dst_port))
}

/// A hash that is never 0.
fn short(hasher: &DefaultHashBuilder, of: &impl Hash) -> u32 {
    let bytes = hasher.hash_one(of).to_le_bytes();
    let [a, b, c, d, ..] = bytes;
    u32::from_le_bytes([a, b, c, d]).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_proved_is_no_sign_and_takes_no_room() {
        let sessions = Arc::new(Sessions::new(16));
        let mut watch = Watch::new(vec!["10.0.0.0/8".parse().unwrap()], Arc::clone(&sessions));
        let tuple = FiveTuple {
            src: IpAddr::from([192, 0, 2, 7]),
            src_port: 1,
            dst: IpAddr::from([10, 2, 0, 10]),
            dst_port: 80,
            proto: Proto::Tcp,
        };
        for _ in 0..2 {
            watch.hold_against(FlowId(1), &tuple);
        }
        assert_eq!((sessions.sources(), watch.convicted), (0, 1));
        let mut flow = Flow::new(FlowId(2), tuple, packet::decode::Vlans::default(), 0);
        flow.client_proven = true;
        watch.event(&Event::Proven(&flow), 0);
        watch.hold_against(FlowId(2), &tuple);
        assert_eq!((sessions.sources(), watch.convicted), (1, 2));
    }
}
