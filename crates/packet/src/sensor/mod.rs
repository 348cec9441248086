//! The sensor: frames in, events out.

mod config;
mod counters;
mod event;
pub(crate) mod session;
mod track;
mod visit;

pub use config::{Config, Timeouts};
pub use counters::Counters;
pub use event::{Anomaly, AnomalyKind, EndReason, Event, Outcome, StreamTrouble};

use crate::applayer::Expectations;
use crate::decode::{Decoded, Transport, Vlans, checksums_valid, decode};
use crate::flow::key::Key;
use crate::flow::table::Table;
use crate::flow::{FiveTuple, Flow};
use crate::frame::Frame;
use track::tuple_of;

/// Where events go.
pub type Sink<'a> = dyn FnMut(Event<'_>) + 'a;

/// Follows the traffic of one inspection point. Give it frames in the order of their arrival.
#[derive(Debug)]
pub struct Sensor {
    config: Config,
    counters: Counters,
    table: Table,
    expectations: Expectations,
    /// The latest packet time seen: time never goes back.
    now_ns: u64,
    flows_started: u64,
}

impl Sensor {
    /// A sensor that has seen nothing.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            table: Table::new(config.seed, config.flows_max, config.timeouts),
            expectations: Expectations::new(config.seed),
            config,
            counters: Counters::default(),
            now_ns: 0,
            flows_started: 0,
        }
    }

    /// Takes one frame. Events that it completes go to `out` before this returns.
    pub fn packet(&mut self, frame: &Frame<'_>, out: &mut Sink<'_>) {
        self.now_ns = self.now_ns.max(frame.ts_ns);
        self.expire(EXPIRED_PER_PACKET_MAX, out);
        self.counters.packets = self.counters.packets.saturating_add(1);
        self.counters.bytes = self
            .counters
            .bytes
            .saturating_add(u64::from(frame.wire_len));
        let decoded = decode(frame.link, frame.data);
        self.report_damages(&decoded, frame.ts_ns, out);
        if self.is_trackable(frame, &decoded, out) {
            self.track(frame, &decoded, out);
        }
    }

    /// Lets idle flows expire; call it now and then when no packets come. `now_ns` is time since
    /// the Unix epoch on the clock of the packets, nanoseconds.
    pub fn tick(&mut self, now_ns: u64, out: &mut Sink<'_>) {
        self.now_ns = self.now_ns.max(now_ns);
        self.expire(usize::MAX, out);
    }

    /// Ends all flows: the capture is over.
    pub fn finish(&mut self, out: &mut Sink<'_>) {
        while let Some(slot) = self.table.victim() {
            self.end_flow(slot, EndReason::Shutdown, out);
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The open flow between the two ends of `tuple`, whichever of them is named first.
    #[must_use]
    pub fn flow(&self, tuple: &FiveTuple, vlans: &Vlans) -> Option<&Flow> {
        let slot = self.table.find(&Key::new(tuple, vlans))?;
        self.table.get(slot).map(|entry| &entry.flow)
    }

    /// Flows in the table.
    #[must_use]
    pub fn open_flows(&self) -> usize {
        self.table.len()
    }

    fn expire(&mut self, flows_max: usize, out: &mut Sink<'_>) {
        for _ in 0..flows_max {
            let Some(slot) = self.table.expired(self.now_ns) else {
                return;
            };
            self.end_flow(slot, EndReason::Timeout, out);
        }
    }

    fn report_damages(&mut self, decoded: &Decoded<'_>, ts_ns: u64, out: &mut Sink<'_>) {
        if decoded.damages.is_empty() {
            return;
        }
        self.counters.damaged = self.counters.damaged.saturating_add(1);
        let tuple = ends(decoded);
        for damage in decoded.damages.iter() {
            out(Event::Anomaly(None, &Anomaly::decode(damage, tuple, ts_ns)));
        }
    }

    /// Frames that the receiving host would not take as they stand are no part of any flow: else
    /// their bytes would be inspected in place of those that the host sees.
    fn is_trackable(
        &mut self,
        frame: &Frame<'_>,
        decoded: &Decoded<'_>,
        out: &mut Sink<'_>,
    ) -> bool {
        let counters = &mut self.counters;
        let Some(ip) = &decoded.ip else {
            counters.not_ip = counters.not_ip.saturating_add(1);
            return false;
        };
        if ip.fragment.is_some() {
            counters.fragments = counters.fragments.saturating_add(1);
            let fragment = Anomaly::fragment(ends(decoded), frame.ts_ns);
            out(Event::Anomaly(None, &fragment));
            return false;
        }
        if ip.is_truncated() && !frame.is_snapped() {
            return false;
        }
        if self.config.verify_checksums && !checksums_valid(decoded) {
            counters.bad_checksums = counters.bad_checksums.saturating_add(1);
            return false;
        }
        !matches!(decoded.transport, Transport::Absent)
    }
}

fn ends(decoded: &Decoded<'_>) -> Option<FiveTuple> {
    let ip = decoded.ip.as_ref()?;
    Some(tuple_of(ip, &decoded.transport))
}

/// Idle flows ended with one packet at most: the cost of a packet stays bounded.
const EXPIRED_PER_PACKET_MAX: usize = 4;
