//! Transactions of version 1, as the protocol calls its envelopes for pipes and for information on
//! files ([MS-CIFS] 2.2.4.33 and 2.2.4.46).

use super::smb1::Block;
use super::state::{Head, State};
use super::transaction::{Detail, FileId};
use super::wire::{le16, le32, part, utf16};
use crate::applayer::Context;

impl State {
    /// A transaction of old, if it goes through a pipe.
    pub(super) fn transaction(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: &Head,
        block: &Block<'_>,
    ) -> bool {
        let is_pipe = le16(block.words, 28) == Some(TRANSACT_PIPE);
        let id = le16(block.words, 30).map(FileId::Fid);
        is_pipe && self.pipe_request(cx, head, id, placed(block, 22, 24))
    }

    /// What a second transaction sets, where it is told.
    pub(super) fn transaction_2(&self, block: &Block<'_>) -> Option<Detail> {
        let parameters = placed(block, 18, 20);
        let data = placed(block, 22, 24);
        let (subcommand, level, name, id) = match le16(block.words, 28)? {
            SET_PATH => {
                let path = parameters.get(6..)?;
                let path = match block.is_unicode {
                    true => super::wire::utf16_z(path).0,
                    false => super::wire::ascii_z(path).0,
                };
                ("SET_PATH_INFO", le16(parameters, 0)?, path, None)
            }
            SET_FILE => {
                let id = FileId::Fid(le16(parameters, 0)?);
                let name = self.name(&id).map_or("<unknown>", String::as_str);
                (
                    "SET_FILE_INFO",
                    le16(parameters, 2)?,
                    name.to_owned(),
                    Some(id),
                )
            }
            _ => return None,
        };
        match level {
            DISPOSITION => Some(Detail::Disposition {
                name,
                delete: *data.first()? & 1 != 0,
                id,
                subcommand: Some(subcommand),
            }),
            RENAME => {
                let len = usize::try_from(le32(data, 8)?).ok()?;
                Some(Detail::Rename {
                    from: name,
                    to: utf16(part(data, 12, len)),
                    id,
                    is_set_info: false,
                })
            }
            _ => None,
        }
    }
}

/// The data of the response to a transaction.
pub(super) fn response_data<'a>(block: &Block<'a>) -> &'a [u8] {
    placed(block, 12, 14)
}

/// The bytes whose length and place stand in two words.
fn placed<'a>(block: &Block<'a>, len_at: usize, place_at: usize) -> &'a [u8] {
    let place = le16(block.words, place_at).zip(le16(block.words, len_at));
    place.map_or(&[], |(at, len)| part(block.message, at.into(), len.into()))
}

/// Function: send through a pipe and wait for what comes back.
const TRANSACT_PIPE: u16 = 0x26;
/// Subcommands and levels of information that are told ([MS-SMB] 2.2.2.3).
const SET_PATH: u16 = 6;
const SET_FILE: u16 = 8;
const RENAME: u16 = 1010;
const DISPOSITION: u16 = 1013;
