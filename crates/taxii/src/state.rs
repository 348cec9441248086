//! State reports: what a shield tells its own hub of itself, of its leases and of its verdicts.
//!
//! A report goes to the hub and is shown to the partner that sent it; receipts for others are made
//! from it by policy. All times are UTC at microseconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stix::Timestamp;
use stix::lease::{Action, EvidenceClass, Selector, Service};

use crate::packs::{PACKS_MAX, PackState};

/// Most leases in one report; a shield sends the newest.
pub const LEASES_MAX: usize = 4096;
/// Most refusals in one report; a shield sends the newest.
pub const REFUSALS_MAX: usize = 256;
/// Most verdicts in one report; a shield sends the newest.
pub const VERDICTS_MAX: usize = 256;
/// Most counters in one report.
pub const COUNTERS_MAX: usize = 512;

/// A shield's report of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateReport {
    /// Name of the shield.
    pub shield: String,
    /// When the report was made.
    pub at: Timestamp,
    /// How it enforces: `xdp-native`, `xdp-generic`, `dry-run`, ….
    pub mode: String,
    /// Interface or file that it inspects.
    pub iface: String,
    /// Version of the program.
    pub version: String,
    /// Leases in force or just ended, at most [`LEASES_MAX`].
    #[serde(default)]
    pub leases: Vec<LeaseState>,
    /// What was not installed and why, at most [`REFUSALS_MAX`].
    #[serde(default)]
    pub refused: Vec<Refusal>,
    /// Counters by name.
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
    /// Latest verdicts, at most [`VERDICTS_MAX`].
    #[serde(default)]
    pub verdicts: Vec<VerdictState>,
    /// Packs that run, at most [`PACKS_MAX`]: the material of receipts for who contributed them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packs: Vec<PackState>,
    /// How it stands with the hub.
    pub sync: SyncState,
}

impl StateReport {
    /// Whether the report keeps every `_MAX` of this module; a hub refuses one that does not.
    pub fn within_bounds(&self) -> bool {
        self.leases.len() <= LEASES_MAX
            && self.refused.len() <= REFUSALS_MAX
            && self.verdicts.len() <= VERDICTS_MAX
            && self.counters.len() <= COUNTERS_MAX
            && self.packs.len() <= PACKS_MAX
            && self.packs.iter().all(PackState::within_bounds)
    }
}

/// One lease as the shield sees it: the material of a receipt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeaseState {
    /// Identifier of the object that asked for it.
    pub object: String,
    /// The partner that shared the object.
    pub source: String,
    /// What it matches.
    pub selector: Selector,
    /// At which service; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// What is done: after the shield's own policy, not as asked.
    pub action: Action,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When the frame that brought the object was read; none for the shield's own verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_at: Option<Timestamp>,
    /// When it was in the kernel.
    pub installed_at: Timestamp,
    /// First packet that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_hit_at: Option<Timestamp>,
    /// First packet that was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_drop_at: Option<Timestamp>,
    /// Packets that matched.
    pub hits: u64,
    /// Packets that were dropped.
    pub drops: u64,
    /// Why this action.
    pub why: String,
}

/// An object that asked for a lease and did not get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Identifier of the object.
    pub object: String,
    /// The partner that shared it.
    pub source: String,
    /// What it would have matched, for people.
    pub selector: String,
    /// Why not.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// A verdict of the shield's own detection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictState {
    /// Identifier of the object shared for it, if any was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Microseconds from the first packet of the completing action to the verdict.
    pub detect_us: u64,
    /// Address of the offender, when there is one to name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offender: Option<std::net::IpAddr>,
    /// Detector: `name@version`.
    pub detector: String,
    /// How sure the origin is.
    pub evidence: EvidenceClass,
    /// For people: buffer, what matched, where.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// How a shield stands with its hub.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncState {
    /// Whether the stream is up.
    pub connected: bool,
    /// Cursor of the last frame, as the hub gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Whether the last digest agreed with the shield's own set.
    pub complete: bool,
    /// Signals that wait for the hub.
    pub spooled: u64,
}
