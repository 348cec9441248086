//! One wording for all patterns that say the same.
//!
//! Each step keeps what matches, which a property test compares; `docs/spec/stix-patterning.md`
//! has the list, and why the tempting ones that are missing here would change the meaning.

mod comparison;
mod value;

use std::fmt::Write as _;

use super::literal::{Moment, nanos};
use super::tree::{Observation, Operator, Qualifier};
use comparison::Plain;

/// How much is brought into one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wording {
    /// What follows from the language.
    Exact,
    /// Also values of known properties that name the same thing.
    Named,
}

/// A pattern in its one wording.
pub(super) fn print(observation: &Observation<'_>, wording: Wording) -> String {
    seen(observation, wording).text()
}

/// What is to be seen, in its one wording.
enum Seen {
    /// One observation.
    One(Plain),
    Joined(Operator, Vec<Self>),
    Within(Box<Self>, Seconds),
    Repeats(Box<Self>, Times),
    /// Each of the observations in all of these spans of time.
    Between(Box<Self>, Vec<Span>),
}

/// A number of times; one that is too large for a number stays as it is written.
#[derive(Clone, PartialEq, Eq)]
enum Times {
    Number(u64),
    Digits(String),
}

/// A number of seconds in decimal digits.
struct Seconds(String);

/// From when, and until before when.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Span(String, String);

fn seen(observation: &Observation<'_>, wording: Wording) -> Seen {
    match observation {
        Observation::Test(comparison) => Seen::One(comparison::plain(comparison, wording)),
        Observation::Joined {
            operator, parts, ..
        } => {
            let parts = parts.iter().map(|part| seen(part, wording));
            Seen::joined(*operator, parts.collect())
        }
        Observation::Qualified {
            inner, qualifier, ..
        } => {
            let inner = seen(inner, wording);
            match qualifier {
                Qualifier::Within(seconds) => inner.within(Seconds::of(seconds)),
                Qualifier::Repeats(times) => inner.repeats(Times::of(times)),
                Qualifier::StartStop(start, stop) => inner.between(vec![Span::of(start, stop)]),
            }
        }
    }
}

