//! What models found, with why: the field, the features, the threshold, the pack.

use detect::models::Found;
use packet::Event;
use packet::json::Object;
use packet::settings::Setting;

use super::alert::{write_alert, write_event, write_head, write_verdict};

pub(super) fn write(
    object: &mut Object<'_>,
    kind: &str,
    found: &Found,
    event: &Event<'_>,
    options: Setting<'_>,
) {
    let verdict = &found.verdict;
    write_head(object, kind, verdict);
    if found.is_alert() {
        object.object("alert", |object| write_alert(object, verdict));
    }
    object.object("shieldwall", |object| {
        write_verdict(object, verdict);
        object.object("model", |object| write_model(object, found));
    });
    write_event(object, Some(event), options);
}

fn write_model(object: &mut Object<'_>, found: &Found) {
    let (about, threshold) = (&found.model.about, &found.model.threshold);
    object.text("task", found.model.scorer.task().name());
    object.float("score", rounded(found.score));
    object.object("threshold", |object| {
        object.float("score", rounded(threshold.score));
        object.float("fpr", threshold.fpr);
        object.text("set", &threshold.set);
    });
    object.text("stage", found.model.stage.name());
    object.flag("acts", found.acts);
    object.text("field", &found.field);
    object.bytes("text", &found.text);
    if let Some(parts) = &found.parts {
        object.objects("features", parts, |object, part| {
            object.text("name", &part.name);
            object.float("value", rounded(part.value));
            object.float("weight", rounded(part.weight));
        });
    }
    object.object("pack", |object| {
        object.text("publisher", &about.publisher);
        object.text("name", &about.name);
        object.text("version", &about.version);
        object.display("digest", about.digest);
        object.text("file", &about.file);
        object.display("sha256", about.model);
    });
}

/// Six digits behind the point: more mean nothing, and a float of 32 bits written with 64 has many.
fn rounded(number: f32) -> f64 {
    (f64::from(number) * 1e6).round() / 1e6
}
