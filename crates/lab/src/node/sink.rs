//! Where the prober's datagrams arrive, as UDP or in TCP segments: logs when a stream starts, stops and flows again.
//!
//! One JSON line an [`Arrival`]. A stream is *blocked* with the first sequence number that is
//! missing, and *clear* with the first of [`CLEAR_RUN`] datagrams in a row: what a rate limit lets
//! through by and by is not clear.

use std::{
    fs::File,
    io::{ErrorKind, Read as _, Write},
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use super::{
    Arguments, mono_ns,
    segment::{self, Datagram},
};

/// Datagrams in a row, none missing, that make a stream clear again.
const CLEAR_RUN: u64 = 32;
/// Asked for, so that a busy machine drops nothing; the kernel caps it at `net.core.rmem_max`.
const BUFFER_BYTES: usize = 8 << 20;

/// What the sink logs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Arrival {
    /// The prober's stream.
    pub(crate) stream: u64,
    /// What happened.
    pub(crate) what: Change,
    /// `CLOCK_MONOTONIC` of the datagram that it is about.
    pub(crate) mono_ns: u64,
    /// That datagram's sequence number.
    pub(crate) sequence: u64,
}

/// What happened to a stream.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// Its first datagram.
    Started,
    /// The last one before the first that is missing.
    Blocked,
    /// The first of a run without loss.
    Clear,
}

pub(super) fn run(mut arguments: Arguments, lifetime: Duration) -> anyhow::Result<()> {
    let port: u16 = arguments.required("--port")?;
    let path: PathBuf = arguments.required("--out")?;
    arguments.done()?;
    let inlets = [
        udp(port)?,
        segment::raw_socket(false)?,
        segment::raw_socket(true)?,
    ];
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    let log = Mutex::new((Tracker::default(), file));
    thread::scope(|scope| {
        let receivers = inlets.map(|inlet| scope.spawn(|| receive(inlet, &log, lifetime)));
        receivers.into_iter().try_for_each(|receiver| {
            receiver
                .join()
                .map_err(|_| anyhow!("a receiving thread failed"))?
        })
    })
}

fn udp(port: u16) -> anyhow::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::DGRAM, None)?;
    socket.set_only_v6(false)?;
    let address = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    socket
        .bind(&address.into())
        .with_context(|| format!("binding UDP port {port}"))?;
    Ok(socket)
}

/// Raw sockets yield headers too, so a datagram is looked for at the end.
fn receive(
    mut inlet: Socket,
    log: &Mutex<(Tracker, File)>,
    lifetime: Duration,
) -> anyhow::Result<()> {
    inlet.set_recv_buffer_size(BUFFER_BYTES)?;
    inlet.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut buffer = [0; 2048];
    let started = Instant::now();
    while started.elapsed() < lifetime {
        match inlet.read(&mut buffer) {
            Ok(length) => {
                let now_ns = mono_ns();
                let bytes = buffer.get(..length).unwrap_or_default();
                let Some(datagram) = Datagram::decode_at_end(bytes) else {
                    continue;
                };
                let (tracker, file) = &mut *log.lock().unwrap_or_else(PoisonError::into_inner);
                tracker.arrived(&datagram, now_ns, |arrival| write(file, &arrival))?;
            }
            Err(error) if timed_out(&error) => {}
            Err(error) => return Err(error).context("receiving"),
        }
    }
    Ok(())
}

fn timed_out(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

fn write(log: &mut impl Write, arrival: &Arrival) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(arrival)?;
    line.push(b'\n');
    log.write_all(&line).context("writing the log")
}

/// Follows one stream at a time; a new one replaces it.
#[derive(Debug, Default)]
struct Tracker {
    stream: Option<u64>,
    next: u64,
    last_ns: u64,
    blocked: bool,
    run: u64,
    run_from: (u64, u64),
}

impl Tracker {
    fn arrived(
        &mut self,
        datagram: &Datagram,
        now_ns: u64,
        mut each: impl FnMut(Arrival) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Datagram { stream, sequence } = *datagram;
        let arrival = |what, mono_ns, sequence| Arrival {
            stream,
            what,
            mono_ns,
            sequence,
        };
        if self.stream != Some(stream) {
            *self = Self {
                stream: Some(stream),
                next: sequence,
                ..Self::default()
            };
            each(arrival(Change::Started, now_ns, sequence))?;
        }
        if sequence < self.next {
            return Ok(()); // late or doubled: says nothing about blocking
        }
        if sequence > self.next {
            if !self.blocked {
                each(arrival(
                    Change::Blocked,
                    self.last_ns,
                    self.next.saturating_sub(1),
                ))?;
            }
            self.blocked = true;
            self.run = 0;
        }
        if self.run == 0 {
            self.run_from = (now_ns, sequence);
        }
        self.run = self.run.saturating_add(1);
        if self.blocked && self.run >= CLEAR_RUN {
            self.blocked = false;
            each(arrival(Change::Clear, self.run_from.0, self.run_from.1))?;
        }
        self.next = sequence.saturating_add(1);
        self.last_ns = now_ns;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(sequences: impl IntoIterator<Item = (u64, u64)>) -> Vec<(Change, u64, u64)> {
        let mut tracker = Tracker::default();
        let mut seen = Vec::new();
        for (sequence, now_ns) in sequences {
            let datagram = Datagram {
                stream: 7,
                sequence,
            };
            let each = |arrival: Arrival| {
                seen.push((arrival.what, arrival.sequence, arrival.mono_ns));
                Ok(())
            };
            tracker.arrived(&datagram, now_ns, each).unwrap();
        }
        seen
    }

    #[test]
    fn a_drop_and_its_lifting_are_seen_at_their_edges() {
        let before = (0..100).map(|n| (n, n * 10));
        let after = (500..600).map(|n| (n, n * 10));
        let seen = changes(before.chain(after));
        assert_eq!(
            seen,
            [
                (Change::Started, 0, 0),
                (Change::Blocked, 99, 990),
                (Change::Clear, 500, 5000)
            ]
        );
    }

    #[test]
    fn what_a_rate_limit_lets_through_is_not_clear() {
        let limited = (0..1000).filter(|n| *n < 50 || n % 10 == 0).map(|n| (n, n));
        let seen = changes(limited.chain((1000..1040).map(|n| (n, n))));
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert_eq!(seen[1], (Change::Blocked, 50, 50));
        assert_eq!(seen[2].0, Change::Clear);
        assert!(seen[2].1 >= 990, "{seen:?}");
    }
}
