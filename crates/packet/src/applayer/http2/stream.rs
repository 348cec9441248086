//! A stream with its bodies as they come.

use super::content::Content;
use super::transaction::Transaction;
use crate::applayer::{AppProto, Context};
use crate::file::FileState;
use crate::flow::Direction;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) transaction: Transaction,
    request: Option<Content>,
    response: Option<Content>,
}

impl Stream {
    pub(super) fn new(transaction: Transaction) -> Self {
        Self {
            transaction,
            request: None,
            response: None,
        }
    }

    /// Memory in use, about, bytes.
    pub(super) fn size(&self) -> usize {
        let contents = [&self.request, &self.response].into_iter().flatten();
        contents.fold(self.transaction.size(), |sum, content| {
            sum.saturating_add(content.size())
        })
    }

    pub(super) fn content(&mut self, from: Direction) -> (&mut Option<Content>, &mut Transaction) {
        let content = match from {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        };
        (content, &mut self.transaction)
    }

    /// Whether a side ended it before its time.
    pub(super) fn is_reset(&self) -> bool {
        let transaction = &self.transaction;
        transaction.request.error_code.is_some() || transaction.response.error_code.is_some()
    }

    /// Nothing more will come of it.
    pub(super) fn complete(&mut self, cx: &mut Context<'_, '_>, state: FileState) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (content, transaction) = self.content(direction);
            if let Some(content) = content {
                content.finish(cx, transaction, state);
            }
        }
        self.transaction.over_doh = cx.flow().app == AppProto::Doh2;
        self.transaction.complete = true;
        cx.transaction(&self.transaction);
    }

    /// Whether there are files to tell of.
    pub(super) fn is_untold(&self) -> bool {
        let mut contents = [&self.request, &self.response].into_iter().flatten();
        contents.any(Content::is_untold)
    }

    /// Tells of a file of that direction that is over.
    pub(super) fn tell(&mut self, cx: &mut Context<'_, '_>, direction: Direction) {
        let (content, transaction) = self.content(direction);
        if let Some(content) = content {
            content.tell(cx, transaction);
        }
    }

    pub(super) fn tell_all(&mut self, cx: &mut Context<'_, '_>) {
        self.tell(cx, Direction::ToServer);
        self.tell(cx, Direction::ToClient);
    }
}
