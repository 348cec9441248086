//! Which files of rules there are, whether they changed, and where those lie that rules name.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Most files of rules.
pub const FILES_MAX: usize = 10_000;

/// Why files cannot be named.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A folder cannot be listed.
    #[error("{}: {source}; name a folder that is there in [rules] files", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There are too many.
    #[error("{}: more than {FILES_MAX} files of rules; join them", path.display())]
    TooMany {
        /// What names them.
        path: PathBuf,
    },
}

/// The files that paths name. `*` stands for any characters of a file's name and `?` for one; such
/// files come in the order of their names, and there may be none.
///
/// # Errors
/// A folder cannot be listed, or more than [`FILES_MAX`] files are named.
pub fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FilesError> {
    let mut files = Vec::new();
    for path in paths {
        match path.file_name().map(OsStr::as_bytes) {
            Some(pattern) if pattern.iter().any(|byte| b"*?".contains(byte)) => {
                files.append(&mut named_by(path, pattern)?);
            }
            Some(_) | None => files.push(path.clone()),
        }
        if files.len() > FILES_MAX {
            return Err(FilesError::TooMany { path: path.clone() });
        }
    }
    Ok(files)
}

fn named_by(path: &Path, pattern: &[u8]) -> Result<Vec<PathBuf>, FilesError> {
    let folder = path.parent().unwrap_or(path);
    let listed = match folder.as_os_str().is_empty() {
        true => std::fs::read_dir("."),
        false => std::fs::read_dir(folder),
    };
    let wrong = |source| FilesError::Folder {
        folder: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in listed.map_err(wrong)? {
        let name = entry.map_err(wrong)?.file_name();
        if fits(pattern, name.as_bytes()) {
            files.push(folder.join(name));
        }
        if files.len() > FILES_MAX {
            return Err(FilesError::TooMany {
                path: path.to_owned(),
            });
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a name fits a pattern. It goes back to the latest `*` alone, so it takes no more than
/// the product of the lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0_usize, 0_usize);
    // where to go on when what follows the latest `*` does not fit: the star takes one more
    let mut again: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), name.get(from)) {
            (Some(b'*'), _) => {
                again = Some((at, from));
                at = at.saturating_add(1);
                continue;
            }
            (Some(b'?'), Some(_)) => {}
            (Some(wanted), Some(byte)) if wanted == byte => {}
            (None, None) => return true,
            (Some(_) | None, Some(_)) | (Some(_), None) => match again {
                Some((star, taken)) if taken < name.len() => {
                    again = Some((star, taken.saturating_add(1)));
                    (at, from) = (star.saturating_add(1), taken.saturating_add(1));
                    continue;
                }
                Some(_) | None => return false,
            },
        }
        (at, from) = (at.saturating_add(1), from.saturating_add(1));
    }
}

/// What tells that a file changed; none where there is no file.
type Stamp = Option<(SystemTime, u64)>;

/// The files as they were at one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamps(Vec<(PathBuf, Stamp)>);

impl Stamps {
    /// As they are now. What cannot be looked at is not there.
    pub(super) fn of(paths: &[PathBuf], others: &[PathBuf]) -> Self {
        let files = expand(paths).unwrap_or_default();
        let all = files.iter().chain(others);
        Self(all.map(|path| (path.clone(), stamp(path))).collect())
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Files that rules name: beside the file of rules, else where the program runs.
#[derive(Debug, Default)]
pub(super) struct Beside {
    folder: RefCell<PathBuf>,
}

impl Beside {
    /// The rules of a file come next.
    pub(super) fn enter(&self, rules: &Path) {
        let folder = rules.parent().unwrap_or(Path::new(""));
        self.folder.replace(folder.to_owned());
    }

    /// Reads a file that a rule names; a path that is absolute stands for itself.
    pub(super) fn read(&self, path: &str) -> Option<Vec<u8>> {
        let beside = self.folder.borrow().join(path);
        std::fs::read(beside).or_else(|_| std::fs::read(path)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_rules_name_are_those_beside_the_rules() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hosts.lst"), "a").unwrap();
        let beside = Beside::default();
        assert_eq!(beside.read("hosts.lst"), None);
        beside.enter(&folder.path().join("some.rules"));
        assert_eq!(beside.read("hosts.lst").as_deref(), Some(&b"a"[..]));
        assert_eq!(beside.read("none.lst"), None);
        let whole = folder.path().join("hosts.lst");
        beside.enter(Path::new("elsewhere.rules"));
        assert_eq!(
            beside.read(whole.to_str().unwrap()).as_deref(),
            Some(&b"a"[..])
        );
    }

    #[test]
    fn wildcards_fit_names_as_in_a_shell() {
        for (pattern, name) in [
            ("*", ""),
            ("*.rules", "a.rules"),
            ("*.rules", ".rules"),
            ("a*b*c", "aXbYbZc"),
            ("?.rules", "x.rules"),
            ("**", "abc"),
            ("abc", "abc"),
        ] {
            assert!(
                fits(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        for (pattern, name) in [
            ("*.rules", "a.rules.old"),
            ("?.rules", ".rules"),
            ("abc", "ab"),
            ("ab", "abc"),
            ("a*b", "a"),
            ("", "a"),
        ] {
            assert!(
                !fits(pattern.as_bytes(), name.as_bytes()),
                "{pattern} {name}"
            );
        }
        let hard = ["*a"; 40].concat();
        assert!(!fits(hard.as_bytes(), &[b'a'; 39]), "and it ends soon");
    }

    #[test]
    fn files_are_named_in_order_and_their_changes_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.rules", "a.rules", "c.txt"] {
            std::fs::write(folder.path().join(name), "#\n").unwrap();
        }
        let paths = [folder.path().join("*.rules"), folder.path().join("c.txt")];
        let names = |files: Vec<PathBuf>| -> Vec<String> {
            let names = files.iter().filter_map(|file| file.file_name());
            names
                .map(|name| name.to_string_lossy().into_owned())
                .collect()
        };
        assert_eq!(
            names(expand(&paths).unwrap()),
            ["a.rules", "b.rules", "c.txt"]
        );
        let before = Stamps::of(&paths, &[]);
        assert_eq!(before, Stamps::of(&paths, &[]));
        std::fs::write(folder.path().join("b.rules"), "# longer\n").unwrap();
        let changed = Stamps::of(&paths, &[]);
        assert_ne!(before, changed);
        std::fs::remove_file(folder.path().join("a.rules")).unwrap();
        assert_ne!(changed, Stamps::of(&paths, &[]));
        let missing = expand(&[PathBuf::from("/nonexistent/*.rules")]).unwrap_err();
        assert!(
            missing.to_string().starts_with("/nonexistent: "),
            "{missing}"
        );
    }
}
