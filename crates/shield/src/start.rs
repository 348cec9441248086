//! Putting a shield together and taking it apart.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use datapath::enforce::dry_run::DryRun;
use datapath::enforce::xdp::{Options, Wanted, XdpEnforcer};
use datapath::enforce::{EnforceError, Enforcer};
use detect::Index;
use sharing::scrub::Share;
use taxii::state::StateReport;
use tokio_util::sync::CancellationToken;

use crate::clock::Now;
use crate::config::{Capture, Config, EnforceMode};
use crate::guard::{self, Guard};
use crate::identity::{Identity, IdentityError};
use crate::journal::{Event, Journal};
use crate::leases::Book;
use crate::packs::{self, Packer, PacksError};
use crate::pipeline::{self, PipelineError, Running};
use crate::policy::Policy;
use crate::protect;
use crate::report::{self, About};
use crate::repository::{self, Receipts};
use crate::rules::{self, Partners, Ruler, RulesError};
use crate::sessions::Sessions;
use crate::signals::spool::Spool;
use crate::signals::{Batch, Signals};
use crate::sync::known::{self, Keeper, Loaded};
use crate::sync::view::View;
use crate::sync::{self, Status, SyncError};

/// Most sources whose sessions are remembered.
pub(crate) const SESSIONS_MAX: usize = 65_536;
/// Most addresses that wait to be forgiven by detection.
pub(crate) const FORGIVE_MAX: usize = 4_096;

/// A running shield. Dropping it leaves it running; cancel the token that it was started with.
#[derive(Debug)]
pub struct Handle {
    reporter: Reporter,
    guard: Arc<Guard>,
    rules: rules::Handle,
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
    writers: Vec<JoinHandle<()>>,
}

