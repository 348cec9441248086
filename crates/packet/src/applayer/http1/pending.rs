//! A request that waits for its response, with the bodies of both as they come.

use super::content::{Content, Files};
use super::head::StartLine;
use super::transaction::{Phase, Transaction};
use crate::applayer::Context;
use crate::file::FileState;
use crate::flow::Direction;
use crate::sensor::Part;

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) transaction: Transaction,
    /// Boxed: most requests have no body, and a connection may wait long for a response.
    pub(super) request: Option<Box<Content>>,
    pub(super) response: Option<Box<Content>>,
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
            self.transaction.note_body(direction, content.is_over());
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

    /// Nothing more will come of it; what is left are files that were not told of.
    pub(super) fn complete(mut self, cx: &mut Context<'_, '_>, state: FileState) -> Option<Untold> {
        for content in [&mut self.request, &mut self.response]
            .into_iter()
            .flatten()
        {
            content.finish(cx, &self.transaction, state);
        }
        self.transaction.phase = Phase::Complete;
        for (over, part) in [
            (self.request_over, Part::Request),
            (self.response_over, Part::Response),
        ] {
            if !over {
                cx.progress(&self.transaction, part);
            }
        }
        cx.transaction(&self.transaction);
        let files = |content: Option<Box<Content>>| {
            let files = content.map(|content| content.into_files());
            files.unwrap_or_default()
        };
        let untold = Untold {
            transaction: self.transaction,
            files: [files(self.request), files(self.response)],
        };
        untold.is_any().then_some(untold)
    }

    /// Whether there are files to tell of.
    pub(super) fn is_untold(&self) -> bool {
        let mut contents = [&self.request, &self.response].into_iter().flatten();
        contents.any(|content| content.is_untold())
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
}

/// An exchange that was told of, with files that were not.
#[derive(Debug)]
pub(super) struct Untold {
    transaction: Transaction,
    /// Those to the server and those to the client.
    files: [Files; 2],
}

impl Untold {
    /// Frees what the records of its files have no need of: they may wait as long as the connection
    /// is open.
    pub(super) fn shrink(&mut self) {
        self.transaction.shrink_to_carrier();
    }

    pub(super) fn size(&self) -> usize {
        let files = self.files.iter().map(Files::size);
        files.fold(self.transaction.size(), usize::saturating_add)
    }

    /// Whether there are files to tell of.
    pub(super) fn is_any(&self) -> bool {
        self.files.iter().any(Files::is_untold)
    }

    /// Tells of the files of that direction.
    pub(super) fn tell(&mut self, cx: &mut Context<'_, '_>, direction: Direction) {
        if let Some(files) = self.files.get_mut(direction.at()) {
            files.tell(cx, &self.transaction, direction);
        }
    }

    pub(super) fn tell_all(mut self, cx: &mut Context<'_, '_>) {
        self.tell(cx, Direction::ToServer);
        self.tell(cx, Direction::ToClient);
    }
}
