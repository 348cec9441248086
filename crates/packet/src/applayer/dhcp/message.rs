//! Messages (RFC 2131 section 2) and their options.

use std::net::Ipv4Addr;

use crate::bytes::{Cursor, be32};
use crate::flow::Direction;

/// Most options kept of one message.
pub const OPTIONS_MAX: usize = 512;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub(super) id: u32,
    pub(super) first_ts_ns: u64,
    pub(super) direction: Direction,
    /// 1 for a request, 2 for a reply.
    pub op: u8,
    /// What pairs requests and replies.
    pub xid: u32,
    /// Address of the client, if it has one.
    pub client_ip: Ipv4Addr,
    /// Address that the client gets.
    pub assigned_ip: Ipv4Addr,
    /// Server to ask next.
    pub next_server_ip: Ipv4Addr,
    /// Relay in between.
    pub relay_ip: Ipv4Addr,
    /// Hardware address of the client, at most 16 bytes.
    pub client_mac: Vec<u8>,
    /// Options in their order, those of overloaded fields last.
    pub options: Vec<DhcpOption>,
    /// The options had no end, or one is cut.
    pub truncated: bool,
}

/// An option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpOption {
    /// Its code.
    pub code: u8,
    /// Its value.
    pub data: Vec<u8>,
}

pub(super) const MESSAGE_TYPE: u8 = 53;
pub(super) const CLIENT_ID: u8 = 61;
const OVERLOAD: u8 = 52;

impl Message {
    /// Reads a message; `None` when its fixed part is cut or the cookie is missing.
    pub(super) fn parse(data: &[u8], direction: Direction) -> Option<Self> {
        let mut cursor = Cursor::new(data);
        let (op, _kind, hlen, _hops) = (cursor.u8()?, cursor.u8()?, cursor.u8()?, cursor.u8()?);
        let xid = cursor.u32()?;
        cursor.u32()?; // seconds and flags
        let mut address = || cursor.u32().map(Ipv4Addr::from);
        let (client_ip, assigned_ip) = (address()?, address()?);
        let (next_server_ip, relay_ip) = (address()?, address()?);
        let mac = cursor.take(16)?;
        let (server_name, file) = (cursor.take(64)?, cursor.take(128)?);
        if cursor.u32()? != COOKIE {
            return None;
        }
        let mut message = Self {
            id: 0,
            first_ts_ns: 0,
            direction,
            op,
            xid,
            client_ip,
            assigned_ip,
            next_server_ip,
            relay_ip,
            client_mac: mac.get(..usize::from(hlen)).unwrap_or(mac).to_vec(),
            options: Vec::new(),
            truncated: false,
        };
        message.read_options(cursor.rest());
        let overload = message
            .option(OVERLOAD)
            .and_then(|data| data.first().copied());
        for (bit, field) in [(1, file), (2, server_name)] {
            if overload.is_some_and(|overload| overload & bit != 0) {
                message.read_options(field);
            }
        }
        Some(message)
    }

    /// The value of an option; the last where there are several.
    #[must_use]
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        let found = self.options.iter().rfind(|option| option.code == code);
        found.map(|option| option.data.as_slice())
    }

    /// The type of the message.
    #[must_use]
    pub fn message_type(&self) -> Option<u8> {
        self.option(MESSAGE_TYPE)?.first().copied()
    }

    fn read_options(&mut self, data: &[u8]) {
        let mut cursor = Cursor::new(data);
        loop {
            let code = match cursor.u8() {
                Some(0) => continue,
                Some(255) => return,
                Some(code) => code,
                None => break,
            };
            let Some(data) = cursor.vec8() else { break };
            if code == CLIENT_ID && data.len() < 2 || self.options.len() >= OPTIONS_MAX {
                break;
            }
            self.options.push(DhcpOption {
                code,
                data: data.to_vec(),
            });
        }
        self.truncated = true;
    }
}

/// Whether it begins as a message does.
pub(super) fn looks_like_dhcp(data: &[u8]) -> bool {
    matches!(data, [1 | 2, _, 0..=16, ..]) && be32(data, 236) == Some(COOKIE)
}

/// What the options begin with (RFC 2131 section 3).
const COOKIE: u32 = 0x6382_5363;
