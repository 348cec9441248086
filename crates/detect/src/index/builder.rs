//! Building a snapshot: keys are hashed as they come, and sorted at the end.

use std::net::IpAddr;

use bytes::Bytes;
use ipnet::IpNet;
use stix::pattern::{HashKind, Pattern, Term};

use super::hash::{Hash, Hasher};
use super::nets::{Matches, Net, canonical};
use super::owners::{self, Origins, Records};
use super::snapshot::{HEADER_BYTES, Header, LIST, Snapshot, pad};
use super::table::{self, Entry, Space};
use super::{Index, KEYS_MAX, Refusal, SourceKey, URL_MAX, domain, url};

/// Collects indicators for a [`Snapshot`]. What it holds for each key until then: twenty bytes, and
/// twenty for each indicator.
#[derive(Debug)]
pub struct IndexBuilder {
    hasher: Hasher,
    records: Vec<u8>,
    owners: u32,
    origins: Origins,
    entries: [Vec<Entry>; Space::ALL.len()],
    nets: Vec<Net>,
    keys: usize,
}

impl Default for IndexBuilder {
    fn default() -> Self {
        Self::with(Hasher::drawn())
    }
}

impl IndexBuilder {
    /// An empty builder with a secret of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty builder for what is looked up together with `snapshot`: with the same secret a key
    /// is hashed once for both.
    #[must_use]
    pub fn beside(snapshot: &Snapshot) -> Self {
        Self::with(snapshot.hasher().clone())
    }

    fn with(hasher: Hasher) -> Self {
        Self {
            hasher,
            records: Vec::new(),
            owners: 0,
            origins: Origins::default(),
            entries: Default::default(),
            nets: Vec::new(),
            keys: 0,
        }
    }

    /// Adds every term of a pattern under `key`, and says which terms were refused. Terms of a
    /// pattern are alternatives, so those that were taken stand without the others.
    #[must_use = "refused terms are to be counted and listed"]
    pub fn add(&mut self, key: SourceKey, confidence: u8, pattern: &Pattern) -> Vec<Refusal> {
        let origin = self
            .origins
            .number(&key)
            .filter(|_| self.owners < OWNERS_MAX);
        let Some(origin) = origin else {
            return vec![Refusal::Full];
        };
        let keys_before = self.keys;
        let add = |term| self.term(term).err();
        let refused = pattern.terms.iter().filter_map(add).collect();
        if self.keys > keys_before {
            owners::write(&key, origin, confidence, &mut self.records);
            self.owners = self.owners.saturating_add(1);
        }
        refused
    }

