//! Enforcement by an XDP program (`ebpf/shield.bpf.c`), pinned so that it outlives this process.
//!
//! A shield that is killed leaves program and leases in the kernel: what it blocked stays blocked until each lease
//! runs out, and then nothing is. The next shield takes over the pinned maps and link; the program is replaced
//! without a gap when its object has changed, and when the layout of the maps has changed too, live leases are
//! copied to new ones. [`detach`] leaves nothing behind.

mod layout;
mod maps;
mod pins;
mod program;

use std::collections::BTreeSet;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aya::programs::links::PinnedLink;
use ipnet::IpNet;
use packet::FiveTuple;

use self::maps::Maps;
use self::pins::Pins;
use self::program::{Program, standing_link};
use super::book::{self, Book};
use super::error::kernel;
use super::{Counters, EnforceError, Enforcer, Hits, Key, Lease, Mode, PROTECTED_MAX};
use crate::clock;
use crate::interface::{ARPHRD_ETHER, ARPHRD_LOOPBACK, Attached, Interface};
use crate::privilege::{self, Capability};

pub use self::program::OBJECT_SHA256;

/// Where the program shall run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// In the driver if it can, else in the network stack.
    #[default]
    Auto,
    /// In the driver, or fail.
    Native,
    /// In the network stack.
    Generic,
}

impl Wanted {
    fn allows(self, attached: Attached) -> bool {
        match self {
            Self::Auto => true,
            Self::Native => !attached.generic,
            Self::Generic => attached.generic,
        }
    }
}

/// How to enforce.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the program shall run. A running one is kept where it is under [`Wanted::Auto`].
    pub mode: Wanted,
    /// Folder for pins; a BPF file system is mounted there, or at /sys/fs/bpf if it lies below, when there is none.
    pub pin_dir: PathBuf,
    /// Most leases; maps that are taken over keep theirs. About 200 bytes of kernel memory each.
    pub leases_max: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Wanted::Auto,
            pin_dir: PathBuf::from("/sys/fs/bpf/shieldwall"),
            leases_max: 65_536,
        }
    }
}

/// Enforces on one interface. Dropping it leaves program and leases in the kernel; see [`detach`].
#[derive(Debug)]
pub struct XdpEnforcer {
    mode: Mode,
    maps: Maps,
    book: Book,
    protected: BTreeSet<IpNet>,
    taken_over: bool,
    /// Keeps a second shield off the interface as long as this process lives.
    _lock: UnixDatagram,
}

impl XdpEnforcer {
    /// Enforces on `interface` of this thread's network namespace, taking over what an earlier shield pinned.
    /// Needs CAP_NET_ADMIN, CAP_PERFMON and CAP_BPF.
    ///
    /// # Errors
    /// [`EnforceError::Foreign`] when somebody else's program is there (it is left alone), [`EnforceError::Busy`]
    /// when another shield is, and what [`EnforceError`] names else.
    pub fn attach(interface: &str, options: &Options) -> Result<Self, EnforceError> {
        privilege::require(&[Capability::NetAdmin, Capability::PerfMon, Capability::Bpf]).map_err(
            |missing| EnforceError::Privilege {
                interface: interface.into(),
                missing,
            },
        )?;
        let found = ethernet(interface)?;
        let lock = lock(interface, found.index)?;
        let pins = Pins::of(&options.pin_dir, interface)?;
        pins.prepare()?;
        let link = standing_link(&pins, &found)?;
        if let (None, Some(foreign)) = (&link, found.xdp) {
            let interface = interface.into();
            return Err(EnforceError::Foreign {
                interface,
                program_id: foreign.program_id,
            });
        }
        let link = match found.xdp {
            Some(attached) if !options.mode.allows(attached) => {
                drop(link);
                tracing::info!(
                    interface,
                    "the program runs in another mode; taking it off first"
                );
                unlink(&pins, interface)?;
                None
            }
            _ => link,
        };
        let taken_over = link.is_some();
        let (maps, book) = bring_up(&pins, &found, link, options)?;
        let mode = match ethernet(interface)?.xdp {
            Some(attached) if attached.generic => Mode::XdpGeneric,
            _ => Mode::XdpNative,
        };
        let protected = maps.protected()?;
        maps.set_protected_counts(&protected);
        tracing::info!(interface, %mode, taken_over, object = OBJECT_SHA256, "enforcing");
        Ok(Self {
            mode,
            maps,
            book,
            protected,
            taken_over,
            _lock: lock,
        })
    }

