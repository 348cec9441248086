//! Rules read from files with all that they refer to: for a running shield, and for whoever scans
//! captures.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use detect::rules::dataset::{Datasets, Limits};
use detect::rules::state::{GlobalThresholds, Names, Reputations, iprep};
use detect::rules::{Classes, Compiler, Diagnostic, RuleSet, Vars};
use packet::settings::Settings;

use super::files::Beside;

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// The files, in their order.
    pub files: &'w [PathBuf],
    /// What is set.
    pub settings: &'w Settings,
    /// Whether that is a whole configuration: then its variables count and the files that it names, or
    /// that have their usual names beside the work. Without one `HOME_NET` is the private networks.
    pub configured: bool,
}

/// What was read.
#[derive(Debug)]
pub struct Read {
    /// The rules that stand.
    pub set: RuleSet,
    /// Those that are refused.
    pub refused: Vec<Diagnostic>,
    /// How many are not meant for this engine, by their own `requires`.
    pub passed_over: usize,
    /// What was wrong with files that rules name, though their rules stand, and with sets of the settings.
    pub warnings: Vec<String>,
    /// What was wrong with files that the settings name.
    pub notes: Vec<String>,
}

/// Reads and compiles. `names` outlives a set, so that flows keep what they know.
///
/// # Errors
/// A file of rules cannot be read; which, and why.
pub fn read(wanted: &Wanted<'_>, names: &mut Names) -> Result<Read, (PathBuf, std::io::Error)> {
    let mut texts = Vec::with_capacity(wanted.files.len());
    for path in wanted.files {
        let bytes = std::fs::read(path).map_err(|error| (path.clone(), error))?;
        texts.push((path, bytes));
    }
    let mut notes = Vec::new();
    let beside = Rc::new(Beside::default());
    let files = Rc::clone(&beside);
    let file = move |path: &str| files.read(path);
    let mut compiler = compiler(wanted, names, &file, &mut notes);
    compiler.declare_sets(wanted.settings);
    for (path, bytes) in &texts {
        beside.enter(path);
        compiler.file(&path.display().to_string(), &String::from_utf8_lossy(bytes));
    }
    Ok(Read {
        refused: compiler.diagnostics().to_vec(),
        passed_over: compiler.passed_over(),
        warnings: compiler.warnings().to_vec(),
        notes,
        set: compiler.finish(),
    })
}

/// A compiler without rules that knows what rules refer to, but for the sets of the settings.
pub(super) fn compiler<'e>(
    wanted: &Wanted<'_>,
    names: &'e mut Names,
    file: &'e (dyn Fn(&str) -> Option<Vec<u8>> + 'static),
    notes: &mut Vec<String>,
) -> Compiler<'e> {
    let settings = wanted.settings;
    let vars = match wanted.configured {
        true => Vars::from_settings(settings),
        false => Vars::usual(),
    };
    let mut classes = Classes::default();
    let text = side_file(
        wanted,
        "classification-file",
        "classification.config",
        notes,
    );
    let wrong_classes = classes.read_classes(&text);
    let text = side_file(wanted, "reference-config-file", "reference.config", notes);
    let wrong_references = classes.read_references(&text);
    for (lines, name) in [(wrong_classes, "classes"), (wrong_references, "references")] {
        if lines > 0 {
            notes.push(format!("{lines} lines of the file of {name} are none"));
        }
    }
    let order = settings.at("action-order").items();
    let order = order.filter_map(|action| Some(action.text()?.to_owned()));
    let groups = |name: &str| {
        let group = settings.at(&format!("vars.address-groups.{name}"));
        group.text().map(str::to_owned)
    };
    let text = side_file(wanted, "threshold-file", "threshold.config", notes);
    let (thresholds, wrong) = GlobalThresholds::parse(&text, &groups);
    notes.extend(
        wrong
            .iter()
            .map(|error| format!("threshold.config: {error}")),
    );
    let sets = Datasets::new(Limits::from_settings(settings));
    Compiler::new(vars, classes, names, sets, file)
        .with_action_order(order.collect())
        .with_thresholds(thresholds)
        .with_reputations(reputations(settings, notes))
}

