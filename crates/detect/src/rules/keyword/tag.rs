//! What follows from a match for the packets behind it: `tag`, `bypass`.

use super::{Arg, Keyword, number};
use crate::rules::builder::Builder;
use crate::rules::diagnostic::Problem;
use crate::rules::effect::Apply;
use crate::rules::memory::Memory;
use crate::rules::scene::Scene;
use crate::rules::state::tags::{Limit, PACKETS};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::call(
        "tag",
        "session|host[,number,packets|bytes|seconds[,src|dst]]",
        "The packets behind the one that matches are shown, of its flow or of one of its hosts.",
        tag,
    ),
    Keyword::call("bypass", "", "The flow is not looked at any more.", bypass),
];

/// Whose packets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Session,
    Source,
    Destination,
}

fn tag(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    let value = arg.value()?;
    let wrong = || {
        value
            .wrong(format!("{:?} names no packets", value.text))
            .mend("write session or host, and if need be a number, packets, bytes or seconds, and src or dst")
    };
    let parts: Vec<_> = value.split(',').collect();
    let (scope, count, direction) = match *parts {
        [scope] => (scope, None, None),
        [scope, count, metric] => (scope, Some((count, metric)), None),
        [scope, count, metric, direction] => (scope, Some((count, metric)), Some(direction)),
        _ => return Err(wrong()),
    };
    let limit = match count {
        None => Limit::Packets(PACKETS),
        Some((count, metric)) => {
            let count = number::<u32>(count)?;
            match metric.text {
                "packets" => Limit::Packets(count),
                "bytes" => Limit::Bytes(count),
                "seconds" => Limit::Seconds(count),
                _ => return Err(wrong()),
            }
        }
    };
    let scope = match (scope.text, direction.map(|direction| direction.text)) {
        ("session", None | Some("src" | "dst")) => Scope::Session,
        ("host", Some("src")) => Scope::Source,
        ("host", None | Some("dst")) => Scope::Destination,
        _ => return Err(wrong()),
    };
    rule.effects.push(Box::new(Tag { scope, limit }));
    Ok(())
}

/// The packets behind the one that matches are shown.
#[derive(Debug)]
struct Tag {
    scope: Scope,
    limit: Limit,
}

impl Apply for Tag {
    fn apply(&self, scene: &Scene<'_>, memory: &mut Memory<'_>) {
        let (rule, now_ns) = (memory.rule, scene.now_ns);
        match (self.scope, scene.flow, scene.tuple) {
            (Scope::Session, Some(_), _) => memory.flow.tags.add(rule, self.limit, now_ns),
            (Scope::Source, _, Some(tuple)) => {
                memory.tags.add(tuple.src, rule, self.limit, now_ns);
            }
            (Scope::Destination, _, Some(tuple)) => {
                memory.tags.add(tuple.dst, rule, self.limit, now_ns);
            }
            (Scope::Session | Scope::Source | Scope::Destination, _, _) => {}
        }
    }
}

fn bypass(rule: &mut Builder<'_, '_>, arg: Arg<'_>) -> Result<(), Problem> {
    arg.nothing()?;
    rule.effects.push(Box::new(Bypass));
    Ok(())
}

/// The flow is not looked at any more.
#[derive(Debug)]
struct Bypass;

impl Apply for Bypass {
    fn apply(&self, _: &Scene<'_>, memory: &mut Memory<'_>) {
        memory.flow.is_bypassed = true;
    }
}
