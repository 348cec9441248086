//! Golden cases: a folder is a case; its files are what goes in and what must come out.
//!
//! `UPDATE=1 cargo test -p ...` writes what came out over what was expected; read the difference
//! before committing it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The case's folder.
    pub dir: PathBuf,
    /// The folder's name.
    pub name: String,
    update: bool,
}

/// Runs every case of `folder` in the order of their names.
///
/// # Errors
///
/// When there is no case, or naming every case that failed with what it said.
pub fn run(
    folder: impl AsRef<Path>,
    mut each: impl FnMut(&Case) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let cases = cases(folder.as_ref())?;
    let mut failures = Vec::new();
    for case in &cases {
        if let Err(error) = each(case) {
            failures.push(format!("case {}: {error:#}", case.name));
        }
    }
    if !failures.is_empty() {
        bail!(
            "{} of {} cases failed\n{}",
            failures.len(),
            cases.len(),
            failures.join("\n")
        );
    }
    Ok(())
}

/// The cases of a folder, by name.
///
/// # Errors
///
/// When the folder cannot be read or holds no case: a golden test that tests nothing must fail.
pub fn cases(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let update = env::var_os("UPDATE").is_some_and(|value| value == "1");
    let mut cases = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let dir = entry?.path();
        if dir.is_dir() {
            let name = dir
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            cases.push(Case { dir, name, update });
        }
    }
    if cases.is_empty() {
        bail!("{} holds no case (a case is a folder)", folder.display());
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

impl Case {
    /// The path of one of the case's files.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// The bytes of one of the case's files.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn bytes(&self, file: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.path(file);
        fs::read(&path).with_context(|| format!("reading {}", path.display()))
    }

    /// The text of one of the case's files.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is not UTF-8.
    pub fn text(&self, file: &str) -> anyhow::Result<String> {
        let path = self.path(file);
        fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
    }

    /// Compares what came out with the expected file, or writes it there under `UPDATE=1`.
    ///
    /// # Errors
    ///
    /// Naming the first line that differs.
    pub fn expect(&self, file: &str, actual: &str) -> anyhow::Result<()> {
        let path = self.path(file);
        if self.update {
            return fs::write(&path, actual).with_context(|| format!("writing {}", path.display()));
        }
        let expected = self.text(file).context("run with UPDATE=1 to write it")?;
        match first_difference(&expected, actual) {
            None => Ok(()),
            Some(difference) => bail!("{} line {difference}", path.display()),
        }
    }
}

fn first_difference(expected: &str, actual: &str) -> Option<String> {
    let mut lines = (expected.lines(), actual.lines());
    for number in 1_usize.. {
        match (lines.0.next(), lines.1.next()) {
            (None, None) => return None,
            (want, got) if want == got => {}
            (want, got) => {
                let (want, got) = (want.unwrap_or("<end>"), got.unwrap_or("<end>"));
                return Some(format!("{number}\n  expected: {want}\n  actual:   {got}"));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        let difference = first_difference("a\nb\n", "a\nc\n").unwrap();
        assert!(difference.starts_with("2\n"), "{difference}");
        assert!(first_difference("a\n", "a\nb\n").unwrap().contains("<end>"));
    }

    #[test]
    fn an_empty_folder_of_cases_is_an_error() {
        let error = cases(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("src/crash")
                .as_path(),
        )
        .unwrap_err();
        assert!(error.to_string().contains("holds no case"));
    }

    #[test]
    fn every_failing_case_is_named() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let error = run(folder, |case| bail!("no good: {}", case.dir.display())).unwrap_err();
        assert!(error.to_string().contains("case src: no good"));
    }
}
