//! What a store takes: durable ingest as it grows, pages at any depth, and searches.
//!
//! `cargo run --release -p exchange --example store -- (sqlite|postgres) COUNT`. Each line of output
//! is a name and a number. The store lies in the current folder's file system; PostgreSQL is a server
//! of our own with its defaults, and its processes count as well.
//!
//! A post is a bundle of 100 indicators of about 560 bytes: it is parsed and validated, policy says who
//! may see each object, the sequencer writes them, and the commit is waited for. `ingest_…` keeps
//! [`POSTS_OPEN`] posts going, slice by slice of [`SLICE`] objects, so that it shows whether the store
//! slows down as it grows. `post_…` is an open loop at a fixed rate: times count from when a post should
//! have been sent. A page is 100 objects of a view, latest versions only, written into an envelope; `…_beside_posts`
//! while posts come in. On a machine that is busy with other work a page waits for a processor: `chrt -f 1` before the
//! command shows its times without.
#![expect(
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a measuring tool"
)]

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use exchange::{
    Config, EitherStore, Entry, Exchange, Filter, Find as _, LiveSet, Log as _, Outcome, Position,
    PostgresStore, Search, SqliteStore, Submission, Wanted, dump,
};
use sharing::Audience;
use stix::{Limits, StixId, Timestamp, Tlp, bundle};
use testkit::postgres::Server;

type Anyway<T> = Result<T, Box<dyn Error + Send + Sync>>;

const POST: usize = 100;
const POSTS_OPEN: usize = 16;
const SLICE: usize = 100_000;
/// Objects a second of the open loop, and how long it runs.
const RATE: usize = 5_000;
const RATE_S: usize = 10;
/// Objects a second that come in while pages are read.
const RATE_BESIDE_PAGES: usize = 1_000;
/// Pages read at each depth.
const PAGES: usize = 2_000;
const SOURCE: &str = "agency-a";

#[tokio::main]
async fn main() -> Anyway<()> {
    // As in a hub: a task that the threads of the runtime run, not a thread beside them.
    tokio::spawn(run()).await?
}

async fn run() -> Anyway<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, count] = arguments.as_slice() else {
        return Err("usage: store (sqlite|postgres) COUNT".into());
    };
    let count: usize = count.parse()?;
    let folder = tempfile::tempdir_in(".")?;
    let place = Place::new(kind, &folder)?;
    let exchange = Exchange::start(Arc::new(place.open().await?), Config::new(nothing_live));
    let mut made = 0;
    while made < count {
        let posts: Vec<Vec<u8>> = (0..SLICE / POST).map(|n| post(made + n * POST)).collect();
        made += SLICE;
        saturate(&place, &exchange, posts, made).await?;
    }
    println!(
        "bytes_per_object {:.1}",
        place.bytes()? as f64 / made as f64
    );
    open_loop(&exchange, made).await?;
    pages(&place, &exchange, made).await?;
    searches(&place, exchange.store(), made).await?;
    back_up(&place, exchange.store(), folder.path()).await?;
    exchange.close().await;
    Ok(())
}

/// Dumps the log into a file, and restores that into another store of the same kind.
async fn back_up(place: &Place<'_>, store: &EitherStore, folder: &Path) -> Anyway<()> {
    let path = folder.join("log.jsonl");
    let (begun, cpu) = (Instant::now(), place.cpu_s()?);
    let mut file = std::io::BufWriter::new(fs::File::create(&path)?);
    let summary = dump::write_out(store, &mut file).await?;
    file.into_inner()?.sync_all()?;
    let say = |name: &str, begun: Instant, cpu: f64| -> Anyway<()> {
        let (wall, cpu) = (begun.elapsed().as_secs_f64(), place.cpu_s()? - cpu);
        println!("{name}_objects_per_s {:.0}", summary.objects as f64 / wall);
        println!(
            "{name}_objects_per_cpu_s {:.0}",
            summary.objects as f64 / cpu
        );
        Ok(())
    };
    say("dump", begun, cpu)?;
    let per_object = summary.bytes as f64 / summary.objects as f64;
    println!("dump_bytes_per_object {per_object:.1}");
    let mut input = dump::Input::open(&path, summary.digest, &[])?;
    let (begun, cpu) = (Instant::now(), place.cpu_s()?);
    let restored = match place {
        Place::Sqlite(_) => {
            let path = folder.join("restored.db");
            let options = exchange::sqlite::Options::default();
            SqliteStore::restore(&path, options, &mut input, 0, false).await?
        }
        Place::Postgres(server) => {
            let made = server.sql("CREATE SCHEMA restored");
            made.map_err(|error| error.to_string())?;
            let url = server.url("restored").parse()?;
            let options = exchange::postgres::Options::default();
            PostgresStore::restore(&url, options, &mut input, 0, false).await?
        }
    };
    say("restore", begun, cpu)?;
    if restored.summary != summary {
        return Err("another state was restored".into());
    }
    Ok(())
}

