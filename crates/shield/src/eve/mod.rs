//! EVE JSON: one record per line, with the field names of Suricata 8, so that what reads Suricata's
//! eve.json reads ours.
//!
//! | event_type | from | module |
//! |---|---|---|
//! | `alert` | a verdict | [`alert`] |
//! | `dns`, `http`, `tls` | a transaction | [`transaction`] |
//! | `flow` | the end of a flow | [`flow`] |
//! | `anomaly` | damage on the wire | [`flow`] |
//! | `stats` | the counters | here |
//!
//! Beyond Suricata's fields there is `alert.metadata`, where a Suricata rule has its own: what our
//! verdict knows. A record is built on the packet's thread and written on another; the buffer
//! between them is bounded and counts what it loses ([`WhenFull`]).

mod alert;
mod flow;
mod json;
mod output;
mod time;
mod transaction;

use std::io::{self, Write};

use detect::Verdict;
use hashbrown::HashMap;
use packet::{Event, FiveTuple, Flow, FlowId, Proto};

pub use output::{BUFFER_BYTES_MAX, WhenFull};

use json::Object;
use output::Output;

/// Which records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types {
    /// Verdicts.
    pub alert: bool,
    /// DNS, HTTP and TLS transactions.
    pub transactions: bool,
    /// Flows at their end.
    pub flow: bool,
    /// Damage on the wire.
    pub anomaly: bool,
    /// Counters.
    pub stats: bool,
}

impl Types {
    /// Everything.
    pub const ALL: Self = Self {
        alert: true,
        transactions: true,
        flow: true,
        anomaly: true,
        stats: true,
    };
    /// Verdicts only.
    pub const ALERTS: Self = Self {
        alert: true,
        transactions: false,
        flow: false,
        anomaly: false,
        stats: false,
    };
}

/// A log of records.
#[derive(Debug)]
pub struct Log {
    types: Types,
    output: Output,
    line: String,
    /// Flows that were alerted on and have not ended.
    alerted: HashMap<FlowId, ()>,
    /// HTTP and TLS transactions of each open flow so far.
    transactions: HashMap<FlowId, u32>,
    started_ns: Option<u64>,
    alerts: u64,
}

/// Most open flows of which it is remembered that there were alerts or transactions; `alerted` is
/// false and `tx_id` 0 beyond.
const FLOWS_MAX: usize = 262_144;

