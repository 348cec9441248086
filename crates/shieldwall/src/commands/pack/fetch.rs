//! `pack list` and `pack fetch`: as a shield does it.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use pack::Name;
use serde_json::json;
use shield::repository::{Client, Loaded, Offered, RepositoryError, Wanted, delivered_name};
use taxii::packs::Repositories;

use super::write;
use crate::{
    cli::Source,
    client::HubClient,
    outcome::{Failure, Outcome},
    text::say,
};

pub(super) async fn list(source: &Source, json: bool) -> Result<Outcome, Failure> {
    let loaded = load(source).await?;
    for offered in loaded.packs() {
        let Offered {
            partner,
            pack,
            version,
            sequence,
            sha256,
            length,
            ..
        } = offered;
        match json {
            true => say(json!({
                "partner": partner, "pack": pack, "version": version, "sequence": sequence,
                "sha256": sha256, "bytes": length,
            })),
            false => say(format_args!(
                "{partner}/{pack} {version} (sequence {sequence}), {length} bytes"
            )),
        }
    }
    Ok(Outcome::Done)
}

pub(super) async fn run(
    name: &str,
    source: &Source,
    out: Option<&Path>,
    json: bool,
) -> Result<Outcome, Failure> {
    let wanted = Wanted::parse(name);
    let Some((partner, pack)) = wanted.and_then(|one| Some((one.partner, one.pack?))) else {
        let error = anyhow!("{name}: name a pack as PARTNER/NAME");
        return Err(Failure::bad(error));
    };
    let loaded = load(source).await?;
    let offered = loaded.packs().into_iter();
    let mut offered = offered.filter(|one| one.partner == partner && one.pack == pack);
    let offered = offered.next().ok_or_else(|| {
        let error = anyhow!(
            "{name}: not in {}; `pack list` shows what is",
            source.repository
        );
        Failure::bad(error)
    })?;
    let bytes = loaded.fetch(&offered).await.map_err(failed)?;
    let out = out.map_or_else(|| beside(&partner, &pack), Path::to_owned);
    write(&out, &bytes)?;
    match json {
        true => say(json!({
            "file": out.display().to_string(), "version": offered.version,
            "sequence": offered.sequence, "sha256": offered.sha256,
        })),
        false => say(format_args!(
            "{}: {name} {} (sequence {}); judge it with `pack verify` and `pack inspect`",
            out.display(),
            offered.version,
            offered.sequence
        )),
    }
    Ok(Outcome::Done)
}

fn beside(partner: &str, pack: &Name) -> PathBuf {
    PathBuf::from(delivered_name(partner, pack))
}

/// The repository, with what an earlier command remembered of it beside the identity.
async fn load(source: &Source) -> Result<Loaded, Failure> {
    let hub = HubClient::new(&source.peer)?;
    let folder = hub.identity.folder.join("packs").join(&source.repository);
    let client = Client::new(
        hub.identity.clone(),
        hub.url(),
        &source.repository,
        &folder,
        source.root.as_deref(),
    );
    let loaded = match client {
        Ok(client) => client.load().await,
        Err(error) => Err(error),
    };
    match loaded {
        Err(RepositoryError::NoSuch) => {
            let there: Repositories = hub.ask("packs", &[]).await?;
            let there = match there.repositories.join(", ") {
                none if none.is_empty() => "none".to_owned(),
                names => names,
            };
            let name = &source.repository;
            let error = anyhow!("{name}: no such repository for us; there is: {there}");
            Err(Failure::bad(error))
        }
        loaded => loaded.map_err(failed),
    }
}

fn failed(error: RepositoryError) -> Failure {
    match error {
        RepositoryError::Refused { .. }
        | RepositoryError::NoSuch
        | RepositoryError::Identity(_) => Failure::bad(error),
        RepositoryError::Unreachable(_) | RepositoryError::File { .. } => {
            Failure::System(error.into())
        }
    }
}
