//! What tests of several crates need: golden cases, captures, network namespaces, databases, and the
//! convention by which a test says aloud that it could not run.
//!
//! For development only; depends on none of our crates, so that any of them can use it.
#![forbid(unsafe_code)]

pub mod capture;
pub mod conversation;
pub mod crash;
pub mod golden;
pub mod netns;
pub mod postgres;

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Says that a test did not run, and why. `cargo xtask test` counts these lines.
///
/// Written past libtest's capture (which swallows what `println!` prints in a test that passes),
/// on a line of its own.
///
/// ```no_run
/// testkit::skip("drops_a_listed_source", "needs root");
/// ```
pub fn skip(name: &str, why: &str) {
    let line = format!("\nSKIPPED {name}: {}\n", why.trim().replace('\n', "; "));
    // A closed standard output is no reason to fail the test.
    io::stdout().write_all(line.as_bytes()).ok();
}

/// The root of the workspace.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir
        .ancestors()
        .nth(2)
        .unwrap_or(crate_dir)
        .to_path_buf()
}

/// The folder with vectors and data that are not part of the repository: `SHIELDWALL_SHARED`, else
/// `shared` beside the workspace. `None` where there is none; the test then calls [`skip`].
#[must_use]
pub fn shared_dir() -> Option<PathBuf> {
    let folder = env::var_os("SHIELDWALL_SHARED")
        .map_or_else(|| workspace_root().join("../shared"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// The Python with the reference clients: `SHIELDWALL_PYTHON`, else `target/venv/bin/python`,
/// which `cargo xtask test` makes. `None` where there is none.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let program = env::var_os("SHIELDWALL_PYTHON").map_or_else(
        || workspace_root().join("target/venv/bin/python"),
        PathBuf::from,
    );
    program.is_file().then_some(program)
}

/// Whether a program is on `PATH`.
#[must_use]
pub fn has_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Whether long tests were asked for (`cargo xtask test --long`).
#[must_use]
pub fn long() -> bool {
    env::var_os("SHIELDWALL_LONG").is_some_and(|value| value == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_root_has_the_member_list() {
        let manifest = std::fs::read_to_string(workspace_root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("\"crates/testkit\""));
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(has_program("sh"));
        assert!(!has_program("no-such-program-shieldwall"));
    }
}
