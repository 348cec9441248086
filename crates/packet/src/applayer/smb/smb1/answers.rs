//! Responses of version 1.

use super::super::files::Piece;
use super::super::pipe::looks_like_call;
use super::super::smb2::Rest;
use super::super::state::{Head, State, Tree};
use super::super::status::{BUFFER_OVERFLOW, Status};
use super::super::transaction::{Create, Detail, FileId, Negotiate, Smb};
use super::super::wire::{ascii_z, le16, le64, part, unix_s};
use super::{Block, CLOSE, LOCKING_ANDX, NEGOTIATE, READ_ANDX, TRANSACTION, WRITE_ANDX, systems};
use crate::applayer::Context;
use crate::flow::Direction;

impl State {
    pub(super) fn response_1(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: &Head,
        block: &Block<'_>,
    ) -> Rest {
        let is_success = head.status.is_some_and(Status::is_success);
        match block.command {
            READ_ANDX => return self.read_response_1(cx, head, block),
            WRITE_ANDX | LOCKING_ANDX => return None,
            // that of LAN Manager says nothing that is told
            NEGOTIATE if block.words.len() < NEGOTIATED_WORDS => return None,
            TRANSACTION => {
                let data = super::super::trans::response_data(block);
                if looks_like_call(data) {
                    self.pipe_response(cx, head, None, data);
                    return None;
                }
            }
            CLOSE => {
                if let Some(id) = self.take_close(head) {
                    self.close(cx, id, None, None);
                    self.forget_name(&id);
                }
            }
            _ => {}
        }
        let mut tx = self.take(head)?;
        match &mut tx.detail {
            Detail::Negotiate(negotiate) => self.chosen(negotiate, block),
            Detail::SessionSetup(setup) => {
                tx.session_id = head.session_id;
                setup.response = systems(block, true);
            }
            Detail::TreeConnect(_) if is_success => self.connected(&mut tx, head, block),
            Detail::Create(create) if is_success => {
                if created(create, block.words).is_some()
                    && let Some(id) = create.id
                {
                    self.set_name(id, &create.name);
                }
            }
            Detail::TreeConnect(_)
            | Detail::Create(_)
            | Detail::Generic
            | Detail::File { .. }
            | Detail::Ioctl(_)
            | Detail::Rename { .. }
            | Detail::Disposition { .. }
            | Detail::Dcerpc(_) => {}
        }
        self.finish(cx, tx, head.status);
        None
    }

    fn chosen(&mut self, negotiate: &mut Negotiate, block: &Block<'_>) {
        let chosen = le16(block.words, 0).map(usize::from);
        if let Some(dialect) = chosen.and_then(|at| negotiate.dialects.get(at)) {
            self.dialect.clone_from(dialect);
        }
        negotiate.server = block.data.first_chunk().copied();
    }

    fn connected(&mut self, tx: &mut Smb, head: &Head, block: &Block<'_>) {
        let Detail::TreeConnect(tree) = &mut tx.detail else {
            return;
        };
        let (service, _) = ascii_z(block.data);
        tree.is_pipe = service == "IPC";
        if let Some((_, response)) = &mut tree.service {
            *response = Some(service);
        }
        tx.tree_id = head.tree_id;
        let (name, is_pipe) = (tree.share.clone(), tree.is_pipe);
        self.set_tree(head.tree_id, Tree { name, is_pipe });
    }

    fn read_response_1(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: &Head,
        block: &Block<'_>,
    ) -> Rest {
        let read = self.take_read(head)?;
        let status = head.status?;
        if !status.is_success() && status != BUFFER_OVERFLOW {
            return None;
        }
        let words = block.words;
        let high = u32::from(le16(words, 14).unwrap_or_default());
        let len = high << 16 | u32::from(le16(words, 10)?);
        let data_at = usize::from(le16(words, 12)?);
        let data = part(block.message, data_at, usize::try_from(len).ok()?);
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

/// [MS-SMB] 2.2.4.9.2.
fn created(create: &mut Create, words: &[u8]) -> Option<()> {
    let time_s = |at: usize| le64(words, at).map(unix_s);
    create.times_s = [time_s(11)?, time_s(19)?, time_s(27)?, time_s(35)?];
    create.size = le64(words, 47)?;
    create.id = Some(FileId::Fid(le16(words, 5)?));
    Some(())
}

/// Bytes of parameter words of a response that chooses NT LM.
const NEGOTIATED_WORDS: usize = 34;
