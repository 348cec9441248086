//! Reading the data that others wrote.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of vectors, or a line that says that a test is skipped.
pub(crate) fn vectors(test: &str) -> Option<PathBuf> {
    let folder = testkit::shared_dir().map(|shared| shared.join("vectors/exchange"));
    let folder = folder.filter(|folder| folder.is_dir());
    if folder.is_none() {
        testkit::skip(
            test,
            "no folder vectors/exchange under SHIELDWALL_SHARED or ../shared",
        );
    }
    folder
}

/// A JSON file.
pub(crate) fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The JSON files below a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ext| ext == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}
