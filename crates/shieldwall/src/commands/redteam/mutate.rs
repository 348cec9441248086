//! `redteam mutate`: changed samples, for training.

use ::redteam::{
    Chance, Mutation, Sample, chance,
    mutation::{self, Step, chain},
};
use anyhow::anyhow;
use serde_json::{Value, json};

use super::{SAMPLES_BYTES_MAX, bounded, task_of};
use crate::{
    cli::RedteamMutate,
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) fn run(args: &RedteamMutate) -> Result<Outcome, Failure> {
    let task = task_of(args.task);
    for name in &args.without {
        if mutation::find(task, name).is_none() {
            return Err(Failure::bad(anyhow!(
                "--without {name}: `shieldwall redteam mutations` lists what there is"
            )));
        }
    }
    let raw = bounded(&args.file, SAMPLES_BYTES_MAX)?;
    let mut lines = Vec::new();
    for (index, line) in raw.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let read = read(line).map_err(|error| {
            let number = index.saturating_add(1);
            Failure::bad(anyhow!("{}: line {number}: {error}", args.file.display()))
        })?;
        lines.push(read);
    }
    let corpus: Vec<Sample> = lines
        .iter()
        .filter(|(_, label, _)| *label == 0)
        .map(|(sample, ..)| sample.clone())
        .collect();
    let kept = |one: &&'static dyn Mutation| !args.without.iter().any(|name| name == one.name());
    let operators: Vec<_> = mutation::table(task).iter().copied().filter(kept).collect();
    for (index, (sample, label, source)) in lines.iter().enumerate() {
        let place = [chance::number("mutate"), u64::try_from(index).unwrap_or(0)];
        let mut chance = Chance::of(args.seed, &place);
        let depth = chance.below(usize::from(args.depth)).saturating_add(1);
        let fits = |one: &&&'static dyn Mutation| *label == 1 || one.keeps_harmless();
        let fitting: Vec<_> = operators.iter().filter(fits).copied().collect();
        let steps: Vec<Step> = (0..depth)
            .filter_map(|_| {
                let mutation = *chance.pick(&fitting)?;
                let seed = chance.next();
                Some(Step { mutation, seed })
            })
            .collect();
        let outcome = chain(sample, &steps, &corpus);
        if outcome.steps.is_empty() {
            continue;
        }
        if let Some(Value::Object(mut line)) = outcome.sample.line() {
            let steps: Vec<String> = outcome.steps.iter().map(Step::log).collect();
            line.insert("label".to_owned(), json!(label));
            line.insert("source".to_owned(), source.clone());
            line.insert("steps".to_owned(), json!(steps));
            say(Value::Object(line));
        }
    }
    Ok(Outcome::Done)
}

/// A sample (of a request the last of its values), its label and its source.
fn read(line: &[u8]) -> Result<(Sample, u64, Value), String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let label = value
        .get("label")
        .and_then(Value::as_u64)
        .filter(|label| *label < 2);
    let label = label.ok_or("no label: write 1 for malicious, 0 for harmless")?;
    let all = Sample::read(line, label == 1).map_err(|error| error.to_string())?;
    let sample = all
        .into_iter()
        .last()
        .ok_or("nothing in it can be changed")?;
    Ok((
        sample,
        label,
        value.get("source").cloned().unwrap_or(Value::Null),
    ))
}
