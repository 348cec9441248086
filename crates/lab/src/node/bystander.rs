//! Innocents who share an address or a /64 with the attacker.
//!
//! Each holds a TCP session open and exchanges a small echo every 100 ms. A session is lost when it
//! is reset, closed, or an echo takes longer than 3 s. Sessions opened anew now and then are counted
//! apart: a shared address under a rate limit may refuse those, never the open ones.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use super::{Arguments, mono_ns};
use crate::guard;

/// How often a held session exchanges an echo.
const ECHO_EVERY: Duration = Duration::from_millis(100);
/// How late an echo may be; also the bound of a connection attempt.
const LATE: Duration = Duration::from_secs(3);
/// How often the tally is written.
const WRITE_EVERY: Duration = Duration::from_millis(250);
/// Losses listed one by one; all are counted.
const LOSSES_MAX: usize = 64;

/// What happened to the bystanders so far.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Tally {
    /// Sessions held open now.
    pub(crate) open: u64,
    /// Echoes that came back in time.
    pub(crate) echoes: u64,
    /// The slowest of them, in microseconds.
    pub(crate) slowest_us: u64,
    /// Held sessions lost.
    pub(crate) lost: u64,
    /// The first of them.
    pub(crate) losses: Vec<Loss>,
    /// Attempts to open a lost session again that failed.
    pub(crate) reopen_failed: u64,
    /// Short sessions opened anew that got their echo.
    pub(crate) new_served: u64,
    /// Short sessions opened anew that did not.
    pub(crate) new_failed: u64,
}

/// One lost session.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Loss {
    /// `SOURCE=TARGET`.
    pub(crate) session: String,
    /// `CLOCK_MONOTONIC` of the loss.
    pub(crate) mono_ns: u64,
    /// What the socket said.
    pub(crate) why: String,
}

pub(super) fn run(mut arguments: Arguments, lifetime: Duration) -> anyhow::Result<()> {
    let pairs: Vec<Pair> = arguments.all("--session")?;
    let out: PathBuf = arguments.required("--out")?;
    let new_every_ms: u64 = arguments.required("--new-every-ms")?;
    arguments.done()?;
    pairs
        .iter()
        .try_for_each(|pair| guard::target(pair.to.ip()))?;
    let tally = Mutex::new(Tally::default());
    let end = Instant::now()
        .checked_add(lifetime)
        .context("too long a lifetime")?;
    thread::scope(|scope| {
        for pair in &pairs {
            scope.spawn(|| hold(pair, &tally, end));
        }
        scope.spawn(|| open_anew(&pairs, Duration::from_millis(new_every_ms), &tally, end));
        write_tally(&out, &tally, end)
    })
}

/// Who speaks with whom.
#[derive(Clone, Copy, Debug)]
struct Pair {
    from: IpAddr,
    to: SocketAddr,
}

/// The text is not `ADDRESS=ADDRESS:PORT`.
#[derive(Debug)]
struct NoPair;

impl std::fmt::Display for NoPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not SOURCE=ADDRESS:PORT")
    }
}

impl std::error::Error for NoPair {}

impl FromStr for Pair {
    type Err = NoPair;

    fn from_str(text: &str) -> Result<Self, NoPair> {
        let (from, to) = text.split_once('=').ok_or(NoPair)?;
        Ok(Self {
            from: from.parse().map_err(|_| NoPair)?,
            to: to.parse().map_err(|_| NoPair)?,
        })
    }
}

impl Pair {
    fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(self.to), Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((self.from, 0)).into())?;
        socket.connect_timeout(&self.to.into(), LATE)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LATE))?;
        stream.set_write_timeout(Some(LATE))?;
        Ok(stream)
    }
}

/// Holds one session, opening it again when it is lost.
fn hold(pair: &Pair, tally: &Mutex<Tally>, end: Instant) {
    while Instant::now() < end {
        let Ok(mut stream) = pair.connect() else {
            with(tally, |tally| {
                tally.reopen_failed = tally.reopen_failed.saturating_add(1)
            });
            thread::sleep(ECHO_EVERY);
            continue;
        };
        with(tally, |tally| tally.open = tally.open.saturating_add(1));
        let ended = keep(&mut stream, tally, end);
        with(tally, |tally| {
            tally.open = tally.open.saturating_sub(1);
            if let Err(error) = ended {
                tally.lose(pair, &error);
            }
        });
    }
}