/// The files that settings name, and that rules are compiled with.
pub(super) fn side_files(settings: &Settings) -> Vec<PathBuf> {
    let keys = [
        "classification-file",
        "reference-config-file",
        "threshold-file",
    ];
    let named = keys.into_iter().filter_map(|key| settings.at(key).text());
    named.map(PathBuf::from).collect()
}

/// What the files of reputations say that the settings name.
fn reputations(settings: &Settings, notes: &mut Vec<String>) -> Reputations {
    let mut reputations = Reputations::default();
    let Some(categories) = settings.at("reputation-categories-file").text() else {
        return reputations;
    };
    let path = Path::new(categories);
    if let Some(text) = text_of(path, notes) {
        refused(path, &reputations.read_categories(&text), notes);
    }
    let folder = settings.at("default-reputation-path").text().unwrap_or("");
    for file in settings.at("reputation-files").items() {
        // a path that is absolute stands for itself
        let Some(path) = file.text().map(|file| Path::new(folder).join(file)) else {
            continue;
        };
        if let Some(text) = text_of(&path, notes) {
            refused(&path, &reputations.read_scores(&text), notes);
        }
    }
    reputations
}

fn text_of(path: &Path, notes: &mut Vec<String>) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) => {
            let path = path.display();
            notes.push(format!("{path}: {error}; rules go without it"));
            None
        }
    }
}

/// Tells the lines of a file that say nothing.
fn refused(path: &Path, read: &iprep::Read, notes: &mut Vec<String>) {
    let path = path.display();
    let lines = read.refused_first.iter();
    notes.extend(lines.map(|line| format!("{path}:{line}: no category or score")));
    let more = read.refused.saturating_sub(read.refused_first.len());
    if more > 0 {
        notes.push(format!("{path}: {more} more lines are none"));
    }
}

/// A file that the configuration names, or that has its usual name beside the work; nothing without a
/// configuration. One that is named and cannot be read is told.
fn side_file(wanted: &Wanted<'_>, key: &str, usual: &str, notes: &mut Vec<String>) -> String {
    if !wanted.configured {
        return String::new();
    }
    let named = wanted.settings.at(key).text();
    let read = std::fs::read_to_string(named.unwrap_or(usual));
    if let (Err(error), Some(path)) = (&read, named) {
        notes.push(format!(
            "{path}: {error}; {key} of the configuration names it: rules go without it"
        ));
    }
    read.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_those_of_the_settings_and_files_those_beside_the_rules() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        std::fs::write(of("beside.lst"), "YQ==\n").unwrap();
        std::fs::write(of("set.lst"), "YQ==\nYg==\n").unwrap();
        let rule = |sid: u32, set: &str| {
            format!("alert dns any any -> any any (dns.query; dataset:isset,{set}; sid:{sid};)\n")
        };
        let rules = [
            rule(1, "own,type string,load beside.lst"),
            rule(2, "named"),
            rule(3, "broken"),
            rule(4, "gone,type string,load gone.lst"),
        ];
        std::fs::write(of("a.rules"), rules.concat()).unwrap();
        let set = of("set.lst");
        let yaml = format!(
            "datasets:\n  named: {{type: string, load: {}}}\n  broken: {{type: colour}}\n",
            set.display()
        );
        let read = read(
            &Wanted {
                files: &[of("a.rules")],
                settings: &Settings::parse(&yaml).unwrap(),
                configured: false,
            },
            &mut Names::default(),
        );
        let read = read.unwrap();
        let refused: Vec<_> = read.refused.iter().map(|refused| refused.sid).collect();
        assert_eq!(
            (read.set.len(), &refused[..]),
            (2, &[Some(3), Some(4)][..]),
            "{:?}",
            read.refused
        );
        let [warning] = &read.warnings[..] else {
            panic!("{:?}", read.warnings);
        };
        assert!(warning.starts_with("datasets.broken: type is"), "{warning}");
    }
}
