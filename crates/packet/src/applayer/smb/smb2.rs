//! Messages of versions 2 and 3 ([MS-SMB2] 2.2).

mod answers;

use super::files::Piece;
use super::names::dialect_name;
use super::ntlm;
use super::pipe::{is_told, looks_like_call};
use super::state::{Head, Read, State};
use super::status::{PENDING, SUCCESS, Status};
use super::transaction::{
    Command, Create, Detail, FileId, Negotiate, SessionSetup, Smb, TreeConnect,
};
use super::wire::{le16, le32, le64, part, utf16};
use crate::applayer::Context;
use crate::flow::Direction;

/// Length of the header, bytes.
pub(super) const HEADER: usize = 64;
/// What it begins with.
pub(super) const MAGIC: &[u8] = b"\xfeSMB";
/// Most messages of one compound.
pub(super) const COMPOUND_MAX: usize = 256;

/// Commands that are read.
const NEGOTIATE: u16 = 0;
const SESSION_SETUP: u16 = 1;
const TREE_CONNECT: u16 = 3;
const CREATE: u16 = 5;
const CLOSE: u16 = 6;
const READ: u16 = 8;
const WRITE: u16 = 9;
const IOCTL: u16 = 11;
const GET_INFO: u16 = 16;
const SET_INFO: u16 = 17;

/// The header ([MS-SMB2] 2.2.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    command: u16,
    status: u32,
    flags: u32,
    /// Where the next message of a compound begins; 0 in the last.
    pub(super) next: usize,
    message_id: u64,
    tree_id: u32,
    session_id: u64,
}

impl Header {
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        if !message.starts_with(MAGIC) || message.len() < HEADER {
            return None;
        }
        Some(Self {
            status: le32(message, 8)?,
            command: le16(message, 12)?,
            flags: le32(message, 16)?,
            next: usize::try_from(le32(message, 20)?).ok()?,
            message_id: le64(message, 24)?,
            tree_id: le32(message, 36)?,
            session_id: le64(message, 40)?,
        })
    }

    pub(super) fn is_response(&self) -> bool {
        self.flags & RESPONSE != 0
    }

    /// Whether the data of a read or write stands last in the message.
    pub(super) fn carries_data(&self) -> bool {
        self.next == 0 && self.command == if self.is_response() { READ } else { WRITE }
    }

    fn head(&self, ts_ns: u64) -> Head {
        Head {
            command: Command::V2(self.command),
            status: self.is_response().then_some(Status::Nt(self.status)),
            session_id: self.session_id,
            // a number of its own stands there
            tree_id: if self.flags & ASYNC == 0 {
                self.tree_id
            } else {
                0
            },
            message_id: self.message_id,
            ts_ns,
        }
    }
}

/// What is still to come of a file's data, and where it goes.
pub(super) type Rest = Option<(Piece, u64)>;

impl State {
    /// Takes one message; `missing` bytes of it are still to come.
    pub(super) fn message_2(
        &mut self,
        cx: &mut Context<'_, '_>,
        header: &Header,
        message: &[u8],
        ts_ns: u64,
    ) -> Rest {
        let head = header.head(ts_ns);
        if header.is_response() {
            if head.status == Some(PENDING) {
                self.interim(&head);
                return None;
            }
            return self.response_2(cx, header, &head, message);
        }
        self.request_2(cx, header, &head, message)
    }

    /// A response that says only that another one will come.
    fn interim(&mut self, head: &Head) {
        let is_asked =
            |tx: &&mut Smb| tx.command == head.command && tx.message_id == head.message_id;
        if let Some(tx) = self.pending.iter_mut().find(is_asked) {
            tx.status = head.status;
        }
    }

