//! The `flow` and `netflow` records: flows at their end.

use super::{time, write_flow_head};
use crate::applayer::AppProto;
use crate::flow::{Direction, Flow, FlowState, Proto};
use crate::json::Object;
use crate::sensor::EndReason;

pub(super) fn write(object: &mut Object<'_>, flow: &Flow, reason: EndReason, alerted: bool) {
    write_flow_head(
        object,
        "flow",
        Some(flow.id),
        &flow.tuple,
        Direction::ToServer,
    );
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

/// The directions of which a `netflow` record is written: those that were heard.
pub(super) fn netflows(flow: &Flow) -> impl Iterator<Item = Direction> {
    let both = [Direction::ToServer, Direction::ToClient];
    let heard = both.map(|direction| (direction, flow.counts(direction).packets > 0));
    heard
        .into_iter()
        .filter_map(|(direction, heard)| heard.then_some(direction))
}

/// One direction of a flow at its end.
pub(super) fn write_netflow(object: &mut Object<'_>, flow: &Flow, direction: Direction) {
    write_flow_head(object, "netflow", Some(flow.id), &flow.tuple, direction);
    write_vlan(object, flow);
    write_app_proto(object, flow.app);
    let counts = flow.counts(direction);
    object.object("netflow", |object| {
        object.number("pkts", counts.packets);
        object.number("bytes", counts.bytes);
        object.display("start", time::Utc(flow.start_ns));
        object.display("end", time::Utc(flow.last_ns));
        object.number("age", age_s(flow));
    });
}

/// What went either way so far, and since when.
pub fn write_counts(object: &mut Object<'_>, flow: &Flow) {
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

/// The application protocol, where it is known.
pub fn write_app_proto(object: &mut Object<'_>, app: AppProto) {
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
