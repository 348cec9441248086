//! Records of flows at their end, and of damage.

use packet::{Anomaly, AnomalyKind, AppProto, EndReason, Flow, FlowState, Proto};

use super::json::Object;
use super::{time, write_flow_head};

pub(super) fn write(object: &mut Object<'_>, flow: &Flow, reason: EndReason, alerted: bool) {
    write_flow_head(object, "flow", Some(flow.id), &flow.tuple, true);
    write_vlan(object, flow);
    write_app_proto(object, flow.app);
    object.object("flow", |object| {
        write_counts(object, flow);
        object.display("end", time::Utc(flow.last_ns));
        object.number("age", age_s(flow));
        object.text("state", state_name(flow.state));
        object.text("reason", reason_name(reason));
        object.flag("alerted", alerted);
    });
    if flow.tuple.proto == Proto::Tcp {
        object.object("tcp", |object| {
            object.flag("client_proven", flow.client_proven);
            object.flag("server_proven", flow.server_proven);
            object.flag("midstream", flow.midstream);
        });
    }
}

pub(super) fn write_anomaly(object: &mut Object<'_>, flow: Option<&Flow>, anomaly: &Anomaly) {
    match flow {
        Some(flow) => {
            write_flow_head(object, "anomaly", Some(flow.id), &flow.tuple, true);
            write_vlan(object, flow);
        }
        None => match &anomaly.tuple {
            Some(tuple) => write_flow_head(object, "anomaly", None, tuple, true),
            None => object.text("event_type", "anomaly"),
        },
    }
    object.text("pkt_src", "wire/pcap");
    object.object("anomaly", |object| {
        let (kind, layer) = layer(anomaly.kind);
        if let AnomalyKind::AppLayer(app, _) = anomaly.kind {
            object.text("app_proto", app.name());
        }
        object.text("type", kind);
        object.text("event", anomaly.name());
        if let Some(layer) = layer {
            object.text("layer", layer);
        }
    });
}

/// What went either way so far, and since when.
pub(super) fn write_counts(object: &mut Object<'_>, flow: &Flow) {
    object.number("pkts_toserver", flow.to_server.packets);
    object.number("pkts_toclient", flow.to_client.packets);
    object.number("bytes_toserver", flow.to_server.bytes);
    object.number("bytes_toclient", flow.to_client.bytes);
    object.display("start", time::Utc(flow.start_ns));
}

pub(super) fn write_vlan(object: &mut Object<'_>, flow: &Flow) {
    let ids = flow.vlan.ids();
    if !ids.is_empty() {
        object.numbers("vlan", ids.iter().copied());
    }
}

pub(super) fn write_app_proto(object: &mut Object<'_>, app: AppProto) {
    if app != AppProto::Unknown {
        object.text("app_proto", app.name());
    }
}

/// Whole seconds from start to end, counted as Suricata counts: between the seconds, not the instants.
fn age_s(flow: &Flow) -> u64 {
    (flow.last_ns / 1_000_000_000).saturating_sub(flow.start_ns / 1_000_000_000)
}

fn state_name(state: FlowState) -> &'static str {
    match state {
        FlowState::New => "new",
        FlowState::Established => "established",
        FlowState::Closed => "closed",
    }
}

/// Suricata knows `timeout`, `forced` and `shutdown`, and logs a flow that was closed when its
/// timeout is over.
fn reason_name(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Fin | EndReason::Reset | EndReason::Timeout => "timeout",
        EndReason::Evicted | EndReason::Replaced => "forced",
        EndReason::Shutdown => "shutdown",
    }
}

fn layer(kind: AnomalyKind) -> (&'static str, Option<&'static str>) {
    match kind {
        AnomalyKind::Decode(_) | AnomalyKind::Fragment => ("decode", None),
        AnomalyKind::Stream(_) => ("stream", None),
        AnomalyKind::AppLayer(..) => ("applayer", Some("proto_parser")),
    }
}
