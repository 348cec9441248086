//! The `anomaly` record: damage on the wire.

use super::current::Current;
use super::write_flow_head;
use crate::applayer::AppProto;
use crate::decode::Damage;
use crate::flow::{Direction, Flow};
use crate::json::Object;
use crate::sensor::{Anomaly, AnomalyKind};
use crate::settings::Setting;

/// Whether anomalies of the kind are wanted under the options; those of packets are not, unless
/// asked for. Fragments given up are counted, and told to detectors, but are nobody's anomaly.
pub(super) fn is_wanted(kind: AnomalyKind, options: Setting<'_>) -> bool {
    let is_counted_only = |kind| {
        matches!(
            kind,
            AnomalyKind::Fragment | AnomalyKind::Decode(Damage::TooManyLayers)
        )
    };
    if is_counted_only(kind) {
        return false;
    }
    let (name, _) = layer(kind);
    let asked = options.at("types").at(name).flag();
    options.is_absent() || asked.unwrap_or(name == "applayer")
}

/// The ends are those of the packet that it was found in.
pub(super) fn write(
    object: &mut Object<'_>,
    flow: Option<&Flow>,
    anomaly: &Anomaly,
    current: &Current,
    options: Setting<'_>,
) {
    let tuple = current.tuple.or(anomaly.tuple);
    let tuple = tuple.or_else(|| flow.map(|flow| flow.tuple));
    match tuple {
        Some(tuple) => {
            let id = flow.map(|flow| flow.id);
            write_flow_head(object, "anomaly", id, &tuple, Direction::ToServer);
        }
        None => object.text("event_type", "anomaly"),
    }
    if let Some(tx_id) = anomaly.tx_id {
        object.number("tx_id", tx_id);
    }
    let (kind, layer) = layer(anomaly.kind);
    object.object("anomaly", |object| {
        if let AnomalyKind::AppLayer(app, _) = anomaly.kind
            && !matches!(app, AppProto::Unknown | AppProto::Failed)
        {
            object.text("app_proto", app.name());
        }
        object.text("type", kind);
        object.text("event", anomaly.name());
        if let Some(layer) = layer {
            object.text("layer", layer);
        }
    });
    let shows_packet = options.at("packethdr").flag().unwrap_or(false);
    if shows_packet && layer.is_none() {
        current.write_front(object);
    }
}

/// Layer of the sensor, and of the parser.
pub(super) fn layer(kind: AnomalyKind) -> (&'static str, Option<&'static str>) {
    match kind {
        AnomalyKind::Decode(_) | AnomalyKind::Fragment => ("decode", None),
        AnomalyKind::Stream(_) => ("stream", None),
        AnomalyKind::AppLayer(_, name) if name.starts_with("APPLAYER_") => {
            ("applayer", Some("proto_detect"))
        }
        AnomalyKind::AppLayer(..) => ("applayer", Some("proto_parser")),
    }
}
