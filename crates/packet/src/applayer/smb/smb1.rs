//! Messages of version 1 ([MS-CIFS] 2.2.4, [MS-SMB] 2.2.4).

mod answers;

use super::files::Piece;
use super::pipe::looks_like_call;
use super::smb2::{Rest, tell_ntlm};
use super::state::{Head, Read, State};
use super::status::Status;
use super::transaction::{Command, Create, Detail, FileId, Negotiate, SessionSetup, TreeConnect};
use super::wire::{ascii_z, le16, le32, part, utf16, utf16_z};
use crate::applayer::Context;
use crate::flow::Direction;

/// Length of the header, bytes.
pub(super) const HEADER: usize = 32;
/// What it begins with.
pub(super) const MAGIC: &[u8] = b"\xffSMB";

/// Commands that are read.
const CLOSE: u8 = 0x04;
const RENAME: u8 = 0x07;
const LOCKING_ANDX: u8 = 0x24;
const TRANSACTION: u8 = 0x25;
const READ_ANDX: u8 = 0x2e;
const WRITE_ANDX: u8 = 0x2f;
const TRANSACTION_2: u8 = 0x32;
pub(super) const NEGOTIATE: u8 = 0x72;
const SESSION_SETUP: u8 = 0x73;
const TREE_CONNECT: u8 = 0x75;
const NT_CREATE: u8 = 0xa2;

/// The header ([MS-CIFS] 2.2.3.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    command: u8,
    status: Status,
    flags: u8,
    flags_2: u16,
    tree_id: u16,
    process_id: u16,
    user_id: u16,
    message_id: u16,
}

/// One command of a message, which may hold several one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) command: u8,
    /// The parameter words.
    pub(super) words: &'a [u8],
    /// The data.
    pub(super) data: &'a [u8],
    /// Where the data begin in the message.
    pub(super) data_at: usize,
    /// The whole message.
    pub(super) message: &'a [u8],
    /// Texts are UTF-16.
    pub(super) is_unicode: bool,
}

impl Header {
    pub(super) fn of(message: &[u8]) -> Option<Self> {
        if !message.starts_with(MAGIC) || message.len() < HEADER {
            return None;
        }
        let flags_2 = le16(message, 10)?;
        Some(Self {
            command: *message.get(4)?,
            status: Status::version_1(message, flags_2 & NT_STATUS != 0)?,
            flags: *message.get(9)?,
            flags_2,
            tree_id: le16(message, 24)?,
            process_id: le16(message, 26)?,
            user_id: le16(message, 28)?,
            message_id: le16(message, 30)?,
        })
    }

    pub(super) fn is_response(&self) -> bool {
        self.flags & RESPONSE != 0
    }

    /// Whether the data of a read or write stands last in the message.
    pub(super) fn carries_data(&self) -> bool {
        self.command
            == if self.is_response() {
                READ_ANDX
            } else {
                WRITE_ANDX
            }
    }

    fn head(&self, command: u8, ts_ns: u64) -> Head {
        Head {
            command: Command::V1(command),
            status: self.is_response().then_some(self.status),
            session_id: self.user_id.into(),
            tree_id: self.tree_id.into(),
            message_id: u64::from(self.process_id) << 16 | u64::from(self.message_id),
            ts_ns,
        }
    }
}

impl<'a> Block<'a> {
    fn of(message: &'a [u8], command: u8, at: usize, is_unicode: bool) -> Option<Self> {
        let words_len = usize::from(*message.get(at)?).checked_mul(2)?;
        let words_at = at.checked_add(1)?;
        let words = message.get(words_at..)?.get(..words_len)?;
        let count_at = words_at.checked_add(words_len)?;
        let count = usize::from(le16(message, count_at).unwrap_or_default());
        let data_at = count_at.checked_add(2)?;
        Some(Self {
            command,
            words,
            data: part(message, data_at, count),
            data_at,
            message,
            is_unicode,
        })
    }

    /// The command behind this one, and where it stands.
    fn next(&self) -> Option<(u8, usize)> {
        if !matches!(
            self.command,
            LOCKING_ANDX
                | 0x2d
                | READ_ANDX
                | WRITE_ANDX
                | SESSION_SETUP
                | 0x74
                | TREE_CONNECT
                | NT_CREATE
        ) {
            return None;
        }
        let command = *self.words.first()?;
        let at = usize::from(le16(self.words, 2)?);
        (command != 0xff && at > HEADER).then_some((command, at))
    }

