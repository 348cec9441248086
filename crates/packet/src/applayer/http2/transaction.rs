//! A stream, or what concerns the connection as a whole.

use std::borrow::Cow;

use crate::applayer::dns;
use crate::flow::Direction;

/// A header field, or something else that stands in a header block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name as sent.
    pub name: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
    /// It is no field but sets the table that fields are compressed with to so many bytes.
    pub table_size_update: Option<u64>,
    /// It is no field but where the block could not be read on, and why, as logged.
    pub damage: Option<&'static str>,
}

impl Entry {
    pub(super) fn field((name, value): (impl Into<Vec<u8>>, impl Into<Vec<u8>>)) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            table_size_update: None,
            damage: None,
        }
    }

    /// Bytes in memory, about.
    pub(super) fn size(&self) -> usize {
        let text = self.name.len().saturating_add(self.value.len());
        text.saturating_add(size_of::<Self>())
    }

    pub(super) fn size_update(size: u64) -> Self {
        Self {
            table_size_update: Some(size),
            ..Self::field(([], []))
        }
    }

    pub(super) fn damage(why: &'static str) -> Self {
        Self {
            damage: Some(why),
            ..Self::field(([], []))
        }
    }
}

/// One direction of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Header fields, trailers last.
    pub headers: Vec<Entry>,
    /// A header block came, if only an empty one.
    pub has_headers: bool,
    /// Settings that the sender asks for: identifier and value.
    pub settings: Option<Vec<(u16, u32)>>,
    /// Why the sender ended the stream or the connection (RFC 9113 section 7), in the order sent.
    pub errors: Vec<u32>,
    /// The first reason is one for the connection.
    pub goes_away: bool,
    /// Weights as sent.
    pub priorities: Vec<u8>,
    /// By how much windows grow, bytes.
    pub windows: Vec<u32>,
    /// Kinds of the frames that came, a bit each.
    frames: u16,
    /// The first bytes of the body, content codings taken off.
    pub body: Vec<u8>,
    /// Decoded bytes of the body.
    pub body_len: u64,
    /// The DNS message that it carries (RFC 8484).
    pub dns: Option<Box<dns::Message>>,
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

    /// The values of all fields of that name behind each other.
    #[must_use]
    pub fn merged_header(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        let same = |entry: &&Entry| entry.name.eq_ignore_ascii_case(name);
        let mut found = self.headers.iter().filter(same);
        let mut merged = Cow::Borrowed(found.next()?.value.as_slice());
        for entry in found {
            let all = merged.to_mut();
            all.extend_from_slice(b", ");
            all.extend_from_slice(&entry.value);
        }
        Some(merged)
    }

    /// The value of the last field of that name: that of a final response, not of one before it.
    #[must_use]
    pub fn last_header(&self, name: &[u8]) -> Option<&[u8]> {
        let same = |entry: &&Entry| entry.name.eq_ignore_ascii_case(name);
        let found = self.headers.iter().rfind(same);
        found.map(|entry| entry.value.as_slice())
    }

    /// Whether a frame of that kind (RFC 9113 section 6) came.
    #[must_use]
    pub fn has_frame(&self, kind: u8) -> bool {
        let bit = 1_u16.checked_shl(kind.into()).unwrap_or(0);
        self.frames & bit != 0
    }

    /// Sizes that the sender set the table to that fields are compressed with, bytes.
    pub fn table_sizes(&self) -> impl Iterator<Item = u64> {
        self.headers
            .iter()
            .filter_map(|entry| entry.table_size_update)
    }

    pub(super) fn note_frame(&mut self, kind: u8) {
        self.frames |= 1_u16.checked_shl(kind.into()).unwrap_or(0);
    }

    pub(super) fn note_priority(&mut self, weight: Option<u8>) {
        note(&mut self.priorities, weight);
    }

    pub(super) fn note_error(&mut self, code: Option<u32>, goes_away: bool) {
        if self.errors.is_empty() {
            self.goes_away = goes_away;
        }
        note(&mut self.errors, code);
    }

    pub(super) fn note_window(&mut self, more: Option<u32>) {
        note(&mut self.windows, more);
    }

    pub(super) fn add_settings(&mut self, mut more: Vec<(u16, u32)>) {
        let settings = self.settings.get_or_insert_default();
        more.truncate(SETTINGS_MAX.saturating_sub(settings.len()));
        settings.append(&mut more);
    }
}

fn note<N>(numbers: &mut Vec<N>, number: Option<N>) {
    numbers.extend(number.filter(|_| numbers.len() < NUMBERS_MAX));
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
    /// Who sent it, where it is a frame that concerns the connection.
    pub(super) sender: Option<Direction>,
    /// DNS was seen on the connection.
    pub(super) over_doh: bool,
}

/// Most decoded bytes of a body that are kept for inspection.
pub const BODY_BYTES_MAX: usize = 100 << 10;
/// Most reasons, weights and windows each that are kept of one direction of a stream.
const NUMBERS_MAX: usize = 64;
/// Most settings of one direction of a stream.
const SETTINGS_MAX: usize = 256;

impl Transaction {
    pub(super) fn new(tx_id: u32, first_ts_ns: u64, stream_id: u32) -> Self {
        Self {
            first_ts_ns,
            tx_id,
            stream_id,
            request: Message::default(),
            response: Message::default(),
            complete: false,
            sender: None,
            over_doh: false,
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

    /// Takes the fields of a block, as far as there is room.
    pub(super) fn add_headers(&mut self, from: Direction, entries: Vec<Entry>) {
        let message = self.message_mut(from);
        let room = super::FIELDS_MAX.saturating_sub(message.headers.len());
        message.headers.extend(entries.into_iter().take(room));
        message.has_headers = true;
    }

    pub(super) fn message_mut(&mut self, direction: Direction) -> &mut Message {
        match direction {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        }
    }

    /// Method; of a stream that the server pushes, in its own words.
    #[must_use]
    pub fn method(&self) -> Option<&[u8]> {
        self.last_header(b":method")
    }

    /// Target: a path with its query, mostly; likewise.
    #[must_use]
    pub fn target(&self) -> Option<&[u8]> {
        self.last_header(b":path")
    }

    /// The value of the last field of that name, of the response if it has one.
    #[must_use]
    pub fn last_header(&self, name: &[u8]) -> Option<&[u8]> {
        let response = self.response.last_header(name);
        response.or_else(|| self.request.last_header(name))
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
        let status = self.response.last_header(b":status")?;
        std::str::from_utf8(status).ok()?.parse().ok()
    }

    /// The DNS message that it carries: the answer, else the question.
    #[must_use]
    pub fn dns(&self) -> Option<&dns::Message> {
        let found = self.response.dns.as_ref().or(self.request.dns.as_ref());
        found.map(AsRef::as_ref)
    }
}
