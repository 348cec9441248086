//! Protocol Buffers' wire format, read strictly.
//!
//! One encoding for one meaning: what two readers could take differently (a padded varint, a
//! group, a field of a number that the message does not define) is refused. Nothing is copied,
//! nothing recurses: a message is a slice, and its reader asks for its parts.

use crate::error::{ErrorKind, ModelError, Refusal};

/// The bytes of a message, with its place in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// What the message is, for errors.
    pub(crate) name: &'static str,
    rest: &'a [u8],
    at: usize,
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    message: &'static str,
    at: usize,
    value: Wire<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Wire<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

impl<'a> Message<'a> {
    /// The outermost message of a file.
    pub(crate) fn file(name: &'static str, bytes: &'a [u8]) -> Self {
        Self {
            name,
            rest: bytes,
            at: 0,
        }
    }

    /// The next field, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, ModelError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let at = self.at;
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).unwrap_or(u32::MAX);
        if number == 0 || number > NUMBER_MAX {
            return Err(self.damaged("no field has this number", at));
        }
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(self.array()?),
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(self.array()?),
            3 | 4 => return Err(self.damaged("a group, which ONNX does not have", at)),
            _ => return Err(self.damaged("no wire type has this number", at)),
        };
        Ok(Some(Field {
            number,
            message: self.name,
            at,
            value,
        }))
    }

    fn varint(&mut self) -> Result<u64, ModelError> {
        let at = self.at;
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.damaged("a number over 64 bits", at));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.damaged("a padded number", at));
                }
                return Ok(value);
            }
        }
        Err(self.damaged("a number over 64 bits", at))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let taken = self.take(N)?;
        taken
            .try_into()
            .map_err(|_wrong| self.damaged("cut off", self.at))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ModelError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.damaged("cut off", self.at));
        };
        self.rest = rest;
        self.at = self.at.saturating_add(length);
        Ok(taken)
    }

    fn damaged(&self, why: &str, at: usize) -> ModelError {
        let why = format!("in {}: {why}; is this an ONNX file, and whole?", self.name);
        Refusal::new(ErrorKind::Wire, why).at(format!("byte {at}"))
    }
}

impl<'a> Field<'a> {
    /// The field as an integer; negative ones are in two's complement.
    pub(crate) fn int(&self) -> Result<i64, ModelError> {
        match self.value {
            Wire::Varint(value) => Ok(value.cast_signed()),
            Wire::Fixed64(_) | Wire::Bytes(_) | Wire::Fixed32(_) => Err(self.mistyped()),
        }
    }

    pub(crate) fn float(&self) -> Result<f32, ModelError> {
        match self.value {
            Wire::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            Wire::Fixed64(_) | Wire::Bytes(_) | Wire::Varint(_) => Err(self.mistyped()),
        }
    }

