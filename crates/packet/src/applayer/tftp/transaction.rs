//! A request, and its `tftp` record.

use crate::applayer::{AppProto, Transaction};
use crate::json::Object;
use crate::settings::Setting;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A file shall come.
    Read,
    /// A file shall go.
    Write,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Number within the flow.
    pub tx_id: u32,
    /// Time of the packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// To read or to write.
    pub operation: Operation,
    /// The name of the file.
    pub file: Vec<u8>,
    /// How it is coded: `netascii`, `octet` or `mail`.
    pub mode: &'static str,
}

impl Request {
    /// Reads a datagram (RFC 1350 section 5); options (RFC 2347) may follow.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let (operation, rest) = match data {
            [0, 1, rest @ ..] => (Operation::Read, rest),
            [0, 2, rest @ ..] => (Operation::Write, rest),
            _ => return None,
        };
        let mut fields = rest.split(|byte| *byte == 0);
        let (file, mode) = (fields.next()?, fields.next()?);
        // the mode must be ended too
        fields.next()?;
        let mut modes = ["netascii", "octet", "mail"].into_iter();
        let mode = modes.find(|known| mode.eq_ignore_ascii_case(known.as_bytes()))?;
        Some(Self {
            tx_id: 0,
            first_ts_ns: 0,
            operation,
            file: file.to_vec(),
            mode,
        })
    }
}

impl Transaction for Request {
    fn app(&self) -> AppProto {
        AppProto::Tftp
    }

    fn id(&self) -> u32 {
        self.tx_id
    }

    fn first_ts_ns(&self) -> u64 {
        self.first_ts_ns
    }

    fn log(&self, record: &mut Object<'_>, _: Setting<'_>) {
        record.object("tftp", |object| {
            object.text(
                "packet",
                match self.operation {
                    Operation::Read => "read",
                    Operation::Write => "write",
                },
            );
            object.bytes("file", &self.file);
            object.text("mode", self.mode);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let parse = |data: &[u8]| Request::parse(data).map(|request| (request.file, request.mode));
        assert_eq!(parse(b"\0\x01a\0octet\0"), Some((b"a".to_vec(), "octet")));
        assert_eq!(
            parse(b"\0\x02\0NetASCII\0blksize\x008\0"),
            Some((Vec::new(), "netascii"))
        );
        for damaged in [
            &b"\0\x01a\0octet"[..],
            b"\0\x01a\0foo\0",
            b"\0\x01a\0",
            b"\0\x03\0\x01x",
            b"\0",
            b"",
        ] {
            assert_eq!(parse(damaged), None);
        }
    }
}
