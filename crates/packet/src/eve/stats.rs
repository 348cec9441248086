//! The `stats` record.

use crate::json::Object;

/// Counters by part, `part.counter` becoming `{"part": {"counter": ..}}`.
pub(super) fn write(
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
