//! What a set of rules takes: time to compile, memory, time to replace while packets come, and what it
//! costs to inspect.
//!
//! `cargo run --release -p detect --example rules -- [--rules FILE] [--pcap FILE] [--rounds N]`; without
//! files, [`COUNT`] generated rules and [`SESSIONS`] generated sessions. Each line of output is a name
//! and a number.
//!
//! Processor time is that of the thread that does the work. Memory is what the process holds more with
//! the set than before it, as the system counts it. Sets are replaced as a shield does it: they are
//! compiled on another thread, and the packet thread takes a pointer between two packets.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    reason = "a measuring tool around a crate that does no I/O"
)]

use std::error::Error;
use std::fs::File;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use detect::rules::dataset::Datasets;
use detect::rules::state::Names;
use detect::rules::{Classes, Compiler, Inspector, Options, RuleSet, Vars};
use packet::{Config, Frame, LinkType, Sensor, Way};
use testkit::capture::{Frames, Segment, flag};

/// Generated rules.
const COUNT: u64 = 20_000;
/// Generated sessions; one in [`LISTED`] matches a rule.
const SESSIONS: u64 = 20_000;
const LISTED: u64 = 100;
/// How often a rule is added.
const ONE_RULE_ROUNDS: usize = 51;
/// How often sets are replaced for each figure.
const SWAPS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read()?;
    let text = match &arguments.rules {
        Some(path) => String::from_utf8_lossy(&std::fs::read(path)?).into_owned(),
        None => generated_rules(),
    };
    let capture = match &arguments.pcap {
        Some(path) => Capture::read(path)?,
        None => Capture::generated(),
    };
    let mut names = Names::default();
    // what the first use of anything takes is not the set's
    compile(
        "alert tcp any any -> any any (content:\"warm\"; sid:1;)",
        &mut names,
    );

    let before = status_bytes("VmRSS:")?;
    let (started, started_cpu) = (Instant::now(), cpu_s()?);
    let (set, refused) = compile(&text, &mut names);
    println!("load_cpu_s {:.3}", cpu_s()? - started_cpu);
    println!("load_s {:.3}", started.elapsed().as_secs_f64());
    let set = Arc::new(set);
    let held = status_bytes("VmRSS:")?.saturating_sub(before);
    println!("rules {}", set.len());
    println!("refused {refused}");
    println!("set_bytes {held}");
    println!(
        "bytes_per_rule {:.0}",
        held as f64 / set.len().max(1) as f64
    );

    inspect(&capture, &set, arguments.rounds)?;
    swap(&capture, &set);
    replace_meanwhile(&capture, &set, &text)?;
    one_rule(&set, &mut names)?;
    println!("peak_rss_bytes {}", status_bytes("VmHWM:")?);
    Ok(())
}

#[derive(Debug)]
struct Arguments {
    rules: Option<String>,
    pcap: Option<String>,
    rounds: u32,
}

impl Arguments {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut read = Self {
            rules: None,
            pcap: None,
            rounds: 3,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or("an argument without its value")?;
            match name.as_str() {
                "--rules" => read.rules = Some(value),
                "--pcap" => read.pcap = Some(value),
                "--rounds" => read.rounds = value.parse()?,
                _ => return Err("usage: rules [--rules FILE] [--pcap FILE] [--rounds N]".into()),
            }
        }
        Ok(read)
    }
}

/// Rules from their text, and how many are refused.
fn compile(text: &str, names: &mut Names) -> (RuleSet, usize) {
    let file = |path: &str| std::fs::read(path).ok();
    let (classes, sets) = (Classes::default(), Datasets::default());
    let mut compiler = Compiler::new(Vars::usual(), classes, names, sets, &file);
    compiler.file("rules", text);
    let refused = compiler.diagnostics().len();
    (compiler.finish(), refused)
}