    /// A text in the data, and the place behind it.
    pub(super) fn text(&self, at: usize) -> (String, usize) {
        if !self.is_unicode {
            let (text, used) = ascii_z(self.data.get(at..).unwrap_or_default());
            return (text, at.saturating_add(used));
        }
        // texts stand at even places of the message
        let at = at.saturating_add(self.data_at.saturating_add(at) & 1);
        let (text, used) = utf16_z(self.data.get(at..).unwrap_or_default());
        (text, at.saturating_add(used))
    }

    fn fid(&self, at: usize) -> Option<FileId> {
        le16(self.words, at).map(FileId::Fid)
    }
}

impl State {
    /// Takes one message.
    pub(super) fn message_1(
        &mut self,
        cx: &mut Context<'_, '_>,
        header: &Header,
        message: &[u8],
        ts_ns: u64,
    ) -> Rest {
        let is_unicode = header.flags_2 & UNICODE != 0;
        let (mut command, mut at) = (header.command, HEADER);
        let mut rest = None;
        for _ in 0..CHAIN_MAX {
            let head = header.head(command, ts_ns);
            let Some(block) = Block::of(message, command, at, is_unicode) else {
                if !header.is_response() && at == HEADER {
                    cx.anomaly_in_next("malformed_data");
                    self.begin(cx, &head, Detail::Generic);
                } else {
                    cx.anomaly("malformed_data");
                }
                break;
            };
            let taken = match header.is_response() {
                true => self.response_1(cx, &head, &block),
                false => self.request_1(cx, &head, &block),
            };
            rest = rest.or(taken);
            match block.next() {
                // each stands behind the one before it
                Some((next, place)) if place > at => (command, at) = (next, place),
                _ => break,
            }
        }
        rest
    }

    fn request_1(&mut self, cx: &mut Context<'_, '_>, head: &Head, block: &Block<'_>) -> Rest {
        let detail = match block.command {
            READ_ANDX => return self.read_1(cx, head, block),
            WRITE_ANDX => return self.write_1(cx, head, block),
            NEGOTIATE => {
                let mut head = *head;
                (head.session_id, head.tree_id) = (0, 0);
                let detail = negotiate(cx, block);
                self.begin(cx, &head, Detail::Negotiate(Box::new(detail)));
                return None;
            }
            SESSION_SETUP => session_setup(cx, block),
            LOCKING_ANDX => {
                // Suricata does not wait for how it fares
                let tx = self.new_tx(cx, head, Detail::Generic);
                self.yield_tx(cx, tx);
                return None;
            }
            TREE_CONNECT => tree_connect(block),
            NT_CREATE => create(block),
            CLOSE => {
                if let Some(id) = block.fid(0) {
                    self.will_close(id);
                    self.asks_close(head, id);
                }
                Some(Detail::Generic)
            }
            RENAME => rename(block),
            TRANSACTION => {
                // what goes through no pipe is told no more than its damage
                if self.transaction(cx, head, block) || block.words.len() >= TRANSACTION_WORDS {
                    return None;
                }
                None
            }
            TRANSACTION_2 => {
                let detail = self.transaction_2(block)?;
                self.begin(cx, head, detail);
                return None;
            }
            _ => Some(Detail::Generic),
        };
        let detail = detail.unwrap_or_else(|| {
            cx.anomaly_in_next("malformed_data");
            Detail::Generic
        });
        self.begin(cx, head, detail);
        None
    }

    fn read_1(&mut self, cx: &mut Context<'_, '_>, head: &Head, block: &Block<'_>) -> Rest {
        let id = block.fid(4)?;
        let low = u64::from(le32(block.words, 6)?);
        let high = u64::from(le32(block.words, 20).unwrap_or_default());
        let len = u32::from(le16(block.words, 10)?);
        let max = self.options.read_bytes_max;
        if max != 0 && len > max {
            cx.anomaly("read_request_too_large");
            return None;
        }
        let offset = high << 32 | low;
        self.asks_read(head, Read { id, offset });
        None
    }

