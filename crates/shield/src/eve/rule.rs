//! Alerts of rules, with the field names of Suricata 8.

use detect::rules::{About, Alert, Outcome, RejectTarget};
use packet::decode::Transport;
use packet::eve::{write_app_proto, write_counts, write_ends, write_flow_head};
use packet::json::Object;
use packet::settings::Setting;
use packet::{AppProto, Direction, FiveTuple, Flow, Packet, Refusal};

/// What an alert comes with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carrier<'a> {
    pub(super) flow: Option<&'a Flow>,
    pub(super) direction: Direction,
    /// The packet's ends, its sender first.
    pub(super) tuple: Option<FiveTuple>,
    pub(super) packet: Option<&'a Packet<'a>>,
    pub(super) outcome: Outcome,
    /// Inline: a packet that is dropped does not go on.
    pub(super) inline: bool,
}

pub(super) fn write(
    record: &mut Object<'_>,
    alert: &Alert,
    carrier: &Carrier<'_>,
    options: Setting<'_>,
) {
    write_head(record, "alert", carrier);
    let wants = |path: &str| options.at(path).flag().unwrap_or(true);
    let has_metadata = wants("metadata");
    let fields = alert.transaction.as_ref().map_or("", |told| &told.fields);
    let fields = if has_metadata && wants("metadata.app-layer") {
        fields
    } else {
        ""
    };
    if let Some(told) = alert
        .transaction
        .as_ref()
        .filter(|_| !fields.starts_with("\"tx_id\""))
    {
        record.number("tx_id", told.id);
    }
    if alert.guessed {
        record.flag("tx_guessed", true);
    }
    write_alert(record, alert, carrier, options);
    if has_metadata && wants("metadata.app-layer") {
        record.written(fields);
        if !alert.files.is_empty() {
            record.written(&format!("\"files\":[{}]", alert.files));
        }
    }
    if let Some(flow) = carrier.flow {
        if flow.app != AppProto::Unknown {
            write_app_proto(record, flow.app);
        }
        record.text("direction", direction_name(carrier.direction));
        if has_metadata && wants("metadata.flow") {
            record.object("flow", |object| {
                write_counts(object, flow);
                write_ends(object, &flow.tuple);
            });
        }
    }
    write_payload(record, alert, carrier, options);
    if options.at("verdict").flag().unwrap_or(false) {
        write_verdict(record, carrier);
    }
    let origin = alert.rule().and_then(|rule| rule.origin.as_deref());
    if alert.reason.is_some() || origin.is_some() {
        record.object("shieldwall", |object| {
            if let Some(origin) = origin {
                object.text("object", origin.object.as_str());
                object.text("source", &origin.source);
            }
            let reasons = &alert.reason;
            object.objects("reasons", reasons, |object, reason| {
                object.text("buffer", reason.buffer);
                object.number("offset", reason.offset);
                object.number("length", reason.len);
            });
        });
    }
}

fn write_head(record: &mut Object<'_>, kind: &str, carrier: &Carrier<'_>) {
    let id = carrier.flow.map(|flow| flow.id);
    match &carrier.tuple {
        Some(tuple) => write_flow_head(record, kind, id, tuple, Direction::ToServer),
        None => record.text("event_type", kind),
    }
}

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "to_server",
        Direction::ToClient => "to_client",
    }
}

fn write_alert(
    record: &mut Object<'_>,
    alert: &Alert,
    carrier: &Carrier<'_>,
    options: Setting<'_>,
) {
    let Some(rule) = alert.rule() else { return };
    let wants = |path: &str| options.at(path).flag();
    record.object("alert", |object| {
        let blocked = alert.action.drops() && carrier.inline;
        object.text("action", if blocked { "blocked" } else { "allowed" });
        object.number("gid", rule.id.gid);
        object.number("signature_id", rule.id.sid);
        object.number("rev", rule.id.rev);
        object.text("signature", &rule.about.message);
        object.text("category", &rule.about.category);
        object.number("severity", rule.about.priority);
        write_target(object, &rule.about, carrier);
        if wants("metadata").unwrap_or(true) && wants("metadata.rule.metadata").unwrap_or(true) {
            write_metadata(object, &rule.about);
        }
        if !alert.context.is_empty() {
            object.object("context", |object| object.written(&alert.context));
        }
        if wants("metadata.rule.reference").unwrap_or(false) {
            object.texts("references", &rule.about.references);
        }
    });
}

/// The bytes that were looked at, as far as they are asked for.
fn write_payload(
    record: &mut Object<'_>,
    alert: &Alert,
    carrier: &Carrier<'_>,
    options: Setting<'_>,
) {
    let wants = |path: &str| options.at(path).flag().unwrap_or(false);
    let payload = match &alert.stream {
        Some(bytes) => &**bytes,
        None => carrier.packet.map_or(&[][..], payload_of),
    };
    let max = options.at("payload-buffer-size").bytes();
    let max = max.map_or(PAYLOAD_BYTES, |max| {
        usize::try_from(max).unwrap_or(usize::MAX)
    });
    let payload = payload.get(..max).unwrap_or(payload);
    let shows = !payload.is_empty() && (wants("payload") || wants("payload-printable"));
    if shows && wants("payload") {
        record.base64("payload", payload);
    }
    if shows && wants("payload-printable") {
        let printable: String = payload.iter().map(|byte| printable(*byte)).collect();
        record.text("payload_printable", &printable);
    }
    if wants("payload") || wants("payload-printable") {
        // what is said over TCP is found in its stream
        let is_tcp = carrier
            .tuple
            .is_some_and(|tuple| tuple.proto == packet::Proto::Tcp);
        let is_said = is_tcp && alert.transaction.is_some() && !alert.guessed;
        record.number("stream", u8::from(alert.stream.is_some() || is_said));
    }
    if let Some(packet) = carrier.packet.filter(|_| wants("packet")) {
        record.base64("packet", packet.decoded.data);
    }
}

