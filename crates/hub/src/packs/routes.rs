//! The routes of packs. Who may not read a repository is answered as if it were not there.

use super::disk::Folder;
use super::publish::{Bounds, PublishError, publish};
use super::repository::Repository;
use crate::app::Hub;
use crate::authn::{Caller, Credential};
use crate::body::PackBody;
use crate::clock;
use crate::error::HubError;
use crate::reply::{self, Problem};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use pack::Digest;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use taxii::packs::Repositories;
use tokio::io::AsyncReadExt as _;

/// Bytes of a file that are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// What stands under `/exchange/v1/packs`.
pub(crate) fn routes() -> Router<Arc<Hub>> {
    let offered = crate::app::not_offered;
    Router::new()
        .route("/exchange/v1/packs", get(list).fallback(offered))
        .route(
            "/exchange/v1/packs/{repository}",
            axum::routing::post(post).fallback(offered),
        )
        .route(
            "/exchange/v1/packs/{repository}/role",
            get(role).fallback(offered),
        )
        .route(
            "/exchange/v1/packs/{repository}/metadata/{file}",
            get(metadata).fallback(offered),
        )
        .route(
            "/exchange/v1/packs/{repository}/targets/{folder}/{file}",
            get(target).fallback(offered),
        )
}

/// The repositories that the caller may read.
async fn list(State(hub): State<Arc<Hub>>, caller: Caller) -> Response {
    let all = hub.config.packs.iter();
    let own = all.filter(|one| hub.readable(&caller, &one.name).is_some());
    let repositories = own.map(|one| one.name.clone()).collect();
    reply::json(StatusCode::OK, &Repositories { repositories })
}

/// A file of metadata.
async fn metadata(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path((repository, file)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let folder = hub.readable(&caller, &repository);
    let folder = folder.ok_or_else(Problem::not_found)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !file.bytes().all(plain) || file.starts_with('.') || !file.ends_with(".json") {
        return Err(Problem::not_found());
    }
    send(folder.metadata(&file), "application/json").await
}

/// A pack. Its digest stands before the whole name (`tough`) or before the last part of it (TUF section
/// 6.2): `DIGEST.PARTNER/PACK` or `PARTNER/DIGEST.PACK`.
async fn target(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path((repository, partner, file)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let folder = hub.readable(&caller, &repository);
    let folder = folder.ok_or_else(Problem::not_found)?;
    let digest = |text: &str| text.split_once('.')?.0.parse::<Digest>().ok();
    let digest = digest(&partner).or_else(|| digest(&file));
    let digest = digest.ok_or_else(Problem::not_found)?;
    send(folder.target(&digest), "application/octet-stream").await
}

/// The caller's own role, to go on from.
async fn role(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(repository): Path<String>,
) -> Result<Response, Problem> {
    let folder = hub.readable(&caller, &repository);
    let folder = folder.ok_or_else(Problem::not_found)?;
    let partner = Arc::clone(&caller.partner);
    let read = move || Repository::open(folder)?.role(&partner);
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.map_err(|error| Problem::ours(&error))?;
    let (_, raw) = read
        .map_err(|error| Problem::ours(&error))?
        .ok_or_else(Problem::not_found)?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(CONTENT_TYPE, json)], raw).into_response())
}

/// Publishes; a certificate is asked for, since what is published bears the partner's name for long.
async fn post(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(repository): Path<String>,
    body: PackBody,
) -> Result<Response, Problem> {
    if !matches!(caller.credential, Credential::Certificate(_)) {
        let mend = "show your certificate; a token does not publish";
        let status = StatusCode::FORBIDDEN;
        return Err(Problem::client(status, "certificate needed", mend));
    }
    let folder = hub.readable(&caller, &repository);
    let folder = folder.ok_or_else(Problem::not_found)?;
    let limits = hub.config.limits;
    let bounds = Bounds {
        pack_bytes_max: limits.pack_bytes_max,
        packs_bytes_max: limits.packs_bytes_max,
    };
    let partner = Arc::clone(&caller.partner);
    let work = move || publish(folder, &partner, &body.0.bytes, bounds, clock::now());
    let done = tokio::task::spawn_blocking(work).await;
    let partner = &caller.partner;
    match done.map_err(|error| Problem::ours(&error))? {
        Ok(published) => {
            tracing::info!(%partner, repository, role = published.role, "packs published");
            Ok(reply::json(StatusCode::OK, &published))
        }
        Err(PublishError::Refused(refusal)) => {
            hub.counters.packs_refused.fetch_add(1, Relaxed);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let what = format!("{}: {refusal}", refusal.name());
            Err(Problem::client(status, "publication refused", what))
        }
        Err(PublishError::Ours(error)) => Err(Problem::ours(&error)),
    }
}

impl Hub {
    /// The folder of a repository, for who may read it.
    fn readable(&self, caller: &Caller, repository: &str) -> Option<Folder> {
        let mut all = self.config.packs.iter();
        let one = all.find(|one| one.name == repository)?;
        let folder = Folder::new(&self.config.data, repository);
        (one.members.contains(&caller.partner) && folder.exists()).then_some(folder)
    }
}

/// Sends a file as it is read.
async fn send(path: PathBuf, kind: &'static str) -> Result<Response, Problem> {
    let opened = tokio::fs::File::open(&path).await;
    let file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Problem::not_found()),
        opened => opened.map_err(|error| Problem::ours(&HubError::file(&path, error)))?,
    };
    let length = file
        .metadata()
        .await
        .map_err(|error| Problem::ours(&error))?;
    let body = futures_util::stream::unfold(file, |mut file| async move {
        let mut buffer = vec![0; CHUNK_BYTES];
        match file.read(&mut buffer).await {
            Ok(0) => None,
            Ok(read) => {
                buffer.truncate(read);
                Some((Ok(Bytes::from(buffer)), file))
            }
            Err(error) => Some((Err(error), file)),
        }
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length.len()));
    Ok(response)
}
