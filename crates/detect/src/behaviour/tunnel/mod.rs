//! Tunnels in DNS: what the names that a client asks for below one base can carry.
//!
//! A window ([`features::DnsWindow`], extractor `dns-window@1`) takes the queries of one client
//! below one registrable name. It ends with 64 queries, or [`Config::window_ns`] after its first
//! when [`Config::names_min`] names are in it; a slow one stays open for up to
//! [`Config::slow_window_ns`]. From the eighth name on it is scored with every query.
//!
//! **Score.** Log-odds that rise with each of its features and fall with the time that they took:
//! the bytes that the distinct names carry (length x entropy x count), the bytes that one of them
//! carries, the share of names that are new. Weights are set by hand: there is no benign DNS at hand
//! that may be trained on, and in tests a rule of one feature beat learned models on other networks.
//!
//! **The far end.** Most tunnels go through a resolver, and nobody's resolver is to be blamed: such a
//! verdict names the base alone. A server that a client of ours asks directly is the
//! far end when it speaks for the base itself (authoritative answers, no recursion offered: RFC 1035
//! section 4.1.1) and for no other base that clients of ours ask it for, and when the questions
//! left through our interface rather than came in from the network in our client's name.
//!
//! **Limits.** Services that carry data in names on purpose (reputation look-ups of mail and virus
//! scanners) look like tunnels, and are: [`Config::allowed`] takes them out. Whoever sends less than
//! a few hundred bytes in six hours below one name, or changes the name as often, is not seen.
//!
//! # Failure bias
//! Open: a full table forgets the pair used least recently; a server of which anything else was seen is
//! no far end.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::net::IpAddr;

use features::DnsWindow;
use hashbrown::DefaultHashBuilder;
use packet::applayer::dns::{Kind, Message};
use packet::{Event, Flow, Way};

use super::{Asked, DAY_NS, HOUR_NS, SECOND_NS, Said, alert, is_ours, leaves_home, measure, proof};
use crate::detector::{Context, Counter, Detect};
use crate::lru::Lru;
use crate::verdict::{Reason, Verdict};

/// Name and version in verdicts.
pub const NAME: &str = "dns-tunnel@1";

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// Least score, 0 to 1, that is told.
    pub score_min: f64,
    /// Least names of a window that are judged.
    pub names_min: usize,
    /// A window with that many names ends after this long, nanoseconds.
    pub window_ns: u64,
    /// Any other ends after this long, nanoseconds.
    pub slow_window_ns: u64,
    /// Most pairs of client and base that are remembered.
    pub pairs_max: usize,
    /// A pair is not told again before this long, nanoseconds.
    pub quiet_ns: u64,
    /// The same of one whose far end is sure.
    pub again_ns: u64,
    /// Registrable names that are not judged, lower case.
    pub allowed: BTreeSet<String>,
}

impl Default for Config {
    fn default() -> Self {
        let allowed = ALLOWED.iter().map(|name| (*name).to_owned());
        Self {
            score_min: 0.9,
            names_min: 8,
            window_ns: 60 * SECOND_NS,
            slow_window_ns: 6 * HOUR_NS,
            pairs_max: 16_384,
            quiet_ns: DAY_NS,
            again_ns: DAY_NS,
            allowed: allowed.collect(),
        }
    }
}

/// Services that carry data in names and say so.
const ALLOWED: [&str; 6] = [
    "dnswl.org",
    "mcafee.com",
    "sophosxl.net",
    "spamhaus.org",
    "surbl.org",
    "uribl.com",
];

/// How a window of `dns-window@1` looks, 0 (harmless) to 1.
#[must_use]
pub fn score(numbers: &[f32]) -> f64 {
    let [_, seconds, distinct, _, _, _, _, name_bytes, upstream_bytes] = *numbers else {
        return 0.0;
    };
    let ratio = |value: f32, usual: f64| (f64::from(value).max(1e-3) / usual).ln();
    let carried = 3.0 * ratio(upstream_bytes, USUAL_UPSTREAM_BYTES);
    let each = 2.0 * ratio(name_bytes, USUAL_NAME_BYTES).clamp(-3.0, 3.0);
    let share = 4.0 * (f64::from(distinct).min(1.0) - 1.0);
    let slow = (f64::from(seconds) / 60.0).max(1.0).ln();
    1.0 / (1.0 + (-(carried + each + share - slow)).exp())
}

