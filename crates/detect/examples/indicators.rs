//! What an index of many indicators takes: memory, time to build and to open, time to look up.
//!
//! `cargo run --release -p detect --example indicators -- COUNT [KIND]`; without a kind, a quarter
//! each are IPv4 addresses, domains, URLs and SHA-256 digests. Every indicator names one key. Each
//! line of output is a name and a number.
//!
//! Keys are looked up in random order, so that little of an index of millions is in the caches. Names
//! have two labels, so that one look-up is one question; addresses and URLs are brought into their
//! normal form as for a packet. `build_us` is processor time from a parsed pattern to the sealed
//! snapshot, `load_us` the time to read one from a file, check it and make it ready. `all_bytes` is all
//! of a snapshot, `memory_bytes` what of it is in memory when whose the indicators are stays in the file.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a measuring tool around a crate that does no I/O"
)]

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Instant;

use detect::{Index, IndexBuilder, Records, Snapshot, SourceKey, Stored};
use stix::StixId;
use stix::pattern::{HashKind, Pattern, Term};

/// Keys that are looked up for each figure, none twice in a short time.
const QUERIES: usize = 1_000_000;
/// Look-ups between two readings of the clock; the figure is the median of all such stretches, which
/// other work on the machine interrupts now and then.
const CHUNK: usize = 500;
/// Indicators that are made before the clock runs again.
const BATCH: u64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ipv4,
    Ipv6,
    Domain,
    Url,
    Sha256,
}

const KINDS: [(&str, Kind); 5] = [
    ("ipv4", Kind::Ipv4),
    ("ipv6", Kind::Ipv6),
    ("domain", Kind::Domain),
    ("url", Kind::Url),
    ("sha256", Kind::Sha256),
];
const MIXED: [Kind; 4] = [Kind::Ipv4, Kind::Domain, Kind::Url, Kind::Sha256];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count: u64 = arguments
        .first()
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let kinds = match arguments.get(1) {
        None => MIXED.to_vec(),
        Some(name) => {
            let kind = KINDS.iter().find(|(known, _)| known == name);
            vec![kind.ok_or("a kind is ipv4, ipv6, domain, url or sha256")?.1]
        }
    };
    let before = status_bytes("VmRSS:")?;
    let (snapshot, took) = build(count, &kinds)?;
    let peak = status_bytes("VmHWM:")?.saturating_sub(before);
    let each = |value: f64| value / count as f64;
    let look_up: usize = snapshot.kinds().map(|kind| kind.look_up).sum();
    let owners: usize = snapshot.kinds().map(|kind| kind.owners).sum();
    println!("keys {}", snapshot.len());
    println!("build_us {:.3}", each(took * 1e6));
    println!("build_peak_bytes {:.1}", each(peak as f64));
    println!("look_up_bytes {:.2}", each(look_up as f64));
    println!(
        "look_up_and_owner_bytes {:.2}",
        each((look_up + owners) as f64)
    );
    println!("all_bytes {:.2}", each(snapshot.held() as f64));
    for kind in snapshot.kinds().filter(|kind| kind.keys > 0) {
        let each = |bytes: usize| bytes as f64 / kind.keys as f64;
        println!("{}_look_up_bytes {:.2}", kind.kind, each(kind.look_up));
    }
    let (snapshot, took) = load(snapshot)?;
    println!("load_us {:.4}", each(took * 1e6));
    println!("memory_bytes {:.2}", each(snapshot.held() as f64));
    println!("memory_wait_ns {:.1}", memory_wait_ns());
    let index = Index::from(snapshot);
    for (name, kind) in KINDS.iter().filter(|(_, kind)| kinds.contains(kind)) {
        look_up_kind(&index, name, *kind, count / kinds.len() as u64);
    }
    Ok(())
}

