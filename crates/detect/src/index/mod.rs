//! The indicator index: what partners named, looked up by what a packet carries.
//!
//! An [`Index`] is immutable. It is built beside the packet path and handed to the detector as an
//! `Arc`, so a new set of indicators replaces the old one by one pointer, at a packet boundary, and
//! no look-up ever waits. It is one [`Snapshot`] or several: a large one that was built some time
//! ago, or read from a file, and beside it a small one of what came since, while what was
//! taken back since is told when the [`Index`] is put together ([`Layer`]).
//!
//! A look-up hashes the key, asks a filter that says no to 99 of 100 strangers ([`filter`]), and
//! then the exact table ([`table`]); either reads one line of the processor's cache. Single
//! addresses, names, URLs, fingerprints and digests are found like this. Prefixes and traffic are few
//! and held apart.
//!
//! # Memory
//!
//! Bytes for each key of ten million (`cargo xtask bench indicators` measures it):
//!
//! | kind | look-up | and which indicator |
//! |---|---|---|
//! | IPv4 address | 6.5 | 10.5 |
//! | IPv6 address, domain, URL, JA3, JA4, SHA-256 | 9.6 | 13.6 |
//!
//! An indicator takes twenty bytes more, however many keys it has: its UUID, which partner sent it,
//! and its confidence. A UUID cannot be made shorter; these may stay in a file ([`Records`]), where
//! they are read when something was found. Prefixes and traffic take 44 bytes, and about 130 in an
//! index.
//!
//! # How exact it is
//!
//! IPv4 addresses and prefixes are compared whole. Of any other key a table compares 48 bits of a
//! keyed 128-bit hash, among the six or so keys that share a line by other bits of it, and the filter
//! has let one of 100 through before by other bits again: a key that is not listed is found with a
//! probability of about 6 / 2^48 / 100 = 2^-52. At a million keys a second that were never seen
//! before that is once in a hundred and fifty years. The secret is drawn for each snapshot and leaves the
//! machine only in the snapshot's own file, so nobody can prepare a key that collides.
//!
//! # Failure bias
//!
//! Open: what there is no room for ([`KEYS_MAX`]) is refused by name and not looked for.

mod builder;
mod domain;
mod filter;
mod hash;
mod nets;
mod owners;
mod prefix;
mod snapshot;
mod table;
mod url;

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashSet;
use ipnet::IpNet;
use packet::FiveTuple;
use stix::StixId;

use hash::{Hash, Hasher};
use nets::{Net, Nets};
use owners::OwnerId;
use table::Space;

pub use builder::IndexBuilder;
pub use domain::DOMAIN_MAX;
pub use owners::{Records, Stored};
pub use snapshot::{Damage, KindBytes, MAGIC, Snapshot, SnapshotError, VERSION};
pub use url::URL_MAX;

/// Most keys that one snapshot takes, each counted once for every indicator that names it.
pub const KEYS_MAX: usize = 32_000_000;
/// Widest IPv4 prefix that is taken: a /8 is already one part in 256 of the Internet.
pub const PREFIX4_MIN: u8 = 8;
/// Widest IPv6 prefix that is taken.
pub const PREFIX6_MIN: u8 = 16;

/// Who says so: an object under the partner that sent it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceKey {
    /// The partner.
    pub source: Arc<str>,
    /// The indicator.
    pub id: StixId,
}

/// An indicator as the index holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Who says so.
    pub key: SourceKey,
    /// STIX confidence, 0 to 100.
    pub confidence: u8,
}

/// A term that the index did not take, by name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The indicator's fault: it would match a large part of the Internet.
    #[error("{0} is too wide: name at least a /{PREFIX4_MIN} (IPv4) or /{PREFIX6_MIN} (IPv6)")]
    TooWide(IpNet),
    /// The indicator's fault: traffic that names no address at either end.
    #[error("network traffic without an address would match everyone: name src_ref or dst_ref")]
    NoAddress,
    /// The indicator's fault: not a domain name of at least two labels.
    #[error("{0:?} is not a domain name of two labels or more")]
    NotADomain(Box<str>),
    /// The indicator's fault: no http or https URL of at most [`URL_MAX`] bytes.
    #[error("{0:?} is not an http or https URL of at most {URL_MAX} bytes")]
    NotAUrl(Box<str>),
    /// Unsupported: a digest other than SHA-256, or one that is not 64 hex digits.
    #[error("{0:?} is not a SHA-256 digest of 64 hex digits; other digests are not looked up")]
    NotASha256(Box<str>),
    /// Our limit: the index holds [`KEYS_MAX`] keys.
    #[error("the index is full at {KEYS_MAX} keys")]
    Full,
}

