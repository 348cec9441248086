//! Recent benign sessions per source: what a block of that source would break.
//!
//! A session is benign while it is TCP, its client proved its path, payload went both ways, and no
//! verdict was given on it. Anyone could forge the rest, and then shield itself or its accomplices
//! with sessions that never were.
//!
//! **Who is accused does not vouch for itself.** A tool that guesses passwords fetches the form before
//! each guess, in a session that nothing speaks against. So when a verdict of our own names a source
//! ([`Sessions::named`]), what it began since shortly before the first sign of the attack counts for
//! it no longer, unless somebody else may be behind the address (`attack`).
//!
//! The pipeline writes, the policy reads. The table is behind a mutex that the pipeline takes when
//! a session's state changes (begun, ended, convicted), never per packet.
//!
//! **Failure bias: open.** At [`Limits::sources_max`] the source that was quiet for longest is
//! forgotten; a forgotten source has no standing, so a lease on it is installed as asked. The
//! [`Sessions::evicted`] counter says when that may have happened.

mod attack;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use packet::{FiveTuple, FlowId};

use crate::guard::Standings;
use crate::policy::Standing;
use attack::Attack;

/// Bounds of [`Sessions`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most sources remembered.
    pub sources_max: usize,
    /// Most ended sessions remembered of one source.
    pub recent_max: usize,
    /// Most open sessions remembered of one source, and most that one answer lists.
    pub open_max: usize,
    /// How long an ended session counts as recent, nanoseconds.
    pub recent_ns: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sources_max: 65_536,
            recent_max: 64,
            open_max: 256,
            recent_ns: 600_000_000_000,
        }
    }
}

/// The table, shared between pipeline and policy.
#[derive(Debug)]
pub struct Sessions {
    limits: Limits,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    sources: BTreeMap<IpAddr, Source>,
    /// The sources by when they were last seen: the first one is the next to go.
    order: BTreeSet<(u64, IpAddr)>,
    evicted: u64,
}

#[derive(Debug, Default)]
struct Source {
    seen_ns: u64,
    /// Benign sessions that ended, oldest first.
    recent: VecDeque<Ended>,
    open: BTreeMap<FlowId, Open>,
    attack: Option<Attack>,
    /// Whose sessions with this end count for it no more.
    disowned: VecDeque<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    session: Session,
    at_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    session: Session,
    tuple: FiveTuple,
}

/// What is known of a session beside its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// When it began, CLOCK_MONOTONIC nanoseconds.
    pub began_ns: u64,
    /// Who it is at the other address, as a hash: of a client, what it shows of its software; of a
    /// server, which of our hosts it serves at which port. 0: nothing is known.
    pub who: u32,
}

impl Sessions {
    /// An empty table of at most `sources_max` sources.
    #[must_use]
    pub fn new(sources_max: usize) -> Self {
        Self::with_limits(Limits {
            sources_max,
            ..Limits::default()
        })
    }

