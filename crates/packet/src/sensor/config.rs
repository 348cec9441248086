//! Bounds and timeouts of a sensor.

use crate::applayer::Options;
use crate::decode::{self, Vlans};
use crate::defrag;
use crate::eve::Output;
use crate::file::{Digests, FileStore};
use crate::flow::Scope;
use crate::settings::{Setting, Settings};

use super::{Exceptions, StreamOptions};

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
    /// Flows are what they are for other sensors: of TCP, UDP, SCTP, ICMP and ESP; counted by
    /// captured bytes; an idle one ends when a packet asks for it, or with the capture. Else every
    /// protocol makes flows, bytes are those on the wire, and idle flows end in time.
    pub field_flows: bool,
    /// When idle flows leave.
    pub timeouts: Timeouts,
    /// How TCP connections are followed.
    pub stream: StreamOptions,
    /// What is done where traffic cannot be looked at as it should.
    pub exceptions: Exceptions,
    /// Key of the flow table's hash: give random numbers, senders choose addresses and ports.
    pub seed: [u64; 2],
    /// Flows are numbered from the one after this, so that logs of several sensors can be told
    /// apart.
    pub flow_ids_after: u64,
    /// Look at checksums. Off where the network card fills checksums in after the
    /// capture.
    pub verify_checksums: bool,
    /// With `verify_checksums`: TCP segments with a wrong checksum are counted in their flow,
    /// but not read (`stream.checksum-validation`).
    pub verify_streams: bool,
    /// What the decoder looks for.
    pub decode: decode::Options,
    /// Bounds, timeouts and policies of defragmentation.
    pub defrag: defrag::Options,
    /// What keeps flows of the same ends apart.
    pub tracking: Tracking,
    /// Flows remember MAC addresses, which costs memory for each.
    pub macs: bool,
    /// The sensor sits in the path: what it does not like will not reach the receiver.
    pub inline: bool,
    /// What parsers do.
    pub apps: Options,
    /// What is worked out of each file.
    pub digests: Digests,
    /// Which files are stored.
    pub file_store: FileStore,
    /// Parsers say where the parts of messages lie, which costs memory and time.
    pub frames: bool,
    /// Somebody looks into packets and streams: [`Event::Inspect`](super::Event::Inspect),
    /// [`Event::Stream`](super::Event::Stream) and [`Event::Progress`](super::Event::Progress) are
    /// told.
    pub inspect: bool,
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
            field_flows: false,
            timeouts: Timeouts::default(),
            stream: StreamOptions::default(),
            exceptions: Exceptions::default(),
            seed: [0x5368_6965_6c64_7761, 0x6c6c_2070_6163_6b65],
            flow_ids_after: 0,
            verify_checksums: false,
            verify_streams: true,
            decode: decode::Options::default(),
            defrag: defrag::Options::default(),
            tracking: Tracking::default(),
            macs: false,
            inline: false,
            apps: Options::default(),
            digests: Digests::default(),
            file_store: FileStore::default(),
            frames: false,
            inspect: false,
        }
    }
}

impl Config {
    /// From the settings, under which a sensor behaves as the sensors that they are written for:
    /// [`StreamOptions::from_settings`] has the differences. What they do not say of other things is
    /// as in [`Config::default`].
    #[must_use]
    pub fn from_settings(settings: &Settings) -> Self {
        let verify_streams = settings.at("stream.checksum-validation").flag();
        let default = Self::default();
        let bytes = |path: &str| {
            let bytes = settings.at(path).bytes();
            // 0 means no bound
            let bytes = bytes.map(|bytes| if bytes == 0 { u64::MAX } else { bytes });
            bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
        };
        let flow_bytes_max = bytes("flow.memcap");
        let stream_bytes_max = bytes("stream.reassembly.memcap");
        Self {
            flows_max: flow_bytes_max.map_or(default.flows_max, |bytes| bytes / FLOW_BYTES),
            stream_bytes_max: stream_bytes_max.unwrap_or(default.stream_bytes_max),
            field_flows: true,
            macs: wants_macs(settings),
            timeouts: Timeouts::from_settings(settings.at("flow-timeouts"), settings.at("flow")),
            stream: StreamOptions::from_settings(settings),
            verify_streams: verify_streams.unwrap_or(true),
            decode: decode::Options::from_settings(settings),
            defrag: defrag::Options::from_settings(settings),
            tracking: Tracking::from_settings(settings),
            apps: Options::from_settings(settings),
            digests: Digests::from_settings(settings),
            file_store: FileStore::from_settings(settings),
            frames: Output::names(settings, "frame"),
            ..default
        }
    }
}

/// Bytes of `flow.memcap` for each flow: about what a flow takes in the sensors that the settings
/// are written for. Here it takes less, until it has data.
const FLOW_BYTES: usize = 512;

