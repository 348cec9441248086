//! The running hub: what its handlers share, and its routes.

use crate::authn::Caller;
use crate::body::Room;
use crate::collections::Collections;
use crate::config::Config;
use crate::console::Board;
use crate::counters::Counters;
use crate::push::{self, Signer, Streams};
use crate::quota::Quotas;
use crate::reply::Problem;
use crate::state::{self, States};
use crate::taxii2::{self, Pending, Spool, Statuses};
use crate::tls::authority::Authority;
use crate::{enrol, ingest, packs, search};
use axum::Router;
use axum::http::Method;
use axum::routing::{get, post};
use exchange::{EitherStore, Exchange};
use std::sync::Arc;
use taxii::cursor;

/// Everything a request can reach.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) config: Config,
    /// Name and port under which partners reach the hub.
    pub(crate) authority: String,
    pub(crate) ca: Authority,
    pub(crate) exchange: Exchange<EitherStore>,
    pub(crate) signer: Signer,
    pub(crate) cursor_key: cursor::Key,
    pub(crate) counters: Arc<Counters>,
    pub(crate) room: Room,
    pub(crate) quotas: Quotas,
    pub(crate) pending: Pending,
    /// Where additions wait until they are decided.
    pub(crate) spool: Spool,
    pub(crate) collections: Collections,
    pub(crate) states: States,
    pub(crate) statuses: Statuses,
    pub(crate) streams: Streams,
    /// The console's model; `None` when there is no console.
    pub(crate) board: Option<Arc<Board>>,
}

/// The routes that partners reach over TLS. All but enrolment ask who the caller is first.
pub(crate) fn routes(hub: Arc<Hub>) -> Router {
    let own = Router::new()
        .route(paths::PUSH, get(push::get).fallback(not_offered))
        .route(paths::OBJECTS, post(ingest::post).fallback(not_offered))
        .route(paths::ENROL, post(enrol::enrol).fallback(not_offered))
        .route(paths::ROTATE, post(enrol::rotate).fallback(not_offered))
        .route(paths::SEARCH, get(search::search).fallback(not_offered))
        .route(paths::RELATED, get(search::related).fallback(not_offered))
        .route(paths::RECEIPTS, get(packs::receipts).fallback(not_offered))
        .route(
            paths::STATE,
            get(state::get).post(state::post).fallback(not_offered),
        );
    Router::new()
        .merge(own)
        .merge(taxii2::routes())
        .merge(packs::routes())
        .fallback(nothing_here)
        .with_state(hub)
}

pub(crate) async fn not_offered(_: Caller, method: Method) -> Problem {
    Problem::method_not_allowed(&method)
}

async fn nothing_here(_: Caller) -> Problem {
    Problem::not_found()
}

/// Paths of the exchange's own routes; what stands under `/taxii2/` is TAXII's.
pub(crate) mod paths {
    pub(crate) const PUSH: &str = "/exchange/v1/push";
    pub(crate) const OBJECTS: &str = "/exchange/v1/objects";
    pub(crate) const ENROL: &str = "/exchange/v1/enrol";
    pub(crate) const ROTATE: &str = "/exchange/v1/rotate";
    pub(crate) const SEARCH: &str = "/exchange/v1/search";
    pub(crate) const RELATED: &str = "/exchange/v1/related";
    pub(crate) const RECEIPTS: &str = "/exchange/v1/receipts";
    pub(crate) const STATE: &str = "/exchange/v1/state";
}
