//! Calls over a TCP connection.

use std::collections::VecDeque;

use super::parser::Options;
use super::pdu::{
    ALTER_CONTEXT, ALTER_CONTEXT_RESPONSE, BIND, BIND_ACK, HEAD, Head, Interface, REQUEST,
    RESPONSE, Request, bind, bind_ack, stub,
};
use super::transaction::{Dcerpc, Part, Stubs};
use crate::applayer::records::{Found, Framed, Record, Records, Size};
use crate::applayer::{Context, Next};
use crate::flow::Direction;

pub(super) fn parser(options: Options) -> Framed<Parser> {
    Framed::new(Parser {
        options,
        pending: VecDeque::new(),
        interfaces: Vec::new(),
    })
}

impl Records for Parser {
    fn size(&mut self, _: Direction, data: &[u8]) -> Size {
        match Head::of(data) {
            Some(head) => Size::Bytes(usize::from(head.len)),
            None if data.len() < HEAD && data.first() == Some(&5) => Size::Unsure,
            None => Size::Bad,
        }
    }

    fn find(&self, _: Direction, data: &[u8]) -> Found {
        Found::front(Head::of(data).is_some())
    }

    fn record(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: Record<'_>,
    ) -> Next {
        self.message(cx, direction, record.bytes, record.ts_ns);
        Next::More
    }

    fn bad(&mut self, cx: &mut Context<'_, '_>, _: Direction, _: u64) -> Next {
        self.end(cx);
        Next::Error
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

#[derive(Debug)]
pub(super) struct Parser {
    options: Options,
    /// Calls that wait for their answers.
    pending: VecDeque<Dcerpc>,
    /// Those of the last bind, with what the server said to them.
    interfaces: Vec<Interface>,
}

impl Parser {
    fn message(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: &[u8],
        first_ts_ns: u64,
    ) {
        let Some(head) = Head::of(record) else { return };
        let body = record.get(HEAD..).unwrap_or_default();
        cx.frame("hdr", 0, HEAD);
        cx.frame("pdu", 0, record.len());
        cx.frame("data", HEAD, body.len());
        match direction {
            Direction::ToServer => self.request(cx, head, body, first_ts_ns),
            Direction::ToClient => self.response(cx, head, body, first_ts_ns),
        }
    }

    fn request(&mut self, cx: &mut Context<'_, '_>, head: Head, body: &[u8], first_ts_ns: u64) {
        let mut tx = Dcerpc::new(head, first_ts_ns);
        match head.kind {
            REQUEST => {
                let Some(request) = Request::of(&head, body) else {
                    return;
                };
                tx.request = Some(Part::of(REQUEST, request.stub_bytes));
                tx.opnum = request.opnum;
                tx.stubs
                    .add(cx, Direction::ToServer, stub(body), head.little);
                let called = |interface: &&Interface| interface.context == request.context;
                tx.interfaces = self.interfaces.iter().filter(called).copied().collect();
            }
            BIND | ALTER_CONTEXT => {
                self.interfaces = bind(&head, body).unwrap_or_default();
                tx.request = Some(Part::of(head.kind, 0));
                tx.interfaces.clone_from(&self.interfaces);
            }
            _ => return,
        }
        tx.tx_id = cx.transaction_id();
        cx.progress_of(&tx, Direction::ToServer);
        if self.pending.len() >= self.options.transactions_max
            && let Some(oldest) = self.pending.pop_front()
        {
            cx.transaction(&oldest);
        }
        self.pending.push_back(tx);
    }

    fn response(&mut self, cx: &mut Context<'_, '_>, head: Head, body: &[u8], first_ts_ns: u64) {
        let stub_bytes = match head.kind {
            RESPONSE => u32::from(head.len).saturating_sub(16),
            BIND_ACK | ALTER_CONTEXT_RESPONSE => 0,
            _ => return,
        };
        let answered = match head.kind {
            RESPONSE => REQUEST,
            BIND_ACK => BIND,
            _ => ALTER_CONTEXT,
        };
        let is_asked = |tx: &Dcerpc| {
            let kind = tx.request.map(|request| request.kind);
            tx.call_id == head.call_id && kind == Some(answered)
        };
        let found = self.pending.iter().position(is_asked);
        let mut tx = match found.and_then(|at| self.pending.remove(at)) {
            Some(tx) => tx,
            None => Dcerpc {
                tx_id: cx.transaction_id(),
                ..Dcerpc::new(head, first_ts_ns)
            },
        };
        if head.kind != RESPONSE {
            _ = bind_ack(&head, body, &mut self.interfaces);
            tx.interfaces.clone_from(&self.interfaces);
        }
        tx.response = Some(Part::of(head.kind, stub_bytes));
        if head.kind == RESPONSE {
            tx.stubs
                .add(cx, Direction::ToClient, stub(body), head.little);
        }
        cx.transaction(&tx);
    }
}

impl Dcerpc {
    fn new(head: Head, first_ts_ns: u64) -> Self {
        Self {
            tx_id: 0,
            first_ts_ns,
            version: (5, head.minor),
            call_id: head.call_id,
            activity: None,
            request: None,
            response: None,
            opnum: 0,
            interfaces: Vec::new(),
            stubs: Stubs::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parser::probe;
    use super::super::pdu::tests::{bind_body, pdu};
    use super::*;
    use crate::applayer::Probe;
    use crate::flow::Proto;

    #[test]
    fn first_bytes() {
        let message = pdu(BIND, 1, &bind_body());
        let probe = |data: &[u8]| probe(Proto::Tcp, Direction::ToServer, data);
        assert_eq!(probe(&message), Probe::Certain);
        for len in 1..HEAD {
            assert_eq!(probe(&message[..len]), Probe::Unsure, "{len}");
        }
        assert_eq!(probe(&[5, 2, 0, 2]), Probe::No, "SOCKS");
    }
}
