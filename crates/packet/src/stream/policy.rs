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
    /// What came last counts.
    Last,
    /// BSD and its kin: what came first, unless the later segment begins before it.
    Bsd,
    /// Linux: as BSD, and also if both begin at one place and the later one is longer.
    Linux,
    /// Solaris: what came last, unless the earlier segment ends behind it, or begins before it and
    /// ends no earlier.
    Solaris,
    /// Windows: what came first, unless the later segment covers it and more on both sides.
    Windows,
}

impl Policy {
    /// From its name in `host-os-policy`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "bsd" | "macos" | "irix" | "hpux10" => Self::Bsd,
            "bsd-right" | "old-solaris" => Self::Last,
            "linux" | "old-linux" => Self::Linux,
            "solaris" => Self::Solaris,
            "windows" => Self::Windows,
            "hpux11" | "vista" | "windows2k3" => Self::First,
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
            Self::Last => true,
            Self::Bsd => begins_before,
            Self::Linux => begins_before || earlier.0 == later.0 && ends_behind,
            Self::Windows => begins_before && ends_behind,
            Self::Solaris => {
                let reaches_beyond = is_after(earlier.1, later.1);
                let covers = is_after(later.0, earlier.0) && !ends_behind;
                !reaches_beyond && !covers
            }
        }
    }
}
