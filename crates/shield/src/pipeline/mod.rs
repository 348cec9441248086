//! The packet path: frames in, verdicts out, and who has an honest session meanwhile.
//!
//! ```text
//! Frame -> packet::Sensor -> Event -> detect::Detector -> Verdict -> caller
//!                              |  \-> Watch -> Sessions (state changes only)
//!                              \----> eve::Log (bounded buffer, written elsewhere)
//! ```
//!
//! [`Pipeline`] reads no clock and no file: time is an argument, so that a recorded capture gives
//! the same verdicts each time. [`run`] drives it from an interface or a file on a thread.

mod models;
mod passage;
mod rules;
mod run;
mod watch;

use std::net::IpAddr;
use std::sync::Arc;

use detect::behaviour::dga::NameModel;
use detect::rules::Inspector;
use detect::{Detector, Index, Verdict};
use packet::eve::Now;
use packet::{Digests, Event, FileInfo, Flow, FlowId, Frame, Sensor, Transaction};

use crate::eve;
use crate::filestore::FileStore;
use crate::sessions::Sessions;
use models::Modelled;
use passage::Passage;
use rules::Ruled;
use watch::Watch;

pub use run::{Links, PipelineError, Running, spawn};

/// Configuration of the parts.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Flow table, reassembly, parsers.
    pub sensor: packet::Config,
    /// Detectors, and where home is.
    pub detect: detect::Config,
}

/// Where verdicts go, as soon as they are reached.
pub type OnVerdict<'a> = dyn FnMut(&Verdict) + 'a;

/// Sensor, detectors and sessions of one inspection point.
#[derive(Debug)]
pub struct Pipeline {
    sensor: Sensor,
    /// What is worked out of files whatever rules say.
    digests: Digests,
    judge: Judge,
}

/// What sees the sensor's events.
#[derive(Debug)]
struct Judge {
    detector: Detector,
    watch: Watch,
    log: Option<eve::Log>,
    store: Option<FileStore>,
    ruled: Ruled,
    modelled: Modelled,
    inline: bool,
    /// Inline: packets by what became of them.
    passage: Passage,
    /// The flow that rules dropped with the packet at hand.
    dropped: Option<Flow>,
    /// The flow that rules want no more to be looked at.
    bypassed: Option<Flow>,
    /// The flow whose files rules had stored.
    kept: Option<Flow>,
    /// Files that rules had stored.
    files_stored: u64,
    /// Times that the store could not take what it should.
    store_errors: u64,
    verdicts: Vec<Verdict>,
    /// Number in its capture of the latest packet.
    packet: u64,
    frames: u64,
    bytes: u64,
    given: u64,
}

impl Pipeline {
    /// A pipeline that has seen nothing.
    #[must_use]
    pub fn new(config: Config, index: Arc<Index>, sessions: Arc<Sessions>) -> Self {
        let home = config.detect.home.clone();
        let judge = Judge {
            detector: Detector::new(config.detect, index),
            watch: Watch::new(home, sessions),
            log: None,
            store: None,
            ruled: Ruled::default(),
            modelled: Modelled::default(),
            inline: config.sensor.inline,
            passage: Passage::default(),
            dropped: None,
            bypassed: None,
            kept: None,
            files_stored: 0,
            store_errors: 0,
            verdicts: Vec::new(),
            packet: 0,
            frames: 0,
            bytes: 0,
            given: 0,
        };
        Self {
            digests: config.sensor.digests,
            sensor: Sensor::new(config.sensor),
            judge,
        }
    }

    /// Writes EVE records of what is seen from here on.
    #[must_use]
    pub fn with_log(mut self, log: eve::Log) -> Self {
        self.judge.log = Some(log);
        self
    }

    /// Judges by rules what is seen from here on; the sensor must tell what they look into
    /// ([`packet::Config::inspect`]).
    #[must_use]
    pub fn with_rules(mut self, inspector: Option<Inspector>) -> Self {
        self.judge.ruled.own = inspector;
        self
    }

    /// Stores the files that the settings ask for.
    #[must_use]
    pub fn with_store(mut self, store: Option<FileStore>) -> Self {
        self.judge.store = store;
        self
    }

