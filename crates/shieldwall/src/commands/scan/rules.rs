//! The rules that are looked for.

use std::path::Path;
use std::sync::Arc;

use detect::rules::dataset::Datasets;
use detect::rules::state::{GlobalThresholds, Names};
use detect::rules::{Classes, Compiler, Inspector, Options, RuleSet, Vars};
use packet::settings::Settings;

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
    pub(super) fn read(args: &Scan, settings: Option<&Settings>) -> Result<Self, Failure> {
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
            .with_thresholds(thresholds);
        for path in &args.rules {
            let bytes =
                std::fs::read(path).map_err(|error| Failure::input(path.display(), error))?;
            compiler.file(
                &path.display().to_string(),
                &String::from_utf8_lossy(&bytes),
            );
        }
        let refused = compiler.diagnostics();
        for diagnostic in refused.iter().take(SHOWN_MAX) {
            complain(format_args!("{diagnostic}"));
        }
        if refused.len() > SHOWN_MAX {
            let more = refused.len().saturating_sub(SHOWN_MAX);
            complain(format_args!(
                "{more} more rules are refused; `shieldwall rules check` lists them"
            ));
        }
        let set = Some(Arc::new(compiler.finish()));
        Ok(Self { set, options })
    }

    /// One that judges by the rules, if there are any.
    pub(super) fn inspector(&self) -> Option<Inspector> {
        let set = self.set.as_ref()?;
        Some(Inspector::new(self.options.clone(), Arc::clone(set)))
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
