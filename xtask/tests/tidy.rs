//! The rules of the project that a compiler does not know, as tests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Who may depend on whom, by normal and build dependencies. `lab` and `testkit` depend on none of
/// ours; `shieldwall` may on everything below it; nobody may on `xtask`.
const EDGES: [(&str, &[&str]); 18] = [
    ("stix", &[]),
    ("packet", &[]),
    ("model", &[]),
    ("taxii", &["stix"]),
    ("sharing", &["stix"]),
    ("features", &[]),
    ("pack", &["stix"]),
    ("feeds", &["stix"]),
    ("detect", &["stix", "packet", "features", "model", "pack"]),
    ("redteam", &["detect", "features", "pack"]),
    ("exchange", &["stix", "sharing"]),
    ("datapath", &["packet"]),
    ("hub", &["exchange", "sharing", "taxii", "stix", "pack"]),
    (
        "shield",
        &[
            "detect", "datapath", "packet", "pack", "sharing", "taxii", "stix",
        ],
    ),
    ("lab", &[]),
    (
        "shieldwall",
        &[
            "stix", "packet", "features", "model", "taxii", "sharing", "feeds", "pack", "detect",
            "redteam", "exchange", "datapath", "hub", "shield", "lab",
        ],
    ),
    ("testkit", &[]),
    ("xtask", &["lab", "testkit"]),
];

/// Crates without sockets, files, clocks and randomness.
const SANS_IO: [&str; 10] = [
    "stix", "packet", "taxii", "sharing", "features", "feeds", "detect", "model", "pack", "redteam",
];

/// The only crates that may hold `unsafe`.
const UNSAFE: [&str; 1] = ["datapath"];

/// The only files beside those: vector instructions, each with a safe twin that a test compares.
const UNSAFE_FILES: [&str; 1] = ["crates/detect/src/rules/literal/avx2.rs"];

/// Tests that have some all the same: an allocator that counts.
const UNSAFE_TESTS: [&str; 1] = ["crates/packet/tests/common/counting.rs"];

/// Files over [`LINES_MAX`], each with its own bound: it may shrink, not grow.
const LONG_FILES: [(&str, usize); 0] = [];
/// Lines of a source file, its tests at the end apart.
const LINES_MAX: usize = 600;

/// Licences that dependencies may have (any of those that one offers).
const LICENCES: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Zlib",
];

