//! Calls in datagrams, version 4 (C706 section 12.5).

use std::collections::VecDeque;

use super::parser::Options;
use super::pdu::{REQUEST, RESPONSE, Uuid, u16_at, u32_at};
use super::transaction::{Dcerpc, Part, Stubs};
use crate::applayer::{AppLayer, Context, Next};
use crate::flow::Direction;

/// The head (C706 section 12.5.3.1).
#[derive(Debug, Clone, Copy)]
struct Head {
    kind: u8,
    flags: u8,
    activity: Uuid,
    number: u32,
    len: u16,
    /// Numbers are little-endian.
    little: bool,
}

/// Length of the head, bytes.
const HEAD: usize = 80;
/// Flags: the last fragment; a fragment.
const LAST: u8 = 2;
const FRAGMENT: u8 = 4;
/// Kinds that there are.
const KINDS: u8 = 11;

/// Whether a datagram is a call or something about one.
pub(super) fn looks_like_call(data: &[u8]) -> bool {
    Head::of(data).is_some_and(|head| matches!(head.kind, REQUEST | RESPONSE))
}

impl Head {
    fn of(data: &[u8]) -> Option<Self> {
        let [4, kind, flags, more_flags, format, floats, ..] = *data else {
            return None;
        };
        if kind >= KINDS || more_flags & 0xfc != 0 || format & 0xee != 0 || floats > 3 {
            return None;
        }
        let little = format & 0x10 != 0;
        let len = u16_at(data, 74, little)?;
        let behind = data.len().checked_sub(HEAD)?;
        (usize::from(len) <= behind).then_some(())?;
        Some(Self {
            kind,
            flags,
            activity: Uuid::of(data.get(40..56)?, little)?,
            number: u32_at(data, 64, little)?,
            len,
            little,
        })
    }

    fn is_last(&self) -> bool {
        self.flags & FRAGMENT == 0 || self.flags & LAST != 0
    }
}

#[derive(Debug)]
pub(super) struct Parser {
    options: Options,
    pending: VecDeque<Dcerpc>,
}

impl Parser {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            pending: VecDeque::new(),
        }
    }

    fn find(&self, head: &Head) -> Option<usize> {
        let key = Some((head.activity, head.number));
        self.pending.iter().position(|tx| tx.activity == key)
    }

    fn request(&mut self, cx: &mut Context<'_, '_>, head: &Head, stub: &[u8]) {
        if let Some(tx) = self.find(head).and_then(|at| self.pending.get_mut(at)) {
            if let Some(request) = &mut tx.request {
                request.add(head.len.into());
            }
            tx.stubs.add(cx, Direction::ToServer, stub, head.little);
            return;
        }
        if self.pending.len() >= self.options.transactions_max
            && let Some(oldest) = self.pending.pop_front()
        {
            cx.transaction(&oldest);
        }
        let mut tx = Dcerpc {
            tx_id: cx.transaction_id(),
            first_ts_ns: cx.ts_ns,
            version: (4, 0),
            call_id: 0,
            activity: Some((head.activity, head.number)),
            request: Some(Part::of(REQUEST, head.len.into())),
            response: None,
            // Suricata does not tell the operations of datagrams
            opnum: 0,
            interfaces: Vec::new(),
            stubs: Stubs::default(),
        };
        tx.stubs.add(cx, Direction::ToServer, stub, head.little);
        cx.progress_of(&tx, Direction::ToServer);
        self.pending.push_back(tx);
    }

    fn response(&mut self, cx: &mut Context<'_, '_>, head: &Head, stub: &[u8]) {
        let Some(at) = self.find(head) else { return };
        if let Some(tx) = self.pending.get_mut(at) {
            tx.stubs.add(cx, Direction::ToClient, stub, head.little);
            match &mut tx.response {
                Some(response) => response.add(head.len.into()),
                None => tx.response = Some(Part::of(RESPONSE, head.len.into())),
            }
        }
        if head.is_last()
            && let Some(tx) = self.pending.remove(at)
        {
            cx.transaction(&tx);
        }
    }
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        if let Some(head) = Head::of(data) {
            let stub = data.get(HEAD..).unwrap_or_default();
            let stub = stub.get(..head.len.into()).unwrap_or(stub);
            match (direction, head.kind) {
                (Direction::ToServer, REQUEST) => self.request(cx, &head, stub),
                (Direction::ToClient, RESPONSE) => self.response(cx, &head, stub),
                _ => {}
            }
        }
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        for tx in self.pending.drain(..) {
            cx.transaction(&tx);
        }
    }

    fn buffered(&self) -> usize {
        let stubs = self.pending.iter().map(|tx| tx.stubs.size());
        stubs.fold(0, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_other_datagrams() {
        let mut datagram = vec![4, 0, 0x20, 0, 0x10, 0, 0, 0];
        datagram.resize(HEAD, 0);
        assert!(looks_like_call(&datagram));
        datagram[74] = 1;
        assert!(!looks_like_call(&datagram), "longer than it is");
        datagram.push(7);
        assert!(looks_like_call(&datagram));
        datagram[0] = 5;
        assert!(!looks_like_call(&datagram));
        for len in 0..HEAD {
            assert!(!looks_like_call(&datagram[..len]));
        }
    }
}
