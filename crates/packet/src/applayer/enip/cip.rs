//! CIP messages (volume 1 chapter 2-4, paths: appendix C).

use crate::bytes::Cursor;

/// Most segments kept of one path.
pub const SEGMENTS_MAX: usize = 64;
/// Most services kept of one packet of several.
pub const SERVICES_MAX: usize = 256;

/// A message: what is asked of an object, or the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cip {
    /// Service, without the bit that marks an answer.
    pub service: u8,
    /// Which object, in a request.
    pub path: Vec<Segment>,
    /// How it went, in an answer.
    pub status: Option<Status>,
    /// The messages of a packet of several.
    pub multiple: Vec<Self>,
}

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// A number of a kind: type octet without its size bits, value.
    Number(u8, u32),
    /// A tag.
    Symbol(Vec<u8>),
    /// A port to leave through.
    Port(u32),
}

/// How a request went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// General status.
    pub general: u8,
    /// Words of extended status as sent.
    pub extended: Vec<u8>,
}

/// The class in a path.
pub(super) const CLASS: u8 = 0x20;
/// The instance.
pub(super) const INSTANCE: u8 = 0x24;
/// The attribute.
pub(super) const ATTRIBUTE: u8 = 0x30;
/// What device is meant: vendor, type and product.
const ELECTRONIC_KEY: u8 = 0x34;
/// Its length behind the type octet: format and key.
const KEY_BYTES: usize = 9;
const GET_ATTRIBUTE_LIST: u8 = 3;
const SET_ATTRIBUTE_LIST: u8 = 4;
/// Several messages in one packet.
pub(super) const MULTIPLE: u8 = 0x0a;

impl Cip {
    /// Reads a message; `None` when it makes no sense.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        Self::parse_within(data, 0)
    }

    fn parse_within(data: &[u8], depth: u8) -> Option<Self> {
        let mut cursor = Cursor::new(data);
        let service = cursor.u8()?;
        let mut cip = Self {
            service: service & 0x7f,
            path: Vec::new(),
            status: None,
            multiple: Vec::new(),
        };
        if service & 0x80 == 0 {
            let words = cursor.u8()?;
            cip.path = path(cursor.take(usize::from(words).checked_mul(2)?)?)?;
        } else {
            cursor.u8()?;
            let general = cursor.u8()?;
            let words = cursor.u8()?;
            let extended = cursor.take(usize::from(words).checked_mul(2)?)?;
            cip.status = Some(Status {
                general,
                extended: extended.to_vec(),
            });
        }
        match (cip.service, &cip.status) {
            (MULTIPLE, _) if depth == 0 => cip.multiple = multiple(cursor.rest())?,
            (GET_ATTRIBUTE_LIST | SET_ATTRIBUTE_LIST, None) => {
                let count = little16(&mut cursor)?;
                if cip.service == GET_ATTRIBUTE_LIST {
                    cursor.take(usize::from(count).checked_mul(2)?)?;
                }
            }
            _ => {}
        }
        Some(cip)
    }

    /// Bytes that it keeps, about.
    pub(super) fn size(&self) -> usize {
        let symbols = self.path.iter().map(|segment| match segment {
            Segment::Symbol(name) => name.len(),
            Segment::Number(..) | Segment::Port(_) => 0,
        });
        let path = symbols.fold(0, |sum: usize, len| {
            sum.saturating_add(len).saturating_add(SEGMENT_BYTES)
        });
        let parts = self.multiple.iter().map(Self::size);
        parts.fold(path.saturating_add(CIP_BYTES), usize::saturating_add)
    }

    /// The class that its path names.
    pub(super) fn class(&self) -> Option<u32> {
        self.path.iter().find_map(|segment| match segment {
            Segment::Number(CLASS, class) => Some(*class),
            Segment::Number(..) | Segment::Symbol(_) | Segment::Port(_) => None,
        })
    }
}

/// What a message, and a segment of its path, take beside their texts, about.
const CIP_BYTES: usize = 128;
const SEGMENT_BYTES: usize = 32;

/// Offsets of the messages, and they behind them.
fn multiple(data: &[u8]) -> Option<Vec<Cip>> {
    let mut cursor = Cursor::new(data);
    let count = usize::from(little16(&mut cursor)?);
    let mut offsets = Vec::new();
    for _ in 0..count.min(SERVICES_MAX) {
        offsets.push(usize::from(little16(&mut cursor)?));
    }
    let ends = offsets.iter().skip(1).copied().chain([data.len()]);
    let parts = offsets.iter().zip(ends);
    parts
        .map(|(start, end)| Cip::parse_within(data.get(*start..end)?, 1))
        .collect()
}

fn path(data: &[u8]) -> Option<Vec<Segment>> {
    let mut cursor = Cursor::new(data);
    let mut path = Vec::new();
    while !cursor.is_empty() && path.len() < SEGMENTS_MAX {
        let kind = cursor.u8()?;
        if kind == ELECTRONIC_KEY {
            cursor.take(KEY_BYTES)?;
            continue;
        }
        path.push(match kind {
            0x00..=0x1f => port(kind, &mut cursor)?,
            // extended symbol: as many characters as told, padded to an even number
            0x91 => {
                let name = cursor.vec8()?.to_vec();
                if name.len() % 2 == 1 {
                    cursor.u8();
                }
                Segment::Symbol(name)
            }
            0x20..=0x3f => {
                let value = match kind & 3 {
                    0 => u32::from(cursor.u8()?),
                    1 => {
                        cursor.u8()?;
                        u32::from(little16(&mut cursor)?)
                    }
                    2 => {
                        cursor.u8()?;
                        cursor.u32()?.swap_bytes()
                    }
                    _ => return None,
                };
                Segment::Number(kind & 0xfc, value)
            }
            _ => return None,
        });
    }
    Some(path)
}

/// A port, in one octet or in the next two, and the address behind it.
fn port(kind: u8, cursor: &mut Cursor<'_>) -> Option<Segment> {
    let len = if kind & 0x10 == 0 {
        None
    } else {
        Some(cursor.u8()?)
    };
    let port = match kind & 0x0f {
        0x0f => u32::from(little16(cursor)?),
        port => u32::from(port),
    };
    match len {
        None => {
            cursor.u8()?;
        }
        Some(len) => {
            cursor.take(len.into())?;
            if len % 2 == 1 {
                cursor.u8();
            }
        }
    }
    Some(Segment::Port(port))
}

/// A 16-bit number, the lowest octet first.
pub(super) fn little16(cursor: &mut Cursor<'_>) -> Option<u16> {
    cursor.u16().map(u16::swap_bytes)
}
