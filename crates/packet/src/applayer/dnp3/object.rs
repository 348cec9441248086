//! Object headers (IEEE 1815 section 4.2.2.7) and their points.

use super::layout::{Part, Point, Value, little_endian, read};
use super::options::Options;
use super::table::OBJECTS;
use crate::bytes::Cursor;

/// An object header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// Group.
    pub group: u8,
    /// Variation.
    pub variation: u8,
    /// Qualifier as sent.
    pub qualifier: u8,
    /// First index, where the qualifier has a range.
    pub start: u32,
    /// Last index, likewise.
    pub stop: u32,
    /// How many points are announced.
    pub count: u32,
    /// Whether its points were looked at.
    pub is_read: bool,
    /// Offset of its points in the objects of the fragment, octets.
    pub offset: usize,
}

/// What ended the reading of the objects of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All were read.
    Complete,
    /// A header makes no sense.
    Damaged,
    /// What the points of an object are is not known, or they are cut.
    Unknown,
    /// A header announces more points than are read.
    TooManyPoints,
    /// There are more headers than are read.
    TooManyObjects,
}

impl Object {
    /// What stands before each point: bits 4 to 6 of the qualifier.
    #[must_use]
    pub fn prefix_code(&self) -> u8 {
        self.qualifier >> 4 & 7
    }

    /// What the range is: bits 0 to 3 of the qualifier.
    #[must_use]
    pub fn range_code(&self) -> u8 {
        self.qualifier & 15
    }

    /// Reads a header without its points; whether its range makes sense.
    fn read(cursor: &mut Cursor<'_>) -> Option<(Self, bool)> {
        let mut object = Self {
            group: cursor.u8()?,
            variation: cursor.u8()?,
            qualifier: cursor.u8()?,
            start: 0,
            stop: 0,
            count: 0,
            is_read: false,
            offset: 0,
        };
        let mut number = |width| little_endian(cursor, width).and_then(|n| u32::try_from(n).ok());
        let range = |start: u32, stop: u32| {
            let count = stop.checked_sub(start)?.checked_add(1)?;
            Some((start, stop, count))
        };
        let found = match object.range_code() {
            0 | 3 => number(1).zip(number(1)).map(|(a, b)| range(a, b)),
            1 | 4 => number(2).zip(number(2)).map(|(a, b)| range(a, b)),
            2 | 5 => number(4).zip(number(4)).map(|(a, b)| range(a, b)),
            6 => Some(Some((0, 0, 0))),
            7 | 11 => number(1).map(|count| Some((0, 0, count))),
            8 => number(2).map(|count| Some((0, 0, count))),
            9 => number(4).map(|count| Some((0, 0, count))),
            _ => Some(None),
        };
        let found = found.flatten();
        (object.start, object.stop, object.count) = found.unwrap_or_default();
        object.offset = cursor.position();
        Some((object, found.is_some()))
    }
}

/// Reads the headers of all objects and walks over their points.
pub(super) fn objects(data: &[u8], options: Options) -> (Vec<Object>, End) {
    let mut cursor = Cursor::new(data);
    let mut objects = Vec::new();
    while !cursor.is_empty() {
        if objects.len() >= options.objects_max {
            return (objects, End::TooManyObjects);
        }
        let Some((mut object, is_sound)) = Object::read(&mut cursor) else {
            return (objects, End::Damaged);
        };
        if !is_sound {
            objects.push(object);
            return (objects, End::Damaged);
        }
        if object.count > options.points_max {
            objects.push(object);
            return (objects, End::TooManyPoints);
        }
        object.is_read = true;
        objects.push(object);
        let Some(len) = walk(&object, cursor.rest(), &mut |_| {}) else {
            return (objects, End::Unknown);
        };
        if cursor.take(len).is_none() {
            return (objects, End::Unknown);
        }
    }
    (objects, End::Complete)
}

/// Gives the points of an object; `data` are all objects of its fragment.
pub fn points<'a>(object: &Object, data: &'a [u8], each: &mut dyn FnMut(Point<'a>)) {
    if object.is_read {
        walk(object, data.get(object.offset..).unwrap_or_default(), each);
    }
}

/// Gives the points at the front of `data` and how many octets they are; `None` behind the last
/// that could be read when there should be more.
fn walk<'a>(object: &Object, data: &'a [u8], each: &mut dyn FnMut(Point<'a>)) -> Option<usize> {
    let mut cursor = Cursor::new(data);
    if object.count == 0 {
        return Some(0);
    }
    let key = (object.group, object.variation);
    let at = OBJECTS.binary_search_by_key(&key, |(group, variation, _)| (*group, *variation));
    let (_, _, parts) = OBJECTS.get(at.ok()?)?;
    let (mut octet, mut bits, mut before) = (0_u8, 0_u8, 0_u32);
    for number in 0..object.count {
        let is_packed = matches!(parts.first(), Some(Part::Packed(..)));
        let prefix_start = cursor.position();
        if !is_packed || bits == 0 {
            before = prefix(object, &mut cursor)?;
        }
        let before_octets = cursor.position().saturating_sub(prefix_start);
        let prefix = before;
        let start = cursor.position();
        let is_index = matches!(object.prefix_code(), 1..=3);
        let is_size = matches!(object.prefix_code(), 4..=6);
        let fields = if let Some(Part::Packed(name, width)) = parts.first() {
            if bits == 0 {
                (octet, bits) = (cursor.u8()?, 8);
            }
            let mask = 0xff_u8.checked_shr(8_u32.saturating_sub(u32::from(*width)));
            let value = octet & mask.unwrap_or(0);
            octet = octet.checked_shr(u32::from(*width)).unwrap_or(0);
            bits = bits.saturating_sub(*width);
            vec![(*name, Value::Number(value.into()))]
        } else {
            let fields = read(&mut cursor, parts, prefix)?;
            // points of no octets would be as many as a sender likes
            if before_octets == 0 && cursor.position() == start {
                return None;
            }
            fields
        };
        each(Point {
            prefix,
            index: if is_index {
                prefix
            } else {
                object.start.saturating_add(number)
            },
            size: is_size.then_some(prefix),
            fields,
        });
    }
    Some(cursor.position())
}

fn prefix(object: &Object, cursor: &mut Cursor<'_>) -> Option<u32> {
    let width = match object.prefix_code() {
        1 | 4 => 1,
        2 | 5 => 2,
        3 | 6 => 4,
        _ => 0,
    };
    u32::try_from(little_endian(cursor, width)?).ok()
}
