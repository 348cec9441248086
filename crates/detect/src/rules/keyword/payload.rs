//! What is asked of a buffer beside contents: its size, numbers in it, expressions.

use std::sync::Arc;

use packet::json::Object;

use super::content::negated;
use super::number::Number;
use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::content::Value;
use crate::rules::diagnostic::Problem;
use crate::rules::memory::Memory;
use crate::rules::note::Note;
use crate::rules::pcre::{Flags, Match, Of, Pcre};
use crate::rules::rule::{Check, Condition, Find, Found, Step, Subject};
use crate::rules::scene::Scene;
use crate::rules::syntax::Piece;
use crate::rules::walk::{AUTOMATON, Walk};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "pcre",
        "[!]\"/expression/flags\"",
        "A regular expression.",
        pcre,
    ),
    Keyword::call(
        "isdataat",
        "[!]bytes[,relative]",
        "So many bytes are there.",
        isdataat,
    ),
    Keyword::call("bsize", "number", "The buffer has so many bytes.", bsize),
    Keyword::call(
        "dsize",
        "number",
        "The packet's payload has so many bytes.",
        dsize,
    ),
];

fn pcre(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let (negated, quoted) = negated(arg.value()?);
    let text = quoted
        .text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let text = text.map_or(quoted, |text| quoted.part(text));
    // a semicolon is escaped for the rule's sake, not for the expression's
    let expression = text.text.replace("\\;", ";");
    let (pcre, flags) = Pcre::parse(&expression).map_err(|error| {
        let at = text.at.saturating_add(error.at);
        Problem::wrong(at..at.saturating_add(1), error.message).mend(error.mend)
    })?;
    let Flags {
        relative, buffer, ..
    } = flags;
    let captures = pcre.captures().iter();
    let captures =
        captures.map(|capture| (capture.group, capture.of, capture.name.as_str().into()));
    let find = Step::Find(Box::new(Expression {
        captures: captures.collect(),
        pcre,
        negated,
        relative,
    }));
    let Some(buffer) = buffer else {
        rule.ask(find);
        return Ok(());
    };
    let named = Keyword::find(buffer).map(|keyword| keyword.does);
    match named {
        Some(super::Does::Enter(buffer)) => rule.ask_of(buffer, find, arg.name),
        Some(super::Does::Call(_) | super::Does::Move(_)) | None => {
            Err(text.unsupported(format!("expressions over {buffer} are not supported")))
        }
    }
}

/// A regular expression.
#[derive(Debug)]
struct Expression {
    pcre: Pcre,
    /// Groups that are noted, and as what.
    captures: Vec<(u32, Of, Arc<str>)>,
    negated: bool,
    relative: bool,
}

impl Expression {
    /// Notes what groups took.
    fn note(&self, hay: &[u8], found: &Match, walk: &mut Walk<'_, '_>) {
        for (group, of, name) in &self.captures {
            let place = usize::try_from(group.saturating_sub(1)).unwrap_or(usize::MAX);
            let range = found.groups.get(place).cloned().flatten();
            let Some(value) = range.and_then(|range| hay.get(range)) else {
                continue;
            };
            let name = Arc::clone(name);
            let value = value.get(..VARIABLE_BYTES_MAX).unwrap_or(value).to_vec();
            walk.note(match of {
                Of::Flow => Note::Flow { name, value },
                Of::Packet => Note::Packet { name, value },
                Of::Alert => {
                    let json = text_of(&value);
                    Note::Context { key: name, json }
                }
            });
        }
    }
}

/// Bytes as text in JSON.
fn text_of(value: &[u8]) -> String {
    let mut written = String::new();
    Object::write(&mut written, |object| object.bytes("", value));
    let text = written.strip_prefix("{\"\":");
    let text = text.and_then(|text| text.strip_suffix('}'));
    text.unwrap_or_default().to_owned()
}

/// Most bytes of a group that are noted.
const VARIABLE_BYTES_MAX: usize = 4096;

impl Find for Expression {
    fn first(&self, walk: &Walk<'_, '_>) -> Option<usize> {
        let start = if self.relative { walk.cursor } else { 0 };
        (start <= walk.bytes.len()).then_some(start)
    }

