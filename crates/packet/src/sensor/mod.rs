//! The sensor: frames in, events out.

mod config;
mod counters;
mod event;
mod exception;
pub(crate) mod session;
mod stream_options;
mod take;
mod track;
mod trouble;
mod visit;

pub use config::{ByState, Config, Timeout, Timeouts, Tracking};
pub use counters::{AppCounters, Counters, DecodeCounters};
pub use event::{
    Anomaly, AnomalyKind, EndReason, Event, Inspect, Outcome, Outer, Packet, Part, StreamPiece,
};
pub use exception::{ExceptionCounters, ExceptionPolicy, Exceptions, Refusal};
pub use stream_options::{StreamOptions, URGENT_BYTES_MAX, Urgent};
pub use trouble::StreamTrouble;
pub(crate) use visit::shown_state;

use crate::applayer::Expectations;
use crate::bytes::len32;
use crate::decode::{Source, decode_with};
use crate::defrag::Defrag;
use crate::file::Digests;
use crate::flow::table::Table;
use crate::flow::{Flow, FlowAction, FlowState};
use crate::frame::Frame;
use crate::ranges::Ranges;

pub(crate) use take::ends as packet_ends;

/// Where events go.
pub type Sink<'a> = dyn FnMut(Event<'_>) + 'a;

/// Follows the traffic of one inspection point. Give it frames in the order of their arrival.
#[derive(Debug)]
pub struct Sensor {
    config: Config,
    counters: Counters,
    table: Table,
    expectations: Expectations,
    defrag: Defrag,
    /// Files that come in pieces, on whatever flows.
    ranges: Ranges,
    /// The latest packet time seen: time never goes back.
    now_ns: u64,
    flows_started: u64,
    refused: Option<Refusal>,
    /// Rules do not look at the packet at hand.
    passed: bool,
    /// The payload of the packet at hand became part of a stream.
    in_stream: bool,
    /// The flow of the packet at hand was established before it.
    was_established: bool,
}

impl Sensor {
    /// A sensor that has seen nothing.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            table: Table::new(
                config.seed,
                config.flows_max,
                config.timeouts,
                config.tracking,
            ),
            expectations: Expectations::new(config.seed),
            defrag: Defrag::new(config.defrag.clone()),
            counters: Counters {
                exceptions: ExceptionCounters::new(config.exceptions),
                ..Counters::default()
            },
            config,
            ranges: Ranges::default(),
            now_ns: 0,
            flows_started: 0,
            refused: None,
            passed: false,
            in_stream: false,
            was_established: false,
        }
    }

    /// Says from here on what is told for those who look into packets and streams
    /// ([`Config::inspect`]), and what is worked out of files that are yet to come.
    pub fn look_for(&mut self, inspect: bool, digests: Digests) {
        (self.config.inspect, self.config.digests) = (inspect, digests);
    }

    /// Takes one frame. Events that it completes go to `out` before this returns.
    pub fn packet(&mut self, frame: &Frame<'_>, out: &mut Sink<'_>) {
        self.now_ns = self.now_ns.max(frame.ts_ns);
        (self.refused, self.passed) = (None, false);
        if !self.config.field_flows {
            self.expire(EXPIRED_PER_PACKET_MAX, out);
        }
        self.counters.packets = self.counters.packets.saturating_add(1);
        self.counters.bytes = self
            .counters
            .bytes
            .saturating_add(u64::try_from(frame.data.len()).unwrap_or(u64::MAX));
        self.counters.decode.size(len32(frame.data.len()));
        let mut decoded = decode_with(&self.config.decode, frame.link, frame.data);
        self.take(frame, &mut decoded, (Source::Wire, None), out);
    }

    /// Lets idle flows expire; call it now and then when no packets come. `now_ns` is time since
    /// the Unix epoch on the clock of the packets, nanoseconds.
    pub fn tick(&mut self, now_ns: u64, out: &mut Sink<'_>) {
        self.now_ns = self.now_ns.max(now_ns);
        self.expire(usize::MAX, out);
        let now_ns = self.now_ns;
        self.defrag.expire(now_ns, usize::MAX, &mut |tuple| {
            out(Event::Anomaly(
                None,
                &Anomaly::fragment(Some(tuple), now_ns),
            ));
        });
        self.counters.defrag = *self.defrag.counters();
    }

    /// Ends all flows: the capture is over.
    pub fn finish(&mut self, out: &mut Sink<'_>) {
        let now_ns = self.now_ns;
        self.defrag.finish(&mut |tuple| {
            out(Event::Anomaly(
                None,
                &Anomaly::fragment(Some(tuple), now_ns),
            ));
        });
        self.counters.defrag = *self.defrag.counters();
        if self.table.len() > 0 {
            out(Event::Packet(&Packet::flow_timeout()));
        }
        self.table.leave_emergency();
        while let Some(slot) = self.table.victim() {
            self.end_flow(slot, EndReason::Shutdown, out);
        }
    }

    /// Inline: why the frame taken last must not go on, if it must not.
    ///
    /// # Failure bias
    /// Open: where the sensor has lost track (a full table, a bound on what is kept), frames go on.
    #[must_use]
    pub fn refused(&self) -> Option<Refusal> {
        self.refused
    }

    /// Inline: no more packets of a flow go on. They are counted, and not looked into.
    pub fn drop_flow(&mut self, flow: &Flow) {
        if let Some((slot, _)) = self.table.find(&flow.tuple, flow.scope)
            && let Some(entry) = self.table.get_mut(slot)
        {
            entry.standing.action = Some(FlowAction::Drop);
        }
    }

    /// A flow needs no more looking: its packets are only counted.
    pub fn bypass_flow(&mut self, flow: &Flow) {
        if let Some((slot, _)) = self.table.find(&flow.tuple, flow.scope)
            && let Some(entry) = self.table.get_mut(slot)
        {
            entry.standing.state = FlowState::Bypassed;
        }
    }

    /// Follows the files of a flow to their end from here on, however long they are.
    pub fn keep_files(&mut self, flow: &Flow) {
        if let Some((slot, _)) = self.table.find(&flow.tuple, flow.scope)
            && let Some(entry) = self.table.get_mut(slot)
        {
            entry.cold(flow.tuple).flow.keeps_files = true;
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Flows in the table.
    #[must_use]
    pub fn open_flows(&self) -> usize {
        self.table.len()
    }

    fn expire(&mut self, flows_max: usize, out: &mut Sink<'_>) {
        for number in 0..flows_max {
            let Some(slot) = self.table.expired(self.now_ns) else {
                return;
            };
            if number == 0 {
                out(Event::Packet(&Packet::flow_timeout()));
            }
            self.end_flow(slot, EndReason::Timeout, out);
        }
    }
}

/// Idle flows ended with one packet at most: the cost of a packet stays bounded.
const EXPIRED_PER_PACKET_MAX: usize = 4;
