//! TAXII 2.1: one API root, and the collections of the configuration, each of which shows what the
//! asker may see.
//!
//! Every answer is a function of the asker's view and its request alone: an object that it may not
//! see changes no byte of any page, count, header or cursor.

mod pending;
mod read;
mod spool;
mod status;

pub(crate) use pending::{Pending, resume};
pub(crate) use spool::Spool;
pub(crate) use status::Statuses;

use crate::app::Hub;
use crate::authn::Caller;
use crate::body::Body;
use crate::collections::{self, Rights};
use crate::reply::{Problem, taxii_json};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use std::sync::Arc;
use taxii::media;
use taxii::message::{ApiRoot, Collection, Collections, Discovery};

/// Path of the API root under the hub's address.
const ROOT: &str = "/taxii2/api/";

/// The paths with their methods, as [`DESCRIPTION`] has them, too.
fn table() -> [(&'static str, MethodRouter<Arc<Hub>>); 10] {
    [
        ("/taxii2/", get(discovery)),
        (DESCRIPTION_PATH, get(description)),
        ("/taxii2/api/", get(api_root)),
        ("/taxii2/api/status/{status}/", get(status::get)),
        ("/taxii2/api/collections/", get(collections)),
        ("/taxii2/api/collections/{collection}/", get(collection)),
        (
            "/taxii2/api/collections/{collection}/manifest/",
            get(read::manifest),
        ),
        (
            "/taxii2/api/collections/{collection}/objects/",
            get(read::objects).post(status::post),
        ),
        (
            "/taxii2/api/collections/{collection}/objects/{object}/",
            get(read::object).delete(read::delete),
        ),
        (
            "/taxii2/api/collections/{collection}/objects/{object}/versions/",
            get(read::versions),
        ),
    ]
}

/// The routes; paths with and without their last slash answer alike, never by a redirect.
pub(crate) fn routes() -> Router<Arc<Hub>> {
    let route = |router: Router<Arc<Hub>>, (path, methods): (&str, MethodRouter<_>)| {
        let methods = methods.fallback(not_offered);
        match path.strip_suffix('/') {
            Some(bare) => router.route(path, methods.clone()).route(bare, methods),
            None => router.route(path, methods),
        }
    };
    let router = table().into_iter().fold(Router::new(), route);
    router.layer(middleware::from_fn(acceptable_only))
}

const DESCRIPTION_PATH: &str = "/taxii2/openapi.json";
/// What the server offers, as OpenAPI 3.1.
const DESCRIPTION: &str = include_str!("taxii2/openapi.json");

async fn description(_: Caller) -> Response {
    let plain = [(header::CONTENT_TYPE, "application/json")];
    (plain, DESCRIPTION).into_response()
}

/// TAXII 2.1 section 4.1.
async fn discovery(State(hub): State<Arc<Hub>>, _: Caller, parts: Parts) -> Response {
    let root = format!("https://{}{ROOT}", authority(&hub, &parts));
    let message = Discovery {
        title: format!("Shieldwall exchange: {}", hub.config.community),
        description: Some("A voluntary exchange for cyber defence".to_owned()),
        contact: None,
        default: Some(root.clone()),
        api_roots: vec![root],
    };
    taxii_json(StatusCode::OK, &message)
}

/// TAXII 2.1 section 4.2.
async fn api_root(State(hub): State<Arc<Hub>>, _: Caller) -> Response {
    let message = ApiRoot {
        title: hub.config.community.clone(),
        description: None,
        versions: vec![media::TAXII.to_owned()],
        max_content_length: u64::try_from(hub.config.limits.body_bytes_max).unwrap_or(u64::MAX),
    };
    taxii_json(StatusCode::OK, &message)
}

/// TAXII 2.1 section 5.1.
async fn collections(State(hub): State<Arc<Hub>>, caller: Caller) -> Response {
    let of = hub.collections.of(&caller.partner);
    let collections = of.map(|found| resource(&hub, found)).collect();
    taxii_json(StatusCode::OK, &Collections { collections })
}

/// TAXII 2.1 section 5.2.
async fn collection(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let found = find(&hub, &caller, &name)?;
    Ok(taxii_json(StatusCode::OK, &resource(&hub, found)))
}

/// A collection as it was found for a caller: identifier, configuration, rights.
type Found<'a> = (&'a str, &'a collections::Collection, Rights);

fn resource(hub: &Hub, (id, collection, rights): Found<'_>) -> Collection {
    let title = match (&collection.title, collection.alias.as_str()) {
        (Some(title), _) => title.clone(),
        (None, "all") => format!("{}: everything you may see", hub.config.community),
        (None, alias) => format!("{}: {alias}", hub.config.community),
    };
    Collection {
        id: id.to_owned(),
        title,
        description: collection.description.clone(),
        alias: Some(collection.alias.clone()),
        can_read: rights.read,
        can_write: rights.write,
        media_types: vec![media::STIX.to_owned()],
    }
}

/// The collection of this identifier or alias. One that the caller may neither read nor write is
/// not told from one that is not there.
fn find<'a>(hub: &'a Hub, caller: &'a Caller, name: &str) -> Result<Found<'a>, Problem> {
    let found = hub.collections.find(&caller.partner, name);
    found.ok_or_else(Problem::not_found)
}

/// The same, for reading.
fn to_read<'a>(hub: &'a Hub, caller: &'a Caller, name: &str) -> Result<Found<'a>, Problem> {
    let found = find(hub, caller, name)?;
    match found.2.read {
        true => Ok(found),
        false => Err(forbidden("read from", "can_read")),
    }
}

/// The same, for adding.
fn to_write<'a>(hub: &'a Hub, caller: &'a Caller, name: &str) -> Result<Found<'a>, Problem> {
    let found = find(hub, caller, name)?;
    match found.2.write {
        true => Ok(found),
        false => Err(forbidden("write to", "can_write")),
    }
}

/// The same, for deleting.
fn to_delete<'a>(hub: &'a Hub, caller: &'a Caller, name: &str) -> Result<Found<'a>, Problem> {
    let found = find(hub, caller, name)?;
    match found.2 {
        Rights {
            read: true,
            write: true,
        } => Ok(found),
        _ => Err(forbidden("delete from", "can_read and can_write")),
    }
}

fn forbidden(what: &str, right: &str) -> Problem {
    let mend = format!("you may not {what} this collection; choose one with {right}");
    Problem::client(StatusCode::FORBIDDEN, "forbidden", mend)
}

/// The name under which the client reached this hub; what it sent goes back to it alone.
fn authority(hub: &Hub, parts: &Parts) -> String {
    let host = parts
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
    let plain = |host: &&str| {
        host.bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"')
    };
    host.filter(plain)
        .map_or_else(|| hub.authority.clone(), str::to_owned)
}

/// 406 unless the client takes TAXII 2.1 (section 1.6.8).
async fn acceptable_only(request: Request, next: Next) -> Response {
    let accept = joined(request.headers(), &header::ACCEPT);
    let plain = request.uri().path() == DESCRIPTION_PATH;
    if plain || media::accepts_taxii(accept.as_deref()) {
        return next.run(request).await;
    }
    let mend = format!("send Accept: {}", media::TAXII);
    Problem::client(StatusCode::NOT_ACCEPTABLE, "not acceptable", mend).into_response()
}

fn joined(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

async fn not_offered(_: Caller, method: Method) -> Problem {
    Problem::method_not_allowed(&method)
}

/// 415 unless the body is a TAXII 2.1 message.
fn is_envelope(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if media::is_taxii(content_type) {
        return Ok(());
    }
    let mend = format!("send Content-Type: {}", media::TAXII);
    Err(Problem::client(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported media type",
        mend,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn the_description_has_the_paths_of_the_table() {
        let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
        assert_eq!(description["openapi"], "3.1.0");
        let described = description["paths"].as_object().unwrap();
        let described: BTreeSet<&str> = described.keys().map(String::as_str).collect();
        let offered: BTreeSet<&str> = table().iter().map(|(path, _)| *path).collect();
        assert_eq!(described, offered);
    }

    #[test]
    fn what_the_description_refers_to_is_there() {
        let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
        let mut waiting = vec![&description];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Object(of) => {
                    if let Some(Value::String(to)) = of.get("$ref") {
                        let to = to.strip_prefix('#').unwrap();
                        assert!(description.pointer(to).is_some(), "{to}");
                    }
                    waiting.extend(of.values());
                }
                Value::Array(of) => waiting.extend(of),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
    }
}
