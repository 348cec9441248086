//! Getting the next certificate before the present one ends.

use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::link::Link;
use crate::clock::Now;
use crate::identity;
use crate::journal::{Event, Journal};

/// Age at which a certificate is replaced: a third of the hub's thirty days, so that two attempts
/// of a week each may fail.
pub(crate) const RENEW_AGE: Duration = Duration::from_secs(10 * 24 * 3_600);
/// Pause between looks.
pub(crate) const RENEW_PAUSE: Duration = Duration::from_secs(3_600);

/// Looks every [`RENEW_PAUSE`] until `stop`. The next connection uses what it gets.
///
/// # Failure bias
/// Open: a renewal that fails is tried again, and the present certificate stays in use.
pub(super) async fn run(link: &Link, journal: &Journal, stop: &CancellationToken) {
    loop {
        if is_old(link.certified(), SystemTime::now()) {
            let what = match identity::rotate(&link.identity().folder).await {
                Ok(_) => "certificate renewed".to_owned(),
                Err(error) => format!("certificate not renewed yet: {error}"),
            };
            tracing::info!("{what}");
            journal.write(Now::read(), Event::State { what });
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RENEW_PAUSE) => {}
        }
    }
}

/// Whether a certificate written at `written` is to be replaced. One without a time is left alone.
fn is_old(written: Option<SystemTime>, now: SystemTime) -> bool {
    let age = written.and_then(|written| now.duration_since(written).ok());
    age.is_some_and(|age| age >= RENEW_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_replaced_at_their_age_and_not_before() {
        let now = SystemTime::UNIX_EPOCH.checked_add(RENEW_AGE * 2).unwrap();
        let ago = |age: Duration| now.checked_sub(age);
        assert!(is_old(ago(RENEW_AGE), now));
        assert!(!is_old(ago(RENEW_AGE / 2), now));
        assert!(
            !is_old(now.checked_add(RENEW_AGE), now),
            "written in the future: clocks moved"
        );
        assert!(!is_old(None, now));
    }
}
