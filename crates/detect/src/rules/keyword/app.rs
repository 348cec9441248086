//! What keywords about application protocols share: buffers that a transaction has, and numbers of
//! it that are compared.

use std::ops::RangeInclusive;

use packet::AppProto;

use super::Arg;
use super::number::Number;
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::header::Apps;
use crate::rules::rule::{Check, Step};
use crate::rules::scene::{Buffer, Scene, Sides, Stage, Values};
use crate::rules::syntax::Piece;
use crate::rules::walk::Walk;

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
    let bytes: Vec<u8> = numbers
        .into_iter()
        .flat_map(|number| number.into().to_be_bytes())
        .collect();
    if !bytes.is_empty() {
        values.made(bytes);
    }
}

/// What is asked of the numbers of a buffer: one of them compares so.
#[derive(Debug)]
struct Numbers(Number);

impl Check for Numbers {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let (words, _) = walk.bytes.as_chunks::<8>();
        let mut numbers = words.iter().map(|word| u64::from_be_bytes(*word));
        numbers.any(|number| self.0.holds(number))
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
    let number = named(arg.value()?, range, names)?;
    ask(rule, arg, buffer, number)
}

/// Asks for a number of a transaction that compares so.
pub(super) fn ask(
    rule: &mut Builder<'_, '_>,
    arg: Arg<'_>,
    buffer: &'static Buffer,
    number: Number,
) -> Result<(), Problem> {
    let step = Step::Check(Box::new(Numbers(number)));
    rule.ask_of(buffer, step, arg.name)
}

fn named(
    text: Piece<'_>,
    range: RangeInclusive<u64>,
    names: impl Fn(&str) -> Option<u64>,
) -> Result<Number, Problem> {
    let (negated, name) = match text.text.strip_prefix('!') {
        Some(name) => (true, name.trim()),
        None => (false, text.text),
    };
    Ok(match (names(name), negated) {
        (Some(number), true) => Number::IsNot(number),
        (Some(number), false) => Number::Is(number),
        (None, _) => Number::parse(text, range)?,
    })
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