/// The set with one rule more.
fn with_one_more(set: &RuleSet, names: &mut Names) -> Option<RuleSet> {
    let more =
        "alert http any any -> any any (http.uri; content:\"/one-more-rule\"; sid:999999;)\n";
    let file = |path: &str| std::fs::read(path).ok();
    let (classes, sets) = (Classes::default(), Datasets::default());
    let mut compiler = Compiler::new(Vars::usual(), classes, names, sets, &file);
    compiler.file("more", more);
    compiler.finish_onto(set)
}

/// Frames in memory, with their times.
#[derive(Debug)]
struct Capture {
    link: LinkType,
    frames: Vec<(u64, Vec<u8>)>,
    bytes: u64,
}

impl Capture {
    fn read(path: &str) -> Result<Self, Box<dyn Error>> {
        let mut reader = packet::pcap::Reader::new(File::open(path)?)?;
        let (mut link, mut frames) = (LinkType::Ethernet, Vec::new());
        while let Some(frame) = reader.next()? {
            link = frame.link;
            frames.push((frame.ts_ns, frame.data.to_vec()));
        }
        Ok(Self::of(link, frames))
    }

    fn generated() -> Self {
        let mut frames = Frames::default();
        for number in 0..SESSIONS {
            session(&mut frames, number);
        }
        let frames = frames.iter().map(|(at, frame)| (at, frame.to_vec()));
        Self::of(LinkType::Ethernet, frames.collect())
    }

    fn of(link: LinkType, frames: Vec<(u64, Vec<u8>)>) -> Self {
        let bytes = frames.iter().map(|(_, frame)| frame.len() as u64).sum();
        Self {
            link,
            frames,
            bytes,
        }
    }

    fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        self.frames.iter().map(|(ts_ns, data)| Frame {
            ts_ns: *ts_ns,
            link: self.link,
            data,
            wire_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
            way: Way::Unknown,
        })
    }
}

/// A sensor with an inspector.
#[derive(Debug)]
struct Point {
    sensor: Sensor,
    inspector: Inspector,
    alerts: u64,
}

impl Point {
    fn new(set: &Arc<RuleSet>) -> Self {
        let config = Config {
            inspect: true,
            digests: set.digests(),
            ..Config::default()
        };
        Self {
            sensor: Sensor::new(config),
            inspector: Inspector::new(Options::default(), Arc::clone(set)),
            alerts: 0,
        }
    }

    fn packet(&mut self, frame: &Frame<'_>) {
        let Self {
            sensor,
            inspector,
            alerts,
        } = self;
        sensor.packet(frame, &mut |event| {
            inspector.event(&event, frame.ts_ns);
            *alerts += inspector.alerts().count() as u64;
        });
    }

    fn finish(&mut self, now_ns: u64) {
        let Self {
            sensor,
            inspector,
            alerts,
        } = self;
        sensor.finish(&mut |event| {
            inspector.event(&event, now_ns);
            *alerts += inspector.alerts().count() as u64;
        });
    }
}

/// All packets by all rules, and by none beside it.
fn inspect(capture: &Capture, set: &Arc<RuleSet>, rounds: u32) -> Result<(), Box<dyn Error>> {
    let nothing = Arc::new(RuleSet::default());
    for (name, set) in [("no_rules_cpu_s_per_gb", &nothing), ("cpu_s_per_gb", set)] {
        let (mut best, mut alerts) = (f64::MAX, 0);
        for _ in 0..rounds.max(1) {
            let mut point = Point::new(set);
            let started = cpu_s()?;
            let mut last_ns = 0;
            for frame in capture.frames() {
                last_ns = frame.ts_ns;
                point.packet(&frame);
            }
            point.finish(last_ns);
            best = best.min(cpu_s()? - started);
            alerts = point.alerts;
        }
        println!("{name} {:.3}", best * 1e9 / capture.bytes.max(1) as f64);
        if !set.is_empty() {
            println!("alerts {alerts}");
        }
    }
    println!("packets {}", capture.frames.len());
    println!("bytes {}", capture.bytes);
    Ok(())
}