/// Hands posts in, a few at a time.
async fn saturate(
    place: &Place<'_>,
    exchange: &Exchange<EitherStore>,
    posts: Vec<Vec<u8>>,
    reached: usize,
) -> Anyway<()> {
    let (posts, next) = (Arc::new(posts), Arc::new(AtomicUsize::new(0)));
    let (begun, cpu) = (Instant::now(), place.cpu_s()?);
    let sender = || {
        let (exchange, posts, next) = (exchange.clone(), Arc::clone(&posts), Arc::clone(&next));
        tokio::spawn(async move {
            while let Some(post) = posts.get(next.fetch_add(1, Ordering::Relaxed)) {
                hand_in(&exchange, post).await?;
            }
            Ok::<(), Box<dyn Error + Send + Sync>>(())
        })
    };
    let senders: Vec<_> = (0..POSTS_OPEN).map(|_| sender()).collect();
    for sender in senders {
        sender.await??;
    }
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), place.cpu_s()? - cpu);
    let objects = (posts.len() * POST) as f64;
    println!("ingest_to_{reached}_objects_per_s {:.0}", objects / wall);
    println!("ingest_to_{reached}_objects_per_cpu_s {:.0}", objects / cpu);
    Ok(())
}

/// What the hub does with a post.
async fn hand_in(exchange: &Exchange<EitherStore>, post: &[u8]) -> Anyway<()> {
    let source: Arc<str> = SOURCE.into();
    let mut submissions = Vec::with_capacity(POST);
    for object in bundle::parse(post, &Limits::default())? {
        let object = object?;
        submissions.push(Submission {
            source: Arc::clone(&source),
            reach: sharing::reach(&source, object.head(), &|_| true, Tlp::Green),
            object,
        });
    }
    let outcomes = exchange.submit(submissions).await?;
    let accepted = |outcome: &Outcome| matches!(outcome, Outcome::Accepted { .. });
    if outcomes.iter().all(accepted) {
        Ok(())
    } else {
        Err("not accepted".into())
    }
}

/// Hands posts in at a fixed rate, ready or not.
async fn open_loop(exchange: &Exchange<EitherStore>, from: usize) -> Anyway<()> {
    let mut times = hand_in_at(exchange, from, RATE).await?;
    println!("post_rate_objects_per_s {RATE}");
    say_times("post", &mut times);
    Ok(())
}

/// The times that posts take at so many objects a second, for [`RATE_S`].
async fn hand_in_at(
    exchange: &Exchange<EitherStore>,
    from: usize,
    rate: usize,
) -> Anyway<Vec<Duration>> {
    let count = rate * RATE_S / POST;
    let posts: Vec<Vec<u8>> = (0..count).map(|n| post(from + n * POST)).collect();
    let begun = Instant::now();
    let mut senders = Vec::with_capacity(count);
    for (n, post) in posts.into_iter().enumerate() {
        let due = begun + Duration::from_secs_f64((n * POST) as f64 / rate as f64);
        tokio::time::sleep_until(due.into()).await;
        let exchange = exchange.clone();
        senders.push(tokio::spawn(async move {
            hand_in(&exchange, &post).await?;
            Ok::<Duration, Box<dyn Error + Send + Sync>>(due.elapsed())
        }));
    }
    let mut times = Vec::with_capacity(count);
    for sender in senders {
        times.push(sender.await??);
    }
    Ok(times)
}