    /// An empty table.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            limits,
            table: Mutex::default(),
        }
    }

    /// A session proved benign so far and is open. Saying so again renews it. `now_ns` is
    /// CLOCK_MONOTONIC, here and below.
    pub fn opened(&self, flow: FlowId, tuple: &FiveTuple, session: Session, now_ns: u64) {
        let mut table = self.lock();
        let source = table.source(tuple.src.to_canonical(), now_ns, self.limits.sources_max);
        if source.open.len() < self.limits.open_max && !source.disowned.contains(&session.who) {
            let tuple = *tuple;
            source.open.insert(flow, Open { session, tuple });
        }
    }

    /// A session ended; it was benign to its end if `benign`.
    pub fn ended(
        &self,
        flow: FlowId,
        tuple: &FiveTuple,
        session: Session,
        benign: bool,
        now_ns: u64,
    ) {
        let mut table = self.lock();
        if !benign {
            return table.close(flow, tuple);
        }
        let source = table.source(tuple.src.to_canonical(), now_ns, self.limits.sources_max);
        source.open.remove(&flow);
        if source.disowned.contains(&session.who) {
            return;
        }
        if source.recent.len() >= self.limits.recent_max.max(1) {
            source.recent.pop_front();
        }
        let at_ns = now_ns;
        source.recent.push_back(Ended { session, at_ns });
    }

    /// A verdict was given on an open session: it speaks for its source no longer.
    pub fn convicted(&self, flow: FlowId, tuple: &FiveTuple) {
        self.lock().close(flow, tuple);
    }

    /// Something in a session of a source speaks against it, whether or not that leads to a verdict.
    /// `who` as in [`Session::who`].
    pub fn sign(&self, source: IpAddr, who: u32, now_ns: u64) {
        let since_ns = now_ns.saturating_sub(self.limits.recent_ns);
        let mut table = self.lock();
        let source = table.source(source.to_canonical(), now_ns, self.limits.sources_max);
        let before = source.attack.take();
        let before = before.filter(|attack| attack.goes_on(now_ns, self.limits.recent_ns));
        let mut attack = before.unwrap_or_else(|| {
            let known_before = |session: &Session| Attack::is_before(session, now_ns);
            Attack::new(now_ns, source.sessions(since_ns).any(known_before))
        });
        attack.sign(who, now_ns);
        source.attack = Some(attack);
    }

    /// A verdict of our own names a source, on a proven path. What it began since shortly before the
    /// first [sign](Self::sign) vouches for it no more.
    pub fn named(&self, source: IpAddr, now_ns: u64) {
        let mut table = self.lock();
        let known = table.sources.get_mut(&source.to_canonical());
        let attack = known.and_then(|source| source.attack.as_mut());
        if let Some(attack) = attack.filter(|one| one.goes_on(now_ns, self.limits.recent_ns)) {
            attack.named = true;
        }
    }

    /// What one of our hosts has with a service of `server` counts for that server no more, from its
    /// first session on: it is what the server is accused of.
    pub fn disown(&self, server: IpAddr, who: u32) {
        let mut table = self.lock();
        let Some(source) = table.sources.get_mut(&server.to_canonical()) else {
            return;
        };
        source.recent.retain(|ended| ended.session.who != who);
        source.open.retain(|_, open| open.session.who != who);
        if !source.disowned.contains(&who) {
            if source.disowned.len() >= DISOWNED_MAX {
                source.disowned.pop_front();
            }
            source.disowned.push_back(who);
        }
    }

    /// Forgets what speaks against a source.
    pub fn forgive(&self, source: IpAddr) {
        if let Some(source) = self.lock().sources.get_mut(&source.to_canonical()) {
            source.attack = None;
            source.disowned.clear();
        }
    }

    /// Recent benign sessions of an address, whether or not it is accused of anything.
    #[must_use]
    pub fn history(&self, source: IpAddr, now_ns: u64) -> u32 {
        let since_ns = now_ns.saturating_sub(self.limits.recent_ns);
        let table = self.lock();
        let known = table.sources.get(&source.to_canonical());
        known.map_or(0, |source| count(source.sessions(since_ns)))
    }

    /// Sources that were forgotten to make room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.lock().evicted
    }

    /// Sources remembered.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.lock().sources.len()
    }

    /// Open benign sessions remembered.
    #[must_use]
    pub fn open(&self) -> usize {
        self.lock()
            .sources
            .values()
            .map(|source| source.open.len())
            .sum()
    }

    /// No code panics while it holds the lock; a poisoned table is as good as any.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standings for Sessions {
    fn standing(&self, source: &IpNet, now_ns: u64) -> Standing {
        let table = self.lock();
        let mut standing = Standing::default();
        let since_ns = now_ns.saturating_sub(self.limits.recent_ns);
        for (_, known) in table.sources.range(source.network()..=source.broadcast()) {
            let attack = known.attack.as_ref();
            let attack =
                attack.filter(|one| one.named && one.goes_on(now_ns, self.limits.recent_ns));
            let (recent, vouches) = match attack {
                None => (count(known.sessions(since_ns)), None),
                Some(attack) => {
                    let others = attack.others(known.sessions(since_ns));
                    let recent = attack.recent(known.sessions(since_ns), &others);
                    (recent, Some((attack, others)))
                }
            };
            standing.recent = standing.recent.saturating_add(recent);
            let room = self.limits.open_max.saturating_sub(standing.open.len());
            let open = known.open.values().filter(|open| {
                let of = vouches.as_ref();
                of.is_none_or(|(attack, others)| attack.spares(&open.session, others))
            });
            standing.open.extend(open.map(|open| open.tuple).take(room));
        }
        standing
    }
}

impl Table {
    /// The entry of a source, now the one seen last.
    fn source(&mut self, address: IpAddr, now_ns: u64, sources_max: usize) -> &mut Source {
        if !self.sources.contains_key(&address) && self.sources.len() >= sources_max.max(1) {
            self.evict();
        }
        let source = self.sources.entry(address).or_default();
        self.order.remove(&(source.seen_ns, address));
        source.seen_ns = now_ns;
        self.order.insert((now_ns, address));
        source
    }

    fn evict(&mut self) {
        if let Some((_, address)) = self.order.pop_first() {
            self.sources.remove(&address);
            self.evicted = self.evicted.saturating_add(1);
        }
    }

