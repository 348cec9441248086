//! What can go wrong, whose fault it is, and what mends it.

use std::io;
use std::path::PathBuf;

use crate::privilege::Missing;

/// Why an enforcer could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum EnforceError {
    /// The caller asked for a lease that no enforcer may carry out.
    #[error("lease refused: {0}")]
    Refused(&'static str),
    /// A bound is reached.
    #[error("no room: {what} is full at {max}")]
    Full {
        /// Which bound.
        what: &'static str,
        /// Its value.
        max: usize,
    },
    /// The operator named an interface that is not here.
    #[error("no interface {0:?} in this network namespace; `ip link` lists them")]
    NoInterface(Box<str>),
    /// The interface does not carry Ethernet frames.
    #[error("{interface}: XDP enforcement needs Ethernet frames; this is hardware type {hardware}")]
    NotEthernet {
        /// The interface asked for.
        interface: Box<str>,
        /// Its ARPHRD number.
        hardware: u16,
    },
    /// This process may not do that.
    #[error("cannot enforce on {interface}: {missing}")]
    Privilege {
        /// The interface asked for.
        interface: Box<str>,
        /// What would allow it.
        missing: Missing,
    },
    /// Somebody else's program is attached; it is left alone.
    #[error(
        "{interface}: XDP program {program_id} of somebody else is attached, and stays; see `bpftool prog show id \
         {program_id}`, and detach it (`ip link set dev {interface} xdp off`) if it is not needed"
    )]
    Foreign {
        /// The interface asked for.
        interface: Box<str>,
        /// Kernel id of the program there.
        program_id: u32,
    },
    /// Another shield enforces here.
    #[error("{0}: another shield process enforces on this interface; stop it first")]
    Busy(Box<str>),
    /// The folder for pins cannot be used.
    #[error("pin folder {}: {step}: {source}", path.display())]
    Pin {
        /// The folder or file.
        path: PathBuf,
        /// The step that failed.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel refused one step.
    #[error("{step}: {}", chain(source.as_ref()))]
    Kernel {
        /// The step that failed.
        step: &'static str,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// An error and its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&said);
        }
        next = error.source();
    }
    text
}

/// For `map_err`: names the step that the kernel refused.
pub(super) fn kernel<E>(step: &'static str) -> impl FnOnce(E) -> EnforceError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| EnforceError::Kernel {
        step,
        source: source.into(),
    }
}
