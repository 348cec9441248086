//! What an inspection point hands in: one captured frame.

/// A frame as it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When it was captured, nanoseconds since the Unix epoch.
    pub ts_ns: u64,
    /// What its first byte is.
    pub link: LinkType,
    /// The captured bytes.
    pub data: &'a [u8],
    /// Length on the wire, bytes; more than `data.len()` when the capture cut it short.
    pub wire_len: u32,
    /// Which way it went, where the inspection point can tell.
    pub way: Way,
}

/// Which way a frame went through the interface that it was captured on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Way {
    /// Nobody knows: a file, a mirror port.
    #[default]
    Unknown,
    /// In from the network.
    In,
    /// Out to the network.
    Out,
}

impl Frame<'_> {
    /// Whether the capture, not the sender, cut the frame short.
    #[must_use]
    pub fn is_snapped(&self) -> bool {
        u64::from(self.wire_len) > u64::try_from(self.data.len()).unwrap_or(u64::MAX)
    }
}

/// The link-layer header type, by its LINKTYPE number (<https://www.tcpdump.org/linktypes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// BSD loopback: address family in the byte order of the capturing machine (0).
    Null,
    /// IEEE 802.3 Ethernet (1).
    Ethernet,
    /// PPP, with or without address and control field (9, and 50 over a serial line).
    Ppp,
    /// Raw IP, version in the first nibble (101, and 12 and 14 of old systems).
    Raw,
    /// Cisco HDLC (104).
    Chdlc,
    /// OpenBSD loopback: address family in network byte order (108).
    Loop,
    /// Linux cooked capture v1 (113).
    LinuxSll,
    /// Raw IPv4 (228).
    Ipv4,
    /// Raw IPv6 (229).
    Ipv6,
    /// Linux cooked capture v2 (276).
    LinuxSll2,
    /// GRE over IP (778).
    GreOverIp,
    /// Any other; its frames become decoder events.
    Other(u32),
}

impl LinkType {
    /// From the LINKTYPE number of a capture file.
    #[must_use]
    pub fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Null,
            1 => Self::Ethernet,
            9 | 50 => Self::Ppp,
            104 => Self::Chdlc,
            778 => Self::GreOverIp,
            12 | 14 | 101 => Self::Raw,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            276 => Self::LinuxSll2,
            other => Self::Other(other),
        }
    }

    /// Number and name as logged: those that libpcap has for it.
    #[must_use]
    pub fn logged(self) -> (u32, &'static str) {
        match self {
            Self::Null => (0, "NULL"),
            Self::Ethernet => (1, "EN10MB"),
            Self::Ppp => (9, "PPP"),
            Self::Raw => (12, "RAW"),
            Self::Chdlc => (104, "C_HDLC"),
            Self::Loop => (108, "LOOP"),
            Self::LinuxSll => (113, "LINUX_SLL"),
            Self::Ipv4 => (228, "IPv4"),
            Self::Ipv6 => (229, "IPv6"),
            Self::LinuxSll2 => (276, "LINUX_SLL2"),
            Self::GreOverIp => (778, "GRE_RAW"),
            Self::Other(code) => (code, "UNKNOWN"),
        }
    }

    /// The LINKTYPE number.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Ppp => 9,
            Self::Chdlc => 104,
            Self::GreOverIp => 778,
            Self::Raw => 101,
            Self::Loop => 108,
            Self::LinuxSll => 113,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::LinuxSll2 => 276,
            Self::Other(code) => code,
        }
    }
}