/// Where a window is as likely to be one thing as the other: bytes that it carries.
const USUAL_UPSTREAM_BYTES: f64 = 130.0;
/// The same of one name.
const USUAL_NAME_BYTES: f64 = 5.0;

/// The tunnel detector.
#[derive(Debug)]
pub(crate) struct Tunnel {
    config: Config,
    hasher: DefaultHashBuilder,
    pairs: Lru<(IpAddr, u64), Pair>,
    servers: Lru<IpAddr, Server>,
    windows: u64,
    verdicts: u64,
    quieted: u64,
}

/// What is known of a client and a base.
#[derive(Debug, Default)]
struct Pair {
    window: DnsWindow,
    /// All bytes that names carried so far, windows before included.
    bytes: u64,
    /// Whether a question came in from the network.
    came_in: bool,
    said: Said,
}

/// What is known of who answers our clients.
#[derive(Debug, Default)]
struct Server {
    /// The base that it speaks for.
    base: Option<u64>,
    /// It spoke for another one as well, or not as one that speaks for it.
    other: bool,
}

impl Tunnel {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            pairs: Lru::new(config.pairs_max),
            servers: Lru::new(config.pairs_max),
            windows: 0,
            verdicts: 0,
            quieted: 0,
            config: config.clone(),
        }
    }

    fn query(&mut self, flow: &Flow, asked: &Asked, context: &Context<'_>, out: &mut Vec<Verdict>) {
        let now_ns = context.now_ns;
        if asked.below().is_empty() || self.config.allowed.contains(asked.base()) {
            return;
        }
        let hash = self.hasher.hash_one(asked.base());
        let server = flow.tuple.dst.to_canonical();
        let known = self.servers.peek(&server);
        let speaks = known.is_some_and(|known| known.base == Some(hash) && !known.other);
        let pair = self.pairs.entry((flow.tuple.src.to_canonical(), hash));
        let age_ns = now_ns.saturating_sub(pair.window.first_ns());
        let lasts_ns = match pair.window.names() >= self.config.names_min {
            true => self.config.window_ns,
            false => self.config.slow_window_ns,
        };
        let is_over = pair.window.queries() > 0 && age_ns > lasts_ns;
        if is_over || !pair.window.add(now_ns, asked.below(), &self.hasher) {
            self.windows = self.windows.saturating_add(1);
            pair.window = DnsWindow::default();
            pair.window.add(now_ns, asked.below(), &self.hasher);
        }
        pair.came_in |= context.way == Way::In;
        let is_sure = speaks && !pair.came_in && leaves_home(context, flow);
        let far_end = is_sure.then_some(server);
        let length = u64::try_from(asked.below().len()).unwrap_or(u64::MAX);
        pair.bytes = pair.bytes.saturating_add(length);
        if pair.window.names() < self.config.names_min {
            return;
        }
        let numbers = pair.window.numbers();
        let score = score(&numbers);
        if score < self.config.score_min {
            return;
        }
        let quiet = (self.config.quiet_ns, self.config.again_ns);
        if !pair.said.is_due(far_end.is_some(), quiet, now_ns) {
            self.quieted = self.quieted.saturating_add(1);
            return;
        }
        pair.said.say(far_end.is_some(), now_ns);
        self.verdicts = self.verdicts.saturating_add(1);
        let scores = (score, self.config.score_min);
        let said = verdict(flow, asked, pair, scores, now_ns);
        out.push(Verdict { far_end, ..said });
    }

    /// Notes for which base a server speaks, and whether it offers to ask others.
    fn answer(&mut self, flow: &Flow, message: &Message, context: &Context<'_>) {
        let Some(asked) = Asked::about(message) else {
            return;
        };
        if context.way == Way::Out || !leaves_home(context, flow) {
            return;
        }
        let base = self.hasher.hash_one(asked.base());
        let server = self.servers.entry(flow.tuple.dst.to_canonical());
        let speaks = message.flags & (AUTHORITATIVE | RECURSION_AVAILABLE) == AUTHORITATIVE;
        let same = *server.base.get_or_insert(base) == base;
        server.other |= !speaks || !same;
    }
}