    fn next(&self, walk: &mut Walk<'_, '_>, from: usize) -> Option<Found> {
        let start = self.first(walk)?;
        let hay = walk.bytes.get(start..)?;
        let within = from.checked_sub(start)?;
        let is_noted = !self.captures.is_empty() && !self.negated;
        let found = match is_noted {
            false => self.pcre.find_span(hay, within, &mut walk.pcre),
            true => self.pcre.find(hay, within, &mut walk.pcre).map(|found| {
                self.note(hay, &found, walk);
                found.start..found.end
            }),
        };
        let read = found.as_ref().map_or(hay.len(), |found| found.end);
        walk.searched(read.saturating_sub(within).saturating_mul(AUTOMATON));
        let found = found?;
        let (begins, ends) = (
            start.saturating_add(found.start),
            start.saturating_add(found.end),
        );
        Some(Found {
            start: begins,
            end: ends,
            again: begins.saturating_add(1),
        })
    }

    fn is_negated(&self) -> bool {
        self.negated
    }

    fn is_relative(&self) -> bool {
        self.relative
    }
}

fn isdataat(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let (negated, value) = negated(arg.value()?);
    let mut words = value.split(',');
    let first = words.next().unwrap_or(value);
    let bytes = value_of(rule, first)?;
    let mut relative = false;
    for word in words {
        match word.text {
            "relative" => relative = true,
            "rawbytes" => {}
            other => {
                return Err(word
                    .wrong(format!("{other:?} is nothing that isdataat knows"))
                    .mend("write relative"));
            }
        }
    }
    rule.ask(Step::Check(Box::new(IsDataAt {
        bytes,
        relative,
        negated,
    })));
    Ok(())
}

#[derive(Debug)]
struct IsDataAt {
    bytes: Value,
    relative: bool,
    negated: bool,
}

impl Check for IsDataAt {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        let bytes = self.bytes.get(walk);
        let len = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
        let at = match self.relative {
            true => len(walk.cursor).saturating_add(bytes),
            false => bytes,
        };
        // behind a match, other sensors count the bytes, else they look for the one at that place
        let is_there = match self.relative {
            true => at <= len(walk.bytes.len()),
            false => at < len(walk.bytes.len()),
        };
        is_there != self.negated
    }

    fn is_relative(&self) -> bool {
        self.relative
    }
}

/// A number of bytes, or a variable that holds one.
pub(super) fn value_of(rule: &Builder<'_, '_>, text: Piece<'_>) -> Result<Value, Problem> {
    let is_number = text
        .text
        .trim_start_matches(['-', '+'])
        .starts_with(|first: char| first.is_ascii_digit());
    match is_number {
        true => number(text).map(Value::Number),
        false => rule.variable(text).map(Value::Variable),
    }
}

fn bsize(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let size = Number::parse(arg.value()?, 0..=u64::MAX)?;
    rule.ask(Step::Check(Box::new(Size(size))));
    Ok(())
}

/// How many bytes a buffer has.
#[derive(Debug)]
pub(super) struct Size(pub(super) Number);

impl Check for Size {
    fn holds(&self, walk: &mut Walk<'_, '_>) -> bool {
        self.0
            .holds(u64::try_from(walk.bytes.len()).unwrap_or(u64::MAX))
    }
}

fn dsize(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let size = Number::parse(arg.value()?, 0..=65_535)?;
    rule.needs_packet = true;
    rule.payload_from.packets_only = true;
    rule.payload_size = Some(size);
    rule.conditions.push(Box::new(PayloadSize(size)));
    Ok(())
}

/// How many bytes of payload a packet has.
#[derive(Debug)]
struct PayloadSize(Number);

impl Condition for PayloadSize {
    fn holds(&self, scene: &Scene<'_>, _: &mut Memory<'_>) -> bool {
        self.at_once(scene) == Some(true)
    }

    fn at_once(&self, scene: &Scene<'_>) -> Option<bool> {
        let len = scene.packet.map(|_packet| scene.payload.len());
        Some(len.is_some_and(|len| self.0.holds(u64::try_from(len).unwrap_or(u64::MAX))))
    }

    fn subject(&self) -> Subject {
        Subject::Payload
    }
}
