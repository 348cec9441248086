//! How a point is laid out, and reading one.

use crate::bytes::Cursor;

/// A part of a point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// Fields of one octet with their widths in bits, the lowest first.
    Bits(&'static [(&'static str, u8)]),
    /// A number of so many octets, the lowest first.
    Unsigned(&'static str, u8),
    /// Likewise, signed.
    Signed(&'static str, u8),
    /// An IEEE 754 number of 4 or 8 octets.
    Float(&'static str, u8),
    /// Text.
    Text(&'static str, Length),
    /// A text of so many octets that ends before the first zero.
    Code(&'static str, u8),
    /// Octets.
    Data(&'static str, Length),
    /// A point of so many bits; points share octets.
    Packed(&'static str, u8),
}

/// Where a length stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Length {
    /// In an earlier field.
    Of(&'static str),
    /// It is all that is left of the point, whose size stands before it.
    Rest,
}

/// A point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point<'a> {
    /// The number before it: its index or its size, as the qualifier says; 0 if there is none.
    pub prefix: u32,
    /// Its index.
    pub index: u32,
    /// Its size, octets, where the qualifier says that the prefix is that.
    pub size: Option<u32>,
    /// Its fields.
    pub fields: Vec<(&'static str, Value<'a>)>,
}

/// Value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A number; a negative one as its two's complement of 64 bits.
    Number(u64),
    /// A number of floating point.
    Float(f64),
    /// Text.
    Text(&'a [u8]),
    /// Octets.
    Data(&'a [u8]),
}

/// Reads a point; `size` is how many octets it has where a prefix says so. `None` when octets are
/// missing.
pub(super) fn read<'a>(
    cursor: &mut Cursor<'a>,
    parts: &[Part],
    size: u32,
) -> Option<Vec<(&'static str, Value<'a>)>> {
    let start = cursor.position();
    let size = usize::try_from(size).ok()?;
    let mut fields = Vec::new();
    for part in parts {
        match *part {
            Part::Bits(bits) => {
                let mut octet = cursor.u8()?;
                for (name, width) in bits {
                    let mask = 0xff_u8.checked_shr(8_u32.saturating_sub(u32::from(*width)));
                    fields.push((*name, Value::Number((octet & mask.unwrap_or(0)).into())));
                    octet = octet.checked_shr(u32::from(*width)).unwrap_or(0);
                }
            }
            Part::Unsigned(name, width) => {
                fields.push((name, Value::Number(little_endian(cursor, width)?)));
            }
            Part::Signed(name, width) => {
                let unused = 64_u32.saturating_sub(u32::from(width).saturating_mul(8));
                let shifted = little_endian(cursor, width)?.checked_shl(unused)?;
                let number = shifted.cast_signed().checked_shr(unused)?;
                fields.push((name, Value::Number(number.cast_unsigned())));
            }
            Part::Float(name, 4) => {
                let number = f32::from_le_bytes(*cursor.take(4)?.first_chunk()?);
                fields.push((name, Value::Float(number.into())));
            }
            Part::Float(name, _) => {
                let number = f64::from_le_bytes(*cursor.take(8)?.first_chunk()?);
                fields.push((name, Value::Float(number)));
            }
            Part::Text(name, length) => {
                let len = length.of(&fields, cursor, start, size)?;
                fields.push((name, Value::Text(cursor.take(len)?)));
            }
            Part::Data(name, length) => {
                let len = length.of(&fields, cursor, start, size)?;
                let data = cursor.take(len)?;
                if !data.is_empty() {
                    fields.push((name, Value::Data(data)));
                }
            }
            Part::Code(name, width) => {
                let code = cursor.take(width.into())?;
                let text = code.split(|octet| *octet == 0).next().unwrap_or_default();
                fields.push((name, Value::Text(text)));
            }
            // read by who knows which bit is next
            Part::Packed(..) => return None,
        }
    }
    Some(fields)
}

/// A number of up to eight octets, the lowest first.
pub(super) fn little_endian(cursor: &mut Cursor<'_>, width: u8) -> Option<u64> {
    let octets = cursor.take(width.into())?;
    Some(
        octets
            .iter()
            .rev()
            .fold(0, |number, octet| number << 8 | u64::from(*octet)),
    )
}

impl Length {
    fn of(
        self,
        fields: &[(&'static str, Value<'_>)],
        cursor: &Cursor<'_>,
        start: usize,
        size: usize,
    ) -> Option<usize> {
        match self {
            Self::Rest => size.checked_sub(cursor.position().checked_sub(start)?),
            Self::Of(name) => match fields.iter().find(|(known, _)| *known == name)?.1 {
                Value::Number(len) => usize::try_from(len).ok(),
                Value::Float(_) | Value::Text(_) | Value::Data(_) => None,
            },
        }
    }
}
