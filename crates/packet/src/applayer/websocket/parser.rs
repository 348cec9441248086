//! Frames from the stream.

use super::options::Options;
use super::transaction::Message;
use crate::applayer::records::{Found, Framed, Record, Records, Size};
use crate::applayer::{AppLayer, Context, Next, Probe};
use crate::bytes::Cursor;
use crate::flow::{Direction, Proto};
use crate::sensor::Config;

pub(in crate::applayer) fn start(_: Proto, config: &Config) -> Box<dyn AppLayer> {
    Box::new(Framed::new(Parser {
        options: config.apps.websocket,
    }))
}

/// Nothing tells, but that HTTP became it.
pub(super) fn probe(_: Proto, _: Direction, _: &[u8]) -> Probe {
    Probe::No
}

#[derive(Debug)]
struct Parser {
    options: Options,
}

/// What stands before a payload (RFC 6455 section 5.2).
struct Head {
    fin: bool,
    opcode: u8,
    mask: Option<u32>,
    /// Its own length, bytes.
    len: usize,
    payload_len: usize,
}

impl Head {
    fn of(data: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(data);
        let (first, second) = (cursor.u8()?, cursor.u8()?);
        let payload_len = match second & 0x7f {
            126 => u64::from(cursor.u16()?),
            127 => u64::from(cursor.u32()?) << 32 | u64::from(cursor.u32()?),
            len => u64::from(len),
        };
        let mask = match second & 0x80 {
            0 => None,
            _ => Some(cursor.u32()?),
        };
        Some(Self {
            fin: first & 0x80 != 0,
            opcode: first & 0x0f,
            mask,
            len: cursor.position(),
            payload_len: usize::try_from(payload_len).unwrap_or(usize::MAX),
        })
    }
}

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        Head::of(data).map_or(Size::Unsure, |head| {
            Size::Bytes(head.len.saturating_add(head.payload_len))
        })
    }

    fn wanted(&self, _: Direction, data: &[u8], len: usize) -> usize {
        match Head::of(data) {
            Some(head) if head.payload_len > self.options.payload_bytes_max => head.len,
            _ => len,
        }
    }

    /// Frames have no mark.
    fn find(&self, _: Direction, _: &[u8]) -> Found {
        Found::Nowhere(0)
    }

    fn record(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: Record<'_>,
    ) -> Next {
        let Some(head) = Head::of(record.bytes) else {
            return Next::More;
        };
        let tx_id = cx.transaction_id();
        cx.frame_in(tx_id, "header", 0, head.len);
        cx.frame_in(tx_id, "pdu", 0, record.len);
        cx.frame_in(tx_id, "data", head.len, head.payload_len);
        let payload = record.bytes.get(head.len..).unwrap_or_default();
        let max = self.options.payload_bytes_max;
        let payload = payload.get(..max).unwrap_or(payload);
        if payload.len() < head.payload_len {
            cx.too_large_in(tx_id, "skip_end_of_payload");
        }
        let mask = head.mask.unwrap_or(0).to_be_bytes();
        let plain = payload.iter().zip(mask.iter().cycle());
        let message = Message {
            tx_id,
            first_ts_ns: record.ts_ns,
            direction: cx.told_by(direction),
            fin: head.fin,
            opcode: head.opcode,
            mask: head.mask,
            payload: plain.map(|(byte, mask)| byte ^ mask).collect(),
        };
        cx.transaction(&message);
        Next::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applayer::testing::{anomalies, corpus, endures, records};

    fn messages(settings: &str) -> Vec<serde_json::Value> {
        let found = records(Proto::Tcp, settings, &corpus("websocket/chat.bin"));
        let is_message = |record: &serde_json::Value| record.get("opcode").is_some();
        found.into_iter().filter(is_message).collect()
    }

    #[test]
    fn frames_follow_the_upgrade() {
        let found = messages("");
        let opcodes: Vec<&str> = found
            .iter()
            .map(|m| m["opcode"].as_str().unwrap())
            .collect();
        assert_eq!(opcodes, ["text", "ping", "binary", "continuation", "close"]);
        assert_eq!(found[0]["mask"], 0x3761_2d6b);
        assert_eq!(found[2]["fin"], false);
        assert!(found[1].get("mask").is_none());
        endures(Proto::Tcp, &corpus("websocket/chat.bin"));
    }

    #[test]
    fn a_long_payload_passes_by() {
        let settings = "app-layer: {protocols: {websocket: {max-payload-size: 3}}}";
        assert_eq!(messages(settings).len(), 5);
        let all = records(Proto::Tcp, settings, &corpus("websocket/chat.bin"));
        assert!(anomalies(&all).contains(&"skip_end_of_payload"));
    }
}
