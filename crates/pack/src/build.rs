//! Making packs: from files to an archive, and signatures onto it.

use serde_json::{Map, Value};

use crate::archive::{self, ArchiveError, Files};
use crate::dsse::{Envelope, IN_TOTO, Signature};
use crate::json::{self, DocumentError, Fault};
use crate::key::SigningKey;
use crate::limits::Limits;
use crate::manifest::{File, Manifest, Role};
use crate::path::PackPath;
use crate::statement::Statement;
use crate::unverified::{Unverified, file};
use crate::value::Digest;
use crate::verify::PackError;
use crate::{ENVELOPE, MANIFEST, MLBOM, mlbom};

/// Why files do not become a pack. The author's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// No `pack.json` among the files.
    #[error("there is no pack.json among the files: write one, as docs/packs.md says")]
    NoManifest,
    /// The draft of the manifest is not legal.
    #[error("pack.json: {0}")]
    Manifest(DocumentError),
    /// A file in no place of a pack.
    #[error("{0}: no place of a pack: move it to a folder that docs/packs.md lists, or remove it")]
    NoPlace(PackPath),
    /// A bill of materials that says something else than the manifest.
    #[error(
        "{MLBOM} is not what pack.json says, and is made from it: remove the file; one of your own belongs into reports/"
    )]
    Mlbom,
    /// The files cannot be in one archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Makes a pack that nobody signed yet: the same files give the same bytes.
///
/// Among `files` is `pack.json`, in any form of JSON and without `schema` and `files`, which are
/// filled in here; the bill of materials is made of it. Signatures of before are left out. So the
/// files of a pack make that pack again.
///
/// # Errors
/// [`BuildError`], which names the file or the path in the manifest.
pub fn build(files: &Files<'_>, limits: &Limits) -> Result<Vec<u8>, BuildError> {
    let draft = file(files, MANIFEST).ok_or(BuildError::NoManifest)?;
    let mut manifest = fill_in(draft, limits).map_err(BuildError::Manifest)?;
    let own = |path: &PackPath| [MANIFEST, ENVELOPE, MLBOM].contains(&path.as_str());
    let others = files.iter().filter(|(path, _)| !own(path));
    let mut packed: Files<'_> = others
        .map(|(path, content)| (path.clone(), *content))
        .collect();
    manifest.files = listed(&packed)?;
    let bom = mlbom::of(&manifest).map_err(BuildError::Manifest)?;
    if file(files, MLBOM).is_some_and(|given| given != bom.as_bytes()) {
        return Err(BuildError::Mlbom);
    }
    if !manifest.models.is_empty() {
        insert(&mut packed, MLBOM, bom.as_bytes());
        manifest.files = listed(&packed)?;
    }
    let written = manifest.write(limits).map_err(BuildError::Manifest)?;
    insert(&mut packed, MANIFEST, written.as_bytes());
    Ok(archive::write(&packed, limits)?)
}

/// Adds a signature to a pack, and leaves those that are there.
///
/// # Errors
/// [`PackError`]: the pack is not whole, what was signed before is something else, or the key
/// signed it already.
pub fn sign(bytes: &[u8], key: &SigningKey, limits: &Limits) -> Result<Vec<u8>, PackError> {
    let pack = Unverified::read(bytes, limits)?;
    let statement = Statement::over(&pack.files, &pack.manifest);
    let payload = statement
        .write()
        .map_err(PackError::Statement)?
        .into_bytes();
    let mut envelope = pack.envelope.unwrap_or_else(|| Envelope {
        payload: payload.clone(),
        payload_type: IN_TOTO.to_owned(),
        signatures: Vec::new(),
    });
    if envelope.payload != payload || envelope.payload_type != IN_TOTO {
        return Err(PackError::OtherPack);
    }
    let id = key.public().id();
    let keyid = Some(id.to_string());
    let signatures = &mut envelope.signatures;
    if signatures.iter().any(|signature| signature.keyid == keyid) {
        return Err(PackError::DuplicateKey(id));
    }
    if signatures.len() >= limits.signatures_max {
        let (count, max) = (signatures.len().saturating_add(1), limits.signatures_max);
        let fault = Fault::TooMany { count, max };
        return Err(PackError::Envelope(DocumentError::new(
            "$.signatures",
            fault,
        )));
    }
    let sig = key.sign(&crate::dsse::pae(IN_TOTO, &payload));
    signatures.push(Signature { keyid, sig });
    signatures.sort_by(|a, b| a.keyid.cmp(&b.keyid));
    let written = envelope.write().map_err(PackError::Envelope)?;
    let mut files = pack.files;
    insert(&mut files, ENVELOPE, written.as_bytes());
    Ok(archive::write(&files, limits)?)
}

/// The manifest of a draft, without its files.
fn fill_in(draft: &[u8], limits: &Limits) -> Result<Manifest, DocumentError> {
    let mut fields: Map<String, Value> = json::read_any_form(draft, limits.manifest_bytes_max)?;
    fields
        .entry("schema")
        .or_insert_with(|| crate::manifest::SCHEMA.into());
    fields.insert("files".to_owned(), Value::Array(Vec::new()));
    let text = json::write(&fields)?;
    json::read_any_form(text.as_bytes(), text.len())
}

fn listed(files: &Files<'_>) -> Result<Vec<File>, BuildError> {
    let entries = files.iter().map(|(path, content)| {
        Ok(File {
            path: path.clone(),
            size: u64::try_from(content.len()).unwrap_or(u64::MAX),
            sha256: Digest::of(content),
            role: Role::of(path).ok_or_else(|| BuildError::NoPlace(path.clone()))?,
        })
    });
    entries.collect()
}

/// Puts a file under a name of ours.
fn insert<'a>(files: &mut Files<'a>, name: &str, content: &'a [u8]) {
    if let Ok(path) = name.parse() {
        files.insert(path, content);
    }
}
