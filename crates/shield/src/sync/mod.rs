//! Being in step with the hub: following its stream, sending what we found, reporting how we are.
//!
//! ```text
//! hub ──SSE──> link ─> sse ─> follow ─> push::verify ─> view ─> guard (lease in the kernel)
//!                               └─ digest differs, gap: resync       └─> known.jsonl, index.bin
//! hub <─POST── link <─ post <─ spool <─ signals       hub <─POST── report, every second
//! ```
//!
//! All of it runs on one thread with a runtime of its own: a frame goes from the socket to the
//! kernel without a change of threads. A dead hub changes nothing but freshness.

mod backoff;
mod follow;
mod index;
pub mod known;
mod link;
mod post;
mod renew;
pub mod sse;
mod status;
mod take;
pub mod view;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use detect::Index;
use stix::Object;
use taxii::push::{Entry, Lane};
use taxii::state::StateReport;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use crate::guard::Guard;
use crate::identity::{Identity, IdentityError};
use crate::leases::Asker;
use crate::rules::Partners;
use crate::signals::Batch;
use crate::signals::spool::Spool;
use follow::Follower;
use index::Indexer;
use known::Keeper;
use link::{ANSWER_WAIT_MAX, Link};
use post::Poster;
use take::{CONFIDENCE_UNSTATED, detectable};
use view::{Detectable, View};

pub use status::{Counters, Status};

/// Pause between state reports when nothing changes.
pub const REPORT_PAUSE: Duration = Duration::from_secs(1);
/// Least pause between state reports when much changes.
pub const REPORT_PAUSE_MIN: Duration = Duration::from_millis(100);
/// Reports take at most one part in so many of the sync thread's time, while they take less than
/// [`REPORT_PAUSE`] over it each.
const REPORT_SHARE: u32 = 20;

/// What synchronisation needs.
pub(crate) struct Parts {
    pub(crate) identity: Identity,
    pub(crate) url: String,
    pub(crate) guard: Arc<Guard>,
    pub(crate) keeper: Keeper,
    pub(crate) status: Arc<Status>,
    pub(crate) view: View,
    pub(crate) index: Arc<ArcSwap<Index>>,
    /// Where rules of partners go; none: they are not looked for.
    pub(crate) partners: Option<Arc<Partners>>,
    /// The data directory.
    pub(crate) data: PathBuf,
    pub(crate) batches: Receiver<Batch>,
    pub(crate) spool: Spool,
    /// Whether `[share]` is there.
    pub(crate) shares: bool,
    /// Makes a state report.
    pub(crate) report: Box<dyn Fn() -> StateReport + Send>,
}

/// Starts the thread that follows, sends and reports until `stop`.
pub(crate) fn spawn(parts: Parts, stop: CancellationToken) -> Result<JoinHandle<()>, SyncError> {
    let link = Arc::new(Link::new(parts.identity, &parts.url)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (guard, status) = (Arc::clone(&parts.guard), parts.status);
    let poster = Poster {
        link: Arc::clone(&link),
        status: Arc::clone(&status),
        journal: guard.journal().clone(),
        spool: parts.spool,
        shares: parts.shares,
    };
    let follower = Follower::new(
        Arc::clone(&link),
        Arc::clone(&guard),
        parts.keeper,
        status,
        parts.view,
        Indexer::new(parts.index, &parts.data),
        parts.partners,
    );
    let (batches, report) = (parts.batches, parts.report);
    let thread = std::thread::Builder::new()
        .name("sync".to_owned())
        .spawn(move || {
            runtime.block_on(async move {
                tokio::join!(
                    follower.run(stop.clone()),
                    poster.run(batches, stop.clone()),
                    reports(&link, &guard, &*report, &stop),
                    renew::run(&link, guard.journal(), &stop),
                );
            });
        })?;
    Ok(thread)
}

/// Judges what an earlier run had been told, so that it is enforced before the hub is there.
pub(crate) fn restore(
    view: &mut View,
    objects: Vec<(Lane, Arc<Entry>, Object)>,
    guard: &Guard,
    partners: Option<&Partners>,
) {
    let now_ns = datapath::clock::mono_ns();
    for (lane, entry, object) in objects {
        let asker = Asker {
            source: entry.source.as_str().into(),
            object: object.head().id.clone(),
        };
        let what = detectable(&object, partners.is_some()).and_then(Result::ok);
        let pattern = what.as_ref().map(Detectable::pattern);
        if entry.stale || !view.holds(&asker) {
            continue;
        }
        let index = guard.object(&asker.source, &object, pattern.as_deref(), now_ns);
        if let Some(what) = what.filter(|_| index) {
            let confidence = object.head().confidence.unwrap_or(CONFIDENCE_UNSTATED);
            view.index(lane, &asker, what, confidence);
        }
    }
    let Some(partners) = partners else { return };
    for (_, asker, known) in view.known() {
        if let Some((text, confidence)) = known.rules()
            && let Err(why) = partners.set(asker, text, confidence)
        {
            guard.undetectable(asker, why);
        }
    }
}

/// Why synchronisation cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The identity cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No thread or no runtime is to be had: the system's.
    #[error("the sync thread cannot start: {0}")]
    Thread(#[from] io::Error),
}

/// Posts a report every [`REPORT_PAUSE`], and sooner when something changed.
async fn reports(
    link: &Link,
    guard: &Guard,
    report: &(dyn Fn() -> StateReport + Send),
    stop: &CancellationToken,
) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = guard.changed() => {}
            () = tokio::time::sleep(REPORT_PAUSE) => {}
        }
        let began = Instant::now();
        let request = link
            .client()
            .post(link.url("/exchange/v1/state"))
            .timeout(ANSWER_WAIT_MAX)
            .json(&report());
        let busy = began.elapsed();
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            sent = request.send() => if let Err(error) = sent {
                tracing::debug!(%error, "state report not delivered");
            },
        }
        let pause = busy
            .saturating_mul(REPORT_SHARE)
            .clamp(REPORT_PAUSE_MIN, REPORT_PAUSE);
        tokio::time::sleep(pause).await;
    }
}
