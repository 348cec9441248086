//! Bounds and timeouts of a sensor.

use crate::applayer::Options;
use crate::file::{Digests, FileStore};
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
    /// The sensor sits in the path: what it does not like will not reach the receiver.
    pub inline: bool,
    /// What parsers do.
    pub apps: Options,
    /// What is worked out of each file.
    pub digests: Digests,
    /// Which files are stored.
    pub file_store: FileStore,
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
            inline: false,
            apps: Options::default(),
            digests: Digests::default(),
            file_store: FileStore::default(),
        }
    }
}

impl Config {
    /// From the settings; what they do not say is as in [`Config::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        Self {
            apps: Options::from_settings(settings),
            digests: Digests::from_settings(settings),
            file_store: FileStore::from_settings(settings),
            ..Self::default()
        }
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
