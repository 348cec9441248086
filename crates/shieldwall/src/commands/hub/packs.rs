//! `hub packs`: the operator's part in the distribution of packs.

use std::path::PathBuf;

use hub::packs::{self, Made, NewKeys};
use pack::key::{PublicKey, SigningKey};
use serde_json::json;

use super::{config, failed};
use crate::{
    cli::HubPacks,
    commands::pack::{make, private, public},
    outcome::{Failure, Outcome},
    text::{complain, say},
};

pub(super) async fn run(args: &HubPacks, json: bool) -> Result<Outcome, Failure> {
    match args {
        HubPacks::Create { of, threshold } => {
            let config = config(&of.config).await?;
            let keys = made_or_read(&of.key)?;
            let threshold = threshold.unwrap_or_else(|| majority(keys.len()));
            let made = packs::create(&config, &of.repository, &keys, threshold);
            let made = made.map_err(|error| failed("make the repository", error))?;
            told(&of.repository, &made, json);
        }
        HubPacks::Rotate {
            of,
            new_key,
            threshold,
        } => {
            let config = config(&of.config).await?;
            let present = of.key.iter().map(|path| private(path));
            let mut keys: Vec<SigningKey> = present.collect::<Result<_, _>>()?;
            let new = made_or_read(new_key)?;
            let public: Vec<PublicKey> = new.iter().map(SigningKey::public).collect();
            keys.extend(new);
            let new = (!public.is_empty()).then(|| NewKeys {
                keys: &public,
                threshold: threshold.unwrap_or_else(|| majority(public.len())),
            });
            let made = packs::rotate(&config, &of.repository, &keys, new.as_ref());
            let made = made.map_err(|error| failed("make the next root", error))?;
            told(&of.repository, &made, json);
        }
        HubPacks::Rekey {
            partner,
            public: file,
            config: toml,
            repository,
        } => {
            let config = config(toml).await?;
            let key = public(file)?;
            packs::rekey(&config, repository, partner, &key)
                .map_err(|error| failed("give the contributor another key", error))?;
            match json {
                true => say(json!({"partner": partner, "key": key.to_text()})),
                false => say(format_args!(
                    "{partner} publishes under {} from now on; its packs are listed again when it \
                     has published them anew",
                    key.to_text()
                )),
            }
        }
    }
    Ok(Outcome::Done)
}

fn majority(keys: usize) -> usize {
    keys.div_euclid(2).saturating_add(1)
}

/// The keys in these files; one is made where there is none.
fn made_or_read(paths: &[PathBuf]) -> Result<Vec<SigningKey>, Failure> {
    let keys = paths.iter().map(|path| {
        if path.exists() {
            return private(path);
        }
        let (key, _) = make(path)?;
        complain(format_args!(
            "made {}: keep it away from this machine; who has enough of these keys replaces every \
             other key",
            path.display()
        ));
        Ok(key)
    });
    keys.collect()
}

fn told(repository: &str, made: &Made, json: bool) {
    match json {
        true => say(json!({
            "repository": repository, "root": made.version, "expires": made.expires,
            "sha256": made.digest,
        })),
        false => say(format_args!(
            "{repository}: root {} until {}; SHA-256 {}",
            made.version, made.expires, made.digest
        )),
    }
}
