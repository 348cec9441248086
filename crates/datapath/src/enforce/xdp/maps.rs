//! The maps of the running program. Leases and sessions are written by system calls, one each; settings and the
//! counters of leases are memory shared with the kernel.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::lpm_trie::{self, LpmTrie};
use aya::maps::{HashMap, Map, MapData, MapError, PerCpuArray};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use packet::FiveTuple;

use super::layout::{LeaseKey, LeaseValue, SessionKey, length_bit, settings, slot};
use crate::enforce::book::{Entry, Lengths};
use crate::enforce::error::kernel;
use crate::enforce::{Counters, EnforceError, Hits, Key, Lease};
use crate::mapping::Mapping;

/// The hash table of leases.
pub(super) type Leases = HashMap<MapData, LeaseKey, LeaseValue>;

/// All maps, opened from their pins.
pub(super) struct Maps {
    leases: Leases,
    leases_max: u32,
    slots: Mapping,
    settings: Mapping,
    protected4: LpmTrie<MapData, [u8; 4], u32>,
    protected6: LpmTrie<MapData, [u8; 16], u32>,
    exempt: HashMap<MapData, SessionKey, u64>,
    counters: PerCpuArray<MapData, u64>,
}

impl std::fmt::Debug for Maps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maps")
            .field("leases_max", &self.leases_max)
            .finish_non_exhaustive()
    }
}

impl Maps {
    pub(super) fn open(folder: &Path) -> Result<Self, EnforceError> {
        let (slots, leases_max) = open_array(folder, "slots", slot::BYTES)?;
        let (settings, _one) = open_array(folder, "settings", settings::BYTES)?;
        Ok(Self {
            leases: open_leases(folder)?,
            leases_max,
            slots,
            settings,
            protected4: open(folder, "protected4")?
                .try_into()
                .map_err(kernel("map protected4"))?,
            protected6: open(folder, "protected6")?
                .try_into()
                .map_err(kernel("map protected6"))?,
            exempt: open(folder, "exempt")?
                .try_into()
                .map_err(kernel("map exempt"))?,
            counters: open(folder, "counters")?
                .try_into()
                .map_err(kernel("map counters"))?,
        })
    }

    pub(super) fn leases_max(&self) -> u32 {
        self.leases_max
    }

    /// Which object runs, as [`Maps::set_object`] noted it; 0: none yet.
    pub(super) fn object(&self) -> u64 {
        load(self.settings.word(settings::OBJECT))
    }

    pub(super) fn set_object(&self, object: u64) {
        store(self.settings.word(settings::OBJECT), object);
    }

    /// What the table of leases holds, and keys that no loader of this layout can have written.
    pub(super) fn recover(&self) -> Result<(Vec<Entry>, Vec<LeaseKey>), EnforceError> {
        read_leases(&self.leases)
    }

    /// One system call.
    pub(super) fn put_lease(&mut self, lease: &Lease, slot: u32) -> Result<(), EnforceError> {
        let value = LeaseValue::of(lease, slot);
        self.leases
            .insert(LeaseKey::of(&lease.key), value, 0)
            .map_err(kernel("installing a lease"))
    }

    pub(super) fn delete_lease(&mut self, key: &Key) -> Result<(), EnforceError> {
        self.delete_lease_key(&LeaseKey::of(key))
    }

    pub(super) fn delete_lease_key(&mut self, key: &LeaseKey) -> Result<(), EnforceError> {
        absent_is_fine(self.leases.remove(key)).map_err(kernel("removing a lease"))
    }

    /// Makes the program look at the prefix lengths in use, and at no others.
    pub(super) fn set_lengths(&self, lengths: &Lengths) {
        let mut words = [0_u64; 12];
        for (is_v6, kind, length) in lengths.in_use() {
            let Some((half, bit)) = length_bit(length) else {
                continue;
            };
            let family = if is_v6 { 6 } else { 0 };
            let at = (kind as usize)
                .saturating_mul(2)
                .saturating_add(half)
                .saturating_add(family);
            if let Some(word) = words.get_mut(at) {
                *word |= bit;
            }
        }
        for (at, word) in words.into_iter().enumerate() {
            let offset = at.saturating_mul(8).saturating_add(settings::LENGTHS);
            store(self.settings.word(offset), word);
        }
    }

