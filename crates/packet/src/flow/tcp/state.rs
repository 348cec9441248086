//! The states of a connection as seen from its side (RFC 9293 section 3.3.2).

/// Where a connection is. With both ends in sight one of them names the state: a client that closes
/// first leaves the server in `CloseWait`, a server that closes first is itself in `FinWait1`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the states of RFC 9293 section 3.3.2")]
pub enum TcpState {
    #[default]
    None,
    SynSent,
    SynRecv,
    Established,
    FinWait1,
    FinWait2,
    TimeWait,
    LastAck,
    CloseWait,
    Closing,
    Closed,
}

impl TcpState {
    /// Whether the handshake is over; also when the connection is closed.
    #[must_use]
    pub fn is_established(self) -> bool {
        !matches!(self, Self::None | Self::SynSent | Self::SynRecv)
    }

    /// Whether the client closes the connection, or both sides do.
    #[must_use]
    pub fn is_closing(self) -> bool {
        self.is_established() && !matches!(self, Self::Established | Self::FinWait1)
    }

    /// Its name, as logged.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SynSent => "syn_sent",
            Self::SynRecv => "syn_recv",
            Self::Established => "established",
            Self::FinWait1 => "fin_wait1",
            Self::FinWait2 => "fin_wait2",
            Self::TimeWait => "time_wait",
            Self::LastAck => "last_ack",
            Self::CloseWait => "close_wait",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    pub(super) fn is_shutdown(self) -> bool {
        !matches!(
            self,
            Self::None | Self::SynSent | Self::SynRecv | Self::Established | Self::Closed
        )
    }
}
