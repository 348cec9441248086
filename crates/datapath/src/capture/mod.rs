//! Where packets come in.

mod af_packet;
mod ring;
mod socket;

use std::io;
use std::time::Duration;

pub use af_packet::{AfPacket, Options};
use packet::Frame;

use crate::privilege::Missing;

/// A source of captured frames.
pub trait Capture: Send {
    /// Hands each waiting frame to `each`, oldest first, and returns how many there were.
    ///
    /// With none waiting it waits up to `timeout` for the first; 0 means that none came. One call hands
    /// over a bounded number, so that the caller's other work is not starved.
    ///
    /// # Errors
    /// The operating system's word on what happened to the interface. [`io::ErrorKind::NetworkDown`] is said
    /// once each time the interface goes down; capture goes on when it is up again.
    fn next(&mut self, timeout: Duration, each: &mut dyn FnMut(Frame<'_>)) -> io::Result<usize>;

    /// What was captured and lost since it was opened.
    fn stats(&mut self) -> Stats;
}

/// Counts since a capture was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames that the kernel handed over or has ready.
    pub received: u64,
    /// Frames lost because the ring was full: the reader was too slow.
    pub dropped: u64,
    /// Frames longer than a ring slot that came whole on the second way.
    pub oversize: u64,
    /// Frames of which the tail is lost: longer than a slot, and the second way was full.
    pub truncated: u64,
}

/// Why a capture could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The operator named an interface that is not here.
    #[error("no interface {0:?} in this network namespace; `ip link` lists them")]
    NoInterface(Box<str>),
    /// This process may not capture.
    #[error("cannot capture on {interface}: {missing}")]
    Privilege {
        /// The interface asked for.
        interface: Box<str>,
        /// What would allow it.
        missing: Missing,
    },
    /// The operator's ring does not fit the kernel's rules.
    #[error("capture ring refused: {0}")]
    Options(&'static str),
    /// The kernel refused one step.
    #[error("cannot capture on {interface}: {step}: {source}")]
    Kernel {
        /// The interface asked for.
        interface: Box<str>,
        /// The step that failed.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}
