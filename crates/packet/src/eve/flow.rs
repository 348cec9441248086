//! The `flow` and `netflow` records: flows at their end.

use super::Judged;
use super::{time, write_ends_head, write_flow_head};
use crate::applayer::AppProto;
use crate::flow::{Counts, Direction, Flow, FlowAction, FlowId, FlowState, Proto};
use crate::json::Object;
use crate::sensor::{EndReason, ExceptionPolicy, Exceptions, shown_state};

pub(super) fn write(
    object: &mut Object<'_>,
    flow: &Flow,
    reason: EndReason,
    judged: &Judged,
    exceptions: Option<Exceptions>,
) {
    if let Some(FlowId(parent)) = flow.parent {
        object.number("parent_id", parent);
    }
    write_flow_head(
        object,
        "flow",
        Some(flow.id),
        &flow.tuple,
        Direction::ToServer,
    );
    write_vlan(object, flow);
    write_icmp(object, flow);
    write_app_protos(object, flow);
    object.object("flow", |object| {
        write_counts(object, flow);
        object.display("end", time::Utc(flow.last_ns));
        object.number("age", age_s(flow));
        object.text("state", state_name(shown_state(flow)));
        let is_bypassed = flow.state == FlowState::Bypassed;
        if is_bypassed {
            object.text("bypass", "local");
        }
        object.text("reason", reason_name(reason));
        object.flag("alerted", judged.alerted);
        let action = flow.action.map(|action| match action {
            FlowAction::Drop => "drop",
            FlowAction::Pass => "pass",
        });
        if let Some(action) = judged.action.or(action) {
            object.text("action", action);
        }
        if flow.transactions > 0 && !is_bypassed {
            object.number("tx_cnt", flow.transactions);
        }
        if flow.in_emergency {
            object.flag("emergency", true);
        }
        write_exceptions(object, flow, exceptions);
    });
    if flow.tuple.proto == Proto::Tcp {
        object.object("tcp", |object| write_tcp(object, flow));
        object.object("shieldwall", |object| {
            object.flag("client_proven", flow.client_proven);
            object.flag("server_proven", flow.server_proven);
            object.flag("midstream", flow.midstream);
        });
    }
}

/// The directions of which a `netflow` record is written: to the server always, to the client if it
/// heard anything.
pub(super) fn netflows(flow: &Flow) -> impl Iterator<Item = Direction> {
    let both = [Direction::ToServer, Direction::ToClient];
    let to_client = flow.to_client.packets > 0;
    both.into_iter()
        .filter(move |direction| *direction == Direction::ToServer || to_client)
}

