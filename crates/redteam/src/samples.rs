//! The samples of a suite: lines with labels, and of each the value that looks most malicious.

use serde::Deserialize;

use crate::{Chance, Judge, Sample, chance};

/// Samples of both kinds.
#[derive(Debug, Default)]
pub struct Samples {
    /// With the label 1.
    pub malicious: Vec<Sample>,
    /// With the label 0.
    pub benign: Vec<Sample>,
}

/// A line that is no sample. The fault of who wrote it.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LineError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// What of a line is not its subject.
#[derive(Deserialize)]
struct Label {
    label: u8,
}

impl Samples {
    /// Reads lines, draws so many of each kind, and takes of each request the value that the judge
    /// finds most malicious.
    ///
    /// # Errors
    /// [`LineError`] names the first line that is no sample.
    pub fn read(
        lines: &[u8],
        (malicious_max, benign_max): (usize, usize),
        seed: u64,
        judge: &mut dyn Judge,
    ) -> Result<Self, LineError> {
        let (mut malicious, mut benign) = (Vec::new(), Vec::new());
        for (index, line) in lines.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let number = index.saturating_add(1);
            match label(line).map_err(|problem| LineError {
                line: number,
                problem,
            })? {
                true => malicious.push((number, line)),
                false => benign.push((number, line)),
            }
        }
        let mut samples = Self::default();
        for (lines, max, is_malicious) in [
            (malicious, malicious_max, true),
            (benign, benign_max, false),
        ] {
            for (line, text) in drawn(lines, max, seed) {
                let all = Sample::read(text, is_malicious).map_err(|error| LineError {
                    line,
                    problem: error.to_string(),
                })?;
                let Some(sample) = worst(all, judge) else {
                    let problem = "nothing in it can be attacked".to_owned();
                    return Err(LineError { line, problem });
                };
                match is_malicious {
                    true => samples.malicious.push(sample),
                    false => samples.benign.push(sample),
                }
            }
        }
        Ok(samples)
    }
}

fn label(line: &[u8]) -> Result<bool, String> {
    let read: Result<Label, _> = serde_json::from_slice(line);
    match read.map_err(|error| error.to_string())?.label {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!(
            "label {other}: write 1 for malicious, 0 for harmless"
        )),
    }
}

/// So many of them, in their order.
fn drawn(mut lines: Vec<(usize, &[u8])>, max: usize, seed: u64) -> Vec<(usize, &[u8])> {
    let mut chance = Chance::of(seed, &[chance::number("samples")]);
    while lines.len() > max {
        let at = chance.below(lines.len());
        lines.swap_remove(at);
    }
    lines.sort_unstable_by_key(|(line, _)| *line);
    lines
}

/// The one that looks most malicious.
fn worst(all: Vec<Sample>, judge: &mut dyn Judge) -> Option<Sample> {
    if all.len() == 1 {
        return all.into_iter().next();
    }
    let mut best: Option<(f32, Sample)> = None;
    for sample in all {
        // alone, so that only this value speaks
        let alone = match &sample {
            Sample::Web(web) => Sample::Web(Box::new(web.alone())),
            Sample::Url(_) | Sample::Domain(_) => sample.clone(),
        };
        let score = alone
            .show(|subject| judge.score(subject))
            .flatten()
            .unwrap_or(0.0);
        if best.as_ref().is_none_or(|(most, _)| score > *most) {
            best = Some((score, sample));
        }
    }
    best.map(|(_, sample)| sample)
}
