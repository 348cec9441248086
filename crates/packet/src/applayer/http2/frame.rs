//! Frames (RFC 9113 section 4).

use crate::bytes::{Cursor, be16, be32};

/// What a client sends first (RFC 9113 section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const HEAD_BYTES: usize = 9;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) len: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let len = be32(data, 0)? >> 8;
        Some(Self {
            len: usize::try_from(len).ok()?,
            kind: *data.get(3)?,
            flags: *data.get(4)?,
            stream: be32(data, 5)? & 0x7fff_ffff,
        })
    }

    pub(super) fn end_stream(self) -> bool {
        self.flags & 1 != 0
    }

    pub(super) fn end_headers(self) -> bool {
        self.flags & 4 != 0
    }

    pub(super) fn padded(self) -> bool {
        self.flags & 8 != 0
    }

    pub(super) fn has_priority(self) -> bool {
        self.flags & 0x20 != 0
    }

    /// What only the server's own will can make it send first.
    pub(super) fn opens(self) -> bool {
        match self.kind {
            SETTINGS => self.flags & 1 == 0,
            WINDOW_UPDATE => self.stream == 0,
            _ => false,
        }
    }

    /// Whether it can be the head of a frame that a peer sends: what is known, and of a length that
    /// it can have.
    pub(super) fn is_plausible(self) -> bool {
        match self.kind {
            SETTINGS => self.stream == 0 && self.len.is_multiple_of(6),
            WINDOW_UPDATE | RST_STREAM => self.len == 4,
            PING => self.stream == 0 && self.len == 8,
            PRIORITY => self.len == 5,
            GOAWAY => self.stream == 0,
            DATA | HEADERS | CONTINUATION | PUSH_PROMISE => self.stream != 0,
            _ => false,
        }
    }
}

/// The payload without its padding; padding longer than all of it is none.
pub(super) fn unpad(head: Head, payload: &[u8]) -> Option<&[u8]> {
    if !head.padded() {
        return Some(payload);
    }
    let (pad, rest) = payload.split_first()?;
    let len = rest.len().checked_sub(usize::from(*pad));
    len.map_or(Some(rest), |len| rest.get(..len))
}

/// The settings of a frame, up to the first that is not known.
pub(super) fn settings(payload: &[u8]) -> Vec<(u16, u32)> {
    let parse = |chunk: &[u8]| Some((be16(chunk, 0)?, be32(chunk, 2)?));
    let settings = payload.chunks_exact(6).take(SETTINGS_MAX).map_while(parse);
    let known = settings.take_while(|(id, _)| setting_name(*id).is_some());
    known.collect()
}

/// The weight of a priority field, and what follows it.
pub(super) fn priority(payload: &[u8]) -> Option<(u8, &[u8])> {
    let mut cursor = Cursor::new(payload);
    cursor.u32()?;
    let weight = cursor.u8()?;
    Some((weight, payload.get(cursor.position()..)?))
}

/// Names of settings as Suricata writes them: those of RFC 9113 section 6.5.2, RFC 8441 and RFC
/// 9218.
pub(super) fn setting_name(id: u16) -> Option<&'static str> {
    Some(match id {
        1 => "SETTINGSHEADERTABLESIZE",
        2 => "SETTINGSENABLEPUSH",
        3 => "SETTINGSMAXCONCURRENTSTREAMS",
        4 => "SETTINGSINITIALWINDOWSIZE",
        5 => "SETTINGSMAXFRAMESIZE",
        6 => "SETTINGSMAXHEADERLISTSIZE",
        8 => "SETTINGSENABLECONNECTPROTOCOL",
        9 => "SETTINGSNORFC7540PRIORITIES",
        _ => return None,
    })
}

/// Names of error codes (RFC 9113 section 7) as Suricata writes them.
pub(super) fn error_name(code: u32) -> String {
    let names = [
        "NoError",
        "ProtocolError",
        "InternalError",
        "FlowControlError",
        "SettingsTimeout",
        "StreamClosed",
        "FrameSizeError",
        "RefusedStream",
        "Cancel",
        "CompressionError",
        "ConnectError",
        "EnhanceYourCalm",
        "InadequateSecurity",
        "Http11Required",
    ];
    let name = usize::try_from(code).ok().and_then(|code| names.get(code));
    name.map_or_else(|| code.to_string(), |name| (*name).to_owned())
}

/// Most settings of a frame that are read.
const SETTINGS_MAX: usize = 64;