/// Whether an output has records that name MAC addresses.
fn wants_macs(settings: &Settings) -> bool {
    let outputs = settings.at("outputs");
    let mut outputs = outputs.items().flat_map(Setting::entries);
    outputs.any(|(_, output)| output.at("ethernet").flag() == Some(true))
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

/// How long flows may be idle, by what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP: before the handshake is complete, after it, and after FINs or RST. A SYN without an
    /// answer ends as `Unanswered` after the first.
    pub tcp: ByState,
    /// UDP: with one side heard, and with both.
    pub udp: ByState,
    /// ICMP and ICMPv6.
    pub icmp: ByState,
    /// Everything else.
    pub other: ByState,
    /// Flows that are bypassed.
    pub bypassed: Timeout,
    /// Connections count as closed once both sides sent FIN, whether the last is acknowledged or not.
    pub closed_by_fins: bool,
    /// The emergency after a full table ends when this part of the flows has left, percent.
    pub emergency_recovery_percent: u8,
}

/// Timeouts of one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the states of a flow")]
pub struct ByState {
    pub new: Timeout,
    pub established: Timeout,
    pub closed: Timeout,
}

/// How long a flow may be idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout {
    /// As a rule, nanoseconds.
    pub normal_ns: u64,
    /// After the table was full, nanoseconds.
    pub emergency_ns: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp: ByState::of([(5, 5), (600, 100), (5, 5)]),
            udp: ByState::of([(30, 10), (300, 100), (30, 10)]),
            icmp: ByState::of([(30, 10), (30, 10), (30, 10)]),
            other: ByState::of([(30, 10), (30, 10), (30, 10)]),
            bypassed: BYPASSED,
            closed_by_fins: false,
            emergency_recovery_percent: 30,
        }
    }
}

impl Timeouts {
    /// From `flow-timeouts` and `flow`.
    fn from_settings(timeouts: Setting<'_>, flow: Setting<'_>) -> Self {
        let recovery = flow.at("emergency-recovery").number();
        let of = |name, seconds| ByState::of(seconds).with(timeouts.at(name));
        let mut bypassed = BYPASSED;
        bypassed.set(timeouts.at("default"), "bypassed", "emergency-bypassed");
        bypassed.set(timeouts.at("tcp"), "bypassed", "emergency-bypassed");
        Self {
            tcp: of("tcp", [(60, 5), (600, 100), (10, 10)]),
            udp: of("udp", [(30, 10), (300, 100), (0, 0)]),
            icmp: of("icmp", [(30, 10), (300, 100), (0, 0)]),
            other: of("default", [(30, 10), (300, 100), (0, 0)]),
            bypassed,
            closed_by_fins: true,
            emergency_recovery_percent: recovery
                .and_then(|percent| u8::try_from(percent).ok())
                .unwrap_or(30),
        }
    }
}

impl ByState {
    /// New, established and closed; each as a rule and in an emergency, seconds.
    fn of(seconds: [(u64, u64); 3]) -> Self {
        let [new, established, closed] =
            seconds.map(|(normal, emergency)| Timeout::of(normal, emergency));
        Self {
            new,
            established,
            closed,
        }
    }

    fn with(mut self, settings: Setting<'_>) -> Self {
        let places = [
            ("new", "emergency-new", &mut self.new),
            (
                "established",
                "emergency-established",
                &mut self.established,
            ),
            ("closed", "emergency-closed", &mut self.closed),
        ];
        for (normal, emergency, place) in places {
            place.set(settings, normal, emergency);
        }
        self
    }
}

impl Timeout {
    /// As a rule and in an emergency, seconds.
    fn of(normal_s: u64, emergency_s: u64) -> Self {
        Self {
            normal_ns: normal_s.saturating_mul(SECOND_NS),
            emergency_ns: emergency_s.saturating_mul(SECOND_NS),
        }
    }

    /// Takes what settings say under the two names.
    fn set(&mut self, settings: Setting<'_>, normal: &str, emergency: &str) {
        for (name, ns) in [
            (normal, &mut self.normal_ns),
            (emergency, &mut self.emergency_ns),
        ] {
            if let Some(seconds) = settings.at(name).number() {
                *ns = seconds.saturating_mul(SECOND_NS);
            }
        }
    }
}

const SECOND_NS: u64 = 1_000_000_000;
/// How long bypassed flows may be idle.
const BYPASSED: Timeout = Timeout {
    normal_ns: 100 * SECOND_NS,
    emergency_ns: 50 * SECOND_NS,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_as_the_settings_say() {
        let bounds = |yaml: &str| {
            let config = Config::from_settings(&Settings::parse(yaml).unwrap());
            (config.flows_max, config.stream_bytes_max)
        };
        let default = Config::default();
        assert_eq!(bounds(""), (default.flows_max, default.stream_bytes_max));
        let stock = "flow: {memcap: 128 MiB}\nstream: {reassembly: {memcap: 256 MiB}}";
        assert_eq!(bounds(stock), bounds(""));
        let small = "flow: {memcap: 1mb}\nstream: {reassembly: {memcap: 2mb}}";
        assert_eq!(bounds(small), (2048, 2 << 20));
        let none = "flow: {memcap: 0}\nstream: {reassembly: {memcap: 0}}";
        assert_eq!(bounds(none), (usize::MAX / FLOW_BYTES, usize::MAX));
    }
}
