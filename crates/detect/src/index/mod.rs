//! The indicator index: what partners named, looked up by what a packet carries.
//!
//! An [`Index`] is immutable. It is built beside the packet path by an [`IndexBuilder`] and handed
//! to the detector as an `Arc`, so a new set of indicators replaces the old one by one pointer,
//! at a packet boundary, and no look-up ever waits.

mod domain;
mod keys;
mod prefix;
mod url;

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use packet::FiveTuple;
use stix::StixId;
use stix::lease::Proto;
use stix::pattern::{HashKind, Pattern, Term};

use keys::{Keys, Space};
use prefix::Prefixes;

use crate::verdict::of_packet;

pub use domain::DOMAIN_MAX;
pub use url::URL_MAX;

/// Most keys that one index takes.
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

/// Collects indicators for an [`Index`].
#[derive(Debug, Default)]
pub struct IndexBuilder {
    index: Index,
}

impl IndexBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every term of a pattern under `key`, and says which terms were refused. Terms of a
    /// pattern are alternatives, so those that were taken stand without the others.
    #[must_use = "refused terms are to be counted and listed"]
    pub fn add(&mut self, key: SourceKey, confidence: u8, pattern: &Pattern) -> Vec<Refusal> {
        let Ok(owner) = u32::try_from(self.index.owners.len()) else {
            return vec![Refusal::Full];
        };
        self.index.owners.push(Owner { key, confidence });
        let add = |term| self.index.add(owner, term).err();
        pattern.terms.iter().filter_map(add).collect()
    }

    /// The index, sized to what it holds.
    #[must_use]
    pub fn build(mut self) -> Index {
        self.index.shrink();
        self.index
    }
}

/// An immutable set of indicators.
#[derive(Debug, Default)]
pub struct Index {
    owners: Vec<Owner>,
    marks: Vec<Mark>,
    rules: Vec<Traffic>,
    v4: Prefixes<u32>,
    v6: Prefixes<u128>,
    keys: Keys,
}

/// A key that matched: whose it is, and which bytes of what was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'i> {
    /// Whose indicator.
    pub owner: &'i Owner,
    /// Identifies the indicator within this index.
    pub owner_at: u32,
    /// Where the matching bytes start; for an address the prefix length.
    pub start: usize,
}

/// Which end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The client.
    Source,
    /// The server.
    Destination,
}

impl Index {
    /// How many keys (prefixes, names, URLs, digests) there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4
            .len()
            .saturating_add(self.v6.len())
            .saturating_add(self.keys.len())
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The indicators, in the order in which they were added.
    #[must_use]
    pub fn owners(&self) -> &[Owner] {
        &self.owners
    }