/// A snapshot less what was taken back since.
#[derive(Clone, Debug)]
pub struct Layer {
    snapshot: Snapshot,
    taken_back: HashSet<OwnerId>,
    /// The number of the first owner within the index.
    first: u32,
}

impl Layer {
    /// All of a snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot,
            taken_back: HashSet::new(),
            first: 0,
        }
    }

    /// Without what these indicators say. What other indicators say of the same keys stays.
    #[must_use]
    pub fn without<'k>(mut self, keys: impl IntoIterator<Item = &'k SourceKey>) -> Self {
        let owners = self.snapshot.owners_table();
        let ids = keys.into_iter().filter_map(|key| owners.id_of(key));
        self.taken_back.extend(ids);
        self
    }

    /// Whether what an owner says still holds.
    fn holds(&self, owner: u32) -> bool {
        if self.taken_back.is_empty() {
            return true;
        }
        let id = self.snapshot.owners_table().id(owner);
        id.is_some_and(|id| !self.taken_back.contains(&id))
    }
}

/// An immutable set of indicators.
#[derive(Debug, Default)]
pub struct Index {
    layers: Vec<Layer>,
    nets: Nets,
}

/// A key that matched: whose it is, and which bytes of what was looked up.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'i> {
    layer: &'i Layer,
    /// Identifies the indicator within this index: a number in the order in which they were added.
    pub owner_at: u32,
    /// Where the matching bytes start; for an address the prefix length.
    pub start: usize,
}

impl Hit<'_> {
    /// Whose indicator; none when that cannot be read.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        let owner = self.owner_at.checked_sub(self.layer.first)?;
        self.layer.snapshot.owners_table().owner(owner)
    }
}

/// Which end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The client.
    Source,
    /// The server.
    Destination,
}

impl From<Snapshot> for Index {
    fn from(snapshot: Snapshot) -> Self {
        Self::new([Layer::new(snapshot)])
    }
}

impl Index {
    /// Snapshots that are looked up together. Each costs every look-up its own time, so there are to
    /// be few.
    #[must_use]
    pub fn new(layers: impl IntoIterator<Item = Layer>) -> Self {
        let mut index = Self::default();
        let mut first = 0_u32;
        for layer in layers {
            let nets = layer.snapshot.nets().filter(|net| layer.holds(net.owner));
            for net in nets {
                let owner = net.owner.saturating_add(first);
                index.nets.push(Net { owner, ..net });
            }
            let next = first.saturating_add(layer.snapshot.owners());
            index.layers.push(Layer { first, ..layer });
            first = next;
        }
        index.nets.shrink();
        index
    }

    /// How many keys (prefixes, names, URLs, digests) there are, each once for every snapshot that
    /// has it. What was taken back is counted until its snapshot is built anew.
    #[must_use]
    pub fn len(&self) -> usize {
        let lengths = self.layers.iter().map(|layer| layer.snapshot.len());
        lengths.fold(0, usize::saturating_add)
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.iter().all(|layer| layer.snapshot.is_empty())
    }

