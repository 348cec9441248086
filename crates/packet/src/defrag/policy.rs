//! Which of two fragments counts where they overlap: hosts differ, and attackers know it
//! (Ptacek and Newsham 1998; Novak, "Target-Based Fragmentation Reassembly", 2005).

use std::ops::Range;

/// How a host settles overlaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// What came first.
    First,
    /// What came last.
    Last,
    /// What came first, unless the later one begins before it.
    #[default]
    Bsd,
    /// What came last, unless it begins before the earlier one.
    BsdRight,
    /// What came first, unless the later one begins before it or with it.
    Linux,
    /// What came first, unless the later one begins before it and ends behind it.
    Windows,
    /// What came first, unless the later one begins before it and does not end before it.
    Solaris,
}

impl Policy {
    /// The policy of an operating system as `host-os-policy` of the settings names it.
    #[must_use]
    pub fn of_system(name: &str) -> Option<Self> {
        Some(match name {
            "first" | "old-solaris" | "hpux11" | "macos" => Self::First,
            "last" => Self::Last,
            "bsd" | "hpux10" | "irix" => Self::Bsd,
            "bsd-right" => Self::BsdRight,
            "linux" | "old-linux" => Self::Linux,
            "windows" | "windows2k3" | "vista" => Self::Windows,
            "solaris" => Self::Solaris,
            _ => return None,
        })
    }

    /// Whether the later fragment counts where it overlaps the earlier one.
    pub(super) fn prefers_later(self, earlier: &Range<u32>, later: &Range<u32>) -> bool {
        match self {
            Self::First => false,
            Self::Last => true,
            Self::Bsd => later.start < earlier.start,
            Self::BsdRight => later.start >= earlier.start,
            Self::Linux => later.start <= earlier.start,
            Self::Windows => later.start < earlier.start && later.end > earlier.end,
            Self::Solaris => later.start < earlier.start && later.end >= earlier.end,
        }
    }
}
