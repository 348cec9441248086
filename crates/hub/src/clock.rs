//! The one place where the hub reads the time of day.

use std::time::{SystemTime, UNIX_EPOCH};
use stix::Timestamp;

/// Now, to the microsecond.
pub(crate) fn now() -> Timestamp {
    of(SystemTime::now())
}

/// A moment of the system's clock; the epoch for one before it.
pub(crate) fn of(time: SystemTime) -> Timestamp {
    let micros = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros();
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
