//! Which of two segments counts where they overlap: hosts differ, and who knows the host's way can
//! show a sensor other bytes than the host (Novak and Sturges 2007, "Target-based TCP stream
//! reassembly").

use crate::flow::tcp::is_after;

/// How a host puts overlapping segments together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// What came first counts.
    #[default]
    First,
    /// BSD and its kin, Windows among them: what came first, unless the later segment begins before it.
    Bsd,
    /// Linux: as BSD, and also if both begin at one place and the later one is longer.
    Linux,
    /// Linux before 2.2: as Linux, and also if both are the same bytes of the stream.
    OldLinux,
    /// Solaris: what came last, unless the earlier segment ends behind it, or begins before it and
    /// ends no earlier.
    Solaris,
}

impl Policy {
    /// From its name in `host-os-policy`, as Suricata 8.0.6 reads overlaps under it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "bsd" | "bsd-right" | "macos" | "irix" | "hpux10" | "windows" | "windows2k3" => {
                Self::Bsd
            }
            "linux" => Self::Linux,
            "old-linux" => Self::OldLinux,
            "solaris" | "old-solaris" | "hpux11" => Self::Solaris,
            "vista" => Self::First,
            _ => return None,
        })
    }

    /// Whether a later segment counts where it overlaps an earlier one; both as begin and end in
    /// sequence numbers.
    pub(super) fn prefers_later(self, earlier: (u32, u32), later: (u32, u32)) -> bool {
        let begins_before = is_after(earlier.0, later.0);
        let ends_behind = is_after(later.1, earlier.1);
        match self {
            Self::First => false,
            Self::Bsd => begins_before,
            Self::Linux => begins_before || earlier.0 == later.0 && ends_behind,
            Self::OldLinux => {
                begins_before || earlier.0 == later.0 && !is_after(earlier.1, later.1)
            }
            Self::Solaris => {
                let reaches_beyond = is_after(earlier.1, later.1);
                let covers = is_after(later.0, earlier.0) && !ends_behind;
                !reaches_beyond && !covers
            }
        }
    }
}
