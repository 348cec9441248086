//! The indicators that are looked for.

use std::sync::Arc;

use detect::{Index, IndexBuilder, SourceKey};
use stix::{Limits, bundle, pattern::Term};

use crate::{cli::Scan, outcome::Failure, text::complain};

/// The index of all bundles. What cannot be looked for is named, never skipped in silence.
pub(super) fn index(args: &Scan) -> Result<Index, Failure> {
    let mut builder = IndexBuilder::new();
    for path in &args.indicators {
        let bytes = std::fs::read(path).map_err(|e| Failure::input(path.display(), e))?;
        let objects =
            bundle::parse(&bytes, &limits()).map_err(|e| Failure::input(path.display(), e))?;
        let source: Arc<str> = path.display().to_string().into();
        for object in objects {
            match object {
                Ok(object) => add(&mut builder, &source, &object),
                Err(error) => complain(format_args!("{source}: refused: {error}")),
            }
        }
    }
    Ok(builder.build())
}

/// A file that the operator names may be large.
fn limits() -> Limits {
    Limits {
        bytes_max: 1 << 30,
        objects_max: 10_000_000,
        ..Limits::default()
    }
}

fn add(builder: &mut IndexBuilder, source: &Arc<str>, object: &stix::Object) {
    let head = object.head();
    let Some(raw) = head.pattern.as_ref().filter(|_| !head.revoked) else {
        return;
    };
    if &*raw.pattern_type != "stix" {
        complain(format_args!(
            "{source}: {}: refused: patterns of type {} are not looked for; {}",
            head.id,
            raw.pattern_type,
            match &*raw.pattern_type {
                "suricata" => "name a file of its rules with --rules",
                _ => "write it as a stix pattern",
            }
        ));
        return;
    }
    match stix::pattern::parse(&raw.pattern) {
        Ok(pattern) => {
            if pattern
                .terms
                .iter()
                .any(|term| matches!(term, Term::FileHash { .. }))
            {
                complain(format_args!(
                    "{source}: {}: not looked for: files are not taken out of captures, so a file's \
                     hash is never found; name its URL or address too",
                    head.id
                ));
            }
            let key = SourceKey {
                source: Arc::clone(source),
                id: head.id.clone(),
            };
            for refusal in builder.add(
                key,
                head.confidence.unwrap_or(CONFIDENCE_UNSTATED),
                &pattern,
            ) {
                complain(format_args!("{source}: {}: refused: {refusal}", head.id));
            }
        }
        Err(error) => complain(format_args!("{source}: {}: refused: {error}", head.id)),
    }
}

/// STIX 2.1 section 3.2: no confidence means that it is unspecified; taken as even.
const CONFIDENCE_UNSTATED: u8 = 50;
