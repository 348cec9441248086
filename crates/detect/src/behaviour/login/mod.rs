//! Guessed passwords: sources whose logins fail too often to be honest.
//!
//! One walk (`walk`) judges every source over all services: many guesses at one account, one guess
//! at many accounts, and either of them at many servers move it alike, also when they are hours
//! apart. What failed and what succeeded is read in FTP, HTTP (credentials and forms with a
//! password), Kerberos, LDAP, MQTT, PostgreSQL, POP3, SMB and VNC (`outcome`).
//!
//! **Encrypted logins.** Of SSH and RDP only the session is seen: one that ends after a few hundred
//! bytes of what is encrypted is taken for a refused one, at a smaller step.
//!
//! **Benign failures.** The same account with the same secret again is a program with a stale
//! password, and counts once, where both can be read. Successes outweigh failures, with bounded
//! credit.
//!
//! **Evidence.** Logins over TCP whose client proved its path are
//! path-proven; Kerberos over UDP is unproven.
//!
//! **Limits.** A guess from another address each time is not seen. Many people behind one address
//! are one source; what policy makes of a verdict on it, its benign sessions decide.
//!
//! # Failure bias
//! Open: a full table forgets the source used least recently; what cannot be read is no failure.

mod outcome;
mod walk;

use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::DefaultHashBuilder;
use packet::applayer::ssh;
use packet::{AppProto, Event, FiveTuple, Flow, FlowId, Transaction};

use super::{DAY_NS, SECOND_NS, measure, proof};
use crate::detector::{Context, Counter, Detect};
use crate::lru::Lru;
use crate::verdict::{Reason, Verdict, octets, service};
use outcome::{Login, Outcome, Told};
use walk::Walk;

pub use super::few::REMEMBERED_MAX;
pub use walk::Parameters;

/// Name and version in verdicts.
pub const NAME: &str = "login-guessing@1";

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// The sequential test.
    pub parameters: Parameters,
    /// Most sources that are remembered.
    pub sources_max: usize,
    /// Most flows of which is remembered whose login they are.
    pub flows_max: usize,
    /// A source is forgotten after this long without a login, nanoseconds.
    pub idle_ns: u64,
    /// A source is not told again before this long, nanoseconds.
    pub quiet_ns: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            parameters: Parameters::default(),
            sources_max: 16_384,
            flows_max: 16_384,
            idle_ns: DAY_NS,
            quiet_ns: 60 * SECOND_NS,
        }
    }
}

/// Most bytes from the server, and from the client, behind the key exchange of an SSH session that
/// was refused: OpenSSH sends some 300 of them before the login, 84 for each of six refusals, and
/// more than 1,000 once it lets somebody in.
const SSH_SHORT_BYTES: (u64, u64) = (1_000, 1_500);
/// Most bytes from the server of an RDP session that was refused, TLS handshake included: a first
/// picture has more.
const RDP_SHORT_BYTES: u64 = 12_000;
const CONFIDENCE: u8 = 80;

/// The login detector.
#[derive(Debug)]
pub(crate) struct Logins {
    config: Config,
    hasher: DefaultHashBuilder,
    sources: Lru<IpAddr, Source>,
    flows: Lru<FlowId, Noted>,
    /// The flow of the latest failure, until it was asked for.
    held: Option<(FlowId, FiveTuple)>,
    logins: u64,
    failures: u64,
    verdicts: u64,
    quieted: u64,
}

/// What is noted of a flow until its login, or its end.
#[derive(Debug, Default)]
struct Noted {
    account: Option<Vec<u8>>,
    /// Bytes from the server and from the client before SSH encrypts.
    clear: Option<(u64, u64)>,
}

#[derive(Debug, Default)]
struct Source {
    walk: Walk,
    seen_ns: u64,
    first_ns: u64,
    said_ns: Option<u64>,
}