    fn close(&mut self, flow: FlowId, tuple: &FiveTuple) {
        if let Some(source) = self.sources.get_mut(&tuple.src.to_canonical()) {
            source.open.remove(&flow);
        }
    }
}

impl Source {
    /// Sessions that are open, and those that ended since.
    fn sessions(&self, since_ns: u64) -> impl Iterator<Item = &Session> + Clone {
        let ended = self
            .recent
            .iter()
            .filter(move |ended| ended.at_ns >= since_ns);
        let open = self.open.values().map(|open| &open.session);
        ended.map(|ended| &ended.session).chain(open)
    }
}

fn count<T>(all: impl Iterator<Item = T>) -> u32 {
    u32::try_from(all.count()).unwrap_or(u32::MAX)
}

/// Most of our hosts and ports that are remembered as what a server is accused of.
const DISOWNED_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use packet::Proto;

    use super::*;

    const S: u64 = 1_000_000_000;
    const SOME: Session = Session {
        began_ns: S,
        who: 0,
    };

    fn tuple(source: &str, port: u16) -> FiveTuple {
        FiveTuple {
            src: source.parse().unwrap(),
            src_port: port,
            dst: "10.2.0.10".parse().unwrap(),
            dst_port: 443,
            proto: Proto::Tcp,
        }
    }

    fn standing(sessions: &Sessions, net: &str, now_ns: u64) -> (u32, usize) {
        let standing = sessions.standing(&net.parse().unwrap(), now_ns);
        (standing.recent, standing.open.len())
    }

    #[test]
    fn open_sessions_count_and_are_listed_until_they_end() {
        let sessions = Sessions::new(10);
        let one = tuple("192.0.2.7", 1);
        sessions.opened(FlowId(1), &one, SOME, S);
        sessions.opened(FlowId(1), &one, SOME, 2 * S);
        sessions.opened(FlowId(2), &tuple("192.0.2.7", 2), SOME, 2 * S);
        assert_eq!(standing(&sessions, "192.0.2.7/32", 2 * S), (2, 2));
        sessions.ended(FlowId(1), &one, SOME, true, 3 * S);
        assert_eq!(standing(&sessions, "192.0.2.7/32", 4 * S), (2, 1));
        assert_eq!(standing(&sessions, "192.0.2.7/32", 604 * S), (1, 1));
        assert_eq!(standing(&sessions, "192.0.2.8/32", 4 * S), (0, 0));
    }

    #[test]
    fn convicted_sessions_do_not_count() {
        let sessions = Sessions::new(10);
        let one = tuple("192.0.2.7", 1);
        sessions.opened(FlowId(1), &one, SOME, S);
        sessions.convicted(FlowId(1), &one);
        sessions.ended(FlowId(1), &one, SOME, false, 2 * S);
        assert_eq!(standing(&sessions, "192.0.2.7/32", 2 * S), (0, 0));
    }

    #[test]
    fn a_prefix_is_answered_with_everyone_inside() {
        let sessions = Sessions::new(10);
        for (flow, source) in ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
            .iter()
            .enumerate()
        {
            sessions.opened(FlowId(flow as u64), &tuple(source, 1), SOME, S);
        }
        assert_eq!(standing(&sessions, "2001:db8::/64", S), (2, 2));
        assert_eq!(standing(&sessions, "2001:db8::/48", S), (3, 3));
        assert_eq!(standing(&sessions, "0.0.0.0/0", S), (0, 0));
    }

    #[test]
    fn every_table_is_bounded_and_the_quietest_source_goes_first() {
        let limits = Limits {
            sources_max: 2,
            recent_max: 3,
            open_max: 4,
            recent_ns: 1_000 * S,
        };
        let sessions = Sessions::with_limits(limits);
        for flow in 0..20 {
            sessions.opened(FlowId(flow), &tuple("192.0.2.1", 1), SOME, S);
        }
        assert_eq!(standing(&sessions, "192.0.2.1/32", S), (4, 4));
        for flow in 0..20 {
            sessions.ended(FlowId(flow), &tuple("192.0.2.1", 1), SOME, true, 2 * S);
        }
        assert_eq!(standing(&sessions, "192.0.2.1/32", 2 * S), (3, 0));
        sessions.opened(FlowId(30), &tuple("192.0.2.2", 1), SOME, 3 * S);
        sessions.opened(FlowId(31), &tuple("192.0.2.1", 1), SOME, 4 * S);
        sessions.opened(FlowId(32), &tuple("192.0.2.3", 1), SOME, 5 * S);
        assert_eq!(standing(&sessions, "192.0.2.2/32", 5 * S), (0, 0));
        assert_eq!(
            (sessions.sources(), sessions.evicted(), sessions.open()),
            (2, 1, 2)
        );
    }
}
