//! Driving a pipeline: from an interface or a capture file, on a thread of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use datapath::capture::{AfPacket, Capture, CaptureError, Options, Stats};
use datapath::clock::{mono_ns, realtime_ns};
use detect::rules::VerdictsConfig;
use detect::{BehaviourConfig, Index};
use ipnet::IpNet;
use packet::Frame;
use packet::pcap::{PcapError, Reader};
use tokio_util::sync::CancellationToken;

use super::{Config, Pipeline};
use crate::config::{self, Pace};
use crate::eve;
use crate::guard::Sink;
use crate::packs;
use crate::policy::{Behaviour, Leave};
use crate::rules::Link;
use crate::sessions::Sessions;

/// Longest wait for a packet, and so for a stop or a new index when there is no traffic.
const WAIT: Duration = Duration::from_millis(20);
/// How often time passes for a pipeline, nanoseconds.
const TICK_NS: u64 = 100_000_000;
/// How often counters are published, nanoseconds.
const PUBLISH_NS: u64 = 500_000_000;
/// How often counters are written as a record, nanoseconds.
const STATS_NS: u64 = 8_000_000_000;
/// A file read at full pace looks at its commands after this many frames.
const FRAMES_PER_TURN: u64 = 256;
/// Time between two verdicts about a channel that something is done about, nanoseconds: a lease of our
/// own is a minute at first.
const AGAIN_NS: u64 = 60_000_000_000;
/// Time between two passes over a file that is repeated, nanoseconds.
const REPEAT_PAUSE_NS: u64 = 1_000_000_000;

/// What connects a pipeline to the rest of the shield.
pub struct Links {
    /// The indicators; looked at between packets.
    pub index: Arc<ArcSwap<Index>>,
    /// The rules; looked at between packets.
    pub rules: Link,
    /// The models of packs; looked at between packets. None: there are none.
    pub packs: Option<packs::Link>,
    /// Who acts on verdicts.
    pub sink: Arc<dyn Sink>,
    /// Sources to forgive.
    pub forgive: Receiver<IpAddr>,
    /// Tells the thread to end.
    pub stop: CancellationToken,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}

/// Why there is no pipeline.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The interface cannot be captured on.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The file of the records cannot be written.
    #[error(
        "cannot write records to {path}: {source}; make its folder, or name another [eve] file"
    )]
    Records {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The capture file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The capture file is none, or damaged.
    #[error("{path}: {source}")]
    Pcap {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: PcapError,
    },
    /// The system gave no thread.
    #[error("cannot start the pipeline thread: {0}")]
    Thread(io::Error),
}

/// A pipeline on its thread.
#[derive(Debug)]
pub struct Running {
    counters: Arc<Mutex<BTreeMap<String, u64>>>,
    thread: JoinHandle<()>,
}

impl Running {
    /// What was counted, at most half a second ago.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<String, u64> {
        self.counters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the thread has ended by itself: the file is over, or the interface is gone.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the thread; stop it first.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the pipeline thread ended in a panic");
        }
    }
}

/// Starts a pipeline on a thread. The capture is opened before this returns, and the file of the
/// records, where `log` names one.
///
/// # Errors
/// When the interface or a file cannot be opened, or there is no thread.
pub fn spawn(
    capture: &config::Capture,
    home: &[IpNet],
    behaviour: &Behaviour,
    log: Option<&config::Eve>,
    sessions: Arc<Sessions>,
    links: Links,
) -> Result<Running, PipelineError> {
    let config = Config {
        sensor: packet::Config {
            seed: [random(), random()],
            ..packet::Config::default()
        },
        detect: detect::Config {
            home: home.to_vec(),
            behaviour: detectors(behaviour),
            ..detect::Config::default()
        },
    };
    let mut pipeline = Pipeline::new(config, links.index.load_full(), sessions);
    if let Some(log) = log {
        pipeline = pipeline.with_log(records(log)?);
    }
    let in_force = links.rules.in_force.load_full();
    pipeline = pipeline.with_verdicts(VerdictsConfig {
        home: home.to_vec(),
        drops: links.rules.drops,
        ..VerdictsConfig::default()
    });
    pipeline.set_rules(in_force, &links.rules.options);
    if let Some(packs) = &links.packs {
        let config = detect::models::Config {
            home: home.to_vec(),
            ..detect::models::Config::default()
        };
        let sink = Some(Arc::clone(&links.sink));
        pipeline = pipeline.with_models(config, packs.loaded.load_full(), sink, packs.history_min);
    }
    let counters = Arc::<Mutex<BTreeMap<String, u64>>>::default();
    let turn = Turn {
        pipeline,
        links,
        counters: Arc::clone(&counters),
        ticked_ns: 0,
        published_ns: 0,
        logged_ns: mono_ns(),
        stats: Stats::default(),
    };
    let work = work(capture, turn)?;
    let builder = std::thread::Builder::new().name("pipeline".to_owned());
    let thread = builder.spawn(work).map_err(PipelineError::Thread)?;
    Ok(Running { counters, thread })
}

