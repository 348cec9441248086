//! Reading a collection: objects, one object, its versions, the manifest; and deleting an object
//! (TAXII 2.1 section 5).

use super::{Caller, Hub, Problem, taxii_json, to_delete, to_read};
use crate::collections::Collection;
use crate::reply::taxii_bytes;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use exchange::{Erasure, Filter, Lane, Log as _, Page, Position};
use sharing::Audience;
use std::sync::Arc;
use stix::StixId;
use taxii::cursor::{self, CursorError};
use taxii::media;
use taxii::message::{
    HEADER_DATE_ADDED_FIRST, HEADER_DATE_ADDED_LAST, Listing, Manifest, ManifestRecord, envelope,
};
use taxii::query::{Query, QueryError, VersionMatch};

/// Objects of a page when the client asks for no number.
const PAGE_DEFAULT: usize = 100;
/// Objects that one request with filters on properties looks into.
const LOOKED_INTO_MAX: usize = 2_000;
/// Objects that it reads in one go.
const LOOKED_INTO_AT_ONCE: usize = 250;

/// `GET objects/` (section 5.4).
pub(super) async fn objects(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(collection): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = Request::read(&hub, &caller, &collection, &uri, "objects")?;
    let page = request.page().await?;
    Ok(request.envelope(&page))
}

