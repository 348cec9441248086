//! Text to rules: what is no rule, or more than is supported, is told by name and place.

mod foreign;

use std::sync::Arc;

use packet::settings::Settings;

use super::builder::{Builder, ReadFile, Surroundings};
use super::classes::Classes;
use super::dataset::{self, Datasets};
use super::diagnostic::{Diagnostic, Lines, Problem};
use super::header::{Header, Sharing, Vars};
use super::keyword::{self, Arg, Keyword};
use super::requires;
use super::rule::{Origin, Rule};
use super::set::RuleSet;
use super::state::{GlobalThresholds, Names, Reputations};
use super::syntax::{self, Piece, RuleText};

pub use foreign::FOREIGN_LITERAL_BYTES_MIN;

/// Most rules of a set.
pub const RULES_MAX: usize = 1_000_000;

/// Compiles rules, file by file.
pub struct Compiler<'e> {
    vars: Vars,
    classes: Classes,
    thresholds: GlobalThresholds,
    /// The actions, those that are looked at first in front.
    action_order: Vec<String>,
    /// Names of bits and variables: they outlive a set, so that flows keep what they know.
    names: &'e mut Names,
    datasets: Datasets,
    /// Reads a file that a rule names.
    files: &'e ReadFile,
    sharing: Sharing,
    reputations: Arc<Reputations>,
    /// Whose rules are at hand; none for the operator's own.
    origin: Option<Arc<Origin>>,
    rules: Vec<Rule>,
    diagnostics: Vec<Diagnostic>,
    warnings: Vec<String>,
    /// How many rules are not meant for this engine.
    passed_over: usize,
}

impl<'e> Compiler<'e> {
    /// A compiler without rules.
    pub fn new(
        vars: Vars,
        classes: Classes,
        names: &'e mut Names,
        datasets: Datasets,
        files: &'e ReadFile,
    ) -> Self {
        Self {
            vars,
            classes,
            thresholds: GlobalThresholds::default(),
            action_order: Vec::new(),
            names,
            datasets,
            files,
            sharing: Sharing::default(),
            reputations: Arc::default(),
            origin: None,
            rules: Vec::new(),
            diagnostics: Vec::new(),
            warnings: Vec::new(),
            passed_over: 0,
        }
    }

