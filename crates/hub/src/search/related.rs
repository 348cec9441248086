//! How an object hangs together with others, one step far: what it refers to, what refers to it,
//! and the other ends of the relationships among these.

use super::query::Query;
use super::{Asker, Item, PAGE_DEFAULT};
use crate::app::Hub;
use crate::authn::Caller;
use crate::reply::{Problem, json};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use exchange::{Entry, Filter, Log as _, Position, references};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stix::StixId;

/// Most objects that refer to one in a page.
const RELATED_PAGE_MAX: usize = 100;
/// Most identifiers that are looked up for one page; what is not looked up is said.
const IDS_MAX: usize = 512;
/// Identifiers that are looked up in one go.
const IDS_AT_ONCE: usize = 64;
/// Most pages of objects that are read for them.
const READS_MAX: usize = 16;

/// `GET /exchange/v1/related`.
pub(crate) async fn related(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let (id, query) = Query::parse_related(&uri)?;
    let asker = Asker::new(&hub, &caller);
    let view = asker.view("related");
    let from = asker.from(&query, &view)?;
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    let limit = limit.clamp(1, RELATED_PAGE_MAX);
    let found = asker.search(&query.search, from.as_ref(), limit).await?;
    // The first page has the object itself, too.
    let own = match from {
        None => asker.objects(BTreeSet::from([id.clone()])).await?,
        Some(_) => Looked::default(),
    };
    let own = own.of(&id).unwrap_or_default();
    let out: Vec<Reference> = own.iter().flat_map(references_of).collect();
    let ends = found.entries.iter().map(|entry| ends_of(entry, &id));
    let ends: Vec<Vec<Reference>> = ends.collect();
    let mut ids: BTreeSet<StixId> = BTreeSet::new();
    let named = out.iter().chain(ends.iter().flatten());
    for (_, to) in named {
        if ids.len() < IDS_MAX {
            ids.insert(to.clone());
        }
    }
    let objects = asker.objects(ids).await?;
    let next = asker.next(&query, &view, &found);
    let answer = Related {
        objects: items(own)?,
        refers_to: grouped(&out, &objects)?,
        referred_to_by: found
            .entries
            .iter()
            .zip(&ends)
            .map(|(entry, ends)| {
                let by = references_of(entry).into_iter();
                let by = by.filter(|(_, to)| *to == id).map(|(by, _)| by);
                Ok(Referring {
                    by: by.collect(),
                    item: Item::of(entry)?,
                    ends: grouped(ends, &objects)?,
                })
            })
            .collect::<Result<_, Problem>>()?,
        more: next.is_some(),
        next,
        id,
    };
    Ok(json(StatusCode::OK, &answer))
}

/// The answer.
#[derive(Serialize)]
struct Related {
    id: StixId,
    /// The object, as each source tells it.
    objects: Vec<Item>,
    refers_to: Vec<Referred>,
    referred_to_by: Vec<Referring>,
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// An object that is referred to; nothing where the asker has none of it.
#[derive(Serialize)]
struct Referred {
    /// The properties that do.
    by: BTreeSet<String>,
    id: StixId,
    objects: Vec<Item>,
    /// It was not looked for: there is too much in one answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unread: bool,
}

/// What was looked for, and the objects that were found; what is not here was not looked for.
#[derive(Default)]
struct Looked(BTreeMap<StixId, Vec<Entry>>);

impl Looked {
    fn of(&self, id: &StixId) -> Option<&[Entry]> {
        self.0.get(id).map(Vec::as_slice)
    }
}

/// An object that refers.
#[derive(Serialize)]
struct Referring {
    by: BTreeSet<String>,
    #[serde(flatten)]
    item: Item,
    /// The other ends of a relationship or a sighting.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ends: Vec<Referred>,
}

/// A property and what it refers to.
type Reference = (String, StixId);

fn references_of(entry: &Entry) -> Vec<Reference> {
    references(&entry.raw)
}

/// What a relationship or a sighting connects with `id`.
fn ends_of(entry: &Entry, id: &StixId) -> Vec<Reference> {
    if !matches!(entry.id.kind(), "relationship" | "sighting") {
        return Vec::new();
    }
    let ends = references_of(entry).into_iter();
    ends.filter(|(by, to)| by != "created_by_ref" && to != id)
        .collect()
}

fn grouped(references: &[Reference], objects: &Looked) -> Result<Vec<Referred>, Problem> {
    let mut groups: BTreeMap<&StixId, BTreeSet<String>> = BTreeMap::new();
    for (by, to) in references {
        groups.entry(to).or_default().insert(by.clone());
    }
    let groups = groups.into_iter();
    groups
        .map(|(id, by)| {
            Ok(Referred {
                by,
                id: id.clone(),
                objects: items(objects.of(id).unwrap_or_default())?,
                unread: objects.of(id).is_none(),
            })
        })
        .collect()
}

fn items(entries: &[Entry]) -> Result<Vec<Item>, Problem> {
    entries.iter().map(Item::of).collect()
}

impl Asker<'_> {
    /// What the asker may see of these objects: the last version of each source.
    async fn objects(&self, ids: BTreeSet<StixId>) -> Result<Looked, Problem> {
        let mut looked = Looked::default();
        let ids: Vec<StixId> = ids.into_iter().collect();
        let store = self.hub.exchange.store();
        let mut reads = 0_usize;
        for some in ids.chunks(IDS_AT_ONCE) {
            let filter = Filter {
                ids: some.to_vec(),
                ..Filter::default()
            };
            let (mut from, mut found) = (Position::default(), Vec::new());
            loop {
                if reads >= READS_MAX {
                    return Ok(looked);
                }
                reads = reads.saturating_add(1);
                let page = store.page(&self.audience, from, usize::MAX, &filter).await;
                let page = page.map_err(|error| Problem::store(&error))?;
                found.extend(page.entries);
                if !page.more {
                    break;
                }
                from = page.next;
            }
            looked
                .0
                .extend(some.iter().map(|id| (id.clone(), Vec::new())));
            for entry in found {
                looked.0.entry(entry.id.clone()).or_default().push(entry);
            }
        }
        Ok(looked)
    }
}
