//! The book of leases: what is installed, where its counters are, and which prefix lengths are in use.
//! No system calls; the enforcers keep the kernel in step with it.

use std::collections::{BTreeMap, VecDeque};

use ipnet::IpNet;

use super::{Action, EnforceError, Key, LEASE_MAX_NS, LENGTHS_MAX, Lease};

/// Checks what no enforcer may carry out.
///
/// A prefix of length 0 would close the network, and a lease without a near end would stay for ever.
pub(super) fn check(lease: &Lease, now_ns: u64) -> Result<(), EnforceError> {
    let refused = |why| Err(EnforceError::Refused(why));
    if lease.key.source.prefix_len() == 0 {
        return refused("a prefix of length 0 would close the network");
    }
    if lease.key.service.is_some_and(|service| service.proto == 0) {
        return refused("a service needs a protocol; leave the service out to mean all packets");
    }
    if matches!(
        lease.action,
        Action::RateLimit {
            packets_per_s: 0,
            ..
        }
    ) {
        return refused("a rate limit of 0 packets a second is a drop; ask for that");
    }
    if lease.expires_ns <= now_ns {
        return refused("it has run out already");
    }
    if lease.expires_ns.saturating_sub(now_ns) > LEASE_MAX_NS {
        return refused("it would last longer than a day");
    }
    Ok(())
}

/// A lease and the slot of its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) lease: Lease,
    pub(super) slot: u32,
}

/// Where a lease goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: u32,
    /// The counters belong to nobody yet and must be zeroed.
    pub(super) fresh: bool,
}

/// All leases of one enforcer.
#[derive(Debug)]
pub(super) struct Book {
    entries: BTreeMap<Key, Entry>,
    slots: Slots,
    lengths: Lengths,
}

impl Book {
    pub(super) fn new(leases_max: u32) -> Self {
        Self {
            entries: BTreeMap::new(),
            slots: Slots {
                max: leases_max,
                unused: 0,
                freed: VecDeque::new(),
            },
            lengths: Lengths::default(),
        }
    }

    /// The book of leases found in a kernel map; entries that share a slot or lie outside are left out
    /// and returned.
    pub(super) fn recover(leases_max: u32, found: Vec<Entry>) -> (Self, Vec<Key>) {
        let mut book = Self::new(leases_max);
        let mut left_out = Vec::new();
        let mut taken = vec![false; usize::try_from(leases_max).unwrap_or(0)];
        for entry in found {
            let slot = usize::try_from(entry.slot)
                .ok()
                .and_then(|at| taken.get_mut(at));
            match slot {
                Some(taken) if !*taken && book.lengths.add(&entry.lease.key).is_ok() => {
                    *taken = true;
                    book.entries.insert(entry.lease.key, entry);
                }
                _ => left_out.push(entry.lease.key),
            }
        }
        let free = (0..leases_max).zip(&taken).filter(|&(_, &taken)| !taken);
        book.slots = Slots {
            max: leases_max,
            unused: leases_max,
            freed: free.map(|(slot, _)| slot).collect(),
        };
        (book, left_out)
    }

    /// The slot for a lease that is about to be installed: that of a live one with the same key, or a free one.
    /// Nothing is booked before [`Book::insert`].
    pub(super) fn place(&self, key: &Key, now_ns: u64) -> Result<Place, EnforceError> {
        if let Some(entry) = self.entries.get(key) {
            let fresh = entry.lease.expires_ns <= now_ns;
            return Ok(Place {
                slot: entry.slot,
                fresh,
            });
        }
        self.lengths.room(key)?;
        let slot = self.slots.peek().ok_or_else(|| EnforceError::Full {
            what: "the table of leases",
            max: usize::try_from(self.slots.max).unwrap_or(usize::MAX),
        })?;
        Ok(Place { slot, fresh: true })
    }

    /// Books a lease at its place; returns whether its prefix length is new in use.
    pub(super) fn insert(&mut self, lease: Lease, place: Place) -> Result<bool, EnforceError> {
        let entry = Entry {
            lease,
            slot: place.slot,
        };
        if self.entries.insert(lease.key, entry).is_some() {
            return Ok(false);
        }
        self.slots.take(place.slot);
        self.lengths.add(&lease.key)
    }

