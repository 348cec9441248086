//! Remote procedure calls through named pipes ([MS-RPCE] 2.1.1.2).

use super::state::{Head, State};
use super::status::Status;
use super::transaction::{Call, Detail, FileId, Smb};
use crate::applayer::Context;
use crate::applayer::dcerpc::Stubs;
use crate::applayer::dcerpc::pdu::{
    ALTER_CONTEXT, ALTER_CONTEXT_RESPONSE, BIND, BIND_ACK, FIRST, HEAD, Head as Pdu, LAST, REQUEST,
    RESPONSE, Request, bind, bind_ack, stub,
};
use crate::flow::Direction;

/// Whether what is sent looks like a call.
pub(super) fn looks_like_call(data: &[u8]) -> bool {
    Pdu::of(data).is_some()
}

impl State {
    /// What a client sends through a pipe; whether it was a call.
    pub(super) fn pipe_request(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: &Head,
        id: Option<FileId>,
        data: &[u8],
    ) -> bool {
        let Some(pdu) = Pdu::of(data) else {
            return false;
        };
        let body = data.get(HEAD..).unwrap_or_default();
        let mut call = Call::new(id, pdu.call_id);
        call.request = Some(pdu.kind);
        match pdu.kind {
            REQUEST => {
                let Some(request) = Request::of(&pdu, body) else {
                    return false;
                };
                if pdu.flags & FIRST == 0
                    && let Some(call) = self.call_mut(id, pdu.call_id)
                {
                    call.asked = added(call.asked, request.stub_bytes);
                    call.stubs
                        .add(cx, Direction::ToServer, stub(body), pdu.little);
                    return true;
                }
                call.opnum = request.opnum;
                call.asked = (1, request.stub_bytes);
                call.stubs
                    .add(cx, Direction::ToServer, stub(body), pdu.little);
                let bound = self.interfaces.iter();
                let called = bound.filter(|interface| interface.context == request.context);
                call.interfaces = called
                    .map(|interface| crate::applayer::dcerpc::Interface {
                        ack: None,
                        ..*interface
                    })
                    .collect();
            }
            BIND | ALTER_CONTEXT => {
                self.interfaces = bind(&pdu, body).unwrap_or_default();
                call.interfaces.clone_from(&self.interfaces);
            }
            _ => {}
        }
        self.begin(cx, head, Detail::Dcerpc(Box::new(call)));
        true
    }

    /// What a server sends through a pipe.
    pub(super) fn pipe_response(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: &Head,
        id: Option<FileId>,
        data: &[u8],
    ) {
        let Some(pdu) = Pdu::of(data) else { return };
        let Some(at) = self
            .pending
            .iter()
            .position(|tx| is_call(tx, id, pdu.call_id))
        else {
            let mut call = Call::new(id, pdu.call_id);
            call.answer(cx, &pdu, data);
            let tx = self.new_tx(cx, head, Detail::Dcerpc(Box::new(call)));
            return self.finish(cx, tx, head.status);
        };
        if matches!(pdu.kind, BIND_ACK | ALTER_CONTEXT_RESPONSE) {
            let body = data.get(HEAD..).unwrap_or_default();
            _ = bind_ack(&pdu, body, &mut self.interfaces);
        }
        let interfaces = &self.interfaces;
        if let Some(tx) = self.pending.get_mut(at)
            && let Detail::Dcerpc(call) = &mut tx.detail
        {
            call.answer(cx, &pdu, data);
            if matches!(call.request, Some(BIND | ALTER_CONTEXT)) {
                call.interfaces.clone_from(interfaces);
            }
        }
        if pdu.flags & LAST != 0
            && let Some(tx) = self.pending.remove(at)
        {
            let status = head
                .status
                .filter(|status| *status != super::status::BUFFER_OVERFLOW);
            self.finish(cx, tx, Some(status.unwrap_or(Status::Nt(0))));
        }
    }

    fn call_mut(&mut self, id: Option<FileId>, call_id: u32) -> Option<&mut Call> {
        let tx = self
            .pending
            .iter_mut()
            .find(|tx| is_call(tx, id, call_id))?;
        match &mut tx.detail {
            Detail::Dcerpc(call) if call.request == Some(REQUEST) => Some(call),
            Detail::Dcerpc(_)
            | Detail::Generic
            | Detail::Negotiate(_)
            | Detail::SessionSetup(_)
            | Detail::TreeConnect(_)
            | Detail::Create(_)
            | Detail::File { .. }
            | Detail::Ioctl(_)
            | Detail::Rename { .. }
            | Detail::Disposition { .. } => None,
        }
    }
}

impl Call {
    fn new(id: Option<FileId>, call_id: u32) -> Self {
        Self {
            id,
            call_id,
            request: None,
            response: None,
            opnum: 0,
            asked: (0, 0),
            answered: (0, 0),
            interfaces: Vec::new(),
            stubs: Stubs::default(),
            function: None,
        }
    }

    /// Takes an answer, `data` with its head.
    pub(super) fn answer(&mut self, cx: &Context<'_, '_>, pdu: &Pdu, data: &[u8]) {
        self.response = Some(pdu.kind);
        if pdu.kind == RESPONSE {
            let body = data.get(HEAD..).unwrap_or_default();
            self.stubs
                .add(cx, Direction::ToClient, stub(body), pdu.little);
            self.answered = added(self.answered, u32::from(pdu.len).saturating_sub(24));
        }
    }
}

/// Takes the answer that comes with the response to the function that carries a call.
pub(super) fn answer_function(cx: &Context<'_, '_>, call: &mut Call, data: &[u8]) {
    let Some(pdu) = Pdu::of(data) else { return };
    call.answer(cx, &pdu, data);
    if matches!(pdu.kind, BIND_ACK | ALTER_CONTEXT_RESPONSE) {
        let body = data.get(HEAD..).unwrap_or_default();
        _ = bind_ack(&pdu, body, &mut call.interfaces);
    }
}

/// Whether Suricata knows that calls go through a pipe of this name; of one whose name was not seen
/// that is taken for granted.
pub(super) fn is_told(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "", "atsvc", "lsarpc", "samr", "spoolss", "srvsvc", "svcctl", "winreg",
    ];
    NAMES.contains(&name.trim_start_matches('\\'))
}

/// Whether a transaction is the call, and one that is answered.
fn is_call(tx: &Smb, id: Option<FileId>, call_id: u32) -> bool {
    let Detail::Dcerpc(call) = &tx.detail else {
        return false;
    };
    let is_answered = matches!(call.request, Some(REQUEST | BIND | ALTER_CONTEXT));
    call.call_id == call_id && is_answered && (id.is_none() || call.id.is_none() || call.id == id)
}

fn added((count, bytes): (u32, u32), more: u32) -> (u32, u32) {
    (count.saturating_add(1), bytes.saturating_add(more))
}
