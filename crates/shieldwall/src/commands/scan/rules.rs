//! The rules that are looked for.

use std::path::Path;
use std::sync::Arc;

use detect::rules::dataset::Datasets;
use detect::rules::state::{GlobalThresholds, Names, Reputations, iprep};
use detect::rules::{Classes, Compiler, Inspector, Options, RuleSet, Vars};
use packet::settings::Settings;

use super::engine::{EngineLog, Level};

use crate::{cli::Scan, outcome::Failure, text::complain};

/// Compiled rules, and how they are applied.
pub(super) struct Rules {
    set: Option<Arc<RuleSet>>,
    options: Options,
}

/// Most refused rules that are shown with their reasons.
const SHOWN_MAX: usize = 20;

impl Rules {
    /// Reads the rules that were named. Those that are refused are named; the others stand.
    pub(super) fn read(
        args: &Scan,
        settings: Option<&Settings>,
        engine: &mut EngineLog,
    ) -> Result<Self, Failure> {
        let options = settings.map_or_else(
            || Options {
                inline: args.inline,
                ..Options::default()
            },
            |settings| Options::from_settings(settings, args.inline),
        );
        if args.rules.is_empty() {
            return Ok(Self { set: None, options });
        }
        let nothing = Settings::default();
        let settings = settings.unwrap_or(&nothing);
        let vars = match args.config {
            Some(_) => Vars::from_settings(settings),
            None => Vars::usual(),
        };
        let mut classes = Classes::default();
        let file = |key: &str, usual: &str| side_file(args, settings, key, usual);
        let wrong = [
            classes.read_classes(&file("classification-file", "classification.config")),
            classes.read_references(&file("reference-config-file", "reference.config")),
        ];
        for (lines, name) in wrong.into_iter().zip(["classes", "references"]) {
            if lines > 0 {
                complain(format_args!("{lines} lines of the file of {name} are none"));
            }
        }
        let mut names = Names::default();
        let read = |path: &str| std::fs::read(Path::new(path)).ok();
        let compiler = Compiler::new(vars, classes, &mut names, Datasets::default(), &read);
        let order = settings.at("action-order").items();
        let order = order.filter_map(|action| Some(action.text()?.to_owned()));
        let vars = |name: &str| {
            settings
                .at(&format!("vars.address-groups.{name}"))
                .text()
                .map(str::to_owned)
        };
        let (thresholds, wrong) =
            GlobalThresholds::parse(&file("threshold-file", "threshold.config"), &vars);
        for error in wrong {
            complain(format_args!("threshold.config: {error}"));
        }
        let mut compiler = compiler
            .with_action_order(order.collect())
            .with_thresholds(thresholds)
            .with_reputations(reputations(settings));
        for path in &args.rules {
            let bytes =
                std::fs::read(path).map_err(|error| Failure::input(path.display(), error))?;
            compiler.file(
                &path.display().to_string(),
                &String::from_utf8_lossy(&bytes),
            );
        }
        tell(&compiler, engine);
        let set = Some(Arc::new(compiler.finish()));
        Ok(Self { set, options })
    }

    /// What must be worked out of files for the rules.
    pub(super) fn digests(&self) -> packet::Digests {
        self.set
            .as_ref()
            .map_or_else(packet::Digests::default, |set| set.digests())
    }

    /// Whether a rule has files stored.
    pub(super) fn stores(&self) -> bool {
        self.set.as_ref().is_some_and(|set| set.stores())
    }

    /// One that judges by the rules, if there are any.
    pub(super) fn inspector(&self) -> Option<Inspector> {
        let set = self.set.as_ref()?;
        Some(Inspector::new(self.options.clone(), Arc::clone(set)))
    }
}

/// Says which rules are refused, and what of the files that they name is no value.
fn tell(compiler: &Compiler<'_>, engine: &mut EngineLog) {
    for warning in compiler.warnings() {
        complain(format_args!("{warning}"));
        engine.say(Level::Warning, "datasets", warning);
    }
    let refused = compiler.diagnostics();
    for diagnostic in refused {
        engine.say(Level::Error, "detect", &diagnostic.to_string());
    }
    for diagnostic in refused.iter().take(SHOWN_MAX) {
        complain(format_args!("{diagnostic}"));
    }
    if refused.len() > SHOWN_MAX {
        let more = refused.len().saturating_sub(SHOWN_MAX);
        complain(format_args!(
            "{more} more rules are refused; `shieldwall rules check` lists them"
        ));
    }
}

/// What the files of reputations say that the settings name.
fn reputations(settings: &Settings) -> Reputations {
    let mut reputations = Reputations::default();
    let read = |path: &Path| match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) => {
            complain(format_args!(
                "{}: {error}; rules go without it",
                path.display()
            ));
            None
        }
    };
    let Some(categories) = settings.at("reputation-categories-file").text() else {
        return reputations;
    };
    let path = Path::new(categories);
    if let Some(text) = read(path) {
        refused(path, &reputations.read_categories(&text));
    }
    let folder = settings.at("default-reputation-path").text().unwrap_or("");
    for file in settings.at("reputation-files").items() {
        // a path that is absolute stands for itself
        let Some(path) = file.text().map(|file| Path::new(folder).join(file)) else {
            continue;
        };
        if let Some(text) = read(&path) {
            refused(&path, &reputations.read_scores(&text));
        }
    }
    reputations
}

/// Tells the lines of a file that say nothing.
fn refused(path: &Path, read: &iprep::Read) {
    for line in &read.refused_first {
        complain(format_args!(
            "{}:{line}: no category or score",
            path.display()
        ));
    }
    let more = read.refused.saturating_sub(read.refused_first.len());
    if more > 0 {
        complain(format_args!(
            "{}: {more} more lines are none",
            path.display()
        ));
    }
}

/// A file that the configuration names, or that has its usual name beside the work; nothing without a
/// configuration. One that is named and cannot be read is told.
fn side_file(args: &Scan, settings: &Settings, key: &str, usual: &str) -> String {
    if args.config.is_none() {
        return String::new();
    }
    let named = settings.at(key).text();
    let read = std::fs::read_to_string(named.unwrap_or(usual));
    if let (Err(error), Some(path)) = (&read, named) {
        complain(format_args!(
            "{path}: {error}; {key} of the configuration names it: rules go without it"
        ));
    }
    read.unwrap_or_default()
}
