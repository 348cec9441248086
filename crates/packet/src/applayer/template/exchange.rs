//! A request and its response.

/// One exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Number within the flow.
    pub tx_id: u32,
    /// Time of the request's first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// What the client sent.
    pub request: Vec<u8>,
    /// What the server answered, if it did.
    pub response: Option<Vec<u8>>,
}
