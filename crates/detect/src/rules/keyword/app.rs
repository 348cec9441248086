//! What keywords about application protocols share: buffers that a transaction has, and numbers of
//! it that are compared.

use std::ops::RangeInclusive;

use packet::AppProto;

use super::number::Number;
use super::{Arg, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::header::Apps;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides, Stage, Values};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;

/// Largest number of 32 bits.
pub(super) const U32_MAX: u64 = u32::MAX as u64;

/// Stands among numbers for a part of a transaction that has none.
pub(super) const NOTHING: u64 = u64::MAX;

/// Reads the values of a buffer.
pub(super) type Get = for<'s> fn(&Scene<'s>, &mut Values<'s>);

/// A buffer of transactions that is there with the whole message of its side.
pub(super) const fn buffer(
    name: &'static str,
    apps: &[AppProto],
    sides: Sides,
    get: Get,
) -> Buffer {
    Buffer {
        name,
        apps: Apps::of(apps),
        sides,
        stage: Stage::Message,
        multiple: false,
        get,
    }
}

impl Buffer {
    /// It is there with the head of the message.
    pub(super) const fn in_head(mut self) -> Self {
        self.stage = Stage::Head;
        self
    }

    /// It can have several values.
    pub(super) const fn multiple(mut self) -> Self {
        self.multiple = true;
        self
    }
}

/// Adds numbers as one value, each in eight bytes; none where there are none.
pub(super) fn push<N: Into<u64>>(values: &mut Values<'_>, numbers: impl IntoIterator<Item = N>) {
    let mut numbers = numbers.into_iter().peekable();
    if numbers.peek().is_some() {
        push_all(values, numbers);
    }
}

/// Adds numbers as one value, also where there are none: something can be asked of all of them.
pub(super) fn push_all<N: Into<u64>>(
    values: &mut Values<'_>,
    numbers: impl IntoIterator<Item = N>,
) {
    let bytes = numbers
        .into_iter()
        .flat_map(|number| number.into().to_be_bytes());
    values.made(bytes.collect());
}

/// What is asked of the numbers of a buffer.
#[derive(Debug)]
struct Numbers {
    test: Test,
    which: Which,
}

/// What is asked of one number.
#[derive(Debug)]
enum Test {
    /// It compares so.
    Number(Number),
    /// Bits of it are set or not: a mask, and what is left of the number under it.
    Bits(u64, u64),
}

/// Of which numbers something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Any of them.
    Any,
    /// All of them.
    All,
    /// The one of that number, from 0.
    At(usize),
    /// The one of that number from the end, from 0.
    FromEnd(usize),
}

impl Check for Numbers {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let (words, _) = walk.bytes.as_chunks::<8>();
        let mut numbers = words.iter().map(|word| u64::from_be_bytes(*word));
        let mut holds = |number| {
            number != NOTHING
                && match &self.test {
                    Test::Number(compared) => compared.holds(number),
                    Test::Bits(mask, bits) => number & mask == *bits,
                }
        };
        match self.which {
            Which::Any => numbers.any(holds),
            Which::All => numbers.filter(|number| *number != NOTHING).all(holds),
            Which::At(at) => numbers.nth(at).is_some_and(holds),
            Which::FromEnd(at) => numbers.nth_back(at).is_some_and(&mut holds),
        }
    }
}

/// A keyword that compares a number of a transaction, by its name where it has one.
pub(super) fn compare(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    range: RangeInclusive<u64>,
    names: impl Fn(&str) -> Option<u64>,
) -> Result<(), Problem> {
    let test = test(arg.value()?, range, names)?;
    ask_which(rule, arg, buffer, test, Which::Any)
}

/// Asks for a number of a transaction that compares so.
pub(super) fn ask(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    number: Number,
) -> Result<(), Problem> {
    ask_which(rule, arg, buffer, Test::Number(number), Which::Any)
}

