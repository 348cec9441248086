//! How numbers are written in buffers: in binary, or in text.

use crate::rules::builder::Builder;
use crate::rules::content::Value;
use crate::rules::diagnostic::Problem;
use crate::rules::keyword::{dcerpc, number};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;

/// Most bytes of a number in binary.
const BINARY_BYTES_MAX: i64 = 8;
/// Most digits of a number in text.
const DIGITS_MAX: i64 = 23;

/// How a number is written in a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) bytes: Value,
    pub(super) offset: Value,
    pub(super) relative: bool,
    order: Order,
    /// In text, of this radix.
    radix: Option<u32>,
    bitmask: u64,
}

/// In which order the bytes of a number stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Big,
    Little,
    /// As the head of the call says.
    Dcerpc,
}

impl Order {
    fn of(word: Piece<'_>) -> Result<Self, Problem> {
        match word.text {
            "big" => Ok(Self::Big),
            "little" => Ok(Self::Little),
            "dce" => Ok(Self::Dcerpc),
            other => Err(word
                .wrong(format!("{other:?} is no order of bytes"))
                .mend("write big, little or dce")),
        }
    }

    fn is_little(self, walk: &Walk<'_, '_>) -> bool {
        match self {
            Self::Big => false,
            Self::Little => true,
            Self::Dcerpc => dcerpc::is_little(walk.scene),
        }
    }
}

/// A number that was read, and where it ends in the buffer.
pub(super) struct Read {
    pub(super) number: u64,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Written {
    pub(super) fn new(bytes: Value, offset: Value) -> Self {
        Self {
            bytes,
            offset,
            relative: false,
            order: Order::Big,
            radix: None,
            bitmask: u64::MAX,
        }
    }

    /// Takes a word of an option; false if it says something else.
    pub(super) fn take(&mut self, word: Piece<'_>) -> Result<bool, Problem> {
        let (name, rest) = word
            .text
            .split_once(char::is_whitespace)
            .unwrap_or((word.text, ""));
        match name {
            "relative" => self.relative = true,
            "big" => self.order = Order::Big,
            "little" => self.order = Order::Little,
            "dce" => self.order = Order::Dcerpc,
            "endian" => self.order = Order::of(word.part(rest).trim())?,
            // its kind may follow
            "string" if rest.is_empty() => self.radix = self.radix.or(Some(ANY_RADIX)),
            "string" => self.radix = Some(radix(word.part(rest).trim())?),
            "hex" | "dec" | "oct" => self.radix = Some(radix(word)?),
            "bitmask" => self.bitmask = integer(word.part(rest).trim())?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Where a rule may read it. `at` is the number of bytes.
    pub(super) fn checked(self, rule: &Builder<'_, '_>, at: Piece<'_>) -> Result<Self, Problem> {
        if self.order == Order::Dcerpc && !dcerpc::is_stub(rule.buffer()) {
            return Err(at
                .wrong("dce is the order of bytes of dcerpc.stub_data alone")
                .mend("write dcerpc.stub_data before it, or big or little for dce"));
        }
        let max = if self.radix.is_some() {
            DIGITS_MAX
        } else {
            BINARY_BYTES_MAX
        };
        match self.bytes {
            Value::Number(bytes) if bytes < 0 => Err(at
                .wrong("a number has no fewer than 0 bytes")
                .mend(format!("read 0 to {max} bytes"))),
            Value::Number(bytes) if bytes > max => Err(at
                .wrong(format!("{bytes} bytes are too many for a number"))
                .mend(format!("read 0 to {max} bytes"))),
            Value::Number(_) | Value::Variable(_) => Ok(self),
        }
    }

    pub(super) fn read(&self, walk: &Walk<'_, '_>) -> Option<Read> {
        let base = if self.relative {
            i64::try_from(walk.cursor).ok()?
        } else {
            0
        };
        let start = usize::try_from(base.checked_add(self.offset.get(walk))?).ok()?;
        let rest = walk.bytes.get(start..)?;
        let wanted = usize::try_from(self.bytes.get(walk)).ok()?;
        let (raw, len) = match self.radix {
            None => {
                let bytes = rest.get(..wanted).filter(|bytes| bytes.len() <= 8)?;
                (binary(bytes, self.order.is_little(walk)), wanted)
            }
            Some(radix) => text(rest.get(..wanted.min(rest.len()))?, radix)?,
        };
        let number = (raw & self.bitmask)
            .checked_shr(self.bitmask.trailing_zeros())
            .unwrap_or(0);
        Some(Read {
            number,
            start,
            end: start.saturating_add(len),
        })
    }
}

fn binary(bytes: &[u8], little: bool) -> u64 {
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    match little {
        true => bytes.iter().rev().fold(0, add),
        false => bytes.iter().fold(0, add),
    }
}

/// The number itself says its radix, as in C: `0x` hexadecimal, `0` octal, else decimal.
const ANY_RADIX: u32 = 0;

/// A number in text, as far as it goes, and how many bytes it takes.
fn text(bytes: &[u8], radix: u32) -> Option<(u64, usize)> {
    let blank = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    let mut rest = bytes.get(blank..)?;
    let mut len = blank;
    let radix = match (radix, rest) {
        (ANY_RADIX, [b'0', b'x' | b'X', ..]) => 16,
        (ANY_RADIX, [b'0', ..]) => 8,
        (ANY_RADIX, _) => 10,
        (radix, _) => radix,
    };
    if radix == 16 && (rest.starts_with(b"0x") || rest.starts_with(b"0X")) {
        rest = rest.get(2..)?;
        len = len.saturating_add(2);
    }
    let mut number = None::<u64>;
    for byte in rest {
        let Some(digit) = char::from(*byte).to_digit(radix) else {
            break;
        };
        let before = number.unwrap_or(0);
        number = Some(
            before
                .checked_mul(u64::from(radix))?
                .checked_add(u64::from(digit))?,
        );
        len = len.saturating_add(1);
    }
    number.map(|number| (number, len))
}

fn radix(word: Piece<'_>) -> Result<u32, Problem> {
    match word.text {
        "hex" => Ok(16),
        "dec" => Ok(10),
        "oct" => Ok(8),
        _ => Err(word
            .wrong(format!("{:?} is no kind of number in text", word.text))
            .mend("write hex, dec or oct")),
    }
}

/// A whole number, in hexadecimal behind `0x`.
pub(super) fn integer(word: Piece<'_>) -> Result<u64, Problem> {
    match word
        .text
        .strip_prefix("0x")
        .or(word.text.strip_prefix("0X"))
    {
        Some(digits) => u64::from_str_radix(digits, 16).map_err(|_e| {
            word.wrong(format!(
                "{:?} is no hexadecimal number of 64 bits",
                word.text
            ))
            .mend("write 0x and up to 16 hexadecimal digits")
        }),
        None => number(word),
    }
}