    fn request_2(
        &mut self,
        cx: &mut Context<'_, '_>,
        header: &Header,
        head: &Head,
        message: &[u8],
    ) -> Rest {
        let body = message.get(HEADER..).unwrap_or_default();
        let detail = match header.command {
            READ => return self.read_request(cx, head, body),
            WRITE => return self.write_request(cx, head, message),
            GET_INFO => return None,
            SET_INFO => self.set_info(body, message)?,
            NEGOTIATE => {
                let mut head = *head;
                (head.session_id, head.tree_id) = (0, 0);
                let detail = negotiate(body).unwrap_or_default();
                self.begin(cx, &head, Detail::Negotiate(Box::new(detail)));
                return None;
            }
            SESSION_SETUP => session_setup(cx, body, message),
            TREE_CONNECT => tree_connect(body, message).unwrap_or(Detail::Generic),
            CREATE => create(body, message).unwrap_or(Detail::Generic),
            CLOSE => {
                if let Some(id) = guid_at(body, 8) {
                    self.close(cx, id, None, Some(SUCCESS));
                    self.forget_name(&id);
                }
                Detail::Generic
            }
            IOCTL => self.ioctl(cx, head, body, message)?,
            _ => Detail::Generic,
        };
        self.begin(cx, head, detail);
        None
    }

    fn read_request(&mut self, cx: &mut Context<'_, '_>, head: &Head, body: &[u8]) -> Rest {
        let (len, offset) = (le32(body, 4)?, le64(body, 8)?);
        let exceeds = |max: u32| max != 0 && len > max;
        if exceeds(self.read_bytes_max) || exceeds(self.options.read_bytes_max) {
            cx.anomaly("read_request_too_large");
            return None;
        }
        let id = guid_at(body, 16)?;
        self.asks_read(head, Read { id, offset });
        None
    }

    fn write_request(&mut self, cx: &mut Context<'_, '_>, head: &Head, message: &[u8]) -> Rest {
        let body = message.get(HEADER..)?;
        let data_at = usize::from(le16(body, 2)?);
        let (len, offset) = (le32(body, 4)?, le64(body, 8)?);
        let id = guid_at(body, 16)?;
        let exceeds = |max: u32| max != 0 && len > max;
        if exceeds(self.write_bytes_max) || exceeds(self.options.write_bytes_max) {
            cx.anomaly_in_next("write_request_too_large");
        }
        let data = part(message, data_at, usize::try_from(len).ok()?);
        if self.is_pipe(head.tree_id, || looks_like_call(data)) {
            if self.name(&id).is_none() {
                self.set_name(id, "");
            }
            self.pipe_request(cx, head, Some(id), data);
            return None;
        }
        let direction = Direction::ToServer;
        self.file_data(
            cx,
            head,
            Piece {
                id,
                direction,
                offset,
            },
            (data, len),
        )
    }

    /// Takes what is there of a file's data, and says what is to come.
    pub(super) fn file_data(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: &Head,
        piece: Piece,
        (data, len): (&[u8], u32),
    ) -> Rest {
        self.piece(cx, head, piece, data);
        let here = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let rest = u64::from(len).saturating_sub(here);
        let offset = piece.offset.saturating_add(here);
        (rest > 0).then_some((Piece { offset, ..piece }, rest))
    }

    fn set_info(&self, body: &[u8], message: &[u8]) -> Option<Detail> {
        let (class, level) = (*body.get(2)?, *body.get(3)?);
        let len = usize::try_from(le32(body, 4)?).ok()?;
        let data = part(message, usize::from(le16(body, 8)?), len);
        let id = guid_at(body, 16)?;
        let name = self.name(&id).or_else(|| self.created_last());
        let name = name.map_or("<unknown>", String::as_str).to_owned();
        match (class, level) {
            (FILE_INFO, RENAME) => {
                let len = usize::try_from(le32(data, 16)?).ok()?;
                Some(Detail::Rename {
                    from: name,
                    to: utf16(part(data, 20, len)),
                    id: Some(id),
                    is_set_info: true,
                })
            }
            (FILE_INFO, DISPOSITION) => Some(Detail::Disposition {
                name,
                delete: *data.first()? & 1 != 0,
                id: Some(id),
                subcommand: None,
            }),
            _ => None,
        }
    }

    /// The name of the file that is opened last: what comes with it in one compound, or before its
    /// response, does not know its identifier.
    fn created_last(&self) -> Option<&String> {
        self.pending.iter().rev().find_map(|tx| {
            let Detail::Create(create) = &tx.detail else {
                return None;
            };
            Some(&create.name)
        })
    }

