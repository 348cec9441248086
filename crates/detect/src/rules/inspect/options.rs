//! Bounds, how streams are taken, and what was counted.

use packet::settings::Settings;

use super::bodies::{Bodies, stores_files};

/// Bounds of an [`Inspector`], and how it takes streams.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most flows of which something is remembered.
    pub flows_max: usize,
    /// Most bits of hosts.
    pub host_bits_max: usize,
    /// Most hosts whose packets rules show.
    pub tagged_hosts_max: usize,
    /// Most counts of thresholds.
    pub thresholds_max: usize,
    /// Most bytes of streams and files that wait to be looked at with those behind them, over all flows;
    /// beyond that they are looked at as they come.
    pub window_bytes_max: usize,
    /// Most alerts of one packet (`packet-alert-max`).
    pub alerts_max: usize,
    /// A stream is looked at when so many new bytes are there, a message is complete, or it is over;
    /// 0: at once.
    pub stream_bytes_min: usize,
    /// The path goes through here: what is dropped does not go on, and a stream is looked at with each
    /// packet, the bytes before it included.
    pub inline: bool,
    /// When bodies and files are looked at that are not complete.
    pub bodies: Bodies,
    /// Files are stored where rules say so.
    pub stores_files: bool,
    /// What matched in a packet or stream is told with the only transaction that is under way
    /// (`detect.guess-applayer-tx`).
    pub guesses: bool,
}

impl Options {
    /// From the settings, under which streams are looked at as the sensors do that they are written
    /// for.
    #[must_use]
    pub fn from_settings(settings: &Settings, inline: bool) -> Self {
        let inline = match settings.at("stream.inline").text() {
            None | Some("auto") => inline,
            Some(_) => settings.at("stream.inline").flag().unwrap_or(inline),
        };
        let chunk = settings.at("stream.reassembly.toserver-chunk-size").bytes();
        let chunk = chunk.and_then(|bytes| usize::try_from(bytes).ok());
        let alerts = settings.at("packet-alert-max").number();
        let default = Self::default();
        Self {
            stream_bytes_min: if inline { 0 } else { chunk.unwrap_or(2560) },
            inline,
            bodies: Bodies::from_settings(settings, inline),
            stores_files: stores_files(settings),
            guesses: settings.at("detect.guess-applayer-tx").flag() == Some(true),
            alerts_max: alerts
                .and_then(|alerts| usize::try_from(alerts).ok())
                .filter(|alerts| *alerts > 0)
                .unwrap_or(default.alerts_max),
            ..default
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flows_max: 262_144,
            host_bits_max: 262_144,
            tagged_hosts_max: 65_536,
            thresholds_max: 262_144,
            window_bytes_max: 256 << 20,
            alerts_max: 15,
            stream_bytes_min: 0,
            inline: false,
            bodies: Bodies::default(),
            stores_files: false,
            guesses: false,
        }
    }
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Alerts.
    pub alerts: u64,
    /// Alerts beyond [`Options::alerts_max`].
    pub alerts_max_hit: u64,
    /// Alerts that a threshold or `noalert` silenced.
    pub alerts_suppressed: u64,
    /// Walks over buffers.
    pub walks: u64,
    /// Bytes that they searched, each as often as it was.
    pub searched_bytes: u64,
    /// Walks over a buffer that ended at a bound.
    pub walks_exhausted: u64,
    /// Flows of which nothing was remembered, for there were too many.
    pub flows_max_hit: u64,
    /// Matches lost while they waited for a packet of their direction, for there were too many.
    pub waiting_max_hit: u64,
    /// Times that bytes were looked at as they came, for [`Options::window_bytes_max`] was reached.
    pub window_bytes_max_hit: u64,
    /// Matches forgotten while their transactions were under way, for there were too many.
    pub matched_max_hit: u64,
    /// Files, or sides of transactions that carry them, that were not looked at, or not to their
    /// end: there were too many.
    pub files_max_hit: u64,
    /// Bits, numbers and variables of flows and packets, and parts of the context of alerts, that were
    /// not kept, for there were too many or too long ones.
    pub variables_max_hit: u64,
}