    fn write_1(&mut self, cx: &mut Context<'_, '_>, head: &Head, block: &Block<'_>) -> Rest {
        let words = block.words;
        let id = block.fid(4)?;
        let low = u64::from(le32(words, 6)?);
        let high = u64::from(le32(words, 24).unwrap_or_default());
        let len = u32::from(le16(words, 18)?) << 16 | u32::from(le16(words, 20)?);
        let data_at = usize::from(le16(words, 22)?);
        let max = self.options.write_bytes_max;
        if max != 0 && len > max {
            cx.anomaly_in_next("write_request_too_large");
        }
        let data = part(block.message, data_at, usize::try_from(len).ok()?);
        if self.is_pipe(head.tree_id, || looks_like_call(data)) {
            self.pipe_request(cx, head, Some(id), data);
            return None;
        }
        let piece = Piece {
            id,
            direction: Direction::ToServer,
            offset: high << 32 | low,
        };
        self.file_data(cx, head, piece, (data, len))
    }
}

fn negotiate(cx: &mut Context<'_, '_>, block: &Block<'_>) -> Negotiate {
    let mut dialects = Vec::new();
    let mut rest = block.data;
    while let Some((2, name)) = rest.split_first()
        && dialects.len() < DIALECTS_MAX
    {
        let (name, used) = ascii_z(name);
        dialects.push(name);
        rest = rest.get(used.saturating_add(1)..).unwrap_or_default();
    }
    if !rest.is_empty() {
        cx.anomaly_in_next("negotiate_malformed_dialects");
    }
    Negotiate {
        dialects,
        ..Negotiate::default()
    }
}

fn session_setup(cx: &mut Context<'_, '_>, block: &Block<'_>) -> Option<Detail> {
    let mut setup = SessionSetup::default();
    if block.words.len() == EXTENDED_WORDS {
        let len = usize::from(le16(block.words, 14)?);
        tell_ntlm(cx, part(block.data, 0, len), &mut setup);
    }
    setup.request = systems(block, false);
    Some(Detail::SessionSetup(Box::new(setup)))
}

/// System and LAN manager of one side of a session setup.
fn systems(block: &Block<'_>, is_response: bool) -> Option<(String, String)> {
    let words = block.words;
    let mut at = match (is_response, words.len()) {
        (false, EXTENDED_WORDS) => usize::from(le16(words, 14)?),
        (false, 26) => {
            let passwords = usize::from(le16(words, 14)?).checked_add(le16(words, 16)?.into())?;
            // user and domain stand before them
            let (_, at) = block.text(passwords);
            block.text(at).1
        }
        (true, 8) => usize::from(le16(words, 6)?),
        (true, 6) => 0,
        _ => return None,
    };
    let system;
    (system, at) = block.text(at);
    Some((system, block.text(at).0))
}

fn tree_connect(block: &Block<'_>) -> Option<Detail> {
    let password = usize::from(le16(block.words, 6)?);
    let (share, at) = block.text(password);
    let mut service = block.data.get(at..).unwrap_or_default();
    while let Some((0, behind)) = service.split_first() {
        service = behind;
    }
    let (service, _) = ascii_z(service);
    Some(Detail::TreeConnect(Box::new(TreeConnect {
        share: match share.strip_prefix('\\') {
            Some(shorter) if shorter.starts_with('\\') => shorter.to_owned(),
            _ => share,
        },
        service: Some((service, None)),
        ..TreeConnect::default()
    })))
}

fn create(block: &Block<'_>) -> Option<Detail> {
    let words = block.words;
    let len = usize::from(le16(words, 5)?);
    let name = if block.is_unicode {
        let pad = block.data_at & 1;
        let name = part(block.data, pad, len);
        utf16(name.strip_suffix(&[0, 0]).unwrap_or(name))
    } else {
        ascii_z(part(block.data, 0, len)).0
    };
    Some(Detail::Create(Box::new(Create {
        name,
        disposition: le32(words, 35)?,
        options: le32(words, 39)?,
        ..Create::default()
    })))
}

fn rename(block: &Block<'_>) -> Option<Detail> {
    let (4, _) = block.data.split_first()? else {
        return None;
    };
    let (from, at) = block.text(1);
    // the mark of the second name
    let (to, _) = block.text(at.saturating_add(1));
    Some(Detail::Rename {
        from,
        to,
        id: None,
        is_set_info: false,
    })
}

/// Bytes of parameter words of a transaction at least.
const TRANSACTION_WORDS: usize = 28;
/// Bytes of parameter words of a session setup with a security blob.
const EXTENDED_WORDS: usize = 24;
/// Most dialects read of an offer.
const DIALECTS_MAX: usize = 64;
/// Most commands of one message.
const CHAIN_MAX: usize = 16;
/// Flags of the header.
const RESPONSE: u8 = 0x80;
const NT_STATUS: u16 = 0x4000;
const UNICODE: u16 = 0x8000;
