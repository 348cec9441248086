//! The `stats` record.

use crate::json::Object;

/// Counters by part: `part.counter` becomes `{"part": {"counter": ..}}`, to any depth.
pub(super) fn write(
    stats: &mut Object<'_>,
    counters: &[(&'static str, u64)],
    uptime_s: u64,
    alerts: u64,
) {
    stats.number("uptime", uptime_s);
    let counters: Vec<(&str, u64)> = counters.to_vec();
    write_level(stats, &counters);
    stats.object("detect", |object| object.number("alert", alerts));
}

/// Writes one level: counters, and parts in the order in which they first come.
fn write_level(object: &mut Object<'_>, counters: &[(&str, u64)]) {
    let mut parts: Vec<(&str, Vec<(&str, u64)>)> = Vec::new();
    for (name, value) in counters {
        let Some((part, rest)) = name.split_once('.') else {
            object.number(name, *value);
            continue;
        };
        match parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, inner)) => inner.push((rest, *value)),
            None => parts.push((part, vec![(rest, *value)])),
        }
    }
    for (part, inner) in parts {
        object.object(part, |object| write_level(object, &inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_levels() {
        let counters = [
            ("flow.total", 3),
            ("tcp.syn", 1),
            ("flow.end.state.new", 2),
            ("flow.end.tcp_state.none", 0),
        ];
        let mut out = String::new();
        Object::write(&mut out, |object| write(object, &counters, 7, 0));
        assert_eq!(
            out,
            r#"{"uptime":7,"flow":{"total":3,"end":{"state":{"new":2},"tcp_state":{"none":0}}},"tcp":{"syn":1},"detect":{"alert":0}}"#
        );
    }
}
