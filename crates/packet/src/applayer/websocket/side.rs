//! One direction of a connection as frames.

use super::frame::{Frame, head_len, parse};
use super::message::Messages;
use crate::applayer::Context;
use crate::flow::Direction;

#[derive(Debug)]
pub(super) struct Side {
    direction: Direction,
    /// The front of a head that is not complete yet.
    head: Vec<u8>,
    /// Time of the packet that its first byte came with.
    ts_ns: u64,
    passing: Option<Passing>,
    messages: Messages,
    /// Where the next frame begins is not known.
    pub(super) lost: bool,
}

/// A frame whose payload comes.
#[derive(Debug)]
struct Passing {
    frame: Frame,
    /// Bytes of its payload that are still to come.
    left: u64,
    /// Bytes of it are missing.
    gap: bool,
    told: bool,
}

impl Side {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            direction,
            head: Vec::new(),
            ts_ns: 0,
            passing: None,
            messages: Messages::default(),
            lost: false,
        }
    }

    /// Bytes kept.
    pub(super) fn buffered(&self) -> usize {
        let passing = self.passing.as_ref();
        let payload = passing.map_or(0, |passing| passing.frame.payload.len());
        payload.saturating_add(self.messages.buffered())
    }

    pub(super) fn data(&mut self, cx: &mut Context<'_, '_>, data: &[u8]) {
        let mut rest = data;
        while !rest.is_empty() && !self.lost {
            rest = match self.passing.take() {
                Some(passing) => self.payload(cx, passing, rest),
                None => self.begin(cx, rest),
            };
        }
    }

    /// So many bytes are missing: in a payload they are passed over, beyond it nobody knows where
    /// the next frame begins.
    pub(super) fn gap(&mut self, cx: &mut Context<'_, '_>, len: u64) {
        let passing = self.passing.take();
        let Some(mut passing) = passing.filter(|passing| len <= passing.left) else {
            self.lost = true;
            self.head = Vec::new();
            self.messages.give_up();
            return;
        };
        passing.left = passing.left.saturating_sub(len);
        passing.gap = true;
        self.go_on(cx, passing);
    }

    /// Takes bytes of a head; gives what is left.
    fn begin<'d>(&mut self, cx: &mut Context<'_, '_>, data: &'d [u8]) -> &'d [u8] {
        if self.head.is_empty() {
            self.ts_ns = cx.ts_ns;
        }
        let mut bytes = data.iter();
        let head_len = loop {
            let len = head_len(&self.head);
            if len.is_some_and(|len| self.head.len() >= len) {
                break len;
            }
            let Some(byte) = bytes.next() else {
                return &[];
            };
            self.head.push(*byte);
        };
        let head = std::mem::take(&mut self.head);
        let head = head_len.and_then(|len| head.get(..len));
        if let Some(frame) = head.and_then(|head| parse(head, self.direction, self.ts_ns)) {
            let left = frame.len;
            let len = head_len.unwrap_or(0);
            cx.record_begins(bytes.len().saturating_add(len));
            let payload_len = usize::try_from(left).unwrap_or(usize::MAX);
            let tx_id = cx.flow().transactions;
            cx.frame_in(tx_id, "header", 0, len);
            cx.frame_in(tx_id, "pdu", 0, payload_len.saturating_add(len));
            cx.frame_in(tx_id, "data", len, payload_len);
            self.go_on(
                cx,
                Passing {
                    frame,
                    left,
                    gap: false,
                    told: false,
                },
            );
        }
        bytes.as_slice()
    }

    /// Takes bytes of a payload; gives what is left.
    fn payload<'d>(
        &mut self,
        cx: &mut Context<'_, '_>,
        mut passing: Passing,
        data: &'d [u8],
    ) -> &'d [u8] {
        let left = usize::try_from(passing.left).unwrap_or(usize::MAX);
        let split = data.split_at_checked(left);
        let (taken, rest) = split.unwrap_or((data, &[]));
        passing.keep(taken, cx.config.apps.websocket.payload_max);
        let len = u64::try_from(taken.len()).unwrap_or(u64::MAX);
        passing.left = passing.left.saturating_sub(len);
        self.go_on(cx, passing);
        rest
    }

    /// Tells of the frame as soon as all of it that is kept is there.
    fn go_on(&mut self, cx: &mut Context<'_, '_>, mut passing: Passing) {
        let max = cx.config.apps.websocket.payload_max;
        let fits = usize::try_from(passing.frame.len).is_ok_and(|len| len <= max);
        let is_cut = !fits && (passing.frame.payload.len() >= max || passing.left == 0);
        if !passing.told && (passing.left == 0 || is_cut) {
            passing.told = true;
            self.tell(cx, &mut passing, is_cut);
        }
        self.passing = Some(passing).filter(|passing| passing.left > 0);
    }

    fn tell(&mut self, cx: &mut Context<'_, '_>, passing: &mut Passing, is_cut: bool) {
        let frame = &mut passing.frame;
        frame.tx_id = cx.transaction_id();
        frame.direction = cx.told_by(self.direction);
        if is_cut {
            cx.too_large_in(frame.tx_id, "skip_end_of_payload");
        }
        self.messages.add(cx, frame, passing.gap || is_cut);
        cx.transaction(frame);
        frame.message = None;
    }
}

impl Passing {
    /// Keeps bytes of the payload, without their mask.
    fn keep(&mut self, data: &[u8], max: usize) {
        let payload = &mut self.frame.payload;
        let room = max.saturating_sub(payload.len()).min(data.len());
        let data = data.get(..room).unwrap_or_default();
        let Some(mask) = self.frame.mask.filter(|mask| *mask != 0) else {
            return payload.extend_from_slice(data);
        };
        // where in the key the bytes stand: 2^64 is a multiple of its length
        let at = self.frame.len.wrapping_sub(self.left) & 3;
        let key = mask.to_be_bytes().into_iter().cycle();
        let key = key.skip(usize::try_from(at).unwrap_or(0));
        payload.extend(data.iter().zip(key).map(|(byte, key)| byte ^ key));
    }
}
