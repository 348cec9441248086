//! What the literal filter costs: the fast patterns of a rule set over the payloads of a capture.
//!
//! `cargo run --release -p detect --example literals -- CAPTURE RULES [ROUNDS]`. A rule's pattern
//! is its content with `fast_pattern`, or else its longest, taken from the text without parsing
//! the rule. Each line is a set of so many patterns over whole payloads, or over their first bytes
//! as a short buffer would have them; the automaton of the `aho-corasick` crate does the same
//! beside it. Times are of the processor, not of the clock, and the mean of the rounds;
//! megabytes are millions of bytes.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring tool around a crate that does no I/O"
)]

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::time::Duration;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use detect::rules::literal::{Literals, Pattern, Seen};
use packet::decode::{Transport, decode};

/// Bytes of a buffer such as a host name or a path.
const SHORT: usize = 48;
/// Sizes of sets, beside that of the whole one.
const SETS: [usize; 6] = [1, 3, 10, 50, 500, 3000];

type Owned = (Vec<u8>, bool);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(capture), Some(rules)) = (arguments.next(), arguments.next()) else {
        return Err("usage: literals CAPTURE RULES [ROUNDS]".into());
    };
    let rounds = arguments.next().map_or(Ok(10), |rounds| rounds.parse())?;
    let payloads = payloads(&capture)?;
    let rules = std::fs::read_to_string(rules)?;
    let all = rules.lines().filter_map(fast_pattern);
    let all: BTreeSet<Owned> = all.filter(|(bytes, _)| bytes.len() >= 4).collect();
    let all: Vec<Owned> = all.into_iter().collect();
    // Side by side, as a short buffer is in the cache when it is looked at.
    let short = payloads.iter().filter_map(|bytes| bytes.get(..SHORT));
    let short = short.collect::<Vec<_>>().concat();
    let short: Vec<&[u8]> = short.chunks(SHORT).collect();
    let whole: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    println!(
        "patterns buffers  us-build KB-memory matches    MB/s ns/buffer | automaton: us-build KB-memory matches MB/s"
    );
    for size in SETS.into_iter().chain([all.len()]) {
        let step = all.len().checked_div(size).unwrap_or(1).max(1);
        let set: Vec<Owned> = all
            .iter()
            .skip(step / 2)
            .step_by(step)
            .take(size)
            .cloned()
            .collect();
        measure(&set, "whole", &whole, rounds);
        measure(&set, "short", &short, rounds);
    }
    Ok(())
}

/// Prints a line.
fn measure(set: &[Owned], name: &str, buffers: &[&[u8]], rounds: u32) {
    let patterns = set.iter().map(|(bytes, nocase)| Pattern {
        bytes,
        nocase: *nocase,
    });
    let patterns: Vec<Pattern<'_>> = patterns.collect();
    let begin = processor_time();
    let literals = Literals::build(&patterns);
    let built = processor_time().saturating_sub(begin);
    let mut seen = Seen::default();
    let (matches, took) = mean(rounds, || {
        let mut matches = 0_u64;
        for buffer in buffers {
            literals.scan(buffer, 0, &mut seen, &mut |_| {
                matches = matches.saturating_add(1);
            });
        }
        matches
    });
    let bytes: usize = buffers.iter().map(|buffer| buffer.len()).sum();
    print!(
        "{:8} {name:7} {:9} {:9} {matches:7} {:7.0} {:9.0}",
        set.len(),
        built.as_micros(),
        literals.bytes() / 1000,
        rate(bytes, took),
        took.as_secs_f64() * 1e9 / buffers.len().max(1) as f64,
    );
    automaton(set, buffers, bytes);
}

/// The same by an automaton, which knows one way of comparing: where a pattern regards case, that
/// is compared afterwards.
fn automaton(set: &[Owned], buffers: &[&[u8]], bytes: usize) {
    let begin = processor_time();
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(set.iter().map(|(bytes, _)| bytes));
    let Ok(automaton) = automaton else {
        println!(" | no automaton");
        return;
    };
    let built = processor_time().saturating_sub(begin);
    let mut seen = vec![0_usize; set.len()];
    let mut scan = 0_usize;
    let (matches, took) = mean(1, || {
        let mut matches = 0_u64;
        for buffer in buffers {
            scan = scan.saturating_add(1);
            for found in automaton.find_overlapping_iter(buffer) {
                let pattern = found.pattern().as_usize();
                let here = buffer.get(found.range());
                let told = seen.get_mut(pattern).filter(|told| **told != scan);
                let is = set
                    .get(pattern)
                    .is_some_and(|(bytes, nocase)| *nocase || here == Some(bytes));
                if let Some(told) = told.filter(|_| is) {
                    *told = scan;
                    matches = matches.saturating_add(1);
                }
            }
        }
        matches
    });
    println!(
        " | {:9} {:9} {matches:7} {:7.0}",
        built.as_micros(),
        automaton.memory_usage() / 1000,
        rate(bytes, took)
    );
}

/// What a run finds, and how long one takes.
fn mean(rounds: u32, mut run: impl FnMut() -> u64) -> (u64, Duration) {
    let mut matches = 0;
    let begin = processor_time();
    for _ in 0..rounds {
        matches = run();
    }
    let took = processor_time().saturating_sub(begin);
    (matches, took.checked_div(rounds).unwrap_or(took))
}

/// What this thread has run for, as Linux tells it.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().map(str::parse);
    Duration::from_nanos(nanoseconds.and_then(Result::ok).unwrap_or(0))
}

/// Megabytes a second.
fn rate(bytes: usize, took: Duration) -> f64 {
    bytes as f64 / took.as_secs_f64() / 1e6
}

/// The payloads of TCP and UDP.
fn payloads(capture: &str) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut reader = packet::pcap::Reader::new(File::open(capture)?)?;
    let mut payloads = Vec::new();
    while let Some(frame) = reader.next()? {
        let transport = decode(frame.link, frame.data).transport;
        let payload = if let Transport::Tcp(tcp) = &transport {
            tcp.payload
        } else if let Transport::Udp(udp) = &transport {
            udp.payload
        } else {
            &[]
        };
        if !payload.is_empty() {
            payloads.push(payload.to_vec());
        }
    }
    Ok(payloads)
}

/// The bytes of a rule that it is looked for by, and whether in either case.
fn fast_pattern(rule: &str) -> Option<Owned> {
    let mut best: Option<(bool, Owned)> = None;
    for part in rule.split("content:\"").skip(1) {
        let (text, options) = quoted(part)?;
        let option = |name: &str| {
            options
                .split(';')
                .any(|option| option.trim().starts_with(name))
        };
        let candidate = (option("fast_pattern"), (bytes_of(&text), option("nocase")));
        let rank = |(fast, (bytes, _)): &(bool, Owned)| (*fast, bytes.len());
        if best
            .as_ref()
            .is_none_or(|best| rank(best) < rank(&candidate))
        {
            best = Some(candidate);
        }
    }
    best.map(|(_, pattern)| pattern)
}

/// The text up to its closing quote, without escapes, and what follows.
fn quoted(part: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut characters = part.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return part.get(at..).map(|rest| (text, rest)),
            '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => text.push(character),
        }
    }
    None
}

/// Text with hexadecimal digits between bars.
fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, part) in text.split('|').enumerate() {
        if number % 2 == 0 {
            bytes.extend_from_slice(part.as_bytes());
        } else {
            let digits = part.split_ascii_whitespace();
            bytes.extend(digits.filter_map(|digits| u8::from_str_radix(digits, 16).ok()));
        }
    }
    bytes
}
