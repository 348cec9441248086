//! EVE JSON: what a sensor yields as records, one a line, with the field names of Suricata 8, so
//! that what reads Suricata's eve.json reads ours.
//!
//! | event_type | from | written in |
//! |---|---|---|
//! | a protocol's name | a transaction | the protocol's folder, `applayer/<protocol>/log.rs` |
//! | `fileinfo` | a file that is over | [`fileinfo`] |
//! | `flow`, `netflow` | the end of a flow | [`flow`] |
//! | `frame` | a part of a message, where the settings ask for them | [`frame`] |
//! | `anomaly` | damage on the wire | [`anomaly`] |
//! | `arp` | an ARP packet | [`arp`] |
//! | `stats` | the counters | [`stats`] |
//!
//! A [`Recorder`] formats and filters; writing the lines is its caller's.

mod anomaly;
mod arp;
mod community_id;
mod config;
mod current;
mod fileinfo;
mod flow;
mod frame;
mod head;
mod stats;
mod time;

pub use config::Output;
pub use fileinfo::{write as write_fileinfo, write_file};
pub use flow::{write_app_proto, write_counts};
use head::write_ends_head;
pub use head::{address, write_ends, write_flow_head};
pub use time::Utc;

use hashbrown::HashMap;

use crate::applayer::Transaction;
use crate::decode::Source;
use crate::flow::{Direction, Flow, FlowId};
use crate::json::Object;
use crate::sensor::{Anomaly, Event};
use crate::settings::Setting;
use current::Current;

