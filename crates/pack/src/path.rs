//! Where a file stands in a pack.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest path, in bytes: what the oldest tar header holds.
pub const PATH_BYTES_MAX: usize = 100;

/// A path inside a pack: parts of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`, separated by `/`. A part
/// begins with a letter, a digit or `_` and does not end in a dot, so that nothing is absolute,
/// hidden, an option of a program, or leads out of the pack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackPath(Box<str>);

/// Why a text is not a path of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It begins with `/`.
    #[error("a path in a pack is not absolute")]
    Absolute,
    /// A part is `..`, or begins with a dot or another sign, ends in a dot, or is empty.
    #[error("each part of a path begins with a letter, a digit or '_', and does not end in a dot")]
    Part,
    /// A character that some system gives a meaning.
    #[error("a path has A-Z, a-z, 0-9, '.', '_', '-' and '/' alone")]
    Character,
    /// Empty, or too long.
    #[error("a path has 1 to {PATH_BYTES_MAX} bytes")]
    Length,
}

impl PackPath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders that the path leads through, outermost first, and the path itself last.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &str> {
        let folders = self.0.match_indices('/');
        folders
            .filter_map(|(at, _)| self.0.get(..at))
            .chain([&*self.0])
    }
}

impl FromStr for PackPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !(1..=PATH_BYTES_MAX).contains(&text.len()) {
            return Err(PathError::Length);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if !text
            .bytes()
            .all(|byte| plain(byte) || matches!(byte, b'.' | b'-' | b'/'))
        {
            return Err(PathError::Character);
        }
        let legal = |part: &str| part.bytes().next().is_some_and(plain) && !part.ends_with('.');
        match text.split('/').all(legal) {
            true => Ok(Self(text.into())),
            false => Err(PathError::Part),
        }
    }
}

impl fmt::Display for PackPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<PackPath> for String {
    fn from(path: PackPath) -> Self {
        path.0.into()
    }
}

impl TryFrom<String> for PackPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_pack() {
        for good in ["pack.json", "models/web.onnx", "a/b/c/d", "_x/0-1.A"] {
            assert_eq!(good.parse::<PackPath>().unwrap().as_str(), good);
        }
        let cases = [
            ("", PathError::Length),
            (&*"x".repeat(101), PathError::Length),
            ("/etc/passwd", PathError::Absolute),
            ("../x", PathError::Part),
            ("a/../b", PathError::Part),
            ("a//b", PathError::Part),
            ("a/", PathError::Part),
            ("./a", PathError::Part),
            (".git/config", PathError::Part),
            ("-rf", PathError::Part),
            ("a./b", PathError::Part),
            ("a\\b", PathError::Character),
            ("C:x", PathError::Character),
            ("a\0b", PathError::Character),
            ("a b", PathError::Character),
            ("é", PathError::Character),
        ];
        for (bad, why) in cases {
            assert_eq!(bad.parse::<PackPath>(), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn steps_are_the_folders_and_the_path() {
        let path: PackPath = "a/b/c".parse().unwrap();
        assert_eq!(path.steps().collect::<Vec<_>>(), ["a", "a/b", "a/b/c"]);
    }
}
