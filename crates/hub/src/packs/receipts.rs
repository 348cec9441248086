//! What became of a contributor's packs, for the contributor alone.

use crate::app::Hub;
use crate::authn::Caller;
use crate::reply;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;
use taxii::packs;

/// `GET /exchange/v1/receipts`: sums over the newest report of each shield that tells. No shield and
/// no partner is named.
pub(crate) async fn get(State(hub): State<Arc<Hub>>, caller: Caller) -> Response {
    let reports = hub.states.all();
    let told = reports.iter().flat_map(|(partner, reports)| {
        let packs = reports.iter().map(|report| report.packs.as_slice());
        packs.map(|packs| (&**partner, packs))
    });
    reply::json(StatusCode::OK, &packs::receipts(&caller.partner, told))
}