    /// Takes a lease out; returns whether its prefix length is no longer in use.
    pub(super) fn remove(&mut self, key: &Key) -> Option<bool> {
        let entry = self.entries.remove(key)?;
        self.slots.freed.push_back(entry.slot);
        Some(self.lengths.sub(key))
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(super) fn expired(&self, now_ns: u64) -> Vec<Key> {
        let expired = self
            .entries
            .values()
            .filter(|entry| entry.lease.expires_ns <= now_ns);
        expired.map(|entry| entry.lease.key).collect()
    }

    pub(super) fn lengths(&self) -> &Lengths {
        &self.lengths
    }
}

/// Slots of counters. A freed one is used again as late as possible, so that a packet that was being judged by
/// the old lease does not count for the new one.
#[derive(Debug)]
struct Slots {
    max: u32,
    /// Slots from here on were never used.
    unused: u32,
    freed: VecDeque<u32>,
}

impl Slots {
    fn peek(&self) -> Option<u32> {
        if self.unused < self.max {
            Some(self.unused)
        } else {
            self.freed.front().copied()
        }
    }

    fn take(&mut self, slot: u32) {
        if slot == self.unused {
            self.unused = self.unused.saturating_add(1);
        } else if self.freed.front() == Some(&slot) {
            self.freed.pop_front();
        }
    }
}

/// Which packets a lease is about; the order is that of the program's look-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Service,
    Protocol,
    Any,
}

impl Kind {
    pub(super) fn of(key: &Key) -> Self {
        match key.service {
            Some(service) if service.port != 0 => Self::Service,
            Some(_) => Self::Protocol,
            None => Self::Any,
        }
    }
}

/// How many leases use each prefix length, by family and kind.
#[derive(Debug, Default)]
pub(super) struct Lengths(BTreeMap<(bool, u8, Kind), u32>);

impl Lengths {
    /// Whether leases of this family, kind and length exist.
    pub(super) fn in_use(&self) -> impl Iterator<Item = (bool, Kind, u8)> {
        self.0
            .keys()
            .map(|&(is_v6, length, kind)| (is_v6, kind, length))
    }

    fn room(&self, key: &Key) -> Result<(), EnforceError> {
        let is_v6 = is_v6(key);
        let mut used: Vec<_> = self
            .0
            .keys()
            .filter(|used| used.0 == is_v6)
            .map(|used| used.1)
            .collect();
        used.dedup();
        if used.len() < LENGTHS_MAX || used.contains(&key.source.prefix_len()) {
            return Ok(());
        }
        Err(EnforceError::Full {
            what: "the list of prefix lengths in use",
            max: LENGTHS_MAX,
        })
    }

    fn add(&mut self, key: &Key) -> Result<bool, EnforceError> {
        self.room(key)?;
        let count = self.0.entry(slot_of(key)).or_insert(0);
        *count = count.saturating_add(1);
        Ok(*count == 1)
    }

    fn sub(&mut self, key: &Key) -> bool {
        let at = slot_of(key);
        let left = self.0.get(&at).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            self.0.remove(&at);
        } else {
            self.0.insert(at, left);
        }
        left == 0
    }
}

fn slot_of(key: &Key) -> (bool, u8, Kind) {
    (is_v6(key), key.source.prefix_len(), Kind::of(key))
}

