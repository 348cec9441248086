//! Calls over a TCP connection.

use std::collections::VecDeque;

use super::parser::Options;
use super::pdu::{
    ALTER_CONTEXT, ALTER_CONTEXT_RESPONSE, BIND, BIND_ACK, HEAD, Head, Interface, REQUEST,
    RESPONSE, Request, bind, bind_ack,
};
use super::transaction::{Dcerpc, Part};
use crate::applayer::records::{Format, Outcome, Records, Size, Take};
use crate::applayer::{AppLayer, Context, Next};
use crate::flow::Direction;

#[derive(Debug)]
pub(super) struct Parser {
    to_server: Records,
    to_client: Records,
    state: State,
}

const FORMAT: Format = Format {
    size: |data| match Head::of(data) {
        Some(head) => Size::Bytes(usize::from(head.len)),
        None if data.len() < HEAD && data.first() == Some(&5) => Size::Unsure,
        None => Size::Bad,
    },
    is_start: |data| Head::of(data).is_some(),
    // the length has 16 bits
    bytes_max: 1 << 16,
};

impl Parser {
    pub(super) fn new(options: Options) -> Self {
        Self {
            to_server: Records::default(),
            to_client: Records::default(),
            state: State {
                options,
                pending: VecDeque::new(),
                interfaces: Vec::new(),
            },
        }
    }
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        let Self {
            to_server,
            to_client,
            state,
        } = self;
        let records = match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        };
        let outcome = records.data(data, cx.ts_ns, FORMAT, &mut |record, ts_ns| {
            state.message(cx, direction, record, ts_ns);
            Take::Next
        });
        if outcome == Outcome::Bad {
            state.end(cx);
            return Next::Error;
        }
        Next::More
    }

    fn gap(&mut self, _: &mut Context<'_, '_>, direction: Direction, len: u64) -> Next {
        match direction {
            Direction::ToServer => self.to_server.gap(len, FORMAT),
            Direction::ToClient => self.to_client.gap(len, FORMAT),
        }
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.state.end(cx);
    }

    fn buffered(&self) -> usize {
        let [a, b] = [&self.to_server, &self.to_client].map(Records::buffered);
        a.saturating_add(b)
    }
}

#[derive(Debug)]
struct State {
    options: Options,
    /// Calls that wait for their answers.
    pending: VecDeque<Dcerpc>,
    /// Those of the last bind, with what the server said to them.
    interfaces: Vec<Interface>,
}

impl State {
    fn message(
        &mut self,
        cx: &mut Context<'_, '_>,
        direction: Direction,
        record: &[u8],
        first_ts_ns: u64,
    ) {
        let Some(head) = Head::of(record) else { return };
        let body = record.get(HEAD..).unwrap_or_default();
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
        cx.transaction(&tx);
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        for tx in self.pending.drain(..) {
            cx.transaction(&tx);
        }
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
