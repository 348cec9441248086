//! `rules`: rules compiled, and what of them is refused.

use detect::rules::dataset::Datasets;
use detect::rules::state::Names;
use detect::rules::{Classes, Compiler, ProblemKind, Vars};
use packet::settings::Settings;
use serde_json::json;

use crate::{
    cli::{Rules, RulesCheck},
    outcome::{Failure, Outcome},
};

pub(super) fn run(args: &Rules, json: bool) -> Result<Outcome, Failure> {
    match args {
        Rules::Check(args) => check(args, json),
        Rules::Keywords => {
            crate::text::say(detect::rules::reference());
            Ok(Outcome::Done)
        }
    }
}

fn check(args: &RulesCheck, json: bool) -> Result<Outcome, Failure> {
    let vars = match &args.config {
        Some(path) => {
            let yaml = std::fs::read_to_string(path)
                .map_err(|error| Failure::input(path.display(), error))?;
            let settings =
                Settings::parse(&yaml).map_err(|error| Failure::input(path.display(), error))?;
            Vars::from_settings(&settings)
        }
        None => Vars::usual(),
    };
    let mut names = Names::default();
    let read = |path: &str| std::fs::read(path).ok();
    let mut compiler = Compiler::new(
        vars,
        Classes::default(),
        &mut names,
        Datasets::default(),
        &read,
    );
    for path in &args.files {
        let bytes = std::fs::read(path).map_err(|error| Failure::input(path.display(), error))?;
        compiler.file(
            &path.display().to_string(),
            &String::from_utf8_lossy(&bytes),
        );
    }
    for warning in compiler.warnings() {
        crate::text::complain(format_args!("{warning}"));
    }
    let (compiled, refused) = (compiler.compiled(), compiler.diagnostics().len());
    let all = compiled.saturating_add(refused);
    let passed_over = compiler.passed_over();
    if passed_over > 0 {
        crate::text::complain(format_args!(
            "{passed_over} more rules require what is not here, and are passed over as they ask"
        ));
    }
    for diagnostic in compiler.diagnostics() {
        if json {
            let problem = &diagnostic.problem;
            let refused = json!({
                "file": diagnostic.file, "line": diagnostic.line, "column": diagnostic.column,
                "sid": diagnostic.sid, "unsupported": problem.kind == ProblemKind::Unsupported,
                "message": problem.message, "mend": problem.mend,
            });
            crate::text::say(refused);
        } else {
            crate::text::say(diagnostic);
        }
    }
    if json {
        crate::text::say(json!({"rules": all, "compiled": compiled, "refused": refused}));
    } else {
        crate::text::say(format_args!(
            "{all} rules, {compiled} compiled, {refused} refused"
        ));
    }
    Ok(if refused == 0 {
        Outcome::Done
    } else {
        Outcome::No
    })
}
