//! Packs from the hub: a client of The Update Framework (TUF) over mutual TLS.
//!
//! ```text
//! hub ──metadata, packs──> transport ─> tough (signatures, versions, ends, digests) ─> update ─> DATA/packs/incoming/
//!                                          └─> DATA/packs/repository/NAME/: root and versions seen
//! ```
//!
//! What is delivered is what the contributor's role names and a current snapshot lists, in no version
//! below one that was seen. Whether a pack may run is asked afterwards, of its own signatures and the
//! operator's trust: nothing here vouches for it.
//!
//! The first root comes from a file that the operator names, or else from the hub over the connection
//! that the identity pins, once. Each later one is signed by the one before.
//!
//! # Failure bias
//! Open: a hub that is away, or that is refused, changes nothing for the packs that are here. The
//! refusal is written down once, with its name.

mod client;
mod keep;
mod receipts;
mod refusal;
mod thread;
mod transport;
mod update;

use std::path::PathBuf;
use std::time::Duration;

use pack::Name;

pub use client::{Client, Loaded, Offered};
pub use receipts::Receipts;
pub use refusal::{Refusal, RepositoryError};
pub use thread::Parts;
pub(crate) use thread::spawn;
pub use update::{Delivered, INCOMING, PACKS_MAX, Update, delivered_name, update};

/// One `[[repository]]`: where packs come from, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The repository's name at the hub.
    pub name: String,
    /// Which packs are fetched; empty: none.
    pub packs: Vec<Wanted>,
    /// The first root; absent: the hub is asked, once.
    pub root: Option<PathBuf>,
    /// Pause between looks.
    pub every: Duration,
}

/// Packs of a contributor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The partner that contributes them.
    pub partner: String,
    /// Which; none: all of it.
    pub pack: Option<Name>,
}

impl Wanted {
    /// Reads `PARTNER/PACK` or `PARTNER/*`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (partner, pack) = text.split_once('/')?;
        let pack = match pack {
            "*" => None,
            name => Some(name.parse().ok()?),
        };
        stix::lease::is_partner_name(partner).then(|| Self {
            partner: partner.to_owned(),
            pack,
        })
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn is(&self, partner: &str, pack: &Name) -> bool {
        self.partner == partner && self.pack.as_ref().is_none_or(|name| name == pack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_are_wanted_by_name_or_all_of_a_partner() {
        let (web, dga): (Name, Name) = ("web".parse().unwrap(), "dga".parse().unwrap());
        let all = Wanted::parse("acme/*").unwrap();
        assert!(all.is("acme", &web) && all.is("acme", &dga) && !all.is("rival", &web));
        let one = Wanted::parse("acme/web").unwrap();
        assert!(one.is("acme", &web) && !one.is("acme", &dga));
        for bad in [
            "acme", "*", "*/web", "acme/", "acme/w*", "Acme/web", "a/b/c",
        ] {
            assert_eq!(Wanted::parse(bad), None, "{bad}");
        }
    }
}
