//! What authors of rules are told: `tests/diagnostics/CASE/` holds `wrong.rules`, and in `expected.txt` what
//! the compiler says of them. `UPDATE=1` rewrites what is expected.

use detect::rules::dataset::Datasets;
use detect::rules::state::{Names, Reputations};
use detect::rules::{Classes, Compiler, Vars};

/// Files that rules name.
const FILES: &[(&str, &str)] = &[
    ("md5.lst", "00112233445566778899aabbccddeeff\nnothing\n"),
    ("names.lst", "d3d3LmV4YW1wbGU=\n*\n"),
    (
        "list.json",
        "{\"hosts\": [{\"name\": \"a\"}, {\"name\": 5}]}",
    ),
    ("broken.json", "[{\"name\": 1"),
];

#[test]
fn what_is_wrong_is_said_where_and_with_what_mends_it() {
    let cases = testkit::workspace_root().join("tests/diagnostics");
    let run = testkit::golden::run(cases, |case| {
        let said = said(RULES, &case.text(RULES)?);
        case.expect("expected.txt", &said)
    });
    if let Err(failures) = run {
        panic!("{failures}");
    }
}

#[test]
fn whatever_is_wrong_has_a_place_and_a_mend_and_each_rule_is_refused_once() {
    let cases = testkit::workspace_root().join("tests/diagnostics");
    for case in testkit::golden::cases(&cases).expect("cases") {
        let text = case.text(RULES).expect("rules");
        let rules = text.lines().filter(|line| {
            let is_continued = line.ends_with('\\');
            !line.is_empty() && !line.starts_with('#') && !is_continued
        });
        let rules = rules.count();
        compile(RULES, &text, |compiler| {
            let told = compiler.diagnostics();
            assert_eq!(told.len() + compiler.compiled(), rules, "{}", case.name);
            for one in told {
                let len = one.source.chars().count();
                let column = usize::try_from(one.column).expect("a column");
                assert!(column <= len + 1, "{one}");
                let problem = &one.problem;
                assert!(
                    !problem.message.is_empty() && !problem.mend.is_empty(),
                    "{one}"
                );
            }
        });
    }
}

const RULES: &str = "wrong.rules";

/// All that is said of a file of rules.
fn said(name: &str, text: &str) -> String {
    let mut said = String::new();
    compile(name, text, |compiler| {
        for diagnostic in compiler.diagnostics() {
            said.push_str(&format!("{diagnostic}\n\n"));
        }
        for warning in compiler.warnings() {
            said.push_str(&format!("{warning}\n"));
        }
        said.push_str(&format!("rules compiled: {}\n", compiler.compiled()));
    });
    said
}

fn compile(name: &str, text: &str, look: impl FnOnce(&Compiler<'_>)) {
    let mut vars = Vars::usual();
    vars.set_addresses("LOOP", "[$LOOP]");
    vars.set_addresses("BROKEN", "[10.0.0.0/8,10.0.0.0/40]");
    vars.set_ports("NO_PORTS", "[80,http]");
    vars.set_addresses("OPEN", "[10.0.0.1");
    let mut names = Names::default();
    let read = |name: &str| {
        let file = FILES.iter().find(|(known, _)| *known == name)?;
        Some(file.1.as_bytes().to_vec())
    };
    let mut reputations = Reputations::default();
    reputations.read_categories("1,Bad,of ill fame\n");
    let mut compiler = Compiler::new(
        vars,
        Classes::default(),
        &mut names,
        Datasets::default(),
        &read,
    )
    .with_reputations(reputations);
    compiler.file(name, text);
    look(&compiler);
}
