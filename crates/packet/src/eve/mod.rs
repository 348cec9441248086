//! EVE JSON: what a sensor yields as records, one a line, with the field names of Suricata 8, so
//! that what reads Suricata's eve.json reads ours.
//!
//! | event_type | from | written in |
//! |---|---|---|
//! | a protocol's name | a transaction | the protocol's folder, `applayer/<protocol>/log.rs` |
//! | `fileinfo` | a file that is over | [`fileinfo`] |
//! | `flow`, `netflow` | the end of a flow | [`flow`] |
//! | `anomaly` | damage on the wire | [`anomaly`] |
//! | `stats` | the counters | [`stats`] |
//!
//! A [`Recorder`] formats and filters; writing the lines is its caller's.

mod anomaly;
mod config;
mod fileinfo;
mod flow;
mod head;
mod stats;
mod time;

pub use config::Output;
pub use flow::{write_app_proto, write_counts};
pub use head::{address, write_ends, write_flow_head};
pub use time::Utc;

use hashbrown::HashMap;

use crate::applayer::Transaction;
use crate::flow::{Flow, FlowId};
use crate::json::Object;
use crate::sensor::Event;
use crate::settings::Setting;

/// Turns events into records.
#[derive(Debug)]
pub struct Recorder {
    outputs: Vec<Output>,
    line: String,
    /// Flows that were alerted on and have not ended.
    alerted: HashMap<FlowId, ()>,
    started_ns: Option<u64>,
    alerts: u64,
}

/// The packet that a record comes with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Its time, nanoseconds since the Unix epoch.
    pub ts_ns: u64,
    /// Its number in the capture, from 1.
    pub packet: u64,
}

/// Takes finished lines: the number of the output, and the record without its line end.
pub type Emit<'a> = dyn FnMut(usize, &str) + 'a;

/// Most open flows of which it is remembered that there were alerts; `alerted` is false beyond.
const FLOWS_MAX: usize = 262_144;

impl Recorder {
    /// A recorder for these outputs.
    #[must_use]
    pub fn new(outputs: Vec<Output>) -> Self {
        Self {
            outputs,
            line: String::new(),
            alerted: HashMap::new(),
            started_ns: None,
            alerts: 0,
        }
    }

    /// The outputs, in the order of their numbers.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Writes the records of an event, if it has any.
    pub fn event(&mut self, event: &Event<'_>, now: Now, emit: &mut Emit<'_>) {
        self.started_ns.get_or_insert(now.ts_ns);
        match event {
            Event::Transaction(flow, transaction) => {
                if transaction.is_complete() {
                    self.transaction(flow, *transaction, now, emit);
                }
            }
            Event::File(flow, carrier, file) => {
                self.record("files", now, emit, &mut |record, options| {
                    fileinfo::write(record, flow, *carrier, file, options);
                });
            }
            Event::FlowEnd(flow, reason) => {
                let alerted = self.alerted.remove(&flow.id).is_some();
                self.record("flow", now, emit, &mut |record, _| {
                    flow::write(record, flow, *reason, alerted);
                });
                for netflow in flow::netflows(flow) {
                    self.record("netflow", now, emit, &mut |record, _| {
                        flow::write_netflow(record, flow, netflow);
                    });
                }
            }
            Event::Anomaly(flow, anomaly) => {
                let now = Now {
                    ts_ns: anomaly.ts_ns,
                    ..now
                };
                let layer = anomaly::layer(anomaly.kind);
                self.filtered("anomaly", now, emit, &mut |record, options| {
                    let is_wanted = anomaly::is_wanted(layer, options);
                    if is_wanted {
                        anomaly::write(record, *flow, anomaly);
                    }
                    is_wanted
                });
            }
            Event::FileData(..)
            | Event::FlowStart(_)
            | Event::Attempt(..)
            | Event::Proven(_)
            | Event::Closed(..) => {}
        }
    }

    /// Notes that a flow was alerted on.
    pub fn alerted(&mut self, flow: Option<FlowId>) {
        self.alerts = self.alerts.saturating_add(1);
        if let Some(flow) = flow.filter(|_| self.alerted.len() < FLOWS_MAX) {
            self.alerted.insert(flow, ());
        }
    }

    /// Writes a record of counters named `part.counter`.
    pub fn stats(&mut self, counters: &[(&'static str, u64)], now: Now, emit: &mut Emit<'_>) {
        let started_ns = self.started_ns.unwrap_or(now.ts_ns);
        let uptime_s = now.ts_ns.saturating_sub(started_ns) / 1_000_000_000;
        let alerts = self.alerts;
        self.record("stats", now, emit, &mut |record, _| {
            record.text("event_type", "stats");
            record.object("stats", |object| {
                stats::write(object, counters, uptime_s, alerts);
            });
        });
    }

    /// Writes a record to each output that has the type, with the options that it has there.
    pub fn record(
        &mut self,
        kind: &str,
        now: Now,
        emit: &mut Emit<'_>,
        fill: &mut dyn FnMut(&mut Object<'_>, Setting<'_>),
    ) {
        self.filtered(kind, now, emit, &mut |record, options| {
            fill(record, options);
            true
        });
    }

    fn transaction(
        &mut self,
        flow: &Flow,
        transaction: &dyn Transaction,
        now: Now,
        emit: &mut Emit<'_>,
    ) {
        let kind = transaction.record_type();
        self.filtered(kind, now, emit, &mut |record, options| {
            let is_wanted = transaction.is_logged(options);
            if is_wanted {
                let direction = transaction.direction_under(options);
                write_flow_head(record, kind, Some(flow.id), &flow.tuple, direction);
                record.text("pkt_src", "wire/pcap");
                transaction.log(record, options);
            }
            is_wanted
        });
    }

    /// Writes a record to each output that has the type and whose options `fill` says yes to.
    fn filtered(
        &mut self,
        kind: &str,
        now: Now,
        emit: &mut Emit<'_>,
        fill: &mut dyn FnMut(&mut Object<'_>, Setting<'_>) -> bool,
    ) {
        for (number, output) in self.outputs.iter().enumerate() {
            for options in output.types_of(kind) {
                self.line.clear();
                let mut wanted = false;
                Object::write(&mut self.line, |record| {
                    record.display("timestamp", Utc(now.ts_ns));
                    record.number("pcap_cnt", now.packet);
                    wanted = fill(record, options);
                });
                if wanted {
                    emit(number, &self.line);
                }
            }
        }
    }
}
