//! The two clocks: one for what is said to others, one for how long a lease lasts.

/// CLOCK_MONOTONIC, nanoseconds: the clock of leases, the same as `bpf_ktime_get_ns` in the kernel.
#[must_use]
pub fn mono_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// CLOCK_REALTIME, nanoseconds since the Unix epoch: the clock of captured packets.
#[must_use]
pub fn realtime_ns() -> u64 {
    read(libc::CLOCK_REALTIME)
}

/// CPU time that this process has used so far, in user space and in the kernel, in seconds.
#[must_use]
pub fn process_cpu_s() -> f64 {
    std::time::Duration::from_nanos(read(libc::CLOCK_PROCESS_CPUTIME_ID)).as_secs_f64()
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writing for the length of the call.
    #[expect(unsafe_code, reason = "std does not read clocks as numbers")]
    unsafe {
        libc::clock_gettime(clock, &raw mut time);
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_does_not_go_back() {
        let first = mono_ns();
        assert!(first > 0);
        assert!(mono_ns() >= first);
    }

    #[test]
    fn real_time_is_that_of_the_system() {
        let system = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_nanos();
        assert!(u128::from(realtime_ns()).abs_diff(system) < 1_000_000_000);
    }
}
