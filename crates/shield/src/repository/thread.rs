//! The thread that looks for new packs, so that neither packets nor frames wait for a disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{Client, INCOMING, Refusal, RepositoryError, Subscription, Update, update};
use crate::clock::Now;
use crate::identity::Identity;
use crate::journal::{Event, Journal};

/// Longest time that one update may take.
const UPDATE_WAIT_MAX: Duration = Duration::from_secs(600);

/// What the thread needs.
#[derive(Debug)]
pub struct Parts {
    /// Who we are to the hub.
    pub identity: Identity,
    /// The hub.
    pub url: String,
    /// What is asked for.
    pub subscriptions: Vec<Subscription>,
    /// The data folder.
    pub data: PathBuf,
    /// Where deliveries and refusals are written down.
    pub journal: Journal,
}

/// Starts the thread; it ends with `stop`.
pub(crate) fn spawn(parts: Parts, stop: CancellationToken) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("repository".to_owned())
        .spawn(move || runtime.block_on(run(parts, stop)))
}

async fn run(parts: Parts, stop: CancellationToken) {
    let mut due: Vec<Instant> = vec![Instant::now(); parts.subscriptions.len()];
    let mut told = BTreeMap::new();
    while let Some((at, next)) = soonest(&due) {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = sleep_until(next) => {}
        }
        let Some(subscription) = parts.subscriptions.get(at) else {
            return;
        };
        let looked = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            looked = timeout(UPDATE_WAIT_MAX, look(&parts, subscription)) => looked,
        };
        let looked = looked.unwrap_or_else(|_| {
            let why = format!("more than {} s", UPDATE_WAIT_MAX.as_secs());
            Err(RepositoryError::refused(Refusal::SlowRetrieval, why))
        });
        tell(&parts.journal, &subscription.name, looked, &mut told);
        if let Some(due) = due.get_mut(at) {
            let now = Instant::now();
            *due = now.checked_add(subscription.every).unwrap_or(now);
        }
    }
}

fn soonest(due: &[Instant]) -> Option<(usize, Instant)> {
    let due = due.iter().copied().enumerate();
    due.min_by_key(|(_, at)| *at)
}

async fn look(parts: &Parts, subscription: &Subscription) -> Result<Update, RepositoryError> {
    let folder = folder(&parts.data, &subscription.name);
    let client = Client::new(
        parts.identity.clone(),
        &parts.url,
        &subscription.name,
        &folder,
        subscription.root.as_deref(),
    )?;
    let incoming = parts.data.join(INCOMING);
    update(&client, &subscription.packs, &folder, &incoming).await
}

/// Where a repository is remembered.
fn folder(data: &Path, repository: &str) -> PathBuf {
    data.join("packs/repository").join(repository)
}

/// Writes down what was delivered, and what is refused when that is another than the last time.
fn tell(
    journal: &Journal,
    repository: &str,
    looked: Result<Update, RepositoryError>,
    told: &mut BTreeMap<String, String>,
) {
    let mut refused = |what: &str, error: Option<&RepositoryError>| {
        let key = format!("{repository} {what}");
        let Some(error) = error else {
            told.remove(&key);
            return;
        };
        let why = error.to_string();
        if told.insert(key, why.clone()).as_ref() == Some(&why) {
            return;
        }
        tracing::warn!(repository, what, why, "packs not fetched");
        let event = Event::PackRefused {
            repository: repository.to_owned(),
            pack: what.to_owned(),
            refusal: error.refusal().map(Refusal::name),
            why,
        };
        journal.write(Now::read(), event);
    };
    match looked {
        Err(error) => refused("", Some(&error)),
        Ok(update) => {
            refused("", None);
            for (name, error) in &update.refused {
                refused(name, Some(error));
            }
            for one in update.delivered {
                refused(
                    &super::delivered_name(&one.offered.partner, &one.offered.pack),
                    None,
                );
                let event = Event::PackFetched {
                    repository: repository.to_owned(),
                    file: one.path.display().to_string(),
                    version: one.offered.version.to_string(),
                    sequence: one.offered.sequence,
                    sha256: one.offered.sha256.to_string(),
                };
                journal.write(Now::read(), event);
            }
        }
    }
}