impl Logins {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            sources: Lru::new(config.sources_max),
            flows: Lru::new(config.flows_max),
            held: None,
            logins: 0,
            failures: 0,
            verdicts: 0,
            quieted: 0,
            config: config.clone(),
        }
    }

    fn transaction(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        now_ns: u64,
        out: &mut Vec<Verdict>,
    ) {
        if transaction.downcast_ref::<ssh::Session>().is_some() {
            let sent = (flow.to_client.payload_bytes, flow.to_server.payload_bytes);
            self.flows.entry(flow.id).clear = Some(sent);
            return;
        }
        match outcome::told(transaction) {
            Some(Told::Account(account)) => self.flows.entry(flow.id).account = Some(account),
            Some(Told::Login(mut login)) => {
                if login.account.is_none() {
                    let noted = self.flows.peek(&flow.id);
                    login.account = noted.and_then(|noted| noted.account.clone());
                }
                self.login(flow, &login, now_ns, out);
            }
            None => {}
        }
    }

    /// A connection that may have been an encrypted login is over.
    fn session(&mut self, flow: &Flow, now_ns: u64, out: &mut Vec<Verdict>) {
        let noted = self.flows.remove(&flow.id);
        let sent = (flow.to_client.payload_bytes, flow.to_server.payload_bytes);
        let is_short = match (flow.app, noted.and_then(|noted| noted.clear)) {
            (AppProto::Ssh, Some((server, client))) => {
                let (server, client) =
                    (sent.0.saturating_sub(server), sent.1.saturating_sub(client));
                // nothing behind the key exchange is no login
                if client == 0 {
                    return;
                }
                server <= SSH_SHORT_BYTES.0 && client <= SSH_SHORT_BYTES.1
            }
            (AppProto::Rdp, _) => sent.0 <= RDP_SHORT_BYTES,
            _ => return,
        };
        let outcome = if is_short {
            Outcome::Short
        } else {
            Outcome::Long
        };
        let login = Login {
            outcome,
            account: None,
            secret: None,
        };
        self.login(flow, &login, now_ns, out);
    }

    fn login(&mut self, flow: &Flow, login: &Login, now_ns: u64, out: &mut Vec<Verdict>) {
        self.logins = self.logins.saturating_add(1);
        let failed = matches!(login.outcome, Outcome::Refused | Outcome::Short);
        self.failures = self.failures.saturating_add(failed.into());
        let with = self.config.parameters;
        let hash = |value: &Vec<u8>| self.hasher.hash_one(value);
        let account = login.account.as_ref().map(hash);
        let guess = login
            .secret
            .as_ref()
            .map(|secret| self.hasher.hash_one((&login.account, secret)));
        let service_of = self
            .hasher
            .hash_one((flow.tuple.dst.to_canonical(), flow.tuple.dst_port));
        let source = self.sources.entry(flow.tuple.src.to_canonical());
        if now_ns.saturating_sub(source.seen_ns) > self.config.idle_ns {
            *source = Source {
                first_ns: flow.start_ns,
                ..Source::default()
            };
        }
        source.seen_ns = source.seen_ns.max(now_ns);
        source
            .walk
            .take(login.outcome, service_of, account, guess, &with);
        // who more often succeeds mistypes
        if failed && source.walk.score() > 0.0 {
            self.held = Some((flow.id, flow.tuple));
        }
        if !failed || !source.walk.crossed(&with) {
            return;
        }
        if source
            .said_ns
            .is_some_and(|at| now_ns.abs_diff(at) < self.config.quiet_ns)
        {
            self.quieted = self.quieted.saturating_add(1);
            return;
        }
        source.said_ns = Some(now_ns);
        self.verdicts = self.verdicts.saturating_add(1);
        out.push(verdict(flow, source, &with, now_ns));
    }
}

fn verdict(flow: &Flow, source: &Source, with: &Parameters, now_ns: u64) -> Verdict {
    let offender = flow.tuple.src.to_canonical();
    let walk = &source.walk;
    let all = walk.failures.saturating_add(walk.successes);
    let what = format!("{} of {all} different logins were refused", walk.failures);
    let ceiling = with.ceiling();
    let score = format!("logarithm of the likelihood ratio; told from {ceiling:.1} on");
    let count = |name, count: u32, what: &str| {
        Reason::of(name, count.to_string().as_bytes(), what.to_owned())
    };
    let reasons = vec![
        Reason::of("ip.src", &octets(offender), what),
        measure("log_odds", walk.score(), score),
        count(
            "accounts",
            walk.accounts.seen,
            "different accounts, where they can be read",
        ),
        count("services", walk.services.seen, "different services"),
    ];
    Verdict {
        at_ns: now_ns,
        first_packet_ns: source.first_ns,
        evidence: proof(flow),
        confidence: CONFIDENCE,
        offender: Some(offender),
        far_end: None,
        victim: service(&flow.tuple).filter(|_| walk.services.seen == 1),
        tuple: Some(flow.tuple),
        flow: Some(flow.id),
        detector: NAME,
        reasons,
        count: walk.failures,
    }
}

impl Detect for Logins {
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>, out: &mut Vec<Verdict>) {
        let inbound = |flow: &Flow| context.is_home(flow.tuple.dst) != Some(false);
        match event {
            Event::Transaction(flow, transaction) if inbound(flow) => {
                self.transaction(flow, *transaction, context.now_ns, out);
            }
            Event::Closed(flow, _) if inbound(flow) => self.session(flow, context.now_ns, out),
            Event::FlowStart(_)
            | Event::Attempt(..)
            | Event::Exchanged(_)
            | Event::Proven(_)
            | Event::Closed(..)
            | Event::FlowEnd(..)
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

    fn held_against(&mut self, each: &mut dyn FnMut(FlowId, &FiveTuple)) {
        if let Some((flow, tuple)) = self.held.take() {
            each(flow, &tuple);
        }
    }

    fn forgive(&mut self, source: IpAddr) {
        self.sources.remove(&source);
    }

    fn counters(&self) -> Vec<Counter> {
        vec![
            ("login.logins", self.logins),
            ("login.failures", self.failures),
            ("login.sources_evicted", self.sources.evicted()),
            ("login.flows_evicted", self.flows.evicted()),
            ("login.verdicts", self.verdicts),
            ("login.verdicts_quieted", self.quieted),
        ]
    }
}
