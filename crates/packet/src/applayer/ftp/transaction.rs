//! A command and its reply.

/// How a data connection is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The server connects to the client.
    Active,
    /// The client connects to the server.
    Passive,
}

/// A command and its reply, or lines of the server without a command: its greeting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Number within the flow.
    pub tx_id: u32,
    /// Time of the first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// A command began it.
    pub is_asked: bool,
    /// The verb, upper case, where it is a known one.
    pub command: Option<&'static str>,
    /// What stands behind it.
    pub command_data: Vec<u8>,
    /// The command was longer than the bound on lines.
    pub is_command_truncated: bool,
    /// The codes of the reply's lines that have one and are their reply's last.
    pub completion_codes: Vec<[u8; 3]>,
    /// The reply's lines: behind the code, or all of a line without one.
    pub replies: Vec<Vec<u8>>,
    /// A line of the reply was longer than the bound on lines.
    pub is_reply_truncated: bool,
    /// The port that was agreed for data.
    pub dynamic_port: Option<u16>,
    /// Of the commands that agree on a port.
    pub mode: Option<Mode>,
    /// The reply is there, all of it.
    pub is_answered: bool,
    /// TLS begins behind its reply.
    pub(super) is_auth: bool,
}
