//! Packs: a TUF repository for each audience, in which partners publish and from which shields fetch.
//!
//! ```text
//! DATA/packs/NAME/metadata/    1.root.json, 7.snapshot.json, 3.targets.json, 2.acme.json, timestamp.json
//! DATA/packs/NAME/targets/     packs, by their SHA-256
//! DATA/packs/NAME/keys/        the online key: PKCS#8, named by its id in metadata
//! DATA/packs/NAME/contributors.json    who publishes under which key and name, and the sequences seen
//! ```
//!
//! | role | signed by | says |
//! |---|---|---|
//! | root | keys of the operator, which are not kept here | which keys the others have |
//! | targets, snapshot, timestamp | the online key | who contributes; what belongs together; that it is current |
//! | PARTNER | the contributor's own key | which packs are there under `PARTNER/` |
//!
//! The targets role is online so that nobody has to sign for a partner to contribute: its certificate
//! says who it is, and its first publication which key it has. A hub in wrong hands could list packs
//! under another key; they are refused where they would run, by the trust that each operator has in
//! publishers. Every change is written beside what is there and comes into force with the timestamp,
//! which is replaced last.

mod contributors;
mod disk;
mod keys;
mod publish;
mod receipts;
mod renew;
mod repository;
mod routes;

use crate::collections::Members;
use crate::error::HubError;
use serde::Deserialize;

pub(crate) use disk::files;
pub use keys::{Made, NewKeys, create, rekey, rotate};
pub(crate) use receipts::get as receipts;
pub(crate) use renew::{renew_all, run};
pub(crate) use routes::routes;

/// Most repositories of one hub.
const REPOSITORIES_MAX: usize = 64;

/// One `[[packs]]` of `hub.toml`: a repository, and who may read it and publish in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackRepository {
    /// Its name in URLs.
    pub name: String,
    /// Who reads it and publishes in it.
    #[serde(default)]
    pub members: Members,
}

impl PackRepository {
    /// The one that there is unless others are configured: for every partner.
    pub fn community() -> Self {
        Self {
            name: "community".to_owned(),
            members: Members::All,
        }
    }
}

/// Checks what types cannot.
pub(crate) fn check(repositories: &[PackRepository]) -> Result<(), HubError> {
    if repositories.len() > REPOSITORIES_MAX {
        let what = format!("more than {REPOSITORIES_MAX} [[packs]]");
        return Err(HubError::config(what, "remove some"));
    }
    for (at, one) in repositories.iter().enumerate() {
        let name = &one.name;
        if !stix::lease::is_partner_name(name) {
            let mend = "use 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter or digit";
            return Err(HubError::config(format!("[[packs]] name {name:?}"), mend));
        }
        if repositories
            .iter()
            .take(at)
            .any(|other| other.name == *name)
        {
            let what = format!("[[packs]] name {name:?} stands twice");
            return Err(HubError::config(what, "remove one"));
        }
        for partner in one.members.names() {
            sharing::Partner::new(partner, vec![]).map_err(|error| {
                HubError::config(format!("[[packs]] {name:?}: {partner}"), error.to_string())
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