/// Builds an index, and says how long that took without the making of its indicators.
fn build(count: u64, kinds: &[Kind]) -> Result<(Snapshot, f64), Box<dyn Error>> {
    let source: Arc<str> = "partner".into();
    let mut builder = IndexBuilder::new();
    let mut took = 0.0;
    for first in (0..count).step_by(usize::try_from(BATCH)?) {
        let batch: Vec<_> = (first..count.min(first + BATCH))
            .map(|number| {
                let kind = kinds[usize::try_from(number)? % kinds.len()];
                let terms = vec![kind.term(number / kinds.len() as u64)];
                let (high, low) = (mixed(number), mixed(number + (1 << 50)));
                let uuid = uuid::Uuid::from_u64_pair(high, low);
                let id = StixId::from_parts("indicator", uuid)?;
                let source = Arc::clone(&source);
                Ok((SourceKey { source, id }, Pattern { terms }))
            })
            .collect::<Result<_, Box<dyn Error>>>()?;
        let started = cpu_s()?;
        for (key, pattern) in batch {
            if !builder.add(key, 80, &pattern).is_empty() {
                return Err("a term was refused".into());
            }
        }
        took += cpu_s()? - started;
    }
    let started = cpu_s()?;
    let snapshot = builder.snapshot();
    Ok((snapshot, took + cpu_s()? - started))
}

/// Writes a snapshot to files, and says how long reading it back and opening it takes. Whose the
/// indicators are stays in its file.
fn load(snapshot: Snapshot) -> Result<(Snapshot, f64), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("shieldwall-indicators-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let (looked_up, records) = (folder.join("looked-up"), folder.join("records"));
    std::fs::write(&looked_up, snapshot.bytes())?;
    std::fs::write(&records, snapshot.records().held().ok_or("not in memory")?)?;
    drop(snapshot);
    let started = Instant::now();
    let read = std::fs::read(&looked_up)?;
    let stored = Records::Stored(Arc::new(InFile(File::open(&records)?)));
    let loaded = Snapshot::open(read.into(), stored);
    let took = started.elapsed().as_secs_f64();
    std::fs::remove_dir_all(&folder)?;
    Ok((loaded?, took))
}

#[derive(Debug)]
struct InFile(File);

impl Stored for InFile {
    fn read_at(&self, start: u64, out: &mut [u8]) -> bool {
        self.0.read_exact_at(out, start).is_ok()
    }
}

/// What one wait for memory costs on this machine: each place names the next, in more memory than
/// the caches hold. A key that is listed costs at least one.
fn memory_wait_ns() -> f64 {
    let places: u64 = 1 << 25;
    // Odd, and one more than a multiple of four: the sequence goes through all places.
    let next = |at: u64| (at.wrapping_mul(0x9e37_79b5) + 0x7f4a_7c15) % places;
    let memory: Vec<u64> = (0..places).map(next).collect();
    let mut at = 0;
    let started = Instant::now();
    for _ in 0..QUERIES {
        at = memory[at as usize];
    }
    let took = started.elapsed().as_secs_f64();
    black_box(at);
    took * 1e9 / QUERIES as f64
}

impl Kind {
    /// The key of a number.
    fn text(self, number: u64) -> String {
        let word = mixed(number + (1 << 40));
        match self {
            Self::Ipv4 => ipv4(number).to_string(),
            Self::Ipv6 => ipv6(word).to_string(),
            Self::Domain => format!("h{:012x}.example", word >> 16),
            Self::Url => format!(
                "http://h{:06x}.example/files/{:010x}.bin",
                word >> 40,
                word & 0xff_ffff_ffff
            ),
            Self::Sha256 => sha256(word)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        }
    }

    fn term(self, number: u64) -> Term {
        let word = mixed(number + (1 << 40));
        match self {
            Self::Ipv4 => Term::Address(IpAddr::from(ipv4(number)).into()),
            Self::Ipv6 => Term::Address(IpAddr::from(ipv6(word)).into()),
            Self::Domain => Term::Domain(self.text(number).into()),
            Self::Url => Term::Url(self.text(number).into()),
            Self::Sha256 => Term::FileHash {
                algorithm: HashKind::Sha256,
                value: self.text(number).into(),
            },
        }
    }
}