    pub(crate) fn bytes(&self) -> Result<&'a [u8], ModelError> {
        match self.value {
            Wire::Bytes(bytes) => Ok(bytes),
            Wire::Fixed64(_) | Wire::Fixed32(_) | Wire::Varint(_) => Err(self.mistyped()),
        }
    }

    /// Text of at most `max` bytes.
    pub(crate) fn text(&self, max: usize) -> Result<&'a str, ModelError> {
        let bytes = self.bytes()?;
        if bytes.len() > max {
            return Err(self.refuse(Refusal::bound("a text", "text_max", max)));
        }
        std::str::from_utf8(bytes)
            .map_err(|_wrong| self.refuse(Refusal::new(ErrorKind::Wire, "text that is not UTF-8")))
    }

    /// The message that the field holds.
    pub(crate) fn message(&self, name: &'static str) -> Result<Message<'a>, ModelError> {
        let bytes = self.bytes()?;
        // The last byte of the field is the last of the message: only errors need the place.
        Ok(Message {
            name,
            rest: bytes,
            at: self.at,
        })
    }

    /// Adds one integer, or a packed list of them, to a list of at most `max`.
    pub(crate) fn ints(
        &self,
        list: &mut Vec<i64>,
        (bound, max): (&str, usize),
    ) -> Result<(), ModelError> {
        match self.value {
            Wire::Varint(value) => list.push(value.cast_signed()),
            Wire::Bytes(bytes) => {
                let mut packed = Message {
                    name: self.message,
                    rest: bytes,
                    at: self.at,
                };
                while !packed.rest.is_empty() && list.len() <= max {
                    list.push(packed.varint()?.cast_signed());
                }
            }
            Wire::Fixed64(_) | Wire::Fixed32(_) => return Err(self.mistyped()),
        }
        self.counted(list.len(), "a list", bound, max)
    }

    /// Adds one float, or a packed list of them, to a list of at most `max`.
    pub(crate) fn floats(
        &self,
        list: &mut Vec<f32>,
        (bound, max): (&str, usize),
    ) -> Result<(), ModelError> {
        match self.value {
            Wire::Fixed32(bytes) => list.push(f32::from_le_bytes(bytes)),
            Wire::Bytes(bytes) => {
                let (numbers, rest) = bytes.as_chunks::<4>();
                self.counted(
                    list.len().saturating_add(numbers.len()),
                    "a list",
                    bound,
                    max,
                )?;
                self.whole(rest)?;
                list.extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
            Wire::Fixed64(_) | Wire::Varint(_) => return Err(self.mistyped()),
        }
        self.counted(list.len(), "a list", bound, max)
    }

    /// Adds one double, or a packed list of them, to a list of at most `max`.
    pub(crate) fn doubles(
        &self,
        list: &mut Vec<f64>,
        (bound, max): (&str, usize),
    ) -> Result<(), ModelError> {
        match self.value {
            Wire::Fixed64(bytes) => list.push(f64::from_le_bytes(bytes)),
            Wire::Bytes(bytes) => {
                let (numbers, rest) = bytes.as_chunks::<8>();
                self.counted(
                    list.len().saturating_add(numbers.len()),
                    "a list",
                    bound,
                    max,
                )?;
                self.whole(rest)?;
                list.extend(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)));
            }
            Wire::Fixed32(_) | Wire::Varint(_) => return Err(self.mistyped()),
        }
        self.counted(list.len(), "a list", bound, max)
    }

    /// The field is defined by ONNX and says nothing that evaluation needs.
    #[expect(
        clippy::unused_self,
        reason = "so that each message names what it skips, as it names what it reads"
    )]
    pub(crate) fn skip(&self) {}

    /// The field is defined by ONNX and not taken here.
    pub(crate) fn unsupported(&self, name: &str, mend: &str) -> ModelError {
        self.refuse(Refusal::unsupported(format!("{name} is not taken: {mend}")))
    }

    /// ONNX does not define the field.
    pub(crate) fn unknown(&self) -> ModelError {
        let why = format!("field {}, which ONNX does not define", self.number);
        self.refuse(Refusal::new(ErrorKind::Wire, why))
    }

    /// Sets what may be set once.
    pub(crate) fn once<T>(
        &self,
        place: &mut Option<T>,
        name: &str,
        value: T,
    ) -> Result<(), ModelError> {
        if place.replace(value).is_some() {
            let why = format!("{name} twice: readers differ in which they take");
            return Err(self.refuse(Refusal::new(ErrorKind::Ambiguous, why)));
        }
        Ok(())
    }

    /// Refuses a list that is longer than its bound.
    pub(crate) fn counted(
        &self,
        length: usize,
        what: &str,
        bound: &str,
        max: usize,
    ) -> Result<(), ModelError> {
        if length > max {
            return Err(self.refuse(Refusal::bound(what, bound, max)));
        }
        Ok(())
    }

    pub(crate) fn refuse(&self, refusal: Refusal) -> ModelError {
        refusal.at(format!("byte {} ({})", self.at, self.message))
    }

    fn whole(&self, rest: &[u8]) -> Result<(), ModelError> {
        if rest.is_empty() {
            return Ok(());
        }
        Err(self.refuse(Refusal::new(
            ErrorKind::Wire,
            "a list that ends in a number",
        )))
    }

    fn mistyped(&self) -> ModelError {
        let why = format!("field {} has another type in ONNX", self.number);
        self.refuse(Refusal::new(ErrorKind::Wire, why))
    }
}

/// The largest number that a field may have.
const NUMBER_MAX: u32 = (1 << 29) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<Option<Field<'_>>, ModelError> {
        Message::file("test", bytes).next()
    }

    #[test]
    fn each_wire_type_is_read() {
        assert_eq!(first(&[0x08, 0x96, 0x01]).unwrap().unwrap().int(), Ok(150));
        let minus = [0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert_eq!(first(&minus).unwrap().unwrap().int(), Ok(-1));
        let text = first(&[0x12, 2, b'h', b'i']).unwrap().unwrap();
        assert_eq!((text.number, text.text(2)), (2, Ok("hi")));
        assert_eq!(text.text(1).unwrap_err().kind, ErrorKind::Bound);
        assert_eq!(text.int().unwrap_err().kind, ErrorKind::Wire);
        let float = first(&[0x15, 0, 0, 0x80, 0x3f]).unwrap().unwrap();
        assert_eq!(float.float(), Ok(1.0));
        assert!(first(&[]).unwrap().is_none());
    }

    #[test]
    fn one_meaning_has_one_encoding() {
        for (bytes, why) in [
            (&[0x08, 0x96, 0x81, 0x00][..], "padded"),
            (&[0x08, 0x80][..], "cut"),
            (&[0x12, 3, 1][..], "cut"),
            (&[0x13][..], "group"),
            (&[0x16][..], "wire type"),
            (&[0x00, 1][..], "number"),
            (
                &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2][..],
                "64 bits",
            ),
            (
                &[0x12, 255, 255, 255, 255, 255, 255, 255, 255, 127][..],
                "cut",
            ),
        ] {
            let error = first(bytes).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Wire);
            assert!(error.why.contains(why), "{error}: {why}");
        }
    }

    #[test]
    fn lists_are_packed_or_not_and_bounded() {
        let mut list = Vec::new();
        let packed = first(&[0x0a, 3, 1, 2, 3]).unwrap().unwrap();
        assert_eq!(packed.ints(&mut list, ("", 3)), Ok(()));
        assert_eq!(list, [1, 2, 3]);
        let one = first(&[0x08, 4]).unwrap().unwrap();
        assert_eq!(
            one.ints(&mut list, ("", 3)).unwrap_err().kind,
            ErrorKind::Bound
        );
        let cut = first(&[0x0a, 3, 0, 0, 0]).unwrap().unwrap();
        assert!(cut.floats(&mut Vec::new(), ("", 9)).is_err());
    }
}