impl Log {
    /// A log that writes to `sink` on a thread of its own.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn new(sink: Box<dyn Write + Send>, types: Types, when_full: WhenFull) -> io::Result<Self> {
        Ok(Self {
            types,
            output: Output::new(sink, when_full)?,
            line: String::new(),
            alerted: HashMap::new(),
            transactions: HashMap::new(),
            started_ns: None,
            alerts: 0,
        })
    }

    /// Writes the record of an event, if it has one. `now_ns` is packet time.
    pub fn event(&mut self, event: &Event<'_>, now_ns: u64) {
        self.started_ns.get_or_insert(now_ns);
        match event {
            Event::Transaction(flow, transaction) => {
                let id = self.transaction_id(flow, transaction);
                if self.types.transactions && transaction::is_logged(transaction) {
                    self.record(now_ns, |object| {
                        transaction::write(object, flow, transaction, id);
                    });
                }
            }
            Event::FlowEnd(flow, reason) => {
                let alerted = self.alerted.remove(&flow.id).is_some();
                self.transactions.remove(&flow.id);
                if self.types.flow {
                    self.record(now_ns, |object| flow::write(object, flow, *reason, alerted));
                }
            }
            Event::Anomaly(flow, anomaly) if self.types.anomaly => {
                let at = anomaly.ts_ns;
                self.record(at, |object| flow::write_anomaly(object, *flow, anomaly));
            }
            Event::Anomaly(..)
            | Event::FlowStart(_)
            | Event::Attempt(..)
            | Event::Proven(_)
            | Event::Closed(..) => {}
        }
    }

    /// Writes the alert of a verdict, with what is known of the event that led to it.
    pub fn alert(&mut self, verdict: &Verdict, event: Option<&Event<'_>>) {
        self.alerts = self.alerts.saturating_add(1);
        if let Some(flow) = verdict.flow.filter(|_| self.alerted.len() < FLOWS_MAX) {
            self.alerted.insert(flow, ());
        }
        if self.types.alert {
            let tx_id = event.and_then(|event| self.transaction_of(event));
            self.record(verdict.at_ns, |object| {
                alert::write(object, verdict, event, tx_id);
            });
        }
    }

    /// Writes a record of counters named `part.counter`.
    pub fn stats(&mut self, counters: &[(&'static str, u64)], now_ns: u64) {
        if !self.types.stats {
            return;
        }
        let uptime_s = now_ns.saturating_sub(self.started_ns.unwrap_or(now_ns)) / 1_000_000_000;
        let alerts = self.alerts;
        self.record(now_ns, |object| {
            object.text("event_type", "stats");
            object.object("stats", |stats| {
                write_stats(stats, counters, uptime_s, alerts)
            });
        });
    }

    /// Records lost because the buffer was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.output.dropped()
    }

    /// Writes what waits and stops.
    ///
    /// # Errors
    /// The first error of the sink.
    pub fn close(self) -> io::Result<()> {
        self.output.close()
    }

    fn record(&mut self, at_ns: u64, fill: impl FnOnce(&mut Object<'_>)) {
        self.line.clear();
        Object::write(&mut self.line, |object| {
            object.display("timestamp", time::Utc(at_ns));
            fill(object);
        });
        self.output.line(&self.line);
    }

    /// The number that the transaction of an event, not yet logged, will have.
    fn transaction_of(&self, event: &Event<'_>) -> Option<u32> {
        let Event::Transaction(flow, _) = event else {
            return None;
        };
        Some(self.transactions.get(&flow.id).copied().unwrap_or(0))
    }

    /// The number of a transaction within its flow, counted when it is complete.
    fn transaction_id(&mut self, flow: &Flow, transaction: &packet::Transaction<'_>) -> u32 {
        if self.transactions.len() >= FLOWS_MAX && !self.transactions.contains_key(&flow.id) {
            return 0;
        }
        let next = self.transactions.entry(flow.id).or_insert(0);
        let id = *next;
        if transaction::is_last(transaction) {
            *next = next.saturating_add(1);
        }
        id
    }
}

/// What every record about a flow begins with. `forward` is false for what the server sent.
fn write_flow_head(
    object: &mut Object<'_>,
    event_type: &str,
    flow: Option<FlowId>,
    tuple: &FiveTuple,
    forward: bool,
) {
    if let Some(FlowId(id)) = flow {
        object.number("flow_id", id);
    }
    object.text("event_type", event_type);
    let tuple = if forward { *tuple } else { tuple.reversed() };
    write_ends(object, &tuple);
    object.text("proto", &proto_name(tuple.proto));
    object.number("ip_v", if tuple.src.is_ipv4() { 4u8 } else { 6 });
}

fn write_ends(object: &mut Object<'_>, tuple: &FiveTuple) {
    let has_ports = matches!(tuple.proto, Proto::Tcp | Proto::Udp);
    object.text("src_ip", &address(tuple.src));
    if has_ports {
        object.number("src_port", tuple.src_port);
    }
    object.text("dest_ip", &address(tuple.dst));
    if has_ports {
        object.number("dest_port", tuple.dst_port);
    }
}

/// Addresses as Suricata writes them: IPv6 in full.
fn address(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => address.to_string(),
        std::net::IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:04x}"));
            groups.join(":")
        }
    }
}

fn proto_name(proto: Proto) -> String {
    match proto {
        Proto::Tcp => "TCP".to_owned(),
        Proto::Udp => "UDP".to_owned(),
        Proto::Icmp => "ICMP".to_owned(),
        Proto::Icmp6 => "IPv6-ICMP".to_owned(),
        Proto::Other(number) => {
            let name = PROTO_NAMES.iter().find(|(known, _)| *known == number);
            name.map_or_else(|| format!("{number:03}"), |(_, name)| (*name).to_owned())
        }
    }
}

/// IANA's keywords of the protocols that are met; others are written by number, three digits.
const PROTO_NAMES: &[(u8, &str)] = &[
    (0, "HOPOPT"),
    (2, "IGMP"),
    (4, "IPv4"),
    (41, "IPv6"),
    (46, "RSVP"),
    (47, "GRE"),
    (50, "ESP"),
    (51, "AH"),
    (59, "IPv6-NoNxt"),
    (88, "EIGRP"),
    (89, "OSPFIGP"),
    (103, "PIM"),
    (112, "VRRP"),
    (115, "L2TP"),
    (132, "SCTP"),
    (136, "UDPLite"),
];

/// Counters by part, `part.counter` becoming `{"part": {"counter": ..}}`.
fn write_stats(
    stats: &mut Object<'_>,
    counters: &[(&'static str, u64)],
    uptime_s: u64,
    alerts: u64,
) {
    stats.number("uptime", uptime_s);
    let mut parts: Vec<&str> = Vec::new();
    for (name, _) in counters {
        let part = name.split_once('.').map_or(*name, |(part, _)| part);
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    for part in parts {
        stats.object(part, |object| {
            for (name, value) in counters {
                if let Some((_, counter)) = name.split_once('.').filter(|(of, _)| *of == part) {
                    object.number(counter, *value);
                }
            }
        });
    }
    stats.object("detect", |object| object.number("alert", alerts));
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
