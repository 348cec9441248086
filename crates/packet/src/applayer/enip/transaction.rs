//! A request with its response.

use super::message::Message;

/// A request with its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub(super) id: u32,
    pub(super) first_ts_ns: u64,
    /// The request, where it was seen.
    pub request: Option<Message>,
    /// The response, where there was one.
    pub response: Option<Message>,
}

impl Exchange {
    /// Bytes that its request keeps, about.
    pub(super) fn size(&self) -> usize {
        self.request.as_ref().map_or(0, Message::size)
    }
}