    /// How many keys were taken, each once for every indicator that names it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys
    }

    /// How many indicators there are of which anything was taken.
    #[must_use]
    pub fn owners(&self) -> u32 {
        self.owners
    }

    /// Whether no key was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// The index of this alone.
    #[must_use]
    pub fn build(self) -> Index {
        Index::from(self.snapshot())
    }

    /// What was collected, as a snapshot.
    #[must_use]
    pub fn snapshot(mut self) -> Snapshot {
        let mut lists = Vec::new();
        let mut shapes = [Default::default(); Space::ALL.len()];
        let mut out = vec![0; HEADER_BYTES];
        for ((space, entries), shape) in Space::ALL.iter().zip(&mut self.entries).zip(&mut shapes) {
            let mut entries = std::mem::take(entries);
            join(&mut entries, &mut lists);
            *shape = table::write(*space, &entries, &mut out);
        }
        pad(&mut out);
        for word in &lists {
            out.extend_from_slice(&word.to_le_bytes());
        }
        pad(&mut out);
        for net in &self.nets {
            out.extend_from_slice(&net.to_bytes());
        }
        pad(&mut out);
        let origins = self.origins.bytes();
        out.extend_from_slice(&origins);
        let header = Header {
            secret: self.hasher.secret(),
            counts: [
                self.owners.into(),
                length(&lists),
                length(&self.nets),
                length(&origins),
                owners::checksum(&self.records),
            ],
            shapes,
        };
        header.write(&mut out);
        Snapshot::seal(&mut out);
        out.shrink_to_fit();
        self.records.shrink_to_fit();
        let records = Records::Held(self.records.into());
        let snapshot = Snapshot::parse(Bytes::from(out), records);
        debug_assert!(snapshot.is_ok(), "{snapshot:?}");
        snapshot.unwrap_or_default()
    }

    fn term(&mut self, term: &Term) -> Result<(), Refusal> {
        match term {
            Term::Address(net) => self.address(*net),
            Term::Domain(name) => {
                let key = domain::from_text(name);
                let key = key.ok_or_else(|| Refusal::NotADomain(name.clone()))?;
                self.bytes_key(Space::Domain, &key)
            }
            Term::Url(text) => {
                let key = url::from_text(text).filter(|key| key.len() <= URL_MAX);
                let key = key.ok_or_else(|| Refusal::NotAUrl(text.clone()))?;
                self.bytes_key(Space::Url, &key)
            }
            Term::FileHash { algorithm, value } => {
                let digest = Some(value).filter(|_| *algorithm == HashKind::Sha256);
                let digest = digest.and_then(|text| sha256_of_hex(text));
                let digest = digest.ok_or_else(|| Refusal::NotASha256(value.clone()))?;
                self.bytes_key(Space::Sha256, &digest)
            }
            Term::Traffic {
                src,
                dst,
                dst_port,
                protocol,
            } => self.net(Matches::Traffic {
                src: *src,
                dst: *dst,
                dst_port: *dst_port,
                protocol: *protocol,
            }),
            Term::Ja3(digest) => self.bytes_key(Space::Ja3, digest.to_ascii_lowercase().as_bytes()),
            Term::Ja4(fingerprint) => self.bytes_key(Space::Ja4, fingerprint.as_bytes()),
        }
    }

    fn address(&mut self, net: IpNet) -> Result<(), Refusal> {
        let net = canonical(net);
        if net.prefix_len() < net.max_prefix_len() {
            return self.net(Matches::End(net));
        }
        match net.addr() {
            IpAddr::V4(address) => {
                let hash = self.hasher.ipv4(address);
                self.key(Space::Ipv4, hash)
            }
            IpAddr::V6(address) => self.bytes_key(Space::Ipv6, &address.octets()),
        }
    }

    fn net(&mut self, matches: Matches) -> Result<(), Refusal> {
        let matches = matches.checked()?;
        self.room()?;
        let owner = self.owners;
        self.nets.push(Net { owner, matches });
        Ok(())
    }

    fn bytes_key(&mut self, space: Space, key: &[u8]) -> Result<(), Refusal> {
        let hash = self.hasher.bytes(key);
        self.key(space, hash)
    }

    fn key(&mut self, space: Space, hash: Hash) -> Result<(), Refusal> {
        self.room()?;
        let owner = self.owners;
        if let Some(entries) = self.entries.get_mut(space.at()) {
            entries.push(Entry::new(hash, owner));
        }
        Ok(())
    }

    /// Counts one key more.
    fn room(&mut self) -> Result<(), Refusal> {
        if self.keys >= KEYS_MAX {
            return Err(Refusal::Full);
        }
        self.keys = self.keys.saturating_add(1);
        Ok(())
    }
}

/// Most indicators of one snapshot: each has a key.
const OWNERS_MAX: u32 = LIST - 1;

