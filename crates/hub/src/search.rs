//! Search over what the asker may see, and how objects there hang together.
//!
//! Every answer is a function of the asker's view and its request alone, as TAXII's are.

mod query;
mod related;

pub(crate) use related::related;

use crate::app::Hub;
use crate::authn::Caller;
use crate::push::event_kind;
use crate::reply::{Problem, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use exchange::{Entry, Find as _, Found, Lane, Log as _, Place, Search, Wanted};
use query::Query;
use serde::Serialize;
use serde_json::value::RawValue;
use sharing::Audience;
use std::collections::BTreeMap;
use std::sync::Arc;
use stix::{Limits, Object, StixId, Timestamp};
use taxii::cursor;
use taxii::push::EventKind;

/// Results of a page when the client asks for no number.
const PAGE_DEFAULT: usize = 100;
/// Most results of a page when the other sources of each are asked for, too.
const JOINED_PAGE_MAX: usize = 50;
/// Most other indicators that are shown beside one.
const SAME_MAX: usize = 32;

/// `GET /exchange/v1/search`.
pub(crate) async fn search(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = Query::parse(&uri)?;
    let asker = Asker::new(&hub, &caller);
    let view = asker.view("search");
    let from = asker.from(&query, &view)?;
    let most = hub.config.limits.page_max;
    let most = if query.sources {
        most.min(JOINED_PAGE_MAX)
    } else {
        most
    };
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).min(most).max(1);
    let found = asker.search(&query.search, from.as_ref(), limit).await?;
    let mut items: Vec<Item> = Vec::with_capacity(found.entries.len());
    let mut joined = Joined::default();
    for entry in &found.entries {
        let mut item = Item::of(entry)?;
        if query.sources {
            item.told_by = joined.told_by(&asker, entry).await?;
        }
        items.push(item);
    }
    let next = asker.next(&query, &view, &found);
    let page = Page {
        more: next.is_some(),
        next,
        objects: items,
    };
    Ok(json(StatusCode::OK, &page))
}

/// The answer to a search.
#[derive(Serialize)]
struct Page {
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    objects: Vec<Item>,
}

/// An object of the asker's view, as it was shared.
#[derive(Serialize)]
struct Item {
    source: String,
    date_added: Timestamp,
    lane: taxii::push::Lane,
    event: EventKind,
    object: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    told_by: Option<ToldBy>,
}

/// Who tells the same as an indicator: all whose pattern has its fingerprint.
#[derive(Clone, Serialize)]
struct ToldBy {
    fingerprint: String,
    /// How many partners do.
    sources: usize,
    /// Whether there are more than are shown here.
    more: bool,
    indicators: Vec<Told>,
}

#[derive(Clone, Serialize)]
struct Told {
    source: String,
    id: StixId,
    modified: Timestamp,
    date_added: Timestamp,
}

impl Item {
    fn of(entry: &Entry) -> Result<Self, Problem> {
        let object = serde_json::from_slice(&entry.raw).map_err(|error| Problem::ours(&error))?;
        Ok(Self {
            source: entry.source.to_string(),
            date_added: entry.date_added,
            lane: match entry.lane {
                Lane::Community => taxii::push::Lane::Community,
                Lane::Addressed => taxii::push::Lane::Addressed,
            },
            event: event_kind(entry.event),
            object,
            told_by: None,
        })
    }
}

/// What was joined in one request, by fingerprint.
#[derive(Default)]
struct Joined(BTreeMap<[u8; 32], ToldBy>);