/// One direction of a flow at its end.
pub(super) fn write_netflow(object: &mut Object<'_>, flow: &Flow, direction: Direction) {
    write_ends_head(object, "netflow", Some(flow.id), &flow.tuple, direction);
    write_vlan(object, flow);
    let icmp = match direction {
        Direction::ToServer => flow.icmp,
        Direction::ToClient => flow.icmp_answer,
    };
    if let Some([kind, code]) = icmp {
        object.number("icmp_type", kind);
        object.number("icmp_code", code);
    }
    object.text("app_proto", app_of_way(flow, direction).name());
    let counts = flow.counts(direction);
    object.object("netflow", |object| {
        object.number("pkts", counts.packets);
        object.number("bytes", counts.bytes);
        object.display("start", time::Utc(flow.start_ns));
        object.display("end", time::Utc(flow.last_ns));
        object.number("age", age_s(flow));
        object.number("min_ttl", counts.ttl_min);
        object.number("max_ttl", counts.ttl_max);
        if flow.transactions > 0 {
            object.number("tx_cnt", flow.transactions);
        }
    });
    if flow.tuple.proto == Proto::Tcp {
        let flags = connection_flags(flow, counts.tcp_flags);
        object.object("tcp", |object| {
            object.text("tcp_flags", &format!("{flags:02x}"));
            write_flag_names(object, flags);
        });
    }
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

/// The application protocol, what else was found in either direction, and what it was before.
fn write_app_protos(object: &mut Object<'_>, flow: &Flow) {
    let app = app_of(flow);
    write_app_proto(object, app);
    let [to_server, to_client] = flow.app_found;
    for (key, found) in [("app_proto_ts", to_server), ("app_proto_tc", to_client)] {
        // that nothing was found in one direction says something beside what was found in the other
        let is_known = !matches!(app, AppProto::Unknown | AppProto::Failed);
        let is_telling = found != AppProto::Failed || is_known;
        if found != AppProto::Unknown && found != app && is_telling {
            object.text(key, found.name());
        }
    }
    if flow.app_before != AppProto::Unknown && flow.app_before != app {
        object.text("app_proto_orig", flow.app_before.name());
    }
    let is_found = flow.app != AppProto::Unknown;
    if is_found && flow.app_expected != AppProto::Unknown && flow.app_expected != flow.app {
        object.text("app_proto_expected", flow.app_expected.name());
    }
}

/// The protocol; the one before where another was to begin and nothing has come of it.
fn app_of(flow: &Flow) -> AppProto {
    if flow.app == AppProto::Unknown {
        flow.app_before
    } else {
        flow.app
    }
}

/// The protocol that was found in a direction, else that of the flow.
fn app_of_way(flow: &Flow, direction: Direction) -> AppProto {
    let [to_server, to_client] = flow.app_found;
    let found = match direction {
        Direction::ToServer => to_server,
        Direction::ToClient => to_client,
    };
    let app = app_of(flow);
    let is_known = !matches!(app, AppProto::Unknown | AppProto::Failed);
    // that nothing was found says something beside what was found the other way
    let is_told = found != AppProto::Unknown && (found != AppProto::Failed || is_known);
    if is_told { found } else { app }
}

fn write_icmp(object: &mut Object<'_>, flow: &Flow) {
    if let Some([kind, code]) = flow.icmp {
        object.number("icmp_type", kind);
        object.number("icmp_code", code);
    }
    if let Some([kind, code]) = flow.icmp_answer {
        object.number("response_icmp_type", kind);
        object.number("response_icmp_code", code);
    }
    if let Some(spi) = flow.spi {
        object.number("spi", spi);
    }
}

/// Where the sensor went on though it would have had reason not to.
fn write_exceptions(object: &mut Object<'_>, flow: &Flow, policies: Option<Exceptions>) {
    let is_midstream = flow.is_ignored || flow.midstream && flow.tcp_state.is_some();
    let midstream = match (is_midstream, policies) {
        (true, Some(policies)) => Some(policies.midstream),
        (true, None) => flow.is_ignored.then_some(ExceptionPolicy::Ignore),
        (false, _) => None,
    };
    let app_error = flow
        .app_error
        .then(|| policies.unwrap_or_default().app_error);
    let targets = [
        ("stream_midstream", midstream),
        ("app_layer_error", app_error),
    ];
    let hit = targets
        .into_iter()
        .filter_map(|(target, policy)| Some((target, policy?)));
    let hit: Vec<_> = hit.collect();
    if !hit.is_empty() {
        object.objects("exception_policy", hit, |object, (target, policy)| {
            object.text("target", target);
            object.text("policy", policy.name());
        });
    }
}

fn write_tcp(object: &mut Object<'_>, flow: &Flow) {
    let flags = |counts: &Counts| connection_flags(flow, counts.tcp_flags);
    let (to_server, to_client) = (flags(&flow.to_server), flags(&flow.to_client));
    let both = to_server | to_client;
    object.text("tcp_flags", &format!("{both:02x}"));
    object.text("tcp_flags_ts", &format!("{to_server:02x}"));
    object.text("tcp_flags_tc", &format!("{to_client:02x}"));
    write_flag_names(object, both);
    let Some(state) = flow.tcp_state else { return };
    object.text("state", state.name());
    let [client, server] = flow.streams;
    for (key, facts) in [("ts_gap", client), ("tc_gap", server)] {
        if facts.gap {
            object.flag(key, true);
        }
    }
    object.number("ts_max_regions", client.regions_max.max(1));
    object.number("tc_max_regions", server.regions_max.max(1));
    for (key, facts) in [
        ("ts_urgent_oob_data", client),
        ("tc_urgent_oob_data", server),
    ] {
        if facts.urgent_bytes > 0 {
            object.number(key, facts.urgent_bytes);
        }
    }
}

/// Flags are those of a connection: of a flow that is not followed there are none.
fn connection_flags(flow: &Flow, flags: u8) -> u8 {
    if flow.tcp_state.is_some() { flags } else { 0 }
}

fn write_flag_names(object: &mut Object<'_>, flags: u8) {
    let names = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];
    for order in [1, 0, 2, 3, 4, 5, 6, 7_usize] {
        let is_set = flags
            .checked_shr(u32::try_from(order).unwrap_or(0))
            .unwrap_or(0)
            & 1
            == 1;
        if let Some(name) = names.get(order).filter(|_| is_set) {
            object.flag(name, true);
        }
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
        FlowState::Bypassed => "bypassed",
    }
}

/// Suricata knows `timeout`, `forced`, `tcp_reuse` and `shutdown`, and logs a flow that was closed when its
/// timeout is over.
fn reason_name(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Fin | EndReason::Reset | EndReason::Timeout => "timeout",
        EndReason::Evicted => "forced",
        EndReason::Replaced => "tcp_reuse",
        EndReason::Shutdown => "shutdown",
    }
}
