//! Generated names, by client: one name proves nothing, many of one client do.
//!
//! A bot that looks for its server asks for many registrable names that nobody asked for before and
//! that mostly do not exist. Each new one moves the client's test ([`Client`]) by how made it looks
//! ([`NameModel`], or rules where no pack is loaded) and by its first answer. Names of words look
//! like others: what is left of such families is that they do not exist.
//!
//! **What does not count.** Further names below a registrable name that was seen; names of local
//! networks; questions without recursion, which are a resolver's own.
//!
//! **Limits.** A forwarder asks for many clients, and is judged as one. Hosts that look senders of
//! spam up, and crawlers, ask for many names that do not exist: [`Config::exempt`] takes them out.
//! Names that a sinkhole or a blocking resolver answers with an address count as existing.
//!
//! # Failure bias
//! Open: a full table forgets the client used least recently, a model that fails says nothing, and
//! nothing is blocked.

mod client;
mod names;

use std::fmt;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use ipnet::IpNet;
use packet::applayer::dns::{Kind, Message};
use packet::{Event, Flow};

use super::{Asked, DAY_NS, HOUR_NS, alert, is_ours, measure, proof};
use crate::detector::{Context, Counter, Detect};
use crate::lru::Lru;
use crate::models::Work;
use crate::verdict::{Reason, Verdict};

pub use client::{BASES_MAX, Client, EXAMPLES_MAX, Parameters};
pub use names::NameModel;

/// Name and version in verdicts.
pub const NAME: &str = "dga-client@1";

/// Response code of a name that does not exist (RFC 1035 section 4.1.1).
const NXDOMAIN: u8 = 3;

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// The sequential test.
    pub parameters: Parameters,
    /// The model that names are shown to at first; rules where there is none.
    pub model: Option<Arc<NameModel>>,
    /// Most clients that are remembered.
    pub clients_max: usize,
    /// Most registrable names whose look is remembered.
    pub looks_max: usize,
    /// A client is forgotten after this long without a question, nanoseconds.
    pub idle_ns: u64,
    /// A client is not told again before this long, nanoseconds.
    pub quiet_ns: u64,
    /// Clients that are not judged: mail servers, crawlers, forwarders.
    pub exempt: Vec<IpNet>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            parameters: Parameters::default(),
            model: None,
            clients_max: 8_192,
            looks_max: 16_384,
            idle_ns: DAY_NS,
            quiet_ns: HOUR_NS,
            exempt: Vec::new(),
        }
    }
}

/// How made names look, remembered: a model takes microseconds, and names come again.
pub struct Looks {
    model: Option<(Arc<NameModel>, Work)>,
    known: Lru<u64, Option<f64>>,
}

impl fmt::Debug for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looks").finish_non_exhaustive()
    }
}

impl Looks {
    /// With a model, or by rules; remembers at most `max` names.
    #[must_use]
    pub fn new(model: Option<Arc<NameModel>>, max: usize) -> Self {
        let with_work = |model: Arc<NameModel>| {
            let work = model.work();
            (model, work)
        };
        Self {
            model: model.map(with_work),
            known: Lru::new(max),
        }
    }

    /// How much more often generated names look like this registrable one.
    pub fn ratio(&mut self, hash: u64, base: &str) -> f64 {
        let known = self.known.entry(hash);
        if let Some(ratio) = *known {
            return ratio;
        }
        let ratio = match &mut self.model {
            Some((model, work)) => model.ratio(base, work),
            None => names::by_rules(base),
        };
        *known = Some(ratio);
        ratio
    }
}

/// The detector of generated names.
#[derive(Debug)]
pub(crate) struct Dga {
    config: Config,
    hasher: DefaultHashBuilder,
    clients: Lru<IpAddr, Kept>,
    looks: Looks,
    names: u64,
    answers: u64,
    verdicts: u64,
    quieted: u64,
}

#[derive(Debug, Default)]
struct Kept {
    client: Client,
    seen_ns: u64,
    said_ns: Option<u64>,
}

