//! Bencoding (BEP 3), without copying. A datagram bounds how much there can be of it.

/// Deepest nesting taken.
pub const DEPTH_MAX: usize = 16;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(i64),
    Bytes(&'a [u8]),
    List(Vec<Self>),
    Map(Vec<(&'a [u8], Self)>),
}

impl<'a> Value<'a> {
    /// Reads the value at the front; what stands behind it is left alone.
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        value(data, 0).map(|(value, _)| value)
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                let entry = entries.iter().find(|(name, _)| *name == key);
                entry.map(|(_, value)| value)
            }
            Self::Number(_) | Self::Bytes(_) | Self::List(_) => None,
        }
    }

    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Bytes(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    pub(super) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Number(_) | Self::Bytes(_) | Self::Map(_) => None,
        }
    }
}

/// The value at the front and what stands behind it.
fn value(data: &[u8], depth: usize) -> Option<(Value<'_>, &[u8])> {
    if depth > DEPTH_MAX {
        return None;
    }
    let deeper = depth.saturating_add(1);
    let (first, rest) = data.split_first()?;
    match first {
        b'i' => {
            let end = memchr::memchr(b'e', rest)?;
            let text = std::str::from_utf8(rest.get(..end)?).ok()?;
            let behind = rest.get(end.saturating_add(1)..)?;
            Some((Value::Number(text.parse().ok()?), behind))
        }
        b'l' => {
            let (mut items, mut rest) = (Vec::new(), rest);
            while rest.first() != Some(&b'e') {
                let (item, behind) = value(rest, deeper)?;
                items.push(item);
                rest = behind;
            }
            Some((Value::List(items), rest.get(1..)?))
        }
        b'd' => {
            let (mut entries, mut rest) = (Vec::<(&[u8], Value<'_>)>::new(), rest);
            while rest.first() != Some(&b'e') {
                let (key, behind) = bytes(rest)?;
                let (item, behind) = value(behind, deeper)?;
                if entries.iter().any(|(known, _)| *known == key) {
                    return None;
                }
                if entries.len() >= ENTRIES_MAX {
                    return None;
                }
                entries.push((key, item));
                rest = behind;
            }
            Some((Value::Map(entries), rest.get(1..)?))
        }
        _ => bytes(data).map(|(bytes, behind)| (Value::Bytes(bytes), behind)),
    }
}

/// Bytes behind their length.
fn bytes(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', data.get(..LEN_DIGITS_MAX.min(data.len()))?)?;
    let digits = data.get(..colon)?;
    let is_plain = digits == b"0" || digits.first().is_some_and(|first| *first != b'0');
    if !is_plain || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let len = std::str::from_utf8(digits).ok()?.parse().ok()?;
    data.get(colon.saturating_add(1)..)?.split_at_checked(len)
}

/// Most entries of a map: each is compared with those before it.
const ENTRIES_MAX: usize = 128;
/// Most digits of a length, with the colon behind them.
const LEN_DIGITS_MAX: usize = 8;