/// What the packet thread waits for when it takes a set that is there, with flows open.
fn swap(capture: &Capture, set: &Arc<RuleSet>) {
    let mut point = Point::new(set);
    let mut took = Vec::new();
    let step = capture.frames.len().div_ceil(SWAPS).max(1);
    for (number, frame) in capture.frames().enumerate() {
        point.packet(&frame);
        if number % step == step - 1 {
            let started = Instant::now();
            point.inspector.set_rules(Arc::clone(set));
            took.push(started.elapsed().as_secs_f64() * 1e6);
        }
    }
    took.sort_by(f64::total_cmp);
    println!(
        "set_rules_us {:.1}",
        took.get(took.len() / 2).unwrap_or(&0.0)
    );
    println!("set_rules_us_max {:.1}", took.last().unwrap_or(&0.0));
}

/// The whole set compiled on another thread while packets go on: from the wish to the first packet
/// that the new set judges, and the longest that a packet waited meanwhile.
fn replace_meanwhile(
    capture: &Capture,
    set: &Arc<RuleSet>,
    text: &str,
) -> Result<(), Box<dyn Error>> {
    let (offered, stop) = (Mutex::new(None), AtomicBool::new(false));
    let (given, seen, took, gap) = std::thread::scope(|scope| {
        let packets = scope.spawn(|| {
            let mut point = Point::new(set);
            let (mut given, mut gap, mut took) = (0_u64, Duration::ZERO, None);
            // the rounds go on from one another, as the clock does
            let mut round = 0_u64;
            let length_ns = capture.frames.last().map_or(0, |(at, _)| *at)
                - capture.frames.first().map_or(0, |(at, _)| *at)
                + 1_000_000_000;
            let mut before = Instant::now();
            while took.is_none() || !stop.load(Ordering::Acquire) {
                for frame in capture.frames() {
                    let mut offered = offered.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some((asked, next)) = offered.take() {
                        let asked: Instant = asked;
                        point.inspector.set_rules(next);
                        took = Some(asked.elapsed());
                    }
                    drop(offered);
                    let ts_ns = frame.ts_ns + round * length_ns;
                    point.packet(&Frame { ts_ns, ..frame });
                    given += 1;
                    gap = gap.max(before.elapsed());
                    before = Instant::now();
                }
                round += 1;
            }
            (given, point.sensor.counters().packets, took, gap)
        });
        let asked = Instant::now();
        let mut names = Names::default();
        let next = Arc::new(compile(text, &mut names).0);
        let mut place = offered.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some((asked, Arc::clone(&next)));
        drop(place);
        stop.store(true, Ordering::Release);
        packets
            .join()
            .map_err(|_| "the packet thread ended in a panic")
    })?;
    let took = took.ok_or("the new set was not taken")?;
    println!("swap_s {:.3}", took.as_secs_f64());
    println!("swap_packets {given}");
    println!("swap_packets_lost {}", given - seen.min(given));
    println!("swap_packet_us_max {:.0}", gap.as_secs_f64() * 1e6);
    Ok(())
}

/// From the text of one rule more to the set that has it: the median of some times. Each set is made of
/// the one before, as they would be one after another.
fn one_rule(set: &Arc<RuleSet>, names: &mut Names) -> Result<(), Box<dyn Error>> {
    let mut set = Arc::clone(set);
    let mut took = Vec::new();
    for _ in 0..ONE_RULE_ROUNDS {
        let started = Instant::now();
        let next = with_one_more(&set, names).ok_or("the rule was not added")?;
        took.push(started.elapsed().as_secs_f64() * 1e3);
        set = Arc::new(next);
    }
    took.sort_by(f64::total_cmp);
    println!(
        "one_rule_ms {:.2}",
        took.get(took.len() / 2).unwrap_or(&0.0)
    );
    println!("one_rule_ms_max {:.2}", took.last().unwrap_or(&0.0));
    Ok(())
}

