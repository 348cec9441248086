//! How a partner gets its certificate: an invitation once, then the certificate before it.

use crate::app::Hub;
use crate::authn::{Caller, Credential};
use crate::body::SmallBody;
use crate::clock;
use crate::reply::{self, Problem};
use crate::tls::authority::{CsrError, Issued};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use exchange::{Certificate, Registry as _, StoreError};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::SystemTime;
use taxii::enrol::{EnrolRequest, EnrolResponse, RotateRequest, token_bytes};

/// `POST /exchange/v1/enrol`: the one route that needs no credentials but the invitation.
pub(crate) async fn enrol(
    State(hub): State<Arc<Hub>>,
    body: SmallBody,
) -> Result<Response, Problem> {
    let request: EnrolRequest = read(&body)?;
    let secret = token_bytes(&request.token).ok_or_else(invalid_invitation)?;
    let (store, now) = (hub.exchange.store(), clock::now());
    let invited = store
        .invitation(&secret, now)
        .await
        .map_err(|error| store_problem(&error))?;
    let partner = invited.ok_or_else(invalid_invitation)?.name;
    let issued = hub.issue(&request.csr_pem, &partner)?;
    let certificate = certificate(&partner, &issued);
    store
        .enrol(&secret, &certificate, now)
        .await
        .map_err(|error| store_problem(&error))?;
    tracing::info!(%partner, "enrolled");
    Ok(hub.enrolled(&partner, issued))
}

/// `POST /exchange/v1/rotate`: the next certificate, for whoever shows the present one.
pub(crate) async fn rotate(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    body: SmallBody,
) -> Result<Response, Problem> {
    if !matches!(caller.credential, Credential::Certificate(_)) {
        let mend = "show the present certificate; a token does not get one";
        return Err(Problem::client(
            StatusCode::FORBIDDEN,
            "certificate needed",
            mend,
        ));
    }
    let request: RotateRequest = read(&body)?;
    let issued = hub.issue(&request.csr_pem, &caller.partner)?;
    let certificate = certificate(&caller.partner, &issued);
    let added = hub
        .exchange
        .store()
        .add_certificate(&certificate, clock::now())
        .await;
    added.map_err(|error| store_problem(&error))?;
    tracing::info!(partner = %caller.partner, "certificate rotated");
    Ok(hub.enrolled(&caller.partner, issued))
}

impl Hub {
    fn issue(&self, csr_pem: &str, partner: &str) -> Result<Issued, Problem> {
        self.ca
            .issue(csr_pem, partner, SystemTime::now())
            .map_err(|error| match error {
                CsrError::Ours(_) => Problem::ours(&error),
                CsrError::Long | CsrError::Unreadable(_) => {
                    let status = StatusCode::UNPROCESSABLE_ENTITY;
                    Problem::client(status, "certificate request refused", error.to_string())
                }
            })
    }

    fn enrolled(&self, partner: &str, issued: Issued) -> Response {
        let answer = EnrolResponse {
            partner: partner.to_owned(),
            certificate_pem: issued.pem,
            ca_pem: self.ca.pem().to_owned(),
            hub_key: self.signer.public_text().to_owned(),
        };
        reply::json(StatusCode::OK, &answer)
    }
}

fn certificate(partner: &Arc<str>, issued: &Issued) -> Certificate {
    Certificate {
        serial: issued.serial.clone(),
        partner: Arc::clone(partner),
        not_after: clock::of(issued.not_after),
    }
}

fn read<T: DeserializeOwned>(body: &SmallBody) -> Result<T, Problem> {
    serde_json::from_slice(&body.0).map_err(|error| Problem::bad_request(error.to_string()))
}

/// Unknown, used, expired and withdrawn are one answer: whoever guesses learns nothing.
fn invalid_invitation() -> Problem {
    let mend = StoreError::BadInvitation.to_string();
    Problem::client(StatusCode::FORBIDDEN, "invitation not valid", mend)
}

fn store_problem(error: &StoreError) -> Problem {
    if matches!(error, StoreError::BadInvitation) {
        return invalid_invitation();
    }
    Problem::store(error)
}