    /// Inspects one frame. Every verdict that it leads to goes to `on_verdict` before this returns.
    /// `mono_ns` is CLOCK_MONOTONIC, for the sessions.
    ///
    /// # Failure bias
    /// Open: a frame that cannot be inspected yields no verdict.
    pub fn packet(&mut self, frame: &Frame<'_>, mono_ns: u64, on_verdict: &mut OnVerdict<'_>) {
        let Self { sensor, judge, .. } = self;
        judge.frame(frame);
        sensor.packet(frame, &mut |event| {
            judge.event(&event, frame.ts_ns, mono_ns, on_verdict)
        });
        judge.passage.count(sensor.refused());
        if let Some(flow) = judge.dropped.take() {
            sensor.drop_flow(&flow);
        }
        if let Some(flow) = judge.kept.take() {
            sensor.keep_files(&flow);
        }
        if let Some(flow) = judge.bypassed.take() {
            sensor.bypass_flow(&flow);
        }
    }

    /// Says the number in its capture of the packet that comes next, where packets of one capture go
    /// to several pipelines.
    pub fn number(&mut self, next: u64) {
        self.judge.packet = next.saturating_sub(1);
    }

    /// Lets time pass: attempts go unanswered, idle flows end. Call it
    /// a few times a second. `now_ns` is on the clock of the packets.
    pub fn tick(&mut self, now_ns: u64, mono_ns: u64, on_verdict: &mut OnVerdict<'_>) {
        let Self { sensor, judge, .. } = self;
        sensor.tick(now_ns, &mut |event| {
            judge.event(&event, now_ns, mono_ns, on_verdict)
        });
        judge.detector.tick(now_ns, &mut judge.verdicts);
        judge.give(None, on_verdict);
        if let Some(log) = &mut judge.log {
            log.flush();
        }
    }

    /// Ends all flows: the capture is over. `now_ns` is on the clock of the packets.
    pub fn finish(&mut self, now_ns: u64, mono_ns: u64, on_verdict: &mut OnVerdict<'_>) {
        let Self { sensor, judge, .. } = self;
        sensor.finish(&mut |event| judge.event(&event, now_ns, mono_ns, on_verdict));
    }

    /// Replaces the indicators, between two packets.
    pub fn set_index(&mut self, index: Arc<Index>) {
        self.judge.detector.set_index(index);
    }

    /// The indicators in use.
    #[must_use]
    pub fn index(&self) -> &Arc<Index> {
        self.judge.detector.index()
    }

    /// Replaces the model that looks at names, between two packets.
    pub fn set_names(&mut self, model: Option<&Arc<NameModel>>) {
        self.judge.detector.set_names(model);
    }

    /// Forgets what is held against a source.
    pub fn forgive(&mut self, source: IpAddr) {
        self.judge.detector.forgive(source);
        self.judge.watch.forgive(source);
        if let Some(verdicts) = &mut self.judge.ruled.verdicts {
            verdicts.forgive(source.to_canonical());
        }
        if let Some(inspector) = &mut self.judge.modelled.inspector {
            inspector.forgive(source.to_canonical());
        }
    }

    /// Takes a flow for malicious on somebody else's word: it speaks for its source no longer.
    pub fn convict(&mut self, flow: FlowId) {
        self.judge.watch.convict(flow);
    }

    /// What was counted, bounds that were hit among it; names are `part.counter`.
    #[must_use]
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let judge = &self.judge;
        let open = u64::try_from(self.sensor.open_flows()).unwrap_or(u64::MAX);
        let dropped = judge.log.as_ref().map_or(0, eve::Log::dropped);
        let mut counters = vec![
            ("pipeline.frames", judge.frames),
            ("pipeline.bytes", judge.bytes),
            ("pipeline.verdicts", judge.given),
            ("pipeline.flows_open", open),
            ("eve.records_dropped", dropped),
            ("file_store.fs_errors", judge.store_errors),
        ];
        counters.extend(self.sensor.counters().named());
        counters.extend(judge.watch.counters());
        counters.extend(judge.detector.counters());
        counters.extend(judge.ruled.own.iter().flat_map(Inspector::counted));
        counters.extend(judge.ruled.counters());
        counters.extend(judge.modelled.counters());
        if judge.inline {
            counters.extend(judge.passage.named());
        }
        counters
    }

    /// Writes a record of the counters, if records are written.
    pub fn log_stats(&mut self, now_ns: u64) {
        let counters = self.counters();
        if let Some(log) = &mut self.judge.log {
            let now = Now {
                ts_ns: now_ns,
                packet: self.judge.packet,
            };
            log.stats(&counters, now);
        }
    }

    /// Gives the log back, to go on with another pipeline.
    #[must_use]
    pub fn into_log(self) -> Option<eve::Log> {
        self.judge.log
    }

    /// Writes what waits of the EVE records.
    ///
    /// # Errors
    /// The first error in writing them.
    pub fn close(mut self) -> std::io::Result<()> {
        self.judge.log.take().map_or(Ok(()), eve::Log::close)
    }
}