    /// Whether an earlier shield's program was on the interface and was taken over.
    #[must_use]
    pub fn taken_over(&self) -> bool {
        self.taken_over
    }
}

impl Enforcer for XdpEnforcer {
    fn mode(&self) -> Mode {
        self.mode.clone()
    }

    /// One system call, besides shared memory.
    fn install(&mut self, lease: &Lease) -> Result<(), EnforceError> {
        install(&mut self.maps, &mut self.book, lease)
    }

    fn remove(&mut self, key: &Key) -> Result<bool, EnforceError> {
        let key = key.canonical();
        if self.book.get(&key).is_none() {
            return Ok(false);
        }
        self.maps.delete_lease(&key)?;
        if self.book.remove(&key) == Some(true) {
            self.maps.set_lengths(self.book.lengths());
        }
        Ok(true)
    }

    /// No system call.
    fn hits(&mut self, key: &Key) -> Result<Option<Hits>, EnforceError> {
        let entry = self.book.get(&key.canonical());
        Ok(entry.map(|entry| self.maps.hits(entry.slot)))
    }

    /// No system call.
    fn leases(&mut self) -> Result<Vec<(Lease, Hits)>, EnforceError> {
        let entries = self.book.entries();
        Ok(entries
            .map(|entry| (entry.lease, self.maps.hits(entry.slot)))
            .collect())
    }

    fn protect(&mut self, networks: &[IpNet]) -> Result<(), EnforceError> {
        let wanted: BTreeSet<IpNet> = networks.iter().map(IpNet::trunc).collect();
        for is_v4 in [true, false] {
            let count = wanted
                .iter()
                .filter(|one| matches!(one, IpNet::V4(_)) == is_v4)
                .count();
            if count > PROTECTED_MAX {
                return Err(EnforceError::Full {
                    what: "the protected set",
                    max: PROTECTED_MAX,
                });
            }
        }
        let old = std::mem::take(&mut self.protected);
        self.protected = old.union(&wanted).copied().collect();
        self.maps.set_protected_counts(&self.protected);
        for &network in wanted.difference(&old) {
            self.maps.protect(network)?;
        }
        for &network in old.difference(&wanted) {
            self.maps.unprotect(network)?;
        }
        self.maps.set_protected_counts(&wanted);
        self.protected = wanted;
        Ok(())
    }

    fn exempt(&mut self, session: &FiveTuple, until_ns: u64) -> Result<(), EnforceError> {
        self.maps.exempt(session, until_ns)
    }

    fn unexempt(&mut self, session: &FiveTuple) {
        if let Err(error) = self.maps.unexempt(session) {
            tracing::warn!(%error, "an exemption stays until it runs out");
        }
    }

    fn sweep(&mut self, now_ns: u64) -> Result<usize, EnforceError> {
        let expired = self.book.expired(now_ns);
        let mut lengths_changed = false;
        for key in &expired {
            self.maps.delete_lease(key)?;
            lengths_changed |= self.book.remove(key) == Some(true);
        }
        if lengths_changed {
            self.maps.set_lengths(self.book.lengths());
        }
        Ok(expired.len())
    }

    fn counters(&mut self) -> Counters {
        self.maps.counters()
    }
}

/// Ends all enforcement on `interface`: no program, no leases, no pins; false if there was nothing.
///
/// Works beside a running shield, and after the interface is gone.
///
/// # Errors
/// A pin could not be removed.
pub fn detach(interface: &str, pin_dir: &Path) -> Result<bool, EnforceError> {
    let pins = Pins::of(pin_dir, interface)?;
    unlink(&pins, interface)?;
    pins.remove()
}

/// What is enforced on one interface.
pub type Standing = (String, Vec<(Lease, Hits)>);

/// What all shields that pin below `pin_dir` enforce, by interface, live or not; reads only.
///
/// # Errors
/// A pinned map could not be read.
pub fn standing(pin_dir: &Path) -> Result<Vec<Standing>, EnforceError> {
    let mut standing = Vec::new();
    for (interface, pins) in Pins::all(pin_dir) {
        let maps = Maps::open(&pins.maps())?;
        let (entries, _) = maps.recover()?;
        let leases = entries
            .iter()
            .map(|entry| (entry.lease, maps.hits(entry.slot)));
        standing.push((interface, leases.collect()));
    }
    Ok(standing)
}

