//! Waiting to be told to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::outcome::Failure;

/// Returns at Ctrl-C or at SIGTERM.
pub(super) async fn requested() -> Result<(), Failure> {
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|e| Failure::system("listen for SIGTERM", e))?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|e| Failure::system("listen for Ctrl-C", e))?;
        }
        _ = terminate.recv() => {}
    }
    Ok(())
}
