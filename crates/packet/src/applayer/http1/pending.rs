//! A request that waits for its response, with the bodies of both as they come.

use super::content::Content;
use super::head::StartLine;
use super::transaction::{Phase, Transaction};
use crate::applayer::Context;
use crate::file::FileState;
use crate::flow::Direction;

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) transaction: Transaction,
    pub(super) request: Option<Content>,
    pub(super) response: Option<Content>,
    /// All of the request is there.
    pub(super) request_over: bool,
    /// All of the response is there.
    pub(super) response_over: bool,
}

impl Pending {
    pub(super) fn size(&self) -> usize {
        let contents = [&self.request, &self.response].into_iter().flatten();
        contents.fold(self.transaction.size(), |sum, content| {
            sum.saturating_add(content.size())
        })
    }

    pub(super) fn count(&mut self, direction: Direction, sent: u64) {
        let sum = match direction {
            Direction::ToServer => &mut self.transaction.request_len,
            Direction::ToClient => &mut self.transaction.response_len,
        };
        *sum = sum.saturating_add(sent);
    }

    pub(super) fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) {
        let content = match direction {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        };
        if let Some(content) = content {
            content.data(cx, &mut self.transaction, data);
        }
    }

    pub(super) fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, len: u64) {
        let content = match direction {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        };
        if let Some(content) = content {
            content.gap(cx, &self.transaction, len);
        }
    }

    pub(super) fn add_trailer(&mut self, direction: Direction, trailer: &[u8]) {
        let (head, kind) = match direction {
            Direction::ToServer => (&mut self.transaction.request, StartLine::Request),
            Direction::ToClient => (&mut self.transaction.response, StartLine::Status),
        };
        if let Some(head) = head.as_mut().filter(|_| !trailer.is_empty()) {
            head.add_trailer(trailer, kind);
        }
    }

    pub(super) fn complete(&mut self, cx: &mut Context<'_, '_>, state: FileState) {
        for content in [&mut self.request, &mut self.response]
            .into_iter()
            .flatten()
        {
            content.finish(cx, &self.transaction, state);
        }
        self.transaction.phase = Phase::Complete;
        cx.transaction(&self.transaction);
    }

    /// Whether there are files to tell of.
    pub(super) fn is_untold(&self) -> bool {
        let mut contents = [&self.request, &self.response].into_iter().flatten();
        contents.any(Content::is_untold)
    }

    /// Tells of the files of that direction that are over.
    pub(super) fn tell(&mut self, cx: &mut Context<'_, '_>, direction: Direction) {
        let content = match direction {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        };
        if let Some(content) = content {
            content.tell(cx, &self.transaction);
        }
    }

    pub(super) fn tell_all(&mut self, cx: &mut Context<'_, '_>) {
        self.tell(cx, Direction::ToServer);
        self.tell(cx, Direction::ToClient);
    }
}
