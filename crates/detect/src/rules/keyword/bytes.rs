//! Numbers within a buffer: tested, jumped by, kept for later, worked with.

use super::payload::value_of;
use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::content::Value;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "byte_test",
        "bytes,[!]<|>|=|<=|>=|&|^,value,offset[,relative][,big|little][,string,hex|dec|oct][,bitmask M]",
        "A number in the buffer compares to a value.",
        byte_test,
    ),
    Keyword::call(
        "byte_jump",
        "bytes,offset[,relative][,multiplier N][,big|little][,string,hex|dec|oct][,align][,from_beginning|from_end][,post_offset N][,bitmask M]",
        "Go on behind as many bytes as a number in the buffer says.",
        byte_jump,
    ),
    Keyword::call(
        "byte_extract",
        "bytes,offset,name[,relative][,multiplier N][,big|little][,string,hex|dec|oct][,align 2|4]",
        "Keep a number in the buffer as a variable.",
        byte_extract,
    ),
    Keyword::call(
        "byte_math",
        "bytes N,offset N,oper +|-|*|/|<<|>>,rvalue N,result NAME[,relative][,endian big|little][,string hex|dec|oct][,bitmask M]",
        "Work with a number in the buffer and keep the result as a variable.",
        byte_math,
    ),
];

/// Most bytes of a number in binary.
const BINARY_BYTES_MAX: i64 = 8;
/// Most digits of a number in text.
const DIGITS_MAX: i64 = 23;

/// How a number is written in a buffer.
#[derive(Debug, Clone, Copy)]
struct Written {
    bytes: Value,
    offset: Value,
    relative: bool,
    little: bool,
    /// In text, of this radix.
    radix: Option<u32>,
    bitmask: u64,
}

/// A number that was read, and where it ends in the buffer.
struct Read {
    number: u64,
    start: usize,
    end: usize,
}

impl Written {
    fn new(bytes: Value, offset: Value) -> Self {
        Self {
            bytes,
            offset,
            relative: false,
            little: false,
            radix: None,
            bitmask: u64::MAX,
        }
    }

