//! Messages of the encapsulation (volume 2 chapter 2).

use super::cip::{Cip, little16};
use crate::bytes::Cursor;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Command.
    pub command: u16,
    /// Status.
    pub status: u32,
    /// Session.
    pub session: u32,
    /// What the sender gives to know the answer by.
    pub context: [u8; 8],
    /// What it says.
    pub content: Content,
    /// It makes no sense.
    pub is_invalid: bool,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing, or nothing that is logged.
    Nothing,
    /// Version and options of a session.
    Session(u16, u16),
    /// Version, capabilities and name of a service.
    Service(u16, u16, Vec<u8>),
    /// What a device is.
    Identity(Box<Identity>),
    /// CIP.
    Cip(Box<Cip>),
}

/// What a device is (volume 2 section 2-4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Version of the encapsulation.
    pub protocol_version: u16,
    /// Number of the vendor.
    pub vendor: u16,
    /// Number of the type of device.
    pub device_type: u16,
    /// Number of the product.
    pub product_code: u16,
    /// Its revision.
    pub revision: (u8, u8),
    /// Its status.
    pub status: u16,
    /// Its serial number.
    pub serial: u32,
    /// Name of the product.
    pub product_name: Vec<u8>,
    /// Its state.
    pub state: u8,
}

pub(super) const NOP: u16 = 0;
pub(super) const LIST_SERVICES: u16 = 0x04;
pub(super) const LIST_IDENTITY: u16 = 0x63;
pub(super) const LIST_INTERFACES: u16 = 0x64;
pub(super) const REGISTER_SESSION: u16 = 0x65;
pub(super) const UNREGISTER_SESSION: u16 = 0x66;
pub(super) const SEND_RR_DATA: u16 = 0x6f;
pub(super) const SEND_UNIT_DATA: u16 = 0x70;
/// What a message takes beside its content, about, bytes.
const MESSAGE_BYTES: usize = 256;
/// Length of the header, bytes.
pub(super) const HEADER: usize = 24;

impl Message {
    /// Length of the message whose header stands at the front.
    pub(super) fn len(data: &[u8]) -> Option<usize> {
        let mut cursor = Cursor::new(data.get(2..)?);
        Some(usize::from(little16(&mut cursor)?).saturating_add(HEADER))
    }

    /// Reads a whole message.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(data);
        let command = little16(&mut cursor)?;
        little16(&mut cursor)?;
        let session = cursor.u32()?.swap_bytes();
        let status = cursor.u32()?.swap_bytes();
        let context = *cursor.take(8)?.first_chunk()?;
        cursor.u32()?; // options
        let content = content(command, cursor.rest());
        Some(Self {
            command,
            status,
            session,
            context,
            is_invalid: content.is_none(),
            content: content.unwrap_or(Content::Nothing),
        })
    }

    /// Bytes that it keeps, about.
    pub(super) fn size(&self) -> usize {
        match &self.content {
            Content::Cip(cip) => cip.size(),
            Content::Service(_, _, name) => name.len(),
            Content::Nothing | Content::Session(..) | Content::Identity(_) => 0,
        }
        .saturating_add(MESSAGE_BYTES)
    }

    /// Whether no answer follows it.
    pub(super) fn is_one_way(&self) -> bool {
        matches!(self.command, NOP | UNREGISTER_SESSION)
    }
}

fn content(command: u16, data: &[u8]) -> Option<Content> {
    let mut cursor = Cursor::new(data);
    match command {
        REGISTER_SESSION => Some(Content::Session(
            little16(&mut cursor)?,
            little16(&mut cursor)?,
        )),
        // requests are empty
        LIST_SERVICES | LIST_IDENTITY if data.is_empty() => Some(Content::Nothing),
        LIST_SERVICES => {
            let (kind, item) = items(data)?.next()?;
            if kind != 0x100 {
                return None;
            }
            let mut cursor = Cursor::new(item);
            Some(Content::Service(
                little16(&mut cursor)?,
                little16(&mut cursor)?,
                cursor.rest().to_vec(),
            ))
        }
        LIST_IDENTITY => {
            let (kind, item) = items(data)?.next()?;
            if kind != 0x0c {
                return None;
            }
            Some(Content::Identity(Box::new(identity(item)?)))
        }
        SEND_RR_DATA | SEND_UNIT_DATA => {
            cursor.u32()?; // interface
            little16(&mut cursor)?; // timeout
            for (kind, item) in items(cursor.rest())? {
                let cip = match kind {
                    0xb2 => item,
                    // behind a sequence number
                    0xb1 => item.get(2..)?,
                    _ => continue,
                };
                return Some(Content::Cip(Box::new(Cip::parse(cip)?)));
            }
            Some(Content::Nothing)
        }
        _ => Some(Content::Nothing),
    }
}

/// Items of the common packet format (volume 2 section 2-6): type and data.
fn items(data: &[u8]) -> Option<impl Iterator<Item = (u16, &[u8])>> {
    let mut cursor = Cursor::new(data);
    let count = little16(&mut cursor)?;
    Some((0..count).map_while(move |_| {
        let kind = little16(&mut cursor)?;
        let len = little16(&mut cursor)?;
        Some((kind, cursor.take(len.into())?))
    }))
}

fn identity(item: &[u8]) -> Option<Identity> {
    let mut cursor = Cursor::new(item);
    let protocol_version = little16(&mut cursor)?;
    cursor.take(16)?; // socket address
    Some(Identity {
        protocol_version,
        vendor: little16(&mut cursor)?,
        device_type: little16(&mut cursor)?,
        product_code: little16(&mut cursor)?,
        revision: (cursor.u8()?, cursor.u8()?),
        status: little16(&mut cursor)?,
        serial: cursor.u32()?.swap_bytes(),
        product_name: cursor.vec8()?.to_vec(),
        state: cursor.u8()?,
    })
}
