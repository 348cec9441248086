//! One capture through several pipelines: packets of two hosts always go to the same one, which
//! shares nothing with the others but the indicators and the files written to.
//!
//! A scan of many hosts is seen in parts, each by the pipeline of its pair: who looks for scanners
//! in a capture uses one thread.

use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use detect::Index;
use packet::{Frame, LinkType, Way, pcap::Reader};
use shield::{
    eve::{Log, Now},
    filestore::FileStore,
    pipeline::{Config, Pipeline},
    sessions::Sessions,
};

use super::{SESSIONS_MAX, TICK_NS, summary::Summary};
use crate::outcome::Failure;

/// Most packets handed over at once.
const BATCH_FRAMES_MAX: usize = 256;
/// Most batches that wait for a pipeline.
const BATCHES_MAX: usize = 16;
/// Flows are numbered apart: each pipeline counts from another start.
const FLOW_IDS_APART: u64 = 1 << 40;

/// What a scan works with.
pub(super) struct Parts<'a> {
    pub(super) config: Config,
    pub(super) index: &'a Arc<Index>,
    pub(super) log: Option<&'a mut Log>,
    pub(super) store: Option<FileStore>,
    pub(super) rules: &'a super::rules::Rules,
    pub(super) packs: &'a super::packs::Packs,
    pub(super) threads: usize,
}

/// Packets on their way to a pipeline.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    frames: Vec<Place>,
}

/// A packet of a batch, without its bytes.
struct Place {
    number: u64,
    ts_ns: u64,
    link: LinkType,
    wire_len: u32,
    way: Way,
    len: usize,
}

/// Runs a whole capture through as many pipelines as there are threads.
pub(super) fn scan(capture: &Path, parts: Parts<'_>, total: &mut Summary) -> Result<(), Failure> {
    let mut reader = super::open(capture)?;
    let sessions = Arc::new(Sessions::new(SESSIONS_MAX));
    let pipelines: Vec<_> = (0..parts.threads)
        .map(|number| parts.pipeline(number, &sessions))
        .collect();
    let (read, last_ns, counters) = thread::scope(|scope| {
        let (senders, workers): (Vec<_>, Vec<_>) = pipelines
            .into_iter()
            .map(|pipeline| {
                let (sender, receiver) = sync_channel(BATCHES_MAX);
                (sender, scope.spawn(move || work(pipeline, &receiver)))
            })
            .unzip();
        let (read, last_ns) = hand_out(&mut reader, senders);
        let ended: Vec<_> = workers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        (read, last_ns, ended)
    });
    let mut of_capture = Summary::default();
    for counters in counters {
        let counters = counters.map_err(|_| {
            Failure::system(
                "inspect",
                anyhow::anyhow!("a thread ended before its packets did"),
            )
        })?;
        of_capture.add(&counters);
    }
    if let Some(log) = parts.log {
        let now = Now {
            ts_ns: last_ns,
            packet: of_capture.count("pipeline.frames"),
        };
        log.stats(&of_capture.all(), now);
    }
    total.add(&of_capture.all());
    super::read_to_end(capture, &reader, read, of_capture.count("pipeline.frames"))
}

impl Parts<'_> {
    fn pipeline(&self, number: usize, sessions: &Arc<Sessions>) -> Pipeline {
        let mut config = self.config.clone();
        let apart = FLOW_IDS_APART.saturating_mul(u64::try_from(number).unwrap_or(u64::MAX));
        config.sensor.flow_ids_after = config.sensor.flow_ids_after.saturating_add(apart);
        let pipeline = Pipeline::new(config, Arc::clone(self.index), Arc::clone(sessions));
        let pipeline = pipeline
            .with_store(self.store.clone())
            .with_rules(self.rules.inspector());
        let pipeline = self.packs.judge(pipeline);
        match &self.log {
            Some(log) => pipeline.with_log(log.beside()),
            None => pipeline,
        }
    }
}

/// Reads the capture and gives each packet to the pipeline of its pair of hosts.
fn hand_out(
    reader: &mut Reader<std::fs::File>,
    senders: Vec<SyncSender<Batch>>,
) -> (Result<(), packet::pcap::PcapError>, u64) {
    let mut batches: Vec<Batch> = senders.iter().map(|_| Batch::default()).collect();
    let lanes = u64::try_from(senders.len()).unwrap_or(1).max(1);
    let (mut number, mut last_ns) = (0_u64, 0);
    let read = loop {
        let frame = match reader.next() {
            Ok(Some(frame)) => frame,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        number = number.saturating_add(1);
        last_ns = frame.ts_ns;
        let lane = packet::lane(&frame).checked_rem(lanes).unwrap_or(0);
        let lane = usize::try_from(lane).unwrap_or(0);
        if let (Some(batch), Some(sender)) = (batches.get_mut(lane), senders.get(lane)) {
            batch.push(&frame, number);
            if batch.frames.len() >= BATCH_FRAMES_MAX {
                // a worker that is gone shows when it is joined
                sender.send(std::mem::take(batch)).ok();
            }
        }
    };
    for (sender, batch) in senders.iter().zip(batches) {
        sender.send(batch).ok();
    }
    (read, last_ns)
}

/// One pipeline, until there are no more packets.
fn work(mut pipeline: Pipeline, batches: &Receiver<Batch>) -> Vec<(&'static str, u64)> {
    let (mut last_ns, mut ticked_ns) = (0_u64, 0);
    while let Ok(batch) = batches.recv() {
        batch.each(|number, frame| {
            last_ns = frame.ts_ns;
            pipeline.number(number);
            pipeline.packet(frame, last_ns, &mut |_| {});
            if last_ns.saturating_sub(ticked_ns) >= TICK_NS {
                ticked_ns = last_ns;
                pipeline.tick(last_ns, last_ns, &mut |_| {});
            }
        });
    }
    pipeline.finish(last_ns, last_ns, &mut |_| {});
    pipeline.counters()
}

impl Batch {
    fn push(&mut self, frame: &Frame<'_>, number: u64) {
        self.bytes.extend_from_slice(frame.data);
        self.frames.push(Place {
            number,
            ts_ns: frame.ts_ns,
            link: frame.link,
            wire_len: frame.wire_len,
            way: frame.way,
            len: frame.data.len(),
        });
    }

    fn each(&self, mut take: impl FnMut(u64, &Frame<'_>)) {
        let mut rest = self.bytes.as_slice();
        for place in &self.frames {
            let (data, behind) = rest.split_at_checked(place.len).unwrap_or((rest, &[]));
            rest = behind;
            let frame = Frame {
                ts_ns: place.ts_ns,
                link: place.link,
                data,
                wire_len: place.wire_len,
                way: place.way,
            };
            take(place.number, &frame);
        }
    }
}