/// Sorts entries by hash and leaves one of each, whose owner is the indicator or a list of several,
/// the newest first.
fn join(entries: &mut Vec<Entry>, lists: &mut Vec<u32>) {
    entries.sort_unstable_by_key(|entry| (entry.hash(), entry.owner));
    entries.dedup_by_key(|entry| (entry.hash(), entry.owner));
    let (mut kept, mut at) = (0_usize, 0_usize);
    while let Some(entry) = entries.get(at).copied() {
        let rest = entries.get(at..).unwrap_or_default();
        let alike = rest.iter().take_while(|other| other.hash() == entry.hash());
        let owners = alike.count().max(1);
        let alike = rest.get(..owners).unwrap_or_default();
        let owner = match owners {
            1 => entry.owner,
            _ => list(alike, lists).unwrap_or(entry.owner),
        };
        if let Some(slot) = entries.get_mut(kept) {
            *slot = entry;
            slot.owner = owner;
        }
        kept = kept.saturating_add(1);
        at = at.saturating_add(owners);
    }
    entries.truncate(kept);
}

/// Appends a list of owners: their number, and each of them. [`KEYS_MAX`] leaves room for all.
fn list(entries: &[Entry], lists: &mut Vec<u32>) -> Option<u32> {
    let at = u32::try_from(lists.len()).ok().filter(|at| *at < LIST)?;
    lists.push(u32::try_from(entries.len()).ok()?);
    lists.extend(entries.iter().rev().map(|entry| entry.owner));
    Some(at | LIST)
}

fn length<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

fn sha256_of_hex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    if text.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, [high, low]) in digest.iter_mut().zip(text.as_chunks().0) {
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(digest)
}

fn nibble(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use stix::StixId;

    use super::*;

    fn key(number: u32) -> SourceKey {
        SourceKey {
            source: "alpha".into(),
            id: StixId::v5("indicator", &number.to_string()),
        }
    }

    fn address(number: u32) -> Term {
        Term::Address(IpAddr::V4(Ipv4Addr::from_bits(number)).into())
    }

    #[test]
    fn what_there_is_no_room_for_is_refused_and_the_rest_stands() {
        let mut builder = IndexBuilder::new();
        builder.keys = KEYS_MAX - 2;
        let terms = (1..=4).map(address).collect();
        let refused = builder.add(key(1), 50, &Pattern { terms });
        assert_eq!(refused, [Refusal::Full, Refusal::Full]);
        let terms = vec![Term::Address("192.0.2.0/24".parse().unwrap())];
        assert_eq!(builder.add(key(2), 50, &Pattern { terms }), [Refusal::Full]);
        let index = builder.build();
        assert_eq!(index.len(), 2);
    }

    #[test]
    fn owners_of_a_key_are_told_once_each_the_newest_first() {
        let mut builder = IndexBuilder::new();
        for (owner, terms) in [(1, vec![7, 7]), (2, vec![8]), (3, vec![8, 7])] {
            let terms = terms.into_iter().map(address).collect();
            assert_eq!(builder.add(key(owner), 50, &Pattern { terms }), []);
        }
        let index = builder.build();
        assert_eq!(index.len(), 2);
        let mut owners = Vec::new();
        for number in [7, 8] {
            let address = Ipv4Addr::from_bits(number).into();
            index.address(address, |hit| owners.push(hit.owner().unwrap().key));
        }
        assert_eq!(owners, [3, 1, 3, 2].map(key));
    }

    #[test]
    fn an_indicator_of_which_nothing_was_taken_takes_nothing() {
        let mut builder = IndexBuilder::new();
        let terms = vec![Term::Domain("com".into())];
        assert_eq!(builder.add(key(1), 50, &Pattern { terms }).len(), 1);
        assert!(builder.is_empty());
        assert_eq!(builder.snapshot().owners(), 0);
    }

    #[test]
    fn digests_are_read_in_either_case_and_nothing_else_is() {
        let text = format!("{}{}", "aB".repeat(16), "09".repeat(16));
        let digest = sha256_of_hex(&text).unwrap();
        assert_eq!((digest[0], digest[16]), (0xab, 0x09));
        for wrong in ["ab", &"g0".repeat(32), &"+1".repeat(32), &"ab".repeat(33)] {
            assert_eq!(sha256_of_hex(wrong), None, "{wrong}");
        }
    }
}
