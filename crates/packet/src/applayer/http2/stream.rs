//! A stream with its bodies as they come.

use super::content::Content;
use super::transaction::{Entry, Transaction};
use crate::applayer::{AppProto, Context};
use crate::file::FileState;
use crate::flow::Direction;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) transaction: Transaction,
    request: Option<Box<Content>>,
    response: Option<Box<Content>>,
    /// Bytes of the header fields of both sides.
    pub(super) head_bytes: usize,
    /// Its part of what the parser keeps.
    pub(super) counted: usize,
}

impl Stream {
    pub(super) fn new(transaction: Transaction) -> Self {
        let sides = [&transaction.request, &transaction.response].into_iter();
        let sizes = sides.flat_map(|side| &side.headers).map(Entry::size);
        Self {
            head_bytes: sizes.fold(0, usize::saturating_add),
            transaction,
            request: None,
            response: None,
            counted: 0,
        }
    }

    /// Memory in use, about, bytes.
    pub(super) fn size(&self) -> usize {
        let contents = [&self.request, &self.response].into_iter().flatten();
        let contents = contents.map(|content| content.size().saturating_add(size_of::<Content>()));
        let Transaction {
            request, response, ..
        } = &self.transaction;
        let bodies = [request.body.len(), response.body.len(), self.head_bytes];
        contents
            .chain(bodies)
            .fold(size_of::<Self>(), usize::saturating_add)
    }

    pub(super) fn content(
        &mut self,
        from: Direction,
    ) -> (&mut Option<Box<Content>>, &mut Transaction) {
        let content = match from {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        };
        (content, &mut self.transaction)
    }

    /// Whether a side ended it before its time.
    pub(super) fn is_reset(&self) -> bool {
        let transaction = &self.transaction;
        !(transaction.request.errors.is_empty() && transaction.response.errors.is_empty())
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
        contents.any(|content| content.is_untold())
    }

    /// Frees the bodies, when it was told of and only files wait.
    pub(super) fn forget_bodies(&mut self) {
        self.transaction.request.body = Vec::new();
        self.transaction.response.body = Vec::new();
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
