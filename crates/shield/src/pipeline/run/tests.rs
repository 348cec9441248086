//! Pace, time and commands of the loops.

use std::net::SocketAddr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use packet::{LinkType, Way};
use testkit::capture::{Frames, Segment, flag};

use detect::Verdict;

use super::*;

const MS: u64 = 1_000_000;

#[test]
fn a_file_is_replayed_at_its_pace_shifted_to_now() {
    let (mut turn, _forgive, verdicts) = turn();
    let file = file(&[0, 30, 60]);
    let (began, began_ns) = (Instant::now(), realtime_ns());
    run_file(replay(&file, Pace::Recorded, true), false, &mut turn);
    assert!(
        began.elapsed() >= Duration::from_millis(60),
        "{:?}",
        began.elapsed()
    );
    let times = verdicts.times();
    assert_eq!(times.len(), 3);
    assert!(
        times
            .iter()
            .all(|at| *at >= began_ns && *at <= realtime_ns()),
        "{times:?}"
    );
}

#[test]
fn recorded_times_are_kept_without_shift_and_go_on_in_a_repetition() {
    let (mut turn, _forgive, verdicts) = turn();
    let file = file(&[0, 30_000]);
    let mut replay = replay(&file, Pace::Fast, false);
    let ended_ns = replay.pass(0, &mut turn).unwrap();
    assert_eq!(verdicts.times(), [START_NS, START_NS + 30_000 * MS]);
    replay.pass(ended_ns, &mut turn).unwrap();
    assert_eq!(
        verdicts.times()[2..],
        [START_NS + 31_000 * MS, START_NS + 61_000 * MS]
    );
}

#[test]
fn a_repeated_file_ends_when_told_to() {
    let (mut turn, _forgive, verdicts) = turn();
    let file = file(&[0, 30_000]);
    let stop = turn.links.stop.clone();
    let replay = replay(&file, Pace::Fast, true);
    let thread = std::thread::spawn(move || run_file(replay, true, &mut turn));
    while verdicts.times().len() < 5 {
        std::thread::yield_now();
    }
    stop.cancel();
    thread.join().unwrap();
}

#[test]
fn an_empty_file_is_not_repeated() {
    let (mut turn, _forgive, verdicts) = turn();
    run_file(replay(&file(&[]), Pace::Fast, true), true, &mut turn);
    assert!(verdicts.times().is_empty());
}

#[test]
fn a_file_that_is_none_is_named() {
    let (turn, ..) = turn();
    let missing = config::Capture::Pcap {
        file: "/nonexistent/capture.pcap".into(),
        pace: Pace::Fast,
        shift: false,
        repeat: false,
    };
    let error = work(&missing, turn).err().unwrap();
    assert!(
        error.to_string().contains("/nonexistent/capture.pcap"),
        "{error}"
    );
}

#[test]
fn a_capture_takes_commands_between_packets_and_ends_when_told_to() {
    let (mut turn, forgive, verdicts) = turn();
    let index = Arc::clone(&turn.links.index);
    let mut capture = Script {
        turns: 0,
        stop: turn.links.stop.clone(),
        index: Arc::clone(&index),
        forgive,
    };
    run_capture(&mut capture, &mut turn);
    // The listed source speaks in every turn: said in the first one, then quiet; again when
    // forgiven before the third; no longer listed from the fifth.
    assert_eq!(verdicts.times(), [START_NS, START_NS + 2 * MS]);
    assert!(Arc::ptr_eq(turn.pipeline.index(), &index.load()));
    let counters = turn.counters.lock().unwrap();
    assert_eq!(counters["pipeline.frames"], 6);
    assert_eq!(
        (counters["capture.received"], counters["capture.dropped"]),
        (6, 1)
    );
}

/// Six turns of one SYN each, then the end.
struct Script {
    turns: u64,
    stop: CancellationToken,
    index: Arc<ArcSwap<Index>>,
    forgive: SyncSender<IpAddr>,
}

impl Capture for Script {
    fn next(&mut self, _: Duration, each: &mut dyn FnMut(Frame<'_>)) -> io::Result<usize> {
        match self.turns {
            1 => self.forgive.send([203, 0, 113, 9].into()).unwrap(),
            3 => self.index.store(Arc::default()),
            5 => self.stop.cancel(),
            _ => {}
        }
        let mut frames = Frames::default();
        let port = u16::try_from(self.turns).unwrap();
        syn(&mut frames, START_NS + self.turns * MS, port);
        for (ts_ns, data) in frames.iter() {
            let wire_len = u32::try_from(data.len()).unwrap();
            each(Frame {
                ts_ns,
                link: LinkType::Ethernet,
                data,
                wire_len,
                way: Way::Unknown,
            });
        }
        self.turns += 1;
        Ok(1)
    }

    fn stats(&mut self) -> Stats {
        Stats {
            received: self.turns,
            dropped: 1,
            ..Stats::default()
        }
    }
}

const START_NS: u64 = 1_700_000_000_000 * MS;

#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<Verdict>>>);

impl Heard {
    fn times(&self) -> Vec<u64> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|verdict| verdict.at_ns)
            .collect()
    }
}