impl Judge {
    fn frame(&mut self, frame: &Frame<'_>) {
        self.packet = self.packet.saturating_add(1);
        self.frames = self.frames.saturating_add(1);
        self.detector.goes(frame.way);
        self.bytes = self.bytes.saturating_add(u64::from(frame.wire_len));
        if let Some(inspector) = &mut self.modelled.inspector {
            inspector.packet(self.packet);
        }
    }

    fn event(
        &mut self,
        event: &Event<'_>,
        now_ns: u64,
        mono_ns: u64,
        on_verdict: &mut OnVerdict<'_>,
    ) {
        self.watch.meet(event, mono_ns);
        if Detector::looks_at(event) {
            self.detector.event(event, now_ns, &mut self.verdicts);
            // what speaks against a flow does so before the verdict that it leads to
            let watch = &mut self.watch;
            self.detector
                .held_against(&mut |flow, tuple| watch.hold_against(flow, tuple));
            self.watch.convict_all(&self.verdicts);
        }
        let now = Now {
            ts_ns: now_ns,
            packet: self.packet,
        };
        // before the watch: at a flow's end it forgets what was said of it
        self.models(event, now, mono_ns);
        self.watch.event(event, mono_ns);
        self.give(Some(event), on_verdict);
        if let Event::File(flow, carrier, file) = event {
            return self.file(flow, *carrier, file, now, on_verdict);
        }
        self.store(event, now);
        // the last words of a flow come behind its alerts
        let is_end = matches!(event, Event::FlowEnd(..));
        if is_end {
            self.rules(event, now, on_verdict);
        }
        if let Some(log) = &mut self.log {
            log.event(event, now);
        }
        if !is_end {
            self.rules(event, now, on_verdict);
        }
    }

    /// A file is over. Whether it is stored, rules may say.
    fn file(
        &mut self,
        flow: &Flow,
        carrier: &dyn Transaction,
        file: &FileInfo,
        now: Now,
        on_verdict: &mut OnVerdict<'_>,
    ) {
        self.rules(&Event::File(flow, carrier, file), now, on_verdict);
        let known = self.ruled.own.as_ref();
        let known = known.and_then(|inspector| inspector.file_of(flow.id, file.id));
        let wanted = known.filter(|known| known.stored || !known.stored_by.is_empty());
        let changed = wanted.filter(|_| !file.stored).map(|wanted| FileInfo {
            stored: wanted.stored,
            stored_by: wanted.stored_by.clone(),
            store_id: self.files_stored.saturating_add(1),
            ..file.clone()
        });
        if changed.as_ref().is_some_and(|file| file.stored) {
            self.files_stored = self.files_stored.saturating_add(1);
        }
        let event = Event::File(flow, carrier, changed.as_ref().unwrap_or(file));
        self.store(&event, now);
        if let Some(log) = &mut self.log {
            log.event(&event, now);
        }
    }

    /// A store that fails is not asked again: a full disk would cost each packet its time.
    fn store(&mut self, event: &Event<'_>, now: Now) {
        if let Some(store) = &self.store
            && let Err(error) = store.event(event, now)
        {
            tracing::error!(%error, "files are not stored any more");
            self.store_errors = self.store_errors.saturating_add(1);
            self.store = None;
        }
    }

    /// Hands out the verdicts reached, and logs them with the event that led there.
    fn give(&mut self, event: Option<&Event<'_>>, on_verdict: &mut OnVerdict<'_>) {
        let packet = self.packet;
        for verdict in self.verdicts.drain(..) {
            on_verdict(&verdict);
            self.given = self.given.saturating_add(1);
            if let Some(log) = &mut self.log {
                log.alert(&verdict, event, packet);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
