//! What the types of a manifest do not hold by themselves.

use std::fmt::Display;

use super::{File, Manifest, Model, Role, SCHEMA};
use crate::json::{DocumentError, Fault};
use crate::limits::Limits;

/// Highest sequence: up to here JSON numbers are exact everywhere.
pub const SEQUENCE_MAX: u64 = (1 << 53) - 1;
/// Most models in a pack.
pub const MODELS_MAX: usize = 64;
/// Most inputs of a model, and most groups of columns of an input.
const INPUTS_MAX: usize = 64;
/// Most thresholds, sources of data and results of a model.
pub const ROWS_MAX: usize = 256;

type Checked = Result<(), DocumentError>;

impl Manifest {
    pub(super) fn check(&self, limits: &Limits) -> Checked {
        if self.schema != SCHEMA {
            let found = self.schema.as_str().into();
            let want = SCHEMA;
            return refuse("$.schema", Fault::Schema { found, want });
        }
        number("$.sequence", self.sequence, 1, SEQUENCE_MAX)?;
        if self.expires <= self.created {
            return refuse("$.expires", Fault::Ends);
        }
        let needs = [
            ("$.limits.memory_bytes_max", self.limits.memory_bytes_max),
            ("$.limits.p99_us_max", self.limits.p99_us_max),
            ("$.limits.features_max", self.limits.features_max),
        ];
        for (path, need) in needs {
            number(path, need, 0, SEQUENCE_MAX)?;
        }
        if self.capabilities.is_empty() {
            return refuse("$.capabilities", Fault::Empty);
        }
        self.check_files(limits)?;
        few("$.models", self.models.len(), MODELS_MAX)?;
        for (index, model) in self.models.iter().enumerate() {
            self.check_model(model, &format!("$.models[{index}]"))?;
        }
        Ok(())
    }

    fn check_files(&self, limits: &Limits) -> Checked {
        few("$.files", self.files.len(), limits.files_max)?;
        if !ascends(self.files.iter().map(|file| &file.path)) {
            let order = "ascending";
            return refuse("$.files", Fault::Order { order });
        }
        for (index, file) in self.files.iter().enumerate() {
            check_file(file, &format!("$.files[{index}]"))?;
        }
        Ok(())
    }

    fn check_model(&self, model: &Model, at: &str) -> Checked {
        if !self.scope.contains(&model.task) {
            return refuse(&format!("{at}.task"), Fault::Scope);
        }
        let role = self.file(&model.file).map(|file| file.role);
        if role != Some(Role::Model) {
            let fault = Fault::NoModel(model.file.clone());
            return refuse(&format!("{at}.file"), fault);
        }
        some(&format!("{at}.inputs"), model.inputs.len(), INPUTS_MAX)?;
        for (index, input) in model.inputs.iter().enumerate() {
            let at = format!("{at}.inputs[{index}].groups");
            some(&at, input.groups.len(), INPUTS_MAX)?;
        }
        let mut names: Vec<_> = model.inputs.iter().map(|input| &input.name).collect();
        names.sort_unstable();
        if !ascends(names) {
            let order = "one entry for each name";
            return refuse(&format!("{at}.inputs"), Fault::Order { order });
        }
        check_thresholds(model, &format!("{at}.thresholds"))?;
        check_training(model, &format!("{at}.training"))
    }
}

fn check_file(file: &File, at: &str) -> Checked {
    number(&format!("{at}.size"), file.size, 0, SEQUENCE_MAX)?;
    match Role::of(&file.path) == Some(file.role) {
        true => Ok(()),
        false => refuse(&format!("{at}.role"), Fault::Role(file.path.clone())),
    }
}

fn check_thresholds(model: &Model, at: &str) -> Checked {
    some(at, model.thresholds.len(), ROWS_MAX)?;
    for (index, row) in model.thresholds.iter().enumerate() {
        share(&format!("{at}[{index}].fpr"), row.fpr)?;
        share(&format!("{at}[{index}].threshold"), row.threshold)?;
    }
    let pairs = model.thresholds.iter().zip(model.thresholds.iter().skip(1));
    let rises = |(low, high): (&super::Threshold, &super::Threshold)| {
        low.fpr < high.fpr && low.threshold >= high.threshold
    };
    match pairs.clone().all(rises) {
        true => Ok(()),
        false => {
            let order = "ascending (fpr) and descending (threshold)";
            refuse(at, Fault::Order { order })
        }
    }
}

fn check_training(model: &Model, at: &str) -> Checked {
    let training = &model.training;
    some(&format!("{at}.sources"), training.sources.len(), ROWS_MAX)?;
    few(&format!("{at}.results"), training.results.len(), ROWS_MAX)?;
    for (index, source) in training.sources.iter().enumerate() {
        number(
            &format!("{at}.sources[{index}].rows"),
            source.rows,
            0,
            SEQUENCE_MAX,
        )?;
    }
    for (index, result) in training.results.iter().enumerate() {
        let at = format!("{at}.results[{index}]");
        number(&format!("{at}.rows"), result.rows, 1, SEQUENCE_MAX)?;
        let low = result.low.unwrap_or(result.value);
        let high = result.high.unwrap_or(result.value);
        if !(low <= result.value && result.value <= high) {
            return refuse(&format!("{at}.value"), range(low, high));
        }
    }
    Ok(())
}

fn refuse(path: &str, fault: Fault) -> Checked {
    Err(DocumentError::new(path, fault))
}

fn few(path: &str, count: usize, max: usize) -> Checked {
    match count <= max {
        true => Ok(()),
        false => refuse(path, Fault::TooMany { count, max }),
    }
}

fn some(path: &str, count: usize, max: usize) -> Checked {
    match count {
        0 => refuse(path, Fault::Empty),
        _ => few(path, count, max),
    }
}

fn number(path: &str, number: u64, low: u64, high: u64) -> Checked {
    match (low..=high).contains(&number) {
        true => Ok(()),
        false => refuse(path, range(low, high)),
    }
}

fn share(path: &str, share: f64) -> Checked {
    match (0.0..=1.0).contains(&share) {
        true => Ok(()),
        false => refuse(path, range(0, 1)),
    }
}

fn range(low: impl Display, high: impl Display) -> Fault {
    Fault::Range {
        low: low.to_string().into(),
        high: high.to_string().into(),
    }
}

fn ascends<T: Ord>(list: impl IntoIterator<Item = T>) -> bool {
    let mut last = None;
    list.into_iter().all(|next| {
        let rises = last.as_ref().is_none_or(|last| *last < next);
        last = Some(next);
        rises
    })
}
