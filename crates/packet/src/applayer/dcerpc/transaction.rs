//! A call: what is asked and what is answered.

use super::pdu::{Interface, Uuid};
use crate::applayer::Context;
use crate::flow::Direction;

/// A request with its answer, or a bind with its.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dcerpc {
    pub(super) tx_id: u32,
    pub(super) first_ts_ns: u64,
    /// Version of the protocol, major and minor: 5 over connections, 4 without.
    pub version: (u8, u8),
    /// Number of the call (connections only).
    pub call_id: u32,
    /// Activity and number in it (datagrams only).
    pub activity: Option<(Uuid, u32)>,
    /// What was asked, by kind; `None` when it was not seen.
    pub request: Option<Part>,
    /// What was answered.
    pub response: Option<Part>,
    /// Of a request: the operation.
    pub opnum: u16,
    /// Of a bind: the interfaces; of a request: the one that is called.
    pub interfaces: Vec<Interface>,
    /// The data of request and response, where somebody looks into it.
    pub stubs: Stubs,
}

/// Most bytes kept of the data of a request, and of a response.
pub const STUB_BYTES_MAX: usize = 16 << 10;

/// The data that a call carries, as far as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stubs {
    /// What the client sends.
    pub request: Vec<u8>,
    /// What the server sends.
    pub response: Vec<u8>,
    /// Whose numbers are little-endian, the client's and the server's.
    little: [bool; 2],
}

impl Stubs {
    /// Keeps more data of a direction, if anybody looks into it. `little`: its numbers are
    /// little-endian.
    pub(crate) fn add(
        &mut self,
        cx: &Context<'_, '_>,
        direction: Direction,
        data: &[u8],
        little: bool,
    ) {
        if !cx.config.inspect {
            return;
        }
        let [of_client, of_server] = &mut self.little;
        match direction {
            Direction::ToServer => *of_client = little,
            Direction::ToClient => *of_server = little,
        }
        let kept = match direction {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        };
        let room = STUB_BYTES_MAX.saturating_sub(kept.len()).min(data.len());
        kept.extend_from_slice(data.get(..room).unwrap_or_default());
    }

    /// Whether the numbers in the data of a direction are little-endian.
    #[must_use]
    pub fn is_little(&self, direction: Direction) -> bool {
        let [of_client, of_server] = self.little;
        match direction {
            Direction::ToServer => of_client,
            Direction::ToClient => of_server,
        }
    }

    /// Bytes kept.
    pub(crate) fn size(&self) -> usize {
        self.request.len().saturating_add(self.response.len())
    }
}

/// One side of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What it is (C706 section 12.6.4).
    pub kind: u8,
    /// Its fragments.
    pub fragments: u32,
    /// Bytes of data in them.
    pub stub_bytes: u32,
}

impl Part {
    pub(super) fn of(kind: u8, stub_bytes: u32) -> Self {
        Self {
            kind,
            fragments: 1,
            stub_bytes,
        }
    }

    pub(super) fn add(&mut self, stub_bytes: u32) {
        self.fragments = self.fragments.saturating_add(1);
        self.stub_bytes = self.stub_bytes.saturating_add(stub_bytes);
    }
}
