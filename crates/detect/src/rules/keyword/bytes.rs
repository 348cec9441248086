//! Numbers within a buffer: tested, jumped by, kept for later, worked with.

mod written;

use super::payload::value_of;
use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::content::Value;
use crate::rules::diagnostic::Problem;
use crate::rules::rule::{Check, Step};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;
use written::{Written, integer};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "byte_test",
        "bytes,[!]<|>|=|<=|>=|&|^,value,offset[,relative][,big|little|dce][,string,hex|dec|oct][,bitmask M]",
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
        "bytes N,offset N,oper +|-|*|/|<<|>>,rvalue N,result NAME[,relative][,endian big|little|dce][,string hex|dec|oct][,bitmask M]",
        "Work with a number in the buffer and keep the result as a variable.",
        byte_math,
    ),
];

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
        .wrong(format!("{} has too few parts", arg.name.text))
        .mend(format!("write {}:{usage};", arg.name.text))
}

/// A word that a keyword does not know.
pub(super) fn unknown(arg: Arg<'_>, word: Piece<'_>) -> Problem {
    let (name, usage) = (arg.name.text, Keyword::usage(arg.name.text));
    word.wrong(format!("{:?} is no word that {name} knows", word.text))
        .mend(format!("write {name}:{usage};"))
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
                .wrong(format!("{:?} is no comparison", operator.text))
                .mend("write <, >, =, <=, >=, & or ^, and ! before it for the opposite"));
        }
    };
    let value = operand(rule, value)?;
    let mut written = Written::new(operand(rule, bytes)?, operand(rule, offset)?);
    for word in words {
        if !written.take(word)? {
            return Err(unknown(arg, word));
        }
    }
    let written = written.checked(rule, bytes)?;
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
            _ => return Err(unknown(arg, word)),
        }
    }
    jump.written = jump.written.checked(rule, bytes)?;
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
            _ => return Err(unknown(arg, word)),
        }
    }
    let extract = Extract {
        written: written.checked(rule, bytes)?,
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
            .ok_or_else(|| unknown(arg, word))?;
        let rest = word.part(rest).trim();
        match name {
            "bytes" => bytes = Some(rest),
            "offset" => offset = Some(rest),
            "oper" => {
                let known = OPERATORS.iter().find(|(sign, _)| *sign == rest.text);
                let known = known.ok_or_else(|| {
                    rest.wrong(format!("{:?} is no operator", rest.text))
                        .mend("write +, -, *, /, << or >>")
                })?;
                operator = Some(known.1);
            }
            "rvalue" => value = Some(operand(rule, rest)?),
            "result" => result = Some(rest),
            _ => return Err(unknown(arg, word)),
        }
    }
    let all = bytes.zip(offset).zip(operator).zip(value).zip(result);
    let ((((bytes, offset), operator), value), result) = all.ok_or_else(|| missing(arg))?;
    written.bytes = operand(rule, bytes)?;
    written.offset = operand(rule, offset)?;
    let math = Math {
        written: written.checked(rule, bytes)?,
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
