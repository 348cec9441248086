//! Which capabilities this process has, so that an error can say which one is missing.

use std::fmt;

/// A Linux capability that the packet path needs (capabilities(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Attach programs to interfaces, set interfaces promiscuous.
    NetAdmin,
    /// Open packet sockets.
    NetRaw,
    /// Mount file systems; stands for CAP_PERFMON and CAP_BPF too.
    SysAdmin,
    /// Load BPF programs that compute with packet pointers.
    PerfMon,
    /// Load BPF programs, create and read BPF maps.
    Bpf,
}

impl Capability {
    fn bit(self) -> u32 {
        match self {
            Self::NetAdmin => 12,
            Self::NetRaw => 13,
            Self::SysAdmin => 21,
            Self::PerfMon => 38,
            Self::Bpf => 39,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::PerfMon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Capabilities that this process lacks, and what gives them to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "missing {}: run as root, or give the binary the capability \
     (setcap {}+ep BINARY; systemd: AmbientCapabilities=)",
    names(.missing, " and "), names(.missing, ",").to_lowercase()
)]
pub struct Missing {
    /// What is missing.
    pub missing: Vec<Capability>,
}

/// Checks that this process has all of `needed`; CAP_SYS_ADMIN counts as CAP_PERFMON and CAP_BPF, as in the kernel.
///
/// # Errors
/// [`Missing`] names what it lacks.
pub fn require(needed: &[Capability]) -> Result<(), Missing> {
    missing_of(effective(), needed)
}

fn missing_of(effective: u64, needed: &[Capability]) -> Result<(), Missing> {
    let has =
        |capability: Capability| effective.checked_shr(capability.bit()).unwrap_or(0) & 1 == 1;
    let by_sys_admin = |one| matches!(one, Capability::Bpf | Capability::PerfMon);
    let missing: Vec<_> = needed
        .iter()
        .copied()
        .filter(|&one| !(has(one) || by_sys_admin(one) && has(Capability::SysAdmin)))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Missing { missing })
    }
}

/// Effective capabilities of this thread; all of them if /proc cannot be read, so that the kernel decides.
fn effective() -> u64 {
    std::fs::read_to_string("/proc/thread-self/status")
        .ok()
        .and_then(|status| parse_effective(&status))
        .unwrap_or(u64::MAX)
}

fn parse_effective(status: &str) -> Option<u64> {
    let hex = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(hex.trim(), 16).ok()
}

fn names(capabilities: &[Capability], between: &str) -> String {
    let names: Vec<_> = capabilities.iter().map(|one| one.name()).collect();
    names.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_mend() {
        let error = missing_of(0, &[Capability::NetAdmin, Capability::Bpf]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "missing CAP_NET_ADMIN and CAP_BPF: run as root, or give the binary the capability \
             (setcap cap_net_admin,cap_bpf+ep BINARY; systemd: AmbientCapabilities=)"
        );
    }

    #[test]
    fn sys_admin_stands_for_bpf_and_perfmon_only() {
        let sys_admin = 1 << 21;
        assert_eq!(
            missing_of(sys_admin, &[Capability::Bpf, Capability::PerfMon]),
            Ok(())
        );
        assert!(missing_of(sys_admin, &[Capability::NetRaw]).is_err());
    }

    #[test]
    fn status_is_parsed() {
        let status = "Name:\tx\nCapEff:\t0000000000003000\nSeccomp:\t0\n";
        assert_eq!(parse_effective(status), Some(0x3000));
        assert_eq!(
            missing_of(0x3000, &[Capability::NetAdmin, Capability::NetRaw]),
            Ok(())
        );
    }
}
