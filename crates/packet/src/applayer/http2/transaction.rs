//! A stream, or what concerns the connection as a whole.

use crate::flow::Direction;

/// A header field, or a change of the table that fields are compressed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name as sent.
    pub name: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
    /// It is no field but sets the table to so many bytes.
    pub table_size_update: Option<u64>,
}

impl Entry {
    pub(super) fn field((name, value): (impl Into<Vec<u8>>, impl Into<Vec<u8>>)) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            table_size_update: None,
        }
    }

    pub(super) fn size_update(size: u64) -> Self {
        Self {
            name: Vec::new(),
            value: Vec::new(),
            table_size_update: Some(size),
        }
    }

    /// Bytes in memory, about.
    pub(super) fn size(&self) -> usize {
        let text = self.name.len().saturating_add(self.value.len());
        text.saturating_add(size_of::<Self>())
    }
}

/// One direction of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Header fields, trailers last.
    pub headers: Vec<Entry>,
    /// Settings that the sender asks for: identifier and value.
    pub settings: Vec<(u16, u32)>,
    /// Why the sender ended the stream or the connection.
    pub error_code: Option<u32>,
    /// Weight as sent.
    pub priority: Option<u8>,
    /// The first bytes of the body, content codings taken off.
    pub body: Vec<u8>,
    /// All of it is there.
    pub(super) over: bool,
}

impl Message {
    /// The value of the first field of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &[u8]) -> Option<&[u8]> {
        let same = |entry: &&Entry| entry.name.eq_ignore_ascii_case(name);
        let found = self.headers.iter().find(same);
        found.map(|entry| entry.value.as_slice())
    }
}

/// A stream with its request and response, or a frame that concerns the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Time of the first packet of it, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// The stream; 0 for the connection.
    pub stream_id: u32,
    /// What the client sent.
    pub request: Message,
    /// What the server sent.
    pub response: Message,
    /// All that will come of it is there.
    pub complete: bool,
}

/// Most decoded bytes of a body that are kept for inspection.
pub const BODY_BYTES_MAX: usize = 100 << 10;

impl Transaction {
    pub(super) fn new(tx_id: u32, first_ts_ns: u64, stream_id: u32) -> Self {
        Self {
            first_ts_ns,
            tx_id,
            stream_id,
            request: Message::default(),
            response: Message::default(),
            complete: false,
        }
    }

    /// What one side sent.
    #[must_use]
    pub fn message(&self, direction: Direction) -> &Message {
        match direction {
            Direction::ToServer => &self.request,
            Direction::ToClient => &self.response,
        }
    }

    pub(super) fn message_mut(&mut self, direction: Direction) -> &mut Message {
        match direction {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        }
    }

    /// Method.
    #[must_use]
    pub fn method(&self) -> Option<&[u8]> {
        self.request.header(b":method")
    }

    /// Target: a path with its query, mostly.
    #[must_use]
    pub fn target(&self) -> Option<&[u8]> {
        self.request.header(b":path")
    }

    /// The host asked for, with its port if sent.
    #[must_use]
    pub fn host(&self) -> Option<&[u8]> {
        let request = &self.request;
        request
            .header(b":authority")
            .or_else(|| request.header(b"host"))
    }

    /// Status code.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let status = self.response.header(b":status")?;
        std::str::from_utf8(status).ok()?.parse().ok()
    }
}
