//! Collections: views of the one log under names of their own (TAXII 2.1 section 5.2).
//!
//! A collection stores nothing. It says who reads and who writes by that name, and which types it
//! shows; what a reader gets is what it may see anyway.

use crate::error::HubError;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use std::collections::BTreeSet;
use stix::{Object, StixId};

/// Most collections of one hub.
const COLLECTIONS_MAX: usize = 256;
/// Longest alias, in characters.
const ALIAS_CHARS_MAX: usize = 64;
/// Makes an identifier of a type, to see whether the type is legal.
const ANY_UUID: &str = "00000000-0000-4000-8000-000000000000";

/// One `[[collection]]` of `hub.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collection {
    /// Name in URLs.
    pub alias: String,
    /// Name for people.
    #[serde(default)]
    pub title: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Who reads it.
    #[serde(default)]
    pub read: Members,
    /// Who adds to it.
    #[serde(default)]
    pub write: Members,
    /// The types of objects that it shows and takes; empty means all.
    #[serde(default)]
    pub kinds: BTreeSet<String>,
}

/// Partners: `"*"`, or a list of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Members {
    /// Every enrolled partner.
    #[default]
    All,
    /// These.
    Named(BTreeSet<String>),
}

/// The collections of a hub, in the order of its configuration.
#[derive(Clone, Debug)]
pub(crate) struct Collections(Vec<(String, Collection)>);

/// What a partner may do with a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Collection {
    /// The one that is there unless others are configured: everything, for everyone.
    pub fn all() -> Self {
        Self {
            alias: "all".to_owned(),
            title: None,
            description: Some("What partners share with you, and what you share".to_owned()),
            read: Members::All,
            write: Members::All,
            kinds: BTreeSet::new(),
        }
    }

    /// What this partner may do.
    pub(crate) fn rights(&self, partner: &str) -> Rights {
        Rights {
            read: self.read.contains(partner),
            write: self.write.contains(partner),
        }
    }

    /// Whether objects of this type belong here.
    pub(crate) fn holds(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.contains(kind)
    }

    /// Why an object is not taken here, if it is not.
    pub(crate) fn refuses(&self, object: &Object) -> Option<String> {
        let kind = &object.head().kind;
        (!self.holds(kind)).then(|| {
            let kinds: Vec<&str> = self.kinds.iter().map(String::as_str).collect();
            format!(
                "$.type: this collection takes {}, not {kind}; add it to another one",
                kinds.join(", ")
            )
        })
    }

    /// Checks what types cannot.
    fn check(&self) -> Result<(), HubError> {
        let (alias, of) = (&self.alias, |key: &str| {
            format!("collection {:?}: {key}", self.alias)
        });
        let fits = (1..=ALIAS_CHARS_MAX).contains(&alias.len());
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if !fits || !alias.chars().all(legal) || alias.starts_with('.') {
            let mend = "use 1 to 64 of a-z, 0-9, '-', '_', '.', not beginning with a dot";
            return Err(HubError::config(of("alias is no name for URLs"), mend));
        }
        for name in self.read.names().chain(self.write.names()) {
            sharing::Partner::new(name, vec![])
                .map_err(|error| HubError::config(of(name), error.to_string()))?;
        }
        let illegal = |kind: &&String| StixId::parse(&format!("{kind}--{ANY_UUID}")).is_err();
        match self.kinds.iter().find(illegal) {
            None => Ok(()),
            Some(kind) => {
                let mend = "write types of STIX objects, such as \"indicator\"";
                let what = of(&format!("kinds holds {kind:?}, which is no type"));
                Err(HubError::config(what, mend))
            }
        }
    }
}

impl Members {
    pub(crate) fn contains(&self, partner: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(partner),
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        let names = match self {
            Self::All => None,
            Self::Named(names) => Some(names),
        };
        names.into_iter().flatten()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Word(String),
            Names(BTreeSet<String>),
        }
        let wanted = "\"*\" for every partner, or a list of partners by name";
        match Written::deserialize(deserializer) {
            Ok(Written::Word(word)) if word == "*" => Ok(Self::All),
            Ok(Written::Names(names)) => Ok(Self::Named(names)),
            Ok(Written::Word(_)) | Err(_) => Err(de::Error::custom(format!("not {wanted}"))),
        }
    }
}

