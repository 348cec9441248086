//! Alerts: verdicts as Suricata writes the alerts of its rules.
//!
//! Our signature numbers stand in [`SIGNATURES`]; `severity` is the evidence class (1 exploit or
//! token, 2 path-proven, 3 unproven). The action is always `allowed`: a record is of what was
//! seen; what was dropped, and why, stands in the journal.

use std::collections::BTreeSet;

use detect::{EvidenceClass, Reason, Verdict};
use packet::{Direction, Event, Flow};

use packet::eve::{Utc, address, write_app_proto, write_counts, write_ends, write_flow_head};
use packet::json::Object;
use packet::settings::Setting;

/// Detector, buffer of the first reason (empty: any), number, name, category as in Suricata's
/// classification file. The first row that fits counts.
const SIGNATURES: &[(&str, &str, u32, &str, &str)] = &[
    (
        "scan-trw@",
        "",
        9_100_001,
        "SHIELDWALL scan of services",
        "Detection of a Network Scan",
    ),
    (
        "indicator@",
        "ip.",
        9_200_001,
        "SHIELDWALL listed address",
        "Misc Attack",
    ),
    (
        "indicator@",
        "dns.",
        9_200_002,
        "SHIELDWALL listed name in DNS",
        "Misc Attack",
    ),
    (
        "indicator@",
        "http.host",
        9_200_003,
        "SHIELDWALL listed host in HTTP",
        "Misc Attack",
    ),
    (
        "indicator@",
        "http.url",
        9_200_004,
        "SHIELDWALL listed URL in HTTP",
        "Misc Attack",
    ),
    (
        "indicator@",
        "tls.sni",
        9_200_005,
        "SHIELDWALL listed name in TLS",
        "Misc Attack",
    ),
    (
        "indicator@",
        "ja",
        9_200_006,
        "SHIELDWALL listed TLS client",
        "Misc Attack",
    ),
    (
        "model@",
        "http.request",
        9_300_001,
        "SHIELDWALL model: attack on a web application",
        "Web Application Attack",
    ),
    (
        "model@",
        "http.url",
        9_300_002,
        "SHIELDWALL model: URL of a page that imitates another",
        "Possible Social Engineering Attempted",
    ),
    (
        "model@",
        "",
        9_300_003,
        "SHIELDWALL model: suspicious name",
        "Potentially Bad Traffic",
    ),
    (
        "slow-scan@",
        "",
        9_100_002,
        "SHIELDWALL slow scan of services",
        "Detection of a Network Scan",
    ),
    (
        "login-guessing@",
        "",
        9_100_003,
        "SHIELDWALL guessed passwords",
        "Attempted User Privilege Gain",
    ),
    (
        "path-guessing@",
        "",
        9_100_004,
        "SHIELDWALL guessed paths",
        "Attempted Information Leak",
    ),
    (
        "dga-client@",
        "",
        9_400_001,
        "SHIELDWALL client asks for generated names",
        "Malware Command and Control Activity Detected",
    ),
    (
        "dns-tunnel@",
        "",
        9_400_002,
        "SHIELDWALL tunnel in DNS",
        "Potential Corporate Privacy Violation",
    ),
    (
        "beacon@",
        "",
        9_400_003,
        "SHIELDWALL regular contacts",
        "Potentially Bad Traffic",
    ),
    ("", "", 9_000_000, "SHIELDWALL verdict", "Misc activity"),
];

pub(super) fn write(
    object: &mut Object<'_>,
    verdict: &Verdict,
    event: Option<&Event<'_>>,
    options: Setting<'_>,
) {
    write_head(object, "alert", verdict);
    object.object("alert", |object| write_alert(object, verdict));
    object.object("shieldwall", |object| write_verdict(object, verdict));
    write_event(object, event, options);
}

pub(super) fn write_head(object: &mut Object<'_>, kind: &str, verdict: &Verdict) {
    match &verdict.tuple {
        Some(tuple) => write_flow_head(object, kind, verdict.flow, tuple, Direction::ToServer),
        None => object.text("event_type", kind),
    }
}

/// What is known of the event that led to a verdict.
pub(super) fn write_event(
    object: &mut Object<'_>,
    event: Option<&Event<'_>>,
    options: Setting<'_>,
) {
    match event {
        Some(Event::Transaction(flow, transaction)) => {
            write_flow(object, flow);
            transaction.log(object, options);
        }
        Some(
            Event::FlowStart(flow)
            | Event::Attempt(flow, _)
            | Event::Exchanged(flow)
            | Event::Proven(flow)
            | Event::Closed(flow, _)
            | Event::FlowEnd(flow, _),
        ) => write_flow(object, flow),
        Some(
            Event::Packet(_)
            | Event::Arp(_)
            | Event::Anomaly(..)
            | Event::File(..)
            | Event::FileData(..)
            | Event::AppFrame(..)
            | Event::Inspect(_)
            | Event::Progress(..)
            | Event::Stream(..),
        )
        | None => {}
    }
}

