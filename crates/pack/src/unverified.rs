//! A pack that is whole, and of which nobody knows who made it.

use crate::archive::{self, Files};
use crate::limits::Limits;
use crate::manifest::{File, Manifest};
use crate::value::Digest;
use crate::verify::PackError;
use crate::{ENVELOPE, MANIFEST, dsse::Envelope};

/// What is in a pack, for people to look at and for signers to sign: the manifest is legal and lists
/// exactly the files that are there. Who made it was not asked: nothing here may be acted upon.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    /// The manifest.
    pub manifest: Manifest,
    /// The digest of the pack: that of its manifest, whoever signed it.
    pub digest: Digest,
    /// All files, the manifest and the signatures among them.
    pub files: Files<'a>,
    /// The signatures, unverified; `None` on a pack that nobody signed.
    pub envelope: Option<Envelope>,
}

impl<'a> Unverified<'a> {
    /// Reads a pack.
    ///
    /// # Errors
    /// [`PackError`], named.
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, PackError> {
        let files = archive::read(bytes, limits)?;
        let envelope = envelope(&files, limits)?;
        let (manifest, digest) = manifest(&files, limits)?;
        Ok(Self {
            manifest,
            digest,
            files,
            envelope,
        })
    }
}

/// The envelope of a pack, if there is one, in its one form.
pub(crate) fn envelope(files: &Files<'_>, limits: &Limits) -> Result<Option<Envelope>, PackError> {
    let Some(raw) = file(files, ENVELOPE) else {
        return Ok(None);
    };
    let (bytes_max, signatures_max) = (limits.envelope_bytes_max, limits.signatures_max);
    let envelope = Envelope::read(raw, bytes_max, signatures_max).map_err(PackError::Envelope)?;
    match envelope.write().map_err(PackError::Envelope)?.as_bytes() == raw {
        true => Ok(Some(envelope)),
        false => Err(PackError::EnvelopeForm),
    }
}

/// The manifest, when it lists exactly what is there; and its digest.
pub(crate) fn manifest(
    files: &Files<'_>,
    limits: &Limits,
) -> Result<(Manifest, Digest), PackError> {
    let raw = file(files, MANIFEST).ok_or(PackError::NoManifest)?;
    let manifest = Manifest::read(raw, limits).map_err(PackError::Manifest)?;
    for listed in &manifest.files {
        match files.get(&listed.path) {
            Some(content) => same(listed, content)?,
            None => return Err(PackError::Missing(listed.path.clone())),
        }
    }
    let own = |path: &str| path == MANIFEST || path == ENVELOPE;
    let mut others = files.keys().filter(|path| !own(path.as_str()));
    if let Some(path) = others.find(|path| manifest.file(path).is_none()) {
        return Err(PackError::Unlisted(path.clone()));
    }
    Ok((manifest, Digest::of(raw)))
}

fn same(listed: &File, content: &[u8]) -> Result<(), PackError> {
    let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
    match listed.size == size && listed.sha256 == Digest::of(content) {
        true => Ok(()),
        false => Err(PackError::Changed(listed.path.clone())),
    }
}

/// A file by a name of ours.
pub(crate) fn file<'a>(files: &Files<'a>, name: &str) -> Option<&'a [u8]> {
    let path = name.parse().ok()?;
    files.get(&path).copied()
}