/// Why a shield cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ShieldError {
    /// A file or folder of `data` cannot be used: the operator's to mend.
    #[error("{}: {source}; name a folder that this user may write with `data`", path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A thread cannot start: the system's.
    #[error("a thread cannot start: {0}")]
    Thread(#[from] io::Error),
    /// The identity cannot be used: enrol.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Enforcement cannot start.
    #[error(
        "enforcement cannot start: {0}; `mode = \"dry-run\"` under [enforce] starts without it"
    )]
    Enforce(#[from] EnforceError),
    /// Capture cannot start.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The rules cannot be used: the operator's to mend.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The packs cannot be used: the operator's to mend.
    #[error(transparent)]
    Packs(#[from] PacksError),
    /// Synchronisation cannot start.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

/// Starts a shield; it runs on threads of its own until `stop` is cancelled.
///
/// What an earlier run knew is enforced when this returns, whether or not the hub is there.
///
/// # Errors
/// [`ShieldError`]; nothing is left running then.
pub fn run(config: Config, stop: CancellationToken) -> Result<Handle, ShieldError> {
    let cancel_on_error = stop.clone().drop_guard();
    let hub = config.hub.as_ref();
    let identity = hub.map(|hub| Identity::load(&hub.identity)).transpose()?;
    let disk = Disk::open(&config.data)?;
    let sessions = Arc::new(Sessions::new(SESSIONS_MAX));
    let (guard, batches, forgiven) = guard(&config, identity.as_ref(), &sessions, &disk)?;
    let partners = Arc::new(Partners::default());
    let ruler = Ruler::start(config.rules.clone(), Arc::clone(&partners), guard.journal())?;
    let receipts = Arc::<Receipts>::default();
    let packer = packer(&config, &guard, &receipts)?;
    let of_partners = config.rules.partners.then_some(&*partners);
    let view = restore(&guard, of_partners, disk.loaded);
    let index = Arc::new(ArcSwap::from_pointee(Index::default()));
    let links = pipeline::Links {
        index: Arc::clone(&index),
        rules: ruler.link(),
        packs: packer.as_ref().map(Packer::link),
        sink: Arc::clone(&guard) as Arc<dyn guard::Sink>,
        forgive: forgiven,
        stop: stop.clone(),
    };
    let running = inspect(&config, &sessions, links)?;
    let reporter = Reporter::new(&config, &guard, running, receipts);
    let (ruling, ruler) = rules::spawn(ruler, Arc::clone(&guard), stop.clone())?;
    let mut threads = vec![
        ruler,
        ticker(Arc::clone(&guard), hub.is_none(), stop.clone())?,
        protector(Arc::clone(&guard), config.clone(), stop.clone())?,
    ];
    if let Some(packer) = packer {
        threads.push(packs::spawn(packer, guard.journal().clone(), stop.clone())?);
    }
    if let (Some(identity), Some(hub)) = (identity, hub) {
        threads.extend(fetcher(
            &config,
            &identity,
            &hub.url,
            guard.journal(),
            &stop,
        )?);
        let (reports, shares) = (reporter.clone(), config.share.is_some());
        let parts = sync::Parts {
            identity,
            url: hub.url.clone(),
            guard: Arc::clone(&guard),
            keeper: disk.keeper,
            status: Arc::clone(&reporter.status),
            view,
            index,
            partners: config.rules.partners.then_some(partners),
            data: config.data.clone(),
            batches,
            spool: disk.spool,
            shares,
            report: Box::new(move || match (reports.make(), shares) {
                (report, true) => report,
                (report, false) => report::withheld(report),
            }),
        };
        threads.push(sync::spawn(parts, stop.clone())?);
    }
    cancel_on_error.disarm();
    Ok(Handle {
        reporter,
        guard,
        rules: ruling,
        stop,
        threads,
        writers: disk.writers,
    })
}

/// The packs, if the configuration has any.
fn packer(
    config: &Config,
    guard: &Guard,
    receipts: &Arc<Receipts>,
) -> Result<Option<Packer>, PacksError> {
    let packs = config.packs.clone();
    packs
        .map(|packs| Packer::start(packs, &config.data, guard.journal(), Arc::clone(receipts)))
        .transpose()
}

/// The thread that fetches packs, where some are subscribed to.
fn fetcher(
    config: &Config,
    identity: &Identity,
    url: &str,
    journal: &Journal,
    stop: &CancellationToken,
) -> io::Result<Option<JoinHandle<()>>> {
    if config.repositories.is_empty() {
        return Ok(None);
    }
    let parts = repository::Parts {
        identity: identity.clone(),
        url: url.to_owned(),
        subscriptions: config.repositories.clone(),
        data: config.data.clone(),
        journal: journal.clone(),
    };
    repository::spawn(parts, stop.clone()).map(Some)
}

/// The guard over its enforcer, with the ends where signals and pardons come out.
fn guard(
    config: &Config,
    identity: Option<&Identity>,
    sessions: &Arc<Sessions>,
    disk: &Disk,
) -> Result<(Arc<Guard>, Batches, Receiver<IpAddr>), ShieldError> {
    let partner =
        identity.map_or_else(|| config.name.as_str().into(), |id| Arc::clone(&id.partner));
    let share = config.share.clone().filter(|_| identity.is_some());
    let share = share.map(|share| Share {
        tlp: share.tlp,
        audience: share.audience,
    });
    let (signals, batches) = Signals::new(&partner, share);
    let (forgive, forgiven) = sync_channel(FORGIVE_MAX);
    let found = protect::find(config);
    let guard = Arc::new(Guard::new(guard::Parts {
        partner,
        policy: Policy {
            settings: config.policy.clone(),
            protected: found.protected.clone(),
            home: config.home.clone(),
        },
        book: Book::new(enforcer(config)?),
        standings: Arc::clone(sessions) as Arc<dyn guard::Standings>,
        journal: disk.journal.clone(),
        keeper: disk.keeper.clone(),
        signals,
        forgive,
    }));
    guard.protect(found.protected)?;
    tell_start(&guard, &found.missing);
    Ok((guard, batches, forgiven))
}

impl Handle {
    /// The state of this moment, as it is reported.
    #[must_use]
    pub fn state(&self) -> StateReport {
        self.reporter.make()
    }

    /// Whether the capture file has been read to its end. An interface has none.
    #[must_use]
    pub fn inspected_all(&self) -> bool {
        self.reporter
            .running()
            .as_ref()
            .is_none_or(Running::finished)
    }

    /// Has the rules read anew from their files. What comes of it stands in the journal.
    pub fn reload_rules(&self) {
        self.rules.reload();
    }

    /// Where what becomes of packs is put, for those who contributed them.
    #[must_use]
    pub fn receipts(&self) -> Arc<Receipts> {
        Arc::clone(&self.reporter.receipts)
    }

    /// Whether the token that the shield was started with is cancelled.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Stops the shield and waits until every thread has ended and every file is written. Leases
    /// stay in the kernel until their ends.
    pub fn stop(self) {
        self.stop.cancel();
        self.join();
    }

    /// Waits until the shield has been stopped by its token.
    pub fn join(self) {
        let Self {
            reporter,
            guard,
            threads,
            writers,
            rules: _,
            stop: _,
        } = self;
        for thread in threads {
            joined(thread);
        }
        let running = reporter
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(running) = running {
            running.join();
        }
        let what = "stopped; leases stay in the kernel until their ends".to_owned();
        guard.journal().write(Now::read(), Event::State { what });
        // The writers end when nobody can hand anything in any more.
        drop((reporter, guard));
        writers.into_iter().for_each(joined);
    }
}

/// Where signals come out of the guard.
type Batches = tokio::sync::mpsc::Receiver<Batch>;

/// Files of the shield, and the threads that write them.
struct Disk {
    journal: Journal,
    keeper: Keeper,
    loaded: Loaded,
    spool: Spool,
    writers: Vec<JoinHandle<()>>,
}

impl Disk {
    fn open(data: &Path) -> Result<Self, ShieldError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| ShieldError::Data { path, source }
        };
        std::fs::create_dir_all(data).map_err(at(data))?;
        let known = data.join("known.jsonl");
        let loaded = known::load(&known).map_err(at(&known))?;
        let spool = data.join("spool");
        let spool = Spool::open(&spool).map_err(at(&spool))?;
        let (journal, journal_thread) = Journal::open(data).map_err(at(data))?;
        let (keeper, keeper_thread) = Keeper::open(&known).map_err(at(&known))?;
        Ok(Self {
            journal,
            keeper,
            loaded,
            spool,
            writers: vec![journal_thread, keeper_thread],
        })
    }
}