    /// Memory on the heap in bytes, the identifiers' own text not counted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let lists = [
            self.owners.capacity().saturating_mul(size_of::<Owner>()),
            self.marks.capacity().saturating_mul(size_of::<Mark>()),
            self.rules.capacity().saturating_mul(size_of::<Traffic>()),
            self.v4.bytes(),
            self.v6.bytes(),
            self.keys.bytes(),
        ];
        lists.iter().fold(0, |sum, part| sum.saturating_add(*part))
    }

    /// Indicators of an address, whoever it talks to; longest prefix first.
    pub fn address<'i>(&'i self, address: IpAddr, mut each: impl FnMut(Hit<'i>)) {
        self.covering(address, |len, mark| {
            if mark.rule == NONE {
                self.hit(mark, usize::from(len), &mut each);
            }
        });
    }

    /// Indicators of either end of a flow, and of the traffic between them.
    pub fn flow<'i>(&'i self, flow: &FiveTuple, mut each: impl FnMut(End, Hit<'i>)) {
        for (end, address) in [(End::Source, flow.src), (End::Destination, flow.dst)] {
            self.covering(address, |len, mark| {
                if self.rule_matches(mark, end, flow) {
                    self.hit(mark, usize::from(len), |hit| each(end, hit));
                }
            });
        }
    }

    /// Indicators of a domain name or of a parent of it; longest first. `scratch` holds the
    /// name's normal form afterwards, which [`Hit::start`] counts in.
    pub fn domain<'i>(&'i self, name: &[u8], scratch: &mut Vec<u8>, mut each: impl FnMut(Hit<'i>)) {
        if self.keys.len() == 0 || !domain::from_wire(name, scratch) {
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
        if self.keys.len() > 0 && url::from_request(host, target, scratch) {
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

    fn exact<'i>(&'i self, space: Space, key: &[u8], start: usize, each: impl FnMut(Hit<'i>)) {
        let mut each = each;
        if let Some(head) = self.keys.find(space, key) {
            self.chain(head, |mark| self.hit(mark, start, &mut each));
        }
    }

    fn covering(&self, address: IpAddr, mut each: impl FnMut(u8, Mark)) {
        let marks = |len, head| self.chain(head, |mark| each(len, mark));
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.covering(address.to_bits(), marks),
            IpAddr::V6(address) => self.v6.covering(address.to_bits(), marks),
        }
    }

    /// Walks the indicators of one key. The list only ever links backwards, so it ends.
    fn chain(&self, head: u32, mut each: impl FnMut(Mark)) {
        let mut next = head;
        while let Some(mark) = get(&self.marks, next) {
            each(*mark);
            next = mark.next;
        }
    }

    fn hit<'i>(&'i self, mark: Mark, start: usize, mut each: impl FnMut(Hit<'i>)) {
        if let Some(owner) = get(&self.owners, mark.owner) {
            each(Hit {
                owner,
                owner_at: mark.owner,
                start,
            });
        }
    }

    fn rule_matches(&self, mark: Mark, end: End, flow: &FiveTuple) -> bool {
        mark.rule == NONE
            || get(&self.rules, mark.rule).is_some_and(|rule| traffic_matches(rule, end, flow))
    }

    fn add(&mut self, owner: u32, term: &Term) -> Result<(), Refusal> {
        match term {
            Term::Address(net) => self.add_prefix(*net, owner, NONE),
            Term::Domain(name) => {
                let key = domain::from_text(name);
                let key = key.ok_or_else(|| Refusal::NotADomain(name.clone()))?;
                self.add_key(Space::Domain, &key, owner)
            }
            Term::Url(text) => {
                let key = url::from_text(text).filter(|key| key.len() <= URL_MAX);
                let key = key.ok_or_else(|| Refusal::NotAUrl(text.clone()))?;
                self.add_key(Space::Url, &key, owner)
            }
            Term::FileHash { algorithm, value } => {
                let digest = Some(value).filter(|_| *algorithm == HashKind::Sha256);
                let digest = digest.and_then(|text| sha256_of_hex(text));
                let digest = digest.ok_or_else(|| Refusal::NotASha256(value.clone()))?;
                self.add_key(Space::Sha256, &digest, owner)
            }
            Term::Traffic {
                src,
                dst,
                dst_port,
                protocol,
            } => {
                let (src, dst, dst_port, protocol) = (*src, *dst, *dst_port, *protocol);
                self.add_rule(
                    Traffic {
                        src,
                        dst,
                        dst_port,
                        protocol,
                    },
                    owner,
                )
            }
            Term::Ja3(digest) => {
                self.add_key(Space::Ja3, digest.to_ascii_lowercase().as_bytes(), owner)
            }
            Term::Ja4(fingerprint) => self.add_key(Space::Ja4, fingerprint.as_bytes(), owner),
        }
    }

    /// Traffic is found under its source prefix, or its destination prefix when it has none.
    fn add_rule(&mut self, traffic: Traffic, owner: u32) -> Result<(), Refusal> {
        let anchor = traffic.src.or(traffic.dst).ok_or(Refusal::NoAddress)?;
        let at = u32::try_from(self.rules.len()).map_err(|_full| Refusal::Full)?;
        self.rules.push(traffic);
        self.add_prefix(anchor, owner, at)
    }

    fn add_prefix(&mut self, net: IpNet, owner: u32, rule: u32) -> Result<(), Refusal> {
        let net = canonical(net);
        self.room()?;
        let head = match net {
            IpNet::V4(net) if net.prefix_len() >= PREFIX4_MIN => {
                self.v4.slot(net.addr().to_bits(), net.prefix_len(), NONE)
            }
            IpNet::V6(net) if net.prefix_len() >= PREFIX6_MIN => {
                self.v6.slot(net.addr().to_bits(), net.prefix_len(), NONE)
            }
            IpNet::V4(_) | IpNet::V6(_) => return Err(Refusal::TooWide(net)),
        };
        push_mark(&mut self.marks, head, owner, rule);
        Ok(())
    }

    fn add_key(&mut self, space: Space, key: &[u8], owner: u32) -> Result<(), Refusal> {
        self.room()?;
        let head = self.keys.slot(space, key, NONE).ok_or(Refusal::Full)?;
        push_mark(&mut self.marks, head, owner, NONE);
        Ok(())
    }

    fn room(&self) -> Result<(), Refusal> {
        if self.marks.len() < KEYS_MAX {
            Ok(())
        } else {
            Err(Refusal::Full)
        }
    }

    fn shrink(&mut self) {
        self.owners.shrink_to_fit();
        self.marks.shrink_to_fit();
        self.rules.shrink_to_fit();
        self.v4.shrink();
        self.v6.shrink();
        self.keys.shrink();
    }
}

/// End of a list, or no rule.
const NONE: u32 = u32::MAX;

/// One indicator under one key; a key's marks form a list.
#[derive(Clone, Copy, Debug)]
struct Mark {
    owner: u32,
    rule: u32,
    next: u32,
}

/// Traffic between ends.
#[derive(Clone, Copy, Debug)]
struct Traffic {
    src: Option<IpNet>,
    dst: Option<IpNet>,
    dst_port: Option<u16>,
    protocol: Option<Proto>,
}

fn traffic_matches(traffic: &Traffic, found_at: End, flow: &FiveTuple) -> bool {
    let anchor = if traffic.src.is_some() {
        End::Source
    } else {
        End::Destination
    };
    let inside = |net: IpNet, address: IpAddr| canonical(net).contains(&address.to_canonical());
    anchor == found_at
        && traffic.src.is_none_or(|net| inside(net, flow.src))
        && traffic.dst.is_none_or(|net| inside(net, flow.dst))
        && traffic.dst_port.is_none_or(|port| port == flow.dst_port)
        && traffic
            .protocol
            .is_none_or(|protocol| Some(protocol) == of_packet(flow.proto))
}

fn push_mark(marks: &mut Vec<Mark>, head: &mut u32, owner: u32, rule: u32) {
    if let Ok(at) = u32::try_from(marks.len()) {
        marks.push(Mark {
            owner,
            rule,
            next: *head,
        });
        *head = at;
    }
}

/// An IPv4-mapped IPv6 prefix as the IPv4 prefix that it is.
fn canonical(net: IpNet) -> IpNet {
    let mapped = match net {
        IpNet::V6(net) => net
            .addr()
            .to_ipv4_mapped()
            .zip(net.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped
        .and_then(|(address, len)| IpNet::new(IpAddr::V4(address), len).ok())
        .unwrap_or(net)
}

fn sha256_of_hex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    if text.len() != 64 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

fn get<T>(list: &[T], at: u32) -> Option<&T> {
    list.get(usize::try_from(at).ok()?)
}