/// The detectors of behaviour. Where something is done about a channel, it is looked at again when what
/// was done ends, rather than told once a day.
fn detectors(behaviour: &Behaviour) -> BehaviourConfig {
    let mut config = BehaviourConfig::default();
    if behaviour.dns_tunnel > Leave::Alert {
        config.tunnel.again_ns = AGAIN_NS;
    }
    if behaviour.beacon > Leave::Alert {
        config.beacon.again_ns = AGAIN_NS;
    }
    config
}

/// The log of the records. A disk that is slow costs records, which are counted, and no packet.
fn records(log: &config::Eve) -> Result<eve::Log, PipelineError> {
    let records = match log.alerts_only {
        true => eve::Records::of("", eve::ALERTS),
        false => eve::Records::all(""),
    };
    let open = |_: &str| -> io::Result<Box<dyn io::Write + Send>> {
        Ok(Box::new(eve::Appended::open(&log.file)?))
    };
    let log_of = eve::Log::new(vec![records], eve::WhenFull::Drop, open);
    log_of.map_err(|source| PipelineError::Records {
        path: log.file.clone(),
        source,
    })
}

/// A number that senders of packets cannot know.
fn random() -> u64 {
    RandomState::new().hash_one(())
}

type Work = Box<dyn FnOnce() + Send>;

fn work(capture: &config::Capture, mut turn: Turn) -> Result<Work, PipelineError> {
    match capture {
        config::Capture::Interface(name) => {
            let mut capture = AfPacket::open(name, &Options::default())?;
            Ok(Box::new(move || run_capture(&mut capture, &mut turn)))
        }
        config::Capture::Pcap {
            file,
            pace,
            shift,
            repeat,
        } => {
            // A file that is no capture is told at the start, not when it is read.
            Reader::new(open(file)?).map_err(|source| PipelineError::Pcap {
                path: file.clone(),
                source,
            })?;
            let replay = Replay {
                file: file.clone(),
                pace: *pace,
                shift: *shift,
                offset_ns: 0,
            };
            let repeat = *repeat;
            Ok(Box::new(move || run_file(replay, repeat, &mut turn)))
        }
    }
}

/// Runs a capture through a pipeline until it is told to stop or the interface is gone.
fn run_capture(capture: &mut dyn Capture, turn: &mut Turn) {
    while !turn.links.stop.is_cancelled() {
        turn.commands();
        let taken = capture.next(WAIT, &mut |frame| turn.packet(&frame));
        match taken {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NetworkDown => {
                tracing::warn!("the interface is down; capture goes on when it is up");
                std::thread::sleep(WAIT);
            }
            Err(error) => {
                tracing::error!(%error, "capture has failed");
                break;
            }
        }
        turn.stats = capture.stats();
        turn.tick(realtime_ns());
    }
    turn.finish(realtime_ns());
}

/// Runs a file through a pipeline once, or again and again until told to stop.
fn run_file(mut replay: Replay, repeat: bool, turn: &mut Turn) {
    let mut last_ns = 0;
    loop {
        match replay.pass(last_ns, turn) {
            Ok(ended_ns) if ended_ns == last_ns => {
                tracing::warn!("the capture file holds no packets");
                break;
            }
            Ok(ended_ns) => last_ns = ended_ns,
            Err(error) => {
                tracing::error!(%error, "the capture file cannot be read on");
                break;
            }
        }
        if !repeat || turn.links.stop.is_cancelled() {
            break;
        }
    }
    turn.finish(last_ns);
}

/// A pipeline and what it is to look at between packets.
#[derive(Debug)]
struct Turn {
    pipeline: Pipeline,
    links: Links,
    counters: Arc<Mutex<BTreeMap<String, u64>>>,
    ticked_ns: u64,
    published_ns: u64,
    /// When counters were last written as a record.
    logged_ns: u64,
    stats: Stats,
}

impl Turn {
    fn packet(&mut self, frame: &Frame<'_>) {
        let sink = &self.links.sink;
        self.pipeline
            .packet(frame, mono_ns(), &mut |verdict| sink.verdict(verdict));
    }

