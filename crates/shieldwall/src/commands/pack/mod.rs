//! `pack`: files in, files out; what a pack is stands in the crate `pack`.

mod fetch;
mod folder;
mod inspect;
mod keygen;
mod life;
mod publish;
mod receipts;
mod verify;

pub(super) use keygen::make;

use std::path::Path;

pub(super) use folder::bounded;
use pack::key::{PublicKey, SigningKey};
use pack::{Digest, Limits, Trust, Unverified};
use serde_json::json;

use crate::{
    cli::Pack,
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) async fn run(args: &Pack, json: bool) -> Result<Outcome, Failure> {
    match args {
        Pack::Keygen { out } => keygen::run(out, json),
        Pack::Build { dir, out } => build(dir, out, json),
        Pack::Sign { file, key, out } => sign(file, key, out.as_deref().unwrap_or(file), json),
        Pack::Verify(args) => verify::run(args, json),
        Pack::Admit { file, step } => life::admit(file, step, json),
        Pack::Promote {
            pack,
            percent,
            step,
        } => life::promote(pack, *percent, step, json),
        Pack::Rollback { pack, step } => life::roll_back(pack, step, json),
        Pack::Status { config } => life::status(config, json),
        Pack::Inspect { file, trust } => inspect::run(file, trust.as_deref(), json),
        Pack::Publish(args) => publish::run(args, json).await,
        Pack::Withdraw { name, publisher } => publish::withdraw(name, publisher, json).await,
        Pack::List { source } => fetch::list(source, json).await,
        Pack::Fetch { pack, source, out } => fetch::run(pack, source, out.as_deref(), json).await,
        Pack::Receipts { peer } => receipts::run(peer, json).await,
    }
}

fn build(dir: &Path, out: &Path, json: bool) -> Result<Outcome, Failure> {
    let bytes = built(dir)?;
    write(out, &bytes)?;
    told(
        out,
        &bytes,
        "built; sign it with `shieldwall pack sign`",
        json,
    )
}

fn sign(file: &Path, key: &Path, out: &Path, json: bool) -> Result<Outcome, Failure> {
    let limits = Limits::default();
    let key = private(key)?;
    let bytes = bounded(file, limits.pack_bytes_max)?;
    let signed =
        pack::sign(&bytes, &key, &limits).map_err(|error| Failure::input(file.display(), error))?;
    write(out, &signed)?;
    let said = format!("signed with the key {}", key.public().id());
    told(out, &signed, &said, json)
}

/// The pack of a folder.
fn built(dir: &Path) -> Result<Vec<u8>, Failure> {
    let limits = Limits::default();
    let folder = folder::read(dir, &limits)?;
    let files = folder.iter();
    let files = files.map(|(path, content)| (path.clone(), content.as_slice()));
    pack::build(&files.collect(), &limits).map_err(|error| Failure::input(dir.display(), error))
}

/// A private key in a file.
pub(super) fn private(path: &Path) -> Result<SigningKey, Failure> {
    let text = text_of(path, pack::key::KEY_BYTES_MAX)?;
    SigningKey::read(&text).map_err(|error| Failure::input(path.display(), error))
}

/// A public key in a file.
pub(super) fn public(path: &Path) -> Result<PublicKey, Failure> {
    let text = text_of(path, pack::key::KEY_BYTES_MAX)?;
    PublicKey::read(&text).map_err(|error| Failure::input(path.display(), error))
}

/// Says what was written.
fn told(out: &Path, bytes: &[u8], said: &str, json: bool) -> Result<Outcome, Failure> {
    let pack = Unverified::read(bytes, &Limits::default())
        .map_err(|error| Failure::system(out.display(), error))?;
    let manifest = &pack.manifest;
    match json {
        true => say(json!({
            "file": out.display().to_string(),
            "bytes": bytes.len(),
            "digest": pack.digest,
            "name": manifest.name,
            "version": manifest.version,
            "sequence": manifest.sequence,
            "signatures": keys(&pack),
        })),
        false => {
            let (name, version) = (&manifest.name, &manifest.version);
            let out = out.display();
            say(format_args!(
                "{out}: {name} {version} (sequence {}): {said}",
                manifest.sequence
            ));
            say(format_args!("{out}: digest {}", pack.digest));
        }
    }
    Ok(Outcome::Done)
}

/// The keys that a pack names as those of its signers; what is no digest names none.
fn keys(pack: &Unverified<'_>) -> Vec<Digest> {
    let envelope = pack.envelope.iter();
    let signatures = envelope.flat_map(|envelope| &envelope.signatures);
    let named = signatures.filter_map(|signature| signature.keyid.as_deref());
    named.filter_map(|id| id.parse().ok()).collect()
}

fn trust(path: &Path) -> Result<Trust, Failure> {
    let text = text_of(path, pack::TRUST_BYTES_MAX)?;
    Trust::read(&text).map_err(|error| Failure::input(path.display(), error))
}

fn text_of(path: &Path, bytes_max: usize) -> Result<String, Failure> {
    let bytes = bounded(path, bytes_max)?;
    String::from_utf8(bytes).map_err(|_| {
        let error = anyhow::anyhow!("is not text in UTF-8: give the right file");
        Failure::input(path.display(), error)
    })
}

/// Whoever reads the file sees it whole, of before or of now.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    super::state::replace(path, &mut |out| out.write_all(bytes))
        .map_err(|error| Failure::input(path.display(), error))
}

/// The version that packs ask for.
fn engine() -> Result<semver::Version, Failure> {
    let version = env!("CARGO_PKG_VERSION").parse();
    version.map_err(|error: semver::Error| Failure::system("read our own version", error))
}
