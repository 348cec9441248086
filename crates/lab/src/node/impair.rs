//! A link with delay and loss, for kernels without netem: for each link two TUN devices, and packets
//! carried between them by threads here, late, and some not at all.
//!
//! The devices are made in this process's namespace; the caller moves the far ones to where they
//! belong (the file descriptors stay ours).

use std::{
    io::{Write as _, stdout},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use super::Arguments;

/// Packets under way in one direction; more are dropped, as a full router would.
const PACKETS_MAX: usize = 4096;
/// The largest packet.
const MTU: u16 = 1500;
/// What is printed when the devices exist.
pub(crate) const READY: &str = "links ready";

pub(super) fn run(mut arguments: Arguments, lifetime: Duration) -> anyhow::Result<()> {
    let links: Vec<String> = arguments.all("--link")?;
    let one_way_ms: f64 = arguments.required("--one-way-ms")?;
    let loss_pct: f64 = arguments.required("--loss-pct")?;
    let seed: u64 = arguments.required("--seed")?;
    arguments.done()?;
    let delay = Duration::try_from_secs_f64(one_way_ms / 1000.0).context("--one-way-ms")?;
    for (number, link) in (0_u64..).zip(&links) {
        let (near, far) = link.split_once('=').context("--link wants NEAR=FAR")?;
        let (near, far) = (device(near)?, device(far)?);
        for (direction, from, to) in [(0, &near, &far), (1, &far, &near)] {
            let dice = Dice::new(
                seed.wrapping_add(number.wrapping_mul(2))
                    .wrapping_add(direction),
            );
            carry(
                Arc::clone(from),
                Arc::clone(to),
                delay,
                Loss {
                    dice,
                    percent: loss_pct,
                },
            );
        }
    }
    writeln!(stdout(), "{READY}")?;
    thread::sleep(lifetime);
    Ok(())
}

fn device(name: &str) -> anyhow::Result<Arc<SyncDevice>> {
    let builder = DeviceBuilder::new()
        .name(name)
        .layer(Layer::L3)
        .mtu(MTU)
        .enable(false);
    let device = builder.build_sync();
    Ok(Arc::new(
        device.with_context(|| format!("making TUN device {name}"))?,
    ))
}

/// Carries one direction. The delay is the same for all, so a queue keeps the order.
fn carry(from: Arc<SyncDevice>, to: Arc<SyncDevice>, delay: Duration, loss: Loss) {
    let (queue, due) = sync_channel(PACKETS_MAX);
    thread::spawn(move || take(&from, &queue, delay, loss));
    thread::spawn(move || deliver(&due, &to));
}

type Packet = (Instant, Vec<u8>);

fn take(from: &SyncDevice, queue: &SyncSender<Packet>, delay: Duration, mut loss: Loss) {
    let mut buffer = vec![0; usize::from(MTU)];
    loop {
        // The device is down until the caller has moved and configured it.
        let Ok(length) = from.recv(&mut buffer) else {
            thread::sleep(Duration::from_millis(1));
            continue;
        };
        let due = Instant::now().checked_add(delay);
        let (Some(due), false) = (due, loss.hits()) else {
            continue;
        };
        // A full queue drops the packet; TCP notices.
        queue
            .try_send((due, buffer.get(..length).unwrap_or_default().to_vec()))
            .ok();
    }
}

fn deliver(due: &Receiver<Packet>, to: &SyncDevice) {
    for (due, packet) in due {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // A device that is down or gone loses the packet, as a cut cable would.
        to.send(&packet).ok();
    }
}

/// Loses packets by the dice.
#[derive(Debug)]
struct Loss {
    dice: Dice,
    percent: f64,
}

impl Loss {
    fn hits(&mut self) -> bool {
        self.dice.unit() * 100.0 < self.percent
    }
}

/// A seeded generator (SplitMix64, Steele et al. 2014), so that a run can be repeated.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
        let unit = (mixed >> 11) as f64 / (1_u64 << 53) as f64;
        unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_the_one_asked_for_and_repeats_with_its_seed() {
        let losses = |seed| {
            let mut loss = Loss {
                dice: Dice::new(seed),
                percent: 1.0,
            };
            (0..100_000).filter(|_| loss.hits()).collect::<Vec<u32>>()
        };
        assert!(
            (900..1100).contains(&losses(1).len()),
            "{}",
            losses(1).len()
        );
        assert_eq!(losses(1), losses(1));
        assert_ne!(losses(1), losses(2));
    }

    #[test]
    fn no_loss_asked_for_is_none() {
        let mut loss = Loss {
            dice: Dice::new(3),
            percent: 0.0,
        };
        assert!((0..10_000).all(|_| !loss.hits()));
    }
}