    pub(super) fn hits(&self, slot: u32) -> Hits {
        Hits {
            hits: load(self.slot_word(slot, slot::HITS)),
            drops: load(self.slot_word(slot, slot::DROPS)),
            first_hit_ns: load(self.slot_word(slot, slot::FIRST_HIT)),
            first_drop_ns: load(self.slot_word(slot, slot::FIRST_DROP)),
        }
    }

    pub(super) fn zero_slot(&self, slot: u32) {
        for word in [
            slot::HITS,
            slot::DROPS,
            slot::FIRST_HIT,
            slot::FIRST_DROP,
            slot::DUE,
        ] {
            store(self.slot_word(slot, word), 0);
        }
    }

    pub(super) fn protected(&self) -> Result<BTreeSet<IpNet>, EnforceError> {
        let mut networks = BTreeSet::new();
        for key in self.protected4.keys() {
            let key = key.map_err(kernel("reading protected networks"))?;
            let length = u8::try_from(key.prefix_len()).unwrap_or(u8::MAX);
            networks.extend(Ipv4Net::new(key.data().into(), length).map(IpNet::V4));
        }
        for key in self.protected6.keys() {
            let key = key.map_err(kernel("reading protected networks"))?;
            let length = u8::try_from(key.prefix_len()).unwrap_or(u8::MAX);
            networks.extend(Ipv6Net::new(key.data().into(), length).map(IpNet::V6));
        }
        Ok(networks)
    }

    pub(super) fn protect(&mut self, network: IpNet) -> Result<(), EnforceError> {
        match network {
            IpNet::V4(net) => self.protected4.insert(&key4(net), 1, 0),
            IpNet::V6(net) => self.protected6.insert(&key6(net), 1, 0),
        }
        .map_err(kernel("protecting a network"))
    }

    pub(super) fn unprotect(&mut self, network: IpNet) -> Result<(), EnforceError> {
        let removed = match network {
            IpNet::V4(net) => self.protected4.remove(&key4(net)),
            IpNet::V6(net) => self.protected6.remove(&key6(net)),
        };
        absent_is_fine(removed).map_err(kernel("lifting the protection of a network"))
    }

    /// Tells the program whether it has to look at the protected networks of each family at all.
    pub(super) fn set_protected_counts(&self, networks: &BTreeSet<IpNet>) {
        let v4 = networks
            .iter()
            .filter(|network| matches!(network, IpNet::V4(_)))
            .count();
        let v6 = networks.len().saturating_sub(v4);
        for (offset, count) in [(settings::PROTECTED4, v4), (settings::PROTECTED6, v6)] {
            store(
                self.settings.word(offset),
                u64::try_from(count).unwrap_or(u64::MAX),
            );
        }
    }