impl Joined {
    /// Who tells the same; none for what is no indicator.
    async fn told_by(
        &mut self,
        asker: &Asker<'_>,
        entry: &Entry,
    ) -> Result<Option<ToldBy>, Problem> {
        // The store has it from a partner whose objects were read under the hub's own limits.
        let limits = Limits {
            object_bytes_max: usize::MAX,
            ..Limits::default()
        };
        let object = Object::parse(&entry.raw, &limits).ok();
        let pattern = object.and_then(|object| object.head().pattern.clone());
        let Some(pattern) = pattern else {
            return Ok(None);
        };
        let (language, text) = (&*pattern.pattern_type, &*pattern.pattern);
        let fingerprint = exchange::fingerprint(language, text);
        if let Some(known) = self.0.get(&fingerprint) {
            return Ok(Some(known.clone()));
        }
        let search = Search {
            wanted: vec![Wanted::same_as(language, text)],
            ..Search::default()
        };
        let found = asker.search(&search, None, SAME_MAX).await?;
        let told = |entry: &Entry| Told {
            source: entry.source.to_string(),
            id: entry.id.clone(),
            modified: entry.version,
            date_added: entry.date_added,
        };
        let mut sources: Vec<&str> = found.entries.iter().map(|entry| &*entry.source).collect();
        sources.sort_unstable();
        sources.dedup();
        let told_by = ToldBy {
            fingerprint: crate::tls::peer::hex(&fingerprint),
            sources: sources.len(),
            more: found.next.is_some(),
            indicators: found.entries.iter().map(told).collect(),
        };
        self.0.insert(fingerprint, told_by.clone());
        Ok(Some(told_by))
    }
}

/// Who asks, and the store that is asked.
struct Asker<'a> {
    hub: &'a Hub,
    partner: &'a Arc<str>,
    audience: Audience,
}

impl<'a> Asker<'a> {
    fn new(hub: &'a Hub, caller: &'a Caller) -> Self {
        Self {
            hub,
            partner: &caller.partner,
            audience: Audience::Partner(Arc::clone(&caller.partner)),
        }
    }

    /// What cursors of a route are bound to.
    fn view(&self, route: &str) -> String {
        format!("{route}/{}", self.partner)
    }

    async fn search(
        &self,
        search: &Search,
        from: Option<&Place>,
        limit: usize,
    ) -> Result<Found, Problem> {
        let store = self.hub.exchange.store();
        let found = store.search(&self.audience, search, from, limit).await;
        found.map_err(|error| Problem::ours(&error))
    }

    /// Where a page starts.
    fn from(&self, query: &Query, view: &str) -> Result<Option<Place>, Problem> {
        let Some(next) = &query.next else {
            return Ok(None);
        };
        let epoch = self.hub.exchange.store().epoch();
        let key = &self.hub.cursor_key;
        let bytes = cursor::decode_place(next, view, &query.filters, epoch, key)
            .map_err(|error| Problem::bad_request(format!("next: {error}")))?;
        let place = place_of(&bytes).ok_or_else(|| {
            Problem::bad_request(format!("next: {}", cursor::CursorError::Malformed))
        })?;
        Ok(Some(place))
    }

    /// The cursor of the page after this one, when there is one.
    fn next(&self, query: &Query, view: &str, found: &Found) -> Option<String> {
        let epoch = self.hub.exchange.store().epoch();
        let bytes = found.next.as_ref().map(bytes_of)?;
        let key = &self.hub.cursor_key;
        Some(cursor::encode_place(
            &bytes,
            view,
            &query.filters,
            epoch,
            key,
        ))
    }
}

/// A place as bytes: lane, position, key.
fn bytes_of(place: &Place) -> Vec<u8> {
    let lane = match place.lane {
        Lane::Community => 0,
        Lane::Addressed => 1,
    };
    let mut bytes = vec![lane];
    bytes.extend_from_slice(&place.position.to_be_bytes());
    bytes.extend_from_slice(&place.key);
    bytes
}

fn place_of(bytes: &[u8]) -> Option<Place> {
    let (lane, rest) = bytes.split_first()?;
    let (position, key) = rest.split_first_chunk::<8>()?;
    Some(Place {
        lane: match lane {
            0 => Lane::Community,
            1 => Lane::Addressed,
            _ => return None,
        },
        position: u64::from_be_bytes(*position),
        key: key.to_vec(),
    })
}

/// A place fits into a cursor.
const _: () = assert!(1 + 8 + Place::KEY_BYTES_MAX <= cursor::PLACE_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_bytes() {
        for lane in [Lane::Community, Lane::Addressed] {
            let place = Place {
                lane,
                position: 258,
                key: vec![9; Place::KEY_BYTES_MAX],
            };
            assert_eq!(place_of(&bytes_of(&place)), Some(place));
        }
        for bad in [&[][..], &[0; 8], &[2; 9]] {
            assert_eq!(place_of(bad), None);
        }
    }
}
