//! `pack publish` and `pack withdraw`: the contributor's role, signed here, and the pack with it.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use pack::key::SigningKey;
use pack::tuf::{self, Body as _, Custom, Hashes, Signed, Target, Targets};
use pack::{Digest, Limits, Name, Unverified};
use serde_json::json;
use serde_json::value::RawValue;
use taxii::packs::{Publication, Published};

use super::{built, folder, private};
use crate::{
    cli::{Publish, Publisher},
    client::HubClient,
    commands::now,
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) async fn run(args: &Publish, json: bool) -> Result<Outcome, Failure> {
    let key = private(&args.publisher.key)?;
    let bytes = signed(&args.pack, &key)?;
    let read = Unverified::read(&bytes, &Limits::default());
    let manifest = read
        .map_err(|error| Failure::input(args.pack.display(), error))?
        .manifest;
    let target = Target {
        custom: Custom {
            sequence: manifest.sequence,
            version: manifest.version.clone(),
        },
        hashes: Hashes {
            sha256: Digest::of(&bytes),
        },
        length: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
    };
    let hub = HubClient::new(&args.publisher.peer)?;
    let name = tuf::target_name(&hub.identity.partner, &manifest.name);
    let mut role = next(&hub, &args.publisher, &key).await?;
    let known = role.targets.insert(name.clone(), target.clone());
    // The same again makes the role good for longer.
    let new = known.as_ref() != Some(&target);
    let pack: &[u8] = if new { &bytes } else { &[] };
    let published = send(&hub, &args.publisher, &key, role, pack).await?;
    let what = format!("{} {} published", manifest.name, manifest.version);
    told(&what, &name, &published, json);
    Ok(Outcome::Done)
}

pub(super) async fn withdraw(
    name: &Name,
    publisher: &Publisher,
    json: bool,
) -> Result<Outcome, Failure> {
    let key = private(&publisher.key)?;
    let hub = HubClient::new(&publisher.peer)?;
    let target = tuf::target_name(&hub.identity.partner, name);
    let mut role = next(&hub, publisher, &key).await?;
    if role.targets.remove(&target).is_none() {
        let error = anyhow!(
            "{name}: you publish no such pack in {}",
            publisher.repository
        );
        return Err(Failure::bad(error));
    }
    let published = send(&hub, publisher, &key, role, &[]).await?;
    told(&format!("{name} withdrawn"), &target, &published, json);
    Ok(Outcome::Done)
}

/// A file as it is, or the pack of a folder under our signature.
fn signed(path: &Path, key: &SigningKey) -> Result<Vec<u8>, Failure> {
    let limits = Limits::default();
    match path.is_dir() {
        false => folder::bounded(path, limits.pack_bytes_max),
        true => pack::sign(&built(path)?, key, &limits)
            .map_err(|error| Failure::input(path.display(), error)),
    }
}

/// Our role in its next version. What stands in it counts if a key of ours signed it.
async fn next(hub: &HubClient, args: &Publisher, key: &SigningKey) -> Result<Targets, Failure> {
    let days = Duration::from_secs(u64::from(args.days).saturating_mul(24 * 3600));
    // A minute less than the most that a hub grants, for its clock.
    let ends = now().plus(days);
    let Some(raw) = hub.pack_role(&args.repository).await? else {
        return Ok(Targets::new(1, ends));
    };
    let read = Signed::<Targets>::read(&raw);
    let role = read.map_err(|error| Failure::system("read our role at the hub", error))?;
    let version = role.signed.version().saturating_add(1);
    if role.is_signed_by(&[key.public()], 1) {
        return Ok(role.signed.anew(version, ends));
    }
    // Another key's word is not carried on: each pack is published anew under this one.
    Ok(Targets::new(version, ends))
}

async fn send(
    hub: &HubClient,
    args: &Publisher,
    key: &SigningKey,
    role: Targets,
    pack: &[u8],
) -> Result<Published, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::System(anyhow!("write the role: {error}"));
    let old = args.old_key.as_deref().map(private).transpose()?;
    let keys: Vec<&SigningKey> = std::iter::once(key).chain(&old).collect();
    let role = tuf::sign(role, &keys).map_err(|error| failed(&error))?;
    let role = String::from_utf8(role).map_err(|error| failed(&error))?;
    let publication = Publication {
        key: key.public().to_text(),
        role: RawValue::from_string(role).map_err(|error| failed(&error))?,
    };
    let mut body = serde_json::to_vec(&publication).map_err(|error| failed(&error))?;
    body.push(b'\n');
    body.extend_from_slice(pack);
    hub.publish(&args.repository, body).await
}

fn told(what: &str, target: &str, published: &Published, json: bool) {
    match json {
        true => say(json!({"target": target, "published": published})),
        false => say(format_args!(
            "{what} as {target}; listed until {}: publish again before",
            published.expires
        )),
    }
}