/// `GET objects/{id}/` (section 5.6).
pub(super) async fn object(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path((collection, object)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut request = Request::read(&hub, &caller, &collection, &uri, "object")?;
    request.only(&object)?;
    let page = request.page().await?;
    request.or_404(&page).await?;
    Ok(request.envelope(&page))
}

/// `GET objects/{id}/versions/` (section 5.8).
pub(super) async fn versions(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path((collection, object)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut request = Request::read(&hub, &caller, &collection, &uri, "versions")?;
    request.only(&object)?;
    if !request.query.versions.is_empty() {
        let mend = "match[version] does not go with the versions; leave it out";
        return Err(Problem::bad_request(mend));
    }
    request.query.versions = vec![VersionMatch::All];
    let page = request.page().await?;
    request.or_404(&page).await?;
    let next = request.next(&page);
    let listing: Listing<ManifestRecord> = Listing {
        more: next.is_some(),
        next,
        objects: vec![],
        versions: page.entries.iter().map(|entry| entry.version).collect(),
    };
    Ok(dated(taxii_json(StatusCode::OK, &listing), &page))
}

/// `GET manifest/` (section 5.3).
pub(super) async fn manifest(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path(collection): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let request = Request::read(&hub, &caller, &collection, &uri, "manifest")?;
    let page = request.page().await?;
    let next = request.next(&page);
    let record = |entry: &exchange::Entry| ManifestRecord {
        id: entry.id.clone(),
        date_added: entry.date_added,
        version: entry.version,
        media_type: media::STIX.to_owned(),
    };
    let manifest = Manifest {
        more: next.is_some(),
        next,
        objects: page.entries.iter().map(record).collect(),
        versions: vec![],
    };
    Ok(dated(taxii_json(StatusCode::OK, &manifest), &page))
}

/// `DELETE objects/{id}/` (section 5.7): destroys the caller's own versions for good, all of them
/// unless `match[version]` says which. What is another's is not there to be deleted, whether the
/// caller may see it or not.
pub(super) async fn delete(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    Path((collection, object)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let (_, collection, _) = to_delete(&hub, &caller, &collection)?;
    let query = parameters(&uri, |pairs| Query::parse_deletion(pairs.iter().copied()))?;
    let id = StixId::parse(&object).map_err(|_| Problem::not_found())?;
    let spec = &query.spec_versions;
    let of_2_1 = spec.is_empty() || spec.iter().any(|version| version == "2.1");
    if !collection.holds(id.kind()) || !of_2_1 {
        return Err(Problem::not_found());
    }
    let erasure = Erasure {
        source: Arc::clone(&caller.partner),
        id,
        versions: query.versions.iter().map(version_match).collect(),
    };
    match hub.exchange.erase(&erasure).await? {
        0 => Err(Problem::not_found()),
        versions => {
            tracing::info!(partner = %caller.partner, %object, versions, "erased");
            Ok(StatusCode::OK.into_response())
        }
    }
}

/// Reads the parameters of a request.
fn parameters<T>(
    uri: &Uri,
    read: impl FnOnce(&[(&str, &str)]) -> Result<T, QueryError>,
) -> Result<T, Problem> {
    let UrlQuery(pairs) = UrlQuery::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    read(&pairs).map_err(|error| Problem::bad_request(error.to_string()))
}

fn version_match(version: &VersionMatch) -> exchange::VersionMatch {
    match *version {
        VersionMatch::Last => exchange::VersionMatch::Last,
        VersionMatch::First => exchange::VersionMatch::First,
        VersionMatch::All => exchange::VersionMatch::All,
        VersionMatch::At(at) => exchange::VersionMatch::At(at),
    }
}

/// A request for a page of the caller's view.
struct Request<'a> {
    hub: &'a Hub,
    audience: Audience,
    collection: &'a Collection,
    /// What cursors are bound to: the resource, the collection and what it shows, the partner.
    view: String,
    query: Query,
}

impl<'a> Request<'a> {
    fn read(
        hub: &'a Hub,
        caller: &'a Caller,
        collection: &str,
        uri: &Uri,
        resource: &str,
    ) -> Result<Self, Problem> {
        let (id, collection, _) = to_read(hub, caller, collection)?;
        let query = parameters(uri, |pairs| Query::parse(pairs.iter().copied()))?;
        let audience = Audience::Partner(Arc::clone(&caller.partner));
        let kinds: Vec<&str> = collection.kinds.iter().map(String::as_str).collect();
        let view = format!("{resource}/{id}/{}/{}", kinds.join(","), caller.partner);
        Ok(Self {
            hub,
            audience,
            collection,
            view,
            query,
        })
    }

    /// Narrows the request to one object.
    fn only(&mut self, id: &str) -> Result<(), Problem> {
        if !self.query.ids.is_empty() || !self.query.kinds.is_empty() {
            let mend = "match[id] and match[type] do not go with one object; leave them out";
            return Err(Problem::bad_request(mend));
        }
        let id = StixId::parse(id).map_err(|_| Problem::not_found())?;
        self.query.ids = vec![id];
        Ok(())
    }

    async fn page(&self) -> Result<Page, Problem> {
        let most = self.hub.config.limits.page_max;
        let limit = self.query.limit.unwrap_or(PAGE_DEFAULT).min(most).max(1);
        let from = self
            .from()
            .map_err(|error| Problem::bad_request(format!("next: {error}")))?;
        let Some(kinds) = self.kinds() else {
            return Ok(Page::default());
        };
        let store = self.hub.exchange.store();
        let filter = self.filter(kinds);
        if !self.query.properties.is_empty() {
            return self.page_of_matches(from, limit, &filter).await;
        }
        let page = store.page(&self.audience, from, limit, &filter).await;
        page.map_err(|error| Problem::store(&error))
    }

    /// A page of what the filters on properties admit, for which the objects are looked into: no more
    /// than [`LOOKED_INTO_MAX`] in one request. An empty page with more is possible.
    async fn page_of_matches(
        &self,
        from: Position,
        limit: usize,
        filter: &Filter,
    ) -> Result<Page, Problem> {
        let store = self.hub.exchange.store();
        let mut found = Page {
            next: from,
            more: true,
            ..Page::default()
        };
        let mut looked_into = 0_usize;
        while found.more && looked_into < LOOKED_INTO_MAX {
            let page = store
                .page(&self.audience, found.next, LOOKED_INTO_AT_ONCE, filter)
                .await
                .map_err(|error| Problem::store(&error))?;
            // A page with few has passed over many.
            looked_into = looked_into.saturating_add(LOOKED_INTO_AT_ONCE);
            for entry in page.entries {
                if !self.admits(&entry.raw) {
                    continue;
                }
                if found.entries.len() >= limit {
                    return Ok(found);
                }
                let last = match entry.lane {
                    Lane::Community => &mut found.next.community,
                    Lane::Addressed => &mut found.next.addressed,
                };
                *last = entry.position;
                found.entries.push(entry);
            }
            (found.next, found.more) = (page.next, page.more);
        }
        Ok(found)
    }

    fn admits(&self, raw: &[u8]) -> bool {
        let object = serde_json::from_slice(raw).unwrap_or_default();
        self.query
            .properties
            .iter()
            .all(|filter| filter.admits(&object))
    }

    /// The types wanted, of those that the collection shows: empty means all, none that there is
    /// nothing to be had.
    fn kinds(&self) -> Option<Vec<String>> {
        if self.query.kinds.is_empty() {
            return Some(self.collection.kinds.iter().cloned().collect());
        }
        let wanted = self.query.kinds.iter();
        let kinds: Vec<String> = wanted
            .filter(|kind| self.collection.holds(kind))
            .cloned()
            .collect();
        (!kinds.is_empty()).then_some(kinds)
    }

    fn from(&self) -> Result<Position, CursorError> {
        let Some(next) = &self.query.next else {
            return Ok(Position::default());
        };
        let epoch = self.hub.exchange.store().epoch();
        let filters = self.query.filters();
        let at = cursor::decode(next, &self.view, &filters, epoch, &self.hub.cursor_key)?;
        Ok(Position {
            community: at.community,
            addressed: at.addressed,
        })
    }

    /// The cursor of the page after this one, when there is one.
    fn next(&self, page: &Page) -> Option<String> {
        let at = taxii::Position {
            community: page.next.community,
            addressed: page.next.addressed,
        };
        let epoch = self.hub.exchange.store().epoch();
        let filters = self.query.filters();
        page.more
            .then(|| cursor::encode(at, &self.view, &filters, epoch, &self.hub.cursor_key))
    }

    fn envelope(&self, page: &Page) -> Response {
        let objects = page.entries.iter().map(|entry| entry.raw.as_ref());
        let bytes = envelope(objects, self.next(page).as_deref());
        dated(taxii_bytes(StatusCode::OK, bytes), page)
    }

    /// 404 for an object that is not in the view at all; one that only the filters exclude gives
    /// an empty page.
    async fn or_404(&self, page: &Page) -> Result<(), Problem> {
        if !page.entries.is_empty() {
            return Ok(());
        }
        let ids = self.query.ids.clone();
        let any = Filter {
            ids,
            kinds: self.collection.kinds.iter().cloned().collect(),
            versions: vec![exchange::VersionMatch::All],
            ..Filter::default()
        };
        let store = self.hub.exchange.store();
        let found = store
            .page(&self.audience, Position::default(), 1, &any)
            .await;
        let found = found.map_err(|error| Problem::store(&error))?;
        if found.entries.is_empty() {
            Err(Problem::not_found())
        } else {
            Ok(())
        }
    }

    fn filter(&self, kinds: Vec<String>) -> Filter {
        Filter {
            added_after: self.query.added_after,
            ids: self.query.ids.clone(),
            kinds,
            versions: self.query.versions.iter().map(version_match).collect(),
            spec_versions: self.query.spec_versions.clone(),
        }
    }
}

/// Adds the `date_added` of the first and the last object of the page (section 1.6.5).
fn dated(mut response: Response, page: &Page) -> Response {
    let ends = [
        (HEADER_DATE_ADDED_FIRST, page.entries.first()),
        (HEADER_DATE_ADDED_LAST, page.entries.last()),
    ];
    for (name, entry) in ends {
        let name = HeaderName::try_from(name);
        let value = entry.map(|entry| HeaderValue::try_from(entry.date_added.fmt_micros()));
        if let (Ok(name), Some(Ok(value))) = (name, value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