impl Dga {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            clients: Lru::new(config.clients_max),
            looks: Looks::new(config.model.clone(), config.looks_max),
            names: 0,
            answers: 0,
            verdicts: 0,
            quieted: 0,
            config: config.clone(),
        }
    }

    fn message(&mut self, flow: &Flow, message: &Message, now_ns: u64, out: &mut Vec<Verdict>) {
        let address = flow.tuple.src.to_canonical();
        if self.config.exempt.iter().any(|net| net.contains(&address)) {
            return;
        }
        let Some(asked) = Asked::of(message) else {
            return;
        };
        let hash = self.hasher.hash_one(asked.base());
        let with = self.config.parameters;
        if message.kind == Kind::Answer {
            // a server that fails or refuses says nothing of the name
            if !matches!(message.rcode(), 0 | NXDOMAIN) {
                return;
            }
            let missing = message.rcode() == NXDOMAIN;
            let Some(kept) = self.clients.get(&address) else {
                return;
            };
            if kept.client.answered(hash, asked.base(), missing, &with) {
                self.answers = self.answers.saturating_add(1);
            }
        } else {
            let kept = self.clients.entry(address);
            if now_ns.saturating_sub(kept.seen_ns) > self.config.idle_ns {
                *kept = Kept::default();
            }
            kept.seen_ns = kept.seen_ns.max(now_ns);
            if !kept.client.is_new(hash) {
                return;
            }
            let ratio = self.looks.ratio(hash, asked.base());
            kept.client.asked(hash, asked.base(), ratio, now_ns, &with);
            self.names = self.names.saturating_add(1);
        }
        self.judge(flow, &asked, now_ns, out);
    }

    fn judge(&mut self, flow: &Flow, asked: &Asked, now_ns: u64, out: &mut Vec<Verdict>) {
        let Some(kept) = self.clients.get(&flow.tuple.src.to_canonical()) else {
            return;
        };
        if kept.client.log_odds() < self.config.parameters.threshold {
            return;
        }
        let quiet_ns = self.config.quiet_ns;
        if kept
            .said_ns
            .is_some_and(|at| now_ns.abs_diff(at) < quiet_ns)
        {
            self.quieted = self.quieted.saturating_add(1);
        } else {
            kept.said_ns = Some(now_ns);
            self.verdicts = self.verdicts.saturating_add(1);
            let threshold = self.config.parameters.threshold;
            out.push(verdict(flow, asked, &kept.client, threshold, now_ns));
        }
        kept.client.reset();
    }
}

fn verdict(flow: &Flow, asked: &Asked, client: &Client, threshold: f64, now_ns: u64) -> Verdict {
    let (names, missing, odd) = client.counts();
    let rising_ns = client.rising_ns();
    let mut verdict = alert(NAME, (flow.tuple, flow), proof(flow), rising_ns, now_ns);
    verdict.count = names;
    let what = format!("{names} new registrable names look generated");
    let log_odds = format!("logarithm of the likelihood ratio; told from {threshold} on");
    let count = |name, count: u32, what: &str| {
        Reason::of(name, count.to_string().as_bytes(), what.to_owned())
    };
    verdict.reasons = vec![
        Reason::of("dns.query", asked.base().as_bytes(), what),
        measure("log_odds", client.log_odds(), log_odds),
        count("names", names, "new registrable names"),
        count("names_missing", missing, "of these do not exist (NXDOMAIN)"),
        count("names_odd", odd, "of these look made"),
    ];
    let examples = client.examples().iter();
    let examples = examples.map(|name| Reason::of("example", name.as_bytes(), String::new()));
    verdict.reasons.extend(examples);
    verdict
}

impl Detect for Dga {
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>, out: &mut Vec<Verdict>) {
        let Event::Transaction(flow, transaction) = event else {
            return;
        };
        if let Some(message) = transaction.downcast_ref::<Message>()
            && is_ours(context, flow.tuple.src)
        {
            self.message(flow, message, context.now_ns, out);
        }
    }

    fn set_names(&mut self, model: Option<&Arc<NameModel>>) {
        self.looks = Looks::new(model.cloned(), self.config.looks_max);
    }

    fn counters(&self) -> Vec<Counter> {
        let clients = u64::try_from(self.clients.len()).unwrap_or(u64::MAX);
        vec![
            ("dga.clients", clients),
            ("dga.clients_evicted", self.clients.evicted()),
            ("dga.looks_evicted", self.looks.known.evicted()),
            ("dga.names", self.names),
            ("dga.answers", self.answers),
            ("dga.verdicts", self.verdicts),
            ("dga.verdicts_quieted", self.quieted),
        ]
    }
}