impl Seen {
    /// Several joined: what is joined by the same operator inside is taken out of its parentheses,
    /// and the order of `AND` and `OR` is that of the text. Single observations joined by `OR` are
    /// one whose comparisons are joined by `OR`.
    fn joined(operator: Operator, parts: Vec<Self>) -> Self {
        let mut flat = Vec::new();
        let mut single = Vec::new();
        for part in parts {
            let inside = matches!(&part, Self::Joined(inner, _) if *inner == operator);
            if !inside {
                flat.push(part);
            } else if let Self::Joined(_, parts) = part {
                flat.extend(parts);
            }
        }
        if operator == Operator::FollowedBy {
            return Self::Joined(operator, flat);
        }
        if operator == Operator::Or {
            let mut others = Vec::new();
            for part in flat {
                if let Self::One(plain) = part {
                    single.push(plain);
                } else {
                    others.push(part);
                }
            }
            flat = others;
            if !single.is_empty() {
                flat.push(Self::One(Plain::any(single)));
            }
        }
        let mut texts: Vec<(String, Self)> =
            flat.into_iter().map(|part| (part.text(), part)).collect();
        texts.sort_by(|(left, _), (right, _)| left.cmp(right));
        if operator == Operator::Or {
            texts.dedup_by(|(left, _), (right, _)| left == right);
        }
        let mut parts: Vec<Self> = texts.into_iter().map(|(_, part)| part).collect();
        match (parts.len(), parts.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                parts.extend(last);
                Self::Joined(operator, parts)
            }
        }
    }

    /// A single observation is within any time; of two times the shorter counts.
    fn within(self, seconds: Seconds) -> Self {
        let zero = seconds.is_zero();
        match self {
            Self::One(plain) if !zero => Self::One(plain),
            Self::Between(inner, spans) => Self::Between(Box::new(inner.within(seconds)), spans),
            Self::Within(inner, before) => {
                let shorter = before.is_zero() || nanos(&before.0) <= nanos(&seconds.0) && !zero;
                Self::Within(inner, if shorter { before } else { seconds })
            }
            other @ (Self::One(_) | Self::Joined(..) | Self::Repeats(..)) => {
                Self::Within(Box::new(other), seconds)
            }
        }
    }

    /// Once is no repetition, and repetitions of repetitions multiply.
    fn repeats(self, times: Times) -> Self {
        match (self, times) {
            (one, Times::Number(1)) => one,
            (Self::Between(inner, spans), times) => {
                Self::Between(Box::new(inner.repeats(times)), spans)
            }
            (Self::Repeats(inner, Times::Number(before)), Times::Number(times)) => {
                match before.checked_mul(times) {
                    Some(product) => Self::Repeats(inner, Times::Number(product)),
                    None => {
                        let inner = Self::Repeats(inner, Times::Number(before));
                        Self::Repeats(Box::new(inner), Times::Number(times))
                    }
                }
            }
            (other, times) => Self::Repeats(Box::new(other), times),
        }
    }

    /// A span that holds another adds nothing.
    fn between(self, spans: Vec<Span>) -> Self {
        let (inner, mut all) = match self {
            Self::Between(inner, before) => (inner, before),
            other @ (Self::One(_) | Self::Joined(..) | Self::Within(..) | Self::Repeats(..)) => {
                (Box::new(other), Vec::new())
            }
        };
        all.extend(spans);
        all.sort();
        all.dedup();
        let needed: Vec<Span> = all
            .iter()
            .filter(|span| !all.iter().any(|other| other != *span && span.holds(other)))
            .cloned()
            .collect();
        Self::Between(inner, needed)
    }

    fn text(&self) -> String {
        match self {
            Self::One(plain) => format!("[{}]", plain.text()),
            Self::Joined(operator, parts) => {
                let parts = parts
                    .iter()
                    .map(|part| match matches!(part, Self::Joined(..)) {
                        true => format!("({})", part.text()),
                        false => part.text(),
                    });
                let parts: Vec<String> = parts.collect();
                parts.join(&format!(" {} ", operator.keyword()))
            }
            Self::Within(inner, seconds) => {
                let inner = inner.qualified(matches!(**inner, Self::Repeats(..)));
                format!("{inner} WITHIN {} SECONDS", seconds.0)
            }
            Self::Repeats(inner, times) => {
                format!("{} REPEATS {} TIMES", inner.qualified(false), times.text())
            }
            Self::Between(inner, spans) => {
                let open = matches!(**inner, Self::Repeats(..) | Self::Within(..));
                let mut text = inner.qualified(open);
                for (index, Span(start, stop)) in spans.iter().enumerate() {
                    if index > 0 {
                        text = format!("({text})");
                    }
                    // A string takes what is written into it.
                    let _written = write!(text, " START t'{start}' STOP t'{stop}'");
                }
                text
            }
        }
    }

    /// What a qualifier can stand after; `open`: the qualifiers of this one are of other kinds.
    fn qualified(&self, open: bool) -> String {
        match open || matches!(self, Self::One(_)) {
            true => self.text(),
            false => format!("({})", self.text()),
        }
    }
}

impl Times {
    fn of(text: &str) -> Self {
        let digits = text.trim_start_matches('+');
        digits
            .parse()
            .map_or_else(|_| Self::Digits(digits.to_owned()), Self::Number)
    }

    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Digits(digits) => digits.clone(),
        }
    }
}

impl Seconds {
    /// Without a sign, needless zeros, and a point without digits on both sides.
    fn of(text: &str) -> Self {
        let text = text.trim_start_matches('+');
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let fraction = fraction.trim_end_matches('0');
        Self(match fraction {
            "" => whole.to_owned(),
            _ => format!("{whole}.{fraction}"),
        })
    }

    fn is_zero(&self) -> bool {
        self.0 == "0"
    }
}

impl Span {
    fn of(start: &str, stop: &str) -> Self {
        Self(value::time(start), value::time(stop))
    }

    /// Whether what is in `other` is in this one: `None` of a time that does not exist holds nothing.
    fn holds(&self, other: &Self) -> bool {
        let times = |span: &Self| Some((Moment::parse(&span.0)?, Moment::parse(&span.1)?));
        match (times(self), times(other)) {
            (Some((start, stop)), Some((inner_start, inner_stop))) => {
                start <= inner_start && inner_stop <= stop && inner_start < inner_stop
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