    /// Memory in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let snapshots = self.layers.iter().map(|layer| layer.snapshot.held());
        snapshots.fold(self.nets.bytes(), usize::saturating_add)
    }

    /// Indicators of an address, whoever it talks to; longest prefix first.
    pub fn address<'i>(&'i self, address: IpAddr, mut each: impl FnMut(Hit<'i>)) {
        self.single(address, &mut each);
        self.nets
            .address(address, |len, owner| self.net_hit(len, owner, &mut each));
    }

    /// Indicators of either end of a flow, and of the traffic between them.
    pub fn flow<'i>(&'i self, flow: &FiveTuple, mut each: impl FnMut(End, Hit<'i>)) {
        for (end, address) in [(End::Source, flow.src), (End::Destination, flow.dst)] {
            self.single(address, |hit| each(end, hit));
            self.nets.end(end, flow, |len, owner| {
                self.net_hit(len, owner, |hit| each(end, hit));
            });
        }
    }

    /// Indicators of a domain name or of a parent of it; longest first. `scratch` holds the
    /// name's normal form afterwards, which [`Hit::start`] counts in.
    pub fn domain<'i>(&'i self, name: &[u8], scratch: &mut Vec<u8>, mut each: impl FnMut(Hit<'i>)) {
        if self.layers.is_empty() || !domain::from_wire(name, scratch) {
            return;
        }
        for start in domain::suffixes(scratch) {
            let suffix = scratch.get(start..).unwrap_or_default();
            self.exact(Space::Domain, suffix, start, &mut each);
        }
    }

    /// Indicators of the URL that a request names by Host field and target. `scratch` holds its
    /// normal form afterwards.
    pub fn url<'i>(
        &'i self,
        host: &[u8],
        target: &[u8],
        scratch: &mut Vec<u8>,
        each: impl FnMut(Hit<'i>),
    ) {
        if !self.layers.is_empty() && url::from_request(host, target, scratch) {
            self.exact(Space::Url, scratch, 0, each);
        }
    }

    /// Indicators of a JA3 digest (32 hex digits).
    pub fn ja3<'i>(&'i self, digest: &[u8], each: impl FnMut(Hit<'i>)) {
        self.exact(Space::Ja3, digest, 0, each);
    }

    /// Indicators of a JA4 fingerprint.
    pub fn ja4<'i>(&'i self, fingerprint: &[u8], each: impl FnMut(Hit<'i>)) {
        self.exact(Space::Ja4, fingerprint, 0, each);
    }

    /// Indicators of a file by its SHA-256 digest.
    pub fn sha256<'i>(&'i self, digest: &[u8; 32], each: impl FnMut(Hit<'i>)) {
        self.exact(Space::Sha256, digest, 0, each);
    }

    /// Indicators of this address alone.
    fn single<'i>(&'i self, address: IpAddr, each: impl FnMut(Hit<'i>)) {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.find(Space::Ipv4, |hasher| hasher.ipv4(v4), 32, each),
            IpAddr::V6(v6) => self.exact(Space::Ipv6, &v6.octets(), 128, each),
        }
    }

    fn exact<'i>(&'i self, space: Space, key: &[u8], start: usize, each: impl FnMut(Hit<'i>)) {
        self.find(space, |hasher| hasher.bytes(key), start, each);
    }

    /// Looks a key up in every layer. Layers that were built for each other share a secret, so the
    /// key is hashed once.
    fn find<'i>(
        &'i self,
        space: Space,
        hash: impl Fn(&Hasher) -> Hash,
        start: usize,
        mut each: impl FnMut(Hit<'i>),
    ) {
        let mut hashed = None;
        for layer in &self.layers {
            let snapshot = &layer.snapshot;
            if snapshot.table(space).len() == 0 {
                continue;
            }
            let secret = snapshot.hasher().secret();
            let hash = match hashed {
                Some((by, hash)) if by == secret => hash,
                Some(_) | None => hash(snapshot.hasher()),
            };
            hashed = Some((secret, hash));
            snapshot.find(space, hash, |owner| {
                if owner < snapshot.owners() && layer.holds(owner) {
                    each(Hit {
                        layer,
                        owner_at: owner.saturating_add(layer.first),
                        start,
                    });
                }
            });
        }
    }

    fn net_hit<'i>(&'i self, len: u8, owner_at: u32, mut each: impl FnMut(Hit<'i>)) {
        let layer = self.layers.iter().rfind(|layer| layer.first <= owner_at);
        if let Some(layer) = layer {
            each(Hit {
                layer,
                owner_at,
                start: usize::from(len),
            });
        }
    }
}
