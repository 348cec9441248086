//! The `stats` record.

use crate::json::Object;

/// Deepest nesting of counters.
const DEPTH_MAX: usize = 8;

/// Counters by part, `part.counter` becoming `{"part": {"counter": ..}}`, however deep.
pub(super) fn write(
    stats: &mut Object<'_>,
    counters: &[(&'static str, u64)],
    uptime_s: u64,
    alerts: u64,
) {
    stats.number("uptime", uptime_s);
    let mut sorted: Vec<(&str, u64)> = counters.to_vec();
    sorted.push(("detect.alert", alerts));
    // stable: what stands in one part stays in its order
    sorted.sort_by_key(|(name, _)| name.rsplit_once('.').map(|(part, _)| part));
    write_part(stats, &sorted, 0, 0);
}

/// The counters of one part, whose names all begin with the same `skip` bytes.
fn write_part(object: &mut Object<'_>, counters: &[(&str, u64)], skip: usize, depth: usize) {
    let split = |name: &'_ str| {
        let rest = name.get(skip..).unwrap_or_default();
        rest.split_once('.').map(|(part, _)| part.len())
    };
    for (name, value) in counters {
        if split(name).is_none() || depth >= DEPTH_MAX {
            object.number(name.get(skip..).unwrap_or_default(), *value);
        }
    }
    let mut done: Vec<&str> = Vec::new();
    for (name, _) in counters {
        let Some(len) = split(name).filter(|_| depth < DEPTH_MAX) else {
            continue;
        };
        let end = skip.saturating_add(len);
        let part = name.get(..end).unwrap_or_default();
        if done.contains(&part) {
            continue;
        }
        done.push(part);
        let is_in = |other: &&(&str, u64)| {
            let rest = other.0.strip_prefix(part);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let inside: Vec<(&str, u64)> = counters.iter().filter(is_in).copied().collect();
        object.object(part.get(skip..).unwrap_or_default(), |object| {
            write_part(
                object,
                &inside,
                end.saturating_add(1),
                depth.saturating_add(1),
            );
        });
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
            r#"{"uptime":7,"detect":{"alert":0},"flow":{"total":3,"end":{"state":{"new":2},"tcp_state":{"none":0}}},"tcp":{"syn":1}}"#
        );
    }
}