    /// Takes a new index, new rules and sources to forgive, between two packets.
    fn commands(&mut self) {
        let rules = self.links.rules.in_force.load();
        if !Arc::ptr_eq(&rules, self.pipeline.rules()) {
            self.pipeline
                .set_rules(Arc::clone(&rules), &self.links.rules.options);
        }
        if let Some(packs) = &self.links.packs {
            let loaded = packs.loaded.load();
            if !Arc::ptr_eq(&loaded, self.pipeline.models()) {
                self.pipeline.set_models(Arc::clone(&loaded));
            }
        }
        let index = self.links.index.load();
        if !Arc::ptr_eq(&index, self.pipeline.index()) {
            self.pipeline.set_index(Arc::clone(&index));
        }
        loop {
            match self.links.forgive.try_recv() {
                Ok(source) => self.pipeline.forgive(source),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn tick(&mut self, now_ns: u64) {
        let mono_ns = mono_ns();
        if mono_ns.saturating_sub(self.ticked_ns) < TICK_NS {
            return;
        }
        self.ticked_ns = mono_ns;
        let sink = &self.links.sink;
        self.pipeline
            .tick(now_ns, mono_ns, &mut |verdict| sink.verdict(verdict));
        if mono_ns.saturating_sub(self.published_ns) >= PUBLISH_NS {
            self.published_ns = mono_ns;
            self.publish();
        }
        if mono_ns.saturating_sub(self.logged_ns) >= STATS_NS {
            self.logged_ns = mono_ns;
            self.pipeline.log_stats(now_ns);
        }
    }

    fn finish(&mut self, now_ns: u64) {
        let sink = &self.links.sink;
        self.pipeline
            .finish(now_ns, mono_ns(), &mut |verdict| sink.verdict(verdict));
        self.pipeline.log_stats(now_ns);
        self.publish();
    }

    fn publish(&self) {
        let counted = self.pipeline.counters().into_iter();
        let mut counters: BTreeMap<String, u64> = counted
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        counters.insert("capture.received".to_owned(), self.stats.received);
        counters.insert("capture.dropped".to_owned(), self.stats.dropped);
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner) = counters;
    }
}

/// A file and how its packet times become ours.
#[derive(Debug)]
struct Replay {
    file: PathBuf,
    pace: Pace,
    /// Packet times become those of now.
    shift: bool,
    /// Added to packet times.
    offset_ns: i128,
}

impl Replay {
    /// Goes through the file once; gives the last packet time. Times go on from `last_ns`.
    fn pass(&mut self, last_ns: u64, turn: &mut Turn) -> Result<u64, PipelineError> {
        let mut reader = Reader::new(open(&self.file)?).map_err(|e| self.damaged(e))?;
        let mut ended_ns = last_ns;
        let mut start: Option<(u64, u64)> = None;
        let mut frames: u64 = 0;
        while let Some(frame) = reader.next().map_err(|e| self.damaged(e))? {
            let (first_ns, began_ns) = *start.get_or_insert_with(|| {
                self.begin(frame.ts_ns, last_ns);
                (frame.ts_ns, mono_ns())
            });
            let due_ns = began_ns.saturating_add(frame.ts_ns.saturating_sub(first_ns));
            ended_ns = self.shifted(frame.ts_ns);
            if self.pace == Pace::Recorded && !wait_until(due_ns, ended_ns, turn) {
                break;
            }
            turn.packet(&Frame {
                ts_ns: ended_ns,
                ..frame
            });
            frames = frames.saturating_add(1);
            if frames.is_multiple_of(FRAMES_PER_TURN) || self.pace == Pace::Recorded {
                turn.commands();
                turn.tick(ended_ns);
            }
            if turn.links.stop.is_cancelled() {
                break;
            }
        }
        Ok(ended_ns)
    }

    /// Fixes how times are shifted in this pass: to now, or behind the pass before.
    fn begin(&mut self, first_ns: u64, last_ns: u64) {
        let next_ns = last_ns.saturating_add(REPEAT_PAUSE_NS);
        let begin_ns = match (self.shift, last_ns) {
            (true, 0) => realtime_ns(),
            (true, _) => realtime_ns().max(next_ns),
            (false, 0) => first_ns,
            (false, _) => next_ns,
        };
        self.offset_ns = i128::from(begin_ns).saturating_sub(i128::from(first_ns));
    }

    fn shifted(&self, ts_ns: u64) -> u64 {
        u64::try_from(i128::from(ts_ns).saturating_add(self.offset_ns)).unwrap_or(0)
    }

    fn damaged(&self, source: PcapError) -> PipelineError {
        PipelineError::Pcap {
            path: self.file.clone(),
            source,
        }
    }
}

/// Waits for the moment of a packet, with time passing meanwhile; false when told to stop.
fn wait_until(due_ns: u64, packet_ns: u64, turn: &mut Turn) -> bool {
    loop {
        if turn.links.stop.is_cancelled() {
            return false;
        }
        let left_ns = due_ns.saturating_sub(mono_ns());
        if left_ns == 0 {
            return true;
        }
        std::thread::sleep(Duration::from_nanos(left_ns).min(WAIT));
        turn.commands();
        turn.tick(packet_ns.saturating_sub(due_ns.saturating_sub(mono_ns())));
    }
}

fn open(path: &Path) -> Result<BufReader<File>, PipelineError> {
    let file = File::open(path);
    file.map(BufReader::new)
        .map_err(|source| PipelineError::File {
            path: path.to_owned(),
            source,
        })
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
