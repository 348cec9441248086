//! Keeping repositories current.

use super::disk::Folder;
use super::repository::Repository;
use crate::app::Hub;
use crate::clock;
use crate::config::Config;
use pack::tuf::Body as _;
use std::sync::Arc;
use std::time::Duration;
use stix::Timestamp;
use tokio_util::sync::CancellationToken;

/// Pause between looks.
const PAUSE: Duration = Duration::from_secs(60);
/// The operator is told that the root is about to end when less than this is left.
const ROOT_LEFT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Looks every [`PAUSE`] until the hub stops.
pub(crate) async fn run(hub: Arc<Hub>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        let config = hub.config.clone();
        let looked = tokio::task::spawn_blocking(move || renew_all(&config, clock::now())).await;
        if let Err(error) = looked {
            tracing::error!(%error, "packs are not renewed");
        }
    }
}

/// Renews what is about to end in every repository. One that fails keeps the others from nothing: it
/// is told, and tried again at the next look; clients refuse it as a freeze when it is over.
pub(crate) fn renew_all(config: &Config, now: Timestamp) {
    for repository in &config.packs {
        let folder = Folder::new(&config.data, &repository.name);
        if !folder.exists() {
            continue;
        }
        let renewed = folder.lock().and_then(|_lock| {
            let mut opened = Repository::open(folder.clone())?;
            opened.renew(now)?;
            opened.sweep()?;
            Ok(opened.root.signed.expires())
        });
        match renewed {
            Err(error) => tracing::error!(repository = repository.name, %error, "not renewed"),
            Ok(ends) if ends < now.plus(ROOT_LEFT) => {
                let repository = &repository.name;
                tracing::warn!(repository, %ends, "the root ends soon: `hub packs rotate`");
            }
            Ok(_) => {}
        }
    }
}