impl Collections {
    /// Of a community: identifiers follow from its name and the aliases.
    pub(crate) fn new(community: &str, configured: &[Collection]) -> Self {
        let named = |collection: &Collection| {
            let name = match collection.alias.as_str() {
                "all" => community.to_owned(),
                alias => format!("{community}/{alias}"),
            };
            let id = StixId::v5("x-collection", &name).uuid().to_string();
            (id, collection.clone())
        };
        Self(configured.iter().map(named).collect())
    }

    /// Each collection that a partner may read or write, with its identifier.
    pub(crate) fn of<'a>(
        &'a self,
        partner: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Collection, Rights)> {
        self.0.iter().filter_map(move |(id, collection)| {
            let rights = collection.rights(partner);
            (rights.read || rights.write).then_some((id.as_str(), collection, rights))
        })
    }

    /// The one of this alias, whoever may do what with it.
    pub(crate) fn of_alias(&self, alias: &str) -> Option<&Collection> {
        let mut collections = self.0.iter().map(|(_, collection)| collection);
        collections.find(|collection| collection.alias == alias)
    }

    /// The one of this identifier or alias, if the partner may read or write it.
    pub(crate) fn find<'a>(
        &'a self,
        partner: &'a str,
        name: &str,
    ) -> Option<(&'a str, &'a Collection, Rights)> {
        self.of(partner)
            .find(|(id, collection, _)| *id == name || collection.alias == name)
    }
}

/// Checks the collections of a configuration.
pub(crate) fn check(collections: &[Collection]) -> Result<(), HubError> {
    if collections.len() > COLLECTIONS_MAX {
        let what = format!("more than {COLLECTIONS_MAX} collections");
        return Err(HubError::config(what, "leave some out"));
    }
    let mut seen = BTreeSet::new();
    for collection in collections {
        collection.check()?;
        if !seen.insert(&collection.alias) {
            let what = format!("two collections have the alias {:?}", collection.alias);
            return Err(HubError::config(what, "give each an alias of its own"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Collection, String> {
        let collection: Collection = toml::from_str(text).map_err(|error| error.to_string())?;
        check(std::slice::from_ref(&collection)).map_err(|error| error.to_string())?;
        Ok(collection)
    }

    #[test]
    fn a_collection_is_for_everyone_unless_it_says_who() {
        let open = read("alias = \"open\"").unwrap();
        let both = Rights {
            read: true,
            write: true,
        };
        assert_eq!(open.rights("anyone"), both);
        let some = read("alias = \"some\"\nread = [\"a\", \"b\"]\nwrite = []").unwrap();
        assert_eq!(
            (some.rights("a").read, some.rights("a").write),
            (true, false)
        );
        assert!(!some.rights("c").read);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_mends_it() {
        let error = |text: &str| read(text).unwrap_err();
        assert!(error("alias = \"A B\"").contains("a-z"));
        assert!(error("alias = \"\"").contains("alias"));
        assert!(error("alias = \"x\"\nread = \"everyone\"").contains("\"*\""));
        assert!(error("alias = \"x\"\nread = [\"Agency A\"]").contains("Agency A"));
        assert!(error("alias = \"x\"\nkinds = [\"Indicator\"]").contains("Indicator"));
        assert!(error("alias = \"x\"\ncolour = 1").contains("colour"));
        let twice = [Collection::all(), Collection::all()];
        assert!(check(&twice).unwrap_err().to_string().contains("\"all\""));
    }

    #[test]
    fn a_collection_that_is_not_for_a_partner_is_not_found() {
        let mut closed = Collection::all();
        closed.alias = "closed".to_owned();
        closed.read = Members::Named(["a".to_owned()].into());
        closed.write = closed.read.clone();
        let collections = Collections::new("c", &[Collection::all(), closed]);
        let aliases = |partner| {
            let of = collections.of(partner);
            of.map(|(_, one, _)| one.alias.clone()).collect::<Vec<_>>()
        };
        assert_eq!(aliases("a"), ["all", "closed"]);
        assert_eq!(aliases("b"), ["all"]);
        let (id, ..) = collections.find("a", "closed").unwrap();
        assert!(collections.find("a", id).is_some());
        assert!(collections.find("b", id).is_none());
    }
}