    /// Thresholds and suppressions from outside of the rules, for the rules compiled from here on.
    #[must_use]
    pub fn with_thresholds(mut self, thresholds: GlobalThresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// What is known of addresses, for `iprep`.
    #[must_use]
    pub fn with_reputations(mut self, reputations: Reputations) -> Self {
        self.reputations = Arc::new(reputations);
        self
    }

    /// The order of actions (`action-order`): rules of the first are looked at first. Without one: pass,
    /// drop, reject, alert.
    #[must_use]
    pub fn with_action_order(mut self, order: Vec<String>) -> Self {
        self.action_order = order;
        self
    }

    /// Makes the sets that the settings name (`datasets`), for rules to name without their types.
    /// Those that are wrong are told, and are not there.
    pub fn declare_sets(&mut self, settings: &Settings) {
        for (name, declared) in dataset::declared(settings, self.names) {
            let at = Piece { text: name, at: 0 };
            let made = declared.and_then(|set| {
                let made = self.around().declare(&set, at);
                made.map_err(|problem| problem.message)
            });
            if let Err(message) = made {
                self.warnings.push(format!("datasets.{name}: {message}"));
            }
        }
    }

    /// Compiles the rules of a file. Those that are refused are told, and the others stand.
    pub fn file(&mut self, name: &str, text: &str) {
        let mut lines = Lines::of(text);
        for (start, rule) in syntax::rules(text) {
            match self.rule(&rule) {
                Ok(None) => self.passed_over = self.passed_over.saturating_add(1),
                Ok(Some(rule)) if self.rules.len() < RULES_MAX => self.rules.push(rule),
                Ok(Some(_)) => {
                    let problem = Problem::wrong(0..0, format!("more than {RULES_MAX} rules"))
                        .mend("take out rules that are not needed");
                    self.diagnostics
                        .push(lines.place(name, start, None, problem));
                    return;
                }
                Err((sid, problem)) => {
                    self.diagnostics
                        .push(lines.place(name, start, sid, problem));
                }
            }
        }
    }

    /// What was wrong so far, in the order of the text.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// What was wrong with files that rules name, though their rules stand, and with sets of the settings.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many rules are not meant for this engine, as their `requires` says.
    #[must_use]
    pub fn passed_over(&self) -> usize {
        self.passed_over
    }

    /// How many rules were compiled.
    #[must_use]
    pub fn compiled(&self) -> usize {
        self.rules.len()
    }

    /// The rules, arranged for look-up.
    #[must_use]
    pub fn finish(self) -> RuleSet {
        let mut set = RuleSet::arrange(self.rules, self.datasets, &self.action_order);
        set.names = self.names.all().to_vec();
        set
    }

    /// The rules of `base`, and those that were compiled here: a rule that `base` has under the same
    /// number is replaced. It costs milliseconds, however many rules `base` has. None where all should
    /// be compiled anew: the rules here name sets of their own, or they are many.
    #[must_use]
    pub fn finish_onto(self, base: &RuleSet) -> Option<RuleSet> {
        if !self.datasets.has_none() {
            return None;
        }
        let mut set = base.with(self.rules)?;
        set.names = self.names.all().to_vec();
        Some(set)
    }

    /// A rule; none where it is not meant for this engine.
    fn rule(&mut self, text: &str) -> Result<Option<Rule>, (Option<u32>, Problem)> {
        let parts = syntax::parse(text).map_err(|problem| (None, problem))?;
        let sid = sid_of(&parts);
        let required = parts.options.iter();
        let mut required = required.filter(|option| option.name.text == "requires");
        let is_meant = required.try_fold(true, |all, option| {
            let met = requires::are_met(option.value.unwrap_or(option.name));
            met.map(|met| all && met)
        });
        match is_meant {
            Ok(true) => self.compile(text, &parts).map(Some),
            Ok(false) => Ok(None),
            Err(problem) => Err(problem),
        }
        .map_err(|problem| (sid, problem))
    }

    fn around(&mut self) -> Surroundings<'_> {
        Surroundings {
            classes: &self.classes,
            thresholds: &self.thresholds,
            names: self.names,
            datasets: &mut self.datasets,
            files: self.files,
            reputations: &self.reputations,
            warnings: &mut self.warnings,
        }
    }

    fn compile(&mut self, text: &str, parts: &RuleText<'_>) -> Result<Rule, Problem> {
        let origin = self.origin.clone();
        if origin.is_some() {
            foreign::check_text(parts)?;
        }
        let header = Header::parse(parts, &self.vars, &self.sharing)?;
        let mut around = self.around();
        let mut builder = Builder::new(header, &mut around);
        for option in &parts.options {
            let arg = Arg {
                name: option.name,
                value: option.value,
            };
            apply(&mut builder, arg)?;
        }
        let whole = Piece { text, at: 0 };
        match &origin {
            Some(origin) => foreign::build(builder, origin, whole),
            None => builder.build(whole),
        }
    }
}

fn apply(builder: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let name = arg.name.text;
    if let Some(keyword) = Keyword::find(name) {
        return keyword.apply(builder, arg);
    }
    let value = arg.value.map(|_value| arg.unquoted()).transpose()?;
    if let Some(transform) = super::transform::Transform::parse(name, value.map(|value| value.text))
    {
        let transform = transform.map_err(|message| {
            let at = arg.value.unwrap_or(arg.name);
            let usage = super::transform::Transform::usage(name);
            at.wrong(message).mend(format!("write {usage}"))
        })?;
        return builder.transform(transform, arg.name);
    }
    Err(keyword::unknown(arg.name))
}

/// The number of a rule that may be wrong otherwise.
fn sid_of(rule: &RuleText<'_>) -> Option<u32> {
    let sid = rule
        .options
        .iter()
        .find(|option| option.name.text == "sid")?;
    sid.value?.text.parse().ok()
}

impl std::fmt::Debug for Compiler<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiler")
            .field("rules", &self.rules.len())
            .field("diagnostics", &self.diagnostics)
            .finish_non_exhaustive()
    }
}
