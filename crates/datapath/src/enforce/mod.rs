//! Where packets are kept out.
//!
//! Every block is a [`Lease`]: it names its end, the kernel checks it, and nobody has to come back to
//! lift it. Failure bias: open. A shield that dies leaves its leases in the kernel, where they run out.

mod book;
pub mod dry_run;
mod error;
pub mod xdp;

use std::fmt;

pub use error::EnforceError;
use ipnet::IpNet;
use packet::FiveTuple;

/// Longest time that a lease may have left when it is installed: one day, nanoseconds.
pub const LEASE_MAX_NS: u64 = 86_400_000_000_000;
/// Most prefix lengths that leases of one address family may have in use at a time.
pub const LENGTHS_MAX: usize = 16;
/// Most sessions exempt at a time; beyond it the kernel forgets those not seen for longest.
pub const EXEMPT_MAX: usize = 32_768;
/// Most protected networks of one address family.
pub const PROTECTED_MAX: usize = 4_096;

/// One service of the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// IP protocol number; 0 is refused.
    pub proto: u8,
    /// Destination port; 0 means every port, or a protocol without ports.
    pub port: u16,
}

/// What a lease is about: packets from a source, to one service or to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// An address or a prefix; bits behind the prefix do not count.
    pub source: IpNet,
    /// `None`: whatever the packet is.
    pub service: Option<Service>,
}

impl Key {
    /// The same key without bits behind the prefix: one way of writing it.
    #[must_use]
    pub fn canonical(&self) -> Self {
        Self {
            source: self.source.trunc(),
            service: self.service,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        match self.service {
            Some(service) => write!(f, " to protocol {} port {}", service.proto, service.port),
            None => Ok(()),
        }
    }
}

/// What happens to packets that a lease matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// They pass and are counted.
    Monitor,
    /// They pass as long as there are not too many.
    RateLimit {
        /// Packets a second in the long run; 0 is refused.
        packets_per_s: u32,
        /// Packets that may come at once after a pause; 0 counts as 1.
        burst: u32,
    },
    /// They are dropped.
    Drop,
}

/// An action on packets until a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Which packets.
    pub key: Key,
    /// What happens to them.
    pub action: Action,
    /// When it ends, CLOCK_MONOTONIC, nanoseconds; at most [`LEASE_MAX_NS`] from now.
    pub expires_ns: u64,
    /// The caller's note of why; kept, not used.
    pub reason: u32,
}

/// What a lease met so far. Times are CLOCK_MONOTONIC, nanoseconds; 0: not yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hits {
    /// Packets that it matched.
    pub hits: u64,
    /// Packets that it dropped.
    pub drops: u64,
    /// When the first matched.
    pub first_hit_ns: u64,
    /// When the first was dropped.
    pub first_drop_ns: u64,
}

/// How packets are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// By the driver, before the network stack sees them.
    XdpNative,
    /// By the network stack, for drivers without XDP; slower.
    XdpGeneric,
    /// Not at all, and why.
    DryRun(Box<str>),
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::XdpNative => f.write_str("XDP native"),
            Self::XdpGeneric => f.write_str("XDP generic"),
            Self::DryRun(why) => write!(f, "dry run ({why})"),
        }
    }
}

/// Packets by what became of them, since the maps were made; the sum of all but `expired_skipped` is every packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Passed: no lease on the source.
    pub pass_no_lease: u64,
    /// Passed: the source is protected.
    pub pass_protected: u64,
    /// Passed: the session is exempt.
    pub pass_exempt: u64,
    /// Passed: the lease only watches.
    pub pass_monitor: u64,
    /// Passed: below the rate limit.
    pub pass_within_rate: u64,
    /// Passed: no lease by address, and no ports to look up services with (fragments, odd headers).
    pub pass_no_ports: u64,
    /// Passed: neither IPv4 nor IPv6.
    pub pass_not_ip: u64,
    /// Passed: IPv6 neighbour discovery on the link, the counterpart of ARP.
    pub pass_neighbour: u64,
    /// Passed: cut short before the addresses.
    pub pass_malformed: u64,
    /// Dropped by a lease.
    pub drop_lease: u64,
    /// Dropped: above the rate limit.
    pub drop_over_rate: u64,
    /// Leases met that had run out; they did nothing.
    pub expired_skipped: u64,
}

/// Something that can keep packets out of one interface.
pub trait Enforcer: Send {
    /// How it judges packets.
    fn mode(&self) -> Mode;

    /// Installs a lease, or changes the one with the same key.
    ///
    /// A live lease that is changed keeps its [`Hits`]; one that had run out begins anew.
    ///
    /// # Errors
    /// [`EnforceError::Refused`] says which rule it breaks, [`EnforceError::Full`] which bound is reached.
    fn install(&mut self, lease: &Lease) -> Result<(), EnforceError>;

    /// Ends a lease now; false if there was none.
    ///
    /// # Errors
    /// The kernel refused.
    fn remove(&mut self, key: &Key) -> Result<bool, EnforceError>;

    /// What a lease met so far; `None` if there is no such lease. Cheap: it may be asked in a loop.
    ///
    /// # Errors
    /// The kernel refused.
    fn hits(&mut self, key: &Key) -> Result<Option<Hits>, EnforceError>;

    /// All leases that are not swept yet.
    ///
    /// # Errors
    /// The kernel refused.
    fn leases(&mut self) -> Result<Vec<(Lease, Hits)>, EnforceError>;

    /// Makes `networks` the protected set: packets from them always pass. Between the old and the new set
    /// both are protected.
    ///
    /// # Errors
    /// [`EnforceError::Full`] above [`PROTECTED_MAX`]; the set is then as before.
    fn protect(&mut self, networks: &[IpNet]) -> Result<(), EnforceError>;

    /// Lets a session (both directions) pass until `until_ns`, CLOCK_MONOTONIC, whatever the leases say. Its
    /// fragments without ports do not count to it. At most [`EXEMPT_MAX`] sessions are kept.
    ///
    /// # Errors
    /// The kernel refused.
    fn exempt(&mut self, session: &FiveTuple, until_ns: u64) -> Result<(), EnforceError>;

    /// Ends an exemption; one that there is not is fine.
    fn unexempt(&mut self, session: &FiveTuple);

    /// Forgets leases that have run out at `now_ns`, CLOCK_MONOTONIC; returns how many. Their hits are gone then.
    ///
    /// # Errors
    /// The kernel refused.
    fn sweep(&mut self, now_ns: u64) -> Result<usize, EnforceError>;

    /// Packets by what became of them.
    fn counters(&mut self) -> Counters;
}