/// Flags of an answer (RFC 1035 section 4.1.1).
const AUTHORITATIVE: u16 = 0x0400;
const RECURSION_AVAILABLE: u16 = 0x0080;

fn verdict(
    flow: &Flow,
    asked: &Asked,
    pair: &Pair,
    (score, score_min): (f64, f64),
    now_ns: u64,
) -> Verdict {
    let numbers = pair.window.numbers();
    let names = pair.window.names();
    let [
        _,
        seconds,
        distinct,
        length,
        ..,
        entropy,
        name_bytes,
        upstream_bytes,
    ] = numbers;
    let what = format!("{names} names below it in {seconds:.0} s look like a tunnel");
    let mut verdict = alert(
        NAME,
        (flow.tuple, flow),
        proof(flow),
        pair.window.first_ns(),
        now_ns,
    );
    let feature = |name, value: f32, what: &str| measure(name, f64::from(value), what.to_owned());
    verdict.count = u32::try_from(names).unwrap_or(u32::MAX);
    verdict.reasons = vec![
        Reason::of("dns.query", asked.base().as_bytes(), what),
        measure("score", score, format!("0 to 1; told from {score_min} on")),
        feature(
            "upstream_bytes",
            upstream_bytes,
            "bytes that the window's names carry",
        ),
        feature("name_bytes", name_bytes, "bytes that one name carries"),
        feature(
            "distinct",
            distinct,
            "share of names not asked before in the window",
        ),
        feature("length_mean", length, "bytes below the base"),
        feature("entropy_mean", entropy, "bits per byte"),
        Reason::of(
            "bytes_sent",
            pair.bytes.to_string().as_bytes(),
            "bytes of all names of this client below the base so far".to_owned(),
        ),
        Reason::of("example", asked.bytes(), "the latest name".to_owned()),
    ];
    verdict
}

impl Detect for Tunnel {
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>, out: &mut Vec<Verdict>) {
        let Event::Transaction(flow, transaction) = event else {
            return;
        };
        let Some(message) = transaction.downcast_ref::<Message>() else {
            return;
        };
        if message.kind != Kind::Query {
            return self.answer(flow, message, context);
        }
        if is_ours(context, flow.tuple.src)
            && let Some(asked) = Asked::of(message)
        {
            self.query(flow, &asked, context, out);
        }
    }

    fn counters(&self) -> Vec<Counter> {
        vec![
            ("dns_tunnel.pairs_evicted", self.pairs.evicted()),
            ("dns_tunnel.servers_evicted", self.servers.evicted()),
            ("dns_tunnel.windows", self.windows),
            ("dns_tunnel.verdicts", self.verdicts),
            ("dns_tunnel.verdicts_quieted", self.quieted),
        ]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// More bytes, in each name and in all of them, never look more harmless; more time never
        /// looks more malicious.
        #[test]
        fn the_score_is_monotone(
            seconds in 0.0..20_000.0_f32, distinct in 0.0..1.0_f32,
            each in 0.0..200.0_f32, all in 0.0..10_000.0_f32, more in 1.0..3.0_f32,
        ) {
            let of = |seconds, distinct, each, all| {
                score(&[64.0, seconds, distinct, 0.0, 0.0, 0.0, 0.0, each, all])
            };
            let now = of(seconds, distinct, each, all);
            prop_assert!((0.0..=1.0).contains(&now));
            prop_assert!(of(seconds, distinct, each * more, all) >= now);
            prop_assert!(of(seconds, distinct, each, all * more) >= now);
            prop_assert!(of(seconds, (distinct * more).min(1.0), each, all) >= now);
            prop_assert!(of(seconds * more, distinct, each, all) <= now);
        }
    }
}