fn keep(stream: &mut TcpStream, tally: &Mutex<Tally>, end: Instant) -> std::io::Result<()> {
    let mut number = 0_u64;
    while Instant::now() < end {
        let took = echo(stream, number)?;
        with(tally, |tally| {
            tally.echoes = tally.echoes.saturating_add(1);
            let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            tally.slowest_us = tally.slowest_us.max(took);
        });
        number = number.wrapping_add(1);
        thread::sleep(ECHO_EVERY.saturating_sub(took));
    }
    Ok(())
}

fn echo(stream: &mut TcpStream, number: u64) -> std::io::Result<Duration> {
    let started = Instant::now();
    let sent = number.to_be_bytes();
    let mut back = [0; 8];
    stream.write_all(&sent)?;
    stream.read_exact(&mut back).map_err(in_words)?;
    if back != sent {
        return Err(std::io::Error::new(
            ErrorKind::InvalidData,
            "another echo than was sent",
        ));
    }
    Ok(started.elapsed())
}

fn in_words(error: std::io::Error) -> std::io::Error {
    let kind = error.kind();
    if kind == ErrorKind::WouldBlock {
        std::io::Error::new(ErrorKind::TimedOut, "echo later than 3 s")
    } else if kind == ErrorKind::UnexpectedEof {
        std::io::Error::new(kind, "closed by the peer")
    } else {
        error
    }
}

/// Opens a short session now and then, each pair in turn.
fn open_anew(pairs: &[Pair], every: Duration, tally: &Mutex<Tally>, end: Instant) {
    for pair in pairs.iter().cycle() {
        thread::sleep(every);
        if Instant::now() >= end {
            return;
        }
        let served = pair
            .connect()
            .and_then(|mut stream| echo(&mut stream, 0))
            .is_ok();
        with(tally, |tally| {
            let count = if served {
                &mut tally.new_served
            } else {
                &mut tally.new_failed
            };
            *count = count.saturating_add(1);
        });
    }
}

/// Writes the tally by rename, so that readers see a whole one.
fn write_tally(out: &Path, tally: &Mutex<Tally>, end: Instant) -> anyhow::Result<()> {
    let draft = out.with_extension("tmp");
    while Instant::now() < end {
        let text = with(tally, |tally| serde_json::to_vec(tally))?;
        fs::write(&draft, text).with_context(|| format!("writing {}", draft.display()))?;
        fs::rename(&draft, out)?;
        thread::sleep(WRITE_EVERY);
    }
    Ok(())
}

fn with<T>(tally: &Mutex<Tally>, change: impl FnOnce(&mut Tally) -> T) -> T {
    change(&mut tally.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Tally {
    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.open = self.open.saturating_add(other.open);
        self.echoes = self.echoes.saturating_add(other.echoes);
        self.slowest_us = self.slowest_us.max(other.slowest_us);
        self.lost = self.lost.saturating_add(other.lost);
        self.losses.extend(other.losses);
        self.reopen_failed = self.reopen_failed.saturating_add(other.reopen_failed);
        self.new_served = self.new_served.saturating_add(other.new_served);
        self.new_failed = self.new_failed.saturating_add(other.new_failed);
        self
    }

    fn lose(&mut self, pair: &Pair, error: &std::io::Error) {
        self.lost = self.lost.saturating_add(1);
        if self.losses.len() < LOSSES_MAX {
            let session = format!("{}={}", pair.from, pair.to);
            self.losses.push(Loss {
                session,
                mono_ns: mono_ns(),
                why: error.to_string(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Echoes three times, then closes.
    fn fickle_server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut chunk = [0; 8];
            for _ in 0..3 {
                stream.read_exact(&mut chunk).unwrap();
                stream.write_all(&chunk).unwrap();
            }
        });
        address
    }

    #[test]
    fn a_session_that_the_server_closes_is_lost_and_counted_once() {
        let to = fickle_server();
        let pair: Pair = format!("127.0.0.1={to}").parse().unwrap();
        let tally = Mutex::new(Tally::default());
        let end = Instant::now() + Duration::from_millis(600);
        hold(&pair, &tally, end);
        let tally = tally.into_inner().unwrap();
        assert_eq!(
            (tally.lost, tally.echoes, tally.open),
            (1, 3, 0),
            "{tally:?}"
        );
        assert!(tally.reopen_failed > 0);
        assert_eq!(tally.losses[0].session, format!("127.0.0.1={to}"));
    }

    #[test]
    fn a_pair_is_two_addresses() {
        assert!("192.0.2.1=[2001:db8::1]:7".parse::<Pair>().is_ok());
        assert!("192.0.2.1".parse::<Pair>().is_err());
        assert!("192.0.2.1=198.51.100.1".parse::<Pair>().is_err());
    }
}