#[test]
fn crates_depend_only_on_what_the_layers_allow() {
    let mut wrong = Vec::new();
    let members = members();
    let ours: BTreeSet<_> = members.keys().map(String::as_str).collect();
    assert_eq!(
        ours,
        EDGES.iter().map(|(name, _)| *name).collect(),
        "EDGES lists every member"
    );
    for (name, package) in &members {
        let allowed = EDGES.iter().find(|(edge, _)| edge == name).unwrap().1;
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            let development = dependency["kind"] == "dev";
            if ours.contains(on) && !development && !allowed.contains(&on) {
                wrong.push(format!("{name} -> {on}"));
            }
            // Not even in tests: they speak over the wire only.
            if matches!((name.as_str(), on), ("hub", "shield") | ("shield", "hub")) {
                wrong.push(format!("{name} -> {on} (for tests)"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "edges that the layers do not allow: {wrong:?}"
    );
}

#[test]
fn there_is_one_crypto_provider() {
    // Cargo.lock lists optional crates that nothing turns on; the tree has what is built.
    let arguments = [
        "tree",
        "--workspace",
        "--target",
        "all",
        "--prefix",
        "none",
        "--locked",
    ];
    let tree = cargo(&arguments);
    let names: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    for banned in ["ring", "native-tls", "openssl", "openssl-sys"] {
        assert!(
            !names.contains(banned),
            "{banned} is built: `cargo tree --invert {banned}`"
        );
    }
    assert!(names.contains("aws-lc-rs"));
}

#[test]
fn sans_io_crates_ban_clocks_files_and_sockets() {
    let common: Vec<String> = entries(&read(&root().join("clippy.toml")));
    assert!(!common.is_empty());
    for name in SANS_IO {
        let own = entries(&read(&root().join("crates").join(name).join("clippy.toml")));
        for entry in &common {
            assert!(
                own.contains(entry),
                "crates/{name}/clippy.toml lacks {entry}"
            );
        }
        for banned in [
            "std::time::Instant::now",
            "std::time::SystemTime::now",
            "std::fs::read",
            "std::net::TcpStream::connect",
            "std::thread::sleep",
        ] {
            let quoted = format!("\"{banned}\"");
            assert!(
                own.iter().any(|entry| entry.contains(&quoted)),
                "{name} allows {banned}"
            );
        }
    }
}

#[test]
fn every_app_layer_protocol_is_registered() {
    let folder = root().join("crates/packet/src/applayer");
    let module = read(&folder.join("mod.rs"));
    let table = module.split("const PROTOCOLS").nth(1).unwrap();
    let table = table.split("];").next().unwrap();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            assert!(
                table.contains(&format!("{name}::")),
                "applayer/{name} is not in PROTOCOLS"
            );
        }
    }
}

#[test]
fn no_partner_is_ranked_and_no_work_is_left_in_comments() {
    // Put together here, so that this file does not hold the words.
    let banned = [
        (
            ["appr", "oved"].concat(),
            "nothing here has such a state: it is voluntary",
        ),
        (
            ["cle", "ared"].concat(),
            "nothing here has such a state: it is voluntary",
        ),
        (["FIX", "ME"].concat(), "mend it or file it"),
        (["TO", "DO"].concat(), "do it or file it"),
        (["/wo", "rk/"].concat(), "a path of somebody's machine"),
    ];
    let mut found = Vec::new();
    for path in sources(&[
        "rs", "toml", "html", "css", "js", "sql", "c", "h", "py", "sh",
    ]) {
        let text = read(&path);
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            for (word, why) in &banned {
                // As a verb in a comment a word is no state.
                let state = word.chars().all(char::is_lowercase);
                if has_word(if state { code } else { line }, word) {
                    found.push(format!("{}:{} {word}: {why}", shown(&path), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_architecture_names_what_exists() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let crates: BTreeSet<_> = EDGES.iter().map(|(name, _)| *name).collect();
    let mut named = BTreeSet::new();
    for quoted in text.split('`').skip(1).step_by(2) {
        if quoted.starts_with("crates/") || quoted.starts_with("xtask/") {
            assert!(
                root().join(quoted).exists(),
                "ARCHITECTURE.md names {quoted}"
            );
        }
        let mut parts = quoted.split("::");
        let first = parts.next().unwrap();
        if crates.contains(first) {
            named.insert(first);
            if let Some(module) = parts
                .next()
                .filter(|part| part.starts_with(char::is_lowercase))
            {
                assert!(has_module(first, module), "ARCHITECTURE.md names {quoted}");
            }
        }
    }
    let missing: Vec<_> = crates.difference(&named).collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md says nothing of {missing:?}"
    );
}

#[test]
fn unsafe_code_stays_in_its_crates() {
    let needles = [
        ["uns", "afe {"],
        ["uns", "afe fn"],
        ["uns", "afe impl"],
        ["expect(uns", "afe_code"],
    ];
    for path in sources(&["rs"]) {
        let shown = shown(&path);
        if UNSAFE
            .iter()
            .any(|name| shown.starts_with(&format!("crates/{name}/")))
        {
            continue;
        }
        if UNSAFE_FILES.contains(&shown.as_str()) || UNSAFE_TESTS.contains(&shown.as_str()) {
            continue;
        }
        let text = read(&path);
        for needle in &needles {
            let needle = needle.concat();
            assert!(
                !text.contains(&needle),
                "{shown} has `{needle}`: only {UNSAFE:?} may"
            );
        }
    }
}

#[test]
fn files_stay_short() {
    let mut long = Vec::new();
    for path in sources(&["rs"]) {
        let shown = shown(&path);
        if !shown.contains("/src/") {
            continue;
        }
        let text = read(&path);
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code.lines().count();
        let bound = LONG_FILES.iter().find(|(file, _)| *file == shown);
        let bound = bound.map_or(LINES_MAX, |(_, lines)| *lines);
        if lines > bound {
            long.push(format!("{shown}: {lines} lines, at most {bound}"));
        }
    }
    assert!(long.is_empty(), "split these by topic: {long:#?}");
    for (file, _) in LONG_FILES {
        assert!(
            root().join(file).is_file(),
            "{file} of LONG_FILES is gone: remove it there too"
        );
    }
}

#[test]
fn dependencies_have_licences_that_we_can_take() {
    let mut wrong = Vec::new();
    for package in metadata(&[])["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none stated");
        if !permitted(licence) {
            wrong.push(format!("{name}: {licence}"));
        }
    }
    assert!(wrong.is_empty(), "not in LICENCES: {wrong:#?}");
}

#[test]
fn licence_expressions_are_understood() {
    assert!(permitted("MIT OR GPL-3.0"));
    assert!(permitted("MIT/Apache-2.0"));
    assert!(permitted("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(permitted("Apache-2.0 WITH LLVM-exception OR GPL-2.0"));
    assert!(!permitted("GPL-3.0"));
    assert!(!permitted("MIT AND GPL-3.0"));
    assert!(!permitted("MIT AND (GPL-3.0 OR LGPL-2.1)"));
}

/// Whether an SPDX expression can be satisfied from [`LICENCES`]. OR binds weaker than AND.
fn permitted(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    any_of(&expression, " OR ", |part| {
        !any_of(part, " AND ", |part| {
            let inner = part
                .strip_prefix('(')
                .and_then(|part| part.strip_suffix(')'));
            !inner.map_or_else(|| LICENCES.contains(&part), permitted)
        })
    })
}

/// Splits at an operator outside parentheses, and asks for each part.
fn any_of(text: &str, operator: &str, is: impl Fn(&str) -> bool) -> bool {
    let (mut depth, mut from) = (0_usize, 0_usize);
    let mut parts = Vec::new();
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 && at >= from && text[at..].starts_with(operator) => {
                parts.push(&text[from..at]);
                from = at + operator.len();
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts.into_iter().any(|part| is(part.trim()))
}

/// Whether a crate has a module, or an item in lower case, of that name.
fn has_module(name: &str, module: &str) -> bool {
    let folder = if name == "xtask" {
        "xtask".to_owned()
    } else {
        format!("crates/{name}")
    };
    let source = root().join(&folder).join("src");
    source.join(module).is_dir()
        || source.join(format!("{module}.rs")).is_file()
        || sources(&["rs"])
            .iter()
            .filter(|path| path.starts_with(&source))
            .any(|path| {
                let text = read(path);
                ["fn", "mod", "const"]
                    .iter()
                    .any(|kind| has_word(&text, &format!("{kind} {module}")))
            })
}

/// The entries of a clippy.toml, one a line, without comments.
fn entries(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#') && *line != "]");
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Whether a word stands in a line by itself, also as a part of an identifier, in any case.
fn has_word(line: &str, word: &str) -> bool {
    let exact = word.chars().all(|c| c.is_ascii_uppercase());
    let (line, word) = if exact || word.starts_with('/') {
        (line.to_owned(), word.to_owned())
    } else {
        (line.to_lowercase(), word.to_lowercase())
    };
    line.match_indices(&word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
        word.starts_with('/') || !letter(before) && !letter(after)
    })
}

/// Files of ours with these endings.
fn sources(endings: &[&str]) -> Vec<PathBuf> {
    let mut folders = vec![
        root().join("crates"),
        root().join("xtask"),
        root().join(".ci"),
    ];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != "vendor" {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|end| endings.iter().any(|e| end == *e))
            {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty());
    files
}

fn members() -> BTreeMap<String, Value> {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().unwrap().clone();
    packages
        .into_iter()
        .map(|p| (p["name"].as_str().unwrap().to_owned(), p))
        .collect()
}

fn metadata(arguments: &[&str]) -> Value {
    let arguments = [
        &["metadata", "--format-version", "1", "--locked"],
        arguments,
    ]
    .concat();
    serde_json::from_str(&cargo(&arguments)).unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn root() -> PathBuf {
    testkit::workspace_root()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}
