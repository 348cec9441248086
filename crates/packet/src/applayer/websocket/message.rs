//! Messages: put together from fragments, inflated.

use super::frame::{COMPRESSED, CONTINUATION, Frame};
use crate::applayer::Context;
use crate::coding::{Bounds, Coding, Layer};

/// The messages of one direction.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The message whose last frame has not come.
    open: Option<Open>,
    inflater: Inflater,
}

#[derive(Debug, Default)]
struct Open {
    bytes: Vec<u8>,
    compressed: bool,
    /// Parts of it are missing.
    cut: bool,
    /// It is as long as messages may be: more of it is dropped.
    full: bool,
}

/// What inflates the messages of a direction: each can refer to those before it (RFC 7692 section
/// 7.1.1).
#[derive(Debug, Default)]
enum Inflater {
    #[default]
    Unused,
    Used(Layer),
    /// A part of the past is missing or was not worth its length.
    Lost,
}

impl Messages {
    /// Bytes kept.
    pub(super) fn buffered(&self) -> usize {
        let open = self.open.as_ref().map_or(0, |open| open.bytes.len());
        match &self.inflater {
            Inflater::Used(layer) => open.saturating_add(layer.size()),
            Inflater::Unused | Inflater::Lost => open,
        }
    }

    /// Nothing more will come.
    pub(super) fn give_up(&mut self) {
        *self = Self::default();
    }

    /// Takes a frame of which nothing, or the end (`is_cut`), is missing, and gives it the message
    /// that it ends.
    pub(super) fn add(&mut self, cx: &mut Context<'_, '_>, frame: &mut Frame, is_cut: bool) {
        let max = cx.config.apps.websocket.payload_max;
        if frame.is_control() {
            frame.message = Some(frame.payload.clone());
            return;
        }
        let mut open = match self.open.take() {
            Some(open) if frame.opcode == CONTINUATION => open,
            // a message whose end never came is over with the next one's begin
            Some(_) | None => Open {
                compressed: frame.flags & COMPRESSED != 0,
                ..Open::default()
            },
        };
        open.cut |= is_cut;
        let is_lone = open.bytes.is_empty() && !open.full && frame.is_final();
        let len = open.bytes.len().saturating_add(frame.payload.len());
        if is_lone || len < max {
            open.bytes.extend_from_slice(&frame.payload);
        } else if !std::mem::replace(&mut open.full, true) && !frame.payload.is_empty() {
            open.cut = true;
            let room = max.saturating_sub(open.bytes.len());
            let front = frame.payload.get(..room.min(frame.payload.len()));
            open.bytes.extend_from_slice(front.unwrap_or_default());
            cx.too_large_in(frame.tx_id, "reassembly_limit_reached");
        }
        if frame.is_final() {
            frame.message = Some(self.close(open, max));
        } else {
            self.open = Some(open);
        }
    }

    fn close(&mut self, open: Open, max: usize) -> Vec<u8> {
        if !open.compressed {
            return open.bytes;
        }
        let message = self.inflater.message(&open.bytes, max);
        if open.cut {
            self.inflater = Inflater::Lost;
        }
        message.unwrap_or(open.bytes)
    }
}

impl Inflater {
    /// A message inflated, its first `max` bytes; `None` when nobody can.
    fn message(&mut self, bytes: &[u8], max: usize) -> Option<Vec<u8>> {
        let bounds = Bounds {
            bomb_bytes_max: BOMB_BYTES_MAX,
            ratio_max: RATIO_MAX,
            lzma_mem_max: 0,
        };
        let mut layer = match std::mem::replace(self, Self::Lost) {
            // a sender may end its stream with each message
            Self::Used(layer) if !layer.is_over() => layer,
            Self::Unused | Self::Used(_) => Layer::new(Coding::Deflate, bounds),
            Self::Lost => return None,
        };
        let mut message = Vec::new();
        let mut take = |bytes: &[u8]| {
            let room = max.saturating_sub(message.len()).min(bytes.len());
            message.extend_from_slice(bytes.get(..room).unwrap_or_default());
        };
        layer.push(bytes, &mut take).ok()?;
        layer.push(&TAIL, &mut take).ok()?;
        *self = Self::Used(layer);
        Some(message)
    }
}

/// What the sender took off the end (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Most inflated bytes of a direction once they are more than so many times what was sent.
const BOMB_BYTES_MAX: u64 = 1 << 20;
const RATIO_MAX: u64 = 256;
