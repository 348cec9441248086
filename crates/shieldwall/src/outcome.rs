//! How a command ends: done, "the answer is no", the caller's fault, or ours.

use std::{fmt::Display, process::ExitCode};

/// A command that ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Exit status 0.
    Done,
    /// Exit status 1: a match was found where that is the question, a round failed.
    No,
}

/// A command that could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Exit status 2: bad use or bad input; the text says where and what mends it.
    Input(anyhow::Error),
    /// Exit status 3: a fault of ours or of the system.
    System(anyhow::Error),
}

impl Failure {
    /// The caller's input is at fault: `what` names the file or argument.
    pub(crate) fn input(what: impl Display, error: impl Into<anyhow::Error>) -> Self {
        Self::Input(error.into().context(what.to_string()))
    }

    /// The caller's input is at fault, and `error` names it.
    pub(crate) fn bad(error: impl Into<anyhow::Error>) -> Self {
        Self::Input(error.into())
    }

    /// The system or we are at fault.
    pub(crate) fn system(what: impl Display, error: impl Into<anyhow::Error>) -> Self {
        Self::System(error.into().context(what.to_string()))
    }

    /// Writes the failure to standard error, causes included.
    pub(crate) fn print(&self) {
        let (Self::Input(error) | Self::System(error)) = self;
        crate::text::complain(format_args!("error: {}", chain(error)));
    }
}

/// The error and its causes. Many of ours name their cause already: it is said once.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

impl From<shield::ShieldError> for Failure {
    fn from(error: shield::ShieldError) -> Self {
        use shield::ShieldError as E;
        match error {
            E::Thread(_) | E::Sync(_) => Self::System(error.into()),
            E::Data { .. }
            | E::Identity(_)
            | E::Enforce(_)
            | E::Pipeline(_)
            | E::Rules(_)
            | E::Packs(_) => Self::bad(error),
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::No => Self::from(1),
        }
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Input(_) => Self::from(2),
            Failure::System(_) => Self::from(3),
        }
    }
}