/// The flow that an event is about.
pub(crate) fn flow_of<'a>(event: &Event<'a>) -> Option<&'a Flow> {
    match event {
        Event::FlowStart(flow)
        | Event::Attempt(flow, _)
        | Event::Exchanged(flow)
        | Event::Proven(flow)
        | Event::Closed(flow, _)
        | Event::FlowEnd(flow, _)
        | Event::Transaction(flow, _)
        | Event::File(flow, ..)
        | Event::FileData(flow, ..)
        | Event::Stream(flow, ..)
        | Event::Progress(flow, ..)
        | Event::AppFrame(flow, _) => Some(flow),
        Event::Anomaly(flow, _) => *flow,
        Event::Inspect(inspect) => inspect.flow,
        Event::Packet(_) | Event::Arp(_) => None,
    }
}

fn write_flow(object: &mut Object<'_>, flow: &Flow) {
    write_app_proto(object, flow.app);
    object.text("direction", "to_server");
    object.object("flow", |object| {
        write_counts(object, flow);
        write_ends(object, &flow.tuple);
    });
}

pub(super) fn write_alert(object: &mut Object<'_>, verdict: &Verdict) {
    let buffer = verdict.reasons.first().map_or("", |reason| reason.buffer);
    let fits = |(detector, of, ..): &&(&str, &str, u32, &str, &str)| {
        verdict.detector.starts_with(detector) && buffer.starts_with(of)
    };
    let (.., id, name, category) = SIGNATURES.iter().find(fits).copied().unwrap_or_default();
    object.text("action", "allowed");
    object.number("gid", 1u8);
    object.number("signature_id", id);
    object.number("rev", 1u8);
    object.text("signature", name);
    object.text("category", category);
    object.number("severity", severity(verdict.evidence));
    object.object("metadata", |object| {
        object.texts("detector", [verdict.detector]);
        object.texts("evidence", [evidence_name(verdict.evidence)]);
        object.texts("confidence", [verdict.confidence.to_string()]);
        let objects: BTreeSet<&str> = verdict.reasons.iter().filter_map(object_id).collect();
        if !objects.is_empty() {
            object.texts("objects", objects);
        }
    });
}

/// What a verdict knows, typed.
pub(super) fn write_verdict(object: &mut Object<'_>, verdict: &Verdict) {
    if let Some(offender) = verdict.offender {
        object.text("offender", &address(offender));
    }
    if let Some(far_end) = verdict.far_end {
        object.text("far_end", &address(far_end));
    }
    object.text("evidence", evidence_name(verdict.evidence));
    object.number("confidence", verdict.confidence);
    object.number("count", verdict.count);
    object.display("first_packet", Utc(verdict.first_packet_ns));
    object.objects("reasons", &verdict.reasons, |object, reason| {
        if let Some(id) = object_id(reason) {
            object.text("object", id);
        }
        if let Some(source) = &reason.source {
            object.text("source", source);
        }
        object.text("buffer", reason.buffer);
        object.number("offset", reason.offset);
        write_matched(object, &reason.matched);
        object.text("what", &reason.what);
    });
}

/// Text as text, anything else as hex digits.
fn write_matched(object: &mut Object<'_>, matched: &[u8]) {
    if matched
        .iter()
        .all(|byte| byte.is_ascii_graphic() || *byte == b' ')
    {
        object.bytes("matched", matched);
    } else {
        let hex: String = matched.iter().map(|byte| format!("{byte:02x}")).collect();
        object.text("matched_hex", &hex);
    }
}

fn object_id(reason: &Reason) -> Option<&str> {
    reason.object.as_ref().map(stix::StixId::as_str)
}

fn severity(evidence: EvidenceClass) -> u8 {
    match evidence {
        EvidenceClass::Unproven => 3,
        EvidenceClass::PathProven => 2,
        EvidenceClass::Exploit | EvidenceClass::Token => 1,
    }
}

fn evidence_name(evidence: EvidenceClass) -> &'static str {
    match evidence {
        EvidenceClass::Unproven => "unproven",
        EvidenceClass::PathProven => "path-proven",
        EvidenceClass::Exploit => "exploit",
        EvidenceClass::Token => "token",
    }
}