    /// Takes a word of an option; false if it says something else.
    fn take(&mut self, word: Piece<'_>) -> Result<bool, Problem> {
        let (name, rest) = word
            .text
            .split_once(char::is_whitespace)
            .unwrap_or((word.text, ""));
        match name {
            "relative" => self.relative = true,
            "big" => self.little = false,
            "little" => self.little = true,
            "endian" => self.little = rest.trim() == "little",
            // its kind may follow
            "string" if rest.is_empty() => self.radix = self.radix.or(Some(ANY_RADIX)),
            "string" => self.radix = Some(radix(word.part(rest).trim())?),
            "hex" | "dec" | "oct" => self.radix = Some(radix(word)?),
            "bitmask" => self.bitmask = integer(word.part(rest).trim())?,
            "dce" => {
                return Err(
                    word.unsupported("numbers in the byte order of DCERPC are not supported")
                );
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn checked(self, at: Piece<'_>) -> Result<Self, Problem> {
        let max = if self.radix.is_some() {
            DIGITS_MAX
        } else {
            BINARY_BYTES_MAX
        };
        match self.bytes {
            Value::Number(bytes) if !(0..=max).contains(&bytes) => Err(at
                .wrong(format!("a number of {bytes} bytes"))
                .mend(format!("read at most {max} bytes"))),
            Value::Number(_) | Value::Variable(_) => Ok(self),
        }
    }

    fn read(&self, walk: &Walk<'_, '_>) -> Option<Read> {
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
                (binary(bytes, self.little), wanted)
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
            .wrong("no kind of number in text")
            .mend("write hex, dec or oct")),
    }
}

/// A whole number, in hexadecimal behind `0x`.
fn integer(word: Piece<'_>) -> Result<u64, Problem> {
    match word
        .text
        .strip_prefix("0x")
        .or(word.text.strip_prefix("0X"))
    {
        Some(digits) => {
            u64::from_str_radix(digits, 16).map_err(|_e| word.wrong("no hexadecimal number"))
        }
        None => number(word),
    }
}

/// A number that may be in hexadecimal, or a variable.
fn operand(rule: &Builder<'_, '_>, word: Piece<'_>) -> Result<Value, Problem> {
    match word.text.starts_with("0x") {
        true => {
            integer(word).map(|number| Value::Number(i64::try_from(number).unwrap_or(i64::MAX)))
        }
        false => value_of(rule, word),
    }
}

fn missing(arg: Arg<'_>) -> Problem {
    let usage = Keyword::find(arg.name.text).map_or("", |keyword| keyword.usage);
    arg.name
        .wrong("too few parts")
        .mend(format!("write {}:{usage};", arg.name.text))
}

pub(super) fn unknown(word: Piece<'_>) -> Problem {
    word.wrong(format!("{:?} is nothing that is known here", word.text))
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    Below,
    Above,
    Equal,
    AtMost,
    AtLeast,
    And,
    Xor,
}

#[derive(Debug)]
struct Test {
    written: Written,
    operator: Operator,
    negated: bool,
    value: Value,
}

fn byte_test(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let whole = arg.value()?;
    let mut words = whole.split(',');
    let mut next = || words.next().ok_or_else(|| missing(arg));
    let (bytes, operator, value, offset) = (next()?, next()?, next()?, next()?);
    let (negated, sign) = super::content::negated(operator);
    let operator = match sign.text {
        "<" => Operator::Below,
        ">" => Operator::Above,
        "=" | "==" => Operator::Equal,
        "<=" => Operator::AtMost,
        ">=" => Operator::AtLeast,
        "&" => Operator::And,
        "^" => Operator::Xor,
        _ => {
            return Err(operator
                .wrong("no operator")
                .mend("write <, >, =, <=, >=, & or ^"));
        }
    };
    let value = operand(rule, value)?;
    let mut written = Written::new(operand(rule, bytes)?, operand(rule, offset)?);
    for word in words {
        if !written.take(word)? {
            return Err(unknown(word));
        }
    }
    let written = written.checked(bytes)?;
    rule.ask(Step::Check(Box::new(Test {
        written,
        operator,
        negated,
        value,
    })));
    Ok(())
}

impl Check for Test {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let Some(read) = self.written.read(walk) else {
            return false;
        };
        let value = match self.value {
            Value::Number(number) => u64::try_from(number).unwrap_or(0),
            Value::Variable(at) => walk.variables.get(at).copied().unwrap_or_default(),
        };
        let holds = match self.operator {
            Operator::Below => read.number < value,
            Operator::Above => read.number > value,
            Operator::Equal => read.number == value,
            Operator::AtMost => read.number <= value,
            Operator::AtLeast => read.number >= value,
            Operator::And => read.number & value != 0,
            Operator::Xor => read.number ^ value != 0,
        };
        holds != self.negated
    }

    fn is_relative(&self) -> bool {
        self.written.relative
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Here,
    Beginning,
    End,
}

#[derive(Debug)]
struct Jump {
    written: Written,
    multiplier: u64,
    align: bool,
    from: From,
    post_offset: Value,
}

fn byte_jump(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let whole = arg.value()?;
    let mut words = whole.split(',');
    let mut next = || words.next().ok_or_else(|| missing(arg));
    let (bytes, offset) = (next()?, next()?);
    let mut jump = Jump {
        written: Written::new(operand(rule, bytes)?, operand(rule, offset)?),
        multiplier: 1,
        align: false,
        from: From::Here,
        post_offset: Value::Number(0),
    };
    for word in words {
        if jump.written.take(word)? {
            continue;
        }
        let (name, rest) = word
            .text
            .split_once(char::is_whitespace)
            .unwrap_or((word.text, ""));
        match name {
            "multiplier" => jump.multiplier = number(word.part(rest).trim())?,
            "align" => jump.align = true,
            "from_beginning" => jump.from = From::Beginning,
            "from_end" => jump.from = From::End,
            "post_offset" => jump.post_offset = operand(rule, word.part(rest).trim())?,
            _ => return Err(unknown(word)),
        }
    }
    jump.written = jump.written.checked(bytes)?;
    rule.ask(Step::Check(Box::new(jump)));
    Ok(())
}

impl Check for Jump {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let is_empty = self.written.bytes == Value::Number(0);
        let (number, end) = match self.written.read(walk) {
            Some(read) if is_empty => (0, read.start),
            Some(read) => (read.number, read.end),
            None => return false,
        };
        let number = number.saturating_mul(self.multiplier);
        let number = if self.align {
            number.saturating_add(3) & !3
        } else {
            number
        };
        let base = match self.from {
            From::Here => end,
            From::Beginning => 0,
            From::End => walk.bytes.len(),
        };
        let int = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
        let to = int(base)
            .saturating_add(i64::try_from(number).unwrap_or(i64::MAX))
            .saturating_add(self.post_offset.get(walk));
        // before the first byte there is nothing: other sensors stop there
        let to = usize::try_from(to.max(0)).unwrap_or(usize::MAX);
        let is_within = to <= walk.bytes.len();
        if is_within {
            walk.cursor = to;
        }
        is_within
    }

    fn is_relative(&self) -> bool {
        self.written.relative
    }
}

#[derive(Debug)]
struct Extract {
    written: Written,
    multiplier: u64,
    align: u64,
    variable: usize,
}

fn byte_extract(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let whole = arg.value()?;
    let mut words = whole.split(',');
    let mut next = || words.next().ok_or_else(|| missing(arg));
    let (bytes, offset, name) = (next()?, next()?, next()?);
    let mut written = Written::new(operand(rule, bytes)?, operand(rule, offset)?);
    let (mut multiplier, mut align) = (1, 1);
    for word in words {
        if written.take(word)? {
            continue;
        }
        let (option, rest) = word
            .text
            .split_once(char::is_whitespace)
            .unwrap_or((word.text, ""));
        match option {
            "multiplier" => multiplier = number(word.part(rest).trim())?,
            "align" => align = number(word.part(rest).trim())?,
            _ => return Err(unknown(word)),
        }
    }
    let extract = Extract {
        written: written.checked(bytes)?,
        multiplier,
        align,
        variable: rule.set_variable(name)?,
    };
    rule.ask(Step::Check(Box::new(extract)));
    Ok(())
}

impl Check for Extract {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let Some(read) = self.written.read(walk) else {
            return false;
        };
        let number = read.number.saturating_mul(self.multiplier);
        let over = number.checked_rem(self.align).unwrap_or(0);
        let number = if over == 0 {
            number
        } else {
            number.saturating_add(self.align).saturating_sub(over)
        };
        walk.set_variable(self.variable, number);
        walk.cursor = read.end;
        true
    }

