//! A command and its response.

/// A command and its response, or a response without a command: the greeting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Number within the flow.
    pub tx_id: u32,
    /// Time of the first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// The command.
    pub request: Option<Request>,
    /// The response; of a mail that is fetched there is none.
    pub response: Option<Response>,
}

/// A command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The keyword as sent, or `<SASL DATA>` for a line of an authentication.
    pub command: Vec<u8>,
    /// The words behind it.
    pub args: Vec<Vec<u8>>,
}

/// A response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// `+OK`, or the `+` of an authentication that goes on.
    pub is_success: bool,
    /// What stands behind the status.
    pub header: Vec<u8>,
    /// The lines behind the first, doubled dots undone.
    pub data: Vec<Vec<u8>>,
}