impl Sink for Heard {
    fn verdict(&self, verdict: &Verdict) {
        self.0.lock().unwrap().push(verdict.clone());
    }
}

/// A turn whose indicators list 203.0.113.0/24, one verdict for each new source.
fn turn() -> (Turn, SyncSender<IpAddr>, Heard) {
    let mut builder = detect::IndexBuilder::new();
    let id = stix::StixId::v5("indicator", "test");
    let key = detect::SourceKey {
        source: "alpha".into(),
        id,
    };
    let pattern = stix::pattern::parse("[ipv4-addr:value = '203.0.113.0/24']").unwrap();
    assert_eq!(builder.add(key, 80, &pattern), []);
    let index = Arc::new(builder.build());
    let (forgive, forgiven) = sync_channel(10);
    let heard = Heard::default();
    let links = Links {
        rules: Link::default(),
        packs: None,
        index: Arc::new(ArcSwap::new(Arc::clone(&index))),
        sink: Arc::new(heard.clone()),
        forgive: forgiven,
        stop: CancellationToken::new(),
    };
    let sessions = Arc::new(Sessions::new(10));
    let turn = Turn {
        pipeline: Pipeline::new(Config::default(), index, sessions),
        links,
        counters: Arc::default(),
        ticked_ns: 0,
        published_ns: 0,
        logged_ns: 0,
        stats: Stats::default(),
    };
    (turn, forgive, heard)
}

#[test]
fn records_are_appended_where_the_configuration_says() {
    let folder = tempfile::tempdir().unwrap();
    let eve = config::Eve {
        file: folder.path().join("eve.json"),
        alerts_only: false,
    };
    std::fs::write(&eve.file, "{\"event_type\":\"before\"}\n").unwrap();
    let capture = file(&[0, 1, 2]);
    let inspected = config::Capture::Pcap {
        file: capture.path().to_owned(),
        pace: Pace::Fast,
        shift: false,
        repeat: false,
    };
    let (turn, _forgive, _heard) = turn();
    let sessions = Arc::new(Sessions::new(10));
    spawn(
        &inspected,
        &[],
        &Behaviour::default(),
        Some(&eve),
        sessions,
        turn.links,
    )
    .unwrap()
    .join();
    let text = std::fs::read_to_string(&eve.file).unwrap();
    let kinds: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|record| record["event_type"].as_str().unwrap().to_owned())
        .collect();
    let count = |kind: &str| kinds.iter().filter(|known| *known == kind).count();
    assert_eq!(count("before"), 1);
    assert_eq!((count("flow"), count("stats")), (3, 1), "{kinds:?}");
    assert!(count("alert") > 0, "{kinds:?}");
}

fn replay(file: &tempfile::NamedTempFile, pace: Pace, shift: bool) -> Replay {
    Replay {
        file: file.path().to_owned(),
        pace,
        shift,
        offset_ns: 0,
    }
}

/// A capture of SYNs from a listed network, at so many milliseconds.
fn file(times_ms: &[u64]) -> tempfile::NamedTempFile {
    let mut frames = Frames::default();
    for (number, at_ms) in times_ms.iter().enumerate() {
        let from = format!("203.0.113.{}:1000", number + 1).parse().unwrap();
        let segment = Segment {
            seq: 1,
            ack: 0,
            flags: flag::SYN,
            timestamp: None,
            payload: b"",
        };
        let to = "10.2.0.10:80".parse().unwrap();
        frames.tcp(START_NS + at_ms * MS, from, to, &segment);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    frames.write(file.path()).unwrap();
    file
}

fn syn(frames: &mut Frames, ts_ns: u64, port: u16) {
    let segment = Segment {
        seq: 1,
        ack: 0,
        flags: flag::SYN,
        timestamp: None,
        payload: b"",
    };
    let from = SocketAddr::from(([203, 0, 113, 9], 1000 + port));
    frames.tcp(ts_ns, from, "10.2.0.10:80".parse().unwrap(), &segment);
}
