//! `pack verify`.

use std::collections::BTreeMap;

use pack::{Limits, Moment, PackError, Trust, Unverified, VerifiedPack};
use serde_json::{Value, json};

use super::{engine, folder, trust};
use crate::{
    cli::PackVerify,
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) fn run(args: &PackVerify, json: bool) -> Result<Outcome, Failure> {
    let trust = trust(&args.trust)?;
    let bytes = folder::bounded(&args.file, Limits::default().pack_bytes_max)?;
    let judged = judge(&bytes, &trust, args.seen)?;
    let file = args.file.display().to_string();
    match (&judged, json) {
        (_, true) => say(answer(&file, &judged)),
        (Ok(pack), false) => {
            let manifest = pack.manifest();
            let (name, version) = (&manifest.name, &manifest.version);
            say(format_args!(
                "{file}: verified: {name} {version} (sequence {}) of {}",
                manifest.sequence, manifest.publisher
            ));
            say(format_args!("{file}: signed by {}", signers(pack)));
            say(format_args!("{file}: in force until {}", manifest.expires));
        }
        (Err(error), false) => say(format_args!("{file}: refused: {}: {error}", error.name())),
    }
    Ok(match judged {
        Ok(_) => Outcome::Done,
        Err(_) => Outcome::No,
    })
}

/// Judges a pack now. `seen` is the highest sequence of it that was seen before.
pub(super) fn judge(
    bytes: &[u8],
    trust: &Trust,
    seen: Option<u64>,
) -> Result<Result<VerifiedPack, PackError>, Failure> {
    let engine = engine()?;
    let limits = Limits::default();
    // Whatever it calls itself, that is what was seen.
    let named = Unverified::read(bytes, &limits).map(|pack| pack.manifest.id());
    let seen: BTreeMap<_, _> = named.into_iter().zip(seen).collect();
    let at = Moment {
        now: crate::commands::now(),
        engine: &engine,
        seen: &seen,
    };
    Ok(VerifiedPack::verify(bytes, trust, &at, &limits))
}

pub(super) fn signers(pack: &VerifiedPack) -> String {
    let names: Vec<&str> = pack.signers().iter().map(AsRef::as_ref).collect();
    names.join(", ")
}

pub(super) fn answer(file: &str, judged: &Result<VerifiedPack, PackError>) -> Value {
    match judged {
        Ok(pack) => json!({
            "file": file,
            "verified": true,
            "name": pack.manifest().name,
            "version": pack.manifest().version,
            "sequence": pack.manifest().sequence,
            "publisher": pack.manifest().publisher,
            "digest": pack.digest(),
            "signers": pack.signers(),
            "expires": pack.manifest().expires,
        }),
        Err(error) => json!({
            "file": file,
            "verified": false,
            "refused": error.name(),
            "error": error.to_string(),
        }),
    }
}