/// What a byte is shown as in text.
fn printable(byte: u8) -> char {
    match byte {
        b' '..=b'~' | b'\n' | b'\r' | b'\t' => char::from(byte),
        _ => '.',
    }
}

/// Most bytes of payload that are shown where nothing is said.
const PAYLOAD_BYTES: usize = 4096;

/// What became of the packet.
fn write_verdict(record: &mut Object<'_>, carrier: &Carrier<'_>) {
    let outcome = carrier.outcome;
    record.object("verdict", |object| {
        let action = match () {
            () if outcome.dropped => "drop",
            () if outcome.passed => "pass",
            () => "alert",
        };
        object.text("action", action);
        let Some(target) = outcome.rejected else {
            return;
        };
        let target = match (target, carrier.direction) {
            (RejectTarget::Both, _) => "both",
            (RejectTarget::Source, Direction::ToServer)
            | (RejectTarget::Destination, Direction::ToClient) => "to_client",
            (RejectTarget::Source, Direction::ToClient)
            | (RejectTarget::Destination, Direction::ToServer) => "to_server",
        };
        object.text("reject-target", target);
        let is_tcp = carrier
            .tuple
            .is_some_and(|tuple| tuple.proto == packet::Proto::Tcp);
        object.texts("reject", [if is_tcp { "tcp-reset" } else { "icmp-prohib" }]);
    });
}

/// A packet that does not go on.
pub(super) fn write_drop(
    record: &mut Object<'_>,
    alert: Option<&Alert>,
    carrier: &Carrier<'_>,
    options: Setting<'_>,
) {
    write_head(record, "drop", carrier);
    if carrier.flow.is_some() {
        record.text("direction", direction_name(carrier.direction));
    }
    record.object("drop", |object| {
        if let Some(packet) = carrier.packet {
            write_headers(object, packet);
        }
        let refused = carrier.outcome.refused;
        object.text("reason", refused.map_or("rules", Refusal::name));
    });
    if options.at("verdict").flag().unwrap_or(false) {
        write_verdict(record, carrier);
    }
    if let Some(alert) = alert.filter(|_| options.at("alerts").flag().unwrap_or(false)) {
        write_alert(record, alert, carrier, Setting::NOTHING);
    }
}

/// Fields of the headers of a packet.
fn write_headers(object: &mut Object<'_>, packet: &Packet<'_>) {
    let Some(ip) = &packet.decoded.ip else { return };
    let be16 = |at: usize| match ip.header.get(at..) {
        Some([high, low, ..]) => u16::from_be_bytes([*high, *low]),
        Some(_) | None => 0,
    };
    if ip.src.is_ipv4() {
        object.number("len", be16(2));
        object.number("tos", ip.tos);
        object.number("ttl", ip.ttl);
        object.number("ipid", be16(4));
    } else {
        object.number("len", be16(4));
        object.number("tc", ip.tos);
        object.number("hoplimit", ip.ttl);
    }
    match &packet.decoded.transport {
        Transport::Tcp(tcp) => {
            object.number("tcpseq", tcp.seq);
            object.number("tcpack", tcp.ack);
            object.number("tcpwin", tcp.window);
            let flags = [
                ("syn", 0x02),
                ("ack", 0x10),
                ("psh", 0x08),
                ("rst", 0x04),
                ("urg", 0x20),
                ("fin", 0x01),
            ];
            for (name, flag) in flags {
                object.flag(name, tcp.flags.0 & flag != 0);
            }
            object.number("tcpres", 0_u8);
            object.number("tcpurgp", tcp.urgent);
        }
        Transport::Udp(udp) => object.number("udplen", udp.payload_len.saturating_add(8)),
        Transport::Absent
        | Transport::Esp(_)
        | Transport::Icmp4(_)
        | Transport::Icmp6(_)
        | Transport::Other(_)
        | Transport::Sctp(..)
        | Transport::Unsound(..) => {}
    }
}

fn payload_of<'p>(packet: &Packet<'p>) -> &'p [u8] {
    packet.decoded.payload()
}

/// Who attacks and who is attacked, where the rule says it.
fn write_target(object: &mut Object<'_>, about: &About, carrier: &Carrier<'_>) {
    let Some((target, tuple)) = about.target.zip(carrier.tuple) else {
        return;
    };
    let (source, target) = match target {
        "src_ip" => (tuple.reversed(), tuple),
        _ => (tuple, tuple.reversed()),
    };
    for (key, end) in [("source", source), ("target", target)] {
        object.object(key, |object| {
            object.display("ip", packet::eve::address(end.src));
            object.number("port", end.src_port);
        });
    }
}

fn write_metadata(object: &mut Object<'_>, about: &About) {
    if about.metadata.is_empty() {
        return;
    }
    object.object("metadata", |object| {
        let mut told: Vec<&str> = Vec::new();
        for (key, _) in &about.metadata {
            if !told.contains(&&**key) {
                told.push(key);
                let values = about.metadata.iter().filter(|(of, _)| of == key);
                object.texts(key, values.map(|(_, value)| value));
            }
        }
    });
}
