//! Connections from a log, shown to the detectors that judge flows.
//!
//! A line is a line of Zeek's conn.log as JSON, in the order of `ts`. Its score is how sure the most
//! certain verdict about its source was up to there, 0 to 1.

use std::{collections::HashMap, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use detect::{Config, Detector, Index, Verdict};
use packet::{
    Direction, EndReason, Event, FiveTuple, Flow, FlowId, FlowState, Outcome as Answered, Proto,
    Vlans,
};
use serde_json::{Value, json};

use super::super::lines::{self, Answer};
use crate::outcome::{Failure, Outcome};

/// Most sources whose verdicts are remembered.
const SOURCES_MAX: usize = 1 << 20;

/// What is known of the log so far.
struct Log {
    detector: Detector,
    flows: u64,
    worst: HashMap<IpAddr, u8>,
}

/// Judges the connections of files.
pub(super) fn connections(files: &[PathBuf]) -> Result<Outcome, Failure> {
    let mut log = Log {
        detector: Detector::new(Config::default(), Arc::new(Index::default())),
        flows: 0,
        worst: HashMap::new(),
    };
    lines::each(files, |line| match line.and_then(|line| log.judge(line)) {
        Ok(line) => Answer { line, yes: true },
        Err(error) => Answer {
            line: json!({"score": null, "error": error}),
            yes: false,
        },
    })
}

impl Log {
    fn judge(&mut self, line: &[u8]) -> Result<Value, String> {
        let value: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        self.flows = self.flows.saturating_add(1);
        let (flow, state) = read(&value, FlowId(self.flows))?;
        let mut verdicts = Vec::new();
        let mut show = |event: &Event<'_>, at_ns| self.detector.event(event, at_ns, &mut verdicts);
        if flow.tuple.proto == Proto::Tcp
            && let Some(answered) = answered(state)
        {
            show(&Event::Attempt(&flow, answered), flow.start_ns);
            if answered == Answered::Accepted {
                show(&Event::Proven(&flow), flow.start_ns);
                // a client resets with RSTO, a server with RSTR; of a FIN the log does not tell
                let by = match state {
                    "RSTR" => Direction::ToClient,
                    _ => Direction::ToServer,
                };
                show(&Event::Closed(&flow, by), flow.last_ns);
            }
        }
        show(&Event::FlowEnd(&flow, EndReason::Timeout), flow.last_ns);
        Ok(self.told(&flow, &verdicts))
    }

    fn told(&mut self, flow: &Flow, verdicts: &[Verdict]) -> Value {
        let known = self.worst.len() < SOURCES_MAX || self.worst.contains_key(&flow.tuple.src);
        let sure = verdicts
            .iter()
            .map(|verdict| verdict.confidence)
            .max()
            .unwrap_or(0);
        let mut worst = sure;
        if known {
            let kept = self.worst.entry(flow.tuple.src).or_default();
            *kept = sure.max(*kept);
            worst = *kept;
        }
        let told = |verdict: &Verdict| {
            let what = verdict.reasons.first().map(|reason| &*reason.what);
            json!({"detector": verdict.detector, "what": what, "count": verdict.count})
        };
        let verdicts: Vec<Value> = verdicts.iter().map(told).collect();
        json!({"score": f64::from(worst) / 100.0, "verdicts": verdicts})
    }
}

/// What a connection's state says of its SYN (Zeek's documentation of conn.log, `conn_state`).
fn answered(state: &str) -> Option<Answered> {
    match state {
        "S0" => Some(Answered::Unanswered),
        "REJ" => Some(Answered::Refused),
        "SF" | "S1" | "S2" | "S3" | "RSTO" | "RSTR" => Some(Answered::Accepted),
        _ => None,
    }
}

/// A connection as a flow, and its state.
fn read(value: &Value, id: FlowId) -> Result<(Flow, &str), String> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let missing = |key: &str| format!("no usable \"{key}\"");
    let address = |key: &str| {
        let address = text(key).and_then(|text| text.parse::<IpAddr>().ok());
        address.ok_or_else(|| missing(key))
    };
    let port = |key: &str| {
        let port = value.get(key).and_then(Value::as_u64);
        port.and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| missing(key))
    };
    let seconds = |key: &str| value.get(key).and_then(Value::as_f64);
    let count = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
    let start_ns = seconds("ts")
        .and_then(nanoseconds)
        .ok_or_else(|| missing("ts"))?;
    let lasted_ns = seconds("duration").and_then(nanoseconds).unwrap_or(0);
    let proto = match text("proto").ok_or_else(|| missing("proto"))? {
        "tcp" => Proto::Tcp,
        "udp" => Proto::Udp,
        _ => Proto::Icmp,
    };
    let tuple = FiveTuple {
        src: address("id.orig_h")?,
        src_port: port("id.orig_p")?,
        dst: address("id.resp_h")?,
        dst_port: port("id.resp_p")?,
        proto,
    };
    let state = text("conn_state").unwrap_or_default();
    let mut flow = Flow::new(id, tuple, Vlans::default(), start_ns);
    flow.last_ns = start_ns.saturating_add(lasted_ns);
    flow.to_server.payload_bytes = count("orig_bytes");
    flow.to_client.payload_bytes = count("resp_bytes");
    flow.to_server.packets = count("orig_pkts").max(1);
    flow.to_client.packets = count("resp_pkts");
    let accepted = answered(state) == Some(Answered::Accepted);
    (flow.client_proven, flow.server_proven) = (accepted, accepted);
    flow.state = if accepted {
        FlowState::Closed
    } else {
        FlowState::New
    };
    Ok((flow, state))
}

fn nanoseconds(seconds: f64) -> Option<u64> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(duration.as_nanos()).ok()
}
