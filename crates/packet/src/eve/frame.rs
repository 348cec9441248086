//! The `frame` record: a part of a message and where it lies.

use super::flow::write_app_proto;
use super::write_flow_head;
use crate::applayer::AppFrame;
use crate::bytes::base64;
use crate::flow::{Direction, Flow};
use crate::json::Object;
use crate::settings::Setting;

/// Bytes of a frame that are shown where the settings name no other number.
const PAYLOAD_BYTES: u64 = 4096;
/// Bytes of a frame that are shown of one in a datagram.
const DATAGRAM_PAYLOAD_BYTES: u64 = 256;

pub(super) fn write(
    record: &mut Object<'_>,
    flow: &Flow,
    frame: &AppFrame<'_>,
    options: Setting<'_>,
) {
    write_flow_head(record, "frame", Some(flow.id), &flow.tuple, frame.direction);
    write_app_proto(record, flow.app);
    record.object("frame", |object| {
        object.text("type", frame.kind);
        object.number("id", frame.id);
        object.text(
            "direction",
            match frame.direction {
                Direction::ToServer => "toserver",
                Direction::ToClient => "toclient",
            },
        );
        if let Some(offset) = frame.stream_offset {
            object.number("stream_offset", offset);
        }
        object.number("length", frame.len);
        if let Some(payload) = frame.payload {
            // the last byte of Suricata's buffer is not for the payload
            let bytes = options.at("payload-buffer-size").bytes();
            let bytes = bytes.unwrap_or(PAYLOAD_BYTES).saturating_sub(1);
            let shown = match frame.stream_offset {
                Some(_) => bytes,
                None => DATAGRAM_PAYLOAD_BYTES,
            };
            let shown = usize::try_from(shown).unwrap_or(usize::MAX);
            let payload = payload.get(..shown).unwrap_or(payload);
            object.flag("complete", frame.is_complete);
            object.text("payload", &base64(payload));
            object.text("payload_printable", &printable(payload));
        }
        if let Some(tx_id) = frame.tx_id {
            object.number("tx_id", tx_id);
        }
    });
}

/// Bytes as text, what cannot be printed as dots.
fn printable(bytes: &[u8]) -> String {
    let shown = |byte: &u8| match byte {
        b' '..=b'~' | b'\r' | b'\n' => char::from(*byte),
        _ => '.',
    };
    bytes.iter().map(shown).collect()
}