/// Reads pages at the start, in the middle and at the end of the view, one after another; those at both ends
/// again while posts come in.
async fn pages(place: &Place<'_>, exchange: &Exchange<EitherStore>, made: usize) -> Anyway<()> {
    let store = exchange.store();
    // The open loop wrote more behind `made`.
    for (name, start) in [("first", 0), ("middle", made / 2), ("last", made)] {
        let (mut times, begun, cpu) = (Vec::new(), Instant::now(), place.cpu_s()?);
        for n in 0..PAGES {
            times.push(page(store, start, n).await?);
        }
        let (wall, cpu) = (begun.elapsed().as_secs_f64(), place.cpu_s()? - cpu);
        let name = format!("page_{name}");
        println!("{name}_per_s {:.0}", PAGES as f64 / wall);
        println!("{name}_per_cpu_s {:.0}", PAGES as f64 / cpu);
        say_times(&name, &mut times);
    }
    let posts = tokio::spawn({
        let exchange = exchange.clone();
        async move { hand_in_at(&exchange, made + RATE * RATE_S, RATE_BESIDE_PAGES).await }
    });
    for (name, start) in [("first", 0), ("last", made)] {
        let mut times = Vec::new();
        for n in 0..PAGES {
            times.push(page(store, start, n).await?);
        }
        say_times(&format!("page_{name}_beside_posts"), &mut times);
    }
    posts.await??;
    Ok(())
}

/// The time that one page takes.
async fn page(store: &EitherStore, start: usize, n: usize) -> Anyway<Duration> {
    let reader = Audience::Partner("operator-b".into());
    let from = Position {
        community: (start + n % 8 * 100) as u64,
        addressed: 0,
    };
    let at = Instant::now();
    let page = store.page(&reader, from, 100, &Filter::default()).await?;
    let raws = page.entries.iter().map(|entry| &*entry.raw);
    std::hint::black_box(taxii::message::envelope(raws, Some("next")));
    let time = at.elapsed();
    match page.entries.len() {
        100 => Ok(time),
        other => Err(format!("a page of {other}").into()),
    }
}

/// Finds one address among all, the networks of a quarter of a thousand, and pages of everything of a
/// type and label at the start, in the middle and at the end.
async fn searches(place: &Place<'_>, store: &EitherStore, made: usize) -> Anyway<()> {
    let one = |n: usize| {
        let (a, b, c) = (n / 65536 % 256, n / 256 % 256, n % 256);
        Wanted::value(&format!("10.{a}.{b}.{c}"))
    };
    let many = |n: usize| Wanted::inside(&format!("10.{}.{}.0/24", n / 65536 % 256, n / 256 % 256));
    let nth = |n: usize| n * 7919 % made;
    let mut asked = Vec::new();
    for (name, count) in [("search_value", 1), ("search_network", 100)] {
        for n in 0..PAGES {
            let wanted = if count == 1 {
                one(nth(n))?
            } else {
                many(nth(n))?
            };
            asked.push((wanted, count));
        }
        let questions = asked.drain(..).map(|(wanted, count)| {
            let wanted = vec![wanted];
            (
                Search {
                    wanted,
                    ..Search::default()
                },
                None,
                count,
            )
        });
        ask(place, store, name, questions.collect()).await?;
    }
    let typed = Search {
        wanted: vec![Wanted::kind("indicator"), Wanted::label("scan")],
        ..Search::default()
    };
    let reader = Audience::Partner("operator-b".into());
    let first = store.search(&reader, &typed, None, 1).await?;
    let start = first.next.ok_or("one page has all")?;
    for (name, depth) in [("first", 1), ("middle", made / 2), ("last", made)] {
        let from = |n: usize| exchange::Place {
            position: (depth + n % 8 * 100) as u64,
            ..start.clone()
        };
        let questions = (0..PAGES).map(|n| (typed.clone(), Some(from(n)), 100));
        ask(
            place,
            store,
            &format!("search_type_{name}"),
            questions.collect(),
        )
        .await?;
    }
    Ok(())
}

/// A search, where it starts, and how many it finds.
type Question = (Search, Option<exchange::Place>, usize);

async fn ask(
    place: &Place<'_>,
    store: &EitherStore,
    name: &str,
    questions: Vec<Question>,
) -> Anyway<()> {
    let reader = Audience::Partner("operator-b".into());
    let (mut times, begun, cpu) = (Vec::new(), Instant::now(), place.cpu_s()?);
    for (search, from, count) in &questions {
        let at = Instant::now();
        let found = store.search(&reader, search, from.as_ref(), 100).await?;
        times.push(at.elapsed());
        if found.entries.len() != *count {
            return Err(format!("{name}: {} found", found.entries.len()).into());
        }
    }
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), place.cpu_s()? - cpu);
    println!("{name}_per_s {:.0}", questions.len() as f64 / wall);
    println!("{name}_per_cpu_s {:.0}", questions.len() as f64 / cpu);
    say_times(name, &mut times);
    Ok(())
}

