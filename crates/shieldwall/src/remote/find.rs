//! From an address that was typed to a collection: discovery, API roots, collections (TAXII 2.1
//! sections 4 and 5.1).

use anyhow::anyhow;
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};

use super::{Remote, plain};
use crate::{outcome::Failure, text::complain};

/// API roots that are looked into.
const ROOTS_MAX: usize = 32;
/// Collections that are listed to people.
const SHOWN_MAX: usize = 40;

/// What is to be done with a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Read from it.
    Read,
    /// Add to it.
    Write,
}

/// A collection of a server.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its address, with a slash at the end.
    pub(crate) url: Url,
    /// That of its API root, with a slash at the end.
    pub(crate) root: Url,
    /// Its identifier.
    pub(crate) id: String,
    /// Whether it can be read.
    pub(crate) can_read: bool,
    /// Longest body that its API root takes, in bytes, where it says.
    pub(crate) body_bytes_max: Option<usize>,
}

/// Discovery, an API root, or what else a server may answer at an address.
#[derive(Debug, Default, Deserialize)]
struct Entry {
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    api_roots: Option<Vec<String>>,
    #[serde(default)]
    versions: Option<Vec<String>>,
    #[serde(default)]
    max_content_length: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Collections {
    #[serde(default)]
    collections: Vec<Collection>,
}

/// A collection; a right that is not named is there, and asking will tell.
#[derive(Clone, Debug, Deserialize)]
struct Collection {
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    alias: Option<String>,
    #[serde(default = "yes")]
    can_read: bool,
    #[serde(default = "yes")]
    can_write: bool,
}

/// A number, or one that a server writes as text.
fn number(value: &serde_json::Value) -> Option<u64> {
    match value.as_str() {
        Some(text) => text.parse().ok(),
        None => value.as_u64(),
    }
}

fn yes() -> bool {
    true
}

impl Found {
    /// A name for what is remembered of it.
    pub(crate) fn name(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}-{port}-{}", self.id),
            None => format!("{host}-{}", self.id),
        }
    }
}

impl Remote {
    /// The collection that was typed: with its address, or by `wanted` among those of the server.
    pub(crate) async fn find(&self, wanted: Option<&str>, to: Right) -> Result<Found, Failure> {
        let (roots, in_address) = match split_collection(&self.url) {
            Some((root, id)) => (vec![root], id),
            None => (self.roots().await?, None),
        };
        let wanted = in_address.as_deref().or(wanted);
        let (mut all, mut refused) = (Vec::new(), None);
        for root in &roots {
            match self.collections(root).await {
                Ok(some) => all.extend(some.into_iter().map(|one| (root, one))),
                // Another root may let us in.
                Err(failure @ Failure::Input(_)) => refused = Some(failure),
                Err(failure) => return Err(failure),
            }
        }
        if let (true, Some(failure)) = (all.is_empty(), refused) {
            return Err(failure);
        }
        let (root, found) = choose(&all, wanted, to)?;
        let url = child(root, &["collections", &found.id]);
        let entry: Entry = self.read(root).await.unwrap_or_default();
        let length = entry.max_content_length.as_ref().and_then(number);
        Ok(Found {
            url,
            root: (*root).clone(),
            id: found.id.clone(),
            can_read: found.can_read,
            body_bytes_max: length.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        })
    }

    /// The API roots that the typed address leads to, the default first.
    async fn roots(&self) -> Result<Vec<Url>, Failure> {
        let typed = match self.url.path() {
            "/" => child(&self.url, &["taxii2"]),
            _ => slashed(&self.url),
        };
        let entry: Entry = self.read(&typed).await?;
        let named = entry.default.iter().chain(entry.api_roots.iter().flatten());
        let mut roots: Vec<Url> = Vec::new();
        for name in named.take(ROOTS_MAX) {
            let root = self.rooted(&typed, name)?;
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        match (roots.is_empty(), entry.versions) {
            (false, _) => Ok(roots),
            (true, Some(_)) => Ok(vec![typed]),
            (true, None) => Err(Failure::Input(anyhow!(
                "{typed} names no API root; name the discovery resource (/taxii2/) or an API root"
            ))),
        }
    }

    /// An API root as discovery names it. Behind a proxy many servers name an address of their own
    /// inside; the path holds all the same, and our credentials stay with whom they were given to.
    fn rooted(&self, typed: &Url, name: &str) -> Result<Url, Failure> {
        let named = typed.join(name).map_err(|e| {
            Failure::Input(anyhow!("{typed} names the API root {:?}: {e}", plain(name)))
        })?;
        let mut root = slashed(&named);
        if root.origin() != self.url.origin() {
            root = self.url.clone();
            root.set_path(named.path());
            let root_shown = slashed(&root);
            complain(format_args!(
                "note: the server names its API root {}; asked is {root_shown}",
                plain(named.as_str())
            ));
        }
        root.set_query(None);
        root.set_fragment(None);
        Ok(slashed(&root))
    }

    async fn collections(&self, root: &Url) -> Result<Vec<Collection>, Failure> {
        let all: Collections = self.read(&child(root, &["collections"])).await?;
        Ok(all.collections)
    }

    /// A resource, read.
    pub(super) async fn read<T: DeserializeOwned>(&self, url: &Url) -> Result<T, Failure> {
        let answer = self.get(url).await?.good(url)?;
        serde_json::from_slice(&answer.body)
            .map_err(|e| Failure::system(format!("{url} answers with something else"), e))
    }
}

type Among<'a> = (&'a Url, Collection);