    pub(super) fn exempt(
        &mut self,
        session: &FiveTuple,
        until_ns: u64,
    ) -> Result<(), EnforceError> {
        for key in both(session)? {
            self.exempt
                .insert(key, until_ns, 0)
                .map_err(kernel("exempting a session"))?;
        }
        if let Some(word) = self.settings.word(settings::EXEMPT_UNTIL) {
            word.fetch_max(until_ns, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn unexempt(&mut self, session: &FiveTuple) -> Result<(), EnforceError> {
        for key in both(session)? {
            absent_is_fine(self.exempt.remove(&key)).map_err(kernel("ending an exemption"))?;
        }
        Ok(())
    }

    pub(super) fn counters(&self) -> Counters {
        let read = |cause: u32| -> u64 {
            let per_cpu = self.counters.get(&cause, 0);
            per_cpu.map_or(0, |values| {
                values.iter().fold(0, |sum, &one| one.saturating_add(sum))
            })
        };
        Counters {
            pass_no_lease: read(0),
            pass_protected: read(1),
            pass_exempt: read(2),
            pass_monitor: read(3),
            pass_within_rate: read(4),
            pass_no_ports: read(5),
            pass_not_ip: read(6),
            pass_neighbour: read(7),
            pass_malformed: read(8),
            drop_lease: read(9),
            drop_over_rate: read(10),
            expired_skipped: read(11),
        }
    }

    fn slot_word(&self, slot: u32, word: usize) -> Option<&AtomicU64> {
        let start = usize::try_from(slot).ok()?.checked_mul(slot::BYTES)?;
        self.slots.word(start.checked_add(word)?)
    }
}

/// Opens the leases in `folder` alone; fails if they are not of this layout.
pub(super) fn open_leases(folder: &Path) -> Result<Leases, EnforceError> {
    open(folder, "leases")?
        .try_into()
        .map_err(kernel("map leases"))
}

/// Reads a table of leases, and the keys in it that no loader of this layout can have written.
pub(super) fn read_leases(leases: &Leases) -> Result<(Vec<Entry>, Vec<LeaseKey>), EnforceError> {
    let (mut entries, mut strangers) = (Vec::new(), Vec::new());
    for pair in leases.iter() {
        let (key, value) = pair.map_err(kernel("reading leases"))?;
        match key.key().and_then(|key| value.entry(key)) {
            Some(entry) => entries.push(entry),
            None => strangers.push(key),
        }
    }
    Ok((entries, strangers))
}

fn open(folder: &Path, name: &'static str) -> Result<Map, EnforceError> {
    let data = MapData::from_pin(folder.join(name)).map_err(kernel("opening a pinned map"))?;
    Map::from_map_data(data).map_err(kernel("opening a pinned map"))
}

/// Maps all elements of an array; returns it with their number.
fn open_array(
    folder: &Path,
    name: &'static str,
    bytes: usize,
) -> Result<(Mapping, u32), EnforceError> {
    let data = MapData::from_pin(folder.join(name)).map_err(kernel("opening a pinned map"))?;
    let info = data.info().map_err(kernel("asking about a pinned map"))?;
    if usize::try_from(info.value_size()).ok() != Some(bytes) {
        return Err(kernel("opening a pinned map")(format!(
            "{name} is not of this layout"
        )));
    }
    let elements = usize::try_from(info.max_entries()).unwrap_or(0);
    let length = elements.saturating_mul(bytes);
    let mapping = Mapping::shared(data.fd().as_fd(), length);
    Ok((
        mapping.map_err(kernel("mapping a pinned map"))?,
        info.max_entries(),
    ))
}

fn key4(network: Ipv4Net) -> lpm_trie::Key<[u8; 4]> {
    lpm_trie::Key::new(u32::from(network.prefix_len()), network.network().octets())
}

fn key6(network: Ipv6Net) -> lpm_trie::Key<[u8; 16]> {
    lpm_trie::Key::new(u32::from(network.prefix_len()), network.network().octets())
}

fn both(session: &FiveTuple) -> Result<[SessionKey; 2], EnforceError> {
    SessionKey::both(session).ok_or(EnforceError::Refused(
        "a session has addresses of different families",
    ))
}

fn absent_is_fine(removed: Result<(), MapError>) -> Result<(), MapError> {
    match removed {
        Err(MapError::KeyNotFound | MapError::ElementNotFound) => Ok(()),
        Err(MapError::SyscallError(error))
            if error.io_error.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(())
        }
        other => other,
    }
}

fn load(word: Option<&AtomicU64>) -> u64 {
    word.map_or(0, |word| word.load(Ordering::Relaxed))
}

fn store(word: Option<&AtomicU64>, value: u64) {
    if let Some(word) = word {
        word.store(value, Ordering::Relaxed);
    }
}