fn say_times(name: &str, times: &mut [Duration]) {
    times.sort();
    for (at, percent) in [("p50", 50), ("p99", 99)] {
        let time = times[(times.len() - 1) * percent / 100];
        println!("{name}_{at}_ms {:.3}", time.as_secs_f64() * 1e3);
    }
}

/// Where the store is.
enum Place<'a> {
    Sqlite(&'a tempfile::TempDir),
    Postgres(Server),
}

impl<'a> Place<'a> {
    fn new(kind: &str, folder: &'a tempfile::TempDir) -> Anyway<Self> {
        match kind {
            "sqlite" => Ok(Self::Sqlite(folder)),
            "postgres" => {
                let readable = fs::Permissions::from_mode(0o755);
                fs::set_permissions(folder, readable)?;
                Ok(Self::Postgres(Server::start(
                    &fs::canonicalize(folder)?,
                    &[],
                )?))
            }
            other => Err(format!("no store {other:?}: sqlite, postgres").into()),
        }
    }

    async fn open(&self) -> Anyway<EitherStore> {
        Ok(match self {
            Self::Sqlite(folder) => {
                let path = folder.path().join("exchange.db");
                EitherStore::Sqlite(
                    SqliteStore::open(&path, exchange::sqlite::Options::default()).await?,
                )
            }
            Self::Postgres(server) => {
                let url = server.url("public").parse()?;
                let options = exchange::postgres::Options::default();
                EitherStore::Postgres(PostgresStore::open(&url, options).await?)
            }
        })
    }

    /// User and system time of this process and of the server's, seconds.
    fn cpu_s(&self) -> Anyway<f64> {
        let mut ticks = ticks_of("self")?;
        if let Some(server) = self.server()? {
            ticks += ticks_of(&server)?;
            for child in children(&server)? {
                // One that ended meanwhile has gone into its parent's.
                ticks += ticks_of(&child).unwrap_or(0.0);
            }
        }
        // Linux counts processor time for user space in hundredths of a second.
        Ok(ticks / 100.0)
    }

    /// The server's process.
    fn server(&self) -> Anyway<Option<String>> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(server) => Ok(Some(server.pid().ok_or("no server")?.to_string())),
        }
    }

    /// All that the store takes on disk, its log of writes apart from PostgreSQL's, which is recycled.
    fn bytes(&self) -> Anyway<u64> {
        match self {
            Self::Sqlite(folder) => Ok(fs::metadata(folder.path().join("exchange.db"))?.len()),
            Self::Postgres(server) => {
                let size = "SELECT pg_database_size('postgres') - pg_database_size('template1')";
                Ok(server
                    .sql(size)
                    .map_err(|error| error.to_string())?
                    .parse()?)
            }
        }
    }
}

fn children(process: &str) -> Anyway<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// proc(5): times of a process and of its children that have ended.
fn ticks_of(process: &str) -> Anyway<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, rest) = stat
        .rsplit_once(") ")
        .ok_or("/proc/PID/stat has another shape")?;
    let times = rest.split_whitespace().skip(11).take(4);
    Ok(times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum())
}

fn post(first: usize) -> Vec<u8> {
    let mut text = String::from(
        r#"{"type":"bundle","id":"bundle--5d1e1d0a-6c1b-5b0f-9a3e-7d0c1c6f4b21","objects":["#,
    );
    for n in first..first + POST {
        if n > first {
            text.push(',');
        }
        let id = StixId::v5("indicator", &n.to_string());
        let (a, b, c) = (n / 65536 % 256, n / 256 % 256, n % 256);
        text.push_str(&format!(
            r#"{{"type":"indicator","spec_version":"2.1","id":"{id}","created":"2026-01-02T03:04:05.000Z","modified":"2026-01-02T03:04:05.000Z","created_by_ref":"identity--a463ffb3-1bd9-4d94-b02d-74e4f1658283","name":"Scanner seen by sensors of the sector","description":"Probed TCP services of several members within an hour, none of them offered.","indicator_types":["malicious-activity"],"pattern":"[ipv4-addr:value = '10.{a}.{b}.{c}']","pattern_type":"stix","valid_from":"2026-01-02T03:04:05Z","confidence":80,"labels":["scan"]}}"#
        ));
    }
    text.push_str("]}");
    text.into_bytes()
}

struct NothingLive;

fn nothing_live() -> Box<dyn LiveSet> {
    Box::new(NothingLive)
}

impl LiveSet for NothingLive {
    fn apply(&mut self, _: &Entry) {}

    fn digest(&mut self, _: Timestamp) -> (u64, [u8; 32]) {
        (0, [0; 32])
    }
}