/// Turns events into records.
#[derive(Debug)]
pub struct Recorder {
    outputs: Vec<Output>,
    line: String,
    /// The packet at hand.
    current: Current,
    /// Flows that were alerted on, or that rules did something with, and that have not ended.
    judged: HashMap<FlowId, Judged>,
    started_ns: Option<u64>,
    alerts: u64,
    /// Members of `metadata` of the packet at hand.
    of_packet: String,
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
            current: Current::NONE,
            judged: HashMap::new(),
            started_ns: None,
            alerts: 0,
            of_packet: String::new(),
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
            Event::Packet(packet) => {
                self.current = Current::of(packet);
                self.of_packet.clear();
            }
            Event::Arp(arp) => {
                self.record("arp", now, emit, &mut |record, _| arp::write(record, arp));
            }
            Event::Transaction(flow, transaction) => {
                if transaction.is_complete() {
                    self.transaction(flow, *transaction, now, emit);
                }
            }
            Event::File(flow, carrier, file) => {
                self.record_in("files", Some(flow), now, emit, &mut |record, options| {
                    fileinfo::write(record, flow, *carrier, file, options);
                    true
                });
            }
            Event::AppFrame(flow, part) => {
                self.record_in("frame", Some(flow), now, emit, &mut |record, options| {
                    frame::write(record, flow, part, options);
                    true
                });
            }
            Event::FlowEnd(flow, reason) => {
                let judged = self.judged.get(&flow.id).cloned().unwrap_or_default();
                let exceptions = self.outputs.first().and_then(|output| output.exceptions);
                if !flow.tuple.proto.is_read() {
                    self.judged.remove(&flow.id);
                    return;
                }
                self.filtered("flow", About::Flow(flow), now, emit, &mut |record, _| {
                    flow::write(record, flow, *reason, &judged, exceptions);
                    true
                });
                for netflow in flow::netflows(flow) {
                    self.filtered("netflow", About::Flow(flow), now, emit, &mut |record, _| {
                        flow::write_netflow(record, flow, netflow);
                        true
                    });
                }
                self.judged.remove(&flow.id);
            }
            Event::Anomaly(flow, anomaly) => self.anomaly(*flow, anomaly, now, emit),
            Event::FileData(..)
            | Event::Inspect(_)
            | Event::Progress(..)
            | Event::Stream(..)
            | Event::FlowStart(_)
            | Event::Attempt(..)
            | Event::Exchanged(_)
            | Event::Proven(_)
            | Event::Closed(..) => {}
        }
    }

    fn anomaly(&mut self, flow: Option<&Flow>, anomaly: &Anomaly, now: Now, emit: &mut Emit<'_>) {
        // of most kinds there are many, and few ask for them
        let is_wanted = |options: Setting<'_>| anomaly::is_wanted(anomaly.kind, options);
        let mut outputs = self.outputs.iter();
        if !outputs.any(|output| output.types_of("anomaly").any(is_wanted)) {
            return;
        }
        let current = self.current;
        let flow = flow.filter(|flow| flow.tuple.proto.is_read());
        self.filtered(
            "anomaly",
            About::Packet(flow),
            now,
            emit,
            &mut |record, options| {
                let is_wanted = is_wanted(options);
                if is_wanted {
                    anomaly::write(record, flow, anomaly, &current, options);
                }
                is_wanted
            },
        );
    }

    /// Notes that a flow was alerted on.
    pub fn alerted(&mut self, flow: Option<FlowId>) {
        self.alerts = self.alerts.saturating_add(1);
        if let Some(judged) = flow.and_then(|flow| self.judged(flow)) {
            judged.alerted = true;
        }
    }

    /// Notes what rules did with a flow as a whole: `drop`, `pass`.
    pub fn acted(&mut self, flow: FlowId, action: &'static str) {
        if let Some(judged) = self.judged(flow) {
            judged.action = Some(action);
        }
    }

    /// Notes what rules remember of a flow, and members of the `metadata` of the records of the packet at
    /// hand.
    pub fn remember(&mut self, flow: Option<FlowId>, remark: Remark, of_packet: String) {
        self.of_packet = of_packet;
        if let Some(judged) = flow.and_then(|flow| self.judged(flow)) {
            judged.remark = Some(Box::new(remark));
        }
    }

    /// Notes that a packet of a flow did not go on; whether it is the first of its direction.
    pub fn dropped(&mut self, flow: FlowId, direction: Direction) -> bool {
        self.judged(flow).is_none_or(|judged| {
            let known = judged.dropped.get_mut(direction.at());
            !known.is_some_and(|known| std::mem::replace(known, true))
        })
    }

    /// What rules remember that a record is about.
    fn remark(&self, about: About<'_>) -> (Option<&Remark>, &str) {
        let (flow, of_packet) = match about {
            About::Nothing => return (None, ""),
            About::Packet(flow) => (flow, self.of_packet.as_str()),
            About::Flow(flow) => (Some(flow), ""),
        };
        let judged = flow.and_then(|flow| self.judged.get(&flow.id));
        (
            judged.and_then(|judged| judged.remark.as_deref()),
            of_packet,
        )
    }

    fn judged(&mut self, flow: FlowId) -> Option<&mut Judged> {
        let is_full = self.judged.len() >= FLOWS_MAX && !self.judged.contains_key(&flow);
        (!is_full).then(|| self.judged.entry(flow).or_default())
    }

    /// Writes a record of counters named `part.counter`.
    pub fn stats(&mut self, counters: &[(&'static str, u64)], now: Now, emit: &mut Emit<'_>) {
        let started_ns = self.started_ns.unwrap_or(now.ts_ns);
        let uptime_s = now.ts_ns.saturating_sub(started_ns) / 1_000_000_000;
        let alerts = self.alerts;
        self.filtered("stats", About::Nothing, now, emit, &mut |record, _| {
            record.text("event_type", "stats");
            record.object("stats", |object| {
                stats::write(object, counters, uptime_s, alerts);
            });
            true
        });
    }

    /// Writes a record about the packet at hand to each output that has the type, with the options
    /// that it has there.
    pub fn record(
        &mut self,
        kind: &str,
        now: Now,
        emit: &mut Emit<'_>,
        fill: &mut dyn FnMut(&mut Object<'_>, Setting<'_>),
    ) {
        self.record_in(kind, None, now, emit, &mut |record, options| {
            fill(record, options);
            true
        });
    }

    /// The same for a packet of a flow, where `fill` says that it is to be written.
    pub fn record_in(
        &mut self,
        kind: &str,
        flow: Option<&Flow>,
        now: Now,
        emit: &mut Emit<'_>,
        fill: &mut dyn FnMut(&mut Object<'_>, Setting<'_>) -> bool,
    ) {
        self.filtered(kind, About::Packet(flow), now, emit, fill);
    }

    /// Writes the packet at hand, which a rule tagged, where alerts are written with
    /// `tagged-packets`. `data` are its bytes.
    pub fn tagged(&mut self, data: &[u8], flow: Option<&Flow>, now: Now, emit: &mut Emit<'_>) {
        let current = self.current;
        let Some(tuple) = current.tuple else { return };
        let about = About::Packet(flow);
        self.filtered("alert", about, now, emit, &mut |record, options| {
            let is_wanted = options.at("tagged-packets").flag().unwrap_or(false);
            if is_wanted {
                let id = flow.map(|flow| flow.id);
                write_flow_head(record, "packet", id, &tuple, Direction::ToServer);
                record.base64("packet", data);
                // else it stands there as in an alert
                if !options.at("packet").flag().unwrap_or(false) {
                    current.write_packet_info(record);
                }
            }
            is_wanted
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
        self.filtered(
            transaction.output_type(),
            About::Packet(Some(flow)),
            now,
            emit,
            &mut |record, options| {
                let is_wanted = transaction.is_logged(options);
                if is_wanted {
                    let direction = transaction.direction_under(options);
                    write_flow_head(record, kind, Some(flow.id), &flow.tuple, direction);
                    transaction.log(record, options);
                }
                is_wanted
            },
        );
    }

    /// Writes a record to each output that has the type and whose options `fill` says yes to.
    fn filtered(
        &mut self,
        kind: &str,
        about: About<'_>,
        now: Now,
        emit: &mut Emit<'_>,
        fill: &mut dyn FnMut(&mut Object<'_>, Setting<'_>) -> bool,
    ) {
        let current = match about {
            About::Packet(flow) => self.current.for_flow(flow),
            About::Flow(_) | About::Nothing => self.current,
        };
        let mut line = std::mem::take(&mut self.line);
        let (remark, of_packet) = self.remark(about);
        for (number, output) in self.outputs.iter().enumerate() {
            for options in output.types_of(kind) {
                line.clear();
                let mut wanted = false;
                Object::write(&mut line, |record| {
                    record.display("timestamp", Utc(now.ts_ns));
                    if output.version {
                        record.text("suricata_version", VERSION);
                    }
                    let is_numbered = matches!(about, About::Packet(_));
                    if is_numbered && current.source == Source::Wire {
                        record.number("pcap_cnt", now.packet);
                    }
                    wanted = fill(record, options);
                    match about {
                        About::Packet(flow) if wanted => {
                            current.write(record, flow, output);
                            if kind == "alert" {
                                current.write_alert(record, options, now);
                            }
                        }
                        About::Flow(flow) => current::write_flow(record, flow, output),
                        About::Packet(_) | About::Nothing => {}
                    }
                    if wanted && output.metadata {
                        write_remark(record, remark, of_packet);
                    }
                });
                if wanted {
                    emit(number, &line);
                }
            }
        }
        self.line = line;
    }
}

/// What rules remember of a flow: members of objects of its records, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remark {
    /// Of `traffic`.
    pub traffic: String,
    /// Of `metadata`.
    pub metadata: String,
}

fn write_remark(record: &mut Object<'_>, remark: Option<&Remark>, of_packet: &str) {
    let (traffic, metadata) =
        remark.map_or(("", ""), |remark| (&*remark.traffic, &*remark.metadata));
    if !traffic.is_empty() {
        record.object("traffic", |object| object.written(traffic));
    }
    if !metadata.is_empty() || !of_packet.is_empty() {
        record.object("metadata", |object| {
            object.written(metadata);
            object.written(of_packet);
        });
    }
}

/// What rules said of a flow.
#[derive(Debug, Clone, Default)]
struct Judged {
    alerted: bool,
    action: Option<&'static str>,
    /// Packets of that direction did not go on.
    dropped: [bool; 2],
    remark: Option<Box<Remark>>,
}

/// What a record is about.
#[derive(Debug, Clone, Copy)]
enum About<'a> {
    /// The sensor.
    Nothing,
    /// The packet at hand, and its flow.
    Packet(Option<&'a Flow>),
    /// A flow as a whole.
    Flow(&'a Flow),
}

/// What stands where Suricata's version would: readers may tell us apart by it.
const VERSION: &str = concat!("shieldwall ", env!("CARGO_PKG_VERSION"));
