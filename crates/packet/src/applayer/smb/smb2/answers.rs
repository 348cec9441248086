//! Responses of versions 2 and 3.

use super::super::files::Piece;
use super::super::names::dialect_name;
use super::super::pipe::{answer_function, looks_like_call};
use super::super::state::{Head, State, Tree};
use super::super::status::{BUFFER_OVERFLOW, END_OF_FILE, SUCCESS};
use super::super::transaction::{Command, Create, Detail, Smb};
use super::super::wire::{le16, le32, le64, part, unix_s};
use super::{HEADER, Header, IOCTL, NEGOTIATE, PIPE_TRANSCEIVE, READ, Rest, guid_at};
use crate::applayer::Context;
use crate::flow::Direction;

impl State {
    pub(super) fn response_2(
        &mut self,
        cx: &mut Context<'_, '_>,
        header: &Header,
        head: &Head,
        message: &[u8],
    ) -> Rest {
        let body = message.get(HEADER..).unwrap_or_default();
        let is_success = header.status == 0;
        // what comes back through a pipe
        let mut answer: &[u8] = &[];
        match header.command {
            READ => return self.read_response(cx, head, message),
            NEGOTIATE => {
                self.negotiate_response(cx, head, is_success, body);
                return None;
            }
            IOCTL if le32(body, 4) == Some(PIPE_TRANSCEIVE) => {
                let place = le32(body, 32).zip(le32(body, 36)).unwrap_or_default();
                let at = usize::try_from(place.0).ok()?;
                let data = part(message, at, usize::try_from(place.1).ok()?);
                answer = data;
                if looks_like_call(data) && !self.is_pending(head) {
                    // some servers send no identifier back
                    self.pipe_response(cx, head, None, data);
                    return None;
                }
            }
            _ => {}
        }
        let mut tx = self.take(head)?;
        match &mut tx.detail {
            Detail::Dcerpc(call) => answer_function(cx, call, answer),
            Detail::SessionSetup(_) => tx.session_id = head.session_id,
            Detail::TreeConnect(tree) if is_success => {
                tree.kind = body.get(2).copied();
                tree.is_pipe = tree.kind == Some(PIPE);
                tx.tree_id = head.tree_id;
                let (name, is_pipe) = (tree.share.clone(), tree.is_pipe);
                self.set_tree(head.tree_id, Tree { name, is_pipe });
            }
            Detail::Create(create) if is_success => {
                if created(create, body).is_some()
                    && let Some(id) = create.id
                {
                    self.set_name(id, &create.name);
                }
            }
            Detail::Negotiate(_)
            | Detail::TreeConnect(_)
            | Detail::Create(_)
            | Detail::Generic
            | Detail::File { .. }
            | Detail::Ioctl(_)
            | Detail::Rename { .. }
            | Detail::Disposition { .. } => {}
        }
        self.finish(cx, tx, head.status);
        None
    }

    fn negotiate_response(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: &Head,
        is_success: bool,
        body: &[u8],
    ) {
        let is_asked = |tx: &Smb| match tx.command {
            Command::V2(command) => command == NEGOTIATE && tx.message_id == head.message_id,
            // answered with version 2 ([MS-SMB2] 3.3.5.3)
            Command::V1(command) => command == super::super::smb1::NEGOTIATE,
        };
        let said = le16(body, 4).zip(le32(body, 32).zip(le32(body, 36)));
        if let Some((dialect, (read, write))) = said.filter(|_| is_success) {
            self.dialect = dialect_name(dialect);
            (self.read_bytes_max, self.write_bytes_max) = (read, write);
            let (reads, writes) = (self.options.read_bytes_max, self.options.write_bytes_max);
            if reads != 0 && read > reads {
                cx.anomaly("negotiate_max_read_size_too_large");
            }
            if writes != 0 && write > writes {
                cx.anomaly("negotiate_max_write_size_too_large");
            }
        }
        let Some(at) = self.pending.iter().position(is_asked) else {
            return;
        };
        let Some(mut tx) = self.pending.remove(at) else {
            return;
        };
        if let Detail::Negotiate(negotiate) = &mut tx.detail
            && is_success
        {
            negotiate.server = body.get(8..).and_then(|guid| guid.first_chunk().copied());
            negotiate.sizes = said.map(|(_, sizes)| sizes);
        }
        self.finish(cx, tx, head.status);
    }

    fn read_response(&mut self, cx: &mut Context<'_, '_>, head: &Head, message: &[u8]) -> Rest {
        let read = self.take_read(head)?;
        let status = head.status?;
        if status == END_OF_FILE {
            self.close(cx, read.id, Some(Direction::ToClient), Some(status));
            return None;
        }
        if status != SUCCESS && status != BUFFER_OVERFLOW {
            return None;
        }
        let body = message.get(HEADER..)?;
        let data_at = usize::from(*body.get(2)?);
        let len = le32(body, 4)?;
        let exceeds = |max: u32| max != 0 && len > max;
        if exceeds(self.read_bytes_max) || exceeds(self.options.read_bytes_max) {
            cx.anomaly("read_response_too_large");
        }
        let data = part(message, data_at, usize::try_from(len).ok()?);
        if self.is_pipe(head.tree_id, || looks_like_call(data)) {
            self.pipe_response(cx, head, Some(read.id), data);
            return None;
        }
        let piece = Piece {
            id: read.id,
            direction: Direction::ToClient,
            offset: read.offset,
        };
        self.file_data(cx, head, piece, (data, len))
    }
}

/// [MS-SMB2] 2.2.14.
fn created(create: &mut Create, body: &[u8]) -> Option<()> {
    let time_s = |at: usize| le64(body, at).map(unix_s);
    create.times_s = [time_s(8)?, time_s(16)?, time_s(24)?, time_s(32)?];
    create.size = le64(body, 48)?;
    create.id = Some(guid_at(body, 64)?);
    Some(())
}

/// The kind of share that leads to pipes.
const PIPE: u8 = 2;
