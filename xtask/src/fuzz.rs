//! `cargo xtask fuzz NAME`: the fuzzers of `crates/packet/fuzz`, `crates/detect/fuzz`,
//! `crates/pack/fuzz`, `crates/stix/fuzz` and `crates/model/fuzz`.
//!
//! NAME is a protocol, by its folder of seeds, or a target: one that looks at no single protocol.
//! `all` goes through all of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;

use crate::{cargo, sh};

const SECONDS: &str = "60";
/// Where fuzzers stand.
const FUZZ: [&str; 5] = [
    "crates/packet/fuzz",
    "crates/detect/fuzz",
    "crates/pack/fuzz",
    "crates/stix/fuzz",
    "crates/model/fuzz",
];
/// The target for protocols, which takes the protocol's name from its environment.
const PROTOCOL: &str = "protocol";
/// The target for conversations in packets, which takes the seeds of all protocols.
const CONVERSATION: &str = "conversation";
/// Where seeds stand: what people wrote, and what fuzzers made of it that goes other ways.
const SEEDS: [&str; 2] = ["corpus", "found"];

/// Fuzzes and keeps what is new under `target/`: what is worth keeping is committed by hand, under
/// `found` of the fuzzers' folder.
pub(crate) fn run(name: &str, rest: &[&str]) -> anyhow::Result<ExitCode> {
    let seconds = match rest {
        [] => SECONDS,
        ["--seconds", seconds] => seconds,
        _ => bail!("fuzz takes NAME and --seconds N"),
    };
    if !testkit::has_program("cargo-fuzz") {
        println!("installing cargo-fuzz");
        sh(cargo().args(["install", "--locked", "cargo-fuzz"]))?;
    }
    let mut is_known = false;
    for folder in FUZZ {
        is_known |= run_in(folder, name, seconds)?;
    }
    if !is_known {
        bail!(
            "{name} is neither a folder of seeds nor a target in {}",
            FUZZ.join(" or ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the fuzzers of a folder that are meant; whether there are any.
fn run_in(fuzz: &str, name: &str, seconds: &str) -> anyhow::Result<bool> {
    let folder = testkit::workspace_root().join(fuzz);
    let targets = names(&folder.join("fuzz_targets"))?;
    let seeded = names(&folder.join("corpus"))?;
    let known: BTreeSet<_> = targets.union(&seeded).collect();
    let known = known.into_iter().filter(|known| *known != PROTOCOL);
    let wanted: Vec<_> = known
        .filter(|known| name == "all" || name == *known)
        .collect();
    for name in &wanted {
        let is_target = targets.contains(*name);
        let target = if is_target { name.as_str() } else { PROTOCOL };
        let own = BTreeSet::from([(*name).clone()]);
        let names = if *name == CONVERSATION { &seeded } else { &own };
        let folder = &folder;
        let seeds = SEEDS.iter().flat_map(|part| {
            let of = names.iter();
            of.map(move |name| folder.join(part).join(name))
        });
        println!("{name}: {seconds} s");
        run_one(
            fuzz,
            name,
            target,
            seeds.filter(|seeds| seeds.is_dir()),
            seconds,
        )?;
    }
    Ok(!wanted.is_empty())
}

fn run_one(
    fuzz: &str,
    name: &str,
    target: &str,
    seeds: impl Iterator<Item = PathBuf>,
    seconds: &str,
) -> anyhow::Result<()> {
    let root = testkit::workspace_root();
    let grown = root.join("target/fuzz-corpus").join(name);
    std::fs::create_dir_all(&grown)?;
    let mut command = cargo();
    command.env("FUZZ_PROTOCOL", name);
    // the parsers are safe Rust: no sanitizer, which would need a nightly compiler
    command.args(["fuzz", "run", "--fuzz-dir", fuzz, "--sanitizer", "none"]);
    command.arg(target).arg(&grown).args(seeds).arg("--");
    command.args([
        &format!("-max_total_time={seconds}"),
        "-timeout=5",
        "-rss_limit_mb=1024",
    ]);
    sh(&mut command)
}

/// The names of the files or folders in a folder, without their endings.
fn names(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default();
        names.insert(name.to_string_lossy().into_owned());
    }
    Ok(names)
}
