//! Bounds and timeouts of a sensor.

use crate::applayer::Options;
use crate::decode::{self, Vlans};
use crate::defrag;
use crate::file::Digests;
use crate::flow::Scope;
use crate::settings::Settings;

/// Configuration of a [`Sensor`](super::Sensor). Each bound is counted in
/// [`Counters`](super::Counters) when hit.
#[derive(Debug, Clone)]
pub struct Config {
    /// Most flows at a time; the longest idle of the least valuable class leaves when one more
    /// comes.
    pub flows_max: usize,
    /// Most out-of-order segments kept for each direction of a flow.
    pub segments_max: usize,
    /// Most out-of-order bytes kept for each direction of a flow.
    pub segment_bytes_max: usize,
    /// Most bytes kept for all flows: out-of-order segments and heads of messages that are not
    /// complete.
    pub stream_bytes_max: usize,
    /// Most bytes of an unfinished message that an application-layer parser keeps for each
    /// direction.
    pub head_bytes_max: usize,
    /// Most transactions of one flow that wait for their answer (HTTP pipelining).
    pub pending_max: usize,
    /// When idle flows leave.
    pub timeouts: Timeouts,
    /// Key of the flow table's hash: give random numbers, senders choose addresses and ports.
    pub seed: [u64; 2],
    /// Flows are numbered from the one after this, so that logs of several sensors can be told
    /// apart.
    pub flow_ids_after: u64,
    /// Drop packets with a wrong checksum. Off where the network card fills checksums in after the
    /// capture.
    pub verify_checksums: bool,
    /// With `verify_checksums`: TCP and UDP packets with a wrong checksum are counted in their flow,
    /// but not read (`stream.checksum-validation`).
    pub verify_streams: bool,
    /// What the decoder looks for.
    pub decode: decode::Options,
    /// Bounds, timeouts and policies of defragmentation.
    pub defrag: defrag::Options,
    /// What keeps flows of the same ends apart.
    pub tracking: Tracking,
    /// The sensor sits in the path: what it does not like will not reach the receiver.
    pub inline: bool,
    /// What parsers do.
    pub apps: Options,
    /// What is worked out of each file.
    pub digests: Digests,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flows_max: 262_144,
            segments_max: 64,
            segment_bytes_max: 256 << 10,
            stream_bytes_max: 256 << 20,
            head_bytes_max: 64 << 10,
            pending_max: 64,
            timeouts: Timeouts::default(),
            seed: [0x5368_6965_6c64_7761, 0x6c6c_2070_6163_6b65],
            flow_ids_after: 0,
            verify_checksums: false,
            verify_streams: true,
            decode: decode::Options::default(),
            defrag: defrag::Options::default(),
            tracking: Tracking::default(),
            inline: false,
            apps: Options::default(),
            digests: Digests::default(),
        }
    }
}

impl Config {
    /// From the settings; what they do not say is as in [`Config::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let verify_streams = settings.at("stream.checksum-validation").flag();
        Self {
            verify_streams: verify_streams.unwrap_or(true),
            decode: decode::Options::from_settings(settings),
            defrag: defrag::Options::from_settings(settings),
            tracking: Tracking::from_settings(settings),
            apps: Options::from_settings(settings),
            digests: Digests::from_settings(settings),
            ..Self::default()
        }
    }
}

/// What keeps flows of the same ends apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracking {
    /// VLAN tags (`vlan.use-for-tracking`).
    pub vlans: bool,
    /// How many packets stand around theirs (`decoder.recursion-level.use-for-tracking`).
    pub depth: bool,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            vlans: true,
            depth: true,
        }
    }
}

impl Tracking {
    /// From the settings; what they do not say is as in [`Tracking::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let flag = |path: &str| settings.at(path).flag().unwrap_or(true);
        Self {
            vlans: flag("vlan.use-for-tracking"),
            depth: flag("decoder.recursion-level.use-for-tracking"),
        }
    }

    pub(crate) fn scope(self, vlans: &Vlans, depth: u8) -> Scope {
        let vlans = if self.vlans { vlans } else { &Vlans::NONE };
        Scope::new(vlans, if self.depth { depth } else { 0 })
    }
}

/// How long a flow may be idle, nanoseconds, by what it is.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// TCP before the handshake is complete. A SYN without an answer ends as `Unanswered` after
    /// this.
    pub tcp_new_ns: u64,
    /// TCP with the handshake complete.
    pub tcp_established_ns: u64,
    /// TCP after FINs or RST.
    pub tcp_closed_ns: u64,
    /// UDP with one side heard.
    pub udp_new_ns: u64,
    /// UDP with both sides heard.
    pub udp_established_ns: u64,
    /// ICMP and everything else.
    pub other_ns: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp_new_ns: 5 * SECOND_NS,
            tcp_established_ns: 600 * SECOND_NS,
            tcp_closed_ns: 5 * SECOND_NS,
            udp_new_ns: 30 * SECOND_NS,
            udp_established_ns: 300 * SECOND_NS,
            other_ns: 30 * SECOND_NS,
        }
    }
}

const SECOND_NS: u64 = 1_000_000_000;
