//! `rules`: rules compiled, and what of them is refused.

use detect::rules::ProblemKind;
use detect::rules::state::Names;
use packet::settings::Settings;
use serde_json::json;
use shield::rules::Wanted;

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
    let settings = match &args.config {
        Some(path) => {
            let yaml = std::fs::read_to_string(path)
                .map_err(|error| Failure::input(path.display(), error))?;
            Settings::parse(&yaml).map_err(|error| Failure::input(path.display(), error))?
        }
        None => Settings::default(),
    };
    let wanted = Wanted {
        files: &args.files,
        settings: &settings,
        configured: args.config.is_some(),
    };
    let read = shield::rules::read(&wanted, &mut Names::default())
        .map_err(|(path, error)| Failure::input(path.display(), error))?;
    for said in read.notes.iter().chain(&read.warnings) {
        crate::text::complain(said);
    }
    let (compiled, refused) = (read.set.len(), read.refused.len());
    let all = compiled.saturating_add(refused);
    if read.passed_over > 0 {
        let passed_over = read.passed_over;
        crate::text::complain(format_args!(
            "{passed_over} more rules require what is not here, and are passed over as they ask"
        ));
    }
    for diagnostic in &read.refused {
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
