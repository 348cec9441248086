//! Data connections: known from their control connection alone.

use crate::applayer::{AppLayer, Context, Next};
use crate::file::{File, FileState};
use crate::flow::Direction;

/// What went over a data connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Number within the flow.
    pub tx_id: u32,
    /// Time of the first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// The command that it is for, upper case.
    pub command: &'static str,
    /// The name of the file as the command gave it; empty for a list.
    pub filename: Vec<u8>,
}

/// Follows one data connection.
#[derive(Debug)]
pub(super) struct Parser {
    transfer: Transfer,
    is_begun: bool,
    file: Option<File>,
}

impl Parser {
    pub(super) fn new(command: &'static str, filename: &[u8]) -> Self {
        Self {
            transfer: Transfer {
                tx_id: 0,
                first_ts_ns: 0,
                command,
                filename: filename.to_vec(),
            },
            is_begun: false,
            file: None,
        }
    }

    fn begin(&mut self, cx: &mut Context<'_, '_>, direction: Direction) {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.transfer.tx_id = cx.transaction_id();
            self.transfer.first_ts_ns = cx.ts_ns;
            let name = &self.transfer.filename;
            self.file = (!name.is_empty()).then(|| File::open(cx, direction, name));
            for side in [Direction::ToServer, Direction::ToClient] {
                cx.progress_of(&self.transfer, side);
            }
        }
    }

    fn close(&mut self, cx: &mut Context<'_, '_>, state: FileState) {
        if let Some(file) = self.file.take() {
            file.close_if_whole(cx, &self.transfer, state);
        }
    }
}

impl AppLayer for Parser {
    fn data(&mut self, cx: &mut Context<'_, '_>, direction: Direction, data: &[u8]) -> Next {
        self.begin(cx, direction);
        if let Some(file) = &mut self.file {
            file.data(cx, &self.transfer, data);
        }
        Next::More
    }

    fn gap(&mut self, cx: &mut Context<'_, '_>, direction: Direction, _: u64) -> Next {
        self.begin(cx, direction);
        self.close(cx, FileState::Truncated);
        Next::More
    }

    fn end(&mut self, cx: &mut Context<'_, '_>) {
        self.close(cx, FileState::Closed);
        if self.is_begun {
            cx.transaction(&self.transfer);
        }
    }

    fn buffered(&self) -> usize {
        self.transfer.filename.len()
    }
}