    fn is_relative(&self) -> bool {
        self.written.relative
    }
}

#[derive(Debug)]
struct Math {
    written: Written,
    operator: Operation,
    value: Value,
    variable: usize,
}

/// What an operator makes of two numbers; none where it makes nothing.
type Operation = fn(u64, u64) -> Option<u64>;

/// Operators of `byte_math`.
const OPERATORS: &[(&str, Operation)] = &[
    ("+", |left, right| Some(left.wrapping_add(right))),
    ("-", |left, right| Some(left.wrapping_sub(right))),
    ("*", |left, right| Some(left.wrapping_mul(right))),
    ("/", u64::checked_div),
    ("<<", |left, right| {
        Some(
            u32::try_from(right)
                .ok()
                .and_then(|right| left.checked_shl(right))
                .unwrap_or(0),
        )
    }),
    (">>", |left, right| {
        Some(
            u32::try_from(right)
                .ok()
                .and_then(|right| left.checked_shr(right))
                .unwrap_or(0),
        )
    }),
];

fn byte_math(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let whole = arg.value()?;
    let words = whole.split(',');
    let (mut bytes, mut offset, mut operator, mut value, mut result) =
        (None, None, None, None, None);
    let mut written = Written::new(Value::Number(0), Value::Number(0));
    for word in words {
        if written.take(word)? {
            continue;
        }
        let (name, rest) = word
            .text
            .split_once(char::is_whitespace)
            .ok_or_else(|| unknown(word))?;
        let rest = word.part(rest).trim();
        match name {
            "bytes" => bytes = Some(rest),
            "offset" => offset = Some(rest),
            "oper" => {
                let known = OPERATORS.iter().find(|(sign, _)| *sign == rest.text);
                let known = known
                    .ok_or_else(|| rest.wrong("no operator").mend("write +, -, *, /, << or >>"))?;
                operator = Some(known.1);
            }
            "rvalue" => value = Some(operand(rule, rest)?),
            "result" => result = Some(rest),
            _ => return Err(unknown(word)),
        }
    }
    let all = bytes.zip(offset).zip(operator).zip(value).zip(result);
    let ((((bytes, offset), operator), value), result) = all.ok_or_else(|| missing(arg))?;
    written.bytes = operand(rule, bytes)?;
    written.offset = operand(rule, offset)?;
    let math = Math {
        written: written.checked(bytes)?,
        operator,
        value,
        variable: rule.set_variable(result)?,
    };
    rule.ask(Step::Check(Box::new(math)));
    Ok(())
}

impl Check for Math {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let Some(read) = self.written.read(walk) else {
            return false;
        };
        let value = match self.value {
            Value::Number(number) => u64::try_from(number).unwrap_or(0),
            Value::Variable(at) => walk.variables.get(at).copied().unwrap_or_default(),
        };
        let Some(result) = (self.operator)(read.number, value) else {
            return false;
        };
        walk.set_variable(self.variable, result);
        walk.cursor = read.end;
        true
    }

    fn is_relative(&self) -> bool {
        self.written.relative
    }
}