pub(super) fn is_v6(key: &Key) -> bool {
    matches!(key.source, IpNet::V6(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforce::Service;

    const NOW: u64 = 1_000;

    fn lease(source: &str) -> Lease {
        let key = Key {
            source: source.parse().unwrap(),
            service: None,
        };
        Lease {
            key,
            action: Action::Drop,
            expires_ns: NOW + 10,
            reason: 0,
        }
    }

    fn book_in(book: &mut Book, lease: Lease) -> Place {
        let place = book.place(&lease.key, NOW).unwrap();
        book.insert(lease, place).unwrap();
        place
    }

    #[test]
    fn leases_that_break_a_rule_are_refused() {
        let good = lease("192.0.2.1/32");
        check(&good, NOW).unwrap();
        let service = Some(Service { proto: 0, port: 80 });
        let rate = Action::RateLimit {
            packets_per_s: 0,
            burst: 1,
        };
        for bad in [
            lease("0.0.0.0/0"),
            lease("::/0"),
            Lease {
                key: Key {
                    service,
                    ..good.key
                },
                ..good
            },
            Lease {
                action: rate,
                ..good
            },
            Lease {
                expires_ns: NOW,
                ..good
            },
            Lease {
                expires_ns: NOW + LEASE_MAX_NS + 1,
                ..good
            },
        ] {
            assert!(
                matches!(check(&bad, NOW), Err(EnforceError::Refused(_))),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_live_lease_keeps_its_slot_and_counters_and_an_expired_one_its_slot() {
        let mut book = Book::new(4);
        let first = book_in(&mut book, lease("192.0.2.1/32"));
        assert_eq!(
            first,
            Place {
                slot: 0,
                fresh: true
            }
        );
        let key = lease("192.0.2.1/32").key;
        assert_eq!(
            book.place(&key, NOW).unwrap(),
            Place {
                slot: 0,
                fresh: false
            }
        );
        assert_eq!(
            book.place(&key, NOW + 10).unwrap(),
            Place {
                slot: 0,
                fresh: true
            }
        );
        assert_eq!(book.place(&lease("192.0.2.2/32").key, NOW).unwrap().slot, 1);
    }

    #[test]
    fn freed_slots_are_used_again_last() {
        let mut book = Book::new(3);
        book_in(&mut book, lease("192.0.2.1/32"));
        book_in(&mut book, lease("192.0.2.2/32"));
        book.remove(&lease("192.0.2.1/32").key).unwrap();
        assert_eq!(book_in(&mut book, lease("192.0.2.3/32")).slot, 2);
        assert_eq!(book_in(&mut book, lease("192.0.2.4/32")).slot, 0);
        let full = book.place(&lease("192.0.2.5/32").key, NOW);
        assert!(matches!(full, Err(EnforceError::Full { max: 3, .. })));
    }

    #[test]
    fn a_length_is_in_use_as_long_as_one_lease_has_it() {
        let mut book = Book::new(4);
        book_in(&mut book, lease("192.0.2.1/32"));
        book_in(&mut book, lease("192.0.2.2/32"));
        assert_eq!(book.remove(&lease("192.0.2.1/32").key), Some(false));
        assert_eq!(book.remove(&lease("192.0.2.2/32").key), Some(true));
        assert_eq!(book.remove(&lease("192.0.2.2/32").key), None);
        assert_eq!(book.lengths().in_use().count(), 0);
    }

    #[test]
    fn a_family_has_so_many_lengths_and_no_more() {
        let mut book = Book::new(100);
        for length in 1..=16 {
            book_in(&mut book, lease(&format!("0.0.0.0/{length}")));
        }
        let more = book.place(&lease("0.0.0.0/17").key, NOW);
        assert!(matches!(more, Err(EnforceError::Full { max: 16, .. })));
        book.place(&lease("128.0.0.0/16").key, NOW).unwrap();
        book.place(&lease("2001:db8::/17").key, NOW).unwrap();
    }

    #[test]
    fn what_is_recovered_keeps_its_slots_and_twins_are_left_out() {
        let entry = |source, slot| Entry {
            lease: lease(source),
            slot,
        };
        let found = vec![
            entry("192.0.2.1/32", 2),
            entry("192.0.2.2/32", 2),
            entry("192.0.2.3/32", 9),
        ];
        let (mut book, left_out) = Book::recover(4, found);
        assert_eq!(
            left_out,
            [lease("192.0.2.2/32").key, lease("192.0.2.3/32").key]
        );
        let slots: Vec<_> = (4..7)
            .map(|host| book_in(&mut book, lease(&format!("192.0.2.{host}/32"))).slot)
            .collect();
        assert_eq!(slots, [0, 1, 3]);
    }
}