    fn ioctl(
        &mut self,
        cx: &mut Context<'_, '_>,
        head: &Head,
        body: &[u8],
        message: &[u8],
    ) -> Option<Detail> {
        let Some((function, id)) = le32(body, 4).zip(guid_at(body, 8)) else {
            return Some(Detail::Generic);
        };
        let input = le32(body, 24).zip(le32(body, 28));
        let (at, len) = input.unwrap_or_default();
        let data = part(
            message,
            usize::try_from(at).ok()?,
            usize::try_from(len).ok()?,
        );
        // of a file whose beginning was not seen Suricata tells the function alone
        if function == PIPE_TRANSCEIVE
            && self.name(&id).is_some()
            && self.is_pipe(head.tree_id, || looks_like_call(data))
            && self.pipe_request(cx, head, Some(id), data)
        {
            let is_told = self.name(&id).is_none_or(|name| is_told(name));
            if let Some(tx) = self.pending.back_mut()
                && tx.message_id == head.message_id
                && let Detail::Dcerpc(call) = &mut tx.detail
                && !is_told
            {
                call.function = Some(function);
            }
            return None;
        }
        Some(Detail::Ioctl(function))
    }
}

fn negotiate(body: &[u8]) -> Option<Negotiate> {
    let count = usize::from(le16(body, 2)?);
    let dialects = part(body, 36, count.min(DIALECTS_MAX).saturating_mul(2));
    let dialects = dialects.chunks_exact(2);
    Some(Negotiate {
        dialects: dialects
            .filter_map(|pair| le16(pair, 0))
            .map(dialect_name)
            .collect(),
        client: Some(*body.get(12..)?.first_chunk()?),
        ..Negotiate::default()
    })
}

fn session_setup(cx: &mut Context<'_, '_>, body: &[u8], message: &[u8]) -> Detail {
    let mut setup = SessionSetup::default();
    let place = le16(body, 12).zip(le16(body, 14)).unwrap_or_default();
    let blob = part(message, place.0.into(), place.1.into());
    tell_ntlm(cx, blob, &mut setup);
    Detail::SessionSetup(Box::new(setup))
}

/// Reads a security blob and reports what is odd in it.
pub(super) fn tell_ntlm(cx: &mut Context<'_, '_>, blob: &[u8], setup: &mut SessionSetup) {
    if ntlm::read(blob, setup) == Some(false) {
        cx.anomaly_in_next("malformed_ntlmssp_request");
    }
    if setup.ntlm.as_ref().is_some_and(|ntlm| ntlm.is_unusual) {
        cx.anomaly_in_next("unusual_ntlmssp_order");
    }
}

fn tree_connect(body: &[u8], message: &[u8]) -> Option<Detail> {
    let place = le16(body, 4).zip(le16(body, 6))?;
    Some(Detail::TreeConnect(Box::new(TreeConnect {
        share: utf16(part(message, place.0.into(), place.1.into())),
        ..TreeConnect::default()
    })))
}

fn create(body: &[u8], message: &[u8]) -> Option<Detail> {
    let place = le16(body, 44).zip(le16(body, 46))?;
    Some(Detail::Create(Box::new(Create {
        name: utf16(part(message, place.0.into(), place.1.into())),
        disposition: le32(body, 36)?,
        options: le32(body, 40)?,
        ..Create::default()
    })))
}

fn guid_at(body: &[u8], at: usize) -> Option<FileId> {
    Some(FileId::Guid(*body.get(at..)?.first_chunk()?))
}

/// Most dialects read of an offer.
const DIALECTS_MAX: usize = 64;
/// Flags of the header.
const RESPONSE: u32 = 1;
const ASYNC: u32 = 2;
/// Sends through a pipe and waits for what comes back.
const PIPE_TRANSCEIVE: u32 = 0x0011_c017;
/// Class and levels of information that are set ([MS-FSCC] 2.4).
const FILE_INFO: u8 = 1;
const RENAME: u8 = 10;
const DISPOSITION: u8 = 13;