/// Makes state reports; shared between the sync thread and the handle.
#[derive(Clone, Debug)]
struct Reporter {
    about: About,
    guard: Arc<Guard>,
    status: Arc<Status>,
    running: Arc<Mutex<Option<Running>>>,
    receipts: Arc<Receipts>,
    /// Whether `[share]` lets receipts leave.
    tells: bool,
}

impl Reporter {
    fn new(
        config: &Config,
        guard: &Arc<Guard>,
        running: Option<Running>,
        receipts: Arc<Receipts>,
    ) -> Self {
        Self {
            about: About {
                shield: config.name.clone(),
                iface: inspected(config),
            },
            guard: Arc::clone(guard),
            status: Arc::new(Status::default()),
            running: Arc::new(Mutex::new(running)),
            receipts,
            tells: config.share.as_ref().is_some_and(|share| share.receipts),
        }
    }

    fn make(&self) -> StateReport {
        let counters = self
            .running()
            .as_ref()
            .map_or_else(BTreeMap::new, Running::counters);
        let packs = match self.tells {
            true => self.receipts.all(),
            false => Vec::new(),
        };
        report::make(&self.about, &self.guard, &self.status, counters, packs)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The enforcer that the configuration asks for.
///
/// # Failure bias
/// Open, aloud: under `auto`, a shield that may not or cannot enforce here inspects and shares all
/// the same; its mode says why nothing is dropped. Under `native` and `generic` it does not start.
fn enforcer(config: &Config) -> Result<Box<dyn Enforcer>, ShieldError> {
    let mode = match config.enforce.mode {
        EnforceMode::DryRun => return Ok(dry("the configuration asks for it")),
        EnforceMode::Auto => Wanted::Auto,
        EnforceMode::Native => Wanted::Native,
        EnforceMode::Generic => Wanted::Generic,
    };
    let Some(Capture::Interface(interface)) = &config.capture else {
        return Ok(dry("there is no interface to enforce on"));
    };
    let pin_dir = config.enforce.pin.clone();
    match XdpEnforcer::attach(
        interface,
        &Options {
            mode,
            pin_dir,
            ..Options::default()
        },
    ) {
        Ok(enforcer) => Ok(Box::new(enforcer)),
        Err(error) if config.enforce.mode == EnforceMode::Auto && is_environment(&error) => {
            tracing::warn!(%error, "NOT ENFORCING");
            Ok(dry(&error.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the machine, rather than the configuration, is why enforcement cannot start.
fn is_environment(error: &EnforceError) -> bool {
    matches!(
        error,
        EnforceError::Privilege { .. }
            | EnforceError::Kernel { .. }
            | EnforceError::NotEthernet { .. }
            | EnforceError::Pin { .. }
    )
}

fn dry(why: &str) -> Box<dyn Enforcer> {
    Box::new(DryRun::new(why))
}

/// Enforces what an earlier run knew.
fn restore(guard: &Guard, partners: Option<&Partners>, loaded: Loaded) -> View {
    for lease in loaded.leases.values() {
        guard.restore(lease);
    }
    let mut view = loaded.view;
    sync::restore(&mut view, loaded.objects, guard, partners);
    if loaded.damaged > 0 {
        let what = format!(
            "{} damaged lines in known.jsonl: the hub is asked again",
            loaded.damaged
        );
        guard.journal().write(Now::read(), Event::State { what });
    }
    let what = format!("{} leases from before", guard.book().len());
    guard.journal().write(Now::read(), Event::State { what });
    view
}

fn tell_start(guard: &Guard, missing: &[String]) {
    let mode = report::mode_name(&guard.book().mode());
    let mut what = format!("started, {mode}");
    for missing in missing {
        tracing::warn!(missing, "not protected by itself");
        what.push_str("; not protected by itself: ");
        what.push_str(missing);
    }
    guard.journal().write(Now::read(), Event::State { what });
}

fn inspect(
    config: &Config,
    sessions: &Arc<Sessions>,
    links: pipeline::Links,
) -> Result<Option<Running>, ShieldError> {
    let Some(capture) = &config.capture else {
        return Ok(None);
    };
    Ok(Some(pipeline::spawn(
        capture,
        &config.home,
        &config.policy.behaviour,
        config.eve.as_ref(),
        Arc::clone(sessions),
        links,
    )?))
}

fn inspected(config: &Config) -> String {
    match &config.capture {
        Some(Capture::Interface(name)) => name.clone(),
        Some(Capture::Pcap { file, .. }) => file.display().to_string(),
        None => "none".to_owned(),
    }
}

/// Does what time asks for. A shield that works `alone` has no sync thread to keep its file small.
fn ticker(guard: Arc<Guard>, alone: bool, stop: CancellationToken) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("ticker".to_owned())
        .spawn(move || {
            while !stop.is_cancelled() {
                std::thread::sleep(guard.tick());
                if alone {
                    guard.keep_small();
                }
            }
        })
}

/// Looks for new addresses to protect now and then, on a thread of its own, since resolving the
/// hub's name may take long. What could not be read this time stays as it was.
fn protector(
    guard: Arc<Guard>,
    config: Config,
    stop: CancellationToken,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("protect".to_owned())
        .spawn(move || {
            let mut looked = Instant::now();
            while !stop.is_cancelled() {
                std::thread::sleep(STOP_PAUSE);
                if looked.elapsed() < PROTECT_PAUSE {
                    continue;
                }
                looked = Instant::now();
                let found = protect::find(&config);
                if found.missing.is_empty()
                    && let Err(error) = guard.protect(found.protected)
                {
                    tracing::error!(%error, "the enforcer does not take the protected networks");
                }
            }
        })
}

fn joined(thread: JoinHandle<()>) {
    let name = thread.thread().name().unwrap_or_default().to_owned();
    if thread.join().is_err() {
        tracing::error!(name, "a thread ended in a panic");
    }
}

/// Pause between looks for new addresses to protect.
const PROTECT_PAUSE: Duration = Duration::from_secs(60);
/// Pause between looks at whether to stop.
const STOP_PAUSE: Duration = Duration::from_millis(100);
