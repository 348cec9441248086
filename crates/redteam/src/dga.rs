//! Names of malware: others that its generator could as well make.
//!
//! Whatever both sides can compute serves as a meeting place, so a name means the same as long as it
//! is legal, can be registered and is nobody's.

use crate::words::{is_legal, parts, random};
use crate::{Chance, Mutation, Sample};

/// Top levels with most harmless names.
const PLAIN: [&str; 4] = ["com", "net", "org", "info"];
/// Letters of a label at most.
const LABEL_MAX: usize = 60;

/// Another name.
#[derive(Debug)]
struct Name {
    name: &'static str,
    holds_in: &'static str,
    change: fn(&Apart<'_>, &[Sample], &mut Chance) -> Option<String>,
}

/// A name taken apart.
struct Apart<'a> {
    label: &'a str,
    suffix: &'a str,
}

impl Mutation for Name {
    fn name(&self) -> &'static str {
        self.name
    }

    fn holds_in(&self) -> &'static str {
        self.holds_in
    }

    fn apply(&self, sample: &Sample, corpus: &[Sample], chance: &mut Chance) -> Option<Sample> {
        let Sample::Domain(name) = sample else {
            return None;
        };
        let (_, label, suffix) = parts(name)?;
        let changed = (self.change)(&Apart { label, suffix }, corpus, chance)?;
        (changed != *name).then_some(Sample::Domain(changed))
    }

    fn same(&self, _: &Sample, after: &Sample) -> bool {
        match after {
            Sample::Domain(name) => is_legal(name) && parts(name).is_some(),
            Sample::Web(_) | Sample::Url(_) => false,
        }
    }

    /// A harmless name that is changed is another name, and nobody's.
    fn keeps_harmless(&self) -> bool {
        false
    }
}

/// The registered label of a harmless name.
fn harmless<'a>(corpus: &'a [Sample], chance: &mut Chance) -> Option<&'a str> {
    match chance.pick(corpus)? {
        Sample::Domain(name) => parts(name).map(|(_, label, _)| label),
        Sample::Web(_) | Sample::Url(_) => None,
    }
}

/// A harmless label of letters alone, of some length; a few tries.
fn word<'a>(corpus: &'a [Sample], chance: &mut Chance) -> Option<&'a str> {
    (0..64).find_map(|_| {
        harmless(corpus, chance).filter(|label| {
            (4..=9).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_lowercase())
        })
    })
}

fn words(name: &Apart<'_>, corpus: &[Sample], chance: &mut Chance) -> Option<String> {
    let count = chance.below(2).saturating_add(2);
    let words: Option<Vec<&str>> = (0..count).map(|_| word(corpus, chance)).collect();
    Some(format!("{}.{}", words?.concat(), name.suffix))
}

/// Letters that follow each other as they do in harmless names, two by two.
fn markov(name: &Apart<'_>, corpus: &[Sample], chance: &mut Chance) -> Option<String> {
    let length = name.label.len().clamp(6, 16);
    let mut label: String = word(corpus, chance)?.chars().take(2).collect();
    while label.len() < length {
        let last = label.get(label.len().saturating_sub(2)..)?.to_owned();
        let next = (0..200).find_map(|_| {
            let other = word(corpus, chance)?;
            let at = other.find(&last)?;
            other.get(at.saturating_add(2)..)?.chars().next()
        });
        match next {
            Some(next) => label.push(next),
            None => label.push_str(&word(corpus, chance)?.chars().take(2).collect::<String>()),
        }
    }
    Some(format!("{label}.{}", name.suffix))
}

fn short(name: &Apart<'_>, _: &[Sample], chance: &mut Chance) -> Option<String> {
    let letters = chance.below(3).saturating_add(5);
    let drawn: String = (0..letters)
        .filter_map(|_| chance.pick(b"abcdefghijklmnopqrstuvwxyz"))
        .map(|byte| char::from(*byte))
        .collect();
    Some(format!("{drawn}.{}", name.suffix))
}

fn hyphens(name: &Apart<'_>, _: &[Sample], chance: &mut Chance) -> Option<String> {
    let inner = name.label.len().checked_sub(4)?;
    if name.label.len() > LABEL_MAX {
        return None;
    }
    let at = chance.below(inner.saturating_add(1)).saturating_add(2);
    let (one, other) = name.label.split_at_checked(at)?;
    let clean = !one.ends_with('-') && !other.starts_with('-');
    clean.then(|| format!("{one}-{other}.{}", name.suffix))
}

fn top_level(name: &Apart<'_>, _: &[Sample], chance: &mut Chance) -> Option<String> {
    Some(format!("{}.{}", name.label, chance.pick(&PLAIN)?))
}

/// Two characters of a harmless name changed (Peck and others, CharBot, IEEE Access 7, 2019).
fn charbot(name: &Apart<'_>, corpus: &[Sample], chance: &mut Chance) -> Option<String> {
    let label = (0..16).find_map(|_| harmless(corpus, chance).filter(|label| label.len() > 5))?;
    let places = (chance.below(label.len()), chance.below(label.len()));
    let changed: String = label
        .char_indices()
        .map(|(at, c)| match at == places.0 || at == places.1 {
            true => random(1, chance).chars().next().unwrap_or(c),
            false => c,
        })
        .collect();
    Some(format!("{changed}.{}", name.suffix))
}

const fn name(
    name: &'static str,
    holds_in: &'static str,
    change: fn(&Apart<'_>, &[Sample], &mut Chance) -> Option<String>,
) -> Name {
    Name {
        name,
        holds_in,
        change,
    }
}

/// What each of them rests on.
const BOTH: &str = "a generator that both sides have";

pub(crate) static TABLE: &[&dyn Mutation] = &[
    &name("word_list", BOTH, words),
    &name("markov", BOTH, markov),
    &name("short", BOTH, short),
    &name("hyphens", BOTH, hyphens),
    &name("benign_top_level", BOTH, top_level),
    &name("charbot", BOTH, charbot),
];
