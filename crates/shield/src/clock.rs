//! Both clocks read in one go: leases run on the monotonic one, objects carry the wall's.

use stix::Timestamp;

/// One moment on both clocks. Read once per turn of a loop and passed down as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// `CLOCK_MONOTONIC`, nanoseconds: what the kernel compares a lease's end with.
    pub mono_ns: u64,
    /// Wall clock, microseconds: what objects and the journal carry.
    pub wall: Timestamp,
}

impl Now {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        let micros = datapath::clock::realtime_ns() / 1_000;
        Self {
            mono_ns: datapath::clock::mono_ns(),
            wall: Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)),
        }
    }

    /// The monotonic moment, in nanoseconds, of a wall time; never before the epoch of the clock.
    #[must_use]
    pub fn mono_at(&self, wall: Timestamp) -> u64 {
        let ahead_us = wall.as_micros().saturating_sub(self.wall.as_micros());
        let ahead_ns = ahead_us.unsigned_abs().saturating_mul(1_000);
        if ahead_us >= 0 {
            self.mono_ns.saturating_add(ahead_ns)
        } else {
            self.mono_ns.saturating_sub(ahead_ns)
        }
    }

    /// The wall time of a monotonic moment in nanoseconds.
    #[must_use]
    pub fn wall_at(&self, mono_ns: u64) -> Timestamp {
        let ahead_us = |ns: u64| i64::try_from(ns / 1_000).unwrap_or(i64::MAX);
        let micros = self.wall.as_micros();
        Timestamp::from_micros(if mono_ns >= self.mono_ns {
            micros.saturating_add(ahead_us(mono_ns.saturating_sub(self.mono_ns)))
        } else {
            micros.saturating_sub(ahead_us(self.mono_ns.saturating_sub(mono_ns)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_and_no_wrap() {
        let now = Now {
            mono_ns: 5_000_000,
            wall: Timestamp::from_micros(1_000_000),
        };
        assert_eq!(now.mono_at(Timestamp::from_micros(1_000_007)), 5_007_000);
        assert_eq!(now.mono_at(Timestamp::from_micros(999_000)), 4_000_000);
        assert_eq!(now.mono_at(Timestamp::from_micros(i64::MIN)), 0);
        assert_eq!(now.wall_at(5_007_000), Timestamp::from_micros(1_000_007));
        assert_eq!(now.wall_at(4_000_000), Timestamp::from_micros(999_000));
        assert!(now.wall_at(u64::MAX) > now.wall);
    }
}