/// Rules as lists of them are made: of names, of paths with an expression behind them, of bytes in
/// streams, of addresses.
fn generated_rules() -> String {
    (0..COUNT).map(generated_rule).collect()
}

fn generated_rule(number: u64) -> String {
    let word = mixed(number);
    let what = match number % 10 {
        0..=3 => format!("http any any -> any any (http.uri; content:\"/{word:016x}/\"; "),
        4 => format!(
            "http any any -> any any (http.uri; content:\"/{word:016x}\"; \
             pcre:\"/id=[0-9]{{1,8}}$/\"; "
        ),
        5 => format!("http any any -> any any (http.host; content:\"h{word:012x}.example\"; "),
        6 => format!("dns any any -> any any (dns.query; content:\"h{word:012x}.example\"; "),
        7 => format!("tls any any -> any any (tls.sni; content:\"h{word:012x}.example\"; "),
        8 => format!(
            "tcp any any -> any any (flow:established,to_server; content:\"|{}|\"; depth:64; ",
            hex(word)
        ),
        _ => {
            let [a, b, c, ..] = word.to_be_bytes();
            format!("ip 198.{a}.{b}.{c} any -> $HOME_NET any (")
        }
    };
    let sid = number + 1;
    format!("alert {what}msg:\"generated {number}\"; sid:{sid};)\n")
}

fn hex(word: u64) -> String {
    let bytes = word.to_be_bytes();
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

/// One request and its answer.
fn session(frames: &mut Frames, number: u64) {
    let path = match number % LISTED {
        0 => format!("/{:016x}/", mixed(number / LISTED * 10)),
        _ => format!("/{:016x}/index.html?id={number}", mixed(number + (1 << 40))),
    };
    let get = format!(
        "GET {path} HTTP/1.1\r\nHost: www.example\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
    );
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n";
    let answer = format!("{answer}{}", "0123456789".repeat(100));
    let [a, b] = u16::try_from(number % 60_000).unwrap_or(0).to_be_bytes();
    let client = SocketAddr::from((
        [203, 0, a, b],
        4000 + u16::try_from(number / 60_000).unwrap_or(0),
    ));
    let server = SocketAddr::from(([10, 2, 0, 10], 80));
    let sent = 101 + u32::try_from(get.len()).unwrap_or(0);
    let answered = 901 + u32::try_from(answer.len()).unwrap_or(0);
    let segments: [(SocketAddr, u32, u32, u8, &str); 7] = [
        (client, 100, 0, flag::SYN, ""),
        (server, 900, 101, flag::SYN | flag::ACK, ""),
        (client, 101, 901, flag::ACK | flag::PSH, &get),
        (server, 901, sent, flag::ACK | flag::PSH, &answer),
        (client, sent, answered, flag::ACK | flag::FIN, ""),
        (server, answered, sent + 1, flag::ACK | flag::FIN, ""),
        (client, sent + 1, answered + 1, flag::ACK, ""),
    ];
    for (step, (from, seq, ack, flags, payload)) in (0_u64..).zip(segments) {
        let to = if from == client { server } else { client };
        let segment = Segment {
            seq,
            ack,
            flags,
            timestamp: None,
            payload: payload.as_bytes(),
        };
        let at_ns = 1_700_000_000_000_000_000 + number * 1_000_000 + step * 100_000;
        frames.tcp(at_ns, from, to, &segment);
    }
}

/// Spreads 64 bits (SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Seconds that this thread had a processor, by the scheduler.
fn cpu_s() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let ns = stat.split_whitespace().next().ok_or("no such number")?;
    Ok(ns.parse::<f64>()? / 1e9)
}

/// A line of /proc/self/status in bytes.
fn status_bytes(name: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib
        .ok_or("no such line")?
        .parse::<u64>()?
        .saturating_mul(1024))
}
