//! A request with its response.

use super::message::Request;

/// A request with its response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    pub(super) id: u32,
    pub(super) first_ts_ns: u64,
    /// What the client asked, where it was seen.
    pub request: Option<Request>,
    /// What the server said to it.
    pub response: Response,
}

/// What a server says to a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// Whether it agrees to TLS.
    pub ssl_accepted: Option<bool>,
    /// Steps of authentication: code, and what comes with it.
    pub authentication: Vec<(u32, Vec<u8>)>,
    /// Parameters that it reports.
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// Process and key to cancel queries with.
    pub key: Option<(u32, u32)>,
    /// Fields of an error, by their letter.
    pub error: Vec<(u8, Vec<u8>)>,
    /// Columns that it takes in a COPY.
    pub copy_in: Option<u16>,
    /// Columns that it gives in a COPY.
    pub copy_out: Option<u16>,
    /// Messages of a COPY from it, and bytes in them.
    pub copy_data: (u64, u64),
    /// The COPY from it is over.
    pub copy_done: bool,
    /// Columns of the result.
    pub fields: Option<u16>,
    /// Rows of the result, and bytes in them.
    pub rows: (u64, u64),
    /// Tag of the command that is complete.
    pub completed: Option<Vec<u8>>,
}

impl Response {
    /// Whether more texts may be kept of it.
    pub(super) fn has_room(&self) -> bool {
        let parameters = self.parameters.iter();
        let parameters = parameters.map(|(name, value)| name.len().saturating_add(value.len()));
        let steps = self.authentication.iter().map(|(_, data)| data.len());
        let bytes = parameters.chain(steps).fold(0, usize::saturating_add);
        bytes < RESPONSE_BYTES_MAX
    }
}

impl Exchange {
    /// Bytes that it keeps, about.
    pub(super) fn size(&self) -> usize {
        let request = match &self.request {
            Some(Request::Query(text) | Request::Password(text) | Request::SaslResponse(text)) => {
                text.len()
            }
            Some(
                Request::Ssl
                | Request::Gss
                | Request::Startup { .. }
                | Request::SaslInitial { .. }
                | Request::Extended { .. }
                | Request::Copy { .. }
                | Request::Cancel { .. }
                | Request::Terminate,
            )
            | None => 0,
        };
        request.saturating_add(EXCHANGE_BYTES)
    }

    /// Whether it has a record.
    pub(super) fn is_logged(&self) -> bool {
        !matches!(self.request, Some(Request::Extended { .. } | Request::Gss))
    }
}

/// Most bytes of parameters and authentication kept of one response, but for the last of them.
const RESPONSE_BYTES_MAX: usize = 64 << 10;
/// What an exchange takes beside its longest text, about.
const EXCHANGE_BYTES: usize = 512;