/// Removes the pin that keeps the program on the interface, and waits until the kernel has taken it off.
fn unlink(pins: &Pins, interface: &str) -> Result<(), EnforceError> {
    const WAIT_MAX: u32 = 400;
    let path = pins.link();
    let look = || Interface::named(interface).map_err(kernel("interface look-up"));
    let Some(found) = look()? else { return Ok(()) };
    let Some(link) = standing_link(pins, &found)? else {
        return Ok(());
    };
    std::fs::remove_file(&path).map_err(pins::pin(&path, "removing"))?;
    drop(link);
    for _ in 0..WAIT_MAX {
        if look()?.and_then(|now| now.xdp) != found.xdp {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(kernel("taking the XDP program off")(
        "another process holds its link",
    ))
}

fn ethernet(interface: &str) -> Result<Interface, EnforceError> {
    let found = Interface::named(interface).map_err(kernel("interface look-up"))?;
    let found = found.ok_or_else(|| EnforceError::NoInterface(interface.into()))?;
    if matches!(found.hardware, ARPHRD_ETHER | ARPHRD_LOOPBACK) {
        return Ok(found);
    }
    Err(EnforceError::NotEthernet {
        interface: interface.into(),
        hardware: found.hardware,
    })
}

/// A socket name that exists once per network namespace and interface, and goes with its process.
///
/// A process that was just forked holds copies of its parent's sockets until it executes: hence a few tries.
fn lock(interface: &str, index: u32) -> Result<UnixDatagram, EnforceError> {
    const TRIES_MAX: u32 = 20;
    let name = format!("shieldwall-xdp-{index}");
    let address = SocketAddr::from_abstract_name(name).map_err(kernel("naming the lock"))?;
    for _ in 0..TRIES_MAX {
        match UnixDatagram::bind_addr(&address) {
            Ok(socket) => return Ok(socket),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(kernel("taking the lock")(error)),
        }
    }
    Err(EnforceError::Busy(interface.into()))
}

/// Maps and book of a program on the interface: the one that is there if it is ours and current, else a new one.
fn bring_up(
    pins: &Pins,
    found: &Interface,
    link: Option<PinnedLink>,
    options: &Options,
) -> Result<(Maps, Book), EnforceError> {
    let others = pins.other_maps();
    if link.is_some() && others.is_empty() {
        match Maps::open(&pins.maps()) {
            Ok(maps) if maps.object() == program::object() => return recover(maps),
            Ok(_) => tracing::info!("another object of the same layout runs; replacing it"),
            Err(error) => tracing::warn!(%error, "pinned maps cannot be opened; making new ones"),
        }
    }
    let mut program = Program::load(&pins.maps(), options.leases_max)?;
    let (mut maps, mut book) = recover(Maps::open(&pins.maps())?)?;
    for folder in &others {
        copy_leases(folder, &mut maps, &mut book);
    }
    match link {
        Some(link) => program.replace(link)?,
        None => program.attach(found, options.mode, pins)?,
    }
    maps.set_object(program::object());
    for folder in others {
        std::fs::remove_dir_all(&folder).map_err(pins::pin(&folder, "removing"))?;
    }
    Ok((maps, book))
}

/// Books what the table of leases holds; what cannot be booked is removed from it.
fn recover(mut maps: Maps) -> Result<(Maps, Book), EnforceError> {
    let (entries, strangers) = maps.recover()?;
    let (book, left_out) = Book::recover(maps.leases_max(), entries);
    for key in &strangers {
        maps.delete_lease_key(key)?;
    }
    for key in &left_out {
        maps.delete_lease(key)?;
    }
    maps.set_lengths(book.lengths());
    Ok((maps, book))
}

/// Copies live leases of another layout's maps, as far as they can be read; their hits begin anew.
fn copy_leases(folder: &Path, maps: &mut Maps, book: &mut Book) {
    let read = maps::open_leases(folder).and_then(|leases| maps::read_leases(&leases));
    let entries = match read {
        Ok((entries, _strangers)) => entries,
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "leases of another version end now");
            return;
        }
    };
    let live = entries
        .iter()
        .filter(|entry| install(maps, book, &entry.lease).is_ok())
        .count();
    tracing::info!(
        live,
        of = entries.len(),
        "took leases over from another version"
    );
}

fn install(maps: &mut Maps, book: &mut Book, lease: &Lease) -> Result<(), EnforceError> {
    let now = clock::mono_ns();
    book::check(lease, now)?;
    let lease = Lease {
        key: lease.key.canonical(),
        ..*lease
    };
    let place = book.place(&lease.key, now)?;
    if place.fresh {
        maps.zero_slot(place.slot);
    }
    maps.put_lease(&lease, place.slot)?;
    if book.insert(lease, place)? {
        maps.set_lengths(book.lengths());
    }
    Ok(())
}