/// The one that was meant.
fn choose<'a, 'b>(
    all: &'b [Among<'a>],
    wanted: Option<&str>,
    to: Right,
) -> Result<&'b Among<'a>, Failure> {
    let may = |one: &Collection| match to {
        Right::Read => one.can_read,
        Right::Write => one.can_write,
    };
    let is = |one: &Collection, wanted: &str| {
        let alias = one.alias.as_deref() == Some(wanted);
        one.id.eq_ignore_ascii_case(wanted) || one.title == wanted || alias
    };
    let named: Vec<&Among<'a>> = match wanted {
        Some(wanted) => all.iter().filter(|(_, one)| is(one, wanted)).collect(),
        None => all.iter().filter(|(_, one)| may(one)).collect(),
    };
    let what = match to {
        Right::Read => "read from",
        Right::Write => "written to",
    };
    let wrong = |why: String| {
        let list = listed(all);
        Err(Failure::Input(anyhow!("{why}; there are:{list}")))
    };
    match (named.as_slice(), wanted) {
        ([one], _) if may(&one.1) => Ok(one),
        ([one], _) => wrong(format!(
            "--collection {}: may not be {what} by us",
            one.1.id
        )),
        ([], Some(wanted)) => wrong(format!("--collection {wanted}: not there")),
        ([], None) => wrong(format!("no collection may be {what} by us")),
        (_, Some(wanted)) => wrong(format!(
            "--collection {wanted}: several are called so, name one by its identifier"
        )),
        (_, None) => wrong("--collection: name one of several".to_owned()),
    }
}

fn listed(all: &[Among<'_>]) -> String {
    let mut text = String::new();
    for (root, one) in all.iter().take(SHOWN_MAX) {
        let rights = match (one.can_read, one.can_write) {
            (true, true) => "read, write",
            (true, false) => "read",
            (false, true) => "write",
            (false, false) => "no rights",
        };
        let (id, title, path) = (plain(&one.id), plain(&one.title), root.path());
        text.push_str(&format!("\n  {id}  {title}  ({rights}; {path})"));
    }
    match all.len() {
        0 => "\n  none".to_owned(),
        _ => text,
    }
}

/// The API root and the collection of an address inside of one.
fn split_collection(url: &Url) -> Option<(Url, Option<String>)> {
    let (root, rest) = url.path().split_once("/collections")?;
    if !(rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    let id = rest.split('/').find(|part| !part.is_empty());
    let mut of = url.clone();
    of.set_path(root);
    of.set_query(None);
    of.set_fragment(None);
    Some((slashed(&of), id.map(str::to_owned)))
}

/// The address with a slash at its end: the standard's form, and what is joined to it goes under it.
fn slashed(url: &Url) -> Url {
    let mut url = url.clone();
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

/// The address of something under another, with a slash at its end.
pub(crate) fn child(url: &Url, parts: &[&str]) -> Url {
    let mut child = url.clone();
    if let Ok(mut path) = child.path_segments_mut() {
        path.pop_if_empty().extend(parts).push("");
    }
    child
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn addresses_are_taken_apart_and_put_together() {
        let root = url("https://peer.example/taxii2/a");
        assert_eq!(
            child(&root, &["collections", "x y"]).as_str(),
            "https://peer.example/taxii2/a/collections/x%20y/"
        );
        let id = "91a7b528-80eb-42ed-a74d-c6fbd5a26116";
        for path in ["", "/", "/objects/", "/objects/?limit=1", "/manifest/"] {
            let typed = url(&format!("https://peer.example/a/collections/{id}{path}"));
            let (root, found) = split_collection(&typed).unwrap();
            assert_eq!(root.as_str(), "https://peer.example/a/");
            assert_eq!(found.as_deref(), Some(id));
        }
        assert_eq!(split_collection(&url("https://peer.example/a/")), None);
        assert_eq!(
            split_collection(&url("https://peer.example/a/collections/")),
            Some((url("https://peer.example/a/"), None))
        );
    }

    #[test]
    fn numbers_are_read_as_text_too() {
        let of = |text: &str| number(&serde_json::from_str(text).unwrap());
        assert_eq!(
            [of("7"), of("\"7\""), of("-1"), of("[]")],
            [Some(7), Some(7), None, None]
        );
    }

    #[test]
    fn a_collection_is_meant_by_identifier_alias_or_title_and_must_be_one() {
        let root = url("https://peer.example/a/");
        let one = |id: &str, title: &str, can_read, can_write| Collection {
            id: id.to_owned(),
            title: title.to_owned(),
            alias: Some(format!("alias-{id}")),
            can_read,
            can_write,
        };
        let all = [
            (&root, one("a1", "In", true, false)),
            (&root, one("b2", "Both", true, true)),
            (&root, one("c3", "Both", true, true)),
        ];
        let id = |wanted, to| match choose(&all, wanted, to) {
            Ok((_, one)) => one.id.clone(),
            Err(Failure::Input(e) | Failure::System(e)) => e.to_string(),
        };
        assert_eq!(id(Some("A1"), Right::Read), "a1");
        assert_eq!(id(Some("alias-c3"), Right::Write), "c3");
        assert_eq!(id(Some("In"), Right::Read), "a1");
        assert!(id(Some("In"), Right::Write).contains("may not be written to"));
        assert!(id(Some("Both"), Right::Read).contains("several are called so"));
        assert!(id(Some("x"), Right::Read).contains("\n  b2  Both  (read, write; /a/)"));
        assert!(id(None, Right::Read).contains("name one of several"));
    }
}
