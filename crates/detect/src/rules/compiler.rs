//! Text to rules: what is no rule, or more than is supported, is told by name and place.

use super::builder::{Builder, ReadFile, Surroundings};
use super::classes::Classes;
use super::dataset::Datasets;
use super::diagnostic::{Diagnostic, Problem};
use super::header::{Header, Sharing, Vars};
use super::keyword::{Arg, Keyword};
use super::rule::Rule;
use super::set::RuleSet;
use super::state::{GlobalThresholds, Names};
use super::syntax::{self, Piece, RuleText};

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
    rules: Vec<Rule>,
    diagnostics: Vec<Diagnostic>,
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
            rules: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Thresholds and suppressions from outside of the rules, for the rules compiled from here on.
    #[must_use]
    pub fn with_thresholds(mut self, thresholds: GlobalThresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// The order of actions (`action-order`): rules of the first are looked at first. Without one: pass,
    /// drop, reject, alert.
    #[must_use]
    pub fn with_action_order(mut self, order: Vec<String>) -> Self {
        self.action_order = order;
        self
    }

    /// Compiles the rules of a file. Those that are refused are told, and the others stand.
    pub fn file(&mut self, name: &str, text: &str) {
        for (start, rule) in syntax::rules(text) {
            match self.rule(&rule) {
                Ok(rule) if self.rules.len() < RULES_MAX => self.rules.push(rule),
                Ok(_) => {
                    let problem = Problem::wrong(0..0, format!("more than {RULES_MAX} rules"));
                    self.diagnostics
                        .push(Diagnostic::place(name, text, start, None, problem));
                    return;
                }
                Err((sid, problem)) => {
                    self.diagnostics
                        .push(Diagnostic::place(name, text, start, sid, problem));
                }
            }
        }
    }

    /// What was wrong so far, in the order of the text.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How many rules were compiled.
    #[must_use]
    pub fn compiled(&self) -> usize {
        self.rules.len()
    }

    /// The rules, arranged for look-up.
    #[must_use]
    pub fn finish(self) -> RuleSet {
        RuleSet::arrange(self.rules, self.datasets, &self.action_order)
    }

    fn rule(&mut self, text: &str) -> Result<Rule, (Option<u32>, Problem)> {
        let parts = syntax::parse(text).map_err(|problem| (None, problem))?;
        let sid = sid_of(&parts);
        self.compile(text, &parts).map_err(|problem| (sid, problem))
    }

    fn compile(&mut self, text: &str, parts: &RuleText<'_>) -> Result<Rule, Problem> {
        let header = Header::parse(parts, &self.vars, &self.sharing)?;
        let mut around = Surroundings {
            classes: &self.classes,
            thresholds: &self.thresholds,
            names: self.names,
            datasets: &mut self.datasets,
            files: self.files,
        };
        let mut builder = Builder::new(header, &mut around);
        for option in &parts.options {
            let arg = Arg {
                name: option.name,
                value: option.value,
            };
            apply(&mut builder, arg)?;
        }
        builder.build(Piece { text, at: 0 })
    }
}

fn apply(builder: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let name = arg.name.text;
    if let Some(keyword) = Keyword::find(name) {
        return keyword.apply(builder, arg);
    }
    if let Some(transform) =
        super::transform::Transform::parse(name, arg.value.map(|value| value.text))
    {
        let transform =
            transform.map_err(|message| arg.value.unwrap_or(arg.name).wrong(message))?;
        return builder.transform(transform, arg.name);
    }
    Err(arg
        .name
        .unsupported(format!("keyword {name:?} is not supported")))
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
