//! The `anomaly` record: damage on the wire.

use super::flow::write_vlan;
use super::write_flow_head;
use crate::flow::{Direction, Flow};
use crate::json::Object;
use crate::sensor::{Anomaly, AnomalyKind};
use crate::settings::Setting;

/// Whether anomalies of the layer are wanted under the options; those of packets are not, unless
/// asked for.
pub(super) fn is_wanted(layer: (&str, Option<&str>), options: Setting<'_>) -> bool {
    let types = options.at("types");
    !options.is_set() || types.at(layer.0).flag().unwrap_or(layer.0 == "applayer")
}

pub(super) fn write(object: &mut Object<'_>, flow: Option<&Flow>, anomaly: &Anomaly) {
    match flow {
        Some(flow) => {
            write_flow_head(
                object,
                "anomaly",
                Some(flow.id),
                &flow.tuple,
                Direction::ToServer,
            );
            write_vlan(object, flow);
        }
        None => match &anomaly.tuple {
            Some(tuple) => write_flow_head(object, "anomaly", None, tuple, Direction::ToServer),
            None => object.text("event_type", "anomaly"),
        },
    }
    object.text("pkt_src", "wire/pcap");
    if let Some(tx_id) = anomaly.tx_id {
        object.number("tx_id", tx_id);
    }
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

/// Layer of the sensor, and of the parser.
pub(super) fn layer(kind: AnomalyKind) -> (&'static str, Option<&'static str>) {
    match kind {
        AnomalyKind::Decode(_) | AnomalyKind::Fragment => ("decode", None),
        AnomalyKind::Stream(_) => ("stream", None),
        AnomalyKind::AppLayer(..) => ("applayer", Some("proto_parser")),
    }
}
