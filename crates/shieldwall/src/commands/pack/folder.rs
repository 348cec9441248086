//! Reading an author's folder: plain files alone, within the bounds of a pack.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use pack::{Limits, PackPath};

use crate::outcome::Failure;

/// The files below a folder by their path in the pack.
pub(super) fn read(dir: &Path, limits: &Limits) -> Result<BTreeMap<PackPath, Vec<u8>>, Failure> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(dir.to_owned(), String::new())];
    let (mut room, mut entries) = (limits.pack_bytes_max, 0_usize);
    while let Some((folder, inside)) = folders.pop() {
        for (path, name) in listed(&folder)? {
            entries = entries.saturating_add(1);
            // Folders count too, so that a tree without files ends as well.
            if entries > limits.files_max.saturating_mul(2) {
                let most = limits.files_max;
                return Err(Failure::input(
                    dir.display(),
                    anyhow!("more than {most} files"),
                ));
            }
            let kind = fs::symlink_metadata(&path)
                .map_err(|error| Failure::input(path.display(), error))?
                .file_type();
            let within = format!("{inside}{name}");
            if kind.is_dir() {
                folders.push((path, format!("{within}/")));
                continue;
            }
            if !kind.is_file() {
                let error = anyhow!("neither a file nor a folder: a pack has no links: remove it");
                return Err(Failure::input(path.display(), error));
            }
            let place = within
                .parse()
                .map_err(|error: pack::PathError| Failure::input(path.display(), error))?;
            let content = bounded(&path, limits.file_bytes_max.min(room))?;
            room = room.saturating_sub(content.len());
            files.insert(place, content);
        }
    }
    Ok(files)
}

/// What is in a folder, with names that are text.
fn listed(folder: &Path) -> Result<Vec<(PathBuf, String)>, Failure> {
    let failed = |error| Failure::input(folder.display(), error);
    let entries = fs::read_dir(folder).map_err(failed)?;
    entries
        .map(|entry| {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((entry.path(), name))
        })
        .collect()
}

/// A file of so many bytes at most.
pub(in crate::commands) fn bounded(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::input(path.display(), error);
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
    match read.map_err(failed)? <= bytes_max {
        true => Ok(bytes),
        false => {
            let error = anyhow!("more than {bytes_max} bytes: make it smaller");
            Err(Failure::input(path.display(), error))
        }
    }
}
