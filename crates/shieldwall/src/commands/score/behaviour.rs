//! What many names, queries or contacts of one host look like, from JSON lines.

use std::{
    hash::{BuildHasher, RandomState},
    path::PathBuf,
    sync::Arc,
};

use ::features::{Row, Samples, registrable};
use detect::behaviour::{
    beacon,
    dga::{Client, Looks, NameModel, Parameters},
    tunnel,
};
use serde_json::{Map, Value, json};

use super::super::lines::{self, Answer};
use crate::outcome::{Failure, Outcome};

/// Names whose look is remembered.
const LOOKS_MAX: usize = 65_536;

/// An extractor, and what its numbers are worth.
pub(super) type Measured = (&'static str, fn(&[f32]) -> f64);
/// Windows of DNS queries.
pub(super) const TUNNEL: Measured = ("dns-window@1", tunnel::score);
/// Contacts of a host with a service.
pub(super) const BEACON: Measured = ("beacon@1", beacon::score);

/// Clients: `names` in their order. The score is the highest logarithm of the likelihood ratio as a
/// share of the threshold, and `at` the number of names that it took to reach that.
pub(super) fn clients(
    files: &[PathBuf],
    names: Option<Arc<NameModel>>,
) -> Result<Outcome, Failure> {
    let mut looks = Looks::new(names, LOOKS_MAX);
    let hasher = RandomState::default();
    lines::each(files, |line| {
        answer(line.and_then(|line| client(line, &mut looks, &hasher)))
    })
}

/// Sequences that an extractor looks at; or, under the extractor's name, its columns.
pub(super) fn sequences(files: &[PathBuf], of: Measured) -> Result<Outcome, Failure> {
    lines::each(files, |line| {
        answer(line.and_then(|line| sequence(line, of)))
    })
}

fn answer(judged: Result<Value, String>) -> Answer {
    match judged {
        Ok(line) => Answer { line, yes: true },
        Err(error) => Answer {
            line: json!({"score": null, "error": error}),
            yes: false,
        },
    }
}

fn client(line: &[u8], looks: &mut Looks, hasher: &RandomState) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let names = value.get("names").and_then(Value::as_array);
    let names = names.ok_or("the line has no list \"names\"")?;
    let with = Parameters::default();
    let (mut client, mut highest, mut at) = (Client::default(), 0.0_f64, None);
    for (count, entry) in (1_u64..).zip(names) {
        let name = entry.as_str().or_else(|| entry.get("name")?.as_str());
        let name = name.ok_or("a name is neither a string nor an object with \"name\"")?;
        let name = name.to_ascii_lowercase();
        let Some((_, base)) = registrable(&name) else {
            continue;
        };
        let hash = hasher.hash_one(base);
        if client.is_new(hash) {
            client.asked(hash, base, looks.ratio(hash, base), 0, &with);
        }
        if let Some(missing) = entry.get("missing").and_then(Value::as_bool) {
            client.answered(hash, base, missing, &with);
        }
        highest = highest.max(client.log_odds());
        if at.is_none() && client.log_odds() >= with.threshold {
            at = Some(count);
        }
    }
    Ok(json!({"score": highest / with.threshold, "at": at}))
}

fn sequence(line: &[u8], (name, score): Measured) -> Result<Value, String> {
    let extractor = ::features::find(name).ok_or("no such extractor")?;
    let columns = extractor.columns();
    let value: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let numbers: Vec<f32> = match value.get(name) {
        Some(given) => columns
            .iter()
            .map(|column| number(given, column.name))
            .collect::<Result<_, _>>()?,
        None => {
            let row = Row::read(line).map_err(|error| error.to_string())?;
            let mut samples = Samples::default();
            row.with(|subject| extractor.extract(subject, &mut samples))
                .map_err(|error| error.to_string())?;
            samples.numbers().to_vec()
        }
    };
    let named = columns.iter().zip(&numbers);
    let features: Map<String, Value> = named
        .map(|(column, number)| (column.name.to_owned(), json!(number)))
        .collect();
    Ok(json!({"score": score(&numbers), "features": features}))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "features are 32-bit numbers"
)]
fn number(given: &Value, column: &str) -> Result<f32, String> {
    let number = given.get(column).and_then(Value::as_f64);
    number
        .map(|number| number as f32)
        .ok_or_else(|| format!("no number \"{column}\""))
}