/// A permutation, so that no number is another's address.
fn ipv4(number: u64) -> Ipv4Addr {
    Ipv4Addr::from_bits((number as u32).wrapping_mul(0x9e37_79b1))
}

fn ipv6(word: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) | u128::from(word))
}

fn sha256(word: u64) -> [u8; 32] {
    let mut digest = [0; 32];
    for (at, chunk) in digest.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&mixed(word + at as u64).to_le_bytes());
    }
    digest
}

/// Spreads 64 bits (SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Keys to look up, one after the other in memory as they would be in packets.
struct Queries {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Queries {
    fn new(kind: Kind, numbers: impl Iterator<Item = u64>) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), vec![0]);
        for number in numbers {
            let word = mixed(number + (1 << 40));
            match kind {
                Kind::Ipv4 => bytes.extend(ipv4(number).octets()),
                Kind::Ipv6 => bytes.extend(ipv6(word).octets()),
                Kind::Sha256 => bytes.extend(sha256(word)),
                Kind::Domain => bytes.extend(kind.text(number).bytes()),
                Kind::Url => bytes.extend(kind.text(number).bytes().skip("http://".len())),
            }
            ends.push(bytes.len());
        }
        Self { bytes, ends }
    }

    fn get(&self, at: usize) -> &[u8] {
        &self.bytes[self.ends[at]..self.ends[at + 1]]
    }
}

fn look_up_kind(index: &Index, name: &str, kind: Kind, listed: u64) {
    let random = |number| mixed(number + (1 << 60)) % listed;
    let hits = Queries::new(kind, (0..QUERIES as u64).map(random));
    let misses = Queries::new(
        kind,
        (0..QUERIES as u64).map(|number| random(number) + listed),
    );
    for (what, queries, expected) in [("hit", &hits, QUERIES as u64), ("miss", &misses, 0)] {
        let (ns, found) = measure(index, kind, queries, false);
        assert!(found == expected, "{name} {what}: {found} found");
        println!("{name}_{what}_ns {ns:.1}");
    }
    let (ns, _) = measure(index, kind, &hits, true);
    println!("{name}_hit_with_owner_ns {ns:.1}");
}

/// Nanoseconds for each look-up, and how many keys were found.
fn measure(index: &Index, kind: Kind, queries: &Queries, owner: bool) -> (f64, u64) {
    let mut scratch = Vec::new();
    let mut took = Vec::new();
    let mut found = 0_u64;
    for chunk in 0..QUERIES / CHUNK {
        let started = Instant::now();
        for at in chunk * CHUNK..(chunk + 1) * CHUNK {
            look_up(index, kind, queries.get(at), &mut scratch, |hit| {
                found += 1;
                black_box(hit.owner_at);
                if owner {
                    black_box(hit.owner());
                }
            });
        }
        took.push(started.elapsed().as_secs_f64() * 1e9 / CHUNK as f64);
    }
    took.sort_by(f64::total_cmp);
    (took[took.len() / 2], found)
}

fn look_up<'i>(
    index: &'i Index,
    kind: Kind,
    key: &[u8],
    scratch: &mut Vec<u8>,
    each: impl FnMut(detect::index::Hit<'i>),
) {
    match kind {
        Kind::Ipv4 => {
            let octets: [u8; 4] = key.try_into().unwrap_or_default();
            index.address(Ipv4Addr::from(octets).into(), each);
        }
        Kind::Ipv6 => {
            let octets: [u8; 16] = key.try_into().unwrap_or_default();
            index.address(Ipv6Addr::from(octets).into(), each);
        }
        Kind::Domain => index.domain(key, scratch, each),
        Kind::Url => {
            let (host, target) = key.split_at(HOST_BYTES);
            index.url(host, target, scratch, each);
        }
        Kind::Sha256 => index.sha256(key.try_into().unwrap_or(&[0; 32]), each),
    }
}

/// Length of the hosts in URLs.
const HOST_BYTES: usize = "h012345.example".len();

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
