//! The list of partners that were revoked, in a file beside the store: a backup from before still has
//! them as partners, and whoever restores it reads this file, as that of erasures.

use crate::error::HubError;
use crate::secrets;
use crate::storage::store_error;
use exchange::{EitherStore, Registry as _};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use stix::Timestamp;

/// Its name in the data folder and in a backup.
pub(super) const REVOCATIONS: &str = "revocations.jsonl";

/// One line of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    partner: String,
    revoked: Timestamp,
}

/// Partners, and when they were revoked.
pub(super) type Revoked = BTreeMap<String, Timestamp>;

/// Adds to the list of a data folder who is revoked in the store; durable when it returns.
pub(crate) async fn remember(data: &Path, store: &EitherStore) -> Result<(), HubError> {
    let partners = store.partners().await.map_err(store_error)?;
    let revoked = partners
        .iter()
        .filter_map(|partner| Some((partner.name.to_string(), partner.revoked?)));
    merge(data, revoked.collect()).map(|_| ())
}

/// Adds to the list of a data folder; all that is in it then. Who administers beside a hub waits for its
/// turn.
pub(super) fn merge(data: &Path, more: Revoked) -> Result<Revoked, HubError> {
    let lock = data.join("revocations.lock");
    let held = File::create(&lock).and_then(|file| file.lock().map(|()| file));
    let _held = held.map_err(|error| HubError::file(&lock, error))?;
    let path = data.join(REVOCATIONS);
    let mut all = read(&path)?;
    let before = all.len();
    for (partner, at) in more {
        all.entry(partner).or_insert(at);
    }
    if all.len() > before {
        let mut bytes = Vec::new();
        for (partner, revoked) in all.clone() {
            let line = serde_json::to_vec(&Line { partner, revoked });
            bytes.extend(line.map_err(|error| HubError::Refused(error.to_string()))?);
            bytes.push(b'\n');
        }
        secrets::replace_durably(&path, &[&bytes])?;
    }
    Ok(all)
}

/// The list in a file; an empty one where there is none.
pub(super) fn read(path: &Path) -> Result<Revoked, HubError> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        other => other.map_err(|error| HubError::file(path, error))?,
    };
    let mut all = Revoked::new();
    for line in text.lines() {
        let line: Line = serde_json::from_str(line).map_err(|error| {
            let path = path.display();
            HubError::Refused(format!("{path} is no list of revocations: {error}"))
        })?;
        all.entry(line.partner).or_insert(line.revoked);
    }
    Ok(all)
}
