//! The lab: an internet in network namespaces, with a hub, two partners with a shield each, an
//! attacker, and bystanders who share the attacker's address; attacks on it; and the measurement of
//! the time to shield.
//!
//! Drives the binary as processes and depends on none of our crates, so that it measures what users
//! run. Needs root, iproute2, nftables, nmap, curl and hping3. State lives in a folder, so that `up`,
//! `attack`, `measure`, `report` and `down` are separate invocations.
//!
//! No attack leaves the lab: every target must be loopback or an address of the lab, and everything
//! that sends does so inside a namespace that the lab made ([`guard`]).
#![forbid(unsafe_code)]

mod attack;
pub mod guard;
mod journal;
mod link;
mod measure;
pub mod node;
mod process;
mod space;
mod state;
#[cfg(test)]
mod tests;
mod topology;
mod up;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

pub use crate::{
    attack::{AttackKind, Trigger},
    link::Means,
    measure::{Bystanders, Measurement, Plan, Round, Spread, Summary},
    topology::Attacker,
};

/// Where a lab keeps its state unless told otherwise.
pub const DIR_DEFAULT: &str = "/run/shieldwall-lab";

/// Which lab, and which binary it drives.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `shieldwall` binary; `std::env::current_exe()` in the binary itself.
    pub binary: PathBuf,
    /// Where the lab keeps its state. Two labs with two folders do not meet.
    pub dir: PathBuf,
}

impl Options {
    /// A lab in a folder.
    #[must_use]
    pub fn new(binary: impl AsRef<Path>, dir: impl AsRef<Path>) -> Self {
        Self {
            binary: binary.as_ref().to_path_buf(),
            dir: dir.as_ref().to_path_buf(),
        }
    }
}

/// Makes the namespaces and starts the hub, the shields, the servers and the bystanders.
///
/// # Errors
///
/// When a lab is up in the folder already, a tool or a right is missing, or a process does not
/// become ready within its bound; the error holds its last log lines, and what was started is
/// taken down again.
pub fn up(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    up::up(options, out)
}

/// Attacks partner A and prints what the shields made of it.
///
/// # Errors
///
/// When no lab is up, or an attacker's tool cannot be started.
pub fn attack(options: &Options, kind: AttackKind, out: &mut dyn Write) -> anyhow::Result<()> {
    attack::attack(options, kind, out)
}

/// Attacks and revokes round by round, prints progress, tables and the last line for scripts.
///
/// Brings a lab up for the run, and takes it down again, when none is up in the folder.
///
/// # Errors
///
/// When the lab itself fails. A round that fails is part of the measurement:
/// [`Measurement::passed`].
pub fn measure(options: &Options, plan: &Plan, out: &mut dyn Write) -> anyhow::Result<Measurement> {
    measure::measure(options, plan, out)
}

/// Prints the last measurement again.
///
/// # Errors
///
/// When there is none in the lab's folder.
pub fn report(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    measure::report(options, out)
}

/// Stops everything and removes the namespaces, also those of a lab that crashed.
///
/// # Errors
///
/// Naming what is left, when something is.
pub fn down(options: &Options, out: &mut dyn Write) -> anyhow::Result<()> {
    up::down(options, out)
}
