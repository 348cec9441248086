//! `hub`: the server of an exchange, and its backups.

mod packs;

use std::path::Path;

use hub::backup::{self, digest_text};
use hub::{Config, HubError};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{Backup, Hub, Restore, Verify},
    commands::stop,
    outcome::{Failure, Outcome},
    text::{complain, say},
};

pub(super) async fn run(args: Hub, json: bool) -> Result<Outcome, Failure> {
    match args {
        Hub::Run { config } => serve(&config, json).await,
        Hub::Backup(args) => back_up(&args, json).await,
        Hub::Restore(args) => restore(args, json).await,
        Hub::Verify(args) => verify(&args, json).await,
        Hub::Packs(args) => packs::run(&args, json).await,
    }
}

async fn serve(file: &Path, json: bool) -> Result<Outcome, Failure> {
    let config = config(file).await?;
    let ended = CancellationToken::new();
    let handle = hub::run(config, ended.clone())
        .await
        .map_err(|e| Failure::system("start the hub", e))?;
    if json {
        say(json!({"listening": handle.tls_addr(), "console": handle.console_link()}));
    } else {
        say(format_args!("hub listens on https://{}", handle.tls_addr()));
        if let Some(link) = handle.console_link() {
            say(format_args!("console, one-time link: {link}"));
        }
    }
    stop::requested().await?;
    ended.cancel();
    handle.stopped().await;
    Ok(Outcome::Done)
}

async fn config(file: &Path) -> Result<Config, Failure> {
    let text = tokio::fs::read_to_string(file)
        .await
        .map_err(|e| Failure::input(file.display(), e))?;
    Config::from_toml(&text).map_err(|e| Failure::input(file.display(), e))
}

async fn back_up(args: &Backup, json: bool) -> Result<Outcome, Failure> {
    let config = config(&args.config).await?;
    let made = backup::backup(&config, &args.out).await;
    let made = made.map_err(|error| failed("back the hub up", error))?;
    if json {
        say(json!({"backup": args.out, "manifest": made}));
    } else {
        say(format_args!(
            "backup of {} events, {} objects and {} partners in {}; state {}",
            made.events,
            made.objects,
            made.partners,
            args.out.display(),
            made.state_sha256
        ));
    }
    Ok(Outcome::Done)
}

async fn restore(args: Restore, json: bool) -> Result<Outcome, Failure> {
    let config = config(&args.config).await?;
    let lists = [config.data.join("erasures.jsonl")];
    let informed = args.erasures.is_some() || lists.iter().any(|list| list.exists());
    let how = backup::Restore {
        replace: args.force,
        erasures: args.erasures,
        revocations: args.revocations,
    };
    let done = backup::restore(&config, &args.from, &how).await;
    let (manifest, restored) = done.map_err(|error| failed("restore the hub", error))?;
    let state = digest_text(&restored.summary.digest);
    if json {
        say(json!({
            "taken": manifest.taken, "epoch": restored.epoch, "withheld": restored.withheld,
            "revoked": restored.revoked,
            "events": restored.summary.events, "objects": restored.summary.objects,
            "partners": restored.summary.partners, "state_sha256": state,
            "backup_state_sha256": manifest.state_sha256,
        }));
    } else {
        say(format_args!(
            "restored {} events, {} objects and {} partners as of {}; state {state}",
            restored.summary.events,
            restored.summary.objects,
            restored.summary.partners,
            manifest.taken
        ));
        say(format_args!(
            "{} versions were erased since and are not restored; {} partners were revoked since and are revoked",
            restored.withheld, restored.revoked
        ));
    }
    if !informed {
        complain(format_args!(
            "warning: no list of what was erased after {} is here; if there is one in a later backup \
             or in the old data folder, restore again with --force --erasures FILE before you serve, \
             and with --revocations FILE",
            manifest.taken
        ));
    }
    Ok(Outcome::Done)
}

async fn verify(args: &Verify, json: bool) -> Result<Outcome, Failure> {
    let made = match &args.backup {
        None => None,
        Some(folder) => {
            let made = backup::verify_backup(folder);
            Some(made.map_err(|error| failed("verify the backup", error))?)
        }
    };
    let store = match &args.config {
        None => None,
        Some(file) => {
            let config = config(file).await?;
            let store = backup::verify_store(&config).await;
            Some(store.map_err(|error| failed("verify the store", error))?)
        }
    };
    let of_backup = made.as_ref().map(|made| made.state_sha256.clone());
    let of_store = store.as_ref().map(|store| digest_text(&store.digest));
    let same = match (&of_backup, &of_store) {
        (Some(one), Some(other)) => one == other,
        (Some(_) | None, None) | (None, Some(_)) => true,
    };
    if json {
        say(json!({
            "same": same, "store_state_sha256": of_store, "backup_state_sha256": of_backup,
            "events": store.map(|store| store.events),
        }));
    } else {
        if let (Some(store), Some(state)) = (&store, &of_store) {
            say(format_args!(
                "the store is whole: {} events, {} objects, {} erased, {} partners; state {state}",
                store.events, store.objects, store.erased, store.partners
            ));
        }
        if let (Some(made), Some(state)) = (&made, &of_backup) {
            say(format_args!(
                "the backup of {} is whole; state {state}",
                made.taken
            ));
        }
        if !same {
            say("they differ");
        }
    }
    Ok(if same { Outcome::Done } else { Outcome::No })
}

/// Whose fault it is.
fn failed(what: &str, error: HubError) -> Failure {
    match error {
        HubError::Config { .. } | HubError::ConsoleNotLoopback(_) | HubError::Refused(_) => {
            Failure::input(what, error)
        }
        HubError::File { .. }
        | HubError::Listen { .. }
        | HubError::Authority(_)
        | HubError::Store(_) => Failure::system(what, error),
    }
}