/// One that also says of which numbers: `number[,any|all|index]`.
pub(super) fn compare_some(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    range: RangeInclusive<u64>,
    names: impl Fn(&str) -> Option<u64>,
) -> Result<(), Problem> {
    let value = arg.value()?;
    let mut parts = value.split(',');
    let test = test(parts.next().unwrap_or(value), range, names)?;
    let which = parts.next().map_or(Ok(Which::Any), which)?;
    if let Some(more) = parts.next() {
        return Err(more
            .wrong("more than a number and which one")
            .mend("write number,any, number,all or number,index"));
    }
    ask_which(rule, arg, buffer, test, which)
}

/// A keyword that names bits of a number: `name,!name`, or a comparison.
pub(super) fn flags(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    range: RangeInclusive<u64>,
    names: &[(&str, u64)],
) -> Result<(), Problem> {
    let value = arg.value()?;
    let (mut mask, mut bits) = (0, 0);
    for word in value.split(',') {
        let (is_set, name) = match word.text.strip_prefix('!') {
            Some(name) => (false, word.part(name).trim()),
            None => (true, word),
        };
        let known = names.iter().find(|(known, _)| *known == name.text);
        let Some(bit) = known.map(|(_, bit)| *bit) else {
            let test = Test::Number(Number::parse(value, range)?);
            return ask_which(rule, arg, buffer, test, Which::Any);
        };
        mask |= bit;
        bits |= if is_set { bit } else { 0 };
    }
    ask_which(rule, arg, buffer, Test::Bits(mask, bits), Which::Any)
}

fn ask_which(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    test: Test,
    which: Which,
) -> Result<(), Problem> {
    let step = Step::Check(Box::new(Numbers { test, which }));
    rule.ask_of(buffer, step, arg.name)
}

fn test(
    text: Piece<'_>,
    range: RangeInclusive<u64>,
    names: impl Fn(&str) -> Option<u64>,
) -> Result<Test, Problem> {
    let (negated, name) = match text.text.strip_prefix('!') {
        Some(name) => (true, name.trim()),
        None => (false, text.text),
    };
    Ok(Test::Number(match (names(name), negated) {
        (Some(number), true) => Number::IsNot(number),
        (Some(number), false) => Number::Is(number),
        (None, _) => Number::parse(text, range)?,
    }))
}

/// Words for yes and no.
pub(super) const BOOLEANS: &[(&str, u64)] = &[
    ("yes", 1),
    ("true", 1),
    ("on", 1),
    ("1", 1),
    ("no", 0),
    ("false", 0),
    ("off", 0),
    ("0", 0),
];

/// A keyword whose value is one of a few words.
pub(super) fn word(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    words: &'static [(&'static str, u64)],
) -> Result<(), Problem> {
    let value = arg.value()?;
    let number = table(words)(value.text).ok_or_else(|| {
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        value
            .wrong(format!(
                "{:?} is no word that {} knows",
                value.text, arg.name.text
            ))
            .mend(format!("write one of {}", all.join(", ")))
    })?;
    ask(rule, arg, buffer, Number::Is(number))
}

/// Names of numbers, whatever their case.
pub(super) fn table(names: &'static [(&'static str, u64)]) -> impl Fn(&str) -> Option<u64> {
    move |name| {
        let mut names = names.iter();
        let found = names.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, number)| *number)
    }
}

/// Numbers that have no names.
pub(super) fn nameless(_: &str) -> Option<u64> {
    None
}

fn which(text: Piece<'_>) -> Result<Which, Problem> {
    match text.text {
        "any" => Ok(Which::Any),
        "all" => Ok(Which::All),
        index => match index.strip_prefix('-') {
            None => number(text).map(Which::At),
            Some(back) => {
                let back: usize = number(text.part(back))?;
                back.checked_sub(1).map(Which::FromEnd).ok_or_else(|| {
                    text.wrong("numbers from the end begin with -1")
                        .mend("write -1 for the last")
                })
            }
        },
    }
}
