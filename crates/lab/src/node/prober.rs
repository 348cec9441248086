//! The probe: datagrams with sequence numbers at a steady rate from an attacker's address, so that
//! the first packet dropped comes within 0.1 ms of the lease.
//!
//! UDP, or bare TCP segments for leases that hold for one TCP port only.

use std::{
    fs,
    io::{Read as _, Write as _, stdin, stdout},
    net::{SocketAddr, UdpSocket},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use socket2::Socket;

use super::{
    Arguments,
    segment::{self, Datagram},
};
use crate::guard;

/// What the prober prints at its end.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Sent {
    /// Datagrams sent.
    pub(crate) sent: u64,
    /// Sends that the system refused.
    pub(crate) errors: u64,
    /// Datagrams a second over the whole run.
    pub(crate) per_s: f64,
}

/// How datagrams travel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Carrier {
    /// As UDP.
    Udp,
    /// As TCP segments that belong to no connection.
    Tcp,
}

impl Carrier {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// The text is neither `udp` nor `tcp`.
#[derive(Debug)]
pub(crate) struct NoCarrier;

impl std::fmt::Display for NoCarrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("neither udp nor tcp")
    }
}

impl std::error::Error for NoCarrier {}

impl FromStr for Carrier {
    type Err = NoCarrier;

    fn from_str(text: &str) -> Result<Self, NoCarrier> {
        [Self::Udp, Self::Tcp]
            .into_iter()
            .find(|carrier| carrier.name() == text)
            .ok_or(NoCarrier)
    }
}

/// Probes until standard input closes or the lifetime is over.
pub(super) fn run(mut arguments: Arguments, lifetime: Duration) -> anyhow::Result<()> {
    let to: SocketAddr = arguments.required("--to")?;
    let rate: u32 = arguments.required("--rate")?;
    let stream: u64 = arguments.required("--stream")?;
    let carrier: Carrier = arguments.required("--carrier")?;
    arguments.done()?;
    guard::target(to.ip())?;
    let outlet = Outlet::open(carrier, to)?;
    // Sleeps of the default 50 us slack would halve the rate; without the file they still do.
    fs::write("/proc/self/timerslack_ns", "1").ok();
    let stop = stop_at_end_of_input();
    let sent = send(&outlet, rate, stream, lifetime, &stop);
    writeln!(stdout(), "{}", serde_json::to_string(&sent)?)?;
    Ok(())
}

/// A socket that is connected to the target.
#[derive(Debug)]
enum Outlet {
    Udp(UdpSocket),
    Tcp {
        socket: Socket,
        from: SocketAddr,
        to: SocketAddr,
    },
}

impl Outlet {
    fn open(carrier: Carrier, to: SocketAddr) -> anyhow::Result<Self> {
        let routed = UdpSocket::bind((guard::any_like(to.ip()), 0))?;
        routed.connect(to)?;
        if carrier == Carrier::Udp {
            return Ok(Self::Udp(routed));
        }
        let socket = segment::raw_socket(to.is_ipv6()).context("opening a raw socket")?;
        socket.connect(&SocketAddr::new(to.ip(), 0).into())?;
        // The port is as good as any, and nobody else's while the UDP socket lived.
        Ok(Self::Tcp {
            socket,
            from: routed.local_addr()?,
            to,
        })
    }

    fn send(&self, datagram: Datagram) -> std::io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.send(&datagram.encode()),
            Self::Tcp { socket, from, to } => {
                socket.send(&segment::encode(*from, *to, &datagram.encode()))
            }
        }
    }
}

fn stop_at_end_of_input() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    thread::spawn(move || {
        // An error ends the probe just as the end of the input does.
        stdin().lock().read_to_end(&mut Vec::new()).ok();
        flag.store(true, Ordering::Relaxed);
    });
    stop
}

/// Sends what is due, then sleeps until the next is: a late wake-up is made up for.
fn send(outlet: &Outlet, rate: u32, stream: u64, lifetime: Duration, stop: &AtomicBool) -> Sent {
    let interval = Duration::from_secs(1)
        .checked_div(rate)
        .unwrap_or(Duration::from_secs(1));
    let started = Instant::now();
    let (mut sequence, mut errors) = (0_u64, 0_u64);
    let mut due = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) && started.elapsed() < lifetime {
        if let Some(early) = due.checked_sub(started.elapsed()) {
            thread::sleep(early);
        }
        let refused = outlet.send(Datagram { stream, sequence }).is_err();
        errors = errors.saturating_add(u64::from(refused));
        sequence = sequence.saturating_add(1);
        due = due.saturating_add(interval);
    }
    let elapsed = started.elapsed().as_secs_f64().max(1e-9);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_s = sequence.saturating_sub(errors) as f64 / elapsed;
    Sent {
        sent: sequence,
        errors,
        per_s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_loopback() {
        let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
        let outlet = Outlet::open(Carrier::Udp, sink.local_addr().unwrap()).unwrap();
        let stop = AtomicBool::new(false);
        let sent = send(&outlet, 2_000, 1, Duration::from_millis(200), &stop);
        // At most what was due; less on a busy machine.
        assert!((200..=402).contains(&sent.sent), "{sent:?}");
        assert_eq!(sent.errors, 0);
    }

    #[test]
    fn carriers_are_known_by_name() {
        assert_eq!("tcp".parse::<Carrier>().unwrap(), Carrier::Tcp);
        assert!("sctp".parse::<Carrier>().is_err());
    }
}
